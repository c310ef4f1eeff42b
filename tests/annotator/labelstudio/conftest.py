import json, os, pytest
from types import SimpleNamespace


@pytest.fixture(scope="session")
def label_studio():
    return SimpleNamespace(
        url="http://127.0.0.1:8099", token="0123456789abcdef0123456789abcdef01234567"
    )
