"""Point values of a pool: budget, pre-settlement, settlement, fixed, elastic.

Source: dip-settlement.md sections 1.2 and 4. Exact decimals; a point value is rounded only where
the policy states its decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dipgate.core.errors import ConfigError
from dipgate.core.money import rounded
from dipgate.core.settle_input import ClosedYear
from dipgate.pregrouper.asking import LIGHT, SEVERE
from dipgate.pregrouper.price import (
    BASES,
    BY_SEVERITY,
    ELASTIC,
    FLOATING,
    SEVERE_FIXED,
    point_value,
    price_keys,
)
from dipgate.pregrouper.settling_ask import SettleAsk, exact, plain, total_score, word_of

MEAN_OF_MEANS, WEIGHTED_TOTALS = "mean_of_means", "weighted_totals"
_ONE = Decimal(1)
_SHARES = "settlement.point_value.elastic_split"


def budget_point_value(
    years: Sequence[tuple[Decimal, Decimal]], weights: Sequence[int], mode: str
) -> Decimal:
    """年初预算点值 from (total fee, total score) of closed years, oldest first.

    With fewer years than weights the newest weights count. `weighted_totals` divides the weighted
    fees by the weighted scores, `mean_of_means` weighs each year's own quotient. Raises ConfigError
    for another mode, ValueError without a year.
    """
    if not years or len(years) > len(weights):
        raise ValueError(f"已结束年度应为 1 到 {len(weights)} 个")
    used = [Decimal(weight) for weight in weights[-len(years) :]]
    pairs = list(zip(used, years, strict=True))
    if mode == WEIGHTED_TOTALS:
        fee = sum((weight * year[0] for weight, year in pairs), Decimal(0))
        score = sum((weight * year[1] for weight, year in pairs), Decimal(0))
        return fee / score
    if mode == MEAN_OF_MEANS:
        return sum((weight * year[0] / year[1] for weight, year in pairs), Decimal(0)) / sum(used)
    raise ConfigError(
        f"参数 scoring.time_weight_mode：不认识 {mode!r}；可用的有：mean_of_means、weighted_totals",
        path="scoring.time_weight_mode",
    )


Pair = tuple[Decimal, Decimal]
"""Fee in yuan, and score."""


def trimmed(cases: Sequence[Pair], low: Decimal, high: Decimal) -> tuple[Pair, ...]:
    """Cases whose fee lies between two percentiles (`0.025`, `0.975`), both ends kept.

    A percentile is the smallest fee with at least that share of all fees at or below it (nearest
    rank), so it is always a fee that occurred.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError("百分位应在 0 到 1 之间，下限不大于上限")
    if not cases:
        return ()
    ordered = sorted(fee for fee, _ in cases)

    def at(share: Decimal) -> Decimal:
        exact = share * len(ordered)
        rank = int(exact) + (exact > int(exact))
        return ordered[max(rank, 1) - 1]

    first, last = at(low), at(high)
    return tuple(case for case in cases if first <= case[0] <= last)


def settlement_point_value(fund: Decimal, payment_ratio: Decimal, score: Decimal) -> Decimal:
    """结算点值 per yuan of total fee: `(fund / payment ratio) / total score`."""
    return fund / payment_ratio / score


def fund_to_share_out(year_fund: Decimal, carve_outs: Sequence[Decimal]) -> Decimal:
    """fund_for_DIP: the year's inpatient fund less what is taken out before."""
    return year_fund - sum(carve_outs, Decimal(0))


@dataclass(frozen=True, slots=True)
class Elastic:
    """Two funds and two values: base points at the fixed one, increment points at their own."""

    base_value: Decimal
    increment_value: Decimal
    capped: bool

    def worth(self, base_score: Decimal, increment_score: Decimal) -> Decimal:
        return base_score * self.base_value + increment_score * self.increment_value


def elastic(
    base_value: Decimal, increment_fund: Decimal, increment_score: Decimal, cap: Decimal | None
) -> Elastic:
    """Without increment points nothing is shared out; `cap` is yuan per increment point."""
    value = increment_fund / increment_score if increment_score else Decimal(0)
    if cap is not None and value > cap:
        return Elastic(base_value, cap, capped=True)
    return Elastic(base_value, value, capped=False)


