"""The desk: accounts, work queue with its counts, saved views, questions.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.String(length=32)
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ADD = (
    "INSERT INTO worklist_counts (grade, lists, pay_fen)"
    " VALUES (new.grade, 1, coalesce(new.pay_fen, 0))"
    " ON CONFLICT (grade) DO UPDATE SET lists = lists + 1,"
    " pay_fen = pay_fen + excluded.pay_fen;"
)
_TAKE = (
    "UPDATE worklist_counts SET lists = lists - 1, pay_fen = pay_fen - coalesce(old.pay_fen, 0)"
    " WHERE grade = old.grade;"
)


def upgrade() -> None:
    """Make the tables; on SQLite, triggers keep the counts of the queue."""
    op.create_table(
        "login_failures",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index("ix_login_failures_address", "login_failures", ["address", "at"], unique=False)
    op.create_index("ix_login_failures_login", "login_failures", ["login", "at"], unique=False)
    op.create_table(
        "questions",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_of", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=40), nullable=True),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index(
        "ix_questions_settlement", "questions", ["settlement_id", "answered_at"], unique=False
    )
    op.create_table(
        "users",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("password_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "worklist",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("grade", sa.String(length=8), nullable=False),
        sa.Column("rank", sa.Float(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("department_name", sa.Text(), nullable=False),
        sa.Column("doctor", sa.Text(), nullable=False),
        sa.Column("doctor_name", sa.Text(), nullable=False),
        sa.Column("record_no", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("dx_code", sa.Text(), nullable=False),
        sa.Column("dx_name", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("not_checked", sa.Integer(), nullable=False),
        sa.Column("waits_for", sa.Text(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=True),
        sa.Column("fee_fen", sa.BigInteger(), nullable=True),
        sa.Column("fund_fen", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.Date(), nullable=True),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_worklist")),
    )
    op.create_index(
        "ix_worklist_department",
        "worklist",
        ["department", "grade", "rank", "case_id"],
        unique=False,
    )
    op.create_index("ix_worklist_doctor", "worklist", ["doctor", "rank", "case_id"], unique=False)
    op.create_index("ix_worklist_dx", "worklist", ["dx_code"], unique=False)
    op.create_index("ix_worklist_grade", "worklist", ["grade", "rank", "case_id"], unique=False)
    op.create_index(
        "ix_worklist_month", "worklist", ["month", "grade", "rank", "case_id"], unique=False
    )
    op.create_index("ix_worklist_rank", "worklist", ["rank", "case_id"], unique=False)
    op.create_index("ix_worklist_record", "worklist", ["record_no"], unique=False)
    op.create_table(
        "worklist_counts",
        sa.Column("grade", sa.String(length=8), nullable=False),
        sa.Column("lists", sa.Integer(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grade", name=op.f("pk_worklist_counts")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("user_id", _SERIAL, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index("ix_saved_views_user", "saved_views", ["user_id", "name"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", _SERIAL, nullable=True),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires_at"], unique=False)
    op.create_index("ix_sessions_user", "sessions", ["user_id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        for act, steps in (
            ("INSERT", _ADD),
            ("DELETE", _TAKE),
            ("UPDATE OF grade, pay_fen", _TAKE + _ADD),
        ):
            name = act.split()[0].lower()
            op.execute(f"CREATE TRIGGER worklist_{name} AFTER {act} ON worklist BEGIN {steps} END")
