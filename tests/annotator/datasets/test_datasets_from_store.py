"""Clips of the store as a corpus to train on: which count, their targets and splits."""

import io
from dataclasses import replace

import numpy as np
import pytest

from annotator.datasets.arrays_write import write_arrays
from annotator.datasets.export import export_corpus
from annotator.datasets.from_store import corpus_of
from annotator.datasets.open import open_dataset
from annotator.errors import EnvironmentFault, UsageError
from annotator.export.contents import Contents
from annotator.features.cache import FeatureCache
from annotator.types import Absent, ClipFeatures, Features, Segment
from export_samples import LABELS, Facts, clip, said
from fake_extractors import tools

HASH = "ab" * 16
FAKES = tools()
EXTRACTORS = {"visual": FAKES.visual.id, "audio": FAKES.audio.id, "text": FAKES.text.id}
BOTH = Contents(Facts(), {1: LABELS})


@pytest.fixture
def cache(tmp_path):
    """Features of five clips of a second each; step i of clip n holds n + i."""
    made = FeatureCache(tmp_path / "features")
    for n in range(5):
        steps = (n + 1 + np.arange(n + 1, dtype=np.float16))[:, None] * np.ones((1, 3), np.float16)
        features = ClipFeatures(
            Absent("no face", FAKES.visual.id),
            Features(steps, FAKES.audio.id),
            Absent("no words", FAKES.text.id),
        )
        made.put(HASH, Segment(1000 * n, 1000 * n + 1000, "windows"), features, FAKES)
    return made


def clips(*answers, splits=None, speakers=None):
    """A clip for each entry, answered by those of the entry."""
    return [
        replace(
            clip(1000 * n, 1000 * n + 1000, (0.9, 0.25), *of, clip_id=n),
            content_hash=HASH,
            split=splits[n] if splits else None,
            speaker=speakers[n] if speakers else None,
        )
        for n, of in enumerate(answers)
    ]


def of(cache, found, contents=BOTH):
    return corpus_of(found, contents, EXTRACTORS, cache)


def test_peoples_labels_are_the_targets_and_the_models_stand_beside(cache):
    answers = [said(0, "ann", "happy"), said(0, "bob")], [], [said(2, "ann", unusable=True)]
    corpus = of(cache, clips(*answers))
    ((example,),) = corpus.dataset.splits.values()
    assert example.target.tolist() == [0.5, 0.0]
    assert example.raters == 2
    assert example.id == "/c/a.mp4[0-1000]"
    assert list(example.features) == ["audio"]
    np.testing.assert_allclose(corpus.predictions["train"], [[0.9, 0.25]], rtol=1e-6)
    assert corpus.dataset.dimensions == {"audio": 3}


def test_the_models_alone(cache):
    corpus = of(cache, clips([], []), Contents(Facts()))
    examples = corpus.dataset.splits["train"]
    assert [one.target.tolist() for one in examples] == [pytest.approx([0.9, 0.25])] * 2
    assert corpus.predictions is None
    assert [one.raters for one in examples] == [None, None]


def test_clips_without_features_of_these_extractors_are_counted(cache):
    other = replace(clip(9000, 9500, (0.9, 0.25), said(9, "ann", "sad")), content_hash=HASH)
    unopened = replace(other, content_hash=None)
    found = [*clips([said(0, "ann", "happy")]), other, unopened]
    assert of(cache, found).left_out == 2
    with pytest.raises(UsageError, match="none of 1 labelled clips has features"):
        corpus_of(found[:1], BOTH, {**EXTRACTORS, "audio": "other@1"}, cache)


def test_nobody_has_labelled(cache):
    with pytest.raises(UsageError, match="no clip has labels"):
        of(cache, clips([], []))


def test_splits_are_those_of_the_clips_or_by_speaker(cache):
    answers = [[said(n, "ann", "happy")] for n in range(4)]
    given = of(cache, clips(*answers, splits=["train", "val", "test", "train"]))
    assert {k: len(v) for k, v in given.dataset.splits.items()} == {
        "train": 2, "valid": 1, "test": 1,
    }  # fmt: skip
    made = of(cache, clips(*answers, speakers=["a", "a", "b", "b"])).dataset.splits
    groups = {name: {one.group for one in examples} for name, examples in made.items()}
    assert sorted(map(sorted, groups.values())) == [["a"], ["b"]]
    with pytest.raises(UsageError, match="1 of the clips have no split"):
        of(cache, clips(*answers[:2], splits=["train", None]))


def test_features_that_go_missing_are_no_silence(cache, tmp_path):
    examples = of(cache, clips([said(0, "ann", "happy")])).dataset.splits["train"]
    for file in (tmp_path / "features").rglob("*.safetensors"):
        file.unlink()
    with pytest.raises(EnvironmentFault, match="went missing"):
        examples[0]


def test_arrays_are_what_was_cached_padded_with_zeros(cache):
    answers = [[said(n, "ann", "happy")] for n in range(3)]
    corpus = of(cache, clips(*answers))
    file = io.BytesIO()
    write_arrays(file, corpus.dataset, corpus.predictions, {"a": "b"})
    again = io.BytesIO()
    write_arrays(again, corpus.dataset, corpus.predictions, {"a": "b"})
    assert file.getvalue() == again.getvalue()
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["train/audio"].shape == (3, 3, 3)
        assert arrays["train/audio_lengths"].tolist() == [1, 2, 3]
        expected = [[1, 0, 0], [2, 3, 0], [3, 4, 5]]
        assert arrays["train/audio"][:, :, 0].tolist() == expected
        assert arrays["train/labels"].tolist() == [[1, 0]] * 3
        assert "train/text" not in arrays
        assert all(arrays[key].dtype.kind in "fiU" for key in arrays)


def test_our_reader_reads_the_folder_again(cache, tmp_path):
    answers = [[said(n, "ann", "happy")] for n in range(3)]
    done = export_corpus(
        clips(*answers, splits=["train", "train", "val"]),
        BOTH, EXTRACTORS, cache, "hugging-face", tmp_path / "data",
    )  # fmt: skip
    assert (done.rows, done.splits, done.left_out) == (3, {"train": 2, "valid": 1}, 0)
    read = open_dataset(tmp_path / "data")
    assert read.extractors["audio"] == FAKES.audio.id
    second = read.splits["train"][1]
    np.testing.assert_array_equal(second.features["audio"][:, 0], [2, 3])
    assert dict(zip(read.labels, second.target.tolist(), strict=True)) == {"happy": 1, "sad": 0}
    assert second.raters == 1
