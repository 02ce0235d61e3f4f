"""Why the bureau has another score for the same group: scored again with one parameter changed.

Every trial keeps all our inputs but one. The order of the trials is the order of plausibility:
rounding, auxiliary label, pool, zone, coefficient, average fee as our tables know them; only then
a coefficient or an average fee that stands in no table of ours, solved for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from itertools import product
from typing import Any

from msgspec import structs

from dipgate.core.grouping import AuxLabel, GroupResult, ScoreResult, Zone
from dipgate.core.grouping_words import ZONE_WORDS
from dipgate.core.money import ROUNDING, rounded
from dipgate.core.params import Param
from dipgate.core.policy import Policy
from dipgate.pregrouper.asking import LEVEL, NATIONAL_POOLS, marked
from dipgate.pregrouper.attribution_side import (
    Cell,
    OurSide,
    cells,
    level_word,
    one_cell,
)
from dipgate.pregrouper.deviation import FORM_WORDS
from dipgate.pregrouper.difference_steps import divisor_of
from dipgate.pregrouper.differences import BureauResult, Reason, plain
from dipgate.pregrouper.scoring import PRECISION

ONE = Decimal(1)
_EDGES = {"low": ("0.3", "0.4", "0.5", "0.6"), "high": ("1.5", "2", "2.5", "3")}
_EXTREME_EDGES = ("3", "4", "5")
_OPS = {"low": ("<", "<="), "high": (">", ">="), "extreme": (">", ">=")}
_FORMS = ("ratio", "excess", "times", "ratio_std")
"""Forms that a zone may have, the likelier first."""
_MODE_WORDS = {"half_up": "四舍五入", "half_even": "四舍六入五取偶", "down": "舍去", "up": "进位"}
_RATIO_PLACES = (2, 3, 4)
_LABEL_KEYS = 3
_FAR = 5
EVERY_GROUP = "*"
_LEAST_K, _MOST_K, _STEP = Decimal("0.05"), Decimal(5), Decimal("0.01")
_PRINTED = "平台的结果里所列"
_NO_DIRECTORY = (None, "none", "n/a")


@dataclass(frozen=True, slots=True)
class Trial:
    """Our side with one change, and the two values of what is changed."""

    reason: Reason
    field: str
    ours: str
    theirs: str
    note: str
    side: OurSide
    group: GroupResult
    made: ScoreResult | None = None
    """The score of the changed side, where it was needed already."""

    def score(self) -> ScoreResult:
        return self.side.score(self.group) if self.made is None else self.made


def score_trials(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    """Trials for a score, zone or auxiliary label that differs, the likeliest first."""
    yield from _roundings(side, group, ours, theirs)
    yield from _labels(side, group, ours)
    yield from pool_swaps(side, group)
    yield from _zones(side, group, ours)
    yield from _coefficients(side, group, ours, theirs)
    yield from _averages(side, group, ours, theirs)
    yield from _levels(side, group)


def solved_score_trials(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    """Numbers that stand in no table of ours: tried when none that does explains everything."""
    if theirs.settled_score is not None:
        yield from _solved_coefficient(side, group, ours, theirs.settled_score)
        yield from _solved_average(side, group, ours, theirs, theirs.settled_score)


def rounding_words(places: int | None, mode: str | None) -> str:
    """`4 位，四舍五入`."""
    return f"{'?' if places is None else places} 位，{_MODE_WORDS.get(mode or '', mode or '?')}"


def _roundings(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    rules = side.policy.scoring.rounding
    mine = rounding_words(rules.score_dp, rules.mode)
    settled = theirs.settled_score
    # As many places as they wrote, before any that would give the same number.
    written = [] if settled is None else [max(0, -int(settled.as_tuple().exponent))]
    places = dict.fromkeys((rules.score_dp, *written, 4, 2, 3, 1, 0, 6, 5))
    for number, mode in product(places, ROUNDING):
        if (number, mode) == (rules.score_dp, rules.mode) or number is None:
            continue
        other = side.under("scoring.rounding", score_dp=number, mode=mode)
        words = rounding_words(number, mode)
        yield Trial(Reason.ROUNDING, "rounding", mine, words, "分值的位数或进位", other, group)
    if ours.ratio and side.case.fee:
        with localcontext(Context(prec=PRECISION)):
            fee = Decimal(side.case.fee) / 100
            for number in _RATIO_PLACES:
                ratio = rounded(ours.ratio, number, "half_up")
                if ratio and ratio != ours.ratio:
                    other, plain_group = with_average(side, group, fee / ratio)
                    note = f"像是先把费用倍率舍入到 {number} 位再计分"
                    shown = plain(rounded(ours.ratio, 6, "half_up"))
                    yield Trial(
                        Reason.ROUNDING, "ratio", shown, plain(ratio), note, other, plain_group
                    )


def _labels(side: OurSide, group: GroupResult, ours: ScoreResult) -> Iterator[Trial]:
    if side.policy.auxiliary.mode in _NO_DIRECTORY:
        return
    mine = label_words(ours)
    if group.labels:
        bare = structs.replace(group, labels=())
        yield Trial(Reason.AUXILIARY, "auxiliary", mine, "没有", "不乘辅助系数", side, bare)
    seen = {ours.auxiliary_label}
    for label in _possible_labels(side, group):
        if label.label in seen:
            continue
        seen.add(label.label)
        words = f"{label.label} {plain(label.coefficient)}".strip()
        other = structs.replace(group, labels=(label,))
        yield Trial(Reason.AUXILIARY, "auxiliary", mine, words, "辅助目录的另一分型", side, other)


def label_words(score: ScoreResult) -> str:
    """`重度 1.2`, or that there is none."""
    if not score.auxiliary_label:
        return "没有"
    return f"{score.auxiliary_label} {plain(score.auxiliary)}".strip()


def _possible_labels(side: OurSide, group: GroupResult) -> Iterator[AuxLabel]:
    """Labels that fit the case first, then every other that a table prices for the group."""
    yield from group.labels
    rules = side.policy.auxiliary
    for code in (group.group_code, EVERY_GROUP):
        for cell in cells(rules.coefficients):
            if len(cell.keys) == _LABEL_KEYS and cell.keys[0] == code:
                yield AuxLabel(cell.keys[1], cell.keys[2], "", cell.value)
        for row in side.library.coefficients.get(code, ()):
            yield AuxLabel(row.dimension, row.label, "", row.coefficient, row.trigger)
    for item in rules.expressions:
        if item.groups is None or group.group_code in item.groups:
            yield AuxLabel(item.dimension, item.label, "")


def pool_swaps(side: OurSide, group: GroupResult) -> Iterator[Trial]:
    """The case as one of another pool: its point value, fund share and, where they differ, K."""
    codes = side.policy.settlement.pool_codes
    known: Mapping[str, str | None] = codes if codes is not None else NATIONAL_POOLS
    mine = known.get(side.case.insurance_type)
    seen = {mine}
    for code, pool in known.items():
        if pool is None or pool in seen:
            continue
        seen.add(pool)
        other = replace(side, case=structs.replace(side.case, insurance_type=code))
        yield Trial(Reason.POOL, "pool", mine or "", pool, f"按{pool}的参数算", other, group)


def _zones(side: OurSide, group: GroupResult, ours: ScoreResult) -> Iterator[Trial]:
    for path, values, note in _zone_changes(side.policy, ours.zone):
        other = side.under(path, **values)
        found = other.score(group)
        theirs = ZONE_WORDS[found.zone] or ZONE_WORDS[ours.zone]
        yield Trial(Reason.ZONE, "zone", zone_words(ours), theirs, note, other, group, found)


def zone_words(score: ScoreResult) -> str:
    """`2.40 高倍率`."""
    word = ZONE_WORDS[score.zone]
    return f"{rounded(score.ratio, 2, 'half_up'):f} {word}" if score.ratio and word else word


def _zone_changes(policy: Policy, zone: Zone) -> Iterator[tuple[str, dict[str, Any], str]]:
    for name in ("low", "high", "extreme"):
        path = f"scoring.deviation.{name}"
        rule = getattr(policy.scoring.deviation, name)
        for op in _OPS[name]:
            if rule.op in _OPS[name] and op != rule.op:
                yield path, {"op": op}, f"像是界限写作 {op}"
        for edge in _EDGES.get(name, _EXTREME_EDGES):
            for op in _OPS[name]:
                at = Param(fixed=Decimal(edge))
                yield path, {"op": op, "at": at}, f"像是界限为 {op} {edge}"
        if rule.op != "n/a":
            yield path, {"op": "n/a"}, f"像是没有{ZONE_WORDS[Zone(name)]}这一档"
    if zone in (Zone.LOW, Zone.HIGH, Zone.EXTREME):
        path = f"scoring.deviation.{zone.value}"
        rule = getattr(policy.scoring.deviation, zone.value)
        for k in ("after", "none"):
            if k != rule.k:
                note = "像是这一档要乘机构系数" if k == "after" else "像是这一档不乘机构系数"
                yield path, {"k": k}, note
        for base in ("one", "k"):
            if base != rule.base:
                word = "机构系数" if base == "k" else "1"
                yield path, {"base": base, "k": "none"}, f"像是超出部分加{word}、不再乘系数"
                yield path, {"base": base}, f"像是超出部分加{word}"
        for form in _FORMS:
            if form != rule.form:
                yield (
                    path,
                    {"form": form, "k": rule.k or "after", "base": rule.base or "one"},
                    f"像是这一档按“{FORM_WORDS[form]}”计分",
                )


def with_coefficient(side: OurSide, k: Decimal) -> OurSide:
    """Our side with K of any case set to `k`."""
    return side.under(
        "scoring.institution",
        by="level",
        table=one_cell(k, side.level or marked(LEVEL)),
        pools_differ=False,
        basic_groups="same",
    )


def _coefficients(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    rules = side.policy.scoring.institution
    mine = ours.institution_coefficient
    shown = plain(mine)
    if group.is_basic and rules.basic_groups != "same":
        other = side.under("scoring.institution", basic_groups="same")
        found = plain(other.score(group).institution_coefficient)
        note = "像是不当作基层病种，乘了机构系数"
        yield Trial(Reason.COEFFICIENT, "k", shown, found, note, other, group)
    seen = {mine}
    rows = [*cells(rules.table), *cells(rules.group_factors)]
    for cell in (*rows, Cell(("不乘机构系数",), ONE)):
        if cell.value in seen:
            continue
        seen.add(cell.value)
        other = with_coefficient(side, cell.value)
        note = f"政策表 {cell.place}" if cell in rows else "像是不乘机构系数"
        yield Trial(Reason.COEFFICIENT, "k", shown, plain(cell.value), note, other, group)
    printed = theirs.coefficient
    if printed is not None and printed not in seen:
        other = with_coefficient(side, printed)
        yield Trial(Reason.COEFFICIENT, "k", shown, plain(printed), _PRINTED, other, group)


def with_average(
    side: OurSide, group: GroupResult, average: Decimal
) -> tuple[OurSide, GroupResult]:
    """Our side with the average fee of this group set to `average` yuan."""
    other = side.under(
        "scoring",
        average_fee="score_x_factor",
        average_fee_table=one_cell(average, side.level, group.group_code),
    )
    return other, structs.replace(group, level_fees=())


def _averages(
    side: OurSide, group: GroupResult, ours: ScoreResult, theirs: BureauResult
) -> Iterator[Trial]:
    """What our tables know, so that its place is named; then what the platform itself prints."""
    mine = divisor_of(side.case, group, ours, side.policy)
    seen = {mine}
    for average, note in _known_averages(side, group):
        if average in seen or not _plausible(average, mine):
            continue
        seen.add(average)
        yield _average_trial(side, group, mine, average, note)
    printed = theirs.average_fee
    if printed is not None and printed > 0 and printed not in seen:
        yield _average_trial(side, group, mine, printed, _PRINTED)


def _plausible(average: Decimal, mine: Decimal | None) -> bool:
    """A yardstick of quite another size belongs to another way of reckoning."""
    return average > 0 and (mine is None or mine / _FAR <= average <= mine * _FAR)


def _average_trial(
    side: OurSide, group: GroupResult, mine: Decimal | None, average: Decimal, note: str
) -> Trial:
    other, bare = with_average(side, group, average)
    shown = (_yuan(mine), _yuan(average))
    return Trial(Reason.AVERAGE_FEE, "average_fee", *shown, note, other, bare)


def _yuan(value: Decimal | None) -> str:
    return "" if value is None else plain(rounded(value, 2, "half_up"))


def _known_averages(side: OurSide, group: GroupResult) -> Iterator[tuple[Decimal, str]]:
    scoring, base, mean = side.policy.scoring, group.base_score, group.average_fee
    for level, fee in group.level_fees:
        yield fee, f"目录里{level_word(level)}医院的平均费用"
    for cell in cells(scoring.average_fee_table):
        if group.group_code in cell.keys:
            yield cell.value, f"政策表 {cell.place}"
    if mean is not None:
        yield mean, "目录的病种平均费用"
        for cell in cells(scoring.average_fee_factor):
            yield mean * cell.value, f"平均费用 × {plain(cell.value)}（{cell.place}）"
    for other in side.others:
        row = other.groups.get(group.group_code)
        if row is not None and row.row.average_fee is not None:
            yield row.row.average_fee, f"目录 {other.label} 的平均费用"
            for cell in cells(scoring.average_fee_factor):
                note = f"目录 {other.label} 的平均费用 × {plain(cell.value)}"
                yield row.row.average_fee * cell.value, note
    if base is not None:
        yield from _standards(side, base)


def _standards(side: OurSide, base: Decimal) -> Iterator[tuple[Decimal, str]]:
    """Yardsticks made of the score: by a factor, or by a point value with and without K."""
    money, scoring = side.policy.settlement.point_value, side.policy.scoring
    for cell in cells(scoring.average_fee_factor):
        yield base * cell.value, f"分值 × {plain(cell.value)}（{cell.place}）"
    values = [*cells(money.budget), *cells(money.table)]
    factors = [ONE, *dict.fromkeys(cell.value for cell in cells(scoring.institution.table))]
    for cell, k in product(values, factors):
        note = f"分值 × 机构系数 {plain(k)} × 点值 {plain(cell.value)}（{cell.place}）"
        yield base * k * cell.value, note


def _levels(side: OurSide, group: GroupResult) -> Iterator[Trial]:
    """The hospital taken as one of another level: K and yardstick both are the other's."""
    names = {
        cell.keys[0]
        for table in (
            side.policy.scoring.institution.table,
            side.policy.scoring.average_fee_factor,
            side.policy.scoring.average_fee_table,
        )
        for cell in cells(table)
    }
    for level in sorted(names - {side.level}):
        other = replace(side, level=level)
        note = f"像是按{level_word(level)}医院的系数和平均费用"
        found = plain(other.score(group).institution_coefficient)
        mine = plain(side.score(group).institution_coefficient)
        yield Trial(Reason.COEFFICIENT, "k", mine, found, note, other, group)


