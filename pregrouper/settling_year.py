"""The year's end: payable, assessment, retention and overrun bands, clearing.

Source: dip-settlement.md sections 5.2 and 5.3. Everything is exact until the payable is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dipgate.core.errors import ConfigError
from dipgate.core.money import Fen, yuan_decimal, yuan_text
from dipgate.core.params import Param
from dipgate.core.policy import Band
from dipgate.pregrouper.price import BASES
from dipgate.pregrouper.registry import Registry
from dipgate.pregrouper.settling_ask import SettleAsk, exact, plain, total_score, word_of
from dipgate.pregrouper.settling_bounds import key_of_year
from dipgate.pregrouper.settling_month import audit_of, fund_share
from dipgate.pregrouper.settling_points import worth_of_year

_BANDS = "settlement.year_end.bands"
_ASSESS = "settlement.year_end.assess"
SCORE, PAYABLE, DEPOSIT, NOWHERE = "score", "payable", "deposit", "n/a"
APPLIES_TO = (SCORE, PAYABLE, DEPOSIT)
_WORDED = {"applied to the score": SCORE, "n/a": NOWHERE}
_NONE, _ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class BandInput:
    """Billed fund after audit, payable by points, and the band's own numbers, in yuan."""

    billed: Decimal
    payable: Decimal
    share: Decimal
    upto: Decimal


@dataclass(frozen=True, slots=True)
class BandForm:
    pays: Callable[[BandInput], Decimal]
    needs_share: bool = False
    needs_upto: bool = False


BAND_FORMS: Registry[BandForm] = Registry("结余超支分担方式")
for _name, _form in (
    ("billed", BandForm(lambda x: x.billed)),
    ("payable", BandForm(lambda x: x.payable)),
    (
        "billed_plus_share",
        BandForm(lambda x: x.billed + x.share * (x.payable - x.billed), needs_share=True),
    ),
    (
        "payable_plus_share",
        BandForm(lambda x: x.payable + x.share * (x.billed - x.payable), needs_share=True),
    ),
    (
        "payable_plus_capped",
        BandForm(
            lambda x: x.payable + x.share * (min(x.billed, x.upto * x.payable) - x.payable),
            needs_share=True,
            needs_upto=True,
        ),
    ),
):
    BAND_FORMS.add(_name)(_form)


def band_at(bands: Sequence[Band], billed: Decimal, payable: Decimal, ask: SettleAsk) -> int | None:
    """Which band x = billed ÷ payable falls in: `lo ≤ x < hi`; the outermost bounds may be open.

    Compared without dividing, so a payable of nought with something billed lies above every bound.
    """
    for place, band in enumerate(bands):
        low, high = (
            None if edge is None else ask.bound(edge, f"{_BANDS}[{place}].{name}")
            for name, edge in (("lo", band.lo), ("hi", band.hi))
        )
        if low is not None and billed < low * payable:
            continue
        if high is not None and billed >= high * payable and (payable or billed):
            continue
        return place
    return None


def settle_year(ask: SettleAsk) -> tuple[Fen | None, Fen | None]:
    """(what is paid for the year, the payable by points before the bands)."""
    ask.fen(_NONE)
    score = total_score(ask)
    where, factor = _assessment(ask)
    worth, _ = worth_of_year(ask, score if score is not None else _NONE)
    if score is not None and worth is not None:
        ask.step("worth", f"分值 × 点值 = {plain(worth)} 元", "settlement.point_value", worth)
    if where == SCORE and factor is not None and worth is not None:
        worth *= factor
        ask.step("assess", f"分值按考核结果 {plain(factor)} 折算", _ASSESS, worth)
    fund = _fund_part(ask, worth)
    if where == PAYABLE and factor is not None and fund is not None:
        fund *= factor
        ask.step("assess", f"应付乘考核结果 {plain(factor)}", _ASSESS, fund)
    fund = _after_audit(ask, fund)
    known = fund is not None and not ask.missing
    dip = exact(ask.not_below_zero(fund)) if fund is not None and known else None
    if dip is not None:
        ask.step("dip_payable", f"按分值应付 {plain(dip)} 元", "settlement", dip)
    paid = _banded(ask, dip)
    if paid is None or dip is None or ask.missing:
        return None, (ask.fen(dip) if dip is not None else None)
    payable = ask.fen(paid)
    if payable is not None:
        text = f"年终应付 {yuan_text(payable)} 元"
        ask.step("payable", text, "settlement.year_end", yuan_text(payable))
    return payable, ask.fen(dip)


def clearing(ask: SettleAsk, payable: Fen | None) -> tuple[Fen | None, Fen | None]:
    """(清算金额, deposit given back); None where the line does not state what was paid before.

    Clearing = payable − prepaid − monthly paid − interest and others. The deposit kept back from
    the months comes back in it; where the assessment decides on it, the part lost is taken off.
    """
    given = ask.given
    held = ask.take("deposit_held", "已扣质量保证金（元）")
    wanted = given.prepaid is not None or given.monthly_paid is not None
    if held is None and not wanted:
        return None, None
    returned, forfeited = _deposit(ask, held)
    if not wanted:
        return None, returned
    prepaid, monthly = ask.need("prepaid", "预付金"), ask.need("monthly_paid", "月度已拨付")
    if _where(ask) == DEPOSIT and held is None:
        ask.lack("input.deposit_held")
    interest = ask.take("interest", "利息及其他（元）") or _NONE
    if payable is None or prepaid is None or monthly is None or forfeited is None:
        return None, returned
    yuan = yuan_decimal(payable) - prepaid - monthly - interest - forfeited
    fen = ask.fen(yuan)
    if fen is not None:
        text = (
            f"清算 = {yuan_text(payable)} − 预付 {plain(prepaid)} − 月度 {plain(monthly)} "
            f"− 利息等 {plain(interest)} − 未返还保证金 {plain(forfeited)}"
        )
        ask.step("clearing", text, "settlement.year_end", yuan_text(fen))
    return fen, returned


