"""What several machines need to share a database: claims, and the same order of text on each."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the claims; in PostgreSQL have text sorted by its bytes, as SQLite does."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table in sa.inspect(connection).get_table_names():
            if table != "alembic_version":
                _sort_by_bytes(connection, table)
    op.create_table(
        "claim",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_claim_model_id_model")),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name=op.f("fk_claim_media_id_media"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "media_id", name=op.f("pk_claim")),
        sqlite_with_rowid=False,
    )


def _sort_by_bytes(connection: sa.Connection, table: str) -> None:
    """One ALTER a table, for each of them rewrites the table's indexes."""
    columns = [
        f'ALTER COLUMN "{column["name"]}" TYPE text COLLATE "C"'
        for column in sa.inspect(connection).get_columns(table)
        if isinstance(column["type"], sa.Text)
    ]
    if columns:
        op.execute(f'ALTER TABLE "{table}" {", ".join(columns)}')
