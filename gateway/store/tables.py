"""The tables of the operational store. One schema for SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
_Serial = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time as fixed-width ISO text in UTC, so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> str | None:
        return None if value is None else moment_text(value)

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def moment_text(value: datetime) -> str:
    """An aware time as the tables keep it. Raises ValueError for a naive one."""
    if value.tzinfo is None:
        raise ValueError("the store keeps aware times only")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


identity = Table(
    "identity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("hospital_code", String(30), nullable=False, server_default=""),
    Column("restore_epoch", Integer, nullable=False, server_default="0"),
    Column("restored_at", Moment),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

inbox_rows = Table(
    "inbox_rows",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("source", String(60), nullable=False),
    Column("table_name", String(20), nullable=False),
    Column("stay_key", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("identity", LargeBinary(20), nullable=False),
    Column("occurrence", Integer, nullable=False, server_default="0"),
    Column("object_name", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("raw_hash", String(64), nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
    UniqueConstraint("identity", "occurrence"),
    Index("ix_inbox_rows_stay", "source", "stay_key", "table_name"),
    Index(
        "ix_inbox_rows_bill",
        "part",
        sqlite_where=text("part <> ''"),
        postgresql_where=text("part <> ''"),
    ),
    Index(
        "ix_inbox_rows_object",
        "source",
        "object_name",
        sqlite_where=text("part <> ''"),
        postgresql_where=text("part <> ''"),
    ),
    sqlite_autoincrement=True,
)

inbox_repeats = Table(
    "inbox_repeats",
    metadata,
    Column("inbox_id", _Serial, ForeignKey("inbox_rows.id"), primary_key=True),
    Column("raw_hash", String(64), primary_key=True),
    Column("row", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

inbox_rejected = Table(
    "inbox_rejected",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("source", String(60), nullable=False),
    Column("table_name", String(20), nullable=False),
    Column("object_name", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("raw_hash", String(64), nullable=False),
    Column("rejected_at", Moment, nullable=False),
    Column("stay_key", Text, nullable=False, server_default=""),
    Column("resolved_at", Moment),
    UniqueConstraint("source", "raw_hash", "table_name", "object_name", "row", "field", "what"),
    sqlite_autoincrement=True,
)

"""`stay_key` names the stay of a bill that was read but could not be mapped; else it is empty,
or the key of a row that was set aside. `resolved_at`: the same thing was read well since.
"""

watermarks = Table(
    "watermarks",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("value", Text, nullable=False),
    Column("moved_at", Moment, nullable=False),
)

stays = Table(
    "stays",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("stay_key", Text, primary_key=True),
    Column("changes", Integer, nullable=False),
    Column("mapped", Integer, nullable=False, server_default="0"),
    Column("changed_at", Moment, nullable=False),
    Column("mapped_at", Moment),
    Index(
        "ix_stays_to_map",
        "source",
        "stay_key",
        sqlite_where=text("changes > mapped"),
        postgresql_where=text("changes > mapped"),
    ),
)

cases = Table(
    "cases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("settlement_id", String(60), nullable=False, unique=True),
    Column("source", String(60), nullable=False),
    Column("stay_key", Text, nullable=False),
    Column("person_no", String(60), nullable=False),
    Column("month", String(7), nullable=False),
    Column("settled_on", Date),
    Column("department", Text, nullable=False),
    Column("doctor", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("list_json", LargeBinary, nullable=False),
    Column("list_hash", String(64), nullable=False),
    Column("origins", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("fee_fen", BigInteger),
    Column("hold_reason", Text, nullable=False, server_default=""),
    Column("updated_at", Moment, nullable=False),
    Index("ix_cases_month", "month", "state", "settlement_id"),
    Index("ix_cases_state", "state", "settlement_id"),
    Index("ix_cases_stay", "source", "stay_key"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("case_id", String(32), nullable=False),
    Column("list_hash", String(64), nullable=False),
    Column("pack_version", String(64), nullable=False),
    Column("errors", Integer, nullable=False),
    Column("warnings", Integer, nullable=False),
    Column("hints", Integer, nullable=False),
    Column("not_checked", Integer, nullable=False),
    Column("findings", LargeBinary, nullable=False),
    Column("judged_at", Moment, nullable=False),
    UniqueConstraint("case_id", "list_hash", "pack_version"),
)

findings = Table(
    "findings",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("case_id", String(32), nullable=False),
    Column("list_hash", String(64), nullable=False),
    Column("rule", String(20), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Index("ix_findings_case", "case_id"),
    Index("ix_findings_rule", "rule", "id"),
)

groupings = Table(
    "groupings",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("case_id", String(32), nullable=False),
    Column("list_hash", String(64), nullable=False),
    Column("policy_hash", String(64), nullable=False),
    Column("library", String(120), nullable=False),
    Column("status", String(30), nullable=False),
    Column("layer", String(20), nullable=False),
    Column("group_code", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("base_score", String(40)),
    Column("score_status", String(20), nullable=False),
    Column("zone", String(10), nullable=False),
    Column("score", String(40)),
    Column("amount_fen", BigInteger),
    Column("result", LargeBinary, nullable=False),
    Column("grouped_at", Moment, nullable=False),
    UniqueConstraint("case_id", "list_hash", "policy_hash", "library"),
)

overlays = Table(
    "overlays",
    metadata,
    Column("number", _Serial, primary_key=True),
    Column("settlement_id", String(60), nullable=False),
    Column("op", String(12), nullable=False),
    Column("path", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("expect", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("undone_by", Text),
    Column("undone_at", Moment),
    Column("act", BigInteger),
    Column("redo", String(8)),
    Index("ix_overlays_settlement", "settlement_id"),
    sqlite_autoincrement=True,
)
"""`act` is the number of the first correction made in the same act (empty: its own number).

