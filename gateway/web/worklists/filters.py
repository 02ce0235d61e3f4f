"""The queue's filter between an address, a form and the store.

An address carries tab, department, doctor, rule, state, month and deadline, so that it can be
kept and sent on. What is typed into the search box never stands in an address: somebody may type
a patient's name there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import isfinite
from urllib.parse import parse_qsl, urlencode

from dipgate.store.cases import STATES
from dipgate.store.worklist_rows import SEARCH_LENGTH, WorkFilter
from dipgate.web.page import Page
from dipgate.web.worklists.tabs import BY_KEY, TABS, Tab

DUE = {
    "over": ("已过期", -1),
    "today": ("今天及已过期", 0),
    "3": ("3 天内及已过期", 3),
    "7": ("7 天内及已过期", 7),
}
"""Key → label and days from today."""
_MEMORY = "queue"
"""Session memory: the filter last looked at, as an address writes it."""
_LONGEST = 80
_MONTH = re.compile(r"\d{4}-\d{2}")
_CURSOR = re.compile(r"([0-9a-f]{16})([0-9a-f]{1,32})")
"""The bits of a rank, then a case id: nothing that an address would have to escape."""
_ORDER = ("tab", "dept", "doctor", "rule", "state", "month", "due")


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the person asked for; empty text means any."""

    tab: str = TABS[0].key
    dept: str = ""
    doctor: str = ""
    rule: str = ""
    state: str = ""
    month: str = ""
    due: str = ""
    q: str = ""

    @property
    def shown_tab(self) -> Tab:
        return BY_KEY[self.tab]

    @property
    def narrows(self) -> bool:
        """Does it ask for more than a tab?"""
        return any((self.dept, self.doctor, self.rule, self.state, self.month, self.due, self.q))

    @property
    def is_plain(self) -> bool:
        """Is it what everybody sees first? Nothing to keep as a view then."""
        return replace(self, q="") == QueueFilter()

    def query(self, **changed: str) -> str:
        """As an address writes it (`tab=stop&dept=…`), with some values changed; never `q`."""
        there = replace(self, **changed) if changed else self
        pairs = [(name, getattr(there, name)) for name in _ORDER]
        return urlencode([(name, value) for name, value in pairs if value])

    def path(self, **changed: str) -> str:
        """The queue's address under this filter."""
        return f"/queue?{self.query(**changed)}"

    def work_filter(self, today: date) -> WorkFilter:
        """As the store takes it, on a day in Asia/Shanghai."""
        return WorkFilter(
            grades=self.shown_tab.grades,
            department=self.dept,
            doctor=self.doctor,
            rule=self.rule,
            state=self.state,
            month=self.month,
            due_by=today + timedelta(days=DUE[self.due][1]) if self.due else None,
            search=self.q,
        )


def filter_of(values: Mapping[str, str], *, search: bool = False) -> QueueFilter:
    """Form fields or query parameters → filter; what makes no sense is left out.

    `search`: the values are a form's, so `q` counts.
    """

    def text(name: str) -> str:
        return values.get(name, "").strip()[:_LONGEST]

    tab, state, month, due = text("tab"), text("state"), text("month"), text("due")
    return QueueFilter(
        tab=tab if tab in BY_KEY else TABS[0].key,
        dept=text("dept"),
        doctor=text("doctor"),
        rule=text("rule"),
        state=state if state in STATES else "",
        month=month if _MONTH.fullmatch(month) else "",
        due=due if due in DUE else "",
        q=text("q")[:SEARCH_LENGTH] if search else "",
    )


def filter_of_query(query: str) -> QueueFilter:
    """A kept address's query → filter."""
    return filter_of(dict(parse_qsl(query)))


def remember_filter(page: Page, asked: QueueFilter) -> None:
    """Keep the filter for this browser's session; what was searched for is not kept."""
    page.remember(_MEMORY, asked.query())


def remembered_filter(page: Page) -> QueueFilter:
    """The filter under which this person works the queue; the first tab at the beginning."""
    return filter_of_query(page.recall(_MEMORY))


def cursor_text(at: tuple[float, str]) -> str:
    """Rank and case id of a page's last row, exactly, for the next request."""
    return struct.pack(">d", at[0]).hex() + at[1]


def read_cursor(text: str) -> tuple[float, str] | None:
    """What `cursor_text` wrote; None for anything else: then the first page is shown."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        return None
    (rank,) = struct.unpack(">d", bytes.fromhex(match[1]))
    return (rank, match[2]) if isfinite(rank) else None
