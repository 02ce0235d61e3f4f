"""What must be true of a policy before anybody reckons with it.

Shapes and words are the models' business; here are the sums: shares, edges, bands, weights, dates.
Each mistake is a path and a Chinese sentence. Source: dip-settlement.md section 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise

from pydantic import BaseModel

from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy

Path = tuple[str | int, ...]
Problem = tuple[Path, str]
_LIBRARY = re.compile(r"[^@\s]+@[^@\s]+")
_AREA = re.compile(r"\d{6}")
_YEAR = re.compile(r"\d{4}")
_DAY_OF_YEAR = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_MONTH = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
_ZONES = ("low", "high", "extreme")
_ONE = Decimal(1)


def problems(policy: Policy) -> Iterator[Problem]:
    """Every mistake, in the order of the file's sections."""
    yield from _header(policy)
    yield from _evidence(policy, (), frozenset(policy.evidence))
    yield from _shares(policy)
    yield from _positive(policy)
    yield from _not_negative(policy)
    yield from _months(policy)
    yield from _weights(policy)
    yield from _edges(policy)
    yield from _split(policy)
    yield from _bands(policy)
    yield from _deadlines(policy)
    yield from _clearing_shares(policy)


def numbers_in(value: Param | ParamTable | None, path: Path) -> Iterator[tuple[Path, Decimal]]:
    """Every number under a parameter or table, whatever its day."""
    if isinstance(value, ParamTable):
        for key, item in value.entries.items():
            yield from numbers_in(item, (*path, key))
    elif isinstance(value, Param):
        if value.fixed is not None:
            yield path, value.fixed
        for entry in value.series.entries() if value.series is not None else ():
            yield (*path, f"{entry.first_day:%Y-%m-%d}"), entry.value


def _header(policy: Policy) -> Iterator[Problem]:
    header, library = policy.policy, policy.catalogue.library
    if not _AREA.fullmatch(header.region.code):
        yield ("policy", "region", "code"), f"{header.region.code!r} 不是 6 位医保区划"
    if library is not None and not _LIBRARY.fullmatch(library):
        yield ("catalogue", "library"), f"{library!r} 应写成 名称@版本"


