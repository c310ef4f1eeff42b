"""A manifest joined to what a run left in a workspace: database and feature cache."""

from typing import ClassVar

import numpy as np
import pytest

from annotator.corpus.scan import absolute
from annotator.datasets import open_dataset
from annotator.errors import UsageError
from annotator.features.cache import FeatureCache
from annotator.learning.dataset import Place
from annotator.stages import content_hash_of
from annotator.types import (
    Absent,
    AudioStream,
    ClipFeatures,
    Features,
    MediaInfo,
    Segment,
    Source,
)
from annotator.workspace import open_workspace
from fake_extractors import tools

INFO = MediaInfo("wav", 10_000, None, AudioStream(0, "pcm", 16_000, 1))
FAKES = tools()


class Model:
    name, weights_hash, labels, config = "m", "0" * 64, ("happy",), {}
    extractors: ClassVar = {"visual": "fake-faces@1"}
    trained, path, parent = True, None, None


class Corpus:
    """Media that a run has been over, without one."""

    def __init__(self, folder):
        self.folder = folder
        self.workspace = open_workspace(folder / ".annotate", create=True)

    def media(self, name: str) -> str:
        (self.folder / name).write_bytes(name.encode())
        return name

    def annotated(self, name: str, *segments: Segment, extractor: str = "fake-sound@1") -> str:
        path = absolute(self.folder / self.media(name))
        found = path.stat()
        with self.workspace.open_store() as store:
            model = store.register_model(Model)
            run = store.start_run(model, {}, "test")
            store.sync_sources(run, [(Source(path, found.st_size, found.st_mtime_ns), "key")])
            (pending,) = [one for one in store.pending(run, model) if one.path == path]
            store.save_plan(pending.media_id, content_hash_of(path), INFO, segments, model)
            store.finish_run(run, "done", {}, {})
        for segment in segments:
            self.put(path, segment, extractor)
        return name

    def put(self, path, segment: Segment, extractor: str, *, read: bool = False) -> None:
        values = np.full((2, 3), segment.end_ms / 1000, np.float16)
        unread = Absent("no transcript", "fake-words@1")
        features = ClipFeatures(
            Absent("no video stream", "fake-faces@1"),
            Features(values, extractor),
            Features(values, "fake-words@1") if read else unread,
            segment.text,
        )
        cache = FeatureCache(self.workspace.features)
        cache.put(content_hash_of(path), segment, features, FAKES)

    def manifest(self, *lines: str):
        path = self.folder / "m.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


def clip(start_ms: int, end_ms: int, text: str | None = None) -> Segment:
    return Segment(start_ms, end_ms, "manifest", text=text)


def test_labels_find_their_features(corpus):
    corpus.annotated("a.wav", clip(0, 1000), clip(1000, 2000))
    corpus.annotated("b.wav", clip(0, 10_000))
    path = corpus.manifest(
        "path,start,end,speaker,split,labels",
        "a.wav,0,1,ann,train,happy;sad",
        'a.wav,1,2,,val,"{""happy"": 0.25}"',
        "b.wav,,,,test,sad",
    )
    dataset = open_dataset(path)  # the workspace in this folder
    assert dataset.labels == ("happy", "sad")
    assert dataset.extractors == {"audio": "fake-sound@1"}
    assert dataset.dimensions == {"audio": 3}
    assert set(dataset.files) == {"m.csv"}
    (train,) = dataset.splits["train"]
    assert (train.group, train.target.tolist()) == ("ann", [1, 1])
    assert train.place == Place(absolute(corpus.folder / "a.wav"), (0, 1000))
    (valid,) = dataset.splits["valid"]
    assert valid.group.endswith("a.wav")
    assert valid.target[0] == 0.25
    assert np.isnan(valid.target[1])
    (test,) = dataset.splits["test"]
    assert test.target.tolist() == [0, 1]
    assert (test.features["audio"] == 10).all()
    again = open_dataset(path, labels=("sad",), cache=corpus.workspace.root)
    assert again.labels == ("sad",)


