"""Everything that is known of one case, read in one moment: what its page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from dipgate.core.errors import RecordError
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.line_order import lines
from dipgate.core.lists import FieldPath, SettlementList
from dipgate.core.record import Origin
from dipgate.core.reference import Reference
from dipgate.core.worklist import BILL_RULE, Grade
from dipgate.pipeline.bill_life import is_to_be_cleared
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import EDITABLE
from dipgate.pipeline.forms import NODE_WORD
from dipgate.pipeline.judge_stage import judge
from dipgate.pipeline.map_stage import StayRows, stay_of
from dipgate.pipeline.preview import Worth, worth_of
from dipgate.pipeline.typed import day_of
from dipgate.store import Connection, cases, groupings, life, overlays, verdicts
from dipgate.store import questions as question_store

ORDER = (
    "diseinfo",
    "oprninfo",
    "setlinfo",
    "icuinfo",
    "bldinfo",
    "iteminfo",
    "payinfo",
    "opspdiseinfo",
    "cover",
    "charges",
    "history",
)
"""Nodes in the order in which the page shows them."""
PRINCIPAL_WORD = {"diseinfo": "主要诊断", "oprninfo": "主要手术"}


@dataclass(frozen=True)
class Sheet:
    """One case as its page needs it. Made by `read_sheet`; nothing in it changes afterwards."""

    desk: Desk
    case: cases.CaseRow
    list: SettlementList
    findings: tuple[Finding, ...]
    """Of the present content; *not checked* ones too."""
    group: GroupResult
    score: ScoreResult
    stored: bool
    """The findings are those of the store; else they were made for this view."""
    acts: tuple[overlays.Act, ...]
    questions: tuple[question_store.Question, ...]
    origins: Mapping[str, Origin]
    stay: StayRows | None
    """The source rows; None when the source has gone from the site file."""
    may_edit: bool = True
    """The person may correct lists."""
    events: tuple[life.BillEvent, ...] = ()
    """What happened after it was made, oldest first."""
    to_be_cleared: bool = False
    """Cancelled, and a person has to see to what the platform has of it."""

    @property
    def editable(self) -> bool:
        """May this list be corrected here and now?"""
        return self.may_edit and self.case.state in EDITABLE

    @property
    def last_act(self) -> int:
        """The number of the newest act: what its reader has seen."""
        return max((act.number for act in self.acts), default=0)

    @cached_property
    def held_acts(self) -> tuple[overlays.Act, ...]:
        """Acts that hold, oldest first."""
        return tuple(act for act in self.acts if act.undone_at is None)

    @cached_property
    def ref(self) -> Reference:
        return self.desk.reference(self.day)

    @cached_property
    def day(self) -> date | None:
        return day_of(self.list)

    @cached_property
    def worth(self) -> Worth:
        return worth_of(self.list, self.group, self.score)

    @cached_property
    def found(self) -> tuple[Finding, ...]:
        """What is wrong, in list order."""
        open_ = [item for item in self.findings if item.status is FindingStatus.FOUND]
        return tuple(sorted(open_, key=lambda item: self.order(item.field)))

    @cached_property
    def unchecked(self) -> tuple[Finding, ...]:
        return tuple(item for item in self.findings if item.status is FindingStatus.NOT_CHECKED)

    @cached_property
    def open_questions(self) -> tuple[question_store.Question, ...]:
        return tuple(item for item in self.questions if item.is_open)

    @cached_property
    def lines(self) -> Mapping[str, tuple[int, ...]]:
        """node → row indexes in reading order, principal first."""
        return {node: lines(self.list, node) for node in ORDER if node not in ("setlinfo", "cover")}

    @cached_property
    def _line_of(self) -> Mapping[tuple[str, int], int]:
        return {
            (node, index): place
            for node, indexes in self.lines.items()
            for place, index in enumerate(indexes)
        }

    @cached_property
    def _field_order(self) -> Mapping[str, int]:
        known = self.desk.forms.fields
        return {f"{node}.{name}": place for node in known for place, name in enumerate(known[node])}

    def order(self, path: str) -> tuple[int, int, int]:
        """Where a path stands on the page."""
        try:
            place = FieldPath.parse(path)
        except ValueError:
            return (len(ORDER), 0, 0)
        node = ORDER.index(place.node) if place.node in ORDER else len(ORDER)
        line = self._line_of.get((place.node, place.index or 0), 0)
        return (node, line, self._field_order.get(f"{place.node}.{place.name}", 0))

    def place(self, path: str) -> str:
        """A path in words, by line as shown: `主要诊断`, `诊断 3 入院病情`, `出院科别`."""
        forms = self.desk.forms
        try:
            place = FieldPath.parse(path)
        except ValueError:
            return path
        if place.node in ("setlinfo", "cover") and place.name:
            return forms.label(place.node, place.name)
        word = NODE_WORD.get(place.node, place.node)
        if place.index is None:
            return word
        line = self._line_of.get((place.node, place.index), place.index)
        row = f"{word} {line + 1}"
        if line == 0 and place.node in PRINCIPAL_WORD:
            row = PRINCIPAL_WORD[place.node]
        if not place.name or place.name in ("diag_code", "oprn_oprt_code"):
            return row
        return f"{row} {forms.short(place.node, place.name)}"


def grade_of(finding: Finding) -> Grade:
    """Red, amber, or grey for the one thing that the desk cannot clear itself."""
    if finding.severity is not Severity.ERROR:
        return Grade.LOOK
    return Grade.WAIT if finding.rule == BILL_RULE else Grade.STOP


def read_sheet(
    desk: Desk, conn: Connection, case: cases.CaseRow, *, may_edit: bool = True
) -> Sheet:
    """Everything about one case. A list without a verdict is judged for this view."""
    lst = case.settlement_list()
    verdict = verdicts.latest(conn, case.id)
    grouping = groupings.latest(conn, case.id)
    stored = (
        verdict is not None
        and grouping is not None
        and verdict.list_hash == grouping.list_hash == case.list_hash
    )
    if stored and verdict is not None and grouping is not None:
        found, group, score = verdict.findings, grouping.group, grouping.score
    else:
        made = judge(desk, lst)
        found, group, score = made.findings, made.group, made.score
    try:
        stay: StayRows | None = stay_of(desk, conn, case)
    except RecordError:
        stay = None
    return Sheet(
        desk=desk,
        case=case,
        list=lst,
        findings=found,
        group=group,
        score=score,
        stored=stored,
        acts=overlays.acts_of(conn, case.settlement_id),
        questions=question_store.questions_of(conn, case.settlement_id),
        origins={item.path: item for item in cases.origins_of(conn, case.id)},
        stay=stay,
        may_edit=may_edit,
        events=life.events_of(conn, case.settlement_id),
        to_be_cleared=is_to_be_cleared(conn, case),
    )
