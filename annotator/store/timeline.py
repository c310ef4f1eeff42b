"""Clips in the order of their files and of time, and where the clips of a file lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, exists, or_, select

from annotator.media.remote import named
from annotator.store.annotations import answers_by_clip
from annotator.store.database import CHUNK, AnyRow, AnySelect
from annotator.store.ranking import label_scores
from annotator.store.records import ClipScores, LabelScores, MediaClip
from annotator.store.review_records import ClipAnswer
from annotator.store.schema import Annotation, Clip, Media, Prediction, Run
from annotator.types import Bounds

_CLIP = (
    Clip.id,
    Media.path,
    Media.content_hash,
    Media.duration_ms,
    Clip.start_ms,
    Clip.end_ms,
    Clip.text,
    Clip.speaker,
    Clip.split,
    Prediction.variance,
    Prediction.entropy,
    Prediction.margin,
    Prediction.bald,
    Run.tool_version,
)


def timeline(
    connection: Connection, model_id: int | None, split: str | None
) -> Iterator[MediaClip]:
    """Clips file by file; see `Store.timeline`.

    Of the result a chunk is in memory at a time; the transaction must outlast the iteration.
    """
    # `+ 0` keeps SQLite from looking files up by clip and sorting all at the end: it walks the
    # index of paths, and of each file that of its clips, both of which are in order.
    answered = exists().where(Annotation.clip_id == Clip.id, Annotation.current)
    clips: AnySelect = (
        select(*_CLIP)
        .join_from(Media, Clip, Clip.media_id == Media.id + 0)
        .outerjoin(Prediction, and_(Prediction.clip_id == Clip.id, Prediction.model_id == model_id))
        .outerjoin(Run, Run.id == Prediction.run_id)
        .where(Clip.active, or_(Prediction.clip_id.is_not(None), answered))
        .order_by(Media.path, Clip.start_ms, Clip.end_ms)
    )
    if split is not None:
        clips = clips.where(Clip.split == split)
    result = connection.execute(clips, execution_options={"yield_per": CHUNK})
    for rows in result.partitions():
        ids = [row.id for row in rows]
        labels = {} if model_id is None else label_scores(connection, model_id, ids)
        answers = answers_by_clip(connection, ids)
        yield from (_clip(row, labels.get(row.id), answers.get(row.id, ())) for row in rows)


def bounds(connection: Connection, path: Path) -> dict[Bounds, int]:
    """The clips of a file's present plan by where they lie; see `Store.bounds`."""
    clips: Any = (
        select(Clip.start_ms, Clip.end_ms, Clip.id)
        .join_from(Clip, Media)
        .where(Media.path == str(path), Clip.active)
    )
    return {(start, end): clip_id for start, end, clip_id in connection.execute(clips)}


def _clip(
    row: AnyRow, labels: tuple[LabelScores, ...] | None, answers: tuple[ClipAnswer, ...]
) -> MediaClip:
    scores = None
    if labels is not None:
        scores = ClipScores(labels, row.variance, row.entropy, row.margin, row.bald)
    return MediaClip(
        clip_id=row.id,
        path=named(row.path),
        content_hash=row.content_hash,
        duration_ms=row.duration_ms,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        text=row.text,
        speaker=row.speaker,
        split=row.split,
        scores=scores,
        tool_version=row.tool_version,
        answers=answers,
    )
