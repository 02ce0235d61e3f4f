"""Management indicators of a hospital's cases, each with formula, numerator and denominator.

Source: dip-settlement.md section 8. Thresholds and penalties are local: none is assumed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

from dipgate.core.grouping import GroupStatus, Layer, ScoreStatus, Zone
from dipgate.core.money import Fen
from dipgate.pregrouper.scoring import PRECISION

_GROUPED = (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE)
_THOUSAND = Decimal(1000)


@dataclass(frozen=True, slots=True)
class CaseFact:
    """What the indicators and forecasts need of one grouped case. Money in fen, stays in days."""

    settlement_id: str
    pool: str
    department: str
    person: str
    """Key of the person inside the hospital; empty when not known."""
    admitted: date | None
    discharged: date | None
    settled: date | None
    status: GroupStatus
    layer: Layer
    group_code: str
    is_basic: bool
    score_status: ScoreStatus
    zone: Zone
    base_score: Decimal | None
    score: Decimal | None
    fee: Fen | None
    fund: Fen | None
    pay: Fen | None
    stay: int | None
    average_fee: Decimal | None
    """The group's mean fee in yuan."""
    average_stay: Decimal | None


@dataclass(frozen=True, slots=True)
class Indicator:
    """One figure. `value` is None when no case has what the formula needs."""

    code: str
    name: str
    formula: str
    numerator: Decimal
    denominator: Decimal
    value: Decimal | None
    note: str = ""
    """Which cases the figure leaves out, and why."""


Facts = Sequence[CaseFact]


@dataclass(frozen=True, slots=True)
class _Rule:
    code: str
    name: str
    formula: str
    sums: Callable[[Facts], tuple[Decimal, Decimal, str]]


def indicators(facts: Facts) -> tuple[Indicator, ...]:
    """All indicators over these cases, in a fixed order."""
    with localcontext() as context:
        context.prec = PRECISION
        return tuple(_measured(rule, facts) for rule in _RULES)


def _measured(rule: _Rule, facts: Facts) -> Indicator:
    above, below, note = rule.sums(facts)
    value = above / below if below else None
    return Indicator(rule.code, rule.name, rule.formula, above, below, value, note)


def _count(found: Iterable[object]) -> Decimal:
    return Decimal(sum(1 for _ in found))


def _left_out(facts: Facts, used: int, why: str) -> str:
    gone = len(facts) - used
    return f"{gone} 例{why}，未计入" if gone else ""


def _cmi(facts: Facts) -> tuple[Decimal, Decimal, str]:
    scores = [item.base_score for item in facts if item.base_score is not None]
    note = _left_out(facts, len(scores), "没有病种分值")
    return sum(scores, Decimal(0)) / _THOUSAND, Decimal(len(scores)), note


def _cost(facts: Facts) -> tuple[Decimal, Decimal, str]:
    found = [
        Decimal(item.fee) / 100 / item.average_fee
        for item in facts
        if item.fee is not None and item.average_fee
    ]
    note = _left_out(facts, len(found), "没有费用或病种平均费用")
    return sum(found, Decimal(0)), Decimal(len(found)), note


def _time(facts: Facts) -> tuple[Decimal, Decimal, str]:
    found = [
        item.stay / item.average_stay
        for item in facts
        if item.stay is not None and item.average_stay
    ]
    note = _left_out(facts, len(found), "没有住院天数或病种平均住院日")
    return sum(found, Decimal(0)), Decimal(len(found)), note


def _share(keep: Callable[[CaseFact], bool]) -> Callable[[Facts], tuple[Decimal, Decimal, str]]:
    def sums(facts: Facts) -> tuple[Decimal, Decimal, str]:
        inside = [item for item in facts if item.status is not GroupStatus.ROUTED_OUT]
        note = _left_out(facts, len(inside), "不按病种付费")
        return _count(item for item in inside if keep(item)), Decimal(len(inside)), note

    return sums


def _zone(*zones: Zone) -> Callable[[Facts], tuple[Decimal, Decimal, str]]:
    def sums(facts: Facts) -> tuple[Decimal, Decimal, str]:
        known = [item for item in facts if item.zone is not Zone.NONE]
        note = _left_out(facts, len(known), "没有费用偏差区间")
        return _count(item for item in known if item.zone in zones), Decimal(len(known)), note

    return sums


