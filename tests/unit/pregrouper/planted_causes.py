"""A bureau by hand: its own numbers and arithmetic, and one planted cause per case.

Nothing here asks the scorer: scores and amounts are worked out from the numbers written below, so
that a mistake of the scorer cannot hide itself. Groups come from the grouper with the bureau's own
library, policy and codes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal

from msgspec import structs

from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.clock import CHINA
from dipgate.core.grouping import AuxLabel, GroupResult, GroupStatus, Layer, ScoreResult, Zone
from dipgate.core.money import Fen
from dipgate.core.reference import CodeMap, MapEntry
from dipgate.pregrouper import Library
from dipgate.pregrouper.attribution import OurSide
from dipgate.pregrouper.attribution_side import changed
from dipgate.pregrouper.differences import BureauResult, Reason

CAUSES = (
    Reason.CODESET,
    Reason.GROUP,
    Reason.TIE,
    Reason.BASE_SCORE,
    Reason.AUXILIARY,
    Reason.ZONE,
    Reason.AVERAGE_FEE,
    Reason.COEFFICIENT,
    Reason.ROUNDING,
    Reason.PRICE,
    Reason.POOL,
    Reason.AUDIT,
)
_TRIES = 300
_MODES = {"half_up": ROUND_HALF_UP, "down": ROUND_DOWN, "up": ROUND_UP}
_PER_FEN = Decimal("0.01")


def d(text: str) -> Decimal:
    return Decimal(text)


HALF, ONE, TWO, FIVE = d("0.5"), d("1"), d("2"), d("5")


@dataclass(frozen=True)
class Facts:
    """What the arithmetic needs of one case and its group."""

    rw: Decimal
    mean: Decimal
    basic: bool
    fee: Decimal
    fund: Decimal
    level: str
    pool: str
    month: str


@dataclass(frozen=True)
class Rules:
    """The numbers of one bureau. Tables by level, by pool, or by (pool, month)."""

    k: Mapping[tuple[str, str], Decimal]
    average: Callable[[Facts, Decimal], Decimal]
    values: Mapping[tuple[str, str], Decimal]
    ratios: Mapping[str, Decimal]
    """Fund share by pool; empty: the patient's part is taken off."""
    low: Decimal | None = HALF
    low_closed: bool = False
    low_k: bool = True
    high: Decimal | None = TWO
    high_pays: bool = True
    """False: cases beyond the high edge go to review."""
    high_base_k: bool = False
    high_k: bool = True
    extreme: Decimal | None = FIVE
    extreme_normal: bool = False
    basic_k: bool = False
    low_is_fee: bool = False
    """K cancels: score × K × fee ÷ average."""
    places: int = 4
    mode: str = "half_up"
    money_places: int = 2
    money_mode: str = "half_up"
    factor: Decimal = ONE
    value: Decimal | None = None
    """A point value that stands in no table."""
    fixed_k: Decimal | None = None


def by_hand(rules: Rules, x: Facts) -> tuple[Zone, Decimal | None, Decimal, Fen | None]:
    """(zone, score, point value, what the fund pays)."""
    k = d("1") if x.basic and not rules.basic_k else rules.k[x.level, x.pool]
    if rules.fixed_k is not None:
        k = rules.fixed_k
    average = rules.average(x, k)
    zone, raw = _raw(rules, x, k, x.fee, average)
    value = rules.value or rules.values.get((x.pool, x.month), rules.values[x.pool, ""])
    if raw is None:
        return zone, None, value, None
    # The made-up area's low cases take no label; nobody else has a factor.
    factor = d("1") if zone is Zone.LOW else rules.factor
    score = (raw * factor).quantize(d("1").scaleb(-rules.places), _MODES[rules.mode])
    whole = score * value
    yuan = whole * rules.ratios[x.pool] if rules.ratios else whole - (x.fee - x.fund)
    yuan = max(d("0"), yuan).quantize(d("1").scaleb(-rules.money_places), _MODES[rules.money_mode])
    return zone, score, value, Fen(int(yuan * 100))


