"""What the experiments' tests share."""

import pytest


class Unreadable(list):
    """A split that must not be looked at."""

    def _refuse(self, *_):
        raise AssertionError("the test split was read")

    __iter__ = __getitem__ = __len__ = __bool__ = __contains__ = __reversed__ = _refuse


@pytest.fixture
def unreadable():
    return Unreadable()


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    """Intervals of the models' own descriptions cost more than training the toy network."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("annotator.learning.training.RESAMPLES", 2)
        yield
