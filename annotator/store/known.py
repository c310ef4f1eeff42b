"""What is known of clips that are asked for by the sample their tasks carry."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, and_, select
from sqlalchemy.orm import aliased

from annotator.media.remote import named
from annotator.store.database import CHUNK, AnySelect, in_chunks
from annotator.store.ranking import label_scores
from annotator.store.records import ClipPlace, ClipScores, KnownClip, TwoAnswers
from annotator.store.schema import Clip, Media, Model, Prediction, Project, Task

_KNOWN = (
    Clip.id,
    Media.content_hash,
    Clip.start_ms,
    Clip.end_ms,
    Clip.text,
    Prediction.variance,
    Prediction.entropy,
    Prediction.margin,
    Prediction.bald,
)


def clips_of_samples(connection: Connection, samples: Sequence[str]) -> dict[str, int]:
    """The clip of each sample that was ever sent to a project, the latest project's first."""
    # The key of a task begins with its project: naming all of them makes this a look-up by key.
    sent: AnySelect = select(Task.sample, Task.clip_id).where(
        Task.project_id.in_(select(Project.id))
    )
    rows = in_chunks(connection, sent.order_by(Task.project_id), Task.sample, samples)
    return {row.sample: row.clip_id for row in rows}


def places(connection: Connection, clip_ids: Sequence[int]) -> dict[int, ClipPlace]:
    """Where clips lie whose files were opened."""
    clips: AnySelect = (
        select(*Clip.__table__.columns, Media.path, Media.content_hash)
        .join_from(Clip, Media)
        .where(Media.content_hash.is_not(None))
    )
    return {
        row.id: ClipPlace(
            row.id,
            named(row.path),
            row.content_hash,
            (row.start_ms, row.end_ms),
            row.speaker,
            row.split,
        )
        for row in in_chunks(connection, clips, Clip.id, clip_ids)
    }


def two_answers(connection: Connection, first: str, second: str) -> Iterator[TwoAnswers]:
    """What two models, by name, say of the clips that both have annotated; a chunk in memory.

    The transaction must outlast the iteration.
    """
    ours, theirs = aliased(Prediction), aliased(Prediction)
    models = {row.name: row.id for row in connection.execute(select(Model.id, Model.name))}
    if first not in models or second not in models:
        return
    both = (
        select(ours.clip_id)
        .join(theirs, and_(theirs.clip_id == ours.clip_id, theirs.model_id == models[second]))
        .where(ours.model_id == models[first])
        .order_by(ours.clip_id)
    )
    result = connection.execute(both, execution_options={"yield_per": CHUNK})
    for ids in result.scalars().partitions():
        before, after = (label_scores(connection, models[name], ids) for name in (first, second))
        for clip_id in ids:
            yield TwoAnswers(
                {one.label: one.p for one in before[clip_id]},
                {one.label: one.p for one in after[clip_id]},
            )


def known_clips(
    connection: Connection, model_id: int, clip_ids: Sequence[int]
) -> dict[int, KnownClip]:
    """Where clips lie, their transcripts, and the model's answers as far as it has given any."""
    clips: AnySelect = (
        select(*_KNOWN)
        .join_from(Clip, Media)
        .outerjoin(Prediction, and_(Prediction.clip_id == Clip.id, Prediction.model_id == model_id))
        .where(Media.content_hash.is_not(None))
    )
    rows = list(in_chunks(connection, clips, Clip.id, clip_ids))
    labels = label_scores(
        connection, model_id, [row.id for row in rows if row.variance is not None]
    )
    return {
        row.id: KnownClip(
            content_hash=row.content_hash,
            bounds=(row.start_ms, row.end_ms),
            text=row.text,
            scores=None
            if row.id not in labels
            else ClipScores(labels[row.id], row.variance, row.entropy, row.margin, row.bald),
        )
        for row in rows
    }
