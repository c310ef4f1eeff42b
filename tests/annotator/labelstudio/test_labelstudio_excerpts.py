import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import EnvironmentFault
from annotator.labelstudio.excerpts import DRAFT_AGE_S, ExcerptCache, ExcerptRequest, file_name
from annotator.media.probe import probe


@pytest.fixture
def request_(film):
    return ExcerptRequest("sample-0001", film, "hash-a", 1_000, 2_000)


def state(path):
    return path.stat().st_ino, path.stat().st_mtime_ns


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".lock-"))


def test_an_excerpt_is_made_once(tmp_path, request_):
    cache = ExcerptCache(tmp_path / "excerpts")
    first = cache.get(request_)
    before = state(first.excerpt.path)
    again = ExcerptCache(tmp_path / "excerpts").get(request_)
    assert (first.made, again.made) == (True, False)
    assert first.excerpt == again.excerpt
    assert state(again.excerpt.path) == before
    assert names(cache.folder) == ["sample-0001.mp4"]
    assert (again.excerpt.clip_start_ms, again.excerpt.clip_end_ms) == (500, 1_500)


@pytest.mark.parametrize(
    "change",
    [{"content": "hash-b"}, {"start_ms": 1_100}, {"end_ms": 2_100}],
)
def test_another_clip_of_that_name_is_made_anew(tmp_path, request_, change):
    cache = ExcerptCache(tmp_path)
    before = state(cache.get(request_).excerpt.path)
    result = cache.get(replace(request_, **change))
    assert result.made
    assert state(result.excerpt.path) != before
    assert names(tmp_path) == ["sample-0001.mp4"]


@pytest.mark.parametrize("settings", [{"context_ms": 0}, {"max_side": 160}])
def test_other_settings_make_it_anew_and_back(tmp_path, request_, settings):
    plain, other = ExcerptCache(tmp_path), ExcerptCache(tmp_path, **settings)
    made = [cache.get(request_).made for cache in (plain, other, other, plain)]
    assert made == [True, True, False, True]


def test_half_a_file_or_another_one_is_made_anew(tmp_path, request_, film):
    cache = ExcerptCache(tmp_path)
    path = tmp_path / file_name(request_.sample_id)
    for wrong in (b"", b"no film", film.read_bytes()):
        path.write_bytes(wrong)
        result = cache.get(request_)
        assert result.made
        assert probe(path).duration_ms == pytest.approx(2_000, abs=40)


def test_a_link_in_the_folder_is_replaced_and_what_it_names_is_left(tmp_path, request_, film):
    cache = ExcerptCache(tmp_path / "excerpts")
    good = ExcerptCache(tmp_path / "else").get(request_).excerpt.path
    before = state(good)
    link = cache.folder / good.name
    link.symlink_to(good)
    assert cache.get(request_).made
    assert not link.is_symlink()
    assert state(good) == before


def test_a_broken_file_costs_its_own_row(tmp_path, request_):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 5_000)
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:4,\n{request_.path}\n")
    requests = [
        request_,
        replace(request_, sample_id="sample-0002", path=broken),
        replace(request_, sample_id="sample-0003", path=tmp_path / "none.mp4"),
        replace(request_, sample_id="sample-0004", path=playlist),
        replace(request_, sample_id="sample-0005", start_ms=60_000, end_ms=61_000),
        replace(request_, sample_id="sample-0006"),
    ]
    results = list(ExcerptCache(tmp_path / "excerpts").make(requests, workers=2))
    assert [result.request for result in results] == requests, "in the order asked"
    assert [result.excerpt is not None for result in results] == [True, *[False] * 4, True]
    reasons = [result.failure.reason for result in results[1:5]]
    for reason, says in zip(
        reasons, ("ffmpeg can read", "No such file", "a playlist", "the file ends"), strict=True
    ):
        assert says in reason
    assert names(tmp_path / "excerpts") == ["sample-0001.mp4", "sample-0006.mp4"]


def test_the_machine_s_fault_is_no_row(tmp_path, request_, monkeypatch):
    monkeypatch.setenv("ANNOTATE_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(EnvironmentFault, match="ANNOTATE_FFMPEG names"):
        list(ExcerptCache(tmp_path).make([request_]))


def test_no_more_is_begun_than_is_taken(tmp_path, request_):
    asked = []

    def requests():
        for number in range(100):
            asked.append(number)
            yield replace(request_, sample_id=f"sample-{number:04}", end_ms=1_100)

    results = ExcerptCache(tmp_path, max_side=64).make(requests(), workers=2)
    next(results)
    results.close()
    assert len(asked) <= 6
    assert len(names(tmp_path)) <= 6
    assert all(name.endswith(".mp4") and name[0] != "." for name in names(tmp_path))


MAKE_ONE = """
import sys
from pathlib import Path
from annotator.labelstudio.excerpts import ExcerptCache, ExcerptRequest
request = ExcerptRequest("sample-0001", Path(sys.argv[2]), "hash-a", 1000, 2000)
print("ready", flush=True)
sys.stdin.readline()
print(ExcerptCache(Path(sys.argv[1])).get(request).made)
"""


def test_several_processes_make_it_once(tmp_path, film):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_ONE, str(tmp_path), str(film)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert sorted(said) == ["False\n", "False\n", "True\n"]
    assert names(tmp_path) == ["sample-0001.mp4"]


def test_threads_make_it_once(tmp_path, request_):
    results = list(ExcerptCache(tmp_path).make([request_] * 6, workers=3))
    assert sum(result.made for result in results) == 1


def test_old_drafts_are_swept_and_young_ones_left(tmp_path):
    old, young = tmp_path / ".sample-0001.mp4.aa", tmp_path / ".sample-0001.mp4.bb"
    old.write_text("half")
    young.write_text("half")
    long_ago = time.time() - DRAFT_AGE_S - 60
    os.utime(old, (long_ago, long_ago))
    ExcerptCache(tmp_path)
    assert names(tmp_path) == [young.name]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="folder of excerpts"):
        ExcerptCache(tmp_path / "file" / "excerpts")


def test_no_workers(tmp_path, request_):
    with pytest.raises(ValueError, match="one worker"):
        next(ExcerptCache(tmp_path).make([request_], workers=0))


@given(st.from_regex(r"[0-9a-z-]{8,64}", fullmatch=True))
def test_ids_that_are_names(sample_id):
    assert file_name(sample_id) == f"{sample_id}.mp4"


@given(st.text() | st.from_regex(r"[0-9a-z-]{0,7}|[0-9a-z-]{8}[./\x00\nA-Z].*", fullmatch=True))
def test_ids_that_are_none(sample_id):
    allowed = set("0123456789abcdefghijklmnopqrstuvwxyz-")
    if 8 <= len(sample_id) <= 64 and set(sample_id) <= allowed:
        return
    with pytest.raises(ValueError, match="a sample's id is"):
        file_name(sample_id)


@pytest.mark.parametrize("sample_id", ["../../etc", "sample-1\n", "SAMPLE-01", "sample/0001", ""])
def test_a_request_for_none(film, sample_id):
    with pytest.raises(ValueError, match="a sample's id is"):
        ExcerptRequest(sample_id, film, "", 0, 1)