def _solved_coefficient(
    side: OurSide, group: GroupResult, ours: ScoreResult, wanted: Decimal
) -> Iterator[Trial]:
    """K that gives their score, if it is a number of at most four decimals."""
    mine = ours.institution_coefficient
    tried: set[Decimal] = set()
    for exact in _possible_coefficients(side, group, mine, wanted):
        for places in (2, 3, 4):
            k = rounded(exact, places, "half_up").normalize()
            if k in tried or not _LEAST_K <= k <= _MOST_K:
                continue
            tried.add(k)
            note = f"由平台的分值推算，等于 {plain(k)}；政策表里没有这个数"
            other = with_coefficient(side, k)
            yield Trial(Reason.COEFFICIENT, "k", plain(mine), plain(k), note, other, group)


def _possible_coefficients(
    side: OurSide, group: GroupResult, mine: Decimal | None, wanted: Decimal
) -> Iterator[Decimal]:
    """In each zone the score is affine in K: two near values say which K it takes.

    Another K may move the case into another zone (where it stands in the yardstick), hence
    several places to begin from, and the plain quotient of the normal zone.
    """
    with localcontext(Context(prec=PRECISION)):
        for start in dict.fromkeys((mine or ONE, ONE, Decimal("0.7"), Decimal("1.4"))):
            near = start + _STEP
            one = _at_full_length(with_coefficient(side, start)).score(group).score
            two = _at_full_length(with_coefficient(side, near)).score(group).score
            if one is not None and two is not None and one != two:
                yield start + (wanted - one) * _STEP / (two - one)
        if group.base_score:
            yield wanted / group.base_score


