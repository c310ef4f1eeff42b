"""The tables, as typed models. A change here needs a revision in `migrations/versions`."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from annotator.store.columns import Instant, PathText

FAILED_WITH_REASON = "(state = 'failed') = (stage IS NOT NULL AND reason IS NOT NULL)"


class Base(DeclarativeBase):
    """Names every constraint, so that later revisions can alter them in any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, datetime: Instant, dict: JSON, list: JSON}  # noqa: RUF012


class Media(Base):
    """A file. `plan_key` digests all that decides its clips; `seen_run` is the last to see it."""

    __tablename__ = "media"
    __table_args__ = (
        CheckConstraint("state IN ('new', 'planned', 'failed')", name="state"),
        CheckConstraint(FAILED_WITH_REASON, name="failure"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    plan_key: Mapped[str]
    content_hash: Mapped[str | None] = mapped_column(index=True)  # not unique: copies exist
    state: Mapped[str]
    stage: Mapped[str | None]
    reason: Mapped[str | None]
    container: Mapped[str | None]
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    has_video: Mapped[bool | None]
    has_audio: Mapped[bool | None]
    video_codec: Mapped[str | None]
    audio_codec: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    seen_run: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)


class Sighting(Base):
    """The files a run is about; kept until it is over and the next begins."""

    __tablename__ = "sighting"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    media_id: Mapped[int] = mapped_column(
        ForeignKey("media.id", ondelete="CASCADE"), primary_key=True
    )


class Claim(Base):
    """A file that a run works on, until `expires_ms` of the database's clock; for one model."""

    __tablename__ = "claim"
    __table_args__ = ({"sqlite_with_rowid": False},)

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), primary_key=True)
    media_id: Mapped[int] = mapped_column(
        ForeignKey("media.id", ondelete="CASCADE"), primary_key=True
    )
    owner: Mapped[str]
    expires_ms: Mapped[int] = mapped_column(BigInteger)


