"""Clips by how unsure a model is of them, and the scores that say so."""

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    literal,
    select,
    tuple_,
)

from annotator.errors import UsageError
from annotator.store.records import ClipScores, LabelScores, RankedClip, Score
from annotator.store.schema import Clip, LabelPrediction, Media, Model, Prediction

_NUMBERS = (
    LabelPrediction.p,
    LabelPrediction.p_mu,
    LabelPrediction.p_sigma,
    LabelPrediction.p_direct,
    LabelPrediction.sigma_visual,
    LabelPrediction.sigma_audio,
    LabelPrediction.sigma_text,
)


def top(
    connection: Connection,
    model_id: int,
    by: Score,
    limit: int,
    label: str | None,
    split: str | None,
) -> list[RankedClip]:
    """The clips the model is least sure of, least sure first; see `Store.top`."""
    if by not in get_args(Score):
        raise UsageError(f"no score {by!r}: expected one of {', '.join(get_args(Score))}")
    ranking = _by_clip(by) if label is None else _by_label(connection, model_id, by, label)
    ranking = ranking.where(Prediction.model_id == model_id, Clip.active).limit(limit)
    if split is not None:
        ranking = ranking.where(Clip.split == split)
    rows = connection.execute(ranking).all()
    labels = label_scores(connection, [(model_id, row.id) for row in rows])
    ranked = []
    for row in rows:
        scores = clip_scores(row, labels[model_id, row.id])
        ranked.append(
            RankedClip(
                clip_id=row.id,
                path=Path(row.path),
                start_ms=row.start_ms,
                end_ms=row.end_ms,
                text=row.text,
                speaker=row.speaker,
                split=row.split,
                score=_score(scores, by, label),
                scores=scores,
            )
        )
    return ranked
