"""`annotate ablate`, `sweep`, `crosseval`, `diagnose` and `corrupt-test`, as a user types them."""

from dataclasses import replace

import pytest

import media_samples
from annotator.registry import SHIPPED
from annotator.registry import STARTER as NAME
from annotator.types import DEFAULT_LABELS
from commands import annotate
from toy_corpus import ARGUMENTS, corpus, write_parquet

STARTER = SHIPPED / NAME
QUICK = [*ARGUMENTS, "--set", "train.epochs=1"]


def test_ablate_shows_rows_and_differences(toy_data, tmp_path):
    command = ["ablate", toy_data, "--out", tmp_path / "a", "--seeds", "0", *QUICK]
    done = annotate(*command, timeout=280)
    assert done.code == 0, done.err
    assert "without" in done.out
    found = annotate(*command, "--format", "json").json  # everything is trained already
    assert {"full", "no-contrastive"} <= found["rows"].keys()


def test_sweep_goes_on_and_prints_the_best_first(toy_data, tmp_path):
    command = ["sweep", toy_data, "--out", tmp_path / "s", *QUICK, "--format", "json"]
    one = annotate(*command, "--trials", 1)
    assert one.code == 0, one.err
    two = annotate(*command, "--trials", 2)
    assert two.json["trials"][0] == one.json["trials"][0]
    assert "training 2 of 2" in two.err
    assert "training 1 of" not in two.err


def test_crosseval_refuses_its_own_corpus_and_takes_another(toy_data, toy_training, tmp_path):
    own = annotate("crosseval", toy_data, toy_training)
    assert own.code == 2
    assert own.err.count("\n") == 1
    whole = corpus(train=8, valid=8, test=20)
    renamed = replace(whole, labels=("joy", "content", "angry"))
    other = write_parquet(tmp_path / "other", renamed)
    done = annotate("crosseval", other, toy_training, "--map", "content=sad", "--resamples", 20)
    assert done.code == 0, done.err
    assert "joy as happy, content as sad, angry as anger" in done.out


def test_diagnose_names_the_signatures(toy_data, toy_training, tmp_path):
    done = annotate("diagnose", toy_data, toy_training, "--picture", tmp_path / "latents")
    assert done.code == 0, done.err
    assert "variance collapse" in done.out
    assert (tmp_path / "latents.png").stat().st_size > 10_000
    numbers = annotate("diagnose", toy_data, toy_training, "--json").json
    assert {finding["name"] for finding in numbers["findings"]} >= {"modality gap", "stale queue"}


def test_corrupt_test_prints_and_draws_curves(toy_data, toy_training, tmp_path):
    picture = tmp_path / "curves"
    done = annotate("corrupt-test", toy_data, toy_training, "--resamples", 10, "--picture", picture)
    assert done.code == 0, done.err
    assert "feature space" in done.out
    assert picture.with_suffix(".svg").exists()


def test_corrupt_test_spoils_the_sound_of_files_that_a_manifest_names(tmp_path):
    media_samples.audio(tmp_path / "clicks.wav")
    manifest = tmp_path / "manifest.csv"
    columns = ",".join(f"label:{name}" for name in DEFAULT_LABELS)
    manifest.write_text(
        f"path,split,transcript,{columns}\nclicks.wav,test,a day of rain,0,1,0,0,0,0\n"
    )
    done = annotate("run", tmp_path, manifest)
    assert done.code == 0, done.err
    asked = ["corrupt-test", manifest, STARTER, "--split", "test", "--resamples", 0, "--json"]
    found = {curve["name"]: curve for curve in annotate(*asked).json["curves"]}
    assert found.keys() >= {"word_deletion", "media_hiss", "media_muffled", "media_quiet"}
    assert found["media_hiss"]["spoilt"] == "media"
    assert "unknown" in annotate(*asked[:-1]).out, "of one clip, without resamples"
    without = annotate(*asked, "--media-clips", 0).json
    assert not any(curve["spoilt"] == "media" for curve in without["curves"])
    assert without["proxy"].startswith("words of 1 clip were spoilt")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["ablate", "--out", "x", "--seeds", "a"], "not a list of whole numbers"),
        (["crosseval", "m", "--map", "joy"], "--map takes CORPUS=MODEL"),
        (["diagnose", "missing"], "no model in"),
    ],
)
def test_mistakes_are_told(toy_data, command, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *rest = command
    done = annotate(name, toy_data, *rest)
    assert done.code == 2
    assert line in done.err
    assert "Traceback" not in done.err
