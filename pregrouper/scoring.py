"""The score of one grouped case and what the fund is expected to pay for it.

Source: dip-settlement.md sections 1, 3, 5, 10. No default for money: an unknown parameter gives
NOT_CONFIGURED with every path that was found missing. Exact decimals; rounding is the policy's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Context, Decimal, localcontext

from dipgate.core.case import Case, should_be
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus, Zone
from dipgate.core.grouping_words import GROUP_WORDS, VALUE_WORDS, ZONE_WORDS
from dipgate.core.money import Fen, rounded, shown, yuan_decimal, yuan_text
from dipgate.core.policy import Policy, ZoneRule
from dipgate.pregrouper.add_ons import (
    DECIDING,
    Extras,
    add_ons,
    facts_of,
    multiplied,
    ruled_zone,
)
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.aux_factor import auxiliary_factor
from dipgate.pregrouper.coefficients import average_fee, budget_value, institution_coefficient
from dipgate.pregrouper.deviation import PAY_COST, REVIEW, unknown_edges, zone_of
from dipgate.pregrouper.price import fund_amount, point_value
from dipgate.pregrouper.zone_score import Amounts, Parts, scored_fee, unused_k, zone_score

DISTANCE = "distance"
PRECISION = 60
_OUT = frozenset(
    (
        GroupStatus.AMBIGUOUS,
        GroupStatus.EXCLUDED_DX,
        GroupStatus.ROUTED_OUT,
        GroupStatus.INVALID_INPUT,
    )
)
"""Nothing to score."""
DAY_SURGERY = "2"


def score(
    case: Case,
    result: GroupResult,
    policy: Policy,
    *,
    hospital_level: str,
    month: str | None = None,
    hospital_code: str | None = None,
    county: str = "",
    trace: bool = True,
) -> ScoreResult:
    """Score one case. `hospital_level` as the policy's tables name it (`3`, `2`, `1`).

    The day that picks dated numbers is the settlement or discharge date (`policy.date_basis`);
    `month` (`2025-03`) overrides the month whose point value is used.
    """
    with localcontext(Context(prec=PRECISION)):
        day = _day(case, policy)
        ask = Asker(
            case=case,
            result=result,
            policy=policy,
            level=hospital_level,
            hospital=hospital_code if hospital_code is not None else case.hospital_code,
            county=county,
            day=day,
            month=month or (f"{day:%Y-%m}" if day else ""),
            tracing=trace,
        )
        return _result(ask, _Money())


def score_alone(ask: Asker) -> ScoreResult:
    """Points without money: neither a point value nor a day of settlement is needed."""
    return _result(ask, _Money(priced=False))


def _result(ask: Asker, found: _Money) -> ScoreResult:
    status = _score(ask, found)
    return ScoreResult(
        status=status,
        zone=found.zone,
        ratio=found.ratio,
        base_score=ask.result.base_score,
        institution_coefficient=found.k,
        auxiliary=found.parts.a,
        auxiliary_label=found.parts.a_label,
        score=found.score,
        point_value=found.value,
        fund_share=found.share,
        amount=None if ask.missing else found.amount,
        not_configured=tuple(ask.missing),
        warnings=tuple(dict.fromkeys(ask.warnings)),
        trace=tuple(ask.steps),
    )


@dataclass(slots=True)
class _Money:
    """What has been found so far."""

    zone: Zone = Zone.NONE
    ratio: Decimal | None = None
    k: Decimal | None = None
    score: Decimal | None = None
    value: Decimal | None = None
    share: Decimal | None = None
    amount: Fen | None = None
    priced: bool = True
    """False: the score alone, without point value and fund share."""
    parts: Parts = field(default_factory=Parts)
    extras: Extras = field(default_factory=Extras)


def _day(case: Case, policy: Policy) -> date | None:
    if policy.policy.date_basis == "discharge":
        return case.discharged.date() if case.discharged else None
    return case.settled


def _score(ask: Asker, found: _Money) -> ScoreStatus:
    status = ask.result.status
    if status in _OUT:
        ask.step("scope", f"{GROUP_WORDS[status]}，不计分")
        return ScoreStatus.OUT_OF_SCOPE
    if not _has_fee_and_day(ask, found.priced):
        return ScoreStatus.NOT_CONFIGURED
    if ask.case.stay_type == DAY_SURGERY and ask.policy.routing.day_surgery != "same_group":
        ask.lack("routing.day_surgery")
    if status in (GroupStatus.BLANK, GroupStatus.UNGROUPED):
        return _ungrouped(ask, found)
    base = ask.result.base_score
    if base is None:
        ask.lack("library.score")
        return ScoreStatus.NOT_CONFIGURED
    if base == 0:
        if ask.policy.scoring.zero_score_group == PAY_COST:
            return _pay_cost(ask, found, "scoring.zero_score_group")
        ask.lack("scoring.zero_score_group")
        return ScoreStatus.NOT_CONFIGURED
    return _grouped(ask, found, base)


def _has_fee_and_day(ask: Asker, priced: bool) -> bool:
    """What a case must say to be priced at all; what it lacks is named, absent or unreadable."""
    if ask.fee is None or ask.fee <= 0:
        ask.lack("case.fee")
        broken = ask.case.fee_problems
        if ask.fee is not None:
            why = f"总费用 {ask.fee:f} 元是负数" if ask.fee else "总费用是 0 元"
        elif broken:
            why = f"总费用读不出来：{broken[0]} {should_be(broken[0])}"
        else:
            why = "没有总费用"
        ask.warnings.append(f"W_MISSING_INPUT {why}，不能计分")
    if ask.day is None and priced:
        by_discharge = ask.policy.policy.date_basis == "discharge"
        name, word = ("dscg_time", "出院") if by_discharge else ("setl_end_date", "结算")
        ask.lack(f"case.{name}")
        broken_day = f"setlinfo.{name}" in ask.case.problems
        why = f"{word}日期读不出来" if broken_day else f"没有{word}日期"
        ask.warnings.append(f"W_MISSING_INPUT {why}，不能确定按哪一天的参数计分")
    return not ask.missing


def _grouped(ask: Asker, found: _Money, base: Decimal) -> ScoreStatus:
    ask.step("base", f"{VALUE_WORDS['base_score']} {base:f}", ask.result.library, base)
    rules = ask.policy.scoring
    fee = scored_fee(ask)
    average = average_fee(ask, base)
    if average is None or fee is None:
        unknown_edges(rules.deviation, ask)
        found.k = institution_coefficient(ask)
        auxiliary_factor(ask)
        _finish(ask, found, None)
        return ScoreStatus.NOT_CONFIGURED
    found.ratio = fee / average
    if ask.tracing:
        ratio = shown(found.ratio)
        text = f"费用倍率 = {fee:f} ÷ {shown(average)} = {ratio}"
        ask.step("ratio", text, "scoring.average_fee", ratio)
    found.zone = zone_of(fee, average, rules.deviation, ask)
    _review_hint(ask, found.ratio)
    if found.zone is Zone.NONE:
        found.k = institution_coefficient(ask)
        _finish(ask, found, None)
        return ScoreStatus.NOT_CONFIGURED
    return _in_zone(ask, found, Amounts(base, fee, average))


def _in_zone(ask: Asker, found: _Money, amounts: Amounts) -> ScoreStatus:
    """The zone test stands on the raw fee; case rules and add-ons come after it."""
    rules = ask.policy.scoring
    extras, lacking = found.extras, _extras(ask, found)
    zone, path = ZoneRule(), "scoring.normal"
    if found.zone is not Zone.NORMAL and not extras.as_normal:
        zone = getattr(rules.deviation, found.zone.value)
        path = f"scoring.deviation.{found.zone.value}"
        if zone.form in (REVIEW, PAY_COST):
            # Factors and points have nothing to work on; whether they take the zone's place has.
            ask.lack(*(item for item in lacking if item.endswith(DECIDING)))
            return _without_score(ask, found, zone.form, path)
    ask.lack(*lacking)
    name = rules.normal.form if path == "scoring.normal" else zone.form
    amounts = replace(amounts, base=amounts.base + extras.before_k)
    raw = zone_score(ask, found.parts, name, zone, path, amounts)
    found.k = found.parts.k
    _finish(ask, found, raw)
    return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.SCORED


def _extras(ask: Asker, found: _Money) -> tuple[str, ...]:
    """Case rules and add-ons into `found`; what the add-ons lack, if they are needed."""
    rules = ask.policy.scoring
    if not rules.case_rules and not rules.add_ons and ask.result.tcm is None:
        _conclude(ask, found.zone)
        return ()
    facts = facts_of(ask, found.ratio)
    found.zone = ruled_zone(ask, found.zone, facts, found.extras)
    _conclude(ask, found.zone)
    return ask.attempt(lambda one: add_ons(one, found.zone, facts, found.extras))[1]


def _conclude(ask: Asker, zone: Zone) -> None:
    ask.step("zone", f"{VALUE_WORDS['zone']}：{ZONE_WORDS[zone]}", "scoring.deviation", zone.value)


def _without_score(ask: Asker, found: _Money, form: str | None, path: str) -> ScoreStatus:
    if form == PAY_COST:
        return _pay_cost(ask, found, f"{path}.form")
    ask.step("review", "费用偏差病例，走特例单议，不直接计分", f"{path}.form", REVIEW)
    found.k = unused_k(ask, path)
    return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.REVIEW


def _finish(ask: Asker, found: _Money, raw: Decimal | None) -> None:
    """Round the score, find the point value and the fund's part; remember what is missing.

    A score that an unknown parameter might change is not shown at all.
    """
    rules = ask.policy.scoring.rounding
    raw = None if ask.missing or raw is None else multiplied(ask, raw, found.extras)
    if rules.score_dp is None:
        ask.lack("scoring.rounding.score_dp")
    mode = ask.text(rules.mode, "scoring.rounding.mode")
    if raw is not None and rules.score_dp is not None and mode is not None:
        found.score = rounded(raw, rules.score_dp, mode)
        text = f"{VALUE_WORDS['score']} = {found.score:f}（{rules.score_dp} 位小数）"
        ask.step("score", text, "scoring.rounding", found.score)
    if found.priced:
        _price(ask, found)


def _price(ask: Asker, found: _Money) -> None:
    """The point value and the fund's part of `found.score`."""
    found.value = point_value(ask)
    if found.score is None or found.value is None:
        fund_amount(ask, Decimal(0))
        return
    whole = found.score * found.value
    if ask.tracing:
        ask.step("price", f"分值 × 点值 = {shown(whole)} 元", "settlement.point_value", whole)
    found.amount, found.share = fund_amount(ask, whole)
    if ask.tracing and not ask.missing:
        _gain(ask, found, whole)


