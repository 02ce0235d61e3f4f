"""Keeps what went over the wire: raw bytes as files, one row per exchange in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from dipgate.store import Connection, Store, clock_notes, outbox
from dipgate.sync.client import Exchange, PlatformClient


@dataclass(frozen=True, slots=True)
class KeptExchange:
    """An exchange whose raw bytes are stored under these hashes."""

    exchange: Exchange
    request_hash: str
    answer_hash: str


class ExchangeLog:
    """Listens to one client. Bytes are stored before the rows that name them."""

    def __init__(self, store: Store, client: PlatformClient) -> None:
        self._store = store
        self._heard: list[Exchange] = []
        client.on_exchange = self._heard.append

    def keep(self) -> tuple[KeptExchange, ...]:
        """Everything heard since the last call, its bytes stored durably."""
        kept = tuple(
            KeptExchange(
                exchange,
                self._store.keep_raw(exchange.request),
                self._store.keep_raw(exchange.answer) if exchange.answer else "",
            )
            for exchange in self._heard
        )
        self._heard.clear()
        return kept

    def write(self, row_id: int | None = None) -> None:
        """Log what was heard, in a transaction of its own."""
        kept = self.keep()
        if kept:
            self._store.write(lambda conn: write_exchanges(conn, kept, row_id))


def write_exchanges(conn: Connection, kept: Sequence[KeptExchange], row_id: int | None) -> None:
    """The rows of kept exchanges, in the caller's transaction."""
    for item in kept:
        exchange = item.exchange
        outbox.add_exchange(
            conn,
            outbox_id=row_id,
            infno=exchange.infno,
            msgid=exchange.msgid,
            request_hash=item.request_hash,
            answer_hash=item.answer_hash,
            http_status=exchange.http_status,
            outcome=exchange.outcome,
            at=exchange.at,
            millis=exchange.millis,
        )
        if exchange.their_time is not None:
            ours = exchange.at + timedelta(milliseconds=exchange.millis)
            clock_notes.note(conn, clock_notes.PLATFORM, ours=ours, theirs=exchange.their_time)
