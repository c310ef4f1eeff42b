"""Whether a candidate is better than the model in use: on clips that neither of them learnt from.

Both answer the same held-out clips, so they are compared clip by clip: every resample of the
bootstrap draws speakers or videos and measures both models on the same draw. The candidate is
better if the interval of the difference lies above 0.

The measure is by default the mean average precision: it needs no thresholds, of which a small
validation part gives poor ones, and it is defined for the same labels in both models, whatever they
choose. Macro-F1 is the other choice. It takes each model's thresholds from the same validation
clips, and in every resample the labels that are present there.

A better mean may hide that a label is lost. Of each label that enough held-out clips have the
candidate must not have collapsed where the model in use had not:

- its decisions are the same for every clip,
- it finds hardly any of the clips that have the label (recall below LOST),
- its F1 has fallen by more than its interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from annotator.metrics import multilabel
from annotator.metrics.bootstrap import Interval, bootstrap
from annotator.metrics.evaluate import Answers
from annotator.metrics.inputs import Array, mean_labels

Measure = Literal["mean_average_precision", "macro_f1"]
Promote = Literal["auto", "never", "always"]
LOST = 0.05  # recall

Key = tuple[str, str | None]  # what, and label or None for all labels together


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's answers to the held-out clips, and the thresholds (q,) it decides at."""

    answers: Answers
    thresholds: Sequence[float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the held-out clips say; the difference is the candidate's gain."""

    measure: Measure
    clips: int
    groups: int
    before: float
    after: float
    difference: Interval
    collapsed: Mapping[str, str]  # label → how

    @property
    def better(self) -> bool:
        """Whether the candidate is to be promoted; what is unknown is not better."""
        return self.difference.low > 0 and not self.collapsed

    @property
    def reason(self) -> str:
        """Why it is or is not, in a sentence."""
        name = self.measure.replace("_", " ").replace("f1", "F1")
        found = (
            f"{name} from {self.before:.3f} to {self.after:.3f}, "
            f"difference {self.difference.value:+.3f}"
        )
        if np.isnan(self.difference.low):
            return f"{found} of unknown interval: the {self.clips} held-out clips are too few"
        above = "above" if self.difference.low > 0 else "not surely above"
        found += f" [{self.difference.low:+.3f}, {self.difference.high:+.3f}], {above} 0"
        lost = "; ".join(f"{label} {how}" for label, how in self.collapsed.items())
        return f"{found}; yet {lost}" if lost else found

    def to_json(self) -> dict[str, Any]:
        """Plain types for `json.dumps`; unknown is null."""
        difference = {
            name: None if np.isnan(value) else value
            for name, value in asdict(self.difference).items()
        }
        unknown = {name: None for name in ("before", "after") if np.isnan(getattr(self, name))}
        return {**asdict(self), "difference": difference, **unknown, "better": self.better}


def compare(
    before: Judged,
    after: Judged,
    measure: Measure,
    *,
    positives: int,
    resamples: int,
    seed: int = 0,
) -> Comparison:
    """Compare two models' answers to the same clips.

    Args:
        before: of the model in use.
        after: of the candidate.
        measure: that must rise.
        positives: clips that must have a label before its collapse is looked for.
        resamples: of the bootstrap over groups.
        seed: of the bootstrap.
    """
    answers = after.answers
    whole = np.ones(len(answers.groups))
    found = bootstrap(
        partial(_differences, before, after, measure),
        answers.groups,
        resamples=resamples,
        seed=seed,
    )
    return Comparison(
        measure=measure,
        clips=len(answers.groups),
        groups=len(set(answers.groups)),
        before=float(_overall(before, measure, whole)),
        after=float(_overall(after, measure, whole)),
        difference=found["difference", None],
        collapsed=dict(_collapses(before, after, found, positives)),
    )


def decide(asked: Promote, found: Comparison) -> tuple[bool, str]:
    """Whether to promote the candidate, and why."""
    if asked == "auto":
        return found.better, found.reason
    return asked == "always", f"--promote {asked}; {found.reason}"


def _differences(
    before: Judged, after: Judged, measure: Measure, weight: Array
) -> dict[Key, Array]:
    f1 = _f1(after, weight) - _f1(before, weight)
    return {
        ("difference", None): _overall(after, measure, weight) - _overall(before, measure, weight),
        **{("f1", label): f1[..., place] for place, label in enumerate(after.answers.labels)},
    }


def _overall(judged: Judged, measure: Measure, weight: Array) -> Array:
    if measure == "macro_f1":
        return mean_labels(_f1(judged, weight))
    answers = judged.answers
    return mean_labels(multilabel.average_precision(answers.probability, answers.target, weight))


def _f1(judged: Judged, weight: Array) -> Array:
    """(..., q), NaN for labels that no clip has, whatever was chosen: the same in both models."""
    counted = multilabel.count(
        judged.answers.probability, judged.answers.target, judged.thresholds, weight
    )
    return np.where(counted.tp + counted.fn > 0, counted.f1, np.nan)


def _collapses(
    before: Judged, after: Judged, found: Mapping[Key, Interval], positives: int
) -> Iterator[tuple[str, str]]:
    counted = [
        multilabel.count(one.answers.probability, one.answers.target, one.thresholds)
        for one in (before, after)
    ]
    chosen = [one.tp + one.fp for one in counted]
    known = counted[1].tp + counted[1].fp + counted[1].fn + counted[1].tn
    constant = [(number == 0) | (number == known) for number in chosen]
    lost = [one.recall < LOST for one in counted]
    enough = counted[1].tp + counted[1].fn >= positives
    for place, label in enumerate(after.answers.labels):
        drop = found["f1", label]
        if not enough[place]:
            continue
        if constant[1][place] and not constant[0][place]:
            yield label, f"is decided {'always' if chosen[1][place] else 'never'}"
        elif lost[1][place] and not lost[0][place]:
            yield label, f"is found in only {counted[1].recall[place]:.0%} of its clips"
        elif drop.high < 0:
            yield label, f"lost {-drop.value:.3f} of its F1 [{drop.low:+.3f}, {drop.high:+.3f}]"
