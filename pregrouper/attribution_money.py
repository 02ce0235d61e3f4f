"""Why the bureau pays another amount for the same score: priced again with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from itertools import product

from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.money import ROUNDING, Fen, rounded
from dipgate.pregrouper.attribution_score import Trial, pool_swaps, rounding_words
from dipgate.pregrouper.attribution_side import Cell, Known, OurSide, cells, one_cell
from dipgate.pregrouper.differences import BureauResult, Reason, money, plain
from dipgate.pregrouper.scoring import PRECISION

_AUDIT_WORDS = ("扣", "审核", "违规", "拒付", "追回")
_SHARES = (("multiplicative", "pool"), ("multiplicative", "case"), ("deduct_self_pay", None))
_SHARE_WORDS = {
    ("multiplicative", "pool"): "乘基金池的支付比例",
    ("multiplicative", "case"): "乘病例自己的支付比例",
    ("deduct_self_pay", None): "扣除个人负担",
    ("deduct", None): "扣除个人负担",
}
_FAR = Decimal("1000000")
_COUNTED_PLACES = (2, 3, 4)


def money_trials(
    side: OurSide, group: GroupResult, ours: ScoreResult, known: Known
) -> Iterator[Trial]:
    """Trials for a point value or an amount that differs, the likeliest first."""
    yield from _roundings(side, group)
    yield from pool_swaps(side, group)
    yield from _table_values(side, group, ours)
    yield from _other_ratios(side, group, ours)
    yield from _shares(side, group)
    for value in sorted(known.point_values):
        note = "其他病例也推算出同一个点值"
        yield _value_trial(side, group, ours, Reason.PRICE, value, note)


def _roundings(side: OurSide, group: GroupResult) -> Iterator[Trial]:
    rules = side.policy.scoring.rounding
    mine = rounding_words(rules.money_dp, rules.mode)
    for places, mode in product((2, 1, 0), ROUNDING):
        if (places, mode) != (rules.money_dp, rules.mode):
            other = side.under("scoring.rounding", money_dp=places, mode=mode)
            words = rounding_words(places, mode)
            note = "金额的位数或进位"
            yield Trial(Reason.ROUNDING, "rounding", mine, words, note, other, group)


def with_value(side: OurSide, value: Decimal) -> OurSide:
    """Our side with the point value set to `value`, whatever the keys."""
    pool = side.policy.settlement.pool_codes
    names = set((pool or {}).values()) | set(side.policy.settlement.pools or ()) | {"职工", "居民"}
    tables = [one_cell(value, name) for name in sorted(name for name in names if name)]
    whole = replace(
        tables[0], entries={key: cell for table in tables for key, cell in table.entries.items()}
    )
    return side.under("settlement.point_value", table=whole, kind=("fixed",), keys=None).under(
        "settlement", price_keys=("pool",), fallback_price_key=None
    )


def _value_trial(
    side: OurSide,
    group: GroupResult,
    ours: ScoreResult,
    reason: Reason,
    value: Decimal,
    note: str,
) -> Trial:
    other = with_value(side, value)
    return Trial(reason, "point_value", plain(ours.point_value), plain(value), note, other, group)


def _table_values(side: OurSide, group: GroupResult, ours: ScoreResult) -> Iterator[Trial]:
    """Every point value that the policy prints: of other months first, then of other pools."""
    money_rules = side.policy.settlement.point_value
    mine = _pool_of(side)
    own: list[tuple[Cell, str]] = []
    others: list[tuple[Cell, str]] = []
    pools = set(side.policy.settlement.pools or ()) | {"职工", "居民"}
    for table, word in ((money_rules.table, "点值"), (money_rules.budget, "预算点值")):
        for cell in cells(table):
            foreign = bool(pools.intersection(cell.keys)) and mine not in cell.keys
            (others if foreign else own).append((cell, word))
    seen = {ours.point_value}
    for rows, reason in ((own, Reason.PRICE), (others, Reason.POOL)):
        for cell, word in rows:
            if cell.value not in seen:
                seen.add(cell.value)
                note = f"政策表 {cell.place} 的{word}"
                yield _value_trial(side, group, ours, reason, cell.value, note)


def _pool_of(side: OurSide) -> str:
    codes = side.policy.settlement.pool_codes
    kind = side.case.insurance_type
    if codes is not None:
        return codes.get(kind) or ""
    return {"310": "职工", "390": "居民"}.get(kind, "")


def _other_ratios(side: OurSide, group: GroupResult, ours: ScoreResult) -> Iterator[Trial]:
    """The share of another pool, or of another year, with our own point value."""
    rules = side.policy.settlement
    mine = _pool_of(side)
    seen = {ours.fund_share}
    for cell in cells(rules.fund_ratio):
        if cell.value in seen or not mine:
            continue
        seen.add(cell.value)
        other = side.under("settlement", fund_ratio=one_cell(cell.value, mine))
        reason = Reason.SHARE if mine in cell.keys else Reason.POOL
        shown = (plain(ours.fund_share), plain(cell.value))
        note = f"政策表 {cell.place} 的基金支付比例"
        yield Trial(reason, "fund_share", *shown, note, other, group)


def _shares(side: OurSide, group: GroupResult) -> Iterator[Trial]:
    rules = side.policy.settlement
    way = rules.fund_share_from or ("pool" if rules.fund_ratio else None)
    now = (rules.fund_share or "", way if rules.fund_share == "multiplicative" else None)
    mine = _SHARE_WORDS.get(now, rules.fund_share or "")
    for form, where in _SHARES:
        words = _SHARE_WORDS[form, where]
        if words != mine:
            other = side.under("settlement", fund_share=form, fund_share_from=where)
            note = "两种付法不能互换"
            yield Trial(Reason.SHARE, "fund_share", mine, words, note, other, group)


def solved_money_trials(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    """A point value that gives their amount. Less money may also be a deduction: two decimals."""
    exact = implied_value(side, group, theirs.payable)
    if exact is None:
        return
    less = ours.amount is not None and theirs.payable is not None and theirs.payable < ours.amount
    for places in (2,) if less else _COUNTED_PLACES:
        value = rounded(exact, places, "half_up")
        note = "由平台的应付推算；政策表里没有这个数"
        yield _value_trial(side, group, ours, Reason.PRICE, value, note)


def implied_value(side: OurSide, group: GroupResult, payable: Fen | None) -> Decimal | None:
    """Yuan per point at which our score is worth `payable`; None where that is no point value.

    The amount is affine in the point value; two far values say which one it takes.
    """
    if payable is None:
        return None
    one = with_value(side, _FAR).score(group)
    two = with_value(side, _FAR * 2).score(group)
    if one.amount is None or two.amount is None or one.amount == two.amount:
        return None
    with localcontext(Context(prec=PRECISION)):
        value = _FAR + (payable - one.amount) * _FAR / Decimal(two.amount - one.amount)
    mine = side.score(group).point_value
    if mine is None or not mine / 2 <= value <= mine * 2:
        return None
    return value


def counted_values(side: OurSide, group: GroupResult, payable: Fen | None) -> frozenset[Decimal]:
    """Point values of at most four decimals that give exactly this amount: for counting."""
    exact = implied_value(side, group, payable)
    if exact is None:
        return frozenset()
    step = Decimal("0.0001")
    near = rounded(exact, 4, "half_up")
    tried = (near, near - step, near + step)
    return frozenset(
        value for value in tried if with_value(side, value).score(group).amount == payable
    )


def sure_audit(ours: ScoreResult, theirs: BureauResult) -> bool:
    """The bureau says itself that it took something off."""
    if ours.amount is None or theirs.payable is None or theirs.payable >= ours.amount:
        return False
    if theirs.deducted:
        return theirs.payable + theirs.deducted == ours.amount
    return any(word in theirs.remarks for word in _AUDIT_WORDS)


def audit_note(ours: ScoreResult, theirs: BureauResult) -> str:
    """What was taken off, in words."""
    if ours.amount is None or theirs.payable is None:
        return ""
    less = money(Fen(ours.amount - theirs.payable))
    said = f"，平台备注：{theirs.remarks}" if theirs.remarks else ""
    return f"其余都一样，少付 {less} 元{said}"
