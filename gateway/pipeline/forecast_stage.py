"""Forecasts of a month, the bureau's statements, how good forecasts were, and what changed.

Reads what judging has stored; the figures themselves come from `pregrouper.forecast`, `change` and
`indicators`.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from dipgate.core.case import Case, case_of
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.grouping import GroupResult, ScoreResult, ScoreStatus
from dipgate.core.money import Fen, yuan_decimal
from dipgate.core.policy import Policy
from dipgate.core.progress import Progress, silent
from dipgate.pipeline.coming import GONE
from dipgate.pipeline.desk import Desk
from dipgate.pregrouper.change import Change, Period, change
from dipgate.pregrouper.forecast import (
    BUDGET,
    CURRENT,
    LAST_YEAR,
    SCENARIOS,
    Graded,
    Pace,
    Record,
    months_before,
    own_growth_effect,
    pace,
    pay_at,
    pool_of,
    projected,
    record,
    scenario_value,
    share_income,
)
from dipgate.pregrouper.indicators import CaseFact, Indicator, indicators
from dipgate.store import cases, forecasts, groupings

_PAGE = 500
LEARN_FROM = 3
"""Closed months from which the pace of a month is learnt."""
_BEST = (CURRENT, LAST_YEAR, BUDGET)
"""Scenarios by how much they say of the month: the first that is known is the forecast."""
ALL_POOLS = "合计"


@dataclass(frozen=True, slots=True)
class Priced:
    """A stored list of a month with its grouping. `policy` is None where none is in force."""

    row: cases.CaseRow
    case: Case
    group: GroupResult
    score: ScoreResult
    policy: Policy | None

    @property
    def pool(self) -> str:
        return pool_of(self.case, self.policy) if self.policy else ""


def priced_cases(desk: Desk, month: str) -> Iterator[Priced]:
    """Every list of a month that has been grouped; cancelled ones and those set aside left out."""
    states = tuple(state for state in cases.STATES if state not in GONE)
    with desk.store.read() as conn:
        held = groupings.latest_of_month(conn, month)
    after = ""
    while True:
        with desk.store.read() as conn:
            page = cases.cases_in(conn, month=month, states=states, after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1].settlement_id
        for row in page:
            stored = held.get(row.settlement_id)
            if stored is None:
                continue
            case = case_of(row.settlement_list())
            policy = desk.policy(case.settled or row.settled_on, case.insured_place)
            yield Priced(row, case, stored.group, stored.score, policy)


def fact_of(item: Priced) -> CaseFact:
    """What the indicators need of one list."""
    case, group, score = item.case, item.group, item.score
    return CaseFact(
        settlement_id=item.row.settlement_id,
        pool=item.pool,
        department=item.row.department,
        person=item.row.person_no,
        admitted=case.admitted.date() if case.admitted else None,
        discharged=case.discharged.date() if case.discharged else None,
        settled=case.settled,
        status=group.status,
        layer=group.layer,
        group_code=group.group_code,
        is_basic=group.is_basic,
        score_status=score.status,
        zone=score.zone,
        base_score=group.base_score,
        score=score.score,
        fee=case.fee,
        fund=case.fund,
        pay=score.amount if score.status is not ScoreStatus.NOT_CONFIGURED else None,
        stay=case.stay_days,
        average_fee=group.average_fee,
        average_stay=group.average_stay,
    )


def month_indicators(desk: Desk, months: Sequence[str]) -> tuple[Indicator, ...]:
    """The indicators over all lists of these months together."""
    return indicators([fact_of(item) for month in months for item in priced_cases(desk, month)])


# --- forecast --------------------------------------------------------------------------------


@dataclass
class Line:
    """One pool in one scenario. Money in fen; `so_far` is None where a parameter is missing."""

    pool: str
    scenario: str
    cases: int = 0
    score: Decimal = Decimal(0)
    paid_fen: int = 0
    values: set[Decimal] = field(default_factory=set)
    missing: Counter[str] = field(default_factory=Counter)
    share: Decimal = Decimal(1)

    @property
    def so_far(self) -> Fen | None:
        return None if self.missing else Fen(self.paid_fen)

    @property
    def whole(self) -> Fen | None:
        """The whole month at the pace so far."""
        return None if self.so_far is None else projected(self.so_far, self.share)

    @property
    def point_value(self) -> Decimal | None:
        """The one point value of all cases; None when they have several, or none is known."""
        return next(iter(self.values)) if len(self.values) == 1 else None


@dataclass(frozen=True, slots=True)
class Region:
    """What is known of a pool of the region: all hospitals' points of the month, and the fund."""

    points: Decimal
    fund: Fen


