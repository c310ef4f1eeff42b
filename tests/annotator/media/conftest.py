"""Sample files, each made once a session."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import media_samples

FOLDER = "media-samples"


class Samples:
    """Makes a file on first use; `make` takes the path to write and more files to start from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, make: Callable[..., Path], *args, **options) -> Path:
        path = self.folder / name
        return path if path.exists() else make(path, *args, **options)

    def video(self, name: str, **options) -> Path:
        return self(name, media_samples.video, **options)

    def audio(self, name: str) -> Path:
        return self(name, media_samples.audio)


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Samples:
    return Samples(tmp_path_factory.mktemp(FOLDER))


@pytest.fixture
def started() -> Callable[[], set[psutil.Process]]:
    """Tells the child processes that came during this test; earlier tests may have left theirs."""
    before = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - before
