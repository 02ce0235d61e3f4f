"""Labels by bands: the age at admission and the days in intensive care (dip-grouping.md 12)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from dipgate.pregrouper.aux_question import DIMENSIONS, Answer, AuxQuestion, Fits, Lacks
from dipgate.pregrouper.conditions import icu_days

ICU_BANDS = ((2, 7), (8, 14), (15, 30), (31, None))


class _Band(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def from_days(self) -> int | None: ...
    @property
    def to_days(self) -> int | None: ...
    @property
    def from_years(self) -> int | None: ...
    @property
    def to_years(self) -> int | None: ...


@DIMENSIONS.add("age")
def age_band(q: AuxQuestion) -> Answer:
    """The first band, closed at both ends, that holds the age in days or completed years."""
    bands: Iterable[_Band] | None = q.rules.age_bands or q.parts.age
    if not bands:
        return Lacks("年龄分段（auxiliary.age_bands）")
    days, years = q.case.age_days, q.case.age_years
    if days is None or years is None:
        return Lacks("出生日期或入院时间")
    if days < 0:
        return Lacks("可用的出生日期（出生日期晚于入院日期）")
    for band in bands:
        in_days = _within(days, band.from_days, band.to_days)
        if in_days and _within(years, band.from_years, band.to_years):
            shown = f"{days} 天" if years < 1 else f"{years} 岁"
            return Fits(band.label, f"入院时 {shown}")
    return None


@DIMENSIONS.add("icu")
def intensive_care(q: AuxQuestion) -> Answer:
    """Whole days of 24 hours in intensive care, all stays together."""
    if not q.case.icu:
        return None
    days = icu_days(q.case)
    if days is None:
        return Lacks("进出重症监护的时间")
    for low, high in q.rules.icu_bands_days or ICU_BANDS:
        if low is not None and _within(days, low, high):
            label = f"{low}天及以上" if high is None else f"{low}-{high}天"
            return Fits(label, f"重症监护共 {days} 天")
    return None


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)
