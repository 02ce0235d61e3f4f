"""Pushed rows: tokens of the systems that push, and the answers to their messages.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0012"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Both tables are empty at first."""
    op.create_table(
        "push_tokens",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("source", sa.String(60), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("used_at", sa.String(32)),
        sa.Column("revoked_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("revoked_at", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_push_tokens_name", "push_tokens", ["name"], unique=True)
    op.create_index("ix_push_tokens_digest", "push_tokens", ["digest"], unique=True)
    op.create_table(
        "push_receipts",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("message", sa.String(200), primary_key=True),
        sa.Column("raw_hash", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sqlite_with_rowid=False,
    )