def _gain(ask: Asker, found: _Money, whole: Decimal) -> None:
    """Both views of gain or loss, labelled (dip-settlement.md section 5)."""
    if found.amount is None:
        return
    ask.step("amount", f"基金预计支付 {yuan_text(found.amount)} 元", "settlement.fund_share")
    if ask.case.fund is not None:
        gain = found.amount - ask.case.fund
        words = _more_or_less(yuan_decimal(gain), "多", "少")
        ask.step("gain_fund", f"与记账基金相比{words}", value=yuan_text(gain))
    if ask.case.fee is not None:
        total = whole - yuan_decimal(ask.case.fee)
        words = _more_or_less(total, "盈余", "亏损")
        ask.step("gain_total", f"按总费用口径{words}", value=total)


def _more_or_less(yuan: Decimal, more: str, less: str) -> str:
    amount = rounded(abs(yuan), 2, "half_up")
    return f"{more if yuan > 0 else less} {amount:f} 元" if amount else "持平"


def _ungrouped(ask: Asker, found: _Money) -> ScoreStatus:
    rules = ask.policy.scoring.ungrouped
    form = ask.text(rules.form, "scoring.ungrouped.form")
    if form is None:
        return ScoreStatus.NOT_CONFIGURED
    if form in ("none", "n/a"):
        ask.step("scope", "政策不为未入组病例计分", "scoring.ungrouped.form", form)
        return ScoreStatus.OUT_OF_SCOPE
    if form == PAY_COST:
        return _pay_cost(ask, found, "scoring.ungrouped.form")
    if form == DISTANCE:
        return _at_a_distance(ask, found)
    if form != "ratio_times":
        ask.warnings.append(f"W_FORM 不认识的计分方式 {form}（scoring.ungrouped.form）")
        ask.lack("scoring.ungrouped.form")
        return ScoreStatus.NOT_CONFIGURED
    base, mean = ask.result.base_score, ask.result.average_fee
    factor = ask.number(rules.factor, "scoring.ungrouped.factor", why="未入组系数")
    if base is None or mean is None or mean <= 0:
        ask.lack("library.blank_group")
    if factor is None or base is None or mean is None or mean <= 0:
        return ScoreStatus.NOT_CONFIGURED
    fee = ask.fee or Decimal(0)
    found.ratio = fee / mean
    if ask.tracing:
        ratio = shown(found.ratio)
        text = f"费用倍率 = {fee:f} ÷ 空白病组平均费用 {shown(mean)} = {ratio}"
        ask.step("ratio", text, value=ratio)
    _finish(ask, found, base * factor * fee / mean)
    return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.SCORED


