"""Readings, what is held of them, and how other clocks stood.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All are empty at first: what is usual has yet to be learnt."""
    op.create_table(
        "readings",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("table_name", sa.String(40), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Integer()),
        sa.Column("since", sa.String(32)),
        sa.Column("taken_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False, server_default=""),
        sa.Column("decided_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("decided_at", sa.String(32)),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_readings_unit", "readings", ["source", "table_name", "state", "id"])
    op.create_index("ix_readings_state", "readings", ["state", "source"])
    op.create_table(
        "held_batches",
        sa.Column("reading_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clock_notes",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("ours", sa.String(32), nullable=False),
        sa.Column("theirs", sa.String(32), nullable=False),
    )
