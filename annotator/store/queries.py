"""The store at a glance, what failed, and all that is known of a clip."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from annotator.store.columns import escape_path
from annotator.store.ranking import label_scores
from annotator.store.records import (
    ClipDetail,
    ClipScores,
    Failure,
    FailureCount,
    Status,
    StoredPrediction,
)
from annotator.store.runs import last_run, models
from annotator.store.schema import Clip, ClipLabel, Media, Model, Prediction
from annotator.types import MODALITIES, Segment


def status(connection: Connection) -> Status:
    """Counts by state, failures by reason, models, the last run."""
    media_ms = connection.scalar(select(func.sum(Media.duration_ms)).where(Media.state == "planned"))
    clips: dict[str, int] = {}
    retired = 0
    for active, state, count in connection.execute(
        select(Clip.active, Clip.state, func.count()).group_by(Clip.active, Clip.state)
    ):
        if active:
            clips[state] = count
        else:
            retired += count
    return Status(
        media=_counts(connection, Media.state, Media.id),
        clips=clips,
        retired_clips=retired,
        predictions=_predictions_by_model(connection),
        media_ms=media_ms or 0,
        failures=_failure_counts(connection),
        models=tuple(models(connection)),
        last_run=last_run(connection),
    )
