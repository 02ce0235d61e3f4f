"""What is laid over the formula of a zone: add-ons, case rules, the TCM uplift.

Source: dip-settlement.md 2.3 and 3 (notes 3 and 5). A condition that cannot be decided is a
warning for a person; a number or a setting that the policy leaves open is NOT_CONFIGURED, but
only where the condition holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Zone
from dipgate.core.grouping_words import ZONE_WORDS
from dipgate.core.money import shown
from dipgate.core.policy import AddOn
from dipgate.pregrouper.asking import DAY, Asker
from dipgate.pregrouper.conditions import Facts, condition_words, decide, fact_words, read_condition

BEFORE_K, AFTER_K = "before_k", "after_k"
UPLIFT = "uplift"
DECIDING = (".when", ".valid", ".replaces_deviation", ".zone", "case.setl_end_date")
"""Endings of the paths that decide whether an add-on takes the place of a zone's rule."""
_ZONES = {zone.value: zone for zone in Zone if zone is not Zone.NONE}


@dataclass(slots=True)
class Extras:
    """What was found for one case. `factors` multiply, points are added before or after K."""

    factors: list[tuple[str, Decimal]] = field(default_factory=list)
    before_k: Decimal = Decimal(0)
    after_k: Decimal = Decimal(0)
    as_normal: bool = False
    """An add-on takes the place of the deviation rule."""


def facts_of(ask: Asker, ratio: Decimal | None) -> Facts:
    return Facts(
        ask.case,
        tuple(item.code for item in ask.case.procedures),
        {item.dimension: item.label for item in ask.result.labels},
        group_code=ask.result.group_code or None,
        group_type=ask.result.group_type or None,
        fee_ratio=ratio,
        pool=ask.pool_if_known,
        level=ask.level or None,
        tcm_items=ask.policy.scoring.tcm_items or (),
        given=ask.given,
    )


def ruled_zone(ask: Asker, zone: Zone, facts: Facts, extras: Extras) -> Zone:
    """The zone after the case rules: the first rule that holds and names one. Factors add up."""
    found: Zone | None = None
    for number, rule in enumerate(ask.policy.scoring.case_rules):
        path = f"scoring.case_rules[{number}]"
        if not _holds(ask, rule.when, facts, f"特殊病例规则 {rule.name}", path):
            continue
        if rule.zone is not None and found is None:
            found = _ZONES.get(rule.zone)
            if found is None:
                ask.lack(f"{path}.zone")
                continue
            ask.step(
                "case_rule",
                f"{rule.name}：按{ZONE_WORDS[found]}病例计分",
                f"{path}.zone",
                rule.zone,
            )
        if rule.factor is not None:
            value = ask.number(rule.factor, f"{path}.factor", why=rule.name)
            if value is not None:
                extras.factors.append((rule.name, value))
        elif rule.zone is None:
            ask.lack(f"{path}.factor")
    return zone if found is None else found


def add_ons(ask: Asker, zone: Zone, facts: Facts, extras: Extras) -> Extras:
    """Every add-on whose condition holds on the day of the case, and the uplift of TCM."""
    for number, item in enumerate(ask.policy.scoring.add_ons):
        path = f"scoring.add_ons[{number}]"
        if _holds(ask, item.when, facts, f"加成 {item.name}", path) and _valid(ask, item, path):
            _take(ask, item, path, zone, extras)
    tcm = ask.result.tcm
    if tcm is not None and tcm.route == UPLIFT:
        if tcm.factor is None:
            ask.lack(f"library.tcm_map.{tcm.code}.factor")
        else:
            text = f"中医加成系数 {tcm.factor:f}"
            ask.step("add_on", text, f"tcm_map 第{tcm.row}行", tcm.factor)
            extras.factors.append((text, tcm.factor))
    return extras


def _holds(ask: Asker, when: str | None, facts: Facts, what: str, path: str) -> bool:
    if when is None:
        ask.lack(f"{path}.when")
        return False
    try:
        found = decide(read_condition(when, f"{path}.when"), facts)
    except ConfigError:
        ask.warnings.append(f"W_ADD_ON {what} 的条件 {when!r} 需要人工判断，未计入（{path}.when）")
        return False
    ask.used.update((name, None) for name in ask.given if name in when)
    if found.holds is None:
        lacking = fact_words(found.missing)
        ask.warnings.append(f"W_ADD_ON {what} 需要人工判断，未计入：不知道{lacking}（{path}.when）")
        return False
    if found.holds:
        ask.step("condition", f"{what}：符合 {condition_words(when)}", f"{path}.when", when)
    return found.holds


def _take(ask: Asker, item: AddOn, path: str, zone: Zone, extras: Extras) -> None:
    if zone is not Zone.NORMAL:
        if item.replaces_deviation is None:
            ask.lack(f"{path}.replaces_deviation")
        elif item.replaces_deviation:
            extras.as_normal = True
    if item.factor is not None:
        value = ask.number(item.factor, f"{path}.factor", why=f"加成 {item.name}")
        if value is not None:
            extras.factors.append((item.name, value))
        return
    added = points(item.score)
    if added is None:
        ask.lack(f"{path}.score")
        if item.score is None:
            ask.lack(f"{path}.factor")
        return
    if item.apply == BEFORE_K:
        extras.before_k += added
    elif item.apply == AFTER_K:
        extras.after_k += added
    else:
        ask.lack(f"{path}.apply")
        return
    ask.step("add_on", f"加成 {item.name}：{added:f} 分", f"{path}.score", added)


def points(text: str | None) -> Decimal | None:
    """Points as a number; None for a word of the text (`local`)."""
    try:
        found = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _valid(ask: Asker, item: AddOn, path: str) -> bool:
    if item.valid == "n/a":
        return True
    span = _span(item.valid)
    if span is None:
        ask.lack(f"{path}.valid")
        return False
    ask.used[DAY] = None
    if ask.day is None:
        ask.lack(ask.day_path)
        return False
    first, last = span
    inside = first <= ask.day <= last
    if not inside:
        ask.step(
            "add_on", f"加成 {item.name} 在 {ask.day} 不适用", f"{path}.valid", item.valid or ""
        )
    return inside


def _span(text: str | None) -> tuple[date, date] | None:
    """`2025`, `2025-01-01/2025-06-30`, `2025-01-01/`, `/2025-06-30`, both ends included."""
    if text is None:
        return None
    first, slash, last = text.strip().partition("/")
    try:
        if not slash:
            year = int(first)
            return date(year, 1, 1), date(year, 12, 31)
        return (
            date.fromisoformat(first) if first else date.min,
            date.fromisoformat(last) if last else date.max,
        )
    except ValueError:
        return None


def multiplied(ask: Asker, raw: Decimal, extras: Extras) -> Decimal:
    """The score with points after K and all factors."""
    if not extras.factors and not extras.after_k:
        return raw
    total = raw + extras.after_k
    for _, value in extras.factors:
        total *= value
    if not ask.tracing:
        return total
    names = "、".join(_names(extras))
    result = shown(total)
    ask.step("add_on", f"计入 {names} 后的分值 = {result}（未舍入）", "scoring.add_ons", result)
    return total


def _names(extras: Extras) -> Iterator[str]:
    if extras.after_k:
        yield f"加成 {extras.after_k:f} 分"
    yield from (f"{name} × {value:f}" for name, value in extras.factors)
