"""What a test needs and a machine may lack: skipped there, but never on CI."""

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip with a reason that says what to do; on CI, where all must run, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI lacks what the test needs: {reason}")
    pytest.skip(reason)
