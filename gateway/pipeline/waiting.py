"""Patients who have gone home and are no whole list yet: what is missing, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dipgate.core.clock import read_date
from dipgate.core.record import RawRow
from dipgate.core.worklist import MISSING, Standing, waiting_standing
from dipgate.mapping.convert import date_text
from dipgate.pipeline.bill_life import Bills, Stay
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, waiting
from dipgate.store.waiting import WaitingStay

BILL, FRONT_PAGE, CHARGES = "bill", "front_page", "charges"
FORGOTTEN = 180
"""Days after the discharge from which a stay is not waited for any more."""
MOST = 200
"""Lines on one page."""
_GONE_HOME = ("dscg_time", "setl_end_date", "setl_time")
"""Fields that say when the patient went home: of a bill the first that is filled."""


@dataclass(frozen=True, slots=True)
class Line:
    """One waiting stay, and where it stands."""

    stay: WaitingStay
    standing: Standing


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """Some lines of all. `following`: where the next page begins, 0 at the end."""

    lines: tuple[Line, ...]
    counts: Mapping[str, int]
    total: int
    overdue: int
    following: int


def note(
    conn: Connection,
    desk: Desk,
    source: str,
    stay_key: str,
    stay: Stay,
    bills: Bills,
    tables: Collection[str],
) -> str:
    """Keep or forget that a stay waits, by its current rows; what it waits for, or empty.

    `tables` are those that the source gives. Who is in the ward still waits for nothing, nor do
    stays of past months. A stay whose bills are all cancelled waits for the next one.
    """
    kind = _missing(stay, bills, tables)
    discharged = _discharged(desk, stay, bills) if kind else None
    before = desk.site.history.before
    if discharged is None or (before and f"{discharged:%Y-%m}" < before):
        waiting.drop(conn, source, stay_key)
        return ""
    rows = tuple(stay.rows.get("settlement", ()))
    found = WaitingStay(
        source=source,
        stay_key=stay_key,
        kind=kind,
        since=desk.clock.now(),
        discharged=discharged,
        record_no=_first(stay, "medcasno"),
        department=_first(stay, "dscg_dept_name") or _first(stay, "dscg_caty"),
        settlement_id=stay.bill((bills.live or rows)[-1]) if rows else "",
    )
    waiting.put(conn, found)
    return kind


def _missing(stay: Stay, bills: Bills, tables: Collection[str]) -> str:
    if bills.problems or "settlement" not in tables:
        return ""
    if not bills.live:
        return BILL if stay.rows.get("front_page") else ""
    for table, kind in (("front_page", FRONT_PAGE), ("charge", CHARGES)):
        if table in tables and not stay.rows.get(table):
            return kind
    return ""


def _discharged(desk: Desk, stay: Stay, bills: Bills) -> date | None:
    """The day of discharge; None while there is none.

    The front page says it; without one the bill does. A day that is there and cannot be read
    counts as today: it must not hide the stay.
    """
    front = tuple(stay.rows.get("front_page", ()))
    if front:
        return _day(desk, stay.value("front_page", front[-1], _GONE_HOME[0]))
    for row in bills.live[-1:]:
        return _settled(desk, stay, row)
    return None


def _settled(desk: Desk, stay: Stay, row: RawRow) -> date | None:
    written = (stay.value("settlement", row, name) for name in _GONE_HOME)
    return _day(desk, next((text for text in written if text), ""))


def _day(desk: Desk, written: str) -> date | None:
    try:
        text, _ = date_text(written)
    except ValueError:
        return desk.today()
    return read_date(text) if text else None


def _first(stay: Stay, name: str) -> str:
    """The first filled value of a field in front page or bill."""
    for table in ("front_page", "settlement"):
        for row in stay.rows.get(table, ()):
            value = stay.value(table, row, name)
            if value:
                return value
    return ""


def totals(conn: Connection, desk: Desk) -> tuple[int, int]:
    """How many stays wait, and how many of them are overdue."""
    first, late, last = _days(desk)
    waits = sum(waiting.counts(conn, first, last).values())
    return waits, sum(waiting.counts(conn, first, late).values())


def read_page(desk: Desk, *, offset: int = 0) -> WaitingPage:
    """Part of the waiting stays, the longest gone home first."""
    first, _, last = _days(desk)
    with desk.store.read() as conn:
        found = waiting.page(conn, first, last, offset=offset, limit=MOST)
        counts = waiting.counts(conn, first, last)
        total, overdue = totals(conn, desk)
    end = offset + len(found)
    return WaitingPage(
        lines=tuple(_line(desk, stay) for stay in found),
        counts={kind: counts.get(kind, 0) for kind in MISSING},
        total=total,
        overdue=overdue,
        following=end if found and end < total else 0,
    )


def _days(desk: Desk) -> tuple[date, date, date]:
    """First day that is waited for, last that is overdue, last that counts: today."""
    today = desk.today()
    late = today - timedelta(days=desk.site.desk.wait_days + 1)
    return today - timedelta(days=FORGOTTEN), late, today


def _line(desk: Desk, stay: WaitingStay) -> Line:
    days = (desk.today() - stay.discharged).days
    late = days > desk.site.desk.wait_days
    return Line(stay, waiting_standing(stay.kind, stay.source, days, overdue=late))
