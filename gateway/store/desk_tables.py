"""Tables of the desk: who works here, what waits in the queue, what was asked."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("login", String(40), nullable=False, unique=True),
    Column("name", String(60), nullable=False),
    Column("role", String(20), nullable=False),
    Column("password", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("password_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("user_id", _Serial, ForeignKey("users.id"), nullable=True),
    Column("csrf", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("address", String(60), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_sessions_user", "user_id"),
    Index("ix_sessions_expires", "expires_at"),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("login", String(40), nullable=False),
    Column("address", String(60), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_login_failures_login", "login", "at"),
    Index("ix_login_failures_address", "address", "at"),
)

worklist = Table(
    "worklist",
    metadata,
    Column("case_id", String(32), primary_key=True),
    Column("settlement_id", String(60), nullable=False),
    Column("grade", String(8), nullable=False),
    Column("rank", Float, nullable=False),
    Column("month", String(7), nullable=False),
    Column("state", String(12), nullable=False),
    Column("department", Text, nullable=False),
    Column("department_name", Text, nullable=False),
    Column("doctor", Text, nullable=False),
    Column("doctor_name", Text, nullable=False),
    Column("record_no", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("dx_code", Text, nullable=False),
    Column("dx_name", Text, nullable=False),
    Column("rule", String(20), nullable=False),
    Column("problem", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("warnings", Integer, nullable=False),
    Column("not_checked", Integer, nullable=False),
    Column("waits_for", Text, nullable=False),
    Column("pay_fen", BigInteger),
    Column("fee_fen", BigInteger),
    Column("fund_fen", BigInteger),
    Column("deadline", Date),
    Column("updated_at", Moment, nullable=False),
    Index("ix_worklist_rank", "rank", "case_id"),
    Index("ix_worklist_grade", "grade", "rank", "case_id"),
    Index("ix_worklist_department", "department", "grade", "rank", "case_id"),
    Index("ix_worklist_doctor", "doctor", "rank", "case_id"),
    Index("ix_worklist_month", "month", "grade", "rank", "case_id"),
    Index("ix_worklist_record", "record_no"),
    Index("ix_worklist_dx", "dx_code"),
    Index("ix_worklist_deadline", "grade", "deadline"),
    Index("ix_worklist_rule", "grade", "rule"),
)
"""One row per list, derived from case, verdict and group in the transaction that stores them.

`grade` is stop, look, wait, clean or done. `rank` is larger for what should be worked first: the
logarithm of the money less the days to the deadline in units of three days, so that the order of
two lists never changes by the clock alone. `person` is sex and age in words, never a name.
"""

worklist_counts = Table(
    "worklist_counts",
    metadata,
    Column("grade", String(8), primary_key=True),
    Column("lists", Integer, nullable=False),
    Column("pay_fen", BigInteger, nullable=False),
)
"""Kept by triggers on `worklist`, so that no page counts 100,000 rows."""

worklist_due = Table(
    "worklist_due",
    metadata,
    Column("case_id", String(32), primary_key=True),
)
"""Lists whose row must be made again, marked by triggers; empty after every transaction."""

worklist_basis = Table(
    "worklist_basis",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("form", Integer, nullable=False),
    Column("upload_days", Integer),
    CheckConstraint("id = 1", name="one_row"),
)
"""What all rows of `worklist` were made with; something else at start means: make them again."""

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("user_id", _Serial, ForeignKey("users.id"), nullable=False),
    Column("name", String(60), nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_saved_views_user", "user_id", "name", unique=True),
)

questions = Table(
    "questions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("settlement_id", String(60), nullable=False),
    Column("path", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("asked_of", Text, nullable=False),
    Column("asked_by", String(40), nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("answer", Text),
    Column("answered_by", String(40)),
    Column("answered_at", Moment),
    Index("ix_questions_settlement", "settlement_id", "answered_at"),
)

code_lists = Table(
    "code_lists",
    metadata,
    Column("case_id", String(32), primary_key=True),
    Column("list_hash", String(64), nullable=False),
    Column("department", Text, nullable=False),
    Column("codes", Text, nullable=False),
)
"""What each list has put into `code_usage`, so that a changed list can take it back."""

code_usage = Table(
    "code_usage",
    metadata,
    Column("kind", String(10), primary_key=True),
    Column("department", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("uses", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""Number of lists with a code, per department; the empty department is the whole hospital."""
