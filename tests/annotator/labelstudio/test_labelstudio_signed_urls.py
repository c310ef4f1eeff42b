import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.labelstudio.signed_urls import KEY_VARIABLE, good_for, media_key, signed_url

KEY = b"k" * 64
NAME = "sample-0001.mp4"
names = st.from_regex(r"[0-9a-z-]{8,64}\.mp4", fullmatch=True)
times = st.integers(1, 10**11)


def parts(url):
    split = urlsplit(url)
    query = parse_qs(split.query, strict_parsing=True)
    return split.path.rpartition("/")[2], query["expires"][0], query["signature"][0]


@given(names, times)
def test_an_address_holds_until_its_time(name, expires_at):
    name_, expires, signature = parts(signed_url("http://h:1/x/", name, KEY, expires_at))
    assert (name_, expires) == (name, str(expires_at))
    assert good_for(name, expires, signature, KEY, expires_at - 1) == 1
    assert good_for(name, expires, signature, KEY, expires_at - 0.5) == 1
    assert good_for(name, expires, signature, KEY, expires_at) == 0
    assert good_for(name, expires, signature, KEY, expires_at + 1e6) == 0


@given(names, times, names, times, st.binary(min_size=32, max_size=64))
def test_a_signature_is_for_one_name_one_time_and_one_key(name, time, other, later, key):
    _, expires, signature = parts(signed_url("http://h", name, KEY, time))
    assert other == name or not good_for(other, expires, signature, KEY, 0)
    assert later == time or not good_for(name, str(later), signature, KEY, 0)
    assert key == KEY or not good_for(name, expires, signature, key, 0)


@given(st.integers(0, 42), st.characters())
def test_a_changed_signature(place, character):
    _, expires, signature = parts(signed_url("http://h", NAME, KEY, 2_000))
    changed = signature[:place] + character + signature[place + 1 :]
    # the last of 43 letters carries 4 bits of 6: others may say the same bytes
    if changed != signature and place < 42:
        assert good_for(NAME, expires, changed, KEY, 0) == 0


@given(st.text(), st.text(), st.text())
def test_hostile_parts_are_refused_without_an_error(name, expires, signature):
    assert good_for(name, expires, signature, KEY, 0) == 0


@pytest.mark.parametrize(
    "expires", ["2000 ", "+2000", "02000", "2_000", "２０００", "2000\n", "-1"]
)
def test_a_time_spelled_otherwise(expires):
    signature = parts(signed_url("http://h", NAME, KEY, 2_000))[2]
    assert good_for(NAME, expires, signature, KEY, 0) == 0


@pytest.mark.parametrize("name", ["../a.mp4", "sample-0001.mkv", "sample-0001.mp4\n", "s.mp4", ""])
def test_no_address_for_what_is_no_excerpt(name):
    with pytest.raises(ValueError, match="not the name of an excerpt"):
        signed_url("http://h", name, KEY, 1)


@pytest.mark.parametrize("expires_at", [-1, 10**12])
def test_no_address_for_what_is_no_time(expires_at):
    with pytest.raises(ValueError, match="not a time"):
        signed_url("http://h", NAME, KEY, expires_at)


def test_the_key_comes_from_the_environment():
    assert media_key({KEY_VARIABLE: "k" * 32}) == b"k" * 32


@pytest.mark.parametrize("environ", [{}, {KEY_VARIABLE: ""}, {KEY_VARIABLE: "secret" * 5}])
def test_a_key_too_short_is_refused_and_not_shown(environ):
    with pytest.raises(UsageError, match=re.escape("make one with: openssl rand -hex 32")) as error:
        media_key(environ)
    assert "secret" not in str(error.value)
