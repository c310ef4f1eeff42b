"""What is left to do: files to plan, clips without an answer, and the plans that make clips."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from annotator.media.remote import named
from annotator.store.columns import readable, readable_or_none
from annotator.store.database import AnyRow, AnySelect, insert
from annotator.store.records import PendingClip, PendingMedia
from annotator.store.schema import Clip, ClipLabel, Media, Model, Prediction, Sighting
from annotator.types import Bounds, MediaInfo, Segment

ASR = "asr"  # a transcript the run made itself: no part of the plan
CORPUS = "corpus"  # source of the labels that came with the files

# What a clip's features made known; of no meaning once they are out of date.
_FORGET = {"stage": None, "reason": None} | {
    f"{modality}_{what}": None
    for modality in ("visual", "audio", "text")
    for what in ("steps", "absent")
}


def pending(connection: Connection, run_id: int, model_id: int) -> list[PendingMedia]:
    """Files of the run with work to do for the model, by path; see `Store.pending`."""
    of_run = _media(model_id).join(Sighting).where(Sighting.run_id == run_id)
    return _pending(connection, of_run.order_by(Media.path))


def pending_media(connection: Connection, media_id: int, model_id: int) -> PendingMedia | None:
    """The file if there is work to do in it for the model; see `Store.pending_media`."""
    found = _pending(connection, _media(model_id).where(Media.id == media_id))
    return found[0] if found else None


def pending_clips(connection: Connection, media_id: int, model_id: int) -> list[PendingClip]:
    """The file's clips that wait for the model's answer, by time."""
    chosen = _clips_of(media_id).where(*_waits_for(model_id))
    return [PendingClip(clip_id, segment) for clip_id, segment in _segments(connection, chosen)]


def unanswered(
    connection: Connection, model_id: int, with_bald: bool, run_id: int | None
) -> list[int]:
    """Clips of the present plans that wait for the model's answer; see `Store.unanswered`."""
    chosen: AnySelect = select(Clip.id).where(*_waits_for(model_id, with_bald)).order_by(Clip.id)
    if run_id is not None:
        chosen = chosen.join(Sighting, Sighting.media_id == Clip.media_id)
        chosen = chosen.where(Sighting.run_id == run_id)
    return list(connection.scalars(chosen))


def segments(connection: Connection, media_id: int) -> tuple[Segment, ...]:
    """All clips of the file's present plan, by time."""
    return tuple(segment for _, segment in _segments(connection, _clips_of(media_id)))


def save_plan(
    connection: Connection,
    media_id: int,
    content_hash: str,
    info: MediaInfo,
    plan: Sequence[Segment],
    transcribe: bool,
) -> None:
    """Make the file's clips those of the plan; see `Store.save_plan`."""
    same_content = content_hash == connection.scalar(
        select(Media.content_hash).where(Media.id == media_id)
    )
    _describe(connection, media_id, content_hash, info)
    known = {
        (clip.start_ms, clip.end_ms): clip
        for clip in connection.execute(
            select(
                Clip.id, Clip.start_ms, Clip.end_ms, Clip.text, Clip.text_origin, Clip.state
            ).where(Clip.media_id == media_id)
        )
    }
    planned = {(segment.start_ms, segment.end_ms): segment for segment in plan}
    _reset(
        connection,
        [
            clip.id
            for bounds, clip in known.items()
            if not same_content
            or (bounds in planned and _has_other_words(clip, planned[bounds].text, transcribe))
        ],
    )
    connection.execute(update(Clip).where(Clip.media_id == media_id).values(active=False))
    _upsert_clips(connection, media_id, planned)
    _replace_labels(connection, media_id, planned)


def _media(model_id: int) -> AnySelect:
    """Files that have not failed, with the number of their clips that wait."""
    waiting = (
        select(func.count())
        .where(Clip.media_id == Media.id, *_waits_for(model_id))
        .correlate(Media)
        .scalar_subquery()
    )
    return select(
        Media.id,
        Media.path,
        Media.size,
        Media.content_hash,
        Media.state,
        waiting,
        Media.duration_ms,
    ).where(Media.state != "failed")


def _pending(connection: Connection, media: AnySelect) -> list[PendingMedia]:
    return [
        PendingMedia(media_id, named(path), size, digest, None if state == "new" else clips, long)
        for media_id, path, size, digest, state, clips, long in connection.execute(media)
        if state == "new" or clips
    ]


def waits(model_id: int) -> ColumnElement[bool]:
    """Of a file: it has not failed, and is to be planned or has clips without an answer."""
    clips = exists().where(Clip.media_id == Media.id, *_waits_for(model_id))
    return and_(Media.state != "failed", or_(Media.state == "new", clips))


def _waits_for(
    model_id: int, with_bald: bool = False
) -> tuple[ColumnElement[bool] | InstrumentedAttribute[bool], ...]:
    answered = exists().where(Prediction.model_id == model_id, Prediction.clip_id == Clip.id)
    if with_bald:
        answered = answered.where(Prediction.bald.is_not(None))
    return (Clip.active, Clip.state != "failed", ~answered)


