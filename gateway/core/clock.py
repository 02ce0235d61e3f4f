"""Time comes from a `Clock`; wire times are Asia/Shanghai wall-clock text."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Protocol

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had no daylight saving since 1991, so a fixed offset is exact for every wire time."""

WIRE_TIME = "%Y-%m-%d %H:%M:%S"
WIRE_DATE = "%Y-%m-%d"
_DIGITS = str.maketrans("123456789", "000000000")
_SHAPES = {19: "0000-00-00 00:00:00", 16: "0000-00-00 00:00", 10: "0000-00-00"}


class Clock(Protocol):
    """The one source of the present moment; aware times only."""

    def now(self) -> datetime: ...


class FixedClock:
    """A clock that stands until told to move; for tests and for reproducible demos."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs an aware time")
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


def wire_time(moment: datetime) -> str:
    """An aware moment as `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai (envelope.md 1.3)."""
    return moment.astimezone(CHINA).strftime(WIRE_TIME)


def read_time(text: str) -> datetime:
    """Wire text (`yyyy-MM-dd HH:mm:ss`, `…HH:mm`, or a date) → aware Asia/Shanghai time.

    Raises ValueError for anything that is not a calendar time.
    """
    value = text.strip()
    if (
        len(value) in _SHAPES
        and value.isascii()
        and value.translate(_DIGITS) == _SHAPES[len(value)]
    ):
        # The usual form, ten times as fast as strptime; what it refuses is judged below.
        try:
            return datetime.fromisoformat(value).replace(tzinfo=CHINA)
        except ValueError:
            pass
    for form in (WIRE_TIME, "%Y-%m-%d %H:%M", WIRE_DATE):
        try:
            return datetime.strptime(value, form).replace(tzinfo=CHINA)
        except ValueError:
            continue
    raise ValueError("不是 yyyy-MM-dd HH:mm:ss 形式的时间")


def read_date(text: str) -> date:
    """Wire text → date; a time of day, if present, is dropped. Raises ValueError."""
    return read_time(text).date()
