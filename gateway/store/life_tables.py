"""Tables of the life of bills: what happened to a list after it was made, and what waits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, String, Table, Text

from dipgate.store.tables import Moment, metadata

_Serial = BigInteger().with_variant(Integer, "sqlite")

bill_events = Table(
    "bill_events",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("settlement_id", String(60), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sent_state", String(12), nullable=False),
    Column("sent_revision", Integer, nullable=False),
    Column("other_id", String(60), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_bill_events_settlement", "settlement_id", "kind", "id"),
    sqlite_autoincrement=True,
)
"""Never edited. `kind`: `retired` (its bill is gone), `back` (it came back), `late` (the source
changed it), `carried` (it took the corrections of `other_id`), `cleared` (a person saw to it that
the platform has no list of it). `revision` is the list's, `sent_state` and `sent_revision` those
of what the platform had or may have had. `detail` is JSON: of `late` the differences, of
`carried` the corrections to be looked at again.
"""

waiting_stays = Table(
    "waiting_stays",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("stay_key", Text, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("since", Moment, nullable=False),
    Column("discharged", Date, nullable=False),
    Column("record_no", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("settlement_id", String(60), nullable=False),
    Index("ix_waiting_stays_discharged", "discharged", "source", "stay_key"),
)
"""Stays whose patient has gone home and that are no complete list yet. `kind`: what is missing."""
