"""The starter's corpus: what is drawn, how it is split, and what its trios are made of."""

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from skimage import data as pictures

from annotator.features.expression import EXPRESSIONS
from annotator.features.faces import FaceDetector
from annotator.features.sound import SAMPLE_RATE
from annotator.learning.dataset import TEST, TRAIN, VALID, Example
from annotator.learning.expression import Faces
from annotator.starter import faces, speech, texts, trios
from annotator.starter.__main__ import main
from annotator.starter.labels import LABELS, NEUTRAL, one_hot
from annotator.starter.sound_augmentation import augment
from annotator.types import MODALITIES
from lddu_model import Config, InputSpec, load, save, untrained

CONFIG = Config(labels=LABELS, visual=InputSpec(3), audio=InputSpec(3), text=InputSpec(3), hidden=8)
FACE = (slice(40, 236), slice(130, 326))  # of the astronaut, framed as FER+ frames a face


def test_a_label_that_is_none_of_ours_is_refused():
    with pytest.raises(ValueError, match="'calm' is neither neutral nor one of happy"):
        one_hot("calm")


@pytest.mark.parametrize("length", [1, 2, 400, 5 * SAMPLE_RATE])
def test_changed_sound_is_sound(length):
    random = np.random.default_rng(length)
    changed = augment(random.normal(0, 0.1, length).astype(np.float32), random)
    assert changed.dtype == np.float32
    assert len(changed) >= 1
    assert np.abs(changed).max() <= 1


def test_trimming_leaves_the_words():
    samples = np.zeros(3 * SAMPLE_RATE, np.float32)
    samples[SAMPLE_RATE : 2 * SAMPLE_RATE] = np.sin(np.arange(SAMPLE_RATE) / 5)
    for seed in range(5):
        changed = augment(samples, np.random.default_rng(seed))
        loud = np.abs(changed) > 0.5 * np.abs(changed).max()
        assert np.flatnonzero(loud)[-1] - np.flatnonzero(loud)[0] > 0.8 * SAMPLE_RATE
        assert len(changed) < 1.2 * len(samples)


def test_the_detector_finds_the_face_in_a_sequence():
    grey = cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2GRAY)[FACE]
    tile = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)
    detector = FaceDetector()
    frames = [f for seed in range(5) for f in faces.sequence(tile, np.random.default_rng(seed))]
    found = [bool(len(detector.detect(frame))) for frame in frames]
    assert np.mean(found) > 0.8


def test_trios_are_of_one_emotion_and_a_third_lacks_a_modality():
    sources = {
        m: [
            Example(f"{m} {emotion}", "g", {m: np.full((1, 2), place)}, one_hot(emotion))
            for place, emotion in enumerate((*LABELS, NEUTRAL))
        ]
        for m in MODALITIES
    }
    made = trios.pair(sources, 350, seed=0, split=TRAIN)
    for trio in made:
        emotions = {values[0, 0] for values in trio.features.values()}
        assert len(emotions) == 1
        np.testing.assert_array_equal(trio.target, one_hot((*LABELS, NEUTRAL)[int(emotions.pop())]))
    whole = sum(len(trio.features) == len(MODALITIES) for trio in made)
    assert whole == pytest.approx(350 * 2 / 3, abs=35)
    assert len({trio.id for trio in made}) == 350


def test_no_speaker_is_in_two_splits(shared):
    for utterances in (
        speech.ravdess(shared / "data" / "ravdess"),
        speech.emodb(shared / "data" / "emodb"),
    ):
        by_split = {
            split: {u.speaker for u in utterances if u.split == split}
            for split in (TRAIN, VALID, TEST)
        }
        speakers = [speaker for part in by_split.values() for speaker in part]
        assert len(speakers) == len(set(speakers))
        assert {u.emotion for u in utterances} == {*LABELS, NEUTRAL} - (
            set() if len(speakers) > 6 else {"surprise"}
        )


def test_no_video_is_in_two_splits(shared):
    rows = list(texts.mosei(shared / "data" / "mosei"))
    splits_of: dict[str, set[str]] = {}
    for _, group, split, *_ in rows:
        splits_of.setdefault(group, set()).add(split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert {split for _, _, split, *_ in rows} == {TRAIN, VALID, TEST}


def test_copies_lose_words_and_are_only_to_train_on(shared):
    by_id = {name: (split, text) for name, _, split, text, *_ in texts.mosei(shared / "data/mosei")}
    copies = {name: found for name, found in by_id.items() if "#" in name}
    originals = {name for name, (split, _) in by_id.items() if split == TRAIN} - set(copies)
    assert len(copies) == texts.VARIANTS * len(originals)
    lost = 0.0
    for name, (split, text) in copies.items():
        assert split == TRAIN
        words = by_id[name.partition(" #")[0]][1].split()
        kept = iter(words)
        assert all(word in kept for word in text.split()), "in the same order"
        lost += 1 - len(text.split()) / max(1, len(words))
    assert lost / len(copies) == pytest.approx(texts.LEFT_OUT, abs=0.02)


def test_faces_that_the_expression_network_knows_are_taken_only_where_they_are_rare():
    votes = np.eye(len(EXPRESSIONS), dtype=np.float32)[np.arange(40) % len(EXPRESSIONS)]
    known = Faces(np.zeros((40, 48, 48), np.uint8), votes)
    learned = dict(faces._split_places(known, "train"))
    assert set(learned.values()) == {TRAIN}
    assert {EXPRESSIONS[place % len(EXPRESSIONS)] for place in learned} == set(faces.RARE)
    new = list(faces._split_places(known, "valid"))
    assert [place for place, _ in new] == list(range(40)), "each face once, in one split"
    assert {split: sum(s == split for _, s in new) for split in (TRAIN, VALID, TEST)} == {
        TRAIN: 24,
        VALID: 4,
        TEST: 12,
    }


def test_no_comment_is_in_two_splits(shared):
    rows = list(texts.goemotions(shared / "data" / "goemotions" / "ekman"))
    ids = [name for name, *_ in rows]
    assert len(ids) == len(set(ids))


def test_the_starter_learns_from_no_sentence_that_the_encoder_has_learnt(shared):
    data = shared / "data"
    comments = list(texts.comments(data / "goemotions" / "ekman"))
    taught = {name for _, name, *_ in comments if texts.teaches_encoder(name)}
    assert 0.48 < len(taught) / len(comments) < 0.52
    learnt = [
        name
        for name, _, split, *_ in texts.goemotions(data / "goemotions" / "ekman")
        if split == TRAIN
    ]
    assert 3_000 < len(learnt) < 5_000
    assert not taught & set(learnt)
    segments = {name for name, *_ in texts.mosei(data / "mosei")}
    assert not segments & {name for name, *_ in texts.mosei_extra(data / "mosei")}


def test_what_ships_is_the_training_in_half_precision(tmp_path):
    network = untrained(CONFIG, seed=0)
    save(network, tmp_path / "training" / "model", {"trained": True})
    given = ["ship", str(tmp_path / "training"), "--out", str(tmp_path / "starter")]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.output
    shipped = load(tmp_path / "starter")
    assert shipped.metadata == {"trained": True}
    for name, weight in shipped.network.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, network.state_dict()[name].half().float())
    again = CliRunner().invoke(main, given)
    assert (again.exit_code, "exists already" in again.output) == (2, True)
    nothing = CliRunner().invoke(main, ["ship", str(tmp_path), "--out", str(tmp_path / "new")])
    assert (nothing.exit_code, "no model in" in nothing.output) == (2, True)
