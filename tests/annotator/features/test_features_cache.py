import errno
import json
import logging
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from annotator.errors import EnvironmentFault
from annotator.features import cache as cache_module
from annotator.features.cache import (
    KEY,
    MAX_BYTES,
    Entry,
    FeatureCache,
    Heard,
    decode_entry,
    encode_entry,
)
from annotator.types import MAX_STEPS, MODALITIES, Absent, ClipFeatures, Features, Segment

REPOSITORY = Path(cache_module.__file__).parents[2]
HASH = "ab" * 32
SAID = Segment(0, 4_000, "sidecar", text="Hello there.", text_origin="sidecar")
UNSAID = Segment(0, 4_000, "vad")


@dataclass(frozen=True)
class Made:
    id: str


@dataclass(frozen=True)
class Extractors:
    visual: Made = Made("faces@1")
    audio: Made = Made("whisper@1")
    text: Made = Made("minilm@2")
    asr: Made | None = None


OURS = Extractors()
HEARING = Extractors(asr=Made("ears@1"))


def values(steps, dimension, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, dimension)).astype(np.float16)


def clip(transcript="Hello there.", origin="sidecar", seed=0):
    return ClipFeatures(
        visual=Absent("no face found", "faces@1"),
        audio=Features(values(40, 5, seed), "whisper@1"),
        text=Features(values(6, 3, seed), "minilm@2"),
        transcript=transcript,
        transcript_origin=origin,
    )


def same(left, right):
    for name in MODALITIES:
        ours, theirs = left.modality(name), right.modality(name)
        if isinstance(ours, Absent) or isinstance(theirs, Absent):
            assert ours == theirs
        else:
            assert ours.extractor == theirs.extractor
            assert np.array_equal(ours.values, theirs.values)
    assert left.transcript == right.transcript
    assert left.transcript_origin == right.transcript_origin
    return True


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features")


def the_file(cache):
    (path,) = cache.root.rglob("*.safetensors")
    return path


def test_what_was_put_comes_back(cache):
    assert cache.get(HASH, SAID, OURS) == {}
    cache.put(HASH, SAID, clip(), OURS)
    assert same(cache.get(HASH, SAID, OURS), clip())
    assert the_file(cache) == cache.root / "ab" / HASH / "0-4000.safetensors"


def test_other_clips_and_files_have_their_own(cache):
    cache.put(HASH, SAID, clip(), OURS)
    assert cache.get("cd" * 32, SAID, OURS) == {}
    assert cache.get(HASH, replace(SAID, end_ms=4_001), OURS) == {}


@pytest.mark.parametrize("changed", MODALITIES)
def test_a_modality_of_another_extractor_is_made_again(cache, changed):
    cache.put(HASH, SAID, clip(), OURS)
    known = cache.get(HASH, SAID, replace(OURS, **{changed: Made("new@2")}))
    assert set(known) == set(MODALITIES) - {changed}


def test_text_is_made_again_for_another_transcript(cache):
    cache.put(HASH, SAID, clip(), OURS)
    assert set(cache.get(HASH, replace(SAID, text="Hello."), OURS)) == {"visual", "audio"}
    assert set(cache.get(HASH, UNSAID, OURS)) == {"visual", "audio"}


def test_the_origin_is_that_of_the_transcript_at_hand(cache):
    cache.put(HASH, SAID, clip(), OURS)
    found = cache.get(HASH, replace(SAID, text_origin="manifest"), OURS)
    assert found.transcript_origin == "manifest"


@pytest.mark.parametrize("words", ["Hi.", ""])
def test_a_clip_is_not_transcribed_twice(cache, words):
    cache.put(HASH, UNSAID, clip(words, "asr"), HEARING)
    assert same(cache.get(HASH, UNSAID, HEARING), clip(words, "asr"))
    assert cache.transcript(HASH, UNSAID, HEARING) == words


def test_another_transcriber_listens_again(cache):
    cache.put(HASH, UNSAID, clip("Hi.", "asr"), HEARING)
    other = Extractors(asr=Made("ears@2"))
    assert set(cache.get(HASH, UNSAID, other)) == {"visual", "audio"}
    assert cache.transcript(HASH, UNSAID, other) is None
    assert cache.transcript(HASH, UNSAID, OURS) is None


def test_a_part_never_holds_text_whose_transcript_would_go_missing(cache):
    cache.put(HASH, UNSAID, clip("Hi.", "asr"), HEARING)
    changed = replace(HEARING, audio=Made("new@2"))
    assert set(cache.get(HASH, UNSAID, changed)) == {"visual"}
    assert cache.transcript(HASH, UNSAID, changed) == "Hi."


def test_our_own_transcript_outlives_a_run_with_another_one(cache):
    cache.put(HASH, UNSAID, clip("Hi.", "asr"), HEARING)
    cache.put(HASH, SAID, clip(), HEARING)
    assert same(cache.get(HASH, SAID, HEARING), clip())
    assert cache.transcript(HASH, UNSAID, HEARING) == "Hi."
    assert set(cache.get(HASH, UNSAID, HEARING)) == {"visual", "audio"}


def test_no_transcript_is_not_an_unmade_one(cache):
    silent = replace(clip(None, None), text=Absent("no transcript", "minilm@2"))
    cache.put(HASH, UNSAID, silent, OURS)
    assert same(cache.get(HASH, UNSAID, OURS), silent)
    assert set(cache.get(HASH, UNSAID, HEARING)) == {"visual", "audio"}


@pytest.mark.parametrize("content_hash", ["", "../../../etc/passwd", "AB" * 32, "ab/" * 10, "ab"])
def test_a_hash_that_is_none_names_no_file(cache, content_hash):
    with pytest.raises(ValueError, match="content hash"):
        cache.get(content_hash, SAID, OURS)
    with pytest.raises(ValueError, match="content hash"):
        cache.put(content_hash, SAID, clip(), OURS)