def _at_a_distance(ask: Asker, found: _Money) -> ScoreStatus:
    """`distance` from grouped cases: a part of the points that the fee would buy at the budget."""
    factor = ask.number(
        ask.policy.scoring.ungrouped.factor, "scoring.ungrouped.factor", why="未入组系数"
    )
    value = budget_value(ask)
    raw = None if factor is None or not value else (ask.fee or Decimal(0)) * factor / value
    _finish(ask, found, raw)
    return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.SCORED


def _pay_cost(ask: Asker, found: _Money, path: str) -> ScoreStatus:
    ask.step("pay_cost", "按实际费用支付", path)
    if not found.priced:
        return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.PAY_COST
    found.amount, found.share = fund_amount(ask, ask.fee or Decimal(0))
    return ScoreStatus.NOT_CONFIGURED if ask.missing else ScoreStatus.PAY_COST


def _review_hint(ask: Asker, ratio: Decimal) -> None:
    rules = ask.policy.scoring.special_review
    limit = ask.on(rules.fee_over_standard)
    if limit is not None and ratio > limit:
        ask.warnings.append(f"W_SPECIAL_REVIEW 费用超过标准的 {limit:f} 倍，可申请特例单议")
    times = ask.on(rules.los_over_mean)
    stay, mean = ask.case.stay_days, ask.result.average_stay
    if times is not None and stay is not None and mean is not None and stay > times * mean:
        ask.warnings.append(
            f"W_SPECIAL_REVIEW 住院 {stay} 天超过平均住院日的 {times:f} 倍，可申请特例单议"
        )
