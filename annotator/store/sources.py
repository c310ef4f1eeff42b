"""Media rows: what the scan saw, what failed, what is to be tried again."""

from collections.abc import Sequence
from os import fspath
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, case, exists, literal, or_, select, update

from annotator.store.columns import readable
from annotator.store.database import insert
from annotator.store.schema import Clip, Media, Prediction, Sighting
from annotator.store.targets import clips_meant, media_meant, target
from annotator.types import Source


def sync(connection: Connection, run_id: int, sources: Sequence[tuple[Source, str]]) -> None:
    """Enter what the run found, with each file's plan key; see `Store.sync_sources`."""
    if not sources:
        return
    new = insert(connection.dialect, Media)
    found = new.excluded
    changed = or_(
        Media.size != found.size,
        Media.mtime_ns != found.mtime_ns,
        Media.plan_key != found.plan_key,
    )
    upsert = new.on_conflict_do_update(
        index_elements=[Media.path],
        set_={
            "state": case((changed, found.state), else_=Media.state),
            "stage": case((changed, None), else_=Media.stage),
            "reason": case((changed, None), else_=Media.reason),
            "size": found.size,
            "mtime_ns": found.mtime_ns,
            "plan_key": found.plan_key,
            "seen_run": found.seen_run,
        },
    )
    rows = [
        {
            "path": fspath(source.path),
            "size": source.size,
            "mtime_ns": source.mtime_ns,
            "plan_key": plan_key,
            "state": "new",
            "seen_run": run_id,
        }
        for source, plan_key in sources
    ]
    connection.execute(upsert, rows)
    seen = select(literal(run_id), Media.id).where(Media.seen_run == run_id)
    connection.execute(
        insert(connection.dialect, Sighting)
        .from_select(["run_id", "media_id"], seen)
        .on_conflict_do_nothing()
    )


def fail_media(connection: Connection, media_id: int, stage: str, reason: str) -> None:
    """Mark a file as failed; its clips, if it has any, stay as they are."""
    connection.execute(
        update(Media)
        .where(Media.id == media_id)
        .values(state="failed", stage=stage, reason=readable(reason))
    )


def fail_clip(
    connection: Connection, clip_id: int, stage: str, reason: str, model_id: int | None
) -> None:
    """Mark a clip as failed, unless the model has answered for it."""
    answered = exists().where(Prediction.model_id == model_id, Prediction.clip_id == clip_id)
    connection.execute(
        update(Clip)
        .where(Clip.id == clip_id, ~answered)
        .values(state="failed", stage=stage, reason=readable(reason))
    )


def retry(connection: Connection, what: Sequence[int | str | Path] | None) -> int:
    """Give failed files and clips another chance; see `Store.retry`."""
    if what is None:
        return _reopen(connection, Media, "new") + _reopen(connection, Clip, "pending")
    count = 0
    for one in map(target, what):
        if isinstance(one, Path):
            count += _reopen(connection, Media, "new", Media.id == media_meant(connection, one))
        count += _reopen(connection, Clip, "pending", clips_meant(connection, one))
    return count


def _reopen(
    connection: Connection,
    table: type[Media] | type[Clip],
    state: str,
    *which: ColumnElement[bool],
) -> int:
    statement = update(table).where(table.state == "failed", *which)
    return connection.execute(statement.values(state=state, stage=None, reason=None)).rowcount
