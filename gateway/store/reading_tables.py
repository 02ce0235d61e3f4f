"""Tables of readings and clocks: what each reading brought, what is held, how clocks stood."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

readings = Table(
    "readings",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("source", String(60), nullable=False),
    Column("table_name", String(40), nullable=False),
    Column("unit", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("usual", Integer),
    Column("since", Moment),
    Column("taken_at", Moment, nullable=False),
    Column("state", String(20), nullable=False),
    Column("mark", Text, nullable=False, server_default=""),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_at", Moment),
    Column("reason", Text, nullable=False, server_default=""),
    Index("ix_readings_unit", "source", "table_name", "state", "id"),
    Index("ix_readings_state", "state", "source"),
    sqlite_autoincrement=True,
)
"""`unit` is the file or view, as the bookmark names it; `mark` what the bookmark becomes. `state`:
`taken`, `held`, and after that `covered` (a normal one came), `released` or `discarded`."""

held_batches = Table(
    "held_batches",
    metadata,
    Column("reading_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Rows and rejects of a held reading, in the order in which they came."""

clock_notes = Table(
    "clock_notes",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("ours", Moment, nullable=False),
    Column("theirs", Moment, nullable=False),
)
"""How a clock stood at the last comparison: `platform`, `source:<name>`, or `own` for the last
time that ours had gone back since the last write (`theirs` is what was written last)."""
