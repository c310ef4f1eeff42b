"""A corpus on S3 is listed as the same files are here."""

from pathlib import Path

import pytest

import s3_server
from annotator.corpus.catalog import read_catalog
from annotator.corpus.plan import PlanSettings
from annotator.corpus.remote_scan import list_remote
from annotator.errors import EnvironmentFault, UsageError
from annotator.media.remote import RemotePath

FILES = (
    "a.mp4", "a.srt", "b.MKV", "deep/er/c 1.wav", "deep/er/c 1.txt", "notes.docx", ".hidden/d.mp4",
    ".e.mp4", "nömes/ü#?.mp4", "strange.bin",
)  # fmt: skip
CORPUS = RemotePath("s3://listed/corpus")


@pytest.fixture(scope="module", autouse=True)
def tree(s3, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for number, name in enumerate(FILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * (number + 1))
    s3_server.put_tree("listed", folder, "corpus")
    client = s3_server.client()
    for key in ("corpus2/z.mp4", "flawed//a.mp4", "flawed/../b.mp4", "flawed/c.mp4", "flawed/d/"):
        client.put_object(Bucket="listed", Key=key, Body=b"x")
    return folder


def below(paths, root: Path) -> list[str]:
    return [str(path).removeprefix(str(root)) for path in paths]


def test_it_finds_what_a_scan_of_the_same_files_finds(tree):
    here, there = (read_catalog([root], PlanSettings()) for root in (tree, CORPUS))
    assert sorted(below(there.items, CORPUS)) == sorted(below(here.items, tree))
    assert there.other == here.other == {".bin": 1, ".docx": 1}
    for path, item in here.items.items():
        other = there.items[RemotePath(f"{CORPUS}/{path.relative_to(tree).as_posix()}")]
        assert other.source.size == item.source.size
        assert other.source.mtime_ns > 0
        for kind in ("subtitles", "text"):
            ours, theirs = getattr(item.sidecars, kind), getattr(other.sidecars, kind)
            assert below([theirs], CORPUS) == below([ours], tree)


def test_a_changed_sidecar_changes_the_plan_and_nothing_else_does(tree):
    def keys() -> dict[str, str]:
        return {
            path.name: item.plan_key
            for path, item in read_catalog([CORPUS], PlanSettings()).items.items()
        }

    before = keys()
    assert keys() == before
    s3_server.client().put_object(Bucket="listed", Key="corpus/a.srt", Body=b"other words")
    after = keys()
    assert {name for name in after if after[name] != before[name]} == {"a.mp4"}


@pytest.mark.parametrize("name", ["a.mp4", "strange.bin"])
def test_a_single_file_may_be_named(name):
    found = list_remote([CORPUS / name])
    assert list(found.files) == [CORPUS / name]


def test_names_that_would_not_stay_apart_are_told():
    found = list_remote([RemotePath("s3://listed/flawed")])
    assert below(found.files, RemotePath("s3://listed/flawed")) == ["/c.mp4"]
    assert sorted(skip.reason.partition(": ")[0] for skip in found.skipped) == [
        "'s3://listed/flawed/../b.mp4'",
        "'s3://listed/flawed//a.mp4'",
    ]


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("s3://listed/none", UsageError, "no file under s3://listed/none"),
        ("s3://no-bucket-there/a", EnvironmentFault, "cannot list s3://no-bucket-there/a"),
        ("s3://listed/corpus/m.csv", UsageError, "copy it here, and name the corpus beside it"),
    ],
)
def test_what_cannot_be_listed_is_told_in_a_line(url, kind, said):
    with pytest.raises(kind, match=said) as refused:
        read_catalog([RemotePath(url)], PlanSettings())
    assert "\n" not in str(refused.value)


def test_a_manifest_names_files_of_a_corpus_beside_it_and_no_others(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text(
        f"path,start,end,split\n{CORPUS}/a.mp4,1,2,test\n{CORPUS}/strange.bin,,,\n"
        f"s3://elsewhere/private.mp4,,,\n{CORPUS}/none.mp4,,,\nhttp://example.org/a.mp4,,,\n"
    )
    found = read_catalog([table, CORPUS], PlanSettings())
    (entry,) = found.items[CORPUS / "a.mp4"].entries
    assert (entry.start_ms, entry.end_ms, entry.split) == (1000, 2000, "test")
    assert CORPUS / "strange.bin" in found.items
    reasons = {str(skip.path): skip.reason for skip in found.skipped}
    assert "not in a corpus that was named" in reasons["s3://elsewhere/private.mp4"]
    assert "not in a corpus that was named" in reasons[f"{CORPUS}/none.mp4"]
    assert "cannot be a corpus" in reasons[str(table)]
