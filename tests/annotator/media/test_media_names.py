"""File names are bytes that mean nothing: no option, no address, no pattern, no text."""

import os
import shutil
from pathlib import Path

import pytest

from annotator.media.decode import Frame, decode
from annotator.media.probe import probe
from annotator.media.subtitles import embedded_subtitles

NAMES = [
    b"-i.mp4",
    b"with space and 'quotes\".mp4",
    b"a:b.mp4",
    b"http:x.mp4",
    b"file:x.mp4",
    b"pipe:0.mp4",
    b"concat:a|b.mp4",
    b"frame%03d[0-9].mp4",
    b"new\nline.mp4",
    b"\xff\xfe.mp4",
    b"back\\slash.\xff",
    "été 😀.mp4".encode(),
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name(samples, tmp_path, monkeypatch, name):
    path = tmp_path / os.fsdecode(name)
    shutil.copy(samples.video("plain.mp4"), path)
    monkeypatch.chdir(tmp_path)
    for spelling in (path, Path(path.name)):
        info = probe(spelling)
        pieces = list(decode(spelling, info, end_ms=200))
        assert sum(isinstance(piece, Frame) for piece in pieces) == 1
        assert embedded_subtitles(spelling, info) is None
