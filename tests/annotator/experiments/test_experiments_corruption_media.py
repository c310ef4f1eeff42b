"""Spoilt pictures and sound of real files, whose features are made anew."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fake_extractors as fakes
import media_samples
from annotator.clock import StageClock
from annotator.corpus.plan import PlanSettings
from annotator.corpus.sidecars import Sidecars
from annotator.datasets.assemble import assemble
from annotator.errors import EnvironmentFault, UsageError
from annotator.experiments import anew
from annotator.experiments.corruption_curves import STRENGTHS, corrupt_test
from annotator.experiments.corruption_media import (
    BLUR,
    LONGEST_MS,
    MUFFLED_HZ,
    SNOW,
    WAYS,
    darkness,
    hiss,
    media_corruptions,
    muffled,
    out_of_focus,
    quiet,
    snow,
)
from annotator.features.cache import FeatureCache
from annotator.features.sound import SAMPLE_RATE
from annotator.learning.corruption import CORRUPTIONS, NOISE, Damage, Scale
from annotator.learning.dataset import Example, Place
from annotator.learning.networks import network_config
from annotator.stages import Extracted, MediaJob, annotate_media, bounds
from annotator.types import Segment
from lddu_model import Checkpoint, untrained
from toy_corpus import settings

CPU = torch.device("cpu")
PICTURES, SOUNDS = (snow, out_of_focus, darkness), (hiss, muffled, quiet)
BOUNDS = ((0, 1_000), (1_100, 2_050), (2_050, 4_000), (4_000, 6_000))
NAMES = [way.name for way in WAYS]


def random(seed=0):
    return np.random.default_rng(seed)


def damage(strength):
    return Damage(strength, Scale(np.zeros(1), np.ones(1)), random())


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six seconds: frame n at n / 25 s, and a click at each second."""
    return media_samples.video(tmp_path_factory.mktemp("film") / "film.mkv", seconds=6)


