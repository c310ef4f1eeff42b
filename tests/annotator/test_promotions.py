"""Which version is in use: promotions, rollbacks, torn lines, many writers."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.errors import EnvironmentFault, UsageError
from annotator.promotions import FILE, add, history, holding

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def promote(models, name):
    return add(models, "promotion", name, "ab", "because", NOW)


def names(models):
    return [entry.name for entry in holding(history(models))]


def test_nothing_was_promoted(tmp_path):
    assert history(tmp_path) == []


def test_what_was_written_is_read(tmp_path):
    entry = add(tmp_path, "promotion", "a", "ab", "naïve\nreason", NOW)
    assert history(tmp_path) == [entry]
    assert entry.at == "2026-01-02T00:00:00+00:00"


@given(steps=st.lists(st.sampled_from(["a", "b", "c", None]), max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rollback_takes_back_the_last_that_holds(tmp_path, steps):
    (tmp_path / FILE).unlink(missing_ok=True)
    stack = []
    for name in steps:
        if name is None:
            add(tmp_path, "rollback", "any", "ab", "", NOW)
            stack = stack[:-1]
        else:
            promote(tmp_path, name)
            stack = [*stack, name]
    assert names(tmp_path) == stack


@given(cut=st.integers(1, 200))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_torn_anywhere_costs_only_itself(tmp_path, cut):
    file = tmp_path / FILE
    file.unlink(missing_ok=True)
    promote(tmp_path, "a")
    whole = file.read_bytes()
    promote(tmp_path, "b")
    line = file.read_bytes()[len(whole) :]
    file.write_bytes(whole + line[: min(cut, len(line) - 1)])
    assert names(tmp_path) == ["a"]
    promote(tmp_path, "c")
    expected = ["a", "b", "c"] if cut >= len(line) - 1 else ["a", "c"]
    assert names(tmp_path) == expected  # whole but for its end, it counts once it has one


def test_many_writers_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: promote(tmp_path, f"m{number}"), range(200)))
    assert sorted(names(tmp_path)) == sorted(f"m{number}" for number in range(200))


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        "{}",
        json.dumps({"kind": "order", "at": "", "name": "a", "weights_sha256": "", "reason": ""}),
        json.dumps({"kind": "promotion", "at": "", "name": 7, "weights_sha256": "", "reason": ""}),
    ],
)
def test_a_line_that_is_no_promotion_is_named(tmp_path, line):
    promote(tmp_path, "a")
    with (tmp_path / FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match=r"line 2 of .* is no promotion"):
        history(tmp_path)


def test_a_folder_that_cannot_be_written_is_the_environments_fault(tmp_path):
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        promote(tmp_path / "nowhere", "a")
