"""A coming library and policy in money: the hospital's own cases grouped and priced again.

Nothing is stored and nothing is sent. Each case is priced twice by the function that judges it,
once as things stand and once under what is coming, so the second figure is what activation gives.
A case older than the coming policy is priced for its second figure as of that policy's first day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from msgspec import structs

from dipgate.config.libraries import library_named, load_library
from dipgate.config.policies import load_policy
from dipgate.core.case import Case, case_of
from dipgate.core.errors import ConfigError
from dipgate.core.grouper import Grouper
from dipgate.core.grouping import ScoreStatus
from dipgate.core.lists import text_of
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.core.progress import Progress, silent
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import Priced, price, price_under
from dipgate.store import cases

GONE = ("retired", "set_aside")
"""States of lists that nobody will be paid for."""
_PAGE = 500
_Day = TypeVar("_Day", date, datetime)


@dataclass(frozen=True, slots=True)
class Coming:
    """What is looked at: a policy and the library that it would use, made ready."""

    policy: Policy
    grouper: Grouper


@dataclass(frozen=True, slots=True)
class Standing:
    """One side of one case. Money in fen; None where it is not known."""

    status: str
    group_code: str
    group_name: str
    score_status: str
    score: Decimal | None
    pay: Fen | None
    not_configured: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseShift:
    """One case now and under what is coming."""

    case_id: str
    settlement_id: str
    month: str
    department: str
    now: Standing
    coming: Standing
    advanced: bool = False
    """The coming side is as of the coming policy's first day, the case's own day lying before."""
    elsewhere: str = ""
    """The area whose policy pays the case, where that is not the coming policy's: not tried."""

    @property
    def regrouped(self) -> bool:
        return (self.now.status, self.now.group_code) != (
            self.coming.status,
            self.coming.group_code,
        )

    @property
    def pay_shift(self) -> Fen | None:
        """Coming less now; None unless both are known."""
        if self.now.pay is None or self.coming.pay is None:
            return None
        return Fen(self.coming.pay - self.now.pay)

    @property
    def moved(self) -> bool:
        """Would group, status, score or money be another?"""
        return self.now != self.coming


@dataclass
class Sum:
    """Cases of one department, group or month. Money and score only of cases known on both sides.

    What is known on one side alone is counted in `one_sided`, never mixed into a difference.
    """

    cases: int = 0
    regrouped: int = 0
    compared: int = 0
    one_sided: int = 0
    score_now: Decimal = Decimal(0)
    score_coming: Decimal = Decimal(0)
    pay_now: int = 0
    pay_coming: int = 0

    @property
    def pay_shift(self) -> int:
        return self.pay_coming - self.pay_now

    def add(self, item: CaseShift) -> None:
        self.cases += 1
        self.regrouped += item.regrouped
        if item.now.pay is None or item.coming.pay is None:
            self.one_sided += (item.now.pay is None) != (item.coming.pay is None)
            return
        self.compared += 1
        self.pay_now += item.now.pay
        self.pay_coming += item.coming.pay
        self.score_now += item.now.score or 0
        self.score_coming += item.coming.score or 0