class Clip(Base):
    """A stretch of a file. One that a later plan drops is kept, not `active`: people label clips.

    Of each modality either the steps or the reason of its absence is set, once features are made.
    """

    __tablename__ = "clip"
    __table_args__ = (
        UniqueConstraint("media_id", "start_ms", "end_ms"),
        CheckConstraint("state IN ('pending', 'ready', 'failed')", name="state"),
        CheckConstraint(FAILED_WITH_REASON, name="failure"),
        CheckConstraint("0 <= start_ms AND start_ms < end_ms", name="bounds"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    origin: Mapped[str]
    text: Mapped[str | None]
    text_origin: Mapped[str | None]
    speaker: Mapped[str | None]
    split: Mapped[str | None]
    active: Mapped[bool]
    state: Mapped[str]
    stage: Mapped[str | None]
    reason: Mapped[str | None]
    visual_steps: Mapped[int | None]
    audio_steps: Mapped[int | None]
    text_steps: Mapped[int | None]
    visual_absent: Mapped[str | None]
    audio_absent: Mapped[str | None]
    text_absent: Mapped[str | None]


class ClipLabel(Base):
    """A label value given for a clip, not predicted; `source` says by whom."""

    __tablename__ = "clip_label"
    __table_args__ = ({"sqlite_with_rowid": False},)

    clip_id: Mapped[int] = mapped_column(
        ForeignKey("clip.id", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class Model(Base):
    """A model version; the same name never means other weights."""

    __tablename__ = "model"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    weights_hash: Mapped[str]
    labels: Mapped[list[str]] = mapped_column(JSON)
    config: Mapped[dict[str, object]] = mapped_column(JSON)
    extractors: Mapped[dict[str, str]] = mapped_column(JSON)
    trained: Mapped[bool]
    created_at: Mapped[datetime]
    path: Mapped[str | None] = mapped_column(PathText)
    parent: Mapped[str | None]  # by name: it need not be registered here


class Run(Base):
    """One `annotate run`: what it takes to repeat it, and what came of it."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'interrupted', 'failed')", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    settings: Mapped[dict[str, object]] = mapped_column(JSON)
    tool_version: Mapped[str]
    state: Mapped[str]
    counts: Mapped[dict[str, object]] = mapped_column(JSON)
    stage_seconds: Mapped[dict[str, float]] = mapped_column(JSON)


class Prediction(Base):
    """One model's scores of one clip. An index a score makes "the most uncertain 500" a lookup.

    The key starts with the model, so that a run appends and a ranking reads one model's rows.
    """

    __tablename__ = "prediction"
    __table_args__ = (
        Index(None, "model_id", "variance"),
        Index(None, "model_id", "entropy"),
        Index(None, "model_id", "margin"),
        Index(None, "model_id", "bald"),
        {"sqlite_with_rowid": False},
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"), primary_key=True)
    clip_id: Mapped[int] = mapped_column(
        ForeignKey("clip.id", ondelete="CASCADE"), primary_key=True
    )
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    variance: Mapped[float]
    entropy: Mapped[float]
    margin: Mapped[float]
    bald: Mapped[float | None]
    created_at: Mapped[datetime]
    latent: Mapped[bytes | None]  # float16, little endian; None in rows of before it was kept


class LabelPrediction(Base):
    """One model's answer for one label of a clip; a sigma is null where its modality is absent."""

    __tablename__ = "label_prediction"
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_id", "clip_id"],
            ["prediction.model_id", "prediction.clip_id"],
            ondelete="CASCADE",
        ),
        {"sqlite_with_rowid": False},
    )

    model_id: Mapped[int] = mapped_column(primary_key=True)
    clip_id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    p: Mapped[float]
    p_mu: Mapped[float]
    p_sigma: Mapped[float]
    p_direct: Mapped[float]
    sigma_visual: Mapped[float | None]
    sigma_audio: Mapped[float | None]
    sigma_text: Mapped[float | None]


class Project(Base):
    """A Label Studio project that clips were sent to. `pulled_to` is the newest change seen."""

    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("server", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    server: Mapped[str]
    number: Mapped[int] = mapped_column(BigInteger)  # there
    title: Mapped[str]
    labels: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    pulled_to: Mapped[datetime | None]


class Task(Base):
    """A clip in a project. Entered before it is sent, so that what a kill cut off is known.

    `number` is the server's, None until it is known to be there. A clip is there once, and so is
    every copy of it: the sample is its content.
    """

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint("state IN ('sending', 'there', 'gone')", name="state"),
        CheckConstraint("(state = 'sending') = (number IS NULL)", name="number"),
        CheckConstraint("reason IN ('score', 'audit')", name="reason"),
        Index(None, "project_id", "number"),
        Index(None, "clip_id"),
        {"sqlite_with_rowid": False},
    )

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    sample: Mapped[str] = mapped_column(primary_key=True)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    number: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    shown: Mapped[bool]  # the model's answer, to whoever labels it
    created_at: Mapped[datetime]
    reason: Mapped[str | None]  # chosen by score, or drawn for the audit; nobody is shown it


class Annotation(Base):
    """One person's answer about a clip at one moment; a later version of it is another row.

    `current` marks the newest version of what is on the server; of a deleted one there is none.
    """

    __tablename__ = "annotation"
    __table_args__ = (
        UniqueConstraint("project_id", "number", "updated_at"),
        CheckConstraint("state IN ('labelled', 'unusable', 'skipped', 'empty')", name="state"),
        Index(None, "clip_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    number: Mapped[int] = mapped_column(BigInteger)  # on the server
    task: Mapped[int] = mapped_column(BigInteger)  # likewise
    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id"))
    annotator: Mapped[str]
    state: Mapped[str]
    neutral: Mapped[bool]
    comment: Mapped[str | None]
    lead_seconds: Mapped[float | None]
    unchanged: Mapped[bool | None]  # sent as it was shown; None where nothing was
    result: Mapped[list[object]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    pulled_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]  # seen to be
    current: Mapped[bool]


class AnnotationLabel(Base):
    """A label that an annotation gives, and whether the model's answer had it first (`origin`)."""

    __tablename__ = "annotation_label"
    __table_args__ = ({"sqlite_with_rowid": False},)

    annotation_id: Mapped[int] = mapped_column(
        ForeignKey("annotation.id", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(primary_key=True)
    intensity: Mapped[int | None]
    origin: Mapped[str | None]