names = st.text(max_size=20)
founds = st.one_of(
    st.builds(Absent, names, names),
    st.builds(
        Features,
        st.builds(values, st.integers(1, MAX_STEPS), st.integers(1, 8), st.integers(0, 9)),
        names,
    ),
)
entries = st.builds(
    Entry,
    st.builds(ClipFeatures, founds, founds, founds, st.none() | names, st.none() | names),
    st.none() | st.builds(Heard, names, names),
)


@given(entries)
def test_any_entry_survives_its_bytes(entry):
    back = decode_entry(encode_entry(entry))
    assert same(back.features, entry.features)
    assert back.heard == entry.heard


@settings(max_examples=200)
@given(entries, st.data())
def test_damaged_bytes_are_a_value_error_or_an_entry(entry, data):
    content = bytearray(encode_entry(entry))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        back = decode_entry(cut)
    except ValueError:
        return
    for name in MODALITIES:
        found = back.features.modality(name)
        if isinstance(found, Features):
            assert found.values.dtype == np.float16
            assert 1 <= found.steps <= MAX_STEPS
            assert np.isfinite(found.values).all()


def forged(tensors=None, **changes):
    """A well-formed safetensors file whose metadata or tensors are not what they should be."""
    found = {"extractor": "x@1", "absent": "none"}
    described = {
        "format": "1",
        "modalities": {
            "visual": found,
            "audio": {"extractor": "x@1", "absent": None},
            "text": found,
        },
        "transcript": None,
        "transcript_origin": None,
        "heard": None,
        **changes,
    }
    tensors = {"audio": values(3, 2)} if tensors is None else tensors
    return save(tensors, {KEY: json.dumps(described)})


def test_the_forgery_itself_is_read():
    assert decode_entry(forged()).features.audio.steps == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        b"\x02\0\0\0\0\0\0\0{}",
        forged({}),
        forged({"audio": values(3, 2).astype(np.float32)}),
        forged({"audio": values(3, 2)[0]}),
        forged({"audio": values(3, 2)[:0]}),
        forged({"audio": values(MAX_STEPS + 1, 2)}),
        forged({"audio": np.full((2, 2), np.nan, np.float16)}),
        forged(format="2"),
        forged(modalities=[]),
        forged(modalities={}),
        forged(transcript=7),
        forged(heard=[]),
        forged(heard="x"),
        save({"audio": values(3, 2)}, {KEY: "[" * 100_000}),
        save({"audio": values(3, 2)}, {KEY: "null"}),
        save({"audio": values(3, 2)}),
    ],
)
def test_a_forged_file_is_a_miss_that_is_logged(cache, caplog, content):
    cache.put(HASH, SAID, clip(), OURS)
    the_file(cache).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert cache.get(HASH, SAID, OURS) == {}
    assert "making them again" in caplog.text
    cache.put(HASH, SAID, clip(), OURS)
    assert same(cache.get(HASH, SAID, OURS), clip())


def test_a_huge_file_is_not_read(cache, caplog):
    cache.put(HASH, SAID, clip(), OURS)
    with the_file(cache).open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    assert cache.get(HASH, SAID, OURS) == {}
    assert "more than 64 MiB" in caplog.text


def test_a_folder_in_the_files_place_is_a_miss(cache):
    (cache.root / "ab" / HASH / "0-4000.safetensors").mkdir(parents=True)
    assert cache.get(HASH, SAID, OURS) == {}


def test_nothing_is_left_of_a_write_that_failed(cache, monkeypatch):
    cache.put(HASH, SAID, clip(), OURS)

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.Path, "replace", full)
    with pytest.raises(EnvironmentFault, match=r"no space left.*free some space") as caught:
        cache.put(HASH, SAID, clip(seed=1), OURS)
    assert "\n" not in str(caught.value)
    assert [path.name for path in cache.root.rglob("*") if path.is_file()] == ["0-4000.safetensors"]
    assert same(cache.get(HASH, SAID, OURS), clip())


def test_a_disk_that_is_really_full(cache, monkeypatch):
    """/dev/full takes no byte: the error comes from the system's own write."""
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  the cache closes it
    monkeypatch.setattr(cache_module.Path, "open", lambda _path, _mode: full)
    with pytest.raises(EnvironmentFault, match="no space left"):
        cache.put(HASH, SAID, clip(), OURS)


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match=r"cannot write features.*--workspace"):
        FeatureCache(tmp_path / "file").put(HASH, SAID, clip(), OURS)


WRITER = """
import sys
from pathlib import Path
import numpy as np
from annotator.features.cache import FeatureCache
from annotator.types import Absent, ClipFeatures, Features, Segment

root, content_hash, seed = sys.argv[1:]
values = np.random.default_rng(int(seed)).normal(size=(40, 5)).astype(np.float16)
absent = Absent("", "")
features = ClipFeatures(absent, Features(values, "whisper@1"), absent)
for _ in range(200):
    FeatureCache(Path(root)).put(content_hash, Segment(0, 4_000, "vad", text=""), features, None)
"""


def test_two_processes_never_leave_or_show_a_mixture(cache, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    versions = {values(40, 5, seed).tobytes() for seed in (1, 2)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(cache.root), HASH, str(seed)])
        for seed in (1, 2)
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        known = cache.get(HASH, SAID, OURS)
        if known:
            seen.add(known["audio"].values.tobytes())
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen and seen <= versions
    assert len([path for path in cache.root.rglob("*") if path.is_file()]) == 1