`redo` of a correction taken back: `open` may be made again, `taken` was, `dropped` gave way to
another correction.
"""

unmapped = Table(
    "unmapped",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("settlement_id", String(60), primary_key=True),
    Column("name", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Index("ix_unmapped_settlement", "settlement_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("case_id", String(32), nullable=False),
    Column("settlement_id", String(60), nullable=False),
    Column("person_no", String(60), nullable=False),
    Column("infno", String(10), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("settle_seconds", Float, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_found", Integer, nullable=False, server_default="0"),
    Column("waiting_for", Text, nullable=False, server_default=""),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("msgid", String(30), nullable=False, server_default=""),
    Column("list_no", String(60), nullable=False, server_default=""),
    Column("first_claimed_at", Moment),
    Column("unknown_since", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint(
        "state IN ('ready', 'sending', 'unknown', 'accepted', 'rejected', 'conflict', 'held',"
        " 'superseded')",
        name="state_known",
    ),
    Index("ix_outbox_due", "state", "not_before", "id"),
    Index("ix_outbox_settlement", "settlement_id", "id"),
    sqlite_autoincrement=True,
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("outbox_id", _Serial, ForeignKey("outbox.id")),
    Column("infno", String(10), nullable=False),
    Column("msgid", String(30), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("answer_hash", String(64), nullable=False),
    Column("http_status", Integer),
    Column("outcome", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("millis", Integer, nullable=False),
    Index("ix_exchanges_outbox", "outbox_id", "id"),
    sqlite_autoincrement=True,
)

results = Table(
    "results",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("infno", String(10), nullable=False),
    Column("month", String(7), nullable=False),
    Column("settlement_id", String(60), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
    UniqueConstraint("infno", "month", "settlement_id", "payload_hash"),
    Index("ix_results_settlement", "settlement_id", "infno"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("settlement_id", String(60), primary_key=True),
    Column("reason", String(60), nullable=False),
    Column("field", Text, nullable=False),
    Column("ours", Text, nullable=False),
    Column("theirs", Text, nullable=False),
    Column("expected_fen", BigInteger),
    Column("settled_fen", BigInteger),
    Column("our_group", Text, nullable=False, server_default=""),
    Column("their_group", Text, nullable=False, server_default=""),
    Column("our_score", Text, nullable=False, server_default=""),
    Column("their_score", Text, nullable=False, server_default=""),
    Column("steps", LargeBinary),
    Column("made_at", Moment, nullable=False),
    Index("ix_reconciliations_reason", "month", "reason", "settlement_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _Serial, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", String(40), nullable=False),
    Column("object", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_audit_actor", "actor", "at"),
    Index("ix_audit_act", "act", "at"),
    Index("ix_audit_object", "object"),
    sqlite_autoincrement=True,
)
