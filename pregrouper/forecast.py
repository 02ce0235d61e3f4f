"""What this month will bring the hospital: scenarios of the point value, the share, the record.

Source: dip-settlement.md section 6. The region's sum of points is not known before clearing, so
there are always several figures, each with what it stands on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.money import Fen
from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.price import fund_amount, point_value
from dipgate.pregrouper.scoring import PRECISION

LOW, LAST_YEAR, BUDGET, CURRENT = "low", "last_year", "budget", "current"
SCENARIOS: Mapping[str, str] = {
    LOW: "偏低点值",
    LAST_YEAR: "上年同月点值",
    BUDGET: "预算点值",
    CURRENT: "现行点值",
}
"""Scenario → what a user reads. A person may add scenarios of other names."""
MONTHS_BACK = 12


@dataclass(frozen=True, slots=True)
class Value:
    """A point value in yuan and where it comes from; None: `path` names what is missing."""

    yuan: Decimal | None
    path: str


def scenario_value(name: str, case: Case, policy: Policy, *, hospital: str, month: str) -> Value:
    """The point value that a case of this month has in one of `SCENARIOS`.

    `current`: the policy's value of the month; `last_year`: that of the same month a year before;
    `budget`: the budget value of the pool; `low`: the lowest of the twelve months before that the
    policy's table holds.
    """
    ask = _asker(case, policy, hospital, month)
    if name == BUDGET:
        pool = ask.pool
        path = f"settlement.point_value.budget.{pool}" if pool else ask.pool_path
        found = policy.settlement.point_value.budget.find((pool,)) if pool else None
        return Value(None if found is None else found.on(case.settled), path)
    if name == CURRENT:
        return _value(case, policy, hospital, month)
    if name == LAST_YEAR:
        return _value(case, policy, hospital, months_before(month, 12))
    if name == LOW:
        past = [
            _value(case, policy, hospital, months_before(month, back))
            for back in range(1, MONTHS_BACK + 1)
        ]
        known = [item for item in past if item.yuan is not None]
        return min(known, key=lambda item: item.yuan or 0) if known else past[0]
    raise KeyError(name)


def pay_at(
    case: Case, score: Decimal, value: Decimal, policy: Policy, *, day: date
) -> tuple[Fen | None, tuple[str, ...]]:
    """What the fund pays for `score` points of a case at this point value; and missing paths."""
    with localcontext() as context:
        context.prec = PRECISION
        ask = _asker(case, policy, case.hospital_code, f"{day:%Y-%m}")
        ask.day = day
        amount, _ = fund_amount(ask, score * value)
        return (None if ask.missing else amount), tuple(ask.missing)


def pool_of(case: Case, policy: Policy) -> str:
    """The pool that the policy names for the case's insurance; empty when it names none."""
    return _asker(case, policy, case.hospital_code, "").pool


def months_before(month: str, back: int) -> str:
    """`2025-03`, 4 → `2024-11`."""
    year, number = (int(part) for part in month.split("-"))
    count = year * 12 + number - 1 - back
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def _asker(case: Case, policy: Policy, hospital: str, month: str) -> Asker:
    return Asker(
        case=case,
        result=GroupResult(GroupStatus.GROUPED),
        policy=policy,
        level="",
        hospital=hospital,
        county="",
        day=case.settled,
        month=month,
    )


def _value(case: Case, policy: Policy, hospital: str, month: str) -> Value:
    ask = _asker(case, policy, hospital, month)
    if not _has_month(policy, month):
        return Value(None, f"settlement.point_value.table（{month}）")
    value = point_value(ask)
    return Value(None if ask.missing else value, next(iter(ask.missing), ""))


def _has_month(policy: Policy, month: str) -> bool:
    """Does the table speak of this month, where it speaks of months at all?"""
    keys = policy.settlement.price_keys or policy.settlement.point_value.keys or ()
    if "month" not in keys:
        return True
    return bool({month, month[:4]} & _keys(policy.settlement.point_value.table))


def _keys(table: ParamTable) -> set[str]:
    found: set[str] = set()
    for key, item in table.entries.items():
        found.add(key)
        if not isinstance(item, Param):
            found |= _keys(item)
    return found


# --- the share of the region -----------------------------------------------------------------


def share_income(own: Decimal, region: Decimal, fund: Fen) -> Fen:
    """income = S_h ÷ S_region × fund, rounded down to the fen. ValueError unless region > 0."""
    if region <= 0:
        raise ValueError("统筹区总分值应为正数")
    with localcontext() as context:
        context.prec = PRECISION
        return Fen(int(own * fund / region))


def own_growth_effect(share: Decimal, growth: Decimal) -> Decimal:
    """(1+a) ÷ (1+a·w) − 1: own points grow by `a`, others do not, with share `w` of the region."""
    with localcontext() as context:
        context.prec = PRECISION
        return (1 + growth) / (1 + growth * share) - 1


# --- the rest of the month -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a month is usually settled by a day of it: the share, and from how many months.

    `months` 0: no month to learn from, the share is that of the days.
    """

    share: Decimal
    months: int


def pace(day: date, last_day: date, earlier: Sequence[Mapping[int, Decimal]]) -> Pace:
    """Share of a month's points settled up to `day`, from earlier months (day of month → points).

    A month without points teaches nothing. The share is 1 on the last day, and never 0.
    """
    if day >= last_day:
        return Pace(Decimal(1), 0)
    shares: list[Decimal] = []
    for points in earlier:
        whole = sum(points.values(), Decimal(0))
        if whole > 0:
            done = sum((value for at, value in points.items() if at <= day.day), Decimal(0))
            shares.append(done / whole)
    usable = [share for share in shares if share > 0]
    if not usable:
        return Pace(Decimal(day.day) / last_day.day, 0)
    return Pace(sum(usable, Decimal(0)) / len(usable), len(usable))


def projected(so_far: Fen, share: Decimal) -> Fen:
    """The whole month from what is there: so far ÷ share."""
    with localcontext() as context:
        context.prec = PRECISION
        return Fen(int((so_far / share).to_integral_value()))


# --- the record ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Graded:
    """One month's forecast against its statement. `error` = (forecast − statement) ÷ statement."""

    month: str
    predicted: Fen
    low: Fen
    high: Fen
    actual: Fen

    @property
    def error(self) -> Decimal | None:
        if not self.actual:
            return None
        return Decimal(self.predicted - self.actual) / Decimal(self.actual)

    @property
    def inside(self) -> bool:
        """Was the statement within the band of the scenarios?"""
        return self.low <= self.actual <= self.high


@dataclass(frozen=True, slots=True)
class Record:
    """How good forecasts have been; `recent`: mean absolute error of the last three months."""

    graded: tuple[Graded, ...]
    recent: Decimal | None
    coverage: Decimal | None
    """Share of months whose statement lay within the band."""

    def poor(self, limit: Decimal) -> bool:
        """Must a forecast carry a warning? Not known, hence False, before anything is graded."""
        return self.recent is not None and self.recent > limit


RECENT = 3


def record(graded: Sequence[Graded]) -> Record:
    """The record of graded months, whatever their order."""
    ordered = tuple(sorted(graded, key=lambda item: item.month))
    errors = [abs(item.error) for item in ordered[-RECENT:] if item.error is not None]
    return Record(
        ordered,
        sum(errors, Decimal(0)) / len(errors) if errors else None,
        Decimal(sum(item.inside for item in ordered)) / len(ordered) if ordered else None,
    )
