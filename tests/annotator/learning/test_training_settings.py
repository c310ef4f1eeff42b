"""Settings from TOML and the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.learning.settings import Settings, override, read_settings


def test_what_a_file_does_not_name_keeps_its_default(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[train]\nepochs = 3\nclip = 2\n[network]\nlatent_hidden = [9]\n")
    settings = read_settings(file, Settings())
    assert (settings.train.epochs, settings.train.clip, settings.train.batch) == (3, 2.0, 64)
    assert settings.network.latent_hidden == (9,)
    assert settings.loss == Settings().loss


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("epochs = 3", "no setting 'epochs': expected one of loss, network, train"),
        ("[train]\nepoch = 3", "no setting 'epoch': expected one of .*epochs"),
        ("[train]\nepochs = 3.5", "epochs must be a whole number, got 3.5"),
        ("[train]\nepochs = true", "epochs must be a whole number, got True"),
        ("[train]\nepochs = 0", "epochs must be 1 or more, got 0"),
        ("[train]\nwarmup = 1.0", "warmup must be from 0 to below 1"),
        ("[train]\nclip = nan", "clip must be above 0"),
        ("[loss]\ncalibration = 'none'", "calibration must be one of error, released"),
        ("[loss]\nbeta = -1", "beta must be 0 or more"),
        ("[network]\nlatent_hidden = 9", "latent_hidden must be a list of whole numbers"),
        ("train = 3", "expected a table of settings, got 3"),
        ("[train", "is not TOML"),
    ],
)
def test_every_mistake_is_one_line(tmp_path, text, problem):
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=problem) as caught:
        read_settings(file, Settings())
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read \(No such file"):
        read_settings(tmp_path / "a.toml", Settings())


@pytest.mark.parametrize("text", ["epochs=3", "train.epochs", "train", "other.x=1", "=", "."])
def test_an_assignment_needs_table_name_and_value(text):
    with pytest.raises(UsageError, match=r"is not a setting: expected table\.name=value"):
        override(Settings(), [text])


def test_later_assignments_win():
    settings = override(Settings(), ["loss.beta=1", "loss.beta = 0.25", "loss.queue=0"])
    assert (settings.loss.beta, settings.loss.queue) == (0.25, 0)


@given(st.text(max_size=30))
def test_no_assignment_makes_a_traceback(text):
    try:
        override(Settings(), [text])
    except UsageError as error:
        assert str(error)
