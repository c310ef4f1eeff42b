"""Which folder a command means, and what it says when there is none."""

from pathlib import Path

import pytest

from annotator.errors import EnvironmentFault, UsageError
from annotator.workspace import locate, open_workspace


def test_the_option_wins_over_the_variable_over_the_nearest_parent(tmp_path):
    (tmp_path / ".annotate").mkdir()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    environ = {"ANNOTATE_WORKSPACE": "/elsewhere"}
    assert locate(Path("named"), environ, below) == Path("named")
    assert locate(None, environ, below) == Path("/elsewhere")
    assert locate(None, {}, below) == tmp_path / ".annotate"


def test_without_any_it_would_be_made_here(tmp_path):
    assert locate(None, {}, tmp_path) == tmp_path / ".annotate"
    with pytest.raises(UsageError, match="annotate run"):
        open_workspace(tmp_path / ".annotate", create=False)
    workspace = open_workspace(tmp_path / ".annotate", create=True)
    assert workspace.features.is_dir()
    assert workspace.models.is_dir()


def test_a_file_in_the_way_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="--workspace") as caught:
        open_workspace(tmp_path / "file" / "w", create=True)
    assert "\n" not in str(caught.value)
