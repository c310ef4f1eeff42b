"""What choosing clips goes by: each clip's latent, and why a task was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two columns, empty in the rows there are; no table is rebuilt, however large."""
    op.add_column("prediction", sa.Column("latent", sa.LargeBinary(), nullable=True))
    # By hand: SQLite takes a constraint with its column alone, and Alembic writes it by itself.
    op.execute(
        "ALTER TABLE task ADD COLUMN reason TEXT "
        "CONSTRAINT ck_task_reason CHECK (reason IN ('score', 'audit'))"
    )
