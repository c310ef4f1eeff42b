"""What a run is asked to do: folders, files and manifests together."""

import pickle
from pathlib import Path

import pytest

from annotator.corpus.catalog import read_catalog
from annotator.corpus.plan import PlanSettings
from annotator.errors import UsageError
from annotator.types import SegmentMode


def _corpus(folder: Path) -> Path:
    for name in ("a.mp4", "b.wav", "c.bin"):
        (folder / name).write_bytes(b"x")
    (folder / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n")
    return folder


def test_a_manifest_and_its_folder_name_each_file_once(tmp_path):
    corpus = _corpus(tmp_path)
    (corpus / "m.csv").write_text("path,start,end\na.mp4,0,1\na.mp4,1,2\nc.bin,,\nno.mp4,,\n")
    (corpus / "n.csv").write_text("path,start,end\na.mp4,2,3\n")
    catalog = read_catalog([corpus, corpus / "m.csv", corpus / "n.csv"], PlanSettings())
    items = {path.name: item for path, item in catalog.items.items()}
    assert set(items) == {"a.mp4", "b.wav", "c.bin"}
    assert [entry.start_ms for entry in items["a.mp4"].entries] == [0, 1000, 2000]
    assert items["a.mp4"].sidecars.subtitles == corpus / "a.srt"
    assert [skipped.reason for skipped in catalog.skipped] == [
        "row 5: path 'no.mp4' is not an existing file"
    ]


def test_the_plan_key_changes_with_what_decides_the_clips(tmp_path):
    corpus = _corpus(tmp_path)

    def key(settings: PlanSettings = PlanSettings()) -> str:  # noqa: B008  frozen
        return read_catalog([corpus], settings).items[corpus / "a.mp4"].plan_key

    first = key()
    assert key() == first
    assert key(PlanSettings(SegmentMode.WINDOWS)) != first
    (corpus / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhello there\n")
    assert key() != first


def test_items_can_be_sent_to_a_worker(tmp_path):
    catalog = read_catalog([_corpus(tmp_path)], PlanSettings())
    assert pickle.loads(pickle.dumps(list(catalog.items.values())))


def test_a_missing_path_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere"):
        read_catalog([tmp_path / "nowhere"], PlanSettings())