def _raw(
    rules: Rules, x: Facts, k: Decimal, fee: Decimal, average: Decimal
) -> tuple[Zone, Decimal | None]:
    low, high, extreme = rules.low, rules.high, rules.extreme
    is_low = low is not None and (
        fee < low * average or (rules.low_closed and fee == low * average)
    )
    if is_low:
        if rules.low_is_fee:
            return Zone.LOW, x.rw * k * fee / average
        return Zone.LOW, x.rw * fee / average * (k if rules.low_k else 1)
    if high is not None and fee > high * average:
        if extreme is not None and fee > extreme * average:
            return Zone.EXTREME, x.rw * k if rules.extreme_normal else None
        if not rules.high_pays:
            return Zone.HIGH, None
        plus = k if rules.high_base_k else d("1")
        over = x.rw * (fee + (plus - high) * average) / average
        return Zone.HIGH, over * (k if rules.high_k else 1)
    return Zone.NORMAL, x.rw * k


def both(three: str, two: str, one: str) -> dict[tuple[str, str], Decimal]:
    """K by level, alike for both pools."""
    found = {"3": d(three), "2": d(two), "1": d(one)}
    return {(level, pool): k for level, k in found.items() for pool in ("职工", "居民")}


SAMPLE = Rules(
    k=both("1.04", "0.92", "0.78"),
    average=lambda x, _k: x.mean * {"3": d("1.04"), "2": d("1.00"), "1": d("0.80")}[x.level],
    values={
        ("职工", ""): d("8.12"),
        ("职工", "2024"): d("8.05"),
        ("职工", "2025-06"): d("8.09"),
        ("居民", ""): d("7.55"),
        ("居民", "2024"): d("7.48"),
        ("居民", "2025-06"): d("7.50"),
    },
    ratios={"职工": d("0.76"), "居民": d("0.63")},
)
NEIGHBOUR = Rules(
    k=both("1.08", "0.96", "0.82"),
    average=lambda x, k: x.rw * k * {"职工": d("7.60"), "居民": d("7.00")}[x.pool],
    values={
        ("职工", ""): d("7.66"),
        ("职工", "2026"): d("7.72"),
        ("居民", ""): d("7.05"),
        ("居民", "2026"): d("7.10"),
    },
    ratios={},
    high_pays=False,
    extreme=None,
    low_is_fee=True,
)
MADE_UP = Rules(
    k={
        ("3", "职工"): d("1.021"),
        ("3", "居民"): d("1.057"),
        ("2", "职工"): d("0.874"),
        ("2", "居民"): d("0.901"),
    },
    average=lambda x, _k: x.mean,
    values={
        ("职工", ""): d("9.1734"),
        ("职工", "2025-02"): d("9.2051"),
        ("职工", "2025-04"): d("9.0987"),
        ("居民", ""): d("8.4412"),
        ("居民", "2025-02"): d("8.5006"),
    },
    ratios={"职工": d("0.742"), "居民": d("0.615")},
    low_closed=True,
    low_k=False,
    high_base_k=True,
    high_k=False,
    extreme_normal=True,
)


@dataclass(frozen=True)
class Area:
    """One area: our side's tables, and the bureau's numbers."""

    name: str
    side: OurSide
    rules: Rules
    codes: tuple[str, ...]
    """Diagnoses of the catalogue."""
    operations: tuple[str, ...]
    month: str
    other_select: tuple[str, ...]
    old: Library

    @property
    def bare(self) -> bool:
        """No auxiliary directory."""
        return self.side.policy.auxiliary.mode in (None, "none", "n/a")


@dataclass(frozen=True)
class Planted:
    reason: Reason
    area: Area
    side: OurSide
    group: GroupResult
    score: ScoreResult
    theirs: BureauResult


