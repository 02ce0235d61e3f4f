"""The table of proposals for the hospital's own layer of the code maps."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")
TWO_PERSONS = "state <> 'approved' OR (decided_by <> '' AND lower(decided_by) <> lower(author))"
"""What the database itself refuses: a row in force that nobody but its author has seen."""

map_proposals = Table(
    "map_proposals",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("source_code", String(60), nullable=False),
    Column("source_name", Text, nullable=False),
    Column("target_code", String(60), nullable=False),
    Column("target_name", Text, nullable=False),
    Column("first_day", Date),
    Column("last_day", Date),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_at", Moment),
    Column("decision", Text, nullable=False, server_default=""),
    Column("ended_by", Text, nullable=False, server_default=""),
    Column("ended_at", Moment),
    Column("ending", Text, nullable=False, server_default=""),
    CheckConstraint(TWO_PERSONS, name="ck_map_proposals_two_persons"),
    Index("ix_map_proposals_code", "kind", "source_code"),
    Index("ix_map_proposals_state", "state", "kind"),
    sqlite_autoincrement=True,
)
"""Only the state moves: `proposed` → `approved` or `rejected`; either open state → `withdrawn`."""
