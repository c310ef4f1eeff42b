"""A clip as Label Studio takes it: the task's data and the model's answer as a prediction."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.labelstudio.interface import EMOTIONS, VIDEO, Interface
from annotator.store.records import SCORES, ClipScores, ModelFacts, RankedClip

Json = dict[str, Any]

NO_TRANSCRIPT = "(no transcript)"


@dataclass(frozen=True, slots=True)
class Sent:
    """What all tasks of one push share.

    `thresholds` are of the model's labels: those at or above are shown as picked.
    """

    shape: Interface
    model: ModelFacts
    thresholds: Mapping[str, float]
    by: str
    shown: bool


def sample_of(content_hash: str, start_ms: int, end_ms: int) -> str:
    """The name of a clip that every copy of it has, in any workspace: 16 hex digits.

    >>> sample_of("ab", 0, 1500) == sample_of("ab", 0, 1500) != sample_of("ab", 0, 1501)
    True
    """
    return hashlib.sha256(f"{content_hash} {start_ms} {end_ms}".encode()).hexdigest()[:16]


def version_of(model: ModelFacts) -> str:
    """How a model is called on the server: names repeat from workspace to workspace."""
    return f"{model.name} {model.weights_hash[:8]}"


def task(clip: RankedClip, sent: Sent, video: str) -> Json:
    """The task of a clip whose excerpt plays at the address `video`.

    Its uncertainty is the score it was ranked by, turned so that high is unsure; `score` of the
    prediction stays the confidence.

    Raises:
        ValueError: a score is no finite number: the server would take it without a word.
    """
    data: Json = {
        "sample_id": sample_of(clip.content_hash, clip.start_ms, clip.end_ms),
        VIDEO: video,
        "transcript": clip.text or NO_TRANSCRIPT,
        "file": clip.path.name.encode("utf-8", "backslashreplace").decode("utf-8"),
        "start": clip.start_ms / 1000,
        "end": clip.end_ms / 1000,
        "speaker": clip.speaker,
        "split": clip.split,
        "model_version": version_of(sent.model),
        "uncertainty": _finite(-clip.score if sent.by == "margin" else clip.score),
        "uncertainty_by": sent.by,
    }
    data |= {name: _finite(getattr(clip.scores, name)) for name in SCORES}
    data |= {f"p_{answer.label}": _finite(answer.p) for answer in clip.scores.labels}
    made: Json = {"data": data}
    if sent.shown:
        made["predictions"] = [prediction(clip.scores, sent)]
    return made


def prediction(scores: ClipScores, sent: Sent) -> Json:
    """The model's answer as a pre-annotation; no label above its threshold picks neutral."""
    chosen = [answer.label for answer in scores.labels if answer.p >= sent.thresholds[answer.label]]
    if not chosen and sent.shape.neutral is not None:
        chosen = [sent.shape.neutral]
    result: list[Json] = []
    if chosen:
        result.append(
            {
                "id": "emotions",
                "from_name": EMOTIONS,
                "to_name": VIDEO,
                "type": "choices",
                "value": {"choices": chosen},
            }
        )
    return {
        "model_version": version_of(sent.model),
        "score": confidence(scores),
        "result": result,
    }


def confidence(scores: ClipScores) -> float:
    """How sure the model is of its labels: the mean probability of what it says of each.

    From 1/2, a coin toss on every label, to 1. Label Studio's own uncertainty sampling takes the
    lowest first.
    """
    sure = [max(answer.p, 1 - answer.p) for answer in scores.labels]
    return _finite(math.fsum(sure) / len(sure)) or 0.0


def check(tasks: Sequence[Json], shape: Interface) -> None:
    """What the server would take without a word, and should not: labels that nobody can pick.

    Raises:
        ValueError: a prediction picks such a label, lacks its version or is surer than sure.
    """
    offered = {*shape.labels, shape.neutral}
    for made in tasks:
        for said in made.get("predictions", ()):
            picked = {c for item in said["result"] for c in item["value"]["choices"]}
            if not picked <= offered:
                raise ValueError(f"no choice of the project: {sorted(picked - offered)}")
            if not said["model_version"] or not 0 <= said["score"] <= 1:
                raise ValueError("a prediction needs a version, and a score from 0 to 1")


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"a score must be a finite number, got {value}")
    return value
