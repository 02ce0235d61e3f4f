"""Tables of forecasts as they were made, and of the bureau's monthly statements."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

forecasts = Table(
    "forecasts",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("made_at", Moment, nullable=False),
    Column("run", String(16), nullable=False),
    Column("month", String(7), nullable=False),
    Column("pool", String(20), nullable=False),
    Column("scenario", String(40), nullable=False),
    Column("cases", Integer, nullable=False),
    Column("score", Text, nullable=False),
    Column("point_value", Text),
    Column("so_far_fen", BigInteger),
    Column("whole_fen", BigInteger),
    Column("missing", Text, nullable=False, server_default=""),
    Column("policy", Text, nullable=False),
    Index("ix_forecasts_month", "month", "id"),
    sqlite_autoincrement=True,
)
"""One row per pool and scenario of a run; `run` joins them. Never changed afterwards."""

statements = Table(
    "statements",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("noted_at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("month", String(7), nullable=False),
    Column("pool", String(20), nullable=False),
    Column("pay_fen", BigInteger, nullable=False),
    Column("score", Text),
    Column("point_value", Text),
    Column("source", Text, nullable=False),
    Index("ix_statements_month", "month", "pool", "id"),
    sqlite_autoincrement=True,
)
"""What the bureau says it pays for a month; the newest row of a month and pool counts."""
