"""Everything the queue's page and its parts show, read from the store as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dipgate.core.clock import CHINA
from dipgate.core.worklist import Grade
from dipgate.pipeline import waiting
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, saved_views, worklist_rows
from dipgate.store.cases import STATES
from dipgate.store.saved_views import SavedView
from dipgate.store.worklist_rows import GradeCount, WorkRow
from dipgate.web.filters import yuan
from dipgate.web.worklists.cells import Line, Lines
from dipgate.web.worklists.filters import DUE, QueueFilter, cursor_text
from dipgate.web.worklists.tabs import TABS, Tab

PAGE = 50
SAME = 5
"""So many lists must share a problem before the queue says so."""
_TITLE = 24
_WAN, _MILLION, _YI = 1_000_000, 100_000_000, 10_000_000_000


@dataclass(frozen=True, slots=True)
class TabView:
    """One tab with its count and money."""

    tab: Tab
    lists: int
    pay_fen: int

    @property
    def money(self) -> str:
        """To the cent; from a million yuan on in 万 or 亿, for it is a forecast."""
        if not self.tab.counts_money:
            return ""
        hint = self.tab.hint
        if self.pay_fen < _MILLION:
            return f"{yuan(self.pay_fen)} {hint}".rstrip()
        unit, word, places = (_YI, "亿", 100) if self.pay_fen >= _YI else (_WAN, "万", 10)
        parts = (self.pay_fen * places + unit // 2) // unit
        digits = len(str(places)) - 1
        return f"{parts // places:,}.{parts % places:0{digits}} {word}{hint}"


@dataclass(frozen=True, slots=True)
class Part:
    """One page of rows. `seen` counts the rows before it."""

    lines: Sequence[Line]
    seen: int
    total: int
    cursor: str
    """Where the next page begins; empty when this is the last."""

    @property
    def last(self) -> int:
        return self.seen + len(self.lines)


@dataclass(frozen=True, slots=True)
class Select:
    """One drop-down: its name, what it is called, and (value, label) of every choice."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A problem that many lists have first. `title` is what should be true."""

    rule: str
    lists: int
    title: str


@dataclass(frozen=True, slots=True)
class Screen:
    """The whole page."""

    filter: QueueFilter
    tabs: Sequence[TabView]
    clean: GradeCount
    part: Part
    selects: Sequence[Select]
    views: Sequence[SavedView]
    view: SavedView | None
    """The saved view that is being looked at."""
    dated: bool
    """The site has deadlines; only then the next two mean anything."""
    due_today: int
    overdue: int
    shared: Shared | None
    parts: int
    """Stays that are no list yet, and how many of them wait too long."""
    parts_late: int
    anything: bool
    """False while the queue has no list at all, whatever the filter."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what is shown under one filter at one moment."""

    desk: Desk
    now: datetime
    filter: QueueFilter

    @property
    def today(self) -> date:
        return self.now.astimezone(CHINA).date()

    @property
    def dated(self) -> bool:
        return self.desk.site.desk.upload_days is not None

    def rows(self, conn: Connection, after: tuple[float, str] | None = None) -> tuple[WorkRow, ...]:
        """One page, and one row more when there is another page."""
        wanted = self.filter.work_filter(self.today)
        return worklist_rows.page(conn, wanted, after=after, limit=PAGE + 1)

    def counts(self, conn: Connection) -> Mapping[Grade, GradeCount]:
        return worklist_rows.counts(conn, self.filter.work_filter(self.today))

    def part(self, rows: Sequence[WorkRow], seen: int, total: int) -> Part:
        shown = rows[:PAGE]
        more = len(rows) > PAGE
        return Part(
            Lines(self.now, self.dated).all(shown),
            seen,
            max(total, seen + len(shown)),
            cursor_text((shown[-1].rank, shown[-1].case_id)) if more else "",
        )

    def total(self, counts: Mapping[Grade, GradeCount]) -> int:
        return sum(counts[grade].lists for grade in self.filter.shown_tab.grades)

    def screen(self, conn: Connection, user_id: int, rows: Sequence[WorkRow]) -> Screen:
        """The page over rows that were read; `user_id` is whose views are shown."""
        counts = self.counts(conn)
        views = saved_views.views_of(conn, user_id)
        query = self.filter.query()
        parts, late = waiting.totals(conn, self.desk)
        return Screen(
            filter=self.filter,
            tabs=tab_views(counts),
            clean=counts[Grade.CLEAN],
            part=self.part(rows, 0, self.total(counts)),
            selects=self._selects(conn),
            views=views,
            view=next((view for view in views if view.query == query), None),
            dated=self.dated,
            due_today=worklist_rows.due_on(conn, self.today) if self.dated else 0,
            overdue=worklist_rows.overdue(conn, self.today) if self.dated else 0,
            shared=self._shared(conn),
            parts=parts,
            parts_late=late,
            anything=any(
                count.lists
                for count in worklist_rows.counts(conn, worklist_rows.WorkFilter()).values()
            ),
        )

    def _shared(self, conn: Connection) -> Shared | None:
        if self.filter.narrows or self.filter.tab not in ("todo", "stop"):
            return None
        rule, lists, sentence = worklist_rows.commonest_rule(conn, Grade.STOP)
        title = rule_titles(self.desk).get(rule) or sentence
        return Shared(rule, lists, title) if lists >= SAME else None

    def _selects(self, conn: Connection) -> list[Select]:
        there = worklist_rows.choices(conn)
        asked = self.filter
        titles = rule_titles(self.desk)
        rules = [(rule, f"{rule} {titles.get(rule, '')[:_TITLE]}".strip()) for rule in there.rules]
        found = [
            _select("dept", "科室", [(ward, ward) for ward in there.departments], asked.dept),
            _select("doctor", "医师", there.doctors, asked.doctor),
            _select("rule", "问题", rules, asked.rule),
            _select("month", "月份", [(month, month) for month in there.months], asked.month),
            _select("state", "状态", _states(), asked.state),
        ]
        if self.dated:
            due = [(key, label) for key, (label, _) in DUE.items()]
            found.append(_select("due", "期限", due, asked.due))
        return found


def tab_views(counts: Mapping[Grade, GradeCount]) -> list[TabView]:
    """Every tab with lists and money of its grades."""
    return [
        TabView(
            tab,
            sum(counts[grade].lists for grade in tab.grades),
            sum(counts[grade].pay_fen for grade in tab.grades),
        )
        for tab in TABS
    ]


def rule_titles(desk: Desk) -> dict[str, str]:
    """Rule → what must be true, from the packs in force today."""
    edition = desk.reference(desk.today()).edition
    return {rule.id: rule.title for pack in desk.packs(edition) for rule in pack.rules}


def _select(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> Select:
    """With what is chosen among its options, even when no list has it any more."""
    kept = [*options]
    if chosen and chosen not in (value for value, _ in kept):
        kept.insert(0, (chosen, chosen))
    return Select(name, label, kept, chosen)


def _states() -> list[tuple[str, str]]:
    return list(STATES.items())
