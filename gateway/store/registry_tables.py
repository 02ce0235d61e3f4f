"""Tables of the registry: entries made at the desk, and wards and people that no entry knows."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, Text

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

registry_entries = Table(
    "registry_entries",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("local_code", Text, nullable=False),
    Column("local_name", Text, nullable=False),
    Column("national_code", String(30), nullable=False),
    Column("national_name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("department", Text, nullable=False),
    Column("first_day", Date),
    Column("last_day", Date),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_at", Moment),
    Column("decision", Text, nullable=False, server_default=""),
    Index("ix_registry_entries_code", "kind", "local_code"),
    Index("ix_registry_entries_state", "state", "kind"),
    sqlite_autoincrement=True,
)
"""Never edited but for its state: `proposed` → `active` or `refused`, `active` → `withdrawn`."""

registry_items = Table(
    "registry_items",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("grp", String(20), primary_key=True),
    Column("local_code", Text, primary_key=True),
    Column("settlement_id", String(60), primary_key=True),
    Column("local_name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("why", String(20), nullable=False),
    Column("path", Text, nullable=False),
    Column("object_name", Text, nullable=False),
    Column("row_no", Integer, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("used_on", Date),
    Column("first_seen", Moment, nullable=False),
    Index("ix_registry_items_settlement", "settlement_id"),
)
"""One ward or person that the registry does not know, in one settlement, with its source cell."""
