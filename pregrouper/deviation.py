"""Deviation zones and the form of the score in each (dip-settlement.md section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import ge, gt, le, lt
from types import MappingProxyType

from dipgate.core.grouping import Zone
from dipgate.core.policy import Deviation, ZoneRule
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.registry import Registry

ONE = Decimal(1)
_COMPARE: Mapping[str, Callable[[Decimal, Decimal], bool]] = MappingProxyType(
    {"<": lt, "<=": le, ">": gt, ">=": ge}
)
OPERATORS = tuple(_COMPARE)


@dataclass(frozen=True, slots=True)
class FormInput:
    """`at` is the zone's edge, `base` what is added to r − at. Money in yuan.

    `k_outside`: the average is a standard without K (the caller's own), so that K cancels.
    """

    rw: Decimal
    k: Decimal
    fee: Decimal
    average: Decimal
    at: Decimal = ONE
    base: Decimal = ONE
    k_outside: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """`score` is written with one division, last, so that rounding meets exact halves.

    `needs_k`: the formula holds K itself. `after`: the policy says (`k`) whether K multiplies.
    `a`: whether the auxiliary coefficient multiplies, `zone` where the policy says it.
    """

    score: Callable[[FormInput], Decimal]
    needs_k: bool
    after: bool
    needs_base: bool = False
    a: str = "zone"


FORMS: Registry[Form] = Registry("计分方式")
FORM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "rw_k_a": "病种分值 × 机构系数",
        "as_normal": "同正常病例：病种分值 × 机构系数",
        "as_normal_k": "同正常病例：病种分值 × 机构系数",
        "ratio": "病种分值 × 费用倍率",
        "times": "病种分值 ×（费用倍率 − 1）",
        "excess": "病种分值 ×（费用倍率 − 上限 + 基数）",
        "ratio_std": "病种分值 × 机构系数 × 费用 ÷ 同级标准费用",
    }
)
"""What each form works out, in a sentence for people."""
REVIEW, PAY_COST = "review", "pay_cost"

ALWAYS, NEVER = "always", "never"

FORMS.add("rw_k_a")(Form(lambda x: x.rw * x.k, needs_k=True, after=False, a=ALWAYS))
FORMS.add("as_normal")(Form(lambda x: x.rw * x.k, needs_k=True, after=False, a=ALWAYS))
FORMS.add("as_normal_k")(Form(lambda x: x.rw * x.k, needs_k=True, after=False, a=NEVER))
FORMS.add("ratio")(Form(lambda x: x.rw * x.fee / x.average, needs_k=False, after=True))
FORMS.add("times")(
    Form(lambda x: x.rw * (x.fee - x.average) / x.average, needs_k=False, after=True)
)
FORMS.add("excess")(
    Form(
        lambda x: x.rw * (x.fee + (x.base - x.at) * x.average) / x.average,
        needs_k=False,
        after=True,
        needs_base=True,
    )
)
# RW × K × f / (standard × K); the average of a level is standard × K already, unless K is outside.
FORMS.add("ratio_std")(
    Form(
        lambda x: x.rw * x.k * x.fee / (x.average * x.k if x.k_outside else x.average),
        needs_k=True,
        after=False,
    )
)


def compare(op: str, left: Decimal, right: Decimal) -> bool:
    """`left op right` for the four operators that a policy may write."""
    return _COMPARE[op](left, right)


def zone_of(fee: Decimal, average: Decimal, rules: Deviation, ask: Asker) -> Zone:
    """The zone of r = fee / average, unrounded; `Zone.NONE` (and paths) when it cannot be known.

    Compared as fee against at × average, so the edge itself is exact.
    """
    low = _inside(fee, average, rules.low, "low", ask)
    if low:
        return Zone.LOW
    high = _inside(fee, average, rules.high, "high", ask)
    extreme: bool | None = False
    if high is not False or _absent(rules.high):
        # Edges rise, so below the high zone there is no extreme one.
        extreme = _inside(fee, average, rules.extreme, "extreme", ask)
    if extreme:
        return Zone.EXTREME
    if high and extreme is False:
        return Zone.HIGH
    for inside, rule, name in (
        (low if not high else False, rules.low, "low"),
        (high, rules.high, "high"),
        (extreme if high is not None else False, rules.extreme, "extreme"),
    ):
        if inside is None:
            _lacking(rule, name, ask)
    return Zone.NORMAL if low is False and high is False and extreme is False else Zone.NONE


def _absent(rule: ZoneRule) -> bool:
    """The policy says that there is no such zone."""
    return rule.op == "n/a" or rule.form == "n/a" or (rule.at is not None and rule.at.absent)


def unknown_edges(rules: Deviation, ask: Asker) -> None:
    """Remember the unknown edges that every case needs."""
    for rule, name in ((rules.low, "low"), (rules.high, "high")):
        _lacking(rule, name, ask)


def _lacking(rule: ZoneRule, name: str, ask: Asker) -> None:
    if _absent(rule):
        return
    if ask.on(rule.at) is None:
        ask.lack(ask.day_path if ask.undated(rule.at) else f"scoring.deviation.{name}.at")
    elif rule.op not in _COMPARE:
        ask.lack(f"scoring.deviation.{name}.op")


def _inside(fee: Decimal, average: Decimal, rule: ZoneRule, name: str, ask: Asker) -> bool | None:
    """True or False; None when the policy does not say. n/a: the zone does not exist."""
    if _absent(rule):
        return False
    edge = ask.on(rule.at)
    if edge is None or rule.op is None or rule.op not in _COMPARE:
        return None
    inside = compare(rule.op, fee, edge * average)
    ask.step(
        "zone",
        f"费用 {fee:f} {rule.op} {edge:f} × 平均费用：{'是' if inside else '否'}",
        f"scoring.deviation.{name}.at",
        edge,
    )
    return inside
