"""One grouped case to be scored, as a person or another grouper states it.

Money is in yuan, exact to the fen; what is left out is unknown, never nought and never 1.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dipgate.core.money import decimal_of, fen_of

MAX_DIGITS, MAX_DECIMALS = 15, 20


def _measured(number: Decimal | None) -> Decimal | None:
    """Numbers of any use are short; beyond them exact arithmetic has no end."""
    if number is None:
        return None
    if not number.is_finite():
        raise ValueError("不是有限的数字")
    exponent = number.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    if number.adjusted() >= MAX_DIGITS or places > MAX_DECIMALS:
        raise ValueError(f"应最多 {MAX_DIGITS} 位整数、{MAX_DECIMALS} 位小数")
    return number


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


def _number(value: object) -> object:
    if value is None or isinstance(value, Decimal):
        return _measured(value)
    try:
        number = decimal_of(value)
    except ValueError as error:
        raise ValueError(f"{_short(value)} {error}；写成 1234.56 这样的数字") from None
    return _measured(number)


def _money(value: object) -> object:
    number = _number(value)
    if isinstance(number, Decimal):
        fen_of(number)
    return number


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _flag(value: object) -> object:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{_short(value)} 应为 true 或 false")
    return False if value is None else value


Quantity = Annotated[Decimal | None, BeforeValidator(_number)]
Yuan = Annotated[Decimal | None, BeforeValidator(_money)]
Words = Annotated[str, BeforeValidator(lambda value: "" if value is None else _text(value))]


class ScoreInput(BaseModel):
    """`k`, `a` and `average_fee` come before what the policy would find by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: Words = ""
    base_score: Quantity = Field(default=None, ge=0)
    fee: Yuan = Field(default=None, ge=0)
    average_fee: Quantity = Field(default=None, gt=0)
    k: Quantity = Field(default=None, gt=0)
    a: Quantity = Field(default=None, gt=0)
    is_basic: Annotated[bool, BeforeValidator(_flag)] = False

    group_factor: Quantity = Field(default=None, gt=0)
    """Factor of a basic group, which replaces K where the policy says so."""
    tcm_share: Quantity = Field(default=None, ge=0, le=1)
    group_code: Words = ""
    level: Words = ""
    hospital: Words = ""
    pool: Words = ""
    """Or, by its code, `insurance_type`."""
    insurance_type: Words = ""
    settled_on: date | None = None

    def stated(self) -> tuple[str, ...]:
        """Names of what the line states, in the order of the format."""
        return tuple(
            name
            for name in type(self).model_fields
            if name in self.model_fields_set and getattr(self, name) not in (None, "")
        )
