"""The registry: entries made at the desk, and what no entry knows.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0007"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Both tables are empty at first; items come with the next mapping of each list."""
    op.create_table(
        "registry_entries",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("local_code", sa.Text(), nullable=False),
        sa.Column("local_name", sa.Text(), nullable=False),
        sa.Column("national_code", sa.String(30), nullable=False),
        sa.Column("national_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date()),
        sa.Column("last_day", sa.Date()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("decided_at", sa.String(32)),
        sa.Column("decision", sa.Text(), nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_registry_entries_code", "registry_entries", ["kind", "local_code"])
    op.create_index("ix_registry_entries_state", "registry_entries", ["state", "kind"])
    op.create_table(
        "registry_items",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("grp", sa.String(20), primary_key=True),
        sa.Column("local_code", sa.Text(), primary_key=True),
        sa.Column("settlement_id", sa.String(60), primary_key=True),
        sa.Column("local_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("why", sa.String(20), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("used_on", sa.Date()),
        sa.Column("first_seen", sa.String(32), nullable=False),
    )
    op.create_index("ix_registry_items_settlement", "registry_items", ["settlement_id"])
