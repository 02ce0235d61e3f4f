"""Forecasts as made, and the statements against which they are graded.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0009"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Both tables are empty at first."""
    op.create_table(
        "forecasts",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("run", sa.String(16), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("pool", sa.String(20), nullable=False),
        sa.Column("scenario", sa.String(40), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("score", sa.Text(), nullable=False),
        sa.Column("point_value", sa.Text()),
        sa.Column("so_far_fen", sa.BigInteger()),
        sa.Column("whole_fen", sa.BigInteger()),
        sa.Column("missing", sa.Text(), nullable=False, server_default=""),
        sa.Column("policy", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_forecasts_month", "forecasts", ["month", "id"])
    op.create_table(
        "statements",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("noted_at", sa.String(32), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("pool", sa.String(20), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Text()),
        sa.Column("point_value", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_statements_month", "statements", ["month", "pool", "id"])