def deadline_of(ask: SettleAsk) -> str:
    """The day by which the year must be cleared, as ISO date; empty where the policy is silent.

    `"2027+": 03-31` means the end of March after every year from 2027 on.
    """
    dates = ask.policy.settlement.year_end.deadline or {}
    year = ask.given.year
    key = key_of_year(dates, year)
    day = dates[key] if key is not None else None
    if key is None or day is None:
        return ""
    return day if key == year else f"{int(year) + 1}-{day}"


def _where(ask: SettleAsk) -> str | None:
    rule = ask.policy.settlement.year_end.assess
    if rule is None:
        return None
    return rule.applies_to or _WORDED.get(rule.text or "")


def _assessment(ask: SettleAsk) -> tuple[str | None, Decimal | None]:
    where = _where(ask)
    if where is None:
        known = ask.policy.settlement.year_end.assess is not None
        ask.lack(f"{_ASSESS}.applies_to" if known else _ASSESS)
        return None, None
    if where == NOWHERE:
        return where, None
    if where not in APPLIES_TO:
        raise ConfigError(
            f"参数 {_ASSESS}.applies_to：不认识 {where!r}；可用的有：{'、'.join(APPLIES_TO)}",
            path=f"{_ASSESS}.applies_to",
        )
    if where == DEPOSIT:
        return where, ask.take("assessment", "考核结果")
    return where, ask.need("assessment", "考核结果")


def _fund_part(ask: SettleAsk, worth: Decimal | None) -> Decimal | None:
    """The fund's part of the points' worth, by the policy's identity."""
    rules = ask.policy.settlement
    basis = ask.text(rules.point_value.basis, "settlement.point_value.basis")
    if basis == "fund":
        return worth
    if basis is not None and basis not in BASES:
        ask.lack("settlement.point_value.basis")
    way = ask.text(rules.fund_share, "settlement.fund_share")
    if way == "multiplicative":
        share = fund_share(ask)
        if worth is None or share is None:
            return None
        ask.step("fund_share", f"乘基金支付比例 {plain(share)}", "settlement.fund_share", share)
        return worth * share
    if way in ("deduct_self_pay", "deduct"):
        paid = ask.need("self_pay", "个人及其他负担（元）")
        if worth is None or paid is None:
            return None
        ask.step(
            "fund_share", f"扣除个人及其他负担 {plain(paid)} 元", "settlement.fund_share", paid
        )
        return worth - paid
    if way is not None:
        ask.warnings.append(f"W_FORM 不认识的基金支付方式 {way}（settlement.fund_share）")
        ask.lack("settlement.fund_share")
    return None


def _after_audit(ask: SettleAsk, fund: Decimal | None) -> Decimal | None:
    rule = ask.policy.settlement.year_end.audit_deduct
    if rule is None:
        if ask.given.audit is not None:
            ask.lack("settlement.year_end.audit_deduct")
        return fund
    if not rule:
        return fund
    audit = audit_of(ask)
    return None if fund is None else fund - audit


def _banded(ask: SettleAsk, payable: Decimal | None) -> Decimal | None:
    bands = ask.policy.settlement.year_end.bands
    if not bands:
        ask.lack(_BANDS)
        return None
    if len(bands) == 1 and bands[0].pay.form == "payable":
        return payable
    billed = ask.need("billed_fund", "记账基金（元）")
    if payable is None or billed is None:
        return None
    place = band_at(bands, billed, payable, ask)
    if place is None:
        ask.lack(_BANDS)
        shown = plain(billed / payable) if payable else "无穷大"
        ask.warnings.append(f"W_BAND 记账 ÷ 应付 = {shown}，政策的各段都不包括它（{_BANDS}）")
        return None
    band = bands[place]
    path = f"{_BANDS}[{place}]"
    form = BAND_FORMS.named(band.pay.form, f"{path}.pay")
    share = _of_band(
        ask, band.pay.share, f"{path}.pay.share", why="分成或分担比例", needed=form.needs_share
    )
    upto = _of_band(
        ask, band.pay.upto, f"{path}.pay.upto", why="封顶的记账 ÷ 应付", needed=form.needs_upto
    )
    if share is None or upto is None:
        return None
    paid = form.pays(BandInput(billed, payable, share, upto))
    shown = f"{plain(billed / payable)}" if payable else "无穷大"
    ask.step(
        "band", f"记账 ÷ 应付 = {shown}，按{word_of(band.pay.form)}支付 {plain(paid)}", path, paid
    )
    return paid


def _of_band(
    ask: SettleAsk, param: Param | None, path: str, *, why: str, needed: bool
) -> Decimal | None:
    return ask.number(param, path, why=why) if needed else _ONE


def _deposit(ask: SettleAsk, held: Decimal | None) -> tuple[Fen | None, Decimal | None]:
    """(deposit given back, deposit lost): the assessment decides only where the policy says so."""
    if _where(ask) != DEPOSIT:
        return None, _NONE
    factor = ask.need("assessment", "考核结果")
    if held is None or factor is None:
        return None, None
    back = ask.fen(held * min(factor, _ONE))
    if back is None:
        return None, None
    ask.step("deposit", f"保证金按考核返还 {yuan_text(back)} 元", _ASSESS, yuan_text(back))
    return back, held - yuan_decimal(back)
