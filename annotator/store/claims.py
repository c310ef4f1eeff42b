"""Claims: which run holds which file, so that several of one corpus share the work.

A claim is a lease: it ends by the database's own clock unless it is renewed, so a machine that dies
gives its files back. A run that was only slow may find that another has taken its file. Then both
do it: every write is one that may be done twice, so that costs time and nothing else.
"""

from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, text, update

from annotator.store import plans
from annotator.store.database import AnySelect, insert
from annotator.store.records import Held
from annotator.store.schema import Claim, Media, Sighting

_NOW = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def now_ms(connection: Connection) -> int:
    """The database's clock, in milliseconds since 1970: those of the machines may differ."""
    return int(connection.scalar(text(_NOW[connection.dialect.name])))


def claim(
    connection: Connection, run_id: int, model_id: int, owner: str, lease_ms: int
) -> int | None:
    """Take the largest file of the run that waits and nobody holds; see `Store.claim`."""
    now = now_ms(connection)
    held = exists().where(
        Claim.model_id == model_id, Claim.media_id == Media.id, Claim.expires_ms > now
    )
    free: AnySelect = (
        select(Media.id)
        .join(Sighting)
        .where(Sighting.run_id == run_id, plans.waits(model_id), ~held)
        .order_by(Media.size.desc(), Media.id)
        .limit(1)
        .with_for_update(of=Media, skip_locked=True)  # SQLite, with its one writer, needs none
    )
    while (media_id := connection.scalar(free)) is not None:
        if _enter(connection, model_id, media_id, owner, now, lease_ms):
            return int(media_id)
    return None


def _enter(
    connection: Connection, model_id: int, media_id: int, owner: str, now: int, lease_ms: int
) -> bool:
    """Whether the claim is ours: another's, entered since we looked, stays."""
    new = insert(connection.dialect, Claim).values(
        model_id=model_id, media_id=media_id, owner=owner, expires_ms=now + lease_ms
    )
    entered = new.on_conflict_do_update(
        index_elements=[Claim.model_id, Claim.media_id],
        set_={"owner": new.excluded.owner, "expires_ms": new.excluded.expires_ms},
        where=Claim.expires_ms <= now,
    ).returning(Claim.media_id)
    return connection.scalar(entered) is not None


def renew(connection: Connection, model_id: int, owner: str, lease_ms: int) -> None:
    """Extend what an owner holds and has not finished; what it has finished is given back."""
    ours = (Claim.model_id == model_id, Claim.owner == owner)
    waiting = exists().where(Media.id == Claim.media_id, plans.waits(model_id))
    connection.execute(delete(Claim).where(*ours, ~waiting))
    connection.execute(update(Claim).where(*ours).values(expires_ms=now_ms(connection) + lease_ms))


def release(connection: Connection, model_id: int, owner: str) -> None:
    """Give back all that an owner holds."""
    connection.execute(delete(Claim).where(Claim.model_id == model_id, Claim.owner == owner))


def held(connection: Connection, run_id: int, model_id: int, owner: str) -> Held:
    """What of a run's files still waits and is held by others than the owner."""
    files: Any = (
        select(func.count(), func.count(Claim.owner.distinct()))
        .join(Media, Media.id == Claim.media_id)
        .join(Sighting, Sighting.media_id == Media.id)
        .where(
            Sighting.run_id == run_id,
            Claim.model_id == model_id,
            Claim.owner != owner,
            Claim.expires_ms > now_ms(connection),
            plans.waits(model_id),
        )
    )
    return Held(*connection.execute(files).one())


def all_held(connection: Connection) -> Held:
    """What anybody holds for any model."""
    files: Any = select(func.count(), func.count(Claim.owner.distinct())).where(
        Claim.expires_ms > now_ms(connection)
    )
    return Held(*connection.execute(files).one())