def _clips_of(media_id: int) -> AnySelect:
    return (
        select(
            Clip.id,
            Clip.start_ms,
            Clip.end_ms,
            Clip.origin,
            Clip.text,
            Clip.text_origin,
            Clip.speaker,
            Clip.split,
        )
        .where(Clip.media_id == media_id, Clip.active)
        .order_by(Clip.start_ms, Clip.end_ms)
    )


def _segments(connection: Connection, chosen: AnySelect) -> list[tuple[int, Segment]]:
    """The chosen clips as they were planned: a transcript of our own making is left out."""
    clips = connection.execute(chosen).all()
    labels: dict[int, dict[str, float]] = defaultdict(dict)
    ids = chosen.with_only_columns(Clip.id).order_by(None)
    for clip_id, label, value in connection.execute(
        select(ClipLabel.clip_id, ClipLabel.label, ClipLabel.value).where(
            ClipLabel.source == CORPUS, ClipLabel.clip_id.in_(ids)
        )
    ):
        labels[clip_id][label] = value
    return [
        (
            clip.id,
            Segment(
                start_ms=clip.start_ms,
                end_ms=clip.end_ms,
                origin=clip.origin,
                text=_plan_text(clip),
                text_origin=None if clip.text_origin == ASR else clip.text_origin,
                speaker=clip.speaker,
                split=clip.split,
                labels=labels.get(clip.id, {}),
            ),
        )
        for clip in clips
    ]


def _plan_text(clip: AnyRow) -> str | None:
    text: str | None = None if clip.text_origin == ASR else clip.text
    return text


def _has_other_words(clip: AnyRow, text: str | None, transcribe: bool) -> bool:
    """Whether a clip was answered on another transcript than it would be now."""
    if readable_or_none(text) != _plan_text(clip):
        return True
    heard = clip.text_origin == ASR
    return bool(clip.state == "ready" and heard != (transcribe and text is None))


def _describe(connection: Connection, media_id: int, content_hash: str, info: MediaInfo) -> None:
    video, audio = info.video, info.audio
    connection.execute(
        update(Media)
        .where(Media.id == media_id)
        .values(
            content_hash=content_hash,
            state="planned",
            stage=None,
            reason=None,
            container=readable(info.container),
            duration_ms=info.duration_ms,
            has_video=video is not None,
            has_audio=audio is not None,
            video_codec=video.codec if video else None,
            audio_codec=audio.codec if audio else None,
            width=video.width if video else None,
            height=video.height if video else None,
        )
    )


def _reset(connection: Connection, clip_ids: Sequence[int]) -> None:
    """Drop what was concluded from content or a transcript that is no more."""
    if not clip_ids:
        return
    rows = [{"stale": clip_id} for clip_id in clip_ids]
    connection.execute(  # the models are named so that the key, which starts with them, is used
        delete(Prediction).where(
            Prediction.model_id.in_(select(Model.id)), Prediction.clip_id == bindparam("stale")
        ),
        rows,
    )
    connection.execute(
        update(Clip)
        .where(Clip.id == bindparam("stale"))
        .values(state="pending", text=None, text_origin=None, **_FORGET),
        rows,
    )


def _upsert_clips(connection: Connection, media_id: int, planned: Mapping[Bounds, Segment]) -> None:
    """Insert the plan's clips or renew them; one that had failed gets another chance."""
    if not planned:
        return
    new = insert(connection.dialect, Clip)
    found = new.excluded
    keep_asr = (Clip.text_origin == ASR) & found.text.is_(None)
    upsert = new.on_conflict_do_update(
        index_elements=[Clip.media_id, Clip.start_ms, Clip.end_ms],
        set_={
            "origin": found.origin,
            "text": case((keep_asr, Clip.text), else_=found.text),
            "text_origin": case((keep_asr, Clip.text_origin), else_=found.text_origin),
            "speaker": found.speaker,
            "split": found.split,
            "active": found.active,
            "state": case((Clip.state == "failed", found.state), else_=Clip.state),
            "stage": None,
            "reason": None,
        },
    )
    rows = [
        {
            "media_id": media_id,
            "start_ms": segment.start_ms,
            "end_ms": segment.end_ms,
            "origin": segment.origin,
            "text": readable_or_none(segment.text),
            "text_origin": segment.text_origin,
            "speaker": readable_or_none(segment.speaker),
            "split": readable_or_none(segment.split),
            "active": True,
            "state": "pending",
        }
        for segment in planned.values()
    ]
    connection.execute(upsert, rows)


def _replace_labels(
    connection: Connection, media_id: int, planned: Mapping[Bounds, Segment]
) -> None:
    clips = select(Clip.id).where(Clip.media_id == media_id, Clip.active)
    connection.execute(
        delete(ClipLabel).where(ClipLabel.source == CORPUS, ClipLabel.clip_id.in_(clips))
    )
    if not any(segment.labels for segment in planned.values()):
        return
    ids = {
        (start, end): clip_id
        for clip_id, start, end in connection.execute(clips.add_columns(Clip.start_ms, Clip.end_ms))
    }
    rows = {
        (ids[bounds], readable(label)): value
        for bounds, segment in planned.items()
        for label, value in segment.labels.items()
    }
    connection.execute(
        insert(connection.dialect, ClipLabel),
        [
            {"clip_id": clip_id, "label": label, "source": CORPUS, "value": value}
            for (clip_id, label), value in rows.items()
        ],
    )
