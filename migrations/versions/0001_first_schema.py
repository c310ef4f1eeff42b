"""The first schema: what `annotate run` plans, does and predicts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

FAILED_WITH_REASON = "(state = 'failed') = (stage IS NOT NULL AND reason IS NOT NULL)"


def upgrade() -> None:
    """Create the tables, those that are referred to first."""
    _models_and_runs()
    _media()
    _clips()
    _predictions()


def _models_and_runs() -> None:
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weights_hash", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("extractors", sa.JSON(), nullable=False),
        sa.Column("trained", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("name", name=op.f("uq_model_name")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("stage_seconds", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'interrupted', 'failed')", name=op.f("ck_run_state")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_run_model_id_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )


def _media() -> None:
    op.create_table(
        "media",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("plan_key", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("container", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("has_video", sa.Boolean(), nullable=True),
        sa.Column("has_audio", sa.Boolean(), nullable=True),
        sa.Column("video_codec", sa.Text(), nullable=True),
        sa.Column("audio_codec", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("seen_run", sa.Integer(), nullable=False),
        sa.CheckConstraint(FAILED_WITH_REASON, name=op.f("ck_media_failure")),
        sa.CheckConstraint("state IN ('new', 'planned', 'failed')", name=op.f("ck_media_state")),
        sa.ForeignKeyConstraint(["seen_run"], ["run.id"], name=op.f("fk_media_seen_run_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("path", name=op.f("uq_media_path")),
    )
    op.create_index(op.f("ix_media_content_hash"), "media", ["content_hash"], unique=False)
    op.create_index(op.f("ix_media_seen_run"), "media", ["seen_run"], unique=False)
    op.create_table(
        "sighting",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_sighting_media_id_media"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_sighting_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "media_id", name=op.f("pk_sighting")),
        sqlite_with_rowid=False,
    )


def _clips() -> None:
    op.create_table(
        "clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("text_origin", sa.Text(), nullable=True),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("split", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("visual_steps", sa.Integer(), nullable=True),
        sa.Column("audio_steps", sa.Integer(), nullable=True),
        sa.Column("text_steps", sa.Integer(), nullable=True),
        sa.Column("visual_absent", sa.Text(), nullable=True),
        sa.Column("audio_absent", sa.Text(), nullable=True),
        sa.Column("text_absent", sa.Text(), nullable=True),
        sa.CheckConstraint(FAILED_WITH_REASON, name=op.f("ck_clip_failure")),
        sa.CheckConstraint("state IN ('pending', 'ready', 'failed')", name=op.f("ck_clip_state")),
        sa.CheckConstraint("0 <= start_ms AND start_ms < end_ms", name=op.f("ck_clip_bounds")),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_clip_media_id_media"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
        sa.UniqueConstraint(
            "media_id", "start_ms", "end_ms", name=op.f("uq_clip_media_id_start_ms_end_ms")
        ),
    )
    op.create_table(
        "clip_label",
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clip_id"], ["clip.id"], name=op.f("fk_clip_label_clip_id_clip"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("clip_id", "label", "source", name=op.f("pk_clip_label")),
        sqlite_with_rowid=False,
    )


def _predictions() -> None:
    op.create_table(
        "prediction",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("variance", sa.Double(), nullable=False),
        sa.Column("entropy", sa.Double(), nullable=False),
        sa.Column("margin", sa.Double(), nullable=False),
        sa.Column("bald", sa.Double(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clip_id"], ["clip.id"], name=op.f("fk_prediction_clip_id_clip"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_prediction_model_id_model")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_prediction_run_id_run")),
        sa.PrimaryKeyConstraint("model_id", "clip_id", name=op.f("pk_prediction")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_prediction_model_id_bald"), "prediction", ["model_id", "bald"], unique=False
    )
    op.create_index(
        op.f("ix_prediction_model_id_entropy"), "prediction", ["model_id", "entropy"], unique=False
    )
    op.create_index(
        op.f("ix_prediction_model_id_margin"), "prediction", ["model_id", "margin"], unique=False
    )
    op.create_index(
        op.f("ix_prediction_model_id_variance"),
        "prediction",
        ["model_id", "variance"],
        unique=False,
    )
    op.create_table(
        "label_prediction",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("p", sa.Double(), nullable=False),
        sa.Column("p_mu", sa.Double(), nullable=False),
        sa.Column("p_sigma", sa.Double(), nullable=False),
        sa.Column("p_direct", sa.Double(), nullable=False),
        sa.Column("sigma_visual", sa.Double(), nullable=True),
        sa.Column("sigma_audio", sa.Double(), nullable=True),
        sa.Column("sigma_text", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id", "clip_id"],
            ["prediction.model_id", "prediction.clip_id"],
            name=op.f("fk_label_prediction_model_id_clip_id_prediction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_id", "clip_id", "label", name=op.f("pk_label_prediction")),
        sqlite_with_rowid=False,
    )
