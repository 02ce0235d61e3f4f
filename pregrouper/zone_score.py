"""The unrounded score by a zone's form: RW, K and A put together as the policy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from dipgate.core.errors import ConfigError
from dipgate.core.money import shown, yuan_decimal
from dipgate.core.params import Param
from dipgate.core.policy import ZoneRule
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.aux_factor import UNUSED, Factor, auxiliary_factor
from dipgate.pregrouper.coefficients import institution_coefficient
from dipgate.pregrouper.deviation import ALWAYS, FORM_WORDS, FORMS, NEVER, Form, FormInput
from dipgate.pregrouper.formulas import Formula, parse_formula

ONE = Decimal(1)
INITIAL, SUPPORT, ASSESS = "initial", "support", "assess"
_NAMES: Mapping[str, str] = MappingProxyType(
    {INITIAL: "初始分值", SUPPORT: "支持系数", ASSESS: "考核系数"}
)
"""What a formula of normal cases may name, and what each is called."""
RATIO_STD = "ratio_std"
TOTAL, NET = "total", "net_of_excluded"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Base score with the points that come before K, the fee that is scored, the average."""

    base: Decimal
    fee: Decimal
    average: Decimal


@dataclass(slots=True)
class Parts:
    """K and A as far as they were found; A stays None where it was not needed."""

    k: Decimal | None = None
    a: Decimal | None = None
    a_label: str = ""


def scored_fee(ask: Asker) -> Decimal | None:
    """The fee that zone and formula use; what is settled by item is taken off if so asked."""
    rules, fee = ask.policy.scoring, ask.fee
    basis = ask.text(rules.fee_basis, "scoring.fee_basis")
    if basis is None or fee is None or basis == TOTAL:
        return None if basis is None else fee
    if basis != NET:
        ask.warnings.append(f"W_FORM 不认识的费用口径 {basis}（scoring.fee_basis）")
        ask.lack("scoring.fee_basis")
        return None
    if rules.fee_excluded is None:
        ask.lack("scoring.fee_excluded")
        return None
    excluded = ask.case.item_fee(rules.fee_excluded)
    if excluded is None:
        ask.warnings.append("W_MISSING_INPUT 没有费用明细，不能扣除按项目结算的费用")
        ask.lack("case.charges")
        return None
    net = fee - yuan_decimal(excluded)
    text = f"扣除按项目结算的费用 {yuan_decimal(excluded):f} 元，余 {net:f} 元"
    ask.step("fee", text, "scoring.fee_basis", net)
    if excluded:
        ask.warnings.append("W_ITEM_PAID 有按项目结算的费用，不在分值和预计支付之内")
    return net


def quiet_k(ask: Asker) -> Decimal | None:
    """K for display where the zone does not use it: its absence is no obstacle."""
    used = dict(ask.used)
    found, _ = ask.attempt(institution_coefficient)
    ask.used.clear()
    ask.used.update(used)
    return found


def unused_k(ask: Asker, path: str) -> Decimal | None:
    """K for display, with a step that says that the score does without it."""
    found = quiet_k(ask)
    if found is not None:
        ask.step("institution", "本区间计分不用机构系数", path)
    return found


