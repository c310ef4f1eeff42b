"""A real Label Studio; tests make projects of their own in it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from label_studio_server import Home, Server, default_home, load, serving
from needed import lacking

RUNNING = os.environ.get("ANNOTATE_TEST_LABEL_STUDIO")
STATE = Path(RUNNING).resolve() if RUNNING else None


@pytest.fixture(scope="session")
def label_studio_home() -> Home:
    """The installation, to start servers from."""
    home = default_home()
    if not home.ready:
        lacking("Label Studio is not installed: `make label-studio`")
    return home


@pytest.fixture(scope="session")
def label_studio(request, tmp_path_factory) -> Iterator[Server]:
    """The running server the environment names, else one of the session's own."""
    if STATE is not None:
        yield load(STATE)
        return
    home = request.getfixturevalue("label_studio_home")
    with serving(home, tmp_path_factory.mktemp("label-studio") / "server") as server:
        yield server
