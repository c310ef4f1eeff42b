"""Pulling again and again: when, what of it is told, and what a failing server does to it."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from annotator.labelstudio import watch
from annotator.labelstudio.failures import Missing, ServerFault
from annotator.labelstudio.pull import Pull
from annotator.labelstudio.watch import POLL_S, pulls
from annotator.store.review_records import ReviewProject, SavedAnswers

FIRST = ReviewProject(1, "http://ls", 7, "films", ("happy",), None)
LATER = ReviewProject(1, "http://ls", 7, "films", ("happy",), datetime(2026, 1, 1, tzinfo=UTC))
NOTHING = Pull(SavedAnswers(known=3), 1, 0, ())
NEWS = Pull(SavedAnswers(new=1), 1, 0, ())
DOWN = ServerFault("cannot open project 7: no Label Studio", certain=True)


class FakeStore:
    """Knows the project as the first pull has left it, and another that nobody asked for."""

    def projects(self, server: str) -> list[ReviewProject]:
        assert server == "http://ls"
        return [LATER, ReviewProject(2, server, 8, "others", ("happy",), None)]


class FakeServer:
    address = "http://ls"


class Watched:
    """A watch whose pulls end as `outcomes` say and that sleeps without time passing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hint: Path, *outcomes: object) -> None:
        self.hint = hint
        self.outcomes = list(outcomes)
        self.asked: list[tuple[ReviewProject, bool]] = []
        self.slept: list[float] = []
        self.during_sleep: Callable[[], object] = lambda: None
        monkeypatch.setattr(watch, "pull", self._pull)

    def _pull(self, _store, _server, project, *, everything, progress) -> Pull:
        progress(1, 3)
        self.asked.append((project, everything))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Pull)
        return outcome

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.during_sleep()

    def told(self, count: int, every_s: float | None = 2.0, everything: bool = False):
        found = pulls(FakeStore(), FakeServer(), [FIRST], self.hint, every_s, everything,
                      self._sleep)  # fmt: skip
        return [
            one if isinstance(one, ServerFault) else [pull for _, pull in one]
            for one in islice(found, count)
        ]


@pytest.fixture
def watched(monkeypatch, tmp_path):
    return lambda *outcomes: Watched(monkeypatch, tmp_path / "hint", *outcomes)


def test_without_a_time_there_is_one_pull_and_it_is_told_even_of_nothing(watched):
    one = watched(NOTHING)
    assert one.told(5, every_s=None) == [[NOTHING]]
    assert not one.slept


def test_watching_tells_of_news_alone(watched):
    many = watched(NOTHING, NOTHING, NEWS, NOTHING, NEWS)
    assert many.told(3) == [[NOTHING], [NEWS], [NEWS]]
    assert not many.outcomes


@pytest.mark.parametrize(
    "news",
    [SavedAnswers(new=1), SavedAnswers(changed=1), SavedAnswers(deleted=1)],
)
def test_each_kind_of_change_is_news(watched, news):
    changed = Pull(news, 1, 0, ())
    assert watched(NOTHING, changed).told(2) == [[NOTHING], [changed]]


def test_a_task_that_is_gone_is_news(watched):
    gone = Pull(SavedAnswers(), 0, 1, ())
    assert watched(NOTHING, gone).told(2) == [[NOTHING], [gone]]


def test_the_next_pull_goes_on_from_where_the_last_ended_and_reads_changes_only(watched):
    many = watched(NEWS, NEWS)
    many.told(2, everything=True)
    assert many.asked == [(FIRST, True), (LATER, False)]


def test_it_waits_for_the_time_that_was_asked_for(watched):
    many = watched(NOTHING, NEWS)
    many.told(2, every_s=3.0)
    assert many.slept == [POLL_S] * 6


def test_a_hint_comes_sooner_than_the_time_and_is_taken_once(watched):
    many = watched(NOTHING, NEWS, NEWS)

    def touch_once() -> None:
        if len(many.slept) == 2:
            many.hint.touch()

    many.during_sleep = touch_once
    many.told(2, every_s=5.0)
    assert many.slept == [POLL_S] * 2
    assert len(many.asked) == 2

    many.slept.clear()
    many.during_sleep = lambda: None
    many.outcomes[:] = [NOTHING, NEWS]  # a hint from before the watch began is none
    many.told(2, every_s=5.0)
    assert many.slept == [POLL_S] * 10


def test_a_server_that_fails_later_is_told_of_and_asked_again(watched):
    many = watched(NOTHING, DOWN, DOWN, NEWS)
    assert many.told(4) == [[NOTHING], DOWN, DOWN, [NEWS]]


def test_a_server_that_fails_at_first_ends_it(watched):
    with pytest.raises(ServerFault, match="no Label Studio"):
        watched(DOWN).told(1)


def test_a_project_that_was_removed_costs_itself_alone(watched):
    many = watched(Missing("cannot open project 7"), NEWS)
    both = [FIRST, replace(FIRST, project_id=2, number=8)]
    (done,) = pulls(FakeStore(), FakeServer(), both, many.hint, None, False)
    assert [pulled for _, pulled in done] == [
        Pull(SavedAnswers(), 0, 0, ("cannot open project 7; what was pulled from it stays",)),
        NEWS,
    ]


def test_the_only_project_that_was_removed_ends_it(watched):
    with pytest.raises(Missing, match="project 7"):
        watched(Missing("cannot open project 7")).told(1)


def test_progress_is_told_of_each_project_while_it_is_read(watched):
    many = watched(NEWS, NEWS)
    told: list[object] = []

    @contextmanager
    def reading(project):
        told.append(project.number)
        yield lambda count, total: told.append((count, total))
        told.append("read")

    both = [FIRST, replace(FIRST, project_id=2, number=8)]
    list(pulls(FakeStore(), FakeServer(), both, many.hint, None, False, reading=reading))
    assert told == [7, (1, 3), "read", 8, (1, 3), "read"]
