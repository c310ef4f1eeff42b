"""A corpus and a model's answers at a glance: counted in SQL, then a sample of the clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
)

from annotator.store import queries
from annotator.store.database import AnySelect, in_chunks
from annotator.store.records import Status
from annotator.store.schema import Clip, ClipLabel, LabelPrediction, Prediction
from annotator.types import MODALITIES

MAX_LABELS = 62  # of which label sets are counted: a bit each in a database's integer
_PARTS = 1 << 16  # of the clips, by their number, that a sample is drawn from
_STRIDE = 40_503  # odd, so that it shuffles the parts; 2^16 over the golden ratio (Knuth 6.4)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSample:
    """A model's answers for n clips drawn evenly; q labels.

    `sigma` is NaN where the clip lacks the modality (visual, audio, text).
    """

    clip_ids: NDArray[np.int64]  # (n,)
    media_ids: NDArray[np.int64]  # (n,)
    duration_ms: Floats  # (n,)
    variance: Floats  # (n,)
    entropy: Floats  # (n,)
    probability: Floats  # (n, q)
    sigma: Floats  # (n, q, 3)


@dataclass(frozen=True, slots=True)
class Survey:
    """All clips of the present plans that the model has answered, and a sample of them.

    `label_sets` counts the clips by the labels at or over their threshold, of the first
    `MAX_LABELS`. `speakers` counts clips, those without one under None; `absent` counts the clips
    that lack a modality.
    """

    status: Status
    clips: int
    clip_ms: int
    speakers: Mapping[str | None, int]
    absent: Mapping[str, int]
    label_sets: Mapping[frozenset[str], int]
    sample: ScoreSample


def survey(
    connection: Connection, model_id: int, thresholds: Mapping[str, float], most: int
) -> Survey:
    """Count and draw; see `Store.survey`."""
    counted: Any = connection.execute(
        _answered(
            model_id,
            func.count(),
            func.coalesce(func.sum(Clip.end_ms - Clip.start_ms), 0),
            *(_total(getattr(Clip, f"{m}_absent").is_not(None)) for m in MODALITIES),
        )
    ).one()
    clips, clip_ms, *absent = (int(value) for value in counted)
    return Survey(
        status=queries.status(connection),
        clips=clips,
        clip_ms=clip_ms,
        speakers=_speakers(connection, model_id),
        absent=dict(zip(MODALITIES, absent, strict=True)),
        label_sets=_label_sets(connection, model_id, thresholds),
        sample=_sample(connection, model_id, list(thresholds), clips, most),
    )


def given_labels(connection: Connection, model_id: int, most: int) -> dict[int, dict[str, float]]:
    """Labels that came with the corpus, of at most about so many answered clips."""
    given: AnySelect = _answered(model_id, Clip.id).where(
        Clip.id.in_(select(ClipLabel.clip_id).distinct())
    )
    count = connection.scalar(select(func.count()).select_from(given.subquery())) or 0
    ids = list(connection.scalars(given.where(_drawn(Clip.id, count, most))))
    found: dict[int, dict[str, float]] = {}
    labels: AnySelect = select(ClipLabel.clip_id, ClipLabel.label, ClipLabel.value)
    for clip_id, label, value in in_chunks(connection, labels, ClipLabel.clip_id, ids):
        found.setdefault(clip_id, {})[label] = value
    return found


def _answered(model_id: int, *columns: Any) -> AnySelect:
    chosen: AnySelect = (
        select(*columns)
        .select_from(Prediction)
        .join(Clip, Clip.id == Prediction.clip_id)
        .where(Prediction.model_id == model_id, Clip.active)
    )
    return chosen


def _total(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _speakers(connection: Connection, model_id: int) -> dict[str | None, int]:
    """The most frequent first."""
    number = func.count()
    counted = _answered(model_id, Clip.speaker, number).group_by(Clip.speaker)
    rows: Any = connection.execute(counted.order_by(number.desc(), Clip.speaker))
    return dict(map(tuple, rows))


def _label_sets(
    connection: Connection, model_id: int, thresholds: Mapping[str, float]
) -> dict[frozenset[str], int]:
    """One pass in the order of the key: a bit a label, added up for each clip."""
    labels = list(thresholds)[:MAX_LABELS]
    if not labels:
        return {}
    bit = case(
        *(
            (
                and_(LabelPrediction.label == label, LabelPrediction.p >= thresholds[label]),
                literal_column(str(1 << place), BigInteger),
            )
            for place, label in enumerate(labels)
        ),
        else_=0,
    )
    sets = (
        select(LabelPrediction.clip_id, func.sum(bit).label("bits"))
        .where(LabelPrediction.model_id == model_id)
        .group_by(LabelPrediction.clip_id)
        .subquery()
    )
    counted = (
        select(sets.c.bits, func.count())
        .join(Clip, Clip.id == sets.c.clip_id)
        .where(Clip.active)
        .group_by(sets.c.bits)
    )
    rows: Any = connection.execute(counted)
    return {
        frozenset(label for place, label in enumerate(labels) if int(bits) >> place & 1): count
        for bits, count in rows
    }


def _sample(
    connection: Connection, model_id: int, labels: Sequence[str], clips: int, most: int
) -> ScoreSample:
    rows: Any = connection.execute(
        _answered(
            model_id,
            Clip.id,
            Clip.media_id,
            Clip.end_ms - Clip.start_ms,
            Prediction.variance,
            Prediction.entropy,
        )
        .where(_drawn(Prediction.clip_id, clips, most))
        .order_by(Clip.id)
    ).all()
    place = {row[0]: n for n, row in enumerate(rows)}
    column = {label: n for n, label in enumerate(labels)}
    numbers = np.full((len(rows), len(labels), 1 + len(MODALITIES)), np.nan)
    answers: Any = connection.execute(
        select(
            LabelPrediction.clip_id,
            LabelPrediction.label,
            LabelPrediction.p,
            *(getattr(LabelPrediction, f"sigma_{m}") for m in MODALITIES),
        ).where(LabelPrediction.model_id == model_id, _drawn(LabelPrediction.clip_id, clips, most))
    )
    for clip_id, label, *values in answers:
        if clip_id in place and label in column:
            numbers[place[clip_id], column[label]] = [np.nan if v is None else v for v in values]
    facts = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 5)
    return ScoreSample(
        clip_ids=facts[:, 0].astype(np.int64),
        media_ids=facts[:, 1].astype(np.int64),
        duration_ms=facts[:, 2],
        variance=facts[:, 3],
        entropy=facts[:, 4],
        probability=numbers[..., 0],
        sigma=numbers[..., 1:],
    )


def _drawn(number: Any, clips: int, most: int) -> ColumnElement[bool]:
    """Whether a clip is in a sample of about `most` of so many: the same ones every time."""
    parts = _PARTS if clips <= most else most * _PARTS // clips
    drawn: ColumnElement[bool] = cast(number, BigInteger) % _PARTS * _STRIDE % _PARTS < parts
    return drawn