def invented(area: Area, rng: random.Random) -> Case:
    """A stay that falls into a row of the library: its codes, a fee about its mean."""
    rows = [item for item in area.side.library.groups.values() if item.layer.value in _LAYERS]
    chosen = rng.choice(rows)
    codes = [code for code in area.codes if code.startswith(chosen.dx_key)]
    if not codes:
        return invented(area, rng)
    operations = [
        code for part in (chosen.main, chosen.related) if part for code in sorted(rng.choice(part))
    ]
    if rng.random() < 0.3 and operations:
        operations.append(rng.choice(area.operations))
    mean = chosen.row.average_fee or d("8000")
    shape = rng.choice((0.15, 0.3, 0.42, 0.6, 0.9, 1.0, 1.1, 1.4, 2.2, 2.6, 3.3, 4.0))
    fee = Fen(int(float(mean) * 100 * shape * rng.uniform(0.9, 1.1)))
    moment = datetime(2025, 3, 14, 9, 0, tzinfo=CHINA)
    return Case(
        case_id=f"{area.name}-{rng.randrange(10**9)}",
        hospital_code="H1",
        insured_place="",
        insurance_type=rng.choice(("310", "390")),
        sex="",
        born=None,
        admitted=moment,
        discharged=moment,
        settled=date(2025, 3, 14),
        discharge_way="1",
        stay_type="1",
        payment_method="3",
        principal=Diagnosis(rng.choice(codes), "", "1", "", 0),
        others=tuple(
            Diagnosis(code, "", "1", "", place)
            for place, code in enumerate(rng.sample(area.codes, 3), start=1)
        ),
        tcm=(),
        procedures=tuple(
            Procedure(code, "", place == 0, None, place)
            for place, code in enumerate(dict.fromkeys(operations))
        ),
        icu=(),
        fee=fee,
        fund=Fen(int(fee * rng.uniform(0.5, 0.8))),
        self_paid=None,
        birth_weight_g=None,
        vent_hours=None,
    )


_LAYERS = ("core", "basic", "comprehensive")
POOLS = {"310": "职工", "390": "居民"}


def facts(area: Area, case: Case, group: GroupResult) -> Facts:
    assert group.base_score is not None
    assert group.average_fee is not None
    return Facts(
        rw=group.base_score,
        mean=group.average_fee,
        basic=group.is_basic,
        fee=Decimal(case.fee or 0) / 100,
        fund=Decimal(case.fund or 0) / 100,
        level=area.side.level,
        pool=POOLS[case.insurance_type],
        month=area.month,
    )


def returned(
    case: Case,
    group: GroupResult,
    found: tuple[Zone, Decimal | None, Decimal, Fen | None],
    rng: random.Random,
    *,
    pays: bool,
    label: str | None = None,
) -> BureauResult:
    """The row that the bureau sends: group and scores always, the rest now and then."""
    zone, score, value, amount = found
    grouped = group.status in (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE)
    return BureauResult(
        case.case_id,
        True,
        grouped,
        group.group_code if grouped else "",
        "",
        group.base_score if grouped else None,
        score,
        auxiliary=label,
        zone=zone if rng.random() < 0.3 else None,
        point_value=value if pays and rng.random() < 0.3 else None,
        payable=amount if pays or rng.random() < 0.5 else None,
    )


def plant(reason: Reason, area: Area, rng: random.Random) -> Planted | None:
    """One case with one cause that shows in what the bureau returns; None: not in this area."""
    for _ in range(0 if area.bare and reason is Reason.AUXILIARY else _TRIES):
        case = invented(area, rng)
        side = replace(area.side, case=case)
        ours = side.group()
        if ours.status not in (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE):
            continue
        ours = with_label(area, ours, rng, always=reason is Reason.AUXILIARY)
        score = side.score(ours)
        if score.score is None or not ours.base_score:
            continue
        theirs = _bureau(reason, area, side, ours, rng)
        if theirs is not None and _shows(ours, score, theirs):
            return Planted(reason, area, side, ours, score, theirs)
    return None


LABELS = {
    "中度": ("severity", d("1.12")),
    "重度": ("severity", d("1.31")),
    "死亡": ("severity", d("0.87")),
    "极严重": ("cci", d("1.18")),
}
"""The auxiliary directory of the made-up area, for every group."""


def with_label(area: Area, group: GroupResult, rng: random.Random, *, always: bool) -> GroupResult:
    """A label where the area has a directory and the group is one that takes labels."""
    if area.bare or group.layer not in (Layer.CORE, Layer.BASIC):
        return group
    if not always and rng.random() < 0.5:
        return structs.replace(group, labels=())
    name = rng.choice(sorted(LABELS))
    return structs.replace(group, labels=(AuxLabel(LABELS[name][0], name, ""),))


