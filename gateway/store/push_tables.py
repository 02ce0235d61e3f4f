"""Tables of pushed rows: who may push, and what was answered to which message."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

push_tokens = Table(
    "push_tokens",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("source", String(60), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_by", Text, nullable=False, server_default=""),
    Column("revoked_at", Moment),
    Index("ix_push_tokens_name", "name", unique=True),
    Index("ix_push_tokens_digest", "digest", unique=True),
    sqlite_autoincrement=True,
)
"""A token itself is shown once and stands nowhere; a revoked one keeps its row and its name."""

push_receipts = Table(
    "push_receipts",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("message", String(200), primary_key=True),
    Column("raw_hash", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
"""The answer to a message that named itself, so that the same message gets the same answer."""