def _evidence(part: BaseModel, path: Path, known: frozenset[str]) -> Iterator[Problem]:
    """`src` of every section and row points at an entry of `evidence`."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        here = (*path, field.alias or name)
        if name == "src":
            for key in value or ():
                if key not in known:
                    yield here, f"引用了不存在的依据 {key!r}"
        elif isinstance(value, BaseModel):
            yield from _evidence(value, here, known)
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _evidence(item, (*here, place), known)


def _shares(policy: Policy) -> Iterator[Problem]:
    money, scoring = policy.settlement, policy.scoring
    monthly = ("settlement", "monthly")
    asked: list[tuple[Path, Param | ParamTable | None]] = [
        (("settlement", "fund_ratio"), money.fund_ratio),
        ((*monthly, "ratio"), money.monthly.ratio),
        ((*monthly, "deposit"), money.monthly.deposit),
        ((*monthly, "deposit_cap_2025"), money.monthly.deposit_cap_2025),
        (
            ("scoring", "special_review", "cap_of_region_discharges"),
            scoring.special_review.cap_of_region_discharges,
        ),
    ]
    asked.append((("auxiliary", "trigger", "min_cv_drop"), policy.auxiliary.trigger.min_cv_drop))
    trim = money.point_value.trim
    asked.append((("settlement", "point_value", "trim", "low"), trim.low))
    asked.append((("settlement", "point_value", "trim", "high"), trim.high))
    threshold = policy.catalogue.core_threshold
    if threshold is not None:
        asked.append((("catalogue", "core_threshold", "coverage"), threshold.coverage))
    for place, band in enumerate(money.year_end.bands or ()):
        path: Path = ("settlement", "year_end", "bands", place, "pay", "share")
        asked.append((path, band.pay.share))
    for start, param in asked:
        for where, number in numbers_in(param, start):
            if not 0 <= number <= 1:
                yield where, f"{number:f} 不在 0 到 1 之间"


def _positive(policy: Policy) -> Iterator[Problem]:
    money, scoring, catalogue = policy.settlement, policy.scoring, policy.catalogue
    asked: tuple[tuple[Path, Param | ParamTable | None], ...] = (
        (("catalogue", "score_scale"), catalogue.score_scale),
        (("catalogue", "pool_mean_fee"), catalogue.pool_mean_fee),
        (("scoring", "institution", "table"), scoring.institution.table),
        (("scoring", "institution", "group_factors"), scoring.institution.group_factors),
        (("scoring", "average_fee_table"), scoring.average_fee_table),
        (("scoring", "average_fee_factor"), scoring.average_fee_factor),
        (("settlement", "point_value", "table"), money.point_value.table),
        (("settlement", "point_value", "budget"), money.point_value.budget),
    )
    for start, param in asked:
        for where, number in numbers_in(param, start):
            if number <= 0:
                yield where, f"{number:f} 应为正数"


def _not_negative(policy: Policy) -> Iterator[Problem]:
    trigger: Path = ("auxiliary", "trigger")
    tests = policy.auxiliary.trigger
    asked = (
        ((*trigger, "min_group_cases"), tests.min_group_cases),
        ((*trigger, "min_type_cases"), tests.min_type_cases),
        ((*trigger, "cv_before"), tests.cv_before),
        (("settlement", "prepayment_months"), policy.settlement.prepayment_months),
    )
    for start, param in asked:
        for where, number in numbers_in(param, start):
            if number < 0:
                yield where, f"{number:f} 不能是负数"


def _months(policy: Policy) -> Iterator[Problem]:
    """Keys of the point values that stand for months, where the price keys say which do."""
    money = policy.settlement
    names = money.price_keys if money.price_keys is not None else money.point_value.keys or ()
    path = ("settlement", "point_value", "table")
    for depth in (place for place, name in enumerate(names) if name == "month"):
        for where, key in _keys_at(money.point_value.table, depth, path):
            if not _MONTH.fullmatch(key):
                yield where, f"月份 {key!r} 应写成 2025-03，或全年 2025"


def _keys_at(table: ParamTable, depth: int, path: Path) -> Iterator[tuple[Path, str]]:
    for key, item in table.entries.items():
        if depth == 0:
            yield (*path, key), key
        elif isinstance(item, ParamTable):
            yield from _keys_at(item, depth - 1, (*path, key))


def _weights(policy: Policy) -> Iterator[Problem]:
    for place, weight in enumerate(policy.scoring.time_weights or ()):
        if weight <= 0:
            yield ("scoring", "time_weights", place), f"历史权重 {weight} 应为正数"


def _edges(policy: Policy) -> Iterator[Problem]:
    """low.at < high.at < extreme.at on every day on which one of them changes."""
    zones = policy.scoring.deviation
    edges = [(name, getattr(zones, name).at) for name in _ZONES]
    days = _days(*(param for _, param in edges), zones.high.upto)
    told: set[str] = set()
    for day in days:
        known = [(name, value) for name, param in edges if (value := _on(param, day)) is not None]
        for (below, low), (above, high) in pairwise(known):
            if low >= high and above not in told:
                told.add(above)
                path = ("scoring", "deviation", above, "at")
                yield path, f"{above} 的界限 {high:f} 不大于 {below} 的 {low:f}"
        for name in _ZONES:
            zone = getattr(zones, name)
            at, upto = _on(zone.at, day), _on(zone.upto, day)
            if at is not None and upto is not None and upto <= at and f"{name}.upto" not in told:
                told.add(f"{name}.upto")
                path = ("scoring", "deviation", name, "upto")
                yield path, f"上限 {upto:f} 不大于起点 {at:f}"


def _split(policy: Policy) -> Iterator[Problem]:
    path = ("settlement", "point_value", "elastic_split")
    for place, pair in enumerate(policy.settlement.point_value.elastic_split or ()):
        try:
            shares = [Decimal(text) for text in pair]
        except ArithmeticError:
            yield (*path, place), f"{'、'.join(pair)} 不是两个数字"
            continue
        if len(shares) != 2 or any(share < 0 for share in shares) or sum(shares) != _ONE:
            yield (*path, place), "应为基础和增量两个份额，都不小于 0，合计为 1"


def _bands(policy: Policy) -> Iterator[Problem]:
    bands = policy.settlement.year_end.bands or ()
    start: Path = ("settlement", "year_end", "bands")
    for day in _days(*(bound for band in bands for bound in (band.lo, band.hi))):
        found = list(_bands_on(policy, day, start))
        if found:
            yield from found
            return
    for place, band in enumerate(bands):
        for where, number in numbers_in(band.pay.upto, (*start, place, "pay", "upto")):
            if number < _ONE:
                yield where, f"封顶倍数 {number:f} 应不小于 1"


def _bands_on(policy: Policy, day: date, start: Path) -> Iterator[Problem]:
    bands = policy.settlement.year_end.bands or ()
    last = len(bands) - 1
    before: Decimal | None = None
    for place, band in enumerate(bands):
        low, high = _on(band.lo, day), _on(band.hi, day)
        if low is None and place > 0:
            yield (*start, place, "lo"), "只有第一段可以不写下限"
        if high is None and place < last:
            yield (*start, place, "hi"), "只有最后一段可以不写上限"
        if low is not None and high is not None and low >= high:
            yield (*start, place, "hi"), f"上限 {high:f} 不大于下限 {low:f}"
        if place > 0 and low is not None and before is not None and low != before:
            yield (*start, place, "lo"), f"与上一段不相接：上一段到 {before:f}，这一段从 {low:f} 起"
        before = high


def _deadlines(policy: Policy) -> Iterator[Problem]:
    for key, text in (policy.settlement.year_end.deadline or {}).items():
        year, plus = key.removesuffix("+"), key.endswith("+")
        path = ("settlement", "year_end", "deadline", key)
        if not _YEAR.fullmatch(year):
            yield path, f"{key!r} 应写成年份（2025）或某年起（2027+）"
        elif text is not None and not (_DAY_OF_YEAR.fullmatch if plus else _is_day)(text):
            yield path, f"{text!r} 应写成 {'MM-DD（次年的日子）' if plus else 'yyyy-MM-dd'}"


def share_range(text: str) -> tuple[Decimal, Decimal] | None:
    """`0.05`, or from and to as `0.03-0.05`; None where it is no share."""
    low, dash, high = text.partition("-")
    try:
        found = Decimal(low), Decimal(high if dash else low)
    except ArithmeticError:
        return None
    return (
        found if all(end.is_finite() for end in found) and 0 <= found[0] <= found[1] <= 1 else None
    )


def _clearing_shares(policy: Policy) -> Iterator[Problem]:
    for key, text in (policy.settlement.year_end.clearing_share_target or {}).items():
        path = ("settlement", "year_end", "clearing_share_target", key)
        if not _YEAR.fullmatch(key.removesuffix("+")):
            yield path, f"{key!r} 应写成年份（2025）或某年起（2027+）"
        elif text is not None and share_range(text) is None:
            yield path, f"{text!r} 应写成 0 到 1 之间的比例（0.05），或从小到大的两个（0.03-0.05）"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _days(*params: Param | None) -> list[date]:
    """The days on which one of the parameters changes; the last day of all where none is dated."""
    found = {
        entry.first_day
        for param in params
        if param is not None and param.series is not None
        for entry in param.series.entries()
    }
    return sorted(found) or [date.max]


def _on(param: Param | None, day: date) -> Decimal | None:
    return None if param is None else param.on(day)
