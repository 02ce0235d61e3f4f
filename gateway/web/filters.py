"""How templates write money, times and ranges: Asia/Shanghai, to the cent, with a true minus."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from dipgate.core.clock import CHINA
from dipgate.web.trace_words import missing_words

MINUS = "−"
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,20})?")


def yuan(fen: int | None) -> str:
    """Fen → `7,369.65`; a loss as `−842.71`; None → empty."""
    if fen is None:
        return ""
    sign = MINUS if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def change(fen: int | None) -> str:
    """Fen with its sign: `+661.45`, `−842.71`, `0.00`; None → empty."""
    return f"+{yuan(fen)}" if fen is not None and fen > 0 else yuan(fen)


def count(number: int | None) -> str:
    """`4,682`; None → empty."""
    return "" if number is None else f"{number:,}"


def moment(at: datetime | None) -> str:
    """`11 月 20 日 14:32`; None → empty."""
    if at is None:
        return ""
    here = at.astimezone(CHINA)
    return f"{here.month} 月 {here.day} 日 {here:%H:%M}"


def full_time(at: datetime | None) -> str:
    """`2026-11-20 14:32:05`; None → empty."""
    return "" if at is None else f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def short_time(at: datetime | None) -> str:
    """`14:32`; None → empty."""
    return "" if at is None else f"{at.astimezone(CHINA):%H:%M}"


def day(on: date | datetime | None) -> str:
    """`2026-11-20`; None → empty."""
    if isinstance(on, datetime):
        on = on.astimezone(CHINA).date()
    return "" if on is None else on.isoformat()


def points(score: Decimal | str | None) -> str:
    """A score as it is, with thousands: `4,841,930.15`, `922.50`, `891.1020`; none → empty.

    Two decimals or four, so that a column lines up; more only where a score has more.
    """
    if score is None or score == "":
        return ""
    number = Decimal(score)
    plain = number.normalize()
    exponent = plain.as_tuple().exponent
    given = -exponent if isinstance(exponent, int) else 2
    places = 2 if given <= 2 else max(4, given)
    text = f"{abs(number):,.{places}f}"
    return f"{MINUS}{text}" if number < 0 else text


def signed(score: Decimal) -> str:
    """A change of score with its sign: `+12.00`, `−34,429.78`, `0.00`."""
    return f"+{points(score)}" if score > 0 else points(score)


def shown(text: str) -> str:
    """Stored text for reading: a plain number gets its thousands, everything else stays."""
    return points(text) if _NUMBER.fullmatch(text) else text


def lacking(text: str) -> str:
    """`缺 scoring.rounding.mode` → what the parameter is, with its path; other text stays."""
    head, blank, paths = text.partition(" ")
    return f"{head}{blank}{missing_words(paths.split('、'))}" if head == "缺" and paths else text


FILTERS = {
    "yuan": yuan,
    "change": change,
    "count": count,
    "moment": moment,
    "points": points,
    "signed": signed,
    "shown": shown,
    "full_time": full_time,
    "short_time": short_time,
    "day": day,
    "lacking": lacking,
}
"""Name in templates → function. `count` shadows jinja's alias of `length` on purpose."""
