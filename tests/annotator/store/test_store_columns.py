import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.store.columns import Instant, PathText, escape_path, readable, unescape_path
from annotator.types import Source

names = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@given(st.one_of(names, st.text()))
def test_path_round_trips_as_valid_text(path):
    stored = escape_path(path)
    stored.encode("utf-8")  # no lone surrogate is left
    if "\0" not in path:
        assert unescape_path(stored) == path


@given(names, names)
def test_two_names_never_share_a_spelling(one, other):
    assert (escape_path(one) == escape_path(other)) == (one == other)


def test_plain_names_are_stored_as_they_are():
    assert escape_path("/c/Überraschung 笑.mp4") == "/c/Überraschung 笑.mp4"


def test_null_stays_null():
    for column in (PathText(), Instant()):
        assert column.process_bind_param(None, None) is None
        assert column.process_result_value(None, None) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_instant_keeps_milliseconds_and_utc(moment):
    column = Instant()
    back = column.process_result_value(column.process_bind_param(moment, None), None)
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)
    assert back.tzinfo is UTC


def test_instant_refuses_a_time_without_zone():
    with pytest.raises(TypeError):
        Instant().process_bind_param(datetime(2025, 1, 1), None)


def test_readable_takes_out_what_databases_refuse():
    assert readable("ok\ud800\0é") == "ok\\ud800\\x00é"


@pytest.mark.parametrize(
    "name",
    [
        b"caf\xe9.mp4",
        b"a\nb\tc.mp4",
        "naïve ☃ 😀.mp4".encode(),
        b"back\\udce9slash.mp4",
        b"%?#'.mp4",
    ],
)
def test_any_file_name_is_found_again(world, name):
    path = Path("/c") / os.fsdecode(name)
    source = Source(path, 1, 2)
    for _ in range(2):
        world.store.sync_sources(world.run_id, [(source, "k")])
    (media,) = world.store.pending(world.run_id, world.model_id)
    assert media.path == path
    world.store.fail_media(media.media_id, "probe", f"cannot open {path}")
    (failure,) = world.store.failures()
    assert failure.path == path
    assert world.store.retry([path]) == 1
