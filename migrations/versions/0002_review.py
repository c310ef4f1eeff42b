"""What goes to people and comes back: projects, tasks and annotations of Label Studio."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, those that are referred to first."""
    _tasks()
    _annotations()


def _tasks() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("pulled_to", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("server", "number", name=op.f("uq_project_server_number")),
    )
    op.create_table(
        "task",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'sending') = (number IS NULL)", name=op.f("ck_task_number")),
        sa.CheckConstraint("state IN ('sending', 'there', 'gone')", name=op.f("ck_task_state")),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_task_clip_id_clip")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_task_model_id_model")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_task_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", "sample", name=op.f("pk_task")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_task_clip_id"), "task", ["clip_id"], unique=False)
    op.create_index(
        op.f("ix_task_project_id_number"), "task", ["project_id", "number"], unique=False
    )


def _annotations() -> None:
    op.create_table(
        "annotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("task", sa.BigInteger(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("neutral", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("lead_seconds", sa.Double(), nullable=True),
        sa.Column("unchanged", sa.Boolean(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("pulled_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('labelled', 'unusable', 'skipped', 'empty')",
            name=op.f("ck_annotation_state"),
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_annotation_clip_id_clip")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_annotation_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
        sa.UniqueConstraint(
            "project_id",
            "number",
            "updated_at",
            name=op.f("uq_annotation_project_id_number_updated_at"),
        ),
    )
    op.create_index(op.f("ix_annotation_clip_id"), "annotation", ["clip_id"], unique=False)
    op.create_table(
        "annotation_label",
        sa.Column("annotation_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("intensity", sa.Integer(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["annotation_id"],
            ["annotation.id"],
            name=op.f("fk_annotation_label_annotation_id_annotation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("annotation_id", "label", name=op.f("pk_annotation_label")),
        sqlite_with_rowid=False,
    )
