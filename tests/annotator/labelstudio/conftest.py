"""A film to cut clips from, made once a session."""

from pathlib import Path

import pytest

import media_samples


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    return media_samples.video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=8)
