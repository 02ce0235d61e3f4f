"""How often each code stands in the hospital's own lists.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; lists that are there already are counted when the desk opens."""
    op.create_table(
        "code_lists",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_code_lists")),
    )
    op.create_table(
        "code_usage",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "department", "code", name=op.f("pk_code_usage")),
        sqlite_with_rowid=False,
    )