def zone_score(
    ask: Asker, parts: Parts, name: str | None, zone: ZoneRule, path: str, amounts: Amounts
) -> Decimal | None:
    """The unrounded score by a named form; None when a part of it is unknown."""
    form, formula = _form(ask, name, path)
    if form is None or not _said(ask, form, zone, path):
        parts.k = quiet_k(ask)
        return None
    multiplied = form.after and zone.k == "after"
    in_base = form.needs_base and zone.base == "k"
    outside = "average_fee" in ask.used
    cancels = outside and name == RATIO_STD
    uses_k = (form.needs_k and not cancels) or multiplied or in_base
    parts.k = institution_coefficient(ask) if uses_k else unused_k(ask, path)
    factor = _factor(ask, form, zone, path)
    extra = _extra(ask, formula, path)
    if (uses_k and parts.k is None) or factor is None or extra is None:
        return None
    parts.a, parts.a_label = (None, "") if factor is UNUSED else (factor.value, factor.label)
    k = parts.k if parts.k is not None else ONE
    edge = ask.on(zone.at)
    # K and A are multiplied before the form's own division.
    x = FormInput(
        rw=amounts.base * factor.value * (k if multiplied else ONE),
        k=k,
        fee=amounts.fee,
        average=amounts.average,
        at=edge if edge is not None else ONE,
        base=k if in_base else ONE,
        k_outside=outside,
    )
    raw = form.score(x)
    if formula is not None:
        raw = formula.value({INITIAL: raw, **extra})
    if ask.tracing:
        times_a = "" if factor.value == ONE else f"，乘辅助系数 {factor.value:f}"
        words = _written_out(formula.text) if formula is not None else FORM_WORDS[name or ""]
        result = shown(raw)
        ask.step("form", f"{words}{times_a} = {result}（未舍入）", f"{path}.form", result)
    return raw


def _form(ask: Asker, name: str | None, path: str) -> tuple[Form | None, Formula | None]:
    if ask.text(name, f"{path}.form") is None or name is None:
        return None, None
    form = FORMS.get(name)
    if form is not None:
        return form, None
    formula = _formula(name)
    if formula is not None and path == "scoring.normal":
        return FORMS.named("rw_k_a", path), formula
    ask.warnings.append(f"W_FORM 不认识的计分方式 {name}（{path}.form）")
    ask.lack(f"{path}.form")
    return None, None


@lru_cache(maxsize=256)
def _formula(text: str) -> Formula | None:
    """A form that is written out over `initial`, `support` and `assess`; None: no such thing."""
    try:
        found = parse_formula(text, "scoring.normal.form")
    except ConfigError:
        return None
    names = frozenset(found.names)
    return found if INITIAL in names and names <= _NAMES.keys() and "/" not in text else None


def _written_out(formula: str) -> str:
    """`(initial + initial * support) * assess` as a person writes it."""
    for name, words in _NAMES.items():
        formula = formula.replace(name, words)
    return formula.replace("*", "×")


def _extra(ask: Asker, formula: Formula | None, path: str) -> Mapping[str, Decimal] | None:
    """The formula's own factors, of the hospital or its level."""
    found: dict[str, Decimal] = {}
    table = ask.policy.scoring.normal.factors
    for name in formula.names if formula is not None else ():
        if name == INITIAL:
            continue
        here = table.entries.get(name)
        key = ""
        if here is not None and not isinstance(here, Param):
            keys = (ask.hospital, ask.level)
            key = next((item for item in keys if item in here.entries), "")
            key = key or ask.level or ask.unsaid("level")
        shown = f"{path}.factors.{name}{f'.{key}' if key else ''}"
        value = ask.number(table.find((name, key) if key else (name,)), shown, why=_NAMES[name])
        if value is not None:
            found[name] = value
    wanted = [name for name in (formula.names if formula else ()) if name != INITIAL]
    return found if len(found) == len(wanted) else None


def _said(ask: Asker, form: Form, zone: ZoneRule, path: str) -> bool:
    """Whether the zone says what its form needs to be told."""
    if form.after and ask.text(zone.k, f"{path}.k") is None:
        return False
    return not form.needs_base or ask.text(zone.base, f"{path}.base") is not None


def _factor(ask: Asker, form: Form, zone: ZoneRule, path: str) -> Factor | None:
    """A, or 1 where the form or the zone has no use for it; None where it cannot be known."""
    if form.a == NEVER or (form.a != ALWAYS and zone.a is False):
        if ask.result.labels or "a" in ask.given:
            where = f"{path}.form" if form.a == NEVER else f"{path}.a"
            ask.step("auxiliary", "本区间不乘辅助系数", where)
        return UNUSED
    if form.a == ALWAYS or zone.a:
        return auxiliary_factor(ask)
    factor, lacking = ask.attempt(auxiliary_factor)
    if factor is not None and factor.value == ONE:
        return factor
    ask.lack(f"{path}.a", *lacking)
    return None
