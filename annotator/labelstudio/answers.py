"""What people answered, read from a task as the server gives it: hostile until parsed."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from annotator.labelstudio.interface import (
    COMMENT,
    EMOTIONS,
    MAX_INTENSITY,
    QUALITY,
    UNUSABLE,
    Interface,
)
from annotator.store.review_records import Answer, AnswerState, GivenLabel

MAX_COMMENT = 10_000  # characters that are kept
MAX_RESULT = 200_000  # characters of an answer's own words
MAX_NUMBER = 2**63 - 1  # that a database takes
MAX_PERSON = 10**18 - 1  # digits that `_CALLED` reads, too
MAX_SHOWN = 60  # characters of a label nobody asked for
FIRST_YEAR = 1970

Json = Mapping[str, Any]

_CALLED = re.compile(r"(?:^|\s)(\S+@\S+), ([0-9]{1,18})$")


class Unreadable(ValueError):
    """An answer or a task that is not what the server says its answers are."""


@dataclass(frozen=True, slots=True)
class TaskAnswers:
    """All answers about one task, when it last changed, and what is odd about them, a line each."""

    task: int
    changed_at: datetime
    answers: tuple[Answer, ...]
    problems: tuple[str, ...]


def read_task(raw: Json, shape: Interface, people: Mapping[int, str]) -> TaskAnswers:
    """A task with its annotations, as `/api/tasks` gives it.

    Labels that the project did not offer are problems, and are left out.

    Args:
        raw: the task.
        shape: what the project asks.
        people: user number → email; others are called by their number. Whose answer it is the
            server forgets when it removes a user: each such is of somebody of its own.

    Raises:
        Unreadable: the task or one of its answers is not one. All of the task is then to be left
            alone: an answer that is merely left out would look like one that was deleted.
    """
    number = _number(raw.get("id"), "a task's number")
    answers: list[Answer] = []
    problems: list[str] = []
    for given in _list(raw.get("annotations"), "a task's annotations"):
        try:
            answer, odd = _answer(_object(given), number, shape, people)
        except Unreadable as error:
            raise Unreadable(f"task {number}: {error}") from None
        if any(answer.number == other.number for other in answers):
            raise Unreadable(f"task {number}: annotation {answer.number} is there twice")
        answers.append(answer)
        problems += [f"task {number}, annotation {answer.number}: {line}" for line in odd]
    return TaskAnswers(number, changed_at(raw), tuple(answers), tuple(problems))


def changed_at(raw: Json) -> datetime:
    """When a task changed last.

    Raises:
        Unreadable: it does not say.
    """
    return _moment(raw.get("updated_at"), "a task's time")


def authors(raw: Json) -> dict[int, str | None]:
    """Who answered a task: number → email, or None where the answers do not tell.

    The server calls an answer's author "FIRST LAST EMAIL, NUMBER"; names may be anything.

    >>> authors({"annotations": [{"completed_by": 3, "created_username": "A B a@b.org, 3"}]})
    {3: 'a@b.org'}
    """
    found: dict[int, str | None] = {}
    given = raw.get("annotations")
    for answer in given if isinstance(given, list) else []:
        number = answer.get("completed_by") if isinstance(answer, Mapping) else None
        if type(number) is int:
            called = _CALLED.search(str(answer.get("created_username")))
            same = called is not None and int(called[2]) == number
            found[number] = called[1] if called is not None and same else None
    return found


def _answer(
    raw: Json, task: int, shape: Interface, people: Mapping[int, str]
) -> tuple[Answer, list[str]]:
    result = [_object(item) for item in _list(raw.get("result"), "an answer's result")]
    if _length(result) > MAX_RESULT:
        raise Unreadable("it is longer than any answer to these questions can be")
    picked, origin = _choices(result, EMOTIONS)
    unusable = UNUSABLE in _choices(result, QUALITY)[0]
    skipped = raw.get("was_cancelled") is True
    odd = [
        f"no label of the project: {name[:MAX_SHOWN]!r}"
        for name in picked
        if not _offered(name, shape)
    ]
    labels = () if skipped or unusable else _labels(result, picked, origin, shape)
    neutral = not (skipped or unusable or labels) and shape.neutral in picked
    if labels and shape.neutral in picked:
        odd.append(f"{shape.neutral} and a label: the label counts")
    if unusable and picked and not skipped:
        odd.append("unusable and a label: the clip counts as unusable")
    number = _number(raw.get("id"), "an answer's number")
    person = _person(raw.get("completed_by"))
    answer = Answer(
        number=number,
        task=task,
        annotator=_name(person, number, people),
        person=person,
        state=_state(skipped, unusable, bool(labels) or neutral),
        labels=labels,
        neutral=neutral,
        comment=_comment(result),
        lead_seconds=_seconds(raw.get("lead_time")),
        unchanged=_unchanged(raw, origin, unusable),
        result=result,
        created_at=_moment(raw.get("created_at"), "an answer's time"),
        updated_at=_moment(raw.get("updated_at"), "an answer's time"),
    )
    return answer, [] if skipped else odd


def _state(skipped: bool, unusable: bool, said: bool) -> AnswerState:
    """A skip keeps the pre-annotation in its result, and nothing at all may be submitted."""
    if skipped:
        return "skipped"
    if unusable:
        return "unusable"
    return "labelled" if said else "empty"


def _labels(
    result: list[Json], picked: list[str], origin: str | None, shape: Interface
) -> tuple[GivenLabel, ...]:
    ratings = dict(_ratings(result))
    return tuple(
        GivenLabel(label, ratings.get(name), origin)
        for label, name in zip(shape.labels, shape.intensities, strict=True)
        if label in picked
    )


def _choices(result: list[Json], name: str) -> tuple[list[str], str | None]:
    """What was picked of a list of choices, and where that came from."""
    picked: list[str] = []
    origin = None
    for item in result:
        if item.get("from_name") == name and item.get("type") == "choices":
            said = _list(_object(item.get("value")).get("choices"), "a result's choices")
            picked += [choice for choice in said if isinstance(choice, str)]
            origin = item["origin"] if isinstance(item.get("origin"), str) else None
    return picked, origin


def _ratings(result: list[Json]) -> Iterator[tuple[str, int]]:
    for item in result:
        if item.get("type") == "rating":
            rating = _object(item.get("value")).get("rating")
            if type(rating) is int and 1 <= rating <= MAX_INTENSITY:
                yield str(item.get("from_name")), rating


def _comment(result: list[Json]) -> str | None:
    lines: list[str] = []
    for item in result:
        if item.get("from_name") == COMMENT and item.get("type") == "textarea":
            said = _object(item.get("value")).get("text")
            texts = said if isinstance(said, list) else [said]
            lines += [text for text in texts if isinstance(text, str)]
    return "\n".join(lines)[:MAX_COMMENT] or None


def _unchanged(raw: Json, origin: str | None, unusable: bool) -> bool | None:
    """Whether the model's picks were sent as they were shown; None where none were."""
    if raw.get("parent_prediction") is None and origin not in {"prediction", "prediction-changed"}:
        return None
    return origin == "prediction" and not unusable