@dataclass(frozen=True, slots=True)
class Nowcast:
    """Income by the share of the region's points: own points ÷ region's points × fund."""

    pool: str
    own_points: Decimal
    """Of the whole month, at the pace so far."""
    share: Decimal
    income: Fen
    one_percent: Decimal
    """By how much income grows when own points alone grow by 1 %."""


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """A month as it stands on `day`, pool by pool and scenario by scenario."""

    month: str
    day: date
    pace: Pace
    lines: tuple[Line, ...]
    unscored: int
    """Lists without a score: they bring nothing in any scenario here."""
    policies: tuple[str, ...]
    nowcasts: tuple[Nowcast, ...] = ()


def forecast(
    desk: Desk,
    month: str,
    *,
    own: Mapping[str, Mapping[str, Decimal]] | None = None,
    regions: Mapping[str, Region] | None = None,
    progress: Progress = silent,
) -> MonthForecast:
    """The month under every scenario of the policy, and under `own` (scenario → pool → yuan).

    `regions` by pool adds the income by share. Nothing is stored. RecordError when the month has
    no grouped list, or a region is named for a pool that has none.
    """
    strange = sorted({pool for pools in (own or {}).values() for pool in pools})
    strange = [pool for pool in strange if pool not in pools_of(desk, month)]
    if strange:
        raise ConfigError(f"政策没有资金池 {strange[0]}", path="--value")
    names = (*SCENARIOS, *(own or {}))
    lines: dict[tuple[str, str], Line] = {}
    policies: dict[str, None] = {}
    unscored = number = 0
    for number, item in enumerate(priced_cases(desk, month), start=1):
        progress(number, None)
        points = item.score.score
        if points is None or item.policy is None:
            unscored += 1
            continue
        policies[item.policy.label] = None
        for name in names:
            line = lines.setdefault((item.pool, name), Line(item.pool, name))
            _add(line, desk, item, item.policy, points, (own or {}).get(name), month)
    if not number:
        raise RecordError(f"{month} 还没有入组的病例", remedy="先读入并判定这个月的病例")
    day, at = month_pace(desk, month)
    for line in lines.values():
        line.share = at.share
    ordered = sorted(lines.values(), key=lambda line: (line.pool, names.index(line.scenario)))
    whole = {line.pool: line.score / at.share for line in lines.values()}
    nowcasts = tuple(
        _nowcast(pool, whole.get(pool), region) for pool, region in sorted((regions or {}).items())
    )
    return MonthForecast(month, day, at, tuple(ordered), unscored, tuple(policies), nowcasts)


def month_pace(desk: Desk, month: str) -> tuple[date, Pace]:
    """The day of the month that we have come to, and how much is usually settled by then."""
    first = date.fromisoformat(f"{month}-01")
    last = first.replace(day=monthrange(first.year, first.month)[1])
    day = min(max(desk.today(), first), last)
    return day, pace(day, last, _earlier(desk, month) if day < last else ())


def _nowcast(pool: str, points: Decimal | None, region: Region) -> Nowcast:
    if points is None:
        raise RecordError(f"本月没有 {pool} 的病例", remedy="核对资金池的名称")
    share = points / region.points
    return Nowcast(
        pool,
        points,
        share,
        share_income(points, region.points, region.fund),
        own_growth_effect(share, Decimal("0.01")),
    )


def _add(
    line: Line,
    desk: Desk,
    item: Priced,
    policy: Policy,
    points: Decimal,
    own: Mapping[str, Decimal] | None,
    month: str,
) -> None:
    line.cases += 1
    line.score += points
    day = item.case.settled
    if own is not None:
        value, path = own.get(item.pool), f"--value {line.scenario}:{item.pool or '?'}"
    else:
        found = scenario_value(
            line.scenario, item.case, policy, hospital=desk.site.hospital.code, month=month
        )
        value, path = found.yuan, found.path
    if value is None or day is None:
        line.missing[path if value is None else "case.setl_end_date"] += 1
        return
    line.values.add(value)
    amount, missing = pay_at(item.case, points, value, policy, day=day)
    line.missing.update(missing)
    line.paid_fen += amount or 0


def _earlier(desk: Desk, month: str) -> list[dict[int, Decimal]]:
    """Points by day of month of the last closed months."""
    found = []
    for back in range(1, LEARN_FROM + 1):
        points: dict[int, Decimal] = {}
        for item in priced_cases(desk, months_before(month, back)):
            if item.score.score is not None and item.case.settled is not None:
                at = item.case.settled.day
                points[at] = points.get(at, Decimal(0)) + item.score.score
        found.append(points)
    return found


def pools_of(desk: Desk, month: str) -> tuple[str, ...]:
    """The pools that the policy of a month names; none where no policy is in force."""
    policy = desk.policy(date.fromisoformat(f"{month}-01"))
    return (policy.settlement.pools or ()) if policy is not None else ()


