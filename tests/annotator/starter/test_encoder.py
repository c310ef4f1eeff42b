"""Fine-tuning the text encoder on made-up sources: it learns and writes what it learnt."""

import csv
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from annotator.features.packaged import packaged
from annotator.features.text import MODEL_SHA256, NETWORK, SCALE, STATES, MiniLM, with_weights
from annotator.learning.dataset import TEST, TRAIN, VALID
from annotator.starter.__main__ import main
from annotator.starter.encoder import TOKENS, read_sentences
from annotator.starter.labels import LABELS
from annotator.starter.texts import VARIANTS

OPINIONS = {"happy": "the blue door", "sad": "a wooden chair", "anger": "some green paper"}
COMMENT_LABELS = ("admiration", "anger", "joy", "neutral", "sadness")
ROUNDS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Emotions that stand for things, so that only training can tell them."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "mosei").mkdir()
    (folder / "goemotions" / "original").mkdir(parents=True)
    rows = [
        {
            "video": f"v{number}",
            "file_name": f"extra {number} {label}",
            "start_time": "0",
            "end_time": "1",
            "text": f"this is {thing} number {number}",
            **dict.fromkeys(LABELS, "0"),
            label: "1.0",
        }
        for number in range(ROUNDS)
        for label, thing in OPINIONS.items()
    ]
    for name in ("val.csv", "extra_text.csv"):
        with (folder / "mosei" / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    comments = folder / "goemotions" / "original"
    (comments / "labels.txt").write_text("\n".join(COMMENT_LABELS), encoding="utf-8")
    for name in ("train", "dev"):
        lines = [
            f"{thing} once more {number}\t{COMMENT_LABELS.index(emotion)}\t{name}{number}{emotion}"
            for number in range(ROUNDS)
            for emotion, thing in zip(("joy", "sadness", "anger"), OPINIONS.values(), strict=True)
        ]
        (comments / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def fine_tune(data, out, *more: str) -> str:
    done = CliRunner().invoke(main, ["text", "--data", str(data), "--out", str(out), *more])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def tuned(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "minilm.safetensors"
    fine_tune(data, out, "--epochs", "3")
    return out


def test_the_sentences_are_those_that_the_starter_leaves(data):
    sentences = read_sentences(data)
    assert set(sentences) == {TRAIN, VALID, TEST}
    segments = [one for one in sentences[TRAIN] if one.source == "mosei"]
    assert len(segments) == (1 + VARIANTS) * ROUNDS * len(OPINIONS)
    comments = [one for one in sentences[TRAIN] if one.source == "goemotions"]
    assert 0.2 < len(comments) / (ROUNDS * len(OPINIONS)) < 0.8
    assert all(2 < len(one.tokens) <= TOKENS for split in sentences.values() for one in split)


def test_it_learns_what_words_stand_for_and_says_so(tuned):
    card = json.loads(tuned.with_suffix(".json").read_text(encoding="utf-8"))
    assert min(card["valid_mean_average_precision"].values()) > 0.95
    assert (card["epochs"], card["of_epochs"], card["seed"]) == (3, 3, 0)
    assert card["data"][TRAIN]["mosei"] == (1 + VARIANTS) * ROUNDS * len(OPINIONS)
    assert "research" in card["terms"]


def test_what_it_writes_is_what_the_run_computes_with(tuned):
    published, ours = MiniLM(layers=None), MiniLM(layers=tuned)
    for label, thing in OPINIONS.items():
        text = f"this is {thing}"
        states, told = np.split(ours.embed(text).astype(np.float32), [STATES], axis=1)
        assert np.abs(states / SCALE - published.embed(text)).max() > 0.05
        assert told.shape == (len(states), len(COMMENT_LABELS) + len(LABELS))
        assert LABELS[told[0, len(COMMENT_LABELS) :].argmax()] == label


def test_weights_of_another_network_are_refused():
    network = packaged(*NETWORK, MODEL_SHA256)
    with pytest.raises(ValueError, match="has no weights odd"):
        with_weights(network, {"odd": np.zeros(1, np.float32)})


def test_a_folder_without_the_sources_is_refused(tmp_path):
    given = ["text", "--data", str(tmp_path), "--out", str(tmp_path / "a.safetensors")]
    done = CliRunner().invoke(main, given)
    assert (done.exit_code, "holds no mosei" in done.output) == (2, True)


def test_the_same_seed_gives_the_same_weights(data, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in ("a", "b"):
            fine_tune(data, tmp_path / f"{name}.safetensors", "--epochs", "1", "--seed", "3")
        fine_tune(data, tmp_path / "c.safetensors", "--epochs", "1", "--seed", "4")
    finally:
        torch.set_num_threads(before)
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c
