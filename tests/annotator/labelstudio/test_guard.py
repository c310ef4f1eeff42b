"""Who is let in, and who is told what is missing."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.labelstudio.guard import TOKEN, admitted, is_loopback, names_of, token_of

SECRET = "s3cret-" * 5


def basic(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return "Basic " + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "header",
    [basic(f"ann:{SECRET}"), basic(f":{SECRET}"), f"Bearer {SECRET}", f"bearer  {SECRET}"],
)
def test_the_token_lets_in(header):
    assert admitted(header, SECRET)


@pytest.mark.parametrize(
    "header",
    [
        "",
        SECRET,
        f"Token {SECRET}",
        f"Basic {SECRET}",
        f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}",
        "Bearer",
        "Basic",
        basic(SECRET),
        basic(f"{SECRET}:"),
        basic(f"a:b:{SECRET}"),
        basic(b"\xff:\xff"),
        "Bearer \xe9\xff",
    ],
)
def test_anything_else_does_not(header):
    assert not admitted(header, SECRET)


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_gets_in_by_chance_or_breaks(header):
    for scheme in ("", "Basic ", "Bearer "):
        assert not admitted(scheme + header, SECRET)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_on_loopback_a_token_is_optional(host):
    assert is_loopback(host)
    assert token_of({}, host) is None
    assert token_of({TOKEN: SECRET}, host) == SECRET


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "127.0.0.1.x"])
def test_elsewhere_it_is_not(host):
    assert token_of({TOKEN: SECRET}, host) == SECRET
    with pytest.raises(UsageError, match=f"set {TOKEN} to a secret of at least 32 characters"):
        token_of({}, host)


@pytest.mark.parametrize("token", ["short", "x" * 31, " " * 40, "ä" * 40, "x" * 40 + "\n"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_that_is_easily_guessed_is_refused_and_not_repeated(token, host):
    with pytest.raises(UsageError, match="at least 32 ASCII characters") as refused:
        token_of({TOKEN: token}, host)
    assert token not in str(refused.value)


def test_names():
    assert names_of("::1", ["my.host"]) == ["localhost", "127.0.0.1", "[::1]", "[::1]", "my.host"]
    assert names_of("0.0.0.0", []) == ["*"]
    assert "*" not in names_of("0.0.0.0", ["my.host"])


@pytest.mark.parametrize("name", ["*", "*.host", "http://host", "host:80", "", "a..b", "a b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError, match="is no host name"):
        names_of("127.0.0.1", [name])
