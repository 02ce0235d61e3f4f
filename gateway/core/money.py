"""Exact money: integer fen and Decimal scores. The only place that rounds.

A rounding mode is a name in a policy (`half_up`, `half_even`, `down`, `up`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    InvalidOperation,
)
from typing import NewType

from dipgate.core.errors import ConfigError, RecordError

Fen = NewType("Fen", int)
"""Money in fen (1/100 yuan); always a whole number."""

ROUNDING = {
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
    "down": ROUND_DOWN,
    "up": ROUND_UP,
}
_WIDE = Context(prec=60)
MAX_YUAN_DIGITS = 14
"""数值型 16,2 leaves 14 digits before the point; a longer amount is a broken field."""


def decimal_of(value: object) -> Decimal | None:
    """Read a number from wire text, an int or a Decimal; empty text and None give None.

    Raises ValueError for anything else (floats included: their cents are already lost).
    """
    if value is None or value == "":
        return None
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str):
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            raise ValueError("不是数字") from None
    else:
        raise ValueError("不是数字")
    if not number.is_finite():
        raise ValueError("不是有限的数字")
    return number


def fen_of(value: object) -> Fen | None:
    """Yuan as text, int or Decimal → fen; empty gives None.

    Raises ValueError for more than two decimals, too many digits, or no number.
    """
    yuan = decimal_of(value)
    if yuan is None:
        return None
    if yuan.adjusted() >= MAX_YUAN_DIGITS:
        raise ValueError(f"金额超过{MAX_YUAN_DIGITS}位整数")
    scaled = yuan.scaleb(2, _WIDE)
    if scaled != scaled.to_integral_value(context=_WIDE):
        raise ValueError("金额小数超过2位")
    return Fen(int(scaled))


def yuan_text(fen: int) -> str:
    """Fen → yuan with two decimals, as the wire wants it: 123456 → "1234.56"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def signed_yuan_text(fen: int) -> str:
    """A change for people: `yuan_text` with a plus before what is more than nought."""
    return f"+{yuan_text(fen)}" if fen > 0 else yuan_text(fen)


def yuan_decimal(fen: int) -> Decimal:
    """Fen → yuan as an exact Decimal."""
    return Decimal(fen).scaleb(-2, _WIDE)


def rounded(value: Decimal, places: int, mode: str) -> Decimal:
    """Round to `places` decimals with the mode a policy names.

    Raises ConfigError for a mode that is not in `ROUNDING`, RecordError for a number too long to
    be reckoned exactly.
    """
    if mode not in ROUNDING:
        words = "、".join(ROUNDING)
        raise ConfigError(f"不认识的舍入方式 {mode!r}；可用的有：{words}", path="rounding.mode")
    try:
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUNDING[mode], context=_WIDE)
    except InvalidOperation:
        raise RecordError(
            f"数字太大，不能精确计算（超过 {_WIDE.prec} 位有效数字）",
            remedy="核对分值、费用、平均费用和系数的数量级",
        ) from None


def shown(value: Decimal, places: int = 6) -> str:
    """A number in a sentence: at most `places` decimals, without zeros at the end."""
    text = format(rounded(value, places, "half_up"), "f")
    return text.rstrip("0").rstrip(".") if places else text


def fen_rounded(yuan: Decimal, places: int, mode: str) -> Fen:
    """Yuan → fen, rounded at `places` decimals of a yuan (0, 1 or 2) with the policy's mode."""
    return Fen(int(rounded(yuan, places, mode).scaleb(2, _WIDE)))


def split_fen(total: int, weights: Sequence[Decimal]) -> tuple[Fen, ...]:
    """Split an amount in proportion to the weights; the parts add up to it exactly.

    Each part is rounded down (towards zero); the fen left over go to the largest remainders, and
    among equal ones to the earlier part. Raises ValueError for a negative weight, or when there is
    something to split and no weight at all.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("权重不能是负数")
    whole = [_as_ratio(weight) for weight in weights]
    common = max((down for _, down in whole), default=1)
    parts = [up * (common // down) for up, down in whole]
    everything = sum(parts)
    if everything == 0:
        if total == 0:
            return tuple(Fen(0) for _ in parts)
        raise ValueError("没有可以分摊的权重")
    sign, amount = (-1, -total) if total < 0 else (1, total)
    shares = [divmod(amount * part, everything) for part in parts]
    left = amount - sum(share for share, _ in shares)
    order = sorted(range(len(shares)), key=lambda place: (-shares[place][1], place))
    extra = set(order[:left])
    return tuple(Fen(sign * (share + (place in extra))) for place, (share, _) in enumerate(shares))


def _as_ratio(value: Decimal) -> tuple[int, int]:
    """A Decimal as whole number over a power of ten, so that powers divide one another."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("权重不是有限的数字")
    number = int("".join(map(str, digits)))
    return (number * 10**exponent, 1) if exponent >= 0 else (number, 10**-exponent)