def _shows(ours: GroupResult, score: ScoreResult, theirs: BureauResult) -> bool:
    """Does anything that was returned differ at all?"""
    same_group = ours.group_code == theirs.group_code and ours.base_score == theirs.base_score
    labels = [item.label for item in ours.labels]
    # A zone that has no use for the label: the bureau may say that there is none.
    labels += [] if score.auxiliary_label else [""]
    same_label = theirs.auxiliary is None or theirs.auxiliary in labels
    same_score = theirs.settled_score == score.score
    same_pay = theirs.payable in (None, score.amount)
    same_value = theirs.point_value in (None, score.point_value)
    return not (same_group and same_label and same_score and same_pay and same_value)


def _bureau(
    reason: Reason, area: Area, side: OurSide, ours: GroupResult, rng: random.Random
) -> BureauResult | None:
    case = side.case
    if reason in (Reason.CODESET, Reason.GROUP, Reason.TIE, Reason.BASE_SCORE):
        seen = _other_codes(side, rng) if reason is Reason.CODESET else case
        group = _other_group(reason, area, side, ours, rng, seen)
        if group is None or not group.base_score or group.average_fee is None:
            return None
        found = by_hand(area.rules, facts(area, case, group))
        if found[1] is None:
            return None
        theirs = returned(case, group, found, rng, pays=False)
        if reason is Reason.GROUP or seen.principal is None or rng.random() < 0.5:
            return theirs
        codes = tuple(item.code for item in seen.procedures)
        return replace(theirs, dx_code=seen.principal.code, op_codes=codes)
    x = facts(area, case, ours)
    label: str | None = ours.labels[0].label if ours.labels else ""
    a = LABELS[label][1] if label else d("1")
    rules, x = _other_rules(reason, area, replace(area.rules, factor=a), x, rng)
    if reason is Reason.AUXILIARY:
        if ours.layer not in (Layer.CORE, Layer.BASIC):
            return None
        label = rng.choice(["", *sorted(LABELS)])
        rules = replace(rules, factor=LABELS[label][1] if label else d("1"))
    if rng.random() < 0.5 or area.bare:
        label = None
    found = by_hand(rules, x)
    if found[1] is None:
        return None
    pays = reason in (Reason.PRICE, Reason.POOL, Reason.AUDIT) or (
        reason is Reason.ROUNDING and rules.money_places != 2
    )
    theirs = returned(case, ours, found, rng, pays=pays, label=label)
    if reason is not Reason.AUDIT:
        return theirs
    less = rng.choice((rng.randrange(500, 300000), rng.randrange(1, 40) * 10000))
    if theirs.payable is None or theirs.payable <= less:
        return None
    said = rng.random() < 0.3
    return replace(
        theirs,
        payable=Fen(theirs.payable - less),
        deducted=Fen(less) if said and rng.random() < 0.5 else None,
        remarks="审核扣减" if said else "",
    )


def _other_group(
    reason: Reason,
    area: Area,
    side: OurSide,
    ours: GroupResult,
    rng: random.Random,
    seen: Case,
) -> GroupResult | None:
    case = side.case
    if reason is Reason.BASE_SCORE:
        found = replace(side, library=area.old).group()
        return found if found.group_code == ours.group_code else None
    if reason is Reason.CODESET:
        found = replace(side.under("grouping", unmapped_codes="use"), case=seen).group()
    elif reason is Reason.TIE:
        policy = changed(side.policy, "grouping", select=area.other_select)
        found = replace(side, policy=policy).group()
    elif case.principal is not None and rng.random() < 0.6:
        first = rng.choice(case.others)
        others = (case.principal, *(item for item in case.others if item is not first))
        found = replace(side, case=structs.replace(case, principal=first, others=others)).group()
    else:
        row = rng.choice([item for item in area.side.library.groups.values() if item.row.score])
        found = structs.replace(ours, group_code=row.code, base_score=row.row.score)
    if found.status not in (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE):
        return None
    return found if found.group_code != ours.group_code else None