@dataclass
class ComingReport:
    """The shift of all cases, and by department, month and (present, coming) group."""

    policy: str
    library: str
    total: Sum = field(default_factory=Sum)
    departments: dict[str, Sum] = field(default_factory=dict)
    months: dict[str, Sum] = field(default_factory=dict)
    groups: dict[tuple[str, str], Sum] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Group code → name, of both libraries."""
    statuses_now: Counter[str] = field(default_factory=Counter)
    statuses_coming: Counter[str] = field(default_factory=Counter)
    not_configured: Counter[str] = field(default_factory=Counter)
    """Parameters that the coming policy lacks → cases that need them."""
    as_of: date | None = None
    """The coming policy's first day."""
    advanced: int = 0
    """Cases that were priced as of that day, their own lying before it."""
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Areas with policies of their own → their cases, which were not tried."""

    def add(self, item: CaseShift) -> None:
        self.total.add(item)
        self.departments.setdefault(item.department, Sum()).add(item)
        self.months.setdefault(item.month, Sum()).add(item)
        pair = (item.now.group_code, item.coming.group_code)
        self.groups.setdefault(pair, Sum()).add(item)
        for side in (item.now, item.coming):
            self.names.setdefault(side.group_code, side.group_name)
        self.statuses_now[item.now.status] += 1
        self.statuses_coming[item.coming.status] += 1
        self.not_configured.update(item.coming.not_configured)
        self.advanced += item.advanced
        if item.elsewhere:
            self.elsewhere[item.elsewhere] += 1


def coming(desk: Desk, *, policy: str = "", library: str = "") -> Coming:
    """What is coming, by name; what is not named is what the site has today.

    Raises ConfigError when a name is not there, or the policy names no library.
    """
    if policy:
        chosen: Policy | None = load_policy(policy, state=desk.folder)
    else:
        chosen = desk.policy(desk.today())
    if chosen is None:
        raise ConfigError("今天没有生效的政策；用 --policy 指定", path="policy.id")
    name, version = library_named(chosen, library)
    data = load_library(desk.folder, name, version or None)
    return Coming(chosen, desk.make_grouper(data, chosen))


def look_ahead(
    desk: Desk,
    what: Coming,
    months: Sequence[str],
    *,
    each: Callable[[CaseShift], None] = lambda _: None,
    progress: Progress = silent,
) -> ComingReport:
    """Price every case of these months both ways; `each` gets them as they come.

    Cancelled lists and those set aside are left out. Memory does not grow with the cases.
    """
    report = ComingReport(
        what.policy.label, what.grouper.label, as_of=what.policy.policy.effective_from
    )
    for number, item in enumerate(_shifts(desk, what, months), start=1):
        report.add(item)
        each(item)
        progress(number, None)
    return report


def _shifts(desk: Desk, what: Coming, months: Sequence[str]) -> Iterator[CaseShift]:
    states = tuple(state for state in cases.STATES if state not in GONE)
    for month in months:
        after = ""
        while True:
            with desk.store.read() as conn:
                page = cases.cases_in(conn, month=month, states=states, after=after, limit=_PAGE)
            if not page:
                break
            after = page[-1].settlement_id
            for row in page:
                yield _shift(desk, what, row)


def _shift(desk: Desk, what: Coming, row: cases.CaseRow) -> CaseShift:
    lst = row.settlement_list()
    case = case_of(lst)
    ref = desk.reference(case.settled or (case.discharged.date() if case.discharged else None))
    now = price(desk, case, ref)
    present = desk.policy(case.settled or ref.day, case.insured_place)
    # Another area's insured stay with their area's policy, which is not what is coming.
    area = what.policy.policy.region.code
    theirs = present.policy.region.code if present is not None else area
    later = _advanced(case, what.policy)
    then = price_under(desk, later, ref, what.policy, what.grouper) if theirs == area else now
    return CaseShift(
        case_id=row.id,
        settlement_id=row.settlement_id,
        month=row.month,
        department=row.department or text_of(lst.setlinfo.get("dscg_caty")).strip(),
        now=_standing(now),
        coming=_standing(then),
        advanced=theirs == area and later is not case,
        elsewhere="" if theirs == area else theirs,
    )


def _advanced(case: Case, policy: Policy) -> Case:
    """The case as if it came on the policy's first day; itself where it does not come before it.

    Where the discharge decides, the whole stay is moved, so that its length and the age stay.
    """
    first = policy.policy.effective_from
    by_discharge = policy.policy.date_basis == "discharge"
    discharged = case.discharged.date() if case.discharged is not None else None
    day = discharged if by_discharge else case.settled
    if first is None or day is None or day >= first:
        return case
    if not by_discharge:
        return structs.replace(case, settled=first)
    by = first - day

    return structs.replace(
        case,
        born=_later(case.born, by),
        admitted=_later(case.admitted, by),
        discharged=_later(case.discharged, by),
        settled=_later(case.settled, by),
        procedures=tuple(
            structs.replace(item, began=_later(item.began, by)) for item in case.procedures
        ),
        icu=tuple(
            structs.replace(item, entered=_later(item.entered, by), left=_later(item.left, by))
            for item in case.icu
        ),
    )


def _later(moment: _Day | None, by: timedelta) -> _Day | None:
    return None if moment is None else moment + by


def _standing(priced: Priced) -> Standing:
    money = priced.score
    known = money.status is not ScoreStatus.NOT_CONFIGURED
    return Standing(
        status=priced.group.status.value,
        group_code=priced.group.group_code,
        group_name=priced.group.group_name,
        score_status=money.status.value,
        score=money.score,
        pay=money.amount if known else None,
        not_configured=money.not_configured,
    )
