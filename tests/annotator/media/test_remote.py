"""Names of media elsewhere stay what they are, whatever is done with them."""

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.media.remote import RemotePath, media_path, name_flaw, named

PARTS = st.text(st.characters(exclude_characters="/", exclude_categories=("Cc", "Cs")), min_size=1)
URLS = st.builds(
    lambda scheme, parts: f"{scheme}://{'/'.join(parts)}",
    st.sampled_from(["s3", "gs", "abfss"]),
    st.lists(PARTS, min_size=2, max_size=5),
).filter(lambda url: name_flaw(url) is None)


@given(URLS)
def test_a_url_comes_back_as_it_was(url):
    path = named(url)
    assert isinstance(path, RemotePath)
    assert str(path) == os.fspath(path) == path.as_uri() == str(path.absolute()) == url
    again = pickle.loads(pickle.dumps(path))
    assert (again, str(again), hash(again)) == (path, url, hash(path))
    assert named(str(path.parent / path.name)) == path
    assert str(Path(url)) != url, "which a plain path would lose"


@given(st.text())
def test_an_absolute_path_is_never_taken_for_a_url(text):
    assert named(f"/{text}") == media_path(f"/{text}") == Path(f"/{text}")
    assert not isinstance(named(f"/{text}"), RemotePath)


@pytest.mark.parametrize(
    "text",
    ["corpus/a.mp4", "/corpus", "c:/corpus", "file:///corpus/a%20b", "simplecache::s3://b/a.mp4"],
)
def test_what_is_here_is_a_plain_path(text):
    assert type(media_path(text)) is type(Path())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://example.org/a.mp4", "cannot be a corpus: expected"),
        ("s3://b/zip://a::x", "cannot be a corpus"),
        ("ftp://b/a", "cannot be a corpus"),
        ("S3://b/a", "cannot be a corpus"),
        ("s3://", "empty part"),
        ("s3://b//a.mp4", "empty part"),
        ("s3://b/../a.mp4", "'..'"),
        ("s3://b/a\n.mp4", "control characters"),
        ("sftp://me:secret@host/a", "password"),
        ("https://me:secret@host/a", "password"),
        ("s3://b\x00/a", "control characters"),
    ],
)
def test_what_cannot_be_a_corpus_is_refused(text, said):
    with pytest.raises(UsageError, match=said) as refused:
        media_path(text)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_remote_path_cannot_be_opened_by_accident(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        RemotePath("s3://bucket/a.mp4").open()


def test_a_strange_name_is_no_traceback():
    assert str(media_path("s3://[b/a@b:c")) == "s3://[b/a@b:c"