def keep_forecast(desk: Desk, made: MonthForecast) -> None:
    """Store a forecast as it was made, to be graded by the statement that comes."""
    rows = [
        forecasts.Forecast(
            month=made.month,
            pool=line.pool,
            scenario=line.scenario,
            cases=line.cases,
            score=line.score,
            point_value=line.point_value,
            so_far=line.so_far,
            whole=line.whole,
            missing=tuple(sorted(line.missing)),
            policy="、".join(made.policies),
        )
        for line in made.lines
    ]
    now = desk.clock.now()
    desk.store.write(lambda conn: forecasts.put_run(conn, rows, now, desk.actor))


def keep_statement(desk: Desk, item: forecasts.Statement) -> None:
    """Note what the bureau pays for a month and pool.

    Raises ConfigError for a pool that the policy of that month does not have.
    """
    known = (*pools_of(desk, item.month), ALL_POOLS)
    if item.pool not in known:
        raise ConfigError(f"政策没有资金池 {item.pool}；可写：{'、'.join(known)}", path="--pool")
    now = desk.clock.now()
    desk.store.write(lambda conn: forecasts.note_statement(conn, item, now, desk.actor))


# --- the record ------------------------------------------------------------------------------


def forecast_record(desk: Desk) -> Record:
    """Every month that has both a statement and a forecast made before it, graded.

    Only pools with a statement count, on both sides. The run that counts is the last one made
    before the statement was noted.
    """
    with desk.store.read() as conn:
        stated = forecasts.statements_in_force(conn)
        months = forecasts.months(conn)
        runs = {month: forecasts.runs_of(conn, month) for month in months}
    graded = []
    for month in months:
        of_month = [item for item in stated if item.month == month]
        found = _graded(month, of_month, runs[month]) if of_month else None
        if found is not None:
            graded.append(found)
    return record(graded)


def _graded(
    month: str,
    stated: Sequence[forecasts.Statement],
    runs: Sequence[Sequence[forecasts.Forecast]],
) -> Graded | None:
    # The statement of all pools together counts before those of single pools: it is the whole.
    together = [item for item in stated if item.pool == ALL_POOLS]
    stated = together or stated
    noted = min(item.noted_at for item in stated if item.noted_at is not None)
    before = [run for run in runs if run[0].made_at is not None and run[0].made_at <= noted]
    if not before:
        return None
    pools = {item.pool for item in stated}
    whole: dict[str, int] = {}
    lacking: set[str] = set()
    for line in before[-1]:
        if line.pool in pools or ALL_POOLS in pools:
            if line.whole is None:
                lacking.add(line.scenario)
            whole[line.scenario] = whole.get(line.scenario, 0) + (line.whole or 0)
    known = {name: fen for name, fen in whole.items() if name not in lacking}
    best = next((name for name in _BEST if name in known), None) or next(iter(known), None)
    if best is None:
        return None
    actual = sum(item.pay for item in stated)
    return Graded(
        month, Fen(known[best]), Fen(min(known.values())), Fen(max(known.values())), Fen(actual)
    )


# --- what changed ----------------------------------------------------------------------------


def month_change(desk: Desk, before: str, after: str) -> dict[str, Change]:
    """Pool → why its expected payment changed between two months. Lists without money left out.

    Raises RecordError for a month without a single list that has money.
    """
    one, two = _periods(desk, before), _periods(desk, after)
    for month, found in ((before, one), (after, two)):
        if not found:
            raise RecordError(
                f"{month} 没有能算出金额的病例", remedy="换一个月份，或先配齐政策参数"
            )
    empty = Period(0, Decimal(0), None, Fen(0))
    return {
        pool: change(one.get(pool, empty), two.get(pool, empty)) for pool in sorted({*one, *two})
    }


def _periods(desk: Desk, month: str) -> dict[str, Period]:
    """Pool → the month. The price of a point is what the case of base score would be paid."""
    cases_in, base, pay = Counter[str](), dict[str, Decimal](), Counter[str]()
    worth: dict[str, Decimal] = {}
    for item in priced_cases(desk, month):
        fact = fact_of(item)
        value = item.score.point_value
        if fact.base_score is None or fact.pay is None or value is None or not item.score.score:
            continue
        cases_in[item.pool] += 1
        pay[item.pool] += fact.pay
        base[item.pool] = base.get(item.pool, Decimal(0)) + fact.base_score
        per_point = yuan_decimal(fact.pay) / item.score.score
        worth[item.pool] = worth.get(item.pool, Decimal(0)) + per_point * fact.base_score
    return {
        pool: Period(
            count, base[pool], worth[pool] / base[pool] if base[pool] else None, Fen(pay[pool])
        )
        for pool, count in cases_in.items()
    }