def _at_full_length(side: OurSide) -> OurSide:
    return side.under("scoring.rounding", score_dp=12, mode="half_even")


def _solved_average(
    side: OurSide,
    group: GroupResult,
    ours: ScoreResult,
    theirs: BureauResult,
    wanted: Decimal,
) -> Iterator[Trial]:
    """The average fee, in whole fen, that gives their score in the low or the high zone."""
    mine = divisor_of(side.case, group, ours, side.policy)
    if mine is None:
        return
    for zone in (Zone.LOW, Zone.HIGH):
        exact = _average_in(side, group, zone, mine, wanted)
        if exact is None or not _plausible(exact, mine):
            continue
        for cent in (Decimal(0), Decimal("0.01"), Decimal("-0.01")):
            average = rounded(exact, 2, "half_up") + cent
            note = "由平台的分值推算；政策和目录里没有这个数"
            if theirs.average_fee is not None:
                note = f"{_PRINTED}的是 {plain(theirs.average_fee)}，末位按其分值"
            yield _average_trial(side, group, mine, average, note)


def _average_in(
    side: OurSide, group: GroupResult, zone: Zone, mine: Decimal, wanted: Decimal
) -> Decimal | None:
    """Within one zone the score is affine in 1 / average: two trials say which it takes."""
    always = Param(fixed=Decimal(10) ** 9)
    never = Param(fixed=Decimal(10) ** 12)
    held = _at_full_length(side).under("scoring.deviation.extreme", op=">", at=never)
    if zone is Zone.LOW:
        held = held.under("scoring.deviation.low", op="<", at=always)
        points = (mine, mine * 2)
    else:
        held = held.under("scoring.deviation.low", op="n/a")
        # The edge stands in the formula too, so it stays; the fee must be beyond it.
        points = (mine / 50, mine / 100)
    scores = []
    for average in points:
        other, bare = with_average(held, group, average)
        scores.append(other.score(bare).score)
    one, two = scores
    if one is None or two is None or one == two:
        return None
    with localcontext(Context(prec=PRECISION)):
        first, second = 1 / points[0], 1 / points[1]
        inverse = first + (wanted - one) * (second - first) / (two - one)
        return 1 / inverse if inverse > 0 else None
