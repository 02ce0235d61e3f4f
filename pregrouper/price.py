"""From score to money: the point value, the fund's share, the amount of one case.

Source: dip-settlement.md sections 4 and 5. Both identities (multiplicative, deduct) exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Protocol

from dipgate.core.money import Fen, fen_rounded, shown, yuan_decimal
from dipgate.core.params import Param
from dipgate.core.policy import Policy
from dipgate.pregrouper.asking import LIGHT, Asker
from dipgate.pregrouper.registry import Registry


class Priced(Protocol):
    """Who asks for a point value: one case, or a hospital's month or year."""

    @property
    def policy(self) -> Policy: ...
    @property
    def hospital(self) -> str: ...
    @property
    def county(self) -> str: ...
    @property
    def day(self) -> date | None: ...
    @property
    def month(self) -> str: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def pool(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def insured_place(self) -> str: ...
    def unsaid(self, name: str) -> str: ...
    def lack(self, path: str) -> None: ...
    def text(self, value: str | None, path: str) -> str | None: ...
    def number(self, param: Param | None, path: str, *, why: str = "") -> Decimal | None: ...


PriceKey = Callable[[Priced], tuple[str, ...]]
"""Keys to try for one level of the table, the narrowest first."""
PRICE_KEYS: Registry[PriceKey] = Registry("点值键")
MoneyForm = Callable[[Asker, Decimal], tuple[Decimal | None, Decimal | None]]
"""(asker, money of the whole case in yuan) → (fund's part in yuan, fund share)."""
FUND_SHARES: Registry[MoneyForm] = Registry("基金支付方式")
_PROVINCE_DIGITS = 2
BY_SEVERITY = "severity"
FLOATING, FIXED, ELASTIC, SEVERE_FIXED = "floating", "fixed", "elastic", "severe_fixed"
KINDS = (FLOATING, FIXED, ELASTIC, SEVERE_FIXED)
"""Kinds of point value; `severe_fixed`: severe groups fixed, light ones floating."""
BASES = ("total_fee", "fund_plus_self", "fund")
"""`fund`: the point value is already per yuan of fund, so the share is not applied again."""


@PRICE_KEYS.add("pool")
def pool_key(ask: Priced) -> tuple[str, ...]:
    return (ask.pool or ask.unsaid("pool"),)


@PRICE_KEYS.add("month")
def month_key(ask: Priced) -> tuple[str, ...]:
    """`2025-03`, else the year `2025` where the policy gives one value for the whole year."""
    return (ask.month, ask.month[:4]) if ask.month else (ask.unsaid("month"),)


@PRICE_KEYS.add("institution")
def institution_key(ask: Priced) -> tuple[str, ...]:
    return (ask.hospital or ask.unsaid("hospital"),)


@PRICE_KEYS.add("county")
def county_key(ask: Priced) -> tuple[str, ...]:
    return (ask.county or ask.unsaid("county"),)


@PRICE_KEYS.add(BY_SEVERITY)
def severity_key(ask: Priced) -> tuple[str, ...]:
    """重症 for the groups that the policy lists as severe, 轻症 for all others."""
    return (ask.severity or ask.unsaid("severity"),)


@PRICE_KEYS.add("insured_place")
def insured_place_key(ask: Priced) -> tuple[str, ...]:
    """The insured place's code, or the key that the policy names for other places."""
    rule = ask.policy.settlement.insured_place_rule
    place = ask.insured_place or ask.unsaid("insured_place")
    if rule is None or place.startswith(rule.local_prefix) or rule.other_in_province is None:
        return (place,)
    other = rule.other_in_province
    same_province = place[:_PROVINCE_DIGITS] == rule.local_prefix[:_PROVINCE_DIGITS]
    named = same_province and ask.day is not None and ask.day >= other.from_
    return (other.key,) if named else (place,)


def price_keys(policy: Policy) -> tuple[str, ...] | None:
    """By what the table of point values is looked up; None where the policy does not say."""
    rules = policy.settlement
    return rules.price_keys if rules.price_keys is not None else rules.point_value.keys


def point_value(ask: Priced) -> Decimal | None:
    """Yuan per point, looked up by the policy's price keys, else by its fallback keys.

    Of an elastic point value the table holds the fixed part; what an increment point is worth is
    known at the end of the year only (`settling_year`), and a warning says so.
    """
    rules = ask.policy.settlement
    spec = rules.point_value
    if spec.kind is None:
        ask.lack("settlement.point_value.kind")
    elif spec.kind == (ELASTIC,):
        ask.warnings.append("W_ELASTIC 弹性点值：按基础点值计算，增量分值的点值年终才能确定")
    elif spec.kind == (SEVERE_FIXED,) and ask.severity == LIGHT:
        ask.warnings.append("W_LIGHT 轻症病种点值浮动：按公布的点值计算，年终才能确定")
    if not spec.table:
        ask.lack("settlement.point_value.table")
        return None
    names = price_keys(ask.policy)
    if names is None or (spec.kind == (SEVERE_FIXED,) and BY_SEVERITY not in names):
        ask.lack("settlement.price_keys")
        return None
    asked = _paths(ask, names, "settlement.price_keys")
    tried = [*asked]
    if rules.fallback_price_key:
        tried += _paths(ask, rules.fallback_price_key, "settlement.fallback_price_key")
    found, keys = next(
        ((param, keys) for keys in tried if (param := spec.table.find(keys)) is not None),
        (None, asked[0]),
    )
    return ask.number(found, f"settlement.point_value.table.{'.'.join(keys)}", why="点值")


def _paths(ask: Priced, names: Sequence[str], where: str) -> list[tuple[str, ...]]:
    """Keys to try, from the narrowest of every level to the widest."""
    return list(product(*(PRICE_KEYS.named(name, where)(ask) for name in names)))


def fund_amount(ask: Asker, whole: Decimal) -> tuple[Fen | None, Decimal | None]:
    """What the fund is expected to pay for a case worth `whole` yuan: (fen, fund share)."""
    rules = ask.policy.settlement
    basis = ask.text(rules.point_value.basis, "settlement.point_value.basis")
    share: Decimal | None = None
    yuan: Decimal | None
    if basis == "fund":
        yuan = whole
    elif basis is not None and basis not in BASES:
        ask.warnings.append(f"W_FORM 不认识的点值口径 {basis}（settlement.point_value.basis）")
        ask.lack("settlement.point_value.basis")
        yuan = None
    else:
        yuan, share = _share(ask, whole)
        yuan = None if basis is None else yuan
    if yuan is None:
        return None, share
    if yuan < 0 and not rules.allow_negative:
        ask.warnings.append("W_NEGATIVE 应付金额为负，按零计算")
        yuan = Decimal(0)
    return money(ask, yuan), share


def money(ask: Priced, yuan: Decimal) -> Fen | None:
    """Rounded as the policy says; None when it does not say."""
    rules = ask.policy.scoring.rounding
    if rules.money_dp is None:
        ask.lack("scoring.rounding.money_dp")
    mode = ask.text(rules.mode, "scoring.rounding.mode")
    if rules.money_dp is None or mode is None:
        return None
    return fen_rounded(yuan, rules.money_dp, mode)


def _share(ask: Asker, whole: Decimal) -> tuple[Decimal | None, Decimal | None]:
    name = ask.text(ask.policy.settlement.fund_share, "settlement.fund_share")
    if name is None:
        return None, None
    return FUND_SHARES.named(name, "settlement.fund_share")(ask, whole)


@FUND_SHARES.add("multiplicative")
def multiplicative(ask: Asker, whole: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """pay = s × V × g; g is the pool's ratio or the case's own billed fund / fee."""
    rules = ask.policy.settlement
    way = rules.fund_share_from or ("pool" if rules.fund_ratio else None)
    if way == "case":
        fee, fund = ask.case.fee, ask.case.fund
        if not fee or fund is None:
            ask.warnings.append("W_MISSING_INPUT 没有总费用或基金支付金额，不能算基金支付比例")
            ask.lack("case.fund")
            return None, None
        share = Decimal(fund) / Decimal(fee)
        if ask.tracing:
            text = f"基金支付比例 = 基金支付 ÷ 总费用 = {shown(share)}"
            ask.step("fund_share", text, "settlement.fund_share_from", share)
        return whole * fund / fee, share
    if way == "pool":
        pool = ask.pool
        path = f"settlement.fund_ratio.{pool or ask.unsaid('pool')}"
        ratio = ask.number(rules.fund_ratio.find((pool,)), path, why="基金支付比例")
        return (None, None) if ratio is None else (whole * ratio, ratio)
    ask.lack("settlement.fund_share_from")
    return None, None


@FUND_SHARES.add("deduct_self_pay")
@FUND_SHARES.add("deduct")
def deduct_self_pay(ask: Asker, whole: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """pay = s × V − what all others pay (fee − billed fund, or 自付 + 自费 if the policy says)."""
    case = ask.case
    paid: Fen | None = None
    if ask.policy.settlement.self_paid_from == "self_and_own":
        paid = case.self_paid
    elif case.fee is not None and case.fund is not None:
        paid = Fen(case.fee - case.fund)
    elif case.self_paid is not None:
        paid = case.self_paid
    if paid is None:
        ask.warnings.append("W_MISSING_INPUT 没有基金支付或个人负担金额，不能扣除个人负担")
        ask.lack("case.self_paid")
        return None, None
    yuan = yuan_decimal(paid)
    ask.step("fund_share", f"扣除个人及其他负担 {yuan:f} 元", "settlement.fund_share", yuan)
    return whole - yuan, None
