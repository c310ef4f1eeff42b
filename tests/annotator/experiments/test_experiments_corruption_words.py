"""Spoilt words, whose features are made anew."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotator.datasets import open_dataset
from annotator.errors import EnvironmentFault
from annotator.experiments import anew
from annotator.experiments.corruption_curves import corrupt_test
from annotator.experiments.corruption_words import delete, substitute, word_corruptions
from annotator.learning.corruption import Damage, Scale
from annotator.learning.networks import network_config
from annotator.types import DEFAULT_LABELS
from lddu_model import Checkpoint, untrained
from toy_corpus import corpus, settings

CPU = torch.device("cpu")
TEXTS = ("What a lovely day", "I hate this", "Nobody told me anything about it", "fine")


def damage(strength: float, seed: int = 0) -> Damage:
    return Damage(strength, Scale(np.zeros(1), np.ones(1)), np.random.default_rng(seed))


@pytest.fixture
def talk(tmp_path):
    """A corpus of texts as its table gives it."""
    rows = [f"v{i},1,0,0,0,0,0,{TEXTS[i % 4]},{'train' if i < 4 else 'valid'}" for i in range(8)]
    header = ",".join(("video_id", *DEFAULT_LABELS, "text", "split"))
    table = tmp_path / "talk.csv"
    table.write_text("\n".join((header, *rows)), encoding="utf-8")
    return open_dataset(table)


WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=30)


@given(WORDS, st.integers(0, 99), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_deleted_words_stay_deleted_and_one_stays(words, seed, strengths):
    weak, strong = (Counter(delete(words, (), damage(s, seed))) for s in sorted(strengths))
    assert strong <= weak <= Counter(words)
    assert strong.total() >= 1


@given(WORDS, st.integers(0, 99), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_substituted_words_stay_what_they_have_become(words, seed, strengths):
    weak, strong = (substitute(words, ("x", "y"), damage(s, seed)) for s in sorted(strengths))
    for before, between, after in zip(words, weak, strong, strict=True):
        assert after in ("x", "y", before)
        if between != before:
            assert after == between


def test_words_are_lost_at_the_rate_of_the_strength():
    words = ["word"] * 10_000
    assert len(delete(words, (), damage(0.3))) == pytest.approx(7_000, rel=0.03)
    assert substitute(words, ("x",), damage(0.3)).count("x") == pytest.approx(3_000, rel=0.05)
    assert delete(words, (), damage(0)) == substitute(words, ("x",), damage(0)) == words
    assert set(substitute(words, ("x",), damage(1))) == {"x"}


def test_features_are_those_of_the_spoilt_words(talk):
    examples = talk.split("valid")
    deleted, substituted = word_corruptions(talk, examples)
    assert sorted(substituted.vocabulary) == sorted(" ".join(TEXTS).split())
    example = examples[1]
    clean = deleted.spoilt(example, damage(0))
    np.testing.assert_array_equal(clean, example.features["text"])
    kept = " ".join(delete(TEXTS[1].split(), (), damage(0.5)))
    assert kept != TEXTS[1]
    anew = deleted.extractor.embed(kept)
    np.testing.assert_array_equal(deleted.spoilt(example, damage(0.5)), anew)
    assert len(anew) < len(clean)


def test_the_curves_tell_words_from_features(talk):
    model = Checkpoint(untrained(network_config(talk, settings()), 0), {}, "")
    found = corrupt_test(model, talk, "valid", device=CPU, resamples=0)
    spoilt = {curve["name"]: curve["spoilt"] for curve in found.to_json()["curves"]}
    assert spoilt == {
        "noise_text": "features",
        "lost_steps_text": "features",
        "word_deletion": "words",
        "word_substitution": "words",
    }
    assert found.proxy.startswith("words of 4 clips were spoilt")
    assert json.dumps(found.to_json(), allow_nan=False)
    points = {curve.name: curve.points for curve in found.curves}
    assert points["word_deletion"][-1].entropy != points["word_deletion"][0].entropy


def test_without_words_or_what_reads_them_only_features_are_spoilt(talk, monkeypatch, caplog):
    assert word_corruptions(corpus(), corpus().split("test")) == []
    examples = talk.split("valid")
    silent = [replace(example, words=None) for example in examples]
    assert word_corruptions(talk, silent) == []
    deleted, _ = word_corruptions(talk, examples)
    assert not any(map(deleted.affects, silent))
    older = replace(talk, extractors={"text": "minilm@0"})
    assert word_corruptions(older, examples) == []
    assert "those are of minilm@0, which is minilm@2 here" in caplog.text

    def broken(*_):
        raise EnvironmentFault("the weights are gone")

    monkeypatch.setattr(anew, "load_extractor", broken)
    assert word_corruptions(talk, examples) == []
    assert "the weights are gone" in caplog.text
