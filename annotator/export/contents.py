"""What an export tells of a clip: a model's answers, people's, or both; shares or yes and no."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from annotator.labels.across import consensus_across
from annotator.labels.consensus import MAJORITY, Consensus, Rule
from annotator.metrics.thresholds import DEFAULT
from annotator.store.records import MediaClip, ModelFacts, RankedClip

Clip = RankedClip | MediaClip


@dataclass(frozen=True, slots=True)
class Row:
    """A clip, and what people hold of it together; None where nobody voted or was to be asked."""

    clip: Clip
    human: Consensus | None


@dataclass(frozen=True, slots=True)
class Contents:
    """Whose answers are told, and how.

    Args:
        model: whose answers; None leaves models out.
        projects: what each project asks people for; None leaves people out.
        hard: yes or no in place of probabilities and shares.
        thresholds: from which probability a label is a yes; those not named at 0.5.
        rule: from which share of the voters.
    """

    model: ModelFacts | None = None
    projects: Mapping[int, Sequence[str]] | None = None
    hard: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rule: Rule = MAJORITY

    @property
    def model_labels(self) -> tuple[str, ...]:
        """The labels the model knows."""
        return () if self.model is None else tuple(self.model.labels)

    @property
    def human_labels(self) -> tuple[str, ...]:
        """The labels people are asked for: in the order of the model, then of the projects."""
        asked = dict.fromkeys(label for ours in (self.projects or {}).values() for label in ours)
        known = [label for label in self.model_labels if label in asked]
        return tuple(dict.fromkeys((*known, *asked)))

    def row(self, clip: Clip) -> Row:
        """The clip with what people hold of it."""
        told = self.projects is not None and clip.answers
        return Row(
            clip, consensus_across(clip.answers, self.projects or {}, self.rule) if told else None
        )

    def of_model(self, row: Row, label: str) -> float | None:
        """The model's answer: a probability, or 1 and 0; None where it has given none."""
        answers = () if row.clip.scores is None else row.clip.scores.labels
        p = next((answer.p for answer in answers if answer.label == label), None)
        if p is None or not self.hard:
            return p
        return int(p >= self.thresholds.get(label, DEFAULT))

    def of_people(self, row: Row, label: str) -> float | None:
        """Their share, or 1 and 0; None where nobody was asked, could judge, or they are tied."""
        if row.human is None:
            return None
        if self.hard:
            decided = row.human.hard.get(label)
            return None if decided is None else int(decided)
        return (row.human.soft or {}).get(label)
