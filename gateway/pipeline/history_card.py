"""What the last run of history did or the present one is doing, and what there is: for others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.store import history, open_store

PROGRESS = "progress.json"
SILENT = timedelta(minutes=10)
"""A run that says nothing for longer has ended without a word: killed, or the power was cut."""


class Card(msgspec.Struct, frozen=True):
    """How far a run is; no personal data."""

    phase: str
    source: str
    month: str
    done: int
    total: int | None
    per_minute: int
    """Of the present phase: rows when reading, bills when judging."""
    seconds_left: int | None
    started_at: datetime
    at: datetime
    pid: int
    ended: str = ""
    """Empty while it runs; then `done`, `stopped` or `failed`."""


@dataclass(frozen=True, slots=True)
class HistoryFact:
    """Bills of past months by what became of them, and the last run."""

    judged: int
    waiting: int
    aside: int
    live: int
    card: Card | None
    problem: str = ""
    """Why the past months cannot be read; empty when they can."""


def write_card(folder: Path, card: Card) -> None:
    """Whole or not at all."""
    part = folder / f".{PROGRESS}"
    part.write_bytes(msgspec.json.encode(card))
    part.replace(folder / PROGRESS)


def card_of(state: Path) -> Card | None:
    """What the last run did or the present one is doing; None when there was none."""
    try:
        return msgspec.json.decode((history.folder(state) / PROGRESS).read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError):
        return None


def history_fact(state: Path, clock: Clock, before: str) -> HistoryFact | None:
    """What there is of past months; None when nothing was ever read."""
    folder = history.folder(state)
    card = card_of(state)
    if not folder.is_dir():
        return None
    try:
        with (
            open_store(folder, clock, owner="", read_only=True, past=True) as store,
            store.read() as conn,
        ):
            months = history.bill_counts(conn)
    except ConfigError as error:
        return HistoryFact(0, 0, 0, 0, card, str(error))
    past = [counts for month, counts in months.items() if month and month < before]

    def number(state_: str) -> int:
        return sum(counts[state_] for counts in past)

    return HistoryFact(
        number(history.JUDGED),
        number(history.WAITING),
        number(history.ASIDE),
        number(history.LIVE),
        card,
    )
