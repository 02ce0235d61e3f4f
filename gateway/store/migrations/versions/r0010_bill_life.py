"""The life of bills: what happened to lists after they were made, and stays that wait.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0011"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Both tables are empty at first; a bill is found in its file by an index of its own."""
    op.create_table(
        "bill_events",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("settlement_id", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sent_state", sa.String(12), nullable=False),
        sa.Column("sent_revision", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.String(60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_bill_events_settlement", "bill_events", ["settlement_id", "kind", "id"], unique=False
    )
    op.create_table(
        "waiting_stays",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("stay_key", sa.Text(), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("since", sa.String(32), nullable=False),
        sa.Column("discharged", sa.Date(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("settlement_id", sa.String(60), nullable=False),
    )
    op.create_index(
        "ix_waiting_stays_discharged",
        "waiting_stays",
        ["discharged", "source", "stay_key"],
        unique=False,
    )
    op.create_index(
        "ix_inbox_rows_object",
        "inbox_rows",
        ["source", "object_name"],
        unique=False,
        sqlite_where=sa.text("part <> ''"),
        postgresql_where=sa.text("part <> ''"),
    )