@pytest.fixture(scope="module")
def shown(film, tmp_path_factory):
    """Clips of the film as a run reads them, with labels."""
    clips = [Segment(*pair, "manifest", "a word or two") for pair in BOUNDS]
    job = MediaJob(1, film, film.stat().st_size, PlanSettings(), Sidecars(), (), "0" * 64,
                   tuple(clips), frozenset(map(bounds, clips)))  # fmt: skip
    cache = FeatureCache(tmp_path_factory.mktemp("features"))
    events = annotate_media(job, fakes.tools(), cache, StageClock(), lambda: False)
    made = {bounds(e.segment): e.features.present for e in events if isinstance(e, Extracted)}
    examples = [
        Example(
            str(pair),
            f"v{n}",
            made[pair],
            np.array([n % 2, 1 - n % 2], np.float32),
            place=Place(film, pair),
        )
        for n, pair in enumerate(BOUNDS)
    ]
    ids = {"visual": "fake-faces@1", "audio": "fake-sound@1", "text": "fake-words@1"}
    splits = {"train": examples[:2], "valid": examples[2:]}
    return assemble("shown", ("happy", "sad"), splits, {}, extractors=ids)


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The fakes by modality, in place of what the ids of the features would load."""
    found = {"visual": fakes.Faces(), "audio": fakes.Sound(), "text": fakes.Words()}
    monkeypatch.setattr(anew, "load_extractor", lambda _name, modality: found[modality])
    return found


def everything(dataset):
    return [example for examples in dataset.splits.values() for example in examples]


def spoilt(dataset, *strengths, clips=10, seed=0):
    ways = media_corruptions(dataset, everything(dataset), strengths, clips, seed=seed)
    return {way.name: way for way in ways}


@pytest.mark.parametrize("spoil", [*PICTURES, *SOUNDS])
def test_strength_0_spoils_nothing(spoil):
    picture = random().integers(0, 256, (20, 30, 3)).astype(np.uint8)
    sound = random().uniform(-1, 1, 4_000).astype(np.float32)
    given_ = picture if spoil in PICTURES else sound
    found = spoil(given_, 0.0, random())
    np.testing.assert_array_equal(found, given_)
    assert found.dtype == given_.dtype


@pytest.mark.parametrize("spoil", [*PICTURES, *SOUNDS])
@given(st.integers(0, 99), st.tuples(st.floats(0.25, 1), st.floats(0.25, 1)).map(sorted))
def test_more_strength_moves_further_from_the_clean(spoil, seed, strengths):
    picture = np.tile(random(seed).integers(60, 196, (1, 128, 3)), (96, 1, 1)).astype(np.uint8)
    sound = (0.05 * random(seed).standard_normal(4_000)).astype(np.float32)
    clean = picture if spoil in PICTURES else sound
    weak, strong = (
        np.square(spoil(clean, s, random(seed)).astype(float) - clean).mean() for s in strengths
    )
    assert 0 < weak <= strong + 1e-9


def test_each_spoils_by_as_much_as_it_says():
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert snow(grey, 0.2, random()).std() == pytest.approx(255 * SNOW * 0.2, rel=0.05)
    edge = np.zeros((100, 400, 3), np.uint8)
    edge[:, 200:] = 255
    blurred = out_of_focus(edge, 0.5, random())[50, :, 0].astype(float)
    slope = np.diff(blurred).max()  # of a Gaussian's integral: 255 / (σ √2π)
    assert slope == pytest.approx(255 / (BLUR * 0.5 * 400 * np.sqrt(2 * np.pi)), rel=0.15)
    loud = (0.1 * np.sin(np.arange(SAMPLE_RATE) * 0.3)).astype(np.float32)
    added = hiss(loud, 0.25, random()) - loud
    assert added.std() == pytest.approx(NOISE * 0.25 * loud.std(), rel=0.05)
    white = (0.1 * random().standard_normal(SAMPLE_RATE)).astype(np.float32)
    power = np.abs(np.fft.rfft(muffled(white, 1.0, random())))
    assert power[round(MUFFLED_HZ) + 2 :].max() < 0.01 * power[: round(MUFFLED_HZ)].mean()


def test_unspoilt_the_features_are_those_of_the_run(shown):
    ways = spoilt(shown, 0.0)
    assert list(ways) == NAMES
    for way in ways.values():
        for example in everything(shown):
            assert way.affects(example)
            anew, then = way.spoilt(example, damage(0.0)), example.features[way.modality]
            # Matroska's times are whole milliseconds: a seek moves its sound by a few samples.
            slack = 0.03 if way.modality == "audio" and example.place.bounds[0] else 0
            np.testing.assert_allclose(anew, then, rtol=0, atol=slack)


def test_only_what_is_spoilt_changes_and_the_same_seed_gives_the_same(shown):
    example = shown.split("valid")[0]
    first, again = spoilt(shown, 0.5), spoilt(shown, 0.5)
    for name in NAMES:
        found = first[name].spoilt(example, damage(0.5))
        np.testing.assert_array_equal(found, again[name].spoilt(example, damage(0.5)))
    faint = first["media_quiet"].spoilt(example, damage(0.5))
    share = faint[:, 1].max() / example.features["audio"][:, 1].max()
    assert share == pytest.approx(10 ** (-30 / 20), rel=0.03)
    dark = spoilt(shown, 1.0)["media_darkness"].spoilt(example, damage(1.0))
    assert len(set(dark[:, 0])) == 1 < len(set(example.features["visual"][:, 0])), "no bars seen"


def test_as_many_clips_as_asked_are_drawn_and_each_is_told(shown):
    told, every = [], everything(shown)
    way = media_corruptions(shown, every, (1.0,), 3, told=lambda *it: told.append(it))[0]
    assert told == [(1, 3)] * 3
    assert sum(map(way.affects, every)) == 3
    assert media_corruptions(shown, every, (1.0,), 0) == []


def test_clips_of_words_alone_are_not_drawn(shown):
    one, *others = everything(shown)
    words = [replace(other, features={"text": other.features["text"]}) for other in others]
    for seed in range(4):
        (way, *_) = media_corruptions(shown, [one, *words], (1.0,), 1, seed=seed)
        assert way.affects(one)


def test_a_clip_of_which_nothing_is_left_is_not_in_the_curve(shown, here):
    here["visual"] = fakes.Faces(faceless=True)
    example = shown.split("valid")[0]
    way = spoilt(shown, 1.0)["media_darkness"]
    assert way.spoilt(example, damage(1.0)) is None
    assert way.affects(example), "sound and words are left"
    alone = replace(example, features={"visual": example.features["visual"]})
    ways = spoilt(replace(shown, splits={"valid": [alone]}), 1.0)
    assert set(ways) == {"media_snow", "media_blur", "media_darkness"}
    assert not ways["media_darkness"].affects(alone)


def broken_film(tmp_path, film):
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(film.read_bytes()[:300])
    return broken, BOUNDS[2]


def no_film(tmp_path, _film):
    return tmp_path / "gone.mkv", BOUNDS[2]


def long_film(_tmp_path, film):
    return film, (0, LONGEST_MS + 1)


def film_without_pictures_there(tmp_path, film):
    """Two seconds of pictures and six of sound."""
    short = tmp_path / "short.mkv"
    both = ("-t", "2", "-i", str(film), "-i", str(film), "-map", "0:v", "-map", "1:a")
    media_samples.ffmpeg(*both, "-c", "copy", str(short))
    return short, (4_000, 5_000)


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (broken_film, "broken.mkv: "),
        (no_film, "gone.mkv: "),
        (long_film, "film.mkv: longer than a minute"),
        (film_without_pictures_there, "short.mkv: nothing could be decoded here"),
    ],
)
def test_what_cannot_be_spoilt_is_left_out_and_said(shown, film, tmp_path, caplog, given_, reason):
    clips = list(shown.split("valid"))
    clips[0] = replace(clips[0], place=Place(*given_(tmp_path, film)))
    ways = spoilt(replace(shown, splits={"valid": clips}), 1.0)
    assert [ways["media_hiss"].affects(clip) for clip in clips] == [False, True]
    assert f"the media of 1 of 2 clips are not spoilt, {reason}" in caplog.text


@pytest.mark.parametrize(
    ("modality", "extractor"),
    [
        ("audio", fakes.Sound(error=ValueError("too much"))),
        ("visual", fakes.Faces(broken=frozenset(range(1_000)))),
    ],
)
def test_an_extractor_that_fails_costs_the_clip_alone(shown, here, caplog, modality, extractor):
    here[modality] = extractor
    assert spoilt(shown, 1.0) == {}
    assert "the media of 4 of 4 clips are not spoilt, film.mkv: ValueError: " in caplog.text


def test_without_files_no_media_are_spoilt(shown):
    nowhere = [replace(example, place=None) for example in shown.split("valid")]
    assert spoilt(replace(shown, splits={"valid": nowhere}), 1.0) == {}


def test_only_what_the_features_were_made_by_is_asked_again(shown, monkeypatch, caplog):
    ids = {"visual": "fake-faces@0", "audio": "fake-sound@1", "text": "foreign words"}
    assert set(spoilt(replace(shown, extractors=ids), 1.0)) == set(NAMES[3:])
    assert "those are of fake-faces@0, which is fake-faces@1 here" in caplog.text

    def missing(name, _modality):
        raise UsageError("no such plugin") if name == "fake-faces" else EnvironmentFault("gone")

    monkeypatch.setattr(anew, "load_extractor", missing)
    assert spoilt(shown, 1.0) == {}
    assert "no such plugin" in caplog.text
    assert "gone" in caplog.text


def test_the_curves_tell_media_from_features(shown):
    model = Checkpoint(untrained(network_config(shown, settings()), 0), {}, "")
    ways = media_corruptions(shown, shown.split("valid"), STRENGTHS, 5)
    found = corrupt_test(
        model, shown, "valid", device=CPU, corruptions=(*CORRUPTIONS, *ways), resamples=0
    )
    of_media = [c["name"] for c in found.to_json()["curves"] if c["spoilt"] == "media"]
    assert of_media == NAMES
    assert found.proxy == "media of 2 clips were spoilt; all else in feature space: no words were"
    assert json.dumps(found.to_json(), allow_nan=False)
    loudness = {curve.name: curve.points for curve in found.curves}["media_quiet"]
    assert loudness[-1].entropy != loudness[0].entropy
