"""A: which of the labels of a case counts, and what it multiplies by (dip-settlement.md 2.2).

The policy's own table comes before the library's. No label, A = 1, and the trace says why; a
label whose coefficient nobody knows is NOT_CONFIGURED with its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from dipgate.core.grouping import AuxLabel
from dipgate.core.params import Param
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.aux_question import dimension_words
from dipgate.pregrouper.auxiliary import (
    ANY_GROUP,
    EXPRESSIONS,
    MODES,
    NO_MODE,
    SUB_ROWS,
    switched_on,
    takes_labels,
)
from dipgate.pregrouper.coefficients import at_keys

ONE = Decimal(1)
CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "max_factor": "按系数最高",
        "max_trigger": "按触发系数最高",
        "first_of_list": "按维度的先后",
    }
)
OWN_GROUP = "own_group"


@dataclass(frozen=True, slots=True)
class Factor:
    """A with the label that gave it; `label` is empty where no label counts."""

    value: Decimal
    label: str = ""


UNUSED = Factor(ONE)
"""The policy has no auxiliary directory, or the form has no use for it: nothing to show."""


def auxiliary_factor(ask: Asker) -> Factor | None:
    """A of the case; None and remembered when it cannot be known."""
    rules = ask.policy.auxiliary
    given = ask.take("a", "辅助系数")
    if given is not None:
        if rules.mode in ("none", "n/a"):
            ask.warnings.append("W_AUXILIARY 政策没有辅助分型，按输入的辅助系数计算")
        return Factor(given, "输入给出")
    if not takes_labels(ask.result.layer, ask.result.group_type):
        return _one(ask, "综合病种、中医优势病种和床日病例不用辅助系数")
    if ask.result.tcm is not None and ask.result.tcm.route == OWN_GROUP:
        return _one(ask, "中医优势病种不用辅助系数")
    mode = ask.text(rules.mode, "auxiliary.mode")
    if mode is None:
        return None
    if mode in NO_MODE:
        return UNUSED
    if mode not in MODES:
        ask.warnings.append(f"W_FORM 不认识的辅助分型方式 {mode}（auxiliary.mode）")
        ask.lack("auxiliary.mode")
        return None
    if mode == SUB_ROWS:
        return _one(ask, "辅助分型已体现在分型子目录的分值中")
    if rules.dimensions is None:
        ask.lack("auxiliary.dimensions")
        return None
    labels = _priced(ask)
    if labels is None:
        return None
    if not labels:
        return _one(ask, "没有辅助标签适用")
    return _capped(ask, _chosen(ask, labels))


def _one(ask: Asker, why: str) -> Factor:
    ask.step("auxiliary", f"辅助系数为 1：{why}", "auxiliary", ONE)
    return Factor(ONE)


def _priced(ask: Asker) -> list[tuple[AuxLabel, Decimal]] | None:
    """The labels that count for this group with their coefficients; None if one is unknown."""
    found: list[tuple[AuxLabel, Decimal]] = []
    unknown = False
    for item in ask.result.labels:
        if not _counts(ask, item):
            continue
        if item.lacks:
            ask.lack(*item.lacks)
            unknown = True
            continue
        value = _coefficient(ask, item)
        if value is None:
            unknown = True
        else:
            found.append((item, value))
    return None if unknown else found


def _counts(ask: Asker, item: AuxLabel) -> bool:
    """A dimension that is not on for the group has no say; with an expression table neither has
    a label that only serves its conditions."""
    rules, code = ask.policy.auxiliary, ask.result.group_code
    said = switched_on(rules, code, item.dimension)
    if said is not None:
        return said
    if item.coefficient is not None or rules.mode != EXPRESSIONS:
        return True
    return not rules.expressions or any(
        (row.dimension, row.label) == (item.dimension, item.label) for row in rules.expressions
    )


def _coefficient(ask: Asker, item: AuxLabel) -> Decimal | None:
    rules, code = ask.policy.auxiliary, ask.result.group_code
    path = (
        f"auxiliary.coefficients.{code or ask.unsaid('group_code')}.{item.dimension}.{item.label}"
    )
    why = f"辅助系数（{dimension_words(item.dimension)} {item.label}）"
    for key in (code, ANY_GROUP):
        cell = at_keys(rules.coefficients, (key, item.dimension, item.label))
        if isinstance(cell, Param):
            where = f"auxiliary.coefficients.{key}.{item.dimension}.{item.label}"
            return ask.number(cell, where, why=why)
    for number, row in enumerate(rules.expressions):
        here_too = row.groups is None or code in row.groups
        if here_too and (row.dimension, row.label) == (item.dimension, item.label):
            return ask.number(row.factor, f"auxiliary.expressions[{number}].factor", why=why)
    if item.coefficient is not None:
        ask.step("auxiliary", f"{why} = {item.coefficient:f}", ask.result.library, item.coefficient)
        return item.coefficient
    ask.lack(path)
    return None


def _chosen(ask: Asker, labels: list[tuple[AuxLabel, Decimal]]) -> Factor | None:
    """The label that counts. With one label the policy need not say how to choose."""
    way = ask.policy.auxiliary.choose
    if len(labels) > 1:
        if ask.text(way, "auxiliary.choose") is None:
            return None
        if way not in CHOICES:
            ask.warnings.append(f"W_FORM 不认识的选择方式 {way}（auxiliary.choose）")
            ask.lack("auxiliary.choose")
            return None
    best, value = labels[0]
    if way == "max_factor":
        best, value = max(labels, key=lambda pair: pair[1])
    elif way == "max_trigger":
        # The trigger is the label's mean over the group's mean, and so is its coefficient.
        best, value = max(
            labels, key=lambda pair: pair[1] if pair[0].trigger is None else pair[0].trigger
        )
    elif way == "first_of_list":
        order = ask.policy.auxiliary.dimensions or ()
        best, value = min(
            labels,
            key=lambda pair: (
                order.index(pair[0].dimension) if pair[0].dimension in order else len(order)
            ),
        )
    others = [f"{item.label} {number:f}" for item, number in labels if item is not best]
    text = f"{CHOICES.get(way or '', '')}取 {best.label}" if others else f"取 {best.label}"
    tail = f"（另有 {'、'.join(others)}）" if others else ""
    ask.step("auxiliary", f"辅助系数{text}：{value:f}{tail}", "auxiliary.choose", value)
    return Factor(value, best.label)


def _capped(ask: Asker, found: Factor | None) -> Factor | None:
    """A above 1 needs to know the cap; `n/a`: there is none."""
    cap = ask.policy.auxiliary.cap
    if found is None or found.value <= ONE or (cap is not None and cap.absent):
        return found
    limit = ask.number(cap, "auxiliary.cap", why="辅助系数上限")
    if limit is None:
        return None
    return found if found.value <= limit else Factor(limit, found.label)
