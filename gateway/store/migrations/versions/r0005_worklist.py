"""The work queue follows every change: triggers mark the lists whose row must be made again.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MARK = "INSERT INTO worklist_due (case_id) SELECT {found} ON CONFLICT (case_id) DO NOTHING;"
_OF_SETTLEMENT = "id FROM cases WHERE settlement_id = new.settlement_id"
_WATCHED = (
    ("cases", "INSERT", "", "new.id WHERE true"),
    ("cases", "UPDATE", "", "new.id WHERE true"),
    ("cases", "DELETE", "", "old.id WHERE true"),
    ("verdicts", "INSERT", "", "new.case_id WHERE true"),
    ("groupings", "INSERT", "", "new.case_id WHERE true"),
    ("outbox", "INSERT", "", _OF_SETTLEMENT),
    ("outbox", "UPDATE OF state", " WHEN new.state <> 'sending'", _OF_SETTLEMENT),
    ("questions", "INSERT", "", _OF_SETTLEMENT),
    ("questions", "UPDATE", "", _OF_SETTLEMENT),
)
"""Table, act, condition, what to mark. A list being sent looks the same as one that waits."""


def upgrade() -> None:
    """Make the tables and the index; on SQLite, triggers mark what changed."""
    op.create_table(
        "worklist_due",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_worklist_due")),
    )
    op.create_table(
        "worklist_basis",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("upload_days", sa.Integer(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_worklist_basis_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worklist_basis")),
    )
    op.create_index("ix_worklist_deadline", "worklist", ["grade", "deadline"], unique=False)
    op.create_index("ix_worklist_rule", "worklist", ["grade", "rule"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for table, act, when, found in _WATCHED:
            name = f"worklist_due_{table}_{act.split()[0].lower()}"
            op.execute(
                f"CREATE TRIGGER {name} AFTER {act} ON {table}{when}"
                f" BEGIN {_MARK.format(found=found)} END"
            )