def _review(facts: Facts) -> tuple[Decimal, Decimal, str]:
    known = [item for item in facts if item.score_status is not ScoreStatus.NOT_CONFIGURED]
    note = _left_out(facts, len(known), "政策参数未配")
    found = _count(item for item in known if item.score_status is ScoreStatus.REVIEW)
    return found, Decimal(len(known)), note


def _settled(facts: Facts) -> tuple[Decimal, Decimal, str]:
    pairs = [
        (item.pay, item.fund) for item in facts if item.pay is not None and item.fund is not None
    ]
    note = _left_out(facts, len(pairs), "没有预计支付或记账基金")
    paid = sum(pay for pay, _ in pairs)
    billed = sum(fund for _, fund in pairs)
    return Decimal(paid) / 100, Decimal(billed) / 100, note


def _again(days: int, *, same_group: bool) -> Callable[[Facts], tuple[Decimal, Decimal, str]]:
    """Admitted again within `days` of a discharge, among the cases given."""

    def sums(facts: Facts) -> tuple[Decimal, Decimal, str]:
        known = [item for item in facts if item.person and item.admitted and item.discharged]
        by_person: dict[str, list[CaseFact]] = {}
        for item in known:
            by_person.setdefault(item.person, []).append(item)
        found = 0
        for stays in by_person.values():
            stays.sort(key=lambda item: (item.admitted or date.min, item.settlement_id))
            for at, later in enumerate(stays):
                found += any(
                    earlier.discharged is not None
                    and later.admitted is not None
                    and 0 <= (later.admitted - earlier.discharged).days <= days
                    and (not same_group or earlier.group_code == later.group_code)
                    for earlier in stays[:at]
                )
        note = _left_out(facts, len(known), "没有人员或出入院日期")
        return Decimal(found), Decimal(len(known)), note

    return sums


_RULES: tuple[_Rule, ...] = (
    _Rule("cmi", "病例组合指数 CMI", "Σ病种分值 ÷ 1000 ÷ 有分值的病例数", _cmi),
    _Rule("cost_index", "费用消耗指数", "Σ（病例费用 ÷ 病种平均费用）÷ 病例数", _cost),
    _Rule("time_index", "时间消耗指数", "Σ（住院天数 ÷ 病种平均住院日）÷ 病例数", _time),
    _Rule(
        "in_group",
        "入组率",
        "入核心或综合病种的病例数 ÷ 按病种付费的病例数",
        _share(lambda item: item.status in _GROUPED),
    ),
    _Rule(
        "core",
        "核心病种入组率",
        "入核心病种的病例数 ÷ 按病种付费的病例数",
        _share(lambda item: item.status is GroupStatus.GROUPED),
    ),
    _Rule(
        "comprehensive",
        "综合病种入组率",
        "入综合病种的病例数 ÷ 按病种付费的病例数",
        _share(lambda item: item.status is GroupStatus.GROUPED_COMPREHENSIVE),
    ),
    _Rule(
        "basic",
        "基层病种占比",
        "入基层病种的病例数 ÷ 按病种付费的病例数",
        _share(lambda item: item.is_basic),
    ),
    _Rule("low", "低倍率病例占比", "低倍率的病例数 ÷ 有偏差区间的病例数", _zone(Zone.LOW)),
    _Rule(
        "high",
        "高倍率病例占比",
        "高倍率、超高倍率的病例数 ÷ 有偏差区间的病例数",
        _zone(Zone.HIGH, Zone.EXTREME),
    ),
    _Rule("review", "特例单议占比", "走特例单议的病例数 ÷ 已能计分的病例数", _review),
    _Rule("settlement", "结算率", "Σ基金预计支付 ÷ Σ记账基金", _settled),
    _Rule(
        "readmission_14",
        "14 天内再入院率",
        "出院后 14 天内再入院的病例数 ÷ 病例数（只看这些病例之间）",
        _again(14, same_group=False),
    ),
    _Rule(
        "readmission_30_same",
        "30 天内同病种再入院率",
        "出院后 30 天内因同一病种再入院的病例数 ÷ 病例数（只看这些病例之间）",
        _again(30, same_group=True),
    ),
)