def _other_codes(side: OurSide, rng: random.Random) -> Case:
    """The list as it reads in the other edition: the principal's code, or one operation's."""
    case, editions = side.case, side.editions
    assert case.principal is not None
    with_images = [item for item in case.procedures if editions.op.get(item.code)]
    if with_images and rng.random() < 0.5:
        item = rng.choice(with_images)
        changed_one = structs.replace(item, code=rng.choice(editions.op[item.code]))
        return structs.replace(
            case,
            procedures=tuple(changed_one if other is item else other for other in case.procedures),
        )
    images = editions.dx.get(case.principal.code)
    if not images:
        return case
    return structs.replace(case, principal=structs.replace(case.principal, code=rng.choice(images)))


def _other_rules(
    reason: Reason, area: Area, rules: Rules, x: Facts, rng: random.Random
) -> tuple[Rules, Facts]:
    """The bureau's numbers with the one planted change."""
    if reason is Reason.ZONE:
        options = [
            replace(rules, low=d("0.4")),
            replace(rules, low=None),
            replace(rules, low=d("0.6")),
            replace(rules, high=d("2.5")),
            replace(rules, high=None),
        ]
        if rules.high_pays:
            options.append(replace(rules, high_base_k=not rules.high_base_k))
        return rng.choice(options), x
    if reason is Reason.AVERAGE_FEE:
        return replace(rules, average=rng.choice(_other_averages(area, x, rng))), x
    if reason is Reason.COEFFICIENT:
        known = [k for (_, pool), k in sorted(rules.k.items()) if pool == x.pool]
        unknown = d(str(rng.randrange(700, 1300))) / 1000
        return replace(rules, fixed_k=rng.choice([*known, unknown])), x
    if reason is Reason.ROUNDING:
        return rng.choice(
            (
                replace(rules, places=2),
                replace(rules, places=1),
                replace(rules, places=0),
                replace(rules, mode="down"),
                replace(rules, mode="up"),
                replace(rules, places=2, mode="down"),
                replace(rules, money_places=0),
                replace(rules, money_places=1),
            )
        ), x
    if reason is Reason.PRICE:
        now = rules.values.get((x.pool, x.month), rules.values[x.pool, ""])
        known = [v for (pool, _), v in rules.values.items() if pool == x.pool and v != now]
        unknown = UNKNOWN_VALUES[area.name]
        return replace(rules, value=rng.choice([*known, *unknown])), x
    if reason is Reason.POOL:
        return rules, replace(x, pool="居民" if x.pool == "职工" else "职工")
    return rules, x


UNKNOWN_VALUES = {
    "sample": (d("7.93"), d("8.0431")),
    "neighbour": (d("7.31"), d("7.2874")),
    "made-up": (d("8.87"), d("9.0213")),
}
"""Settlement point values that the policies do not know: the same for a month's cases."""


def _other_averages(
    area: Area, x: Facts, rng: random.Random
) -> list[Callable[[Facts, Decimal], Decimal]]:
    """Another level's yardstick, another year's mean, or one that we do not know."""
    mine = area.rules.average
    unknown = (x.mean * d(str(rng.randrange(850, 1150))) / 1000).quantize(_PER_FEN)
    found: list[Callable[[Facts, Decimal], Decimal]] = [lambda _x, _k: unknown]
    if area.name == "sample":
        found += [
            lambda y, k: mine(replace(y, level="2"), k),
            lambda y, k: mine(replace(y, level="1"), k),
        ]
    elif area.name == "neighbour":
        found += [
            lambda y, _k: y.rw * (d("7.60") if y.pool == "职工" else d("7.00")),
            lambda y, k: y.rw * k * area.rules.values[y.pool, ""],
        ]
    else:
        found.append(lambda y, _k: (y.mean * d("0.93")).quantize(_PER_FEN))
    return found


def edition_map(kind: str, codes: list[str], rng: random.Random) -> CodeMap:
    """A made-up older edition: every third code had the number of another one."""
    entries: dict[str, tuple[MapEntry, ...]] = {}
    for row, code in enumerate(codes[::3], start=2):
        other = rng.choice(codes)
        if other != code:
            entries[code] = (MapEntry(code, "", other, "", "national", "made-up", row),)
    return CodeMap(kind, ("made-up",), entries)
