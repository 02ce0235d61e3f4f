"""Code maps: rows of the hospital's layer that one person proposes and another approves.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """The table is empty at first; imported layers stay as they are."""
    op.create_table(
        "map_proposals",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("source_code", sa.String(60), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("target_code", sa.String(60), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date()),
        sa.Column("last_day", sa.Date()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("decided_at", sa.String(32)),
        sa.Column("decision", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("ending", sa.Text(), nullable=False, server_default=""),
        sa.CheckConstraint(
            "state <> 'approved' OR (decided_by <> '' AND lower(decided_by) <> lower(author))",
            name="ck_map_proposals_two_persons",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_map_proposals_code", "map_proposals", ["kind", "source_code"])
    op.create_index("ix_map_proposals_state", "map_proposals", ["state", "kind"])
