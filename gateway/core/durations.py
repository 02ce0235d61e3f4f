"""Lengths of time and sizes as a person says them: `48 秒`, `2 小时 5 分`, `1.2 GB`."""

from __future__ import annotations

from datetime import datetime, timedelta

from dipgate.core.clock import CHINA

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ("字节", "KB", "MB", "GB", "TB")


def duration_words(length: timedelta | float) -> str:
    """The two largest units, rounded down: `48 秒`, `1 分 12 秒`, `27 分`, `3 天 4 小时`.

    Seconds stand beside minutes only below ten minutes; a negative length counts as nothing.
    """
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} 秒"
    if whole < 10 * _MINUTE:
        rest = whole % _MINUTE
        return f"{whole // _MINUTE} 分" + (f" {rest} 秒" if rest else "钟")
    if whole < _HOUR:
        return f"{whole // _MINUTE} 分钟"
    if whole < _DAY:
        rest = whole % _HOUR // _MINUTE
        return f"{whole // _HOUR} 小时" + (f" {rest} 分" if rest else "")
    rest = whole % _DAY // _HOUR
    return f"{whole // _DAY} 天" + (f" {rest} 小时" if rest else "")


def size_words(octets: int) -> str:
    """`0 字节`, `3.4 MB`, `412 GB`: three figures at most."""
    value, at = float(max(0, octets)), 0
    while value >= 1024 and at < len(_UNITS) - 1:
        value, at = value / 1024, at + 1
    shown = f"{value:.0f}" if value >= 100 or at == 0 else f"{value:.1f}"
    return f"{shown} {_UNITS[at]}"


def when_words(at: datetime, now: datetime) -> str:
    """A moment seen from now: `14:32` today, `昨天 02:10`, `明天 …`, `11-12 02:10`, `2025-11-12`"""
    here, today = at.astimezone(CHINA), now.astimezone(CHINA).date()
    days = (today - here.date()).days
    if days == 0:
        return f"{here:%H:%M}"
    if abs(days) == 1:
        return f"{'昨天' if days == 1 else '明天'} {here:%H:%M}"
    if here.year == today.year:
        return f"{here:%m-%d %H:%M}"
    return f"{here:%Y-%m-%d}"
