"""Which bills are past: settled before the month that the site names, and not live already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from dipgate.core.clock import read_date
from dipgate.core.record import SourceSpec, TableMap
from dipgate.mapping.convert import date_text
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, history

DAYS = ("setl_end_date", "setl_time")
"""Fields that say the settlement day, the first that is filled."""


def settled_on(values: Mapping[str, str], table: TableMap) -> date | None:
    """The settlement day of a settlement row, in whatever form its source writes dates."""
    for name in DAYS:
        column = table.columns.get(name)
        if column is None:
            continue
        try:
            text, _ = date_text(values.get(column, "").strip())
        except ValueError:
            continue
        if text:
            return read_date(text)
    return None


def month_of(values: Mapping[str, str], spec: SourceSpec) -> str:
    """`YYYY-MM` of the settlement, or empty when its day cannot be read."""
    day = settled_on(values, spec.tables["settlement"])
    return f"{day:%Y-%m}" if day else ""


def kept_out(
    conn: Connection, desk: Desk, bills: Iterable[tuple[str, date | None]]
) -> frozenset[str]:
    """Of bills (settlement id, day) those that live work leaves alone: past, and no list of ours.

    `conn` reads the live store. Without `history.before` nothing is past.
    """
    before = desk.site.history.before
    past = [bill for bill, day in bills if before and day is not None and f"{day:%Y-%m}" < before]
    return frozenset(past) - history.known(conn, past).keys() if past else frozenset()
