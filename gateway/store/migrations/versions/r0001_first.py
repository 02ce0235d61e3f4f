"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.String(length=32)
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table; on SQLite, triggers keep audit rows as they were written."""
    op.create_table(
        "audit",
        sa.Column("seq", _SERIAL, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.String(length=40), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_act", "audit", ["act", "at"], unique=False)
    op.create_index("ix_audit_actor", "audit", ["actor", "at"], unique=False)
    op.create_index("ix_audit_object", "audit", ["object"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("stay_key", sa.Text(), nullable=False),
        sa.Column("person_no", sa.String(length=60), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("doctor", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("list_json", sa.LargeBinary(), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("origins", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=True),
        sa.Column("hold_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("settlement_id", name="uq_cases_settlement_id"),
    )
    op.create_index("ix_cases_month", "cases", ["month", "state", "settlement_id"], unique=False)
    op.create_index("ix_cases_state", "cases", ["state", "settlement_id"], unique=False)
    op.create_index("ix_cases_stay", "cases", ["source", "stay_key"], unique=False)
    op.create_table(
        "findings",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
    )
    op.create_index("ix_findings_case", "findings", ["case_id"], unique=False)
    op.create_index("ix_findings_rule", "findings", ["rule", "id"], unique=False)
    op.create_table(
        "groupings",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("library", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("layer", sa.String(length=20), nullable=False),
        sa.Column("group_code", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("base_score", sa.String(length=40), nullable=True),
        sa.Column("score_status", sa.String(length=20), nullable=False),
        sa.Column("zone", sa.String(length=10), nullable=False),
        sa.Column("score", sa.String(length=40), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("grouped_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groupings"),
        sa.UniqueConstraint(
            "case_id",
            "list_hash",
            "policy_hash",
            "library",
            name="uq_groupings_case_id_list_hash_policy_hash_library",
        ),
    )
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hospital_code", sa.String(length=30), server_default="", nullable=False),
        sa.Column("restore_epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("restored_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_identity_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
    )
    op.create_table(
        "inbox_rejected",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("table_name", sa.String(length=20), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("raw_hash", sa.String(length=64), nullable=False),
        sa.Column("rejected_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_rejected"),
        sa.UniqueConstraint(
            "source",
            "raw_hash",
            "table_name",
            "object_name",
            "row",
            "field",
            "what",
            name="uq_inbox_rejected_source_raw_hash_table_name_object_name_row_field_what",
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "inbox_rows",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("table_name", sa.String(length=20), nullable=False),
        sa.Column("stay_key", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("identity", sa.LargeBinary(length=20), nullable=False),
        sa.Column("occurrence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("raw_hash", sa.String(length=64), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_rows"),
        sa.UniqueConstraint("identity", "occurrence", name="uq_inbox_rows_identity_occurrence"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_inbox_rows_stay", "inbox_rows", ["source", "stay_key", "table_name"], unique=False
    )
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_lease_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("person_no", sa.String(length=60), nullable=False),
        sa.Column("infno", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=True),
        sa.Column("settle_seconds", sa.Float(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_found", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waiting_for", sa.Text(), server_default="", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("msgid", sa.String(length=30), server_default="", nullable=False),
        sa.Column("list_no", sa.String(length=60), server_default="", nullable=False),
        sa.Column("first_claimed_at", _MOMENT, nullable=True),
        sa.Column("unknown_since", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.CheckConstraint(
            "state IN ('ready', 'sending', 'unknown', 'accepted', 'rejected', 'conflict', 'held',"
            " 'superseded')",
            name="ck_outbox_state_known",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("key", name="uq_outbox_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_due", "outbox", ["state", "not_before", "id"], unique=False)
    op.create_index("ix_outbox_settlement", "outbox", ["settlement_id", "id"], unique=False)
    op.create_table(
        "overlays",
        sa.Column("number", _SERIAL, nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("op", sa.String(length=12), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("expect", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_overlays"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_overlays_settlement", "overlays", ["settlement_id"], unique=False)
    op.create_table(
        "reconciliations",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("theirs", sa.Text(), nullable=False),
        sa.Column("expected_fen", sa.BigInteger(), nullable=True),
        sa.Column("settled_fen", sa.BigInteger(), nullable=True),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("month", "settlement_id", name="pk_reconciliations"),
    )
    op.create_index(
        "ix_reconciliations_reason",
        "reconciliations",
        ["month", "reason", "settlement_id"],
        unique=False,
    )
    op.create_table(
        "results",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("infno", sa.String(length=10), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
        sa.UniqueConstraint(
            "infno",
            "month",
            "settlement_id",
            "payload_hash",
            name="uq_results_infno_month_settlement_id_payload_hash",
        ),
    )
    op.create_index("ix_results_settlement", "results", ["settlement_id", "infno"], unique=False)
    op.create_table(
        "sequences",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sequences"),
    )
    op.create_table(
        "stays",
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("stay_key", sa.Text(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("mapped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("mapped_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("source", "stay_key", name="pk_stays"),
    )
    op.create_index(
        "ix_stays_to_map",
        "stays",
        ["source", "stay_key"],
        unique=False,
        sqlite_where=sa.text("changes > mapped"),
        postgresql_where=sa.text("changes > mapped"),
    )
    op.create_table(
        "unmapped",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("settlement_id", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "code", "settlement_id", name="pk_unmapped"),
    )
    op.create_index("ix_unmapped_settlement", "unmapped", ["settlement_id"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("pack_version", sa.String(length=64), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("hints", sa.Integer(), nullable=False),
        sa.Column("not_checked", sa.Integer(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        sa.Column("judged_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.UniqueConstraint(
            "case_id",
            "list_hash",
            "pack_version",
            name="uq_verdicts_case_id_list_hash_pack_version",
        ),
    )
    op.create_table(
        "watermarks",
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("moved_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_watermarks"),
    )
    op.create_table(
        "exchanges",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("outbox_id", _SERIAL, nullable=True),
        sa.Column("infno", sa.String(length=10), nullable=False),
        sa.Column("msgid", sa.String(length=30), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer_hash", sa.String(length=64), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("millis", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name="fk_exchanges_outbox_id"),
        sa.PrimaryKeyConstraint("id", name="pk_exchanges"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_exchanges_outbox", "exchanges", ["outbox_id", "id"], unique=False)
    op.create_table(
        "inbox_repeats",
        sa.Column("inbox_id", _SERIAL, nullable=False),
        sa.Column("raw_hash", sa.String(length=64), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox_rows.id"], name="fk_inbox_repeats_inbox_id"),
        sa.PrimaryKeyConstraint("inbox_id", "raw_hash", "row", name="pk_inbox_repeats"),
        sqlite_with_rowid=False,
    )

    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit"
                " BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END"
            )
