"""One line to settle: a pool's or a hospital's month or year, as a person or a bureau states it.

Money is in yuan, exact to the fen; what is left out is unknown, never nought. Only deductions
and payments that did not happen (`audit`, `interest`) may be left out and are then none.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dipgate.core.money import decimal_of, fen_of

_MONTH = re.compile(r"(19|20)\d{2}-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"(19|20)\d{2}")
_HIGHEST_ASSESSMENT = 2
MAX_DIGITS = 18
_NOT_NEGATIVE = (
    "point_value",
    "total_score",
    "pool_score",
    "base_score",
    "pool_base_score",
    "severe_score",
    "pool_severe_score",
)
_FIRST_WHEN = ("pool", "month", "year", "hospital", "insured_place", "county", "id")


def _number(value: object) -> object:
    if value is None or isinstance(value, Decimal):
        return value
    try:
        number = decimal_of(value)
    except ValueError as error:
        raise ValueError(f"{value!r} {error}") from None
    return number


def _bounded(value: object) -> object:
    """A number that a person could have meant: no more digits than a region's whole year."""
    number = _number(value)
    if isinstance(number, Decimal):
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int):
            raise ValueError("不是有限的数字")
        whole = number.adjusted() if number else exponent
        if not -MAX_DIGITS <= whole < MAX_DIGITS or exponent < -MAX_DIGITS:
            raise ValueError(f"整数和小数各最多 {MAX_DIGITS} 位")
    return number


def _money(value: object) -> object:
    number = _bounded(value)
    if number is not None:
        fen_of(number)
    return number


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[Decimal | None, BeforeValidator(_bounded)]
Yuan = Annotated[Decimal | None, BeforeValidator(_money)]
_Score = Annotated[Decimal, BeforeValidator(_bounded)]
_Yuan = Annotated[Decimal, BeforeValidator(_money)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClosedYear(_Strict):
    """A closed year (or month) of the pool: its sums, or fee and score of every case, to trim."""

    total_fee: Yuan = None
    total_score: Quantity = Field(default=None, gt=0)
    cases: tuple[tuple[_Yuan, _Score], ...] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> ClosedYear:
        sums = self.total_fee is not None and self.total_score is not None
        either = self.total_fee is not None or self.total_score is not None
        if (self.cases is None) != sums or (self.cases is not None and either):
            raise ValueError("写 total_fee 和 total_score，或者写 cases（每例的费用和分值）")
        return self


class SettleInput(_Strict):
    """What a month or a year is settled from; `month` or `year` says which."""

    id: Annotated[str, BeforeValidator(_text)] = ""
    pool: str
    month: str = ""
    year: Annotated[str, BeforeValidator(_text)] = ""
    hospital: str = ""
    insured_place: str = ""
    county: str = ""

    scores: tuple[_Score, ...] | None = None
    """Scores of the cases, as rounded by the policy; or the total; or parts with names."""
    total_score: Quantity = None
    score_parts: dict[str, _Score] | None = None
    point_value: Quantity = None
    fund_share: Quantity = None
    """g, where the policy's own table does not hold it."""

    fund: Yuan = None
    """Fund to be shared out among the cases of the pool, after carve-outs."""
    year_fund: Yuan = None
    carve_outs: dict[str, _Yuan] | None = None
    pool_score: Quantity = None
    """Total score of the whole pool, where this line is only one hospital's."""
    pool_fee: Yuan = None
    pool_billed_fund: Yuan = None
    payment_ratio: Quantity = None
    closed_years: tuple[ClosedYear, ...] | None = None

    base_score: Quantity = None
    """Of an elastic point value: how much of the score is base; the rest is increment."""
    pool_base_score: Quantity = None
    severe_score: Quantity = None
    """Where point values differ by severity: how much of the score is of severe groups."""
    pool_severe_score: Quantity = None

    billed_fund: Yuan = None
    self_pay: Yuan = None
    assessment: Quantity = None
    audit: Yuan = None
    prepaid: Yuan = None
    monthly_paid: Yuan = None
    deposit_held: Yuan = None
    interest: Yuan = None
    last_year_fund: Yuan = None
    region_discharges: Quantity = None
    """Stays of the whole region that DIP paid in the period: the ceiling of special reviews."""
    region_special_reviews: Quantity = None

    @model_validator(mode="after")
    def _possible(self) -> SettleInput:
        if bool(self.month) == bool(self.year):
            raise ValueError("month 和 year 写一个，不能都写或都不写")
        if self.month and not _MONTH.fullmatch(self.month):
            raise ValueError(f"month 应写成 2025-03，不是 {self.month!r}")
        if self.year and not _YEAR.fullmatch(self.year):
            raise ValueError(f"year 应写成 2025，不是 {self.year!r}")
        stated = [name for name in ("scores", "total_score", "score_parts") if self.has(name)]
        if len(stated) > 1:
            raise ValueError(f"{'、'.join(stated)} 只写一个")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} 不能是负数")
        for name in ("point_value", "pool_score"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} 应大于 0；不知道就不写")
        if self.scores == ():
            raise ValueError("scores 是空的；没有病例写 total_score: 0")
        for name, part in (self.score_parts or {}).items():
            if part < 0:
                raise ValueError(f"score_parts.{name} 不能是负数；审核扣减先从所属的一部分减去")
        for name in ("payment_ratio", "fund_share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} 应在 0 到 1 之间")
        for name in ("region_discharges", "region_special_reviews"):
            value = getattr(self, name)
            if value is not None and (value < 0 or value != value.to_integral_value()):
                raise ValueError(f"{name} 是病例数，应为不小于 0 的整数")
        if self.assessment is not None and not 0 <= self.assessment <= _HIGHEST_ASSESSMENT:
            raise ValueError("assessment 是系数，写成 0.98 这样的小数")
        return self

    def has(self, name: str) -> bool:
        return getattr(self, name) not in (None, "")

    @property
    def day(self) -> date:
        """The last day of the period: what held when it closed."""
        year, _, month = (self.month or f"{self.year}-12").partition("-")
        number = int(year) * 12 + int(month)
        return date.fromordinal(date(number // 12, number % 12 + 1, 1).toordinal() - 1)

    def given(self) -> tuple[str, ...]:
        """Names of the amounts and scores that the line states, in the order of the format."""
        return tuple(
            name
            for name in type(self).model_fields
            if name not in _FIRST_WHEN and getattr(self, name) is not None
        )
