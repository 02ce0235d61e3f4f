"""Rejects know their stay and when they were resolved; bills are found by settlement id.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns and the index; rejects of before stay open until they are read again."""
    op.add_column(
        "inbox_rejected", sa.Column("stay_key", sa.Text(), nullable=False, server_default="")
    )
    op.add_column("inbox_rejected", sa.Column("resolved_at", sa.String(32), nullable=True))
    op.create_index(
        "ix_inbox_rows_bill",
        "inbox_rows",
        ["part"],
        unique=False,
        sqlite_where=sa.text("part <> ''"),
        postgresql_where=sa.text("part <> ''"),
    )
