"""What a file states about a clip, and what that is as a person's answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from annotator.corpus.manifest_cells import shown

NEUTRAL = "neutral"  # among labels: none of them; unless it is a label of the project itself


@dataclass(frozen=True, slots=True)
class Stated:
    """One answer as it stands in a file: about which clip, by whom, and what.

    `place` says where it stands, for messages. The clip is given by its number, or by a file and
    the bounds of a part. `values` are from 0 to 1 by the label's name in the file. `ignored` are
    the names of what else stands there and means nothing here.
    """

    place: str
    clip: int | None = None
    media: tuple[str, ...] = ()  # names of the file, the likeliest first
    start_ms: int | None = None
    end_ms: int | None = None
    person: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    unusable: bool = False
    comment: str | None = None
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decided:
    """The labels that are a yes, and whether none of them is meant."""

    labels: tuple[str, ...]
    neutral: bool


def decide(values: Mapping[str, float], labels: Sequence[str], threshold: float | None) -> Decided:
    """Yes or no to each label; what is not stated is a no.

    Args:
        values: by the names in the file, in which capitals do not count.
        labels: of the project.
        threshold: from where a value counts; None takes 0 and 1 alone.

    Raises:
        ValueError: a label that the project has not, one that is stated twice, neutral beside a
            label, or a value between 0 and 1 without a threshold.

    >>> decide({"Sad": 1, "happy": 0}, ["happy", "sad"], None)
    Decided(labels=('sad',), neutral=False)
    >>> decide({"Neutral": 1}, ["happy", "sad"], None)
    Decided(labels=(), neutral=True)
    """
    known = {label.casefold(): label for label in labels}
    found: dict[str, bool] = {}
    for name, value in values.items():
        label = known.get(name.casefold(), name.casefold())
        if label not in labels and label != NEUTRAL:
            raise ValueError(f"no label {shown(name)} here: expected {', '.join(labels)}")
        if label in found:
            raise ValueError(f"label {label!r} is given twice")
        found[label] = _counts(label, value, threshold)
    picked = tuple(label for label in labels if found.get(label))
    none = [yes for name, yes in found.items() if name not in labels]
    if none and none[0] == bool(picked):
        raise ValueError(f"it states both {NEUTRAL} and a label, or neither")
    return Decided(picked, neutral=not picked)


def _counts(label: str, value: float, threshold: float | None) -> bool:
    if threshold is not None:
        return value >= threshold
    if value not in (0, 1):
        raise ValueError(
            f"{label} is {value:g}, neither 0 nor 1: say from where it counts with --threshold"
        )
    return value == 1