def value_of_month(ask: SettleAsk) -> Decimal | None:
    """Stated, published (month or year), or worked out from closed years or the pool so far."""
    stated = ask.take("point_value", "点值（元/分）")
    if stated is not None:
        return stated
    if ask.given.closed_years is not None:
        return _from_closed_years(ask)
    if ask.given.pool_fee is not None and ask.given.pool_score:
        fee, score = ask.take("pool_fee", "全池总费用"), ask.take("pool_score", "全池分值")
        if fee is not None and score:
            value = fee / score
            ask.step("point_value", f"预结算点值 = {plain(fee)} ÷ {plain(score)}", "", value)
            return _kept(ask, value)
    if _shared_out(ask) and ask.policy.settlement.point_value.kind == (FLOATING,):
        return _floating(ask, total_score(ask) or Decimal(0))
    if BY_SEVERITY in (price_keys(ask.policy) or ()):
        return _by_severity(ask, total_score(ask) or Decimal(0))[1]
    return point_value(ask)


def worth_of_year(ask: SettleAsk, score: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """(worth of `score` points in yuan, point value) at year end, by the policy's kind."""
    stated = ask.take("point_value", "点值（元/分）")
    if stated is not None:
        return score * stated, stated
    kinds = ask.policy.settlement.point_value.kind
    kind = kinds[0] if kinds and len(kinds) == 1 else None
    if kind is None:
        ask.lack("settlement.point_value.kind")
        if kinds:
            names = "、".join(kinds)
            ask.warnings.append(f"W_CHOICE 政策列出几种点值（{names}），要选定一种")
        return None, None
    if kind == ELASTIC:
        return _elastic_worth(ask, score)
    if kind == FLOATING and _shared_out(ask):
        value = _floating(ask, score)
    elif BY_SEVERITY in (price_keys(ask.policy) or ()):
        return _by_severity(ask, score)
    else:
        value = point_value(ask)
    return (None, None) if value is None else (score * value, value)


def _shared_out(ask: SettleAsk) -> bool:
    """The line states the fund, so that the point value can be worked out from it."""
    return ask.given.fund is not None or ask.given.year_fund is not None


def _from_closed_years(ask: SettleAsk) -> Decimal | None:
    rules = ask.policy.scoring
    if rules.time_weights is None:
        ask.lack("scoring.time_weights")
    mode = ask.text(rules.time_weight_mode, "scoring.time_weight_mode")
    years = ask.given.closed_years or ()
    ask.used["closed_years"] = None
    if rules.time_weights is None or mode is None:
        return None
    if not years or len(years) > len(rules.time_weights):
        ask.lack("input.closed_years")
        return None
    pairs = [_sums(ask, year) for year in years]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(pairs):
        return None
    value = budget_point_value(known, rules.time_weights, mode)
    weights = ":".join(str(weight) for weight in rules.time_weights[-len(years) :])
    text = f"预算点值：{len(years)} 个已结束年度按 {weights} 加权（{word_of(mode)}）"
    ask.step("point_value", text, "scoring.time_weight_mode", value)
    return _kept(ask, value)


def _kept(ask: SettleAsk, value: Decimal) -> Decimal | None:
    """A point value that was worked out, at the policy's decimals; exact where it states none.

    What is published or stated is taken as it stands.
    """
    rules = ask.policy.scoring.rounding
    if rules.point_value_dp is None:
        return value
    mode = ask.text(rules.mode, "scoring.rounding.mode")
    if mode is None:
        return None
    kept = rounded(exact(value), rules.point_value_dp, mode)
    text = f"点值保留 {rules.point_value_dp} 位小数：{plain(kept)}"
    ask.step("rounding", text, "scoring.rounding.point_value_dp", kept)
    return kept


def _sums(ask: SettleAsk, year: ClosedYear) -> Pair | None:
    """Fee and score of a closed year, of its cases after trimming where they are listed."""
    if year.cases is None:
        return year.total_fee or Decimal(0), year.total_score or Decimal(0)
    trim, path = ask.policy.settlement.point_value.trim, "settlement.point_value.trim"
    bounds = (
        ("low", trim.low, Decimal(0), "裁剪的下百分位"),
        ("high", trim.high, _ONE, "裁剪的上百分位"),
    )
    edges = [
        open_end
        if param is not None and param.absent
        else ask.number(param, f"{path}.{name}", why=why)
        for name, param, open_end, why in bounds
    ]
    low, high = edges
    if low is None or high is None:
        return None
    kept = trimmed(year.cases, low, high)
    fee, score = (sum((case[place] for case in kept), Decimal(0)) for place in (0, 1))
    ask.step("trim", f"{len(year.cases)} 例中取费用在两个百分位之间的 {len(kept)} 例", path, fee)
    if score <= 0:
        ask.lack("input.closed_years")
        return None
    return fee, score


def _fund(ask: SettleAsk) -> Decimal | None:
    """fund_for_DIP, stated or worked out; every carve-out that the policy names must be given."""
    stated = ask.take("fund", "可分配基金（元）")
    if stated is not None:
        return stated
    whole = ask.need("year_fund", "年度住院基金（元）")
    named = ask.policy.settlement.carve_outs
    given = ask.given.carve_outs or {}
    if named is None:
        ask.lack("settlement.carve_outs")
    for name in named or ():
        if name not in given:
            ask.lack(f"input.carve_outs.{name}")
    for name in given:
        if named is not None and name not in named:
            ask.warnings.append(f"W_CARVE_OUT 政策没有列出 {name} 这项扣除，没有扣")
    if whole is None or named is None or any(name not in given for name in named):
        return None
    if given:
        ask.used["carve_outs"] = None
    left = fund_to_share_out(whole, [given[name] for name in named])
    words = "".join(f" − {word_of(name)} {plain(given[name])}" for name in named)
    ask.step("fund", f"可分配基金 = {plain(whole)}{words}", "settlement.carve_outs", left)
    return left


def payment_ratio(ask: SettleAsk) -> Decimal | None:
    """Σ fund ÷ Σ fee of the pool: as the line states it, else the policy's table."""
    stated = stated_ratio(ask)
    if stated is not None:
        return stated
    pool = ask.pool
    found = ask.policy.settlement.fund_ratio.find((pool,))
    return ask.number(
        found, f"settlement.fund_ratio.{pool or ask.unsaid('pool')}", why="基金支付比例（全池）"
    )


def stated_ratio(ask: SettleAsk) -> Decimal | None:
    """The pool's ratio as the line has it: itself, the pool's sums, or the pool's own line."""
    given = ask.given
    stated = ask.take("payment_ratio", "基金支付比例（全池）")
    if stated is not None:
        return stated
    if given.pool_billed_fund is not None and given.pool_fee:
        fund, fee = ask.take("pool_billed_fund", "全池记账基金"), ask.take("pool_fee", "全池总费用")
        return _quotient(ask, fund, fee)
    table = ask.policy.settlement.fund_ratio.find((given.pool,))
    if table is None and _shared_out(ask) and given.pool_score is None and _own_sums(ask):
        fund, self_pay = ask.take("billed_fund", "记账基金"), ask.take("self_pay", "其他负担")
        return _quotient(ask, fund, (fund or Decimal(0)) + (self_pay or Decimal(0)))
    return None


def _own_sums(ask: SettleAsk) -> bool:
    """The line is the pool's own and says what the fund and all others pay."""
    fund, self_pay = ask.given.billed_fund, ask.given.self_pay
    return fund is not None and self_pay is not None and fund + self_pay > 0


def _quotient(ask: SettleAsk, fund: Decimal | None, fee: Decimal | None) -> Decimal | None:
    if fund is None or not fee:
        return None
    ratio = fund / fee
    ask.step("payment_ratio", f"基金支付比例 = {plain(fund)} ÷ {plain(fee)}", "", ratio)
    return ratio


def _grossed_up(ask: SettleAsk) -> Decimal | None:
    """The money to share out in the basis of the point value."""
    basis = ask.text(ask.policy.settlement.point_value.basis, "settlement.point_value.basis")
    fund = _fund(ask)
    if basis == "fund":
        return fund
    if basis is not None and basis not in BASES:
        ask.lack("settlement.point_value.basis")
        return None
    ratio = payment_ratio(ask)
    if basis is None or fund is None or not ratio:
        return None
    whole = fund / ratio
    ask.step("fund", f"折合总费用 = {plain(fund)} ÷ {plain(ratio)}", "settlement.fund_ratio", whole)
    return whole


def _floating(ask: SettleAsk, score: Decimal) -> Decimal | None:
    whole = _grossed_up(ask)
    everything = ask.take("pool_score", "全池分值")
    if everything is None:
        everything = score
        ask.step("pool_score", "没有给出 pool_score：本行即全池，分值合计就是全池分值", "", score)
    if whole is None:
        return None
    if everything <= 0:
        ask.lack("input.pool_score")
        return None
    value = whole / everything
    text = f"结算点值 = {plain(whole)} ÷ {plain(everything)}"
    ask.step("point_value", text, "settlement.point_value", value)
    return _kept(ask, value)


def _elastic_worth(ask: SettleAsk, score: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Base points × the published value + increment points × the increment fund's value."""
    spec = ask.policy.settlement.point_value
    fixed = point_value_quietly(ask)
    share = _increment_share(ask)
    cap = ask.bound(spec.increment_cap, "settlement.point_value.increment_cap")
    whole = _grossed_up(ask)
    own_base = ask.need("base_score", "基础分值")
    pool = ask.take("pool_score", "全池分值")
    pool_base = ask.take("pool_base_score", "全池基础分值")
    if (pool is None) != (pool_base is None):
        ask.lack("input.pool_score" if pool is None else "input.pool_base_score")
        return None, None
    if fixed is None or share is None or whole is None or own_base is None or ask.missing:
        return None, None
    own = score - own_base
    increment = own if pool is None or pool_base is None else pool - pool_base
    if own < 0 or increment < own:
        ask.lack("input.base_score" if own < 0 else "input.pool_base_score")
        ask.warnings.append("W_INPUT 基础分值大于总分值，或全池增量分值小于本行的")
        return None, None
    found = elastic(fixed, whole * share, increment, cap)
    how = "，达到上限" if found.capped else ""
    ask.step(
        "point_value",
        f"增量点值 = {plain(whole * share)} ÷ {plain(increment)} 分{how}",
        _SHARES,
        found.increment_value,
    )
    kept = found.increment_value if found.capped else _kept(ask, found.increment_value)
    if kept is None:
        return None, None
    found = replace(found, increment_value=kept if cap is None else min(kept, cap))
    worth = found.worth(own_base, own)
    ask.step(
        "worth",
        f"基础 {plain(own_base)} × {plain(fixed)} + 增量 {plain(own)} × "
        f"{plain(found.increment_value)}",
        "settlement.point_value",
        worth,
    )
    return worth, (worth / score if score else fixed)


def _by_severity(ask: SettleAsk, score: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Severe points × their value + light points × theirs, and what a point is worth on average."""
    fixed = _value_of(ask, SEVERE)
    floats = ask.policy.settlement.point_value.kind == (SEVERE_FIXED,) and _shared_out(ask)
    severe = ask.need("severe_score", "重症分值")
    if severe is not None and severe > score and "input.total_score" not in ask.missing:
        ask.lack("input.severe_score")
        ask.warnings.append("W_INPUT 重症分值大于总分值")
        return None, None
    light = None if severe is None else score - severe
    value = _light_value(ask, fixed, severe, light) if floats else _value_of(ask, LIGHT)
    if fixed is None or value is None or severe is None or light is None:
        return None, None
    worth = severe * fixed + light * value
    text = f"重症 {plain(severe)} × {plain(fixed)} + 轻症 {plain(light)} × {plain(value)}"
    ask.step("worth", text, "settlement.point_value", worth)
    return worth, (worth / score if score else fixed)


def _light_value(
    ask: SettleAsk, fixed: Decimal | None, severe: Decimal | None, light: Decimal | None
) -> Decimal | None:
    """What is left of the money after the pool's severe points, over its light points.

    No text says what happens where nothing is left for them: then nothing is worked out.
    """
    whole = _grossed_up(ask)
    pool = ask.take("pool_score", "全池分值")
    pool_severe = ask.take("pool_severe_score", "全池重症分值")
    if (pool is None) != (pool_severe is None):
        ask.lack("input.pool_score" if pool is None else "input.pool_severe_score")
        return None
    if whole is None or fixed is None or severe is None or light is None:
        return None
    if pool is None or pool_severe is None:
        pool, pool_severe = severe + light, severe
    everything, left = pool - pool_severe, whole - pool_severe * fixed
    if pool_severe < severe or everything < light:
        ask.lack("input.pool_severe_score")
        ask.warnings.append("W_INPUT 全池的重症或轻症分值小于本行的")
        return None
    if everything == 0:
        return Decimal(0)
    if left <= 0:
        ask.lack("input.fund")
        ask.warnings.append(
            f"W_SEVERE 全池重症按固定点值要 {plain(pool_severe * fixed)} 元，"
            f"可分配只有 {plain(whole)} 元；办法没有写轻症怎么办"
        )
        return None
    value = left / everything
    text = (
        f"轻症点值 =（{plain(whole)} − 重症 {plain(pool_severe)} × {plain(fixed)}）"
        f"÷ {plain(everything)}"
    )
    ask.step("point_value", text, "settlement.point_value", value)
    return _kept(ask, value)


def _value_of(ask: SettleAsk, severity: str) -> Decimal | None:
    ask.severity = severity
    value = point_value_quietly(ask)
    ask.severity = ""
    return value


def point_value_quietly(ask: SettleAsk) -> Decimal | None:
    """The published value without the warning for single cases: here the increment is known."""
    before = len(ask.warnings)
    value = point_value(ask)
    del ask.warnings[before:]
    return value


def _increment_share(ask: SettleAsk) -> Decimal | None:
    pairs = ask.policy.settlement.point_value.elastic_split
    if not pairs:
        ask.lack(_SHARES)
        return None
    if len(pairs) > 1:
        ask.lack(_SHARES)
        words = "、".join(":".join(pair) for pair in pairs)
        ask.warnings.append(f"W_CHOICE 政策列出几种基础与增量的比例（{words}），要选定一种")
        return None
    share = Decimal(pairs[0][-1])
    ask.step("parameter", f"增量基金占 {plain(share)}", _SHARES, share)
    return share
