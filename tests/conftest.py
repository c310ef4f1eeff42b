"""Fixtures of all tests: a folder of its own for each, and shared data where there is any."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from sqlalchemy import URL

import s3_server
from commands import annotate
from label_studio_server import Home, Server, default_home, load, serving
from needed import lacking
from postgres_server import database, running
from toy_corpus import ARGUMENTS, write_parquet

REPOSITORY = Path(__file__).resolve().parent.parent
RUNNING = os.environ.get("ANNOTATE_TEST_LABEL_STUDIO")
STATE = Path(RUNNING).resolve() if RUNNING else None

# How long an example takes says how busy the machine is.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items):
    """The slow files first, or one of them would be left to a worker when all else is done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """No test sees the caller's workspace, and none leaves anything in the checkout."""
    monkeypatch.delenv("ANNOTATE_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data and reference values, which is not part of the repository."""
    folder = Path(os.environ.get("ANNOTATE_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the shared data folder is not there (set ANNOTATE_SHARED)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The system's browser, for playwright's `executable_path`."""
    found = shutil.which("chromium")
    if found is None:
        lacking("no `chromium` is on the PATH: install the system's package")
    return Path(found)


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """A real PostgreSQL of the session's own."""
    with running() as url:
        yield url


@pytest.fixture
def postgres(postgres_server) -> Iterator[URL]:
    """An empty PostgreSQL database of the test's own."""
    with database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory) -> Path:
    """A small labelled corpus with features, as a folder of parquet files."""
    return write_parquet(tmp_path_factory.mktemp("toy") / "corpus")


@pytest.fixture(scope="session")
def toy_training(toy_data) -> Path:
    """The folder of a training on it."""
    done = annotate("train", toy_data, "--out", toy_data.parent / "training", *ARGUMENTS)
    assert done.code == 0, done.err
    return toy_data.parent / "training"


@pytest.fixture(scope="module")
def one_thread():
    """torch on one thread: the same sums in the same order on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A real S3 API, which this process and its children ask for s3://; its address."""
    with s3_server.running() as address:
        yield address