def _offered(name: str, shape: Interface) -> bool:
    return name in shape.labels or name == shape.neutral


def _person(raw: object) -> int | None:
    """The server gives a number, or an object with it; nothing of a user who was removed."""
    number = raw.get("id") if isinstance(raw, Mapping) else raw
    return number if type(number) is int and 0 < number <= MAX_PERSON else None


def _name(person: int | None, answer: int, people: Mapping[int, str]) -> str:
    if person is None:
        return f"removed user (answer {answer})"
    return people.get(person, f"user {person}")


def _seconds(raw: object) -> float | None:
    try:
        seconds = float(raw) if isinstance(raw, int | float) else math.nan
    except OverflowError:  # a whole number of more than 308 digits
        return None
    return max(0.0, seconds) if math.isfinite(seconds) and not isinstance(raw, bool) else None


def _length(result: list[Json]) -> int:
    """Of an answer as JSON, the strict one: not every database takes a NaN."""
    try:
        return len(json.dumps(result, allow_nan=False))
    except (ValueError, TypeError, RecursionError):
        raise Unreadable("it is not of numbers, texts, lists and objects") from None


def _number(raw: object, what: str) -> int:
    if type(raw) is not int or not 0 < raw <= MAX_NUMBER:
        raise Unreadable(f"{what} must be a positive whole number")
    return raw


def _moment(raw: object, what: str) -> datetime:
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            raw = None
    try:
        if isinstance(raw, datetime) and raw.tzinfo is not None:
            moment = raw.astimezone(UTC)
            if moment.year >= FIRST_YEAR:
                return moment
    except OverflowError:
        pass
    raise Unreadable(f"{what} must be a date and time with its zone")


def _object(raw: object) -> Json:
    if not isinstance(raw, Mapping):
        raise Unreadable("an object was expected")
    return raw


def _list(raw: object, what: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise Unreadable(f"{what} must be a list")
    return raw
