"""Monthly pre-settlement by the form that the policy writes out.

Source: dip-settlement.md section 5.1. Ratio and deposit are separate: `1 − ratio` is not always the
deposit. The deposit is worked out on the amount before ratio and deductions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from dipgate.core.errors import ConfigError
from dipgate.core.money import Fen, yuan_text
from dipgate.pregrouper.formulas import Formula, parse_formula
from dipgate.pregrouper.settling_ask import SettleAsk, formula_words, plain, total_score
from dipgate.pregrouper.settling_points import stated_ratio, value_of_month

FORM = "settlement.monthly.form"
_RATIO = "settlement.monthly.ratio"
_DEPOSIT = "settlement.monthly.deposit"
_CAP = "settlement.monthly.deposit_cap_2025"
_NONE, _ONE = Decimal(0), Decimal(1)
_CAP_YEAR = 2025
_MONTHS = 12


def fund_share(ask: SettleAsk) -> Decimal | None:
    """g of the line: stated, the pool's by the policy, or billed fund ÷ fee of the line itself."""
    stated = ask.take("fund_share", "基金支付比例")
    if stated is not None:
        return stated
    rules = ask.policy.settlement
    way = rules.fund_share_from or ("pool" if rules.fund_ratio else None)
    if way == "case":
        fund, self_pay = ask.need("billed_fund", "记账基金"), ask.need("self_pay", "其他负担")
        if fund is None or self_pay is None or fund + self_pay <= 0:
            return None
        ask.warnings.append("W_AVERAGE 政策按病例的基金支付比例；合计行只能用合计的平均比例")
        share = fund / (fund + self_pay)
        ask.step("fund_share", "记账基金 ÷ 总费用", "settlement.fund_share_from", share)
        return share
    if way == "pool":
        found = rules.fund_ratio.find((ask.pool,))
        own = stated_ratio(ask) if found is None else None
        if own is not None:
            return own
        return ask.number(
            found, f"settlement.fund_ratio.{ask.pool or ask.unsaid('pool')}", why="基金支付比例"
        )
    ask.lack("settlement.fund_share_from")
    return None


def _ratio(ask: SettleAsk) -> Decimal | None:
    return ask.number(ask.policy.settlement.monthly.ratio, _RATIO, why="月度拨付比例")


def _deposit(ask: SettleAsk) -> Decimal | None:
    return ask.number(ask.policy.settlement.monthly.deposit, _DEPOSIT, why="质量保证金比例")


def _audit(ask: SettleAsk) -> Decimal | None:
    return audit_of(ask)


def audit_of(ask: SettleAsk) -> Decimal:
    """Deductions of the audit; a line that states none has none, and the trace says so."""
    stated = ask.take("audit", "审核扣款（元）")
    if stated is None:
        ask.step("input", "没有给出审核扣款 audit，按没有扣款计算", "input.audit", _NONE)
        return _NONE
    return stated


NAMES: Mapping[str, Callable[[SettleAsk], Decimal | None]] = MappingProxyType(
    {
        "points": total_score,
        "rate": value_of_month,
        "patient_paid": lambda ask: ask.need("self_pay", "个人及其他负担（元）"),
        "billed_fund": lambda ask: ask.need("billed_fund", "记账基金（元）"),
        "fund_share": fund_share,
        "ratio": _ratio,
        "deposit": _deposit,
        "audit": _audit,
    }
)
"""Words that a monthly form may use, and where each comes from."""


def month_formula(text: str) -> Formula:
    """The form of a policy, checked. ConfigError for a word that is not in `NAMES`."""
    formula = parse_formula(text, FORM)
    for name in formula.names:
        if name not in NAMES:
            raise ConfigError(
                f"参数 {FORM}：公式里不认识 {name!r}；可用的有：{'、'.join(NAMES)}", path=FORM
            )
    return formula


def settle_month(ask: SettleAsk) -> tuple[Fen | None, Fen | None]:
    """(what is paid for the month, what is kept back beside it); None while a part is missing."""
    rules = ask.policy.settlement.monthly
    form = ask.text(rules.form, FORM)
    ask.fen(_NONE)
    if form is None:
        return None, None
    formula = month_formula(form)
    values = {name: NAMES[name](ask) for name in formula.names}
    share = ask.bound(rules.deposit, _DEPOSIT)
    known = {name: value for name, value in values.items() if value is not None}
    if ask.missing or len(known) < len(values):
        return None, None
    _basis_hint(ask, formula)
    try:
        yuan = formula.value(known)
        whole = formula.value(known | {"ratio": _ONE, "audit": _NONE})
    except ZeroDivisionError:
        ask.lack(FORM)
        ask.warnings.append(f"W_FORM 公式 {form} 除以了零")
        return None, None
    ask.step("form", f"月度应拨 = {formula_words(form)} = {plain(yuan)} 元", FORM, yuan)
    payable = ask.fen(ask.not_below_zero(yuan))
    if payable is not None:
        ask.step("payable", f"月度拨付 {yuan_text(payable)} 元", FORM, yuan_text(payable))
    return payable, None if share is None else _deposit_of(ask, max(whole, _NONE), share)


def prepayment(ask: SettleAsk) -> Fen | None:
    """周转金: months of last year's fund; only where the line states that fund."""
    fund = ask.take("last_year_fund", "上年度基金（元）")
    if fund is None:
        return None
    months = ask.number(
        ask.policy.settlement.prepayment_months, "settlement.prepayment_months", why="预付月数"
    )
    if months is None:
        return None
    yuan = fund * months / _MONTHS
    ask.step("prepayment", f"预付金 = {plain(fund)} ÷ 12 × {plain(months)}", "", yuan)
    return ask.fen(yuan)


def _deposit_of(ask: SettleAsk, whole: Decimal, share: Decimal) -> Fen | None:
    rules = ask.policy.settlement.monthly
    cap = rules.deposit_cap_2025.on(ask.day) if rules.deposit_cap_2025 is not None else None
    if cap is not None and share > cap and ask.day.year >= _CAP_YEAR:
        ask.step("deposit", f"保证金比例 {plain(share)} 超过上限，按 {plain(cap)}", _CAP, cap)
        share = cap
    fen = ask.fen(whole * share)
    if fen is not None:
        ask.step("deposit", f"另扣留质量保证金 {yuan_text(fen)} 元", _DEPOSIT, yuan_text(fen))
    return fen


def _basis_hint(ask: SettleAsk, formula: Formula) -> None:
    """A point value per yuan of total fee also pays the patients' share, unless the form says."""
    rules = ask.policy.settlement
    per_fee = rules.point_value.basis in ("total_fee", "fund_plus_self")
    if per_fee and "points" in formula.names:
        if not {"fund_share", "patient_paid"} & set(formula.names):
            ask.warnings.append(
                "W_BASIS 点值按总费用计，月度公式既不乘基金支付比例也不扣个人负担；"
                f"按公式原样计算（{FORM}）"
            )