@pytest.mark.parametrize(("read", "words"), [(True, "oh no"), (False, None)])
def test_words_are_known_where_features_were_made_of_them(corpus, read, words):
    spoken = clip(0, 1000, "oh no")
    corpus.annotated("a.wav", spoken)
    corpus.put(absolute(corpus.folder / "a.wav"), spoken, "fake-sound@1", read=read)
    path = corpus.manifest("path,start,end,labels,split", "a.wav,0,1,sad,train")
    (only,) = open_dataset(path).splits["train"]
    assert only.words == words


def test_columns_of_labels_leave_open_what_they_do_not_say(corpus):
    corpus.annotated("a.wav", clip(0, 1000))
    path = corpus.manifest("path,start,end,label:happy,label:sad,split", "a.wav,0,1,1,,train")
    dataset = open_dataset(path)
    assert dataset.labels == ("happy",)
    path = corpus.manifest(
        "path,start,end,label:happy,label:sad,split", "a.wav,0,1,1,,train", "a.wav,1,2,0,1,train"
    )
    assert np.isnan(open_dataset(path).splits["train"][0].target[1])


def test_rows_without_features_are_counted(corpus, caplog):
    corpus.annotated("a.wav", clip(0, 1000), clip(1000, 2000, "before"))
    corpus.media("new.wav")
    path = corpus.manifest(
        "path,start,end,transcript,labels",
        "a.wav,0,1,,happy",
        "a.wav,1,2,after,happy",
        "a.wav,3,4,,happy",
        "new.wav,,,,happy",
        "gone.wav,,,,happy",
    )
    dataset = open_dataset(path)
    assert sum(map(len, dataset.splits.values())) == 1
    assert "3 of 4 labelled rows left out" in caplog.text
    assert "a.wav at 1.000 s the first: run `annotate run`" in caplog.text
    assert "m.csv: 1 rows left out; row 6" in caplog.text


def test_a_file_that_has_changed_has_no_features(corpus):
    corpus.annotated("a.wav", clip(0, 1000))
    path = corpus.manifest("path,start,end,labels", "a.wav,0,1,happy")
    open_dataset(path)
    (corpus.folder / "a.wav").write_bytes(b"other content")
    with pytest.raises(UsageError, match=r"none of 1 labelled rows has features, 'a\.wav'"):
        open_dataset(path)


def test_features_of_several_extractors_are_not_mixed(corpus, caplog):
    for name, extractor in (("a", "new@2"), ("b", "fake-sound@1"), ("c", "new@2")):
        corpus.annotated(f"{name}.wav", clip(0, 1000), extractor=extractor)
    path = corpus.manifest("path,start,end,labels", *(f"{n}.wav,0,1,x" for n in "abc"))
    dataset = open_dataset(path)
    assert dataset.extractors == {"audio": "new@2"}
    assert sum(map(len, dataset.splits.values())) == 2
    assert "1 of 3 labelled rows left out, as they have no features of" in caplog.text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,start,end", "a.wav,0,1"], "has no labels"),
        (
            ["path,start,end,labels,split", "a.wav,0,1,x,train", "a.wav,1,2,x,"],
            "1 labelled rows have no split",
        ),
    ],
)
def test_bad_manifests(corpus, lines, message):
    corpus.annotated("a.wav", clip(0, 1000), clip(1000, 2000))
    with pytest.raises(UsageError, match=message):
        open_dataset(corpus.manifest(*lines))


def test_damaged_features_are_none(corpus):
    corpus.annotated("a.wav", clip(0, 1000))
    for file in corpus.workspace.features.rglob("*.safetensors"):
        file.write_bytes(b"damaged")
    with pytest.raises(UsageError, match="run `annotate run`"):
        open_dataset(corpus.manifest("path,start,end,labels", "a.wav,0,1,x"))


def test_without_a_workspace(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    path = tmp_path / "m.csv"
    path.write_text("path,labels\na.wav,happy")
    with pytest.raises(UsageError, match="no workspace"):
        open_dataset(path)
    with pytest.raises(UsageError, match="is no corpus: expected"):
        open_dataset(tmp_path / "a.wav")
