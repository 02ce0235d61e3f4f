"""What happened to a list after it was made, in words: cancelled, changed late, settled anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dipgate.core.worklist import TAKE_DOWN
from dipgate.pipeline.bill_life import told
from dipgate.store import life
from dipgate.web.case_sheet import Sheet

MOST_PLACES = 12
"""Changed places shown of one event; the rest is counted."""
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the list in words, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One event. `columns` names what its places show."""

    at: datetime
    words: str
    columns: tuple[str, str]
    places: tuple[Place, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Life:
    """The newest event first. `take_down`: a person has to see to the platform's copy."""

    events: tuple[Happened, ...]
    retired: bool
    take_down: bool
    how: str = TAKE_DOWN


def life_of(sheet: Sheet) -> Life | None:
    """None for a list to which nothing happened."""
    if not sheet.events:
        return None
    return Life(
        tuple(_happened(sheet, event) for event in reversed(sheet.events)),
        sheet.case.state == "retired",
        sheet.to_be_cleared,
    )


def _happened(sheet: Sheet, event: life.BillEvent) -> Happened:
    carried = event.kind == life.CARRIED
    place = sheet.desk.forms.place
    return Happened(
        event.at,
        told(event),
        ("现在", "原来改成") if carried else ("之前", "之后"),
        tuple(
            Place(place(item.path), _cut(item.before), _cut(item.after))
            for item in event.changes[:MOST_PLACES]
        ),
        max(0, len(event.changes) - MOST_PLACES),
    )


def _cut(text: str) -> str:
    line = " ".join(text.split()) or "空"
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
