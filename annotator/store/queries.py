"""The store at a glance, what failed, and all that is known of a clip."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from annotator.media.remote import named
from annotator.store import claims, tasks
from annotator.store.annotations import answers_by_clip
from annotator.store.database import AnyRow, AnySelect, in_chunks
from annotator.store.ranking import label_scores
from annotator.store.records import (
    ClipDetail,
    ClipScores,
    Failure,
    FailureCount,
    OpenedMedia,
    Status,
    StoredPrediction,
)
from annotator.store.runs import last_run, models
from annotator.store.schema import Clip, ClipLabel, Media, Model, Prediction
from annotator.store.targets import clips_meant, target
from annotator.types import MODALITIES, Segment


def status(connection: Connection) -> Status:
    """Counts by state, failures by reason, models, the last run."""
    files = select(Media.state, func.count()).group_by(Media.state)
    clips = select(Clip.state, func.count()).group_by(Clip.state)
    return Status(
        media=_counts(connection.execute(files)),
        clips=_counts(connection.execute(clips.where(Clip.active))),
        retired_clips=connection.scalar(select(func.count()).where(~Clip.active)) or 0,
        predictions=_counts(
            connection.execute(
                select(Model.name, func.count(Prediction.clip_id))
                .outerjoin_from(Model, Prediction)
                .group_by(Model.name)
            )
        ),
        media_ms=connection.scalar(select(func.sum(Media.duration_ms))) or 0,
        failures=_failure_counts(connection),
        models=tuple(models(connection)),
        last_run=last_run(connection),
        projects=tasks.counts(connection),
        held=claims.all_held(connection),
    )


def failures(connection: Connection) -> list[Failure]:
    """Every failed file, then every failed clip of the present plans, by path."""
    files: Iterable[Any] = connection.execute(
        select(Media.path, Media.stage, Media.reason)
        .where(Media.state == "failed")
        .order_by(Media.path)
    )
    clips: Iterable[Any] = connection.execute(
        select(Media.path, Clip.stage, Clip.reason, Clip.id, Clip.start_ms, Clip.end_ms)
        .join_from(Clip, Media)
        .where(Clip.state == "failed", Clip.active)
        .order_by(Media.path, Clip.start_ms)
    )
    return [
        *(Failure(named(path), stage, reason, None, None, None) for path, stage, reason in files),
        *(Failure(named(path), *rest) for path, *rest in clips),
    ]


def opened_media(connection: Connection) -> dict[Path, OpenedMedia]:
    """Every file that a run has opened; see `Store.opened_media`."""
    columns = (Media.path, Media.size, Media.mtime_ns, Media.content_hash, Media.duration_ms)
    opened = select(*columns).where(Media.content_hash.is_not(None), Media.duration_ms.is_not(None))
    rows: Iterable[Any] = connection.execute(opened)
    return {named(path): OpenedMedia(*facts) for path, *facts in rows}


def show(connection: Connection, what: int | str | Path) -> list[ClipDetail]:
    """All that is known of a clip, or of each clip of a file; see `Store.show`."""
    clips = connection.execute(
        select(*Clip.__table__.columns, Media.path)
        .join_from(Clip, Media)
        .where(clips_meant(connection, target(what)))
        .order_by(Clip.start_ms, Clip.end_ms)
    ).all()
    ids = [clip.id for clip in clips]
    labels: dict[int, dict[str, float]] = defaultdict(dict)
    given: AnySelect = select(ClipLabel.clip_id, ClipLabel.label, ClipLabel.value)
    for clip_id, label, value in in_chunks(connection, given, ClipLabel.clip_id, ids):
        labels[clip_id][label] = value
    predictions = _predictions(connection, ids)
    said = answers_by_clip(connection, ids)
    return [
        replace(
            _detail(clip, labels[clip.id]),
            predictions=tuple(predictions[clip.id]),
            answers=said.get(clip.id, ()),
        )
        for clip in clips
    ]


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return dict(map(tuple, rows))


def _failure_counts(connection: Connection) -> tuple[FailureCount, ...]:
    """The most frequent first."""
    files: Iterable[Any] = connection.execute(
        select(Media.stage, Media.reason, func.count())
        .where(Media.state == "failed")
        .group_by(Media.stage, Media.reason)
    )
    clips: Iterable[Any] = connection.execute(
        select(Clip.stage, Clip.reason, func.count())
        .where(Clip.state == "failed", Clip.active)
        .group_by(Clip.stage, Clip.reason)
    )
    counts = [FailureCount("media", *row) for row in files]
    counts += [FailureCount("clip", *row) for row in clips]
    return tuple(sorted(counts, key=lambda failure: -failure.count))


def _predictions(
    connection: Connection, clip_ids: Sequence[int]
) -> dict[int, list[StoredPrediction]]:
    """Each clip's answers, by model from the oldest."""
    found: dict[int, list[StoredPrediction]] = defaultdict(list)
    for model in models(connection):
        answers: AnySelect = select(*Prediction.__table__.columns).where(
            Prediction.model_id == model.model_id
        )
        labels = label_scores(connection, model.model_id, clip_ids)
        for row in in_chunks(connection, answers, Prediction.clip_id, clip_ids):
            scores = ClipScores(
                labels.get(row.clip_id, ()), row.variance, row.entropy, row.margin, row.bald
            )
            found[row.clip_id].append(
                StoredPrediction(model.name, row.run_id, row.created_at, scores)
            )
    return found


def _detail(clip: AnyRow, labels: dict[str, float]) -> ClipDetail:
    """The clip itself."""
    known = clip._mapping  # noqa: SLF001  SQLAlchemy's public name for the row as a mapping
    return ClipDetail(
        clip_id=clip.id,
        path=named(clip.path),
        segment=Segment(
            start_ms=clip.start_ms,
            end_ms=clip.end_ms,
            origin=clip.origin,
            text=clip.text,
            text_origin=clip.text_origin,
            speaker=clip.speaker,
            split=clip.split,
            labels=labels,
        ),
        active=clip.active,
        state=clip.state,
        stage=clip.stage,
        reason=clip.reason,
        steps={m: known[f"{m}_steps"] for m in MODALITIES if known[f"{m}_steps"] is not None},
        absent={m: known[f"{m}_absent"] for m in MODALITIES if known[f"{m}_absent"] is not None},
        predictions=(),
    )
