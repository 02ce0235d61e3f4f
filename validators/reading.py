"""How rules read values: text, numbers and times of one list, and the one way to say *cannot*.

A value that is blank or unreadable keeps its own form (None, or the text as it stands). Only a
rule that must compute with it gives up, by `Missing`, and is then *not checked*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from dipgate.core.case import years_between
from dipgate.core.idcard import check_character
from dipgate.core.lists import Row, text_of

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(?:\.[0-9]{1,8})?").fullmatch
"""ASCII digits only: `Decimal` itself would also take `1_000`, `１２`, `1e9` and `NaN`."""
_ID_CARD = re.compile(r"[0-9]{17}[0-9X]").fullmatch


class Missing(Exception):
    """A rule needs a value that the list does not give. Caught by the pack, never by a rule."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def lack(label: str, value: object) -> NoReturn:
    """Give up for a value that is blank (None) or cannot be read (its text)."""
    raise Missing(f"{label}为空" if value is None or value == "" else f"{label}的值无法读取")


def unknown(label: str) -> NoReturn:
    """Give up for a computed value whose dates are blank, unreadable or turned round."""
    raise Missing(f"{label}算不出，所需的日期缺失、不合法或倒置")


def clean(value: object) -> str:
    """The field as stripped text; nested values of unknown shape read as empty."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (dict, list)):
        return ""
    return text_of(value).strip()


def raw_text(value: object) -> str:
    """The field as text, blanks and all."""
    return "" if isinstance(value, (dict, list)) else text_of(value)


def number(value: object) -> Decimal | str | None:
    """Decimal; None when blank; the text itself when it is not a plain number."""
    if value.__class__ is str and _PLAIN_NUMBER(value):
        return Decimal(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = clean(value)
    return Decimal(text) if _PLAIN_NUMBER(text) else (text or None)


def moment(text: str) -> datetime | str | None:
    """Wall-clock time of Asia/Shanghai; None when blank; the text itself when it is no time.

    Accepts `yyyy-MM-dd HH:mm:ss`, `yyyy-MM-dd HH:mm` and `yyyy-MM-dd`, nothing else.
    """
    size = len(text)
    if size == 19:
        plain = text[10] == " " and text[13] == ":" and text[16] == ":"
    elif size == 16:
        plain = text[10] == " " and text[13] == ":"
    else:
        plain = size == 10
    if plain and text[4] == "-" and text[7] == "-":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return text
    return text or None


def has_minutes(text: str) -> bool:
    """True for a readable time that says hour and minute."""
    return len(text) >= 16 and isinstance(moment(text), datetime)


def closed_number(value: object, label: str) -> Decimal:
    return value if isinstance(value, Decimal) else lack(label, value)


def closed_time(value: object, label: str) -> datetime:
    return value if isinstance(value, datetime) else lack(label, value)


def show(value: object) -> str:
    """A value for a message: blank as 空, a time as the wire writes it."""
    if value is None or value == "":
        return "空"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        midnight = value.hour == value.minute == value.second == 0
        return value.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M:%S")
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def years_old(born: object, admitted: object) -> int | None:
    """Completed years on the day of admission; None when either is unknown."""
    if isinstance(born, datetime) and isinstance(admitted, datetime):
        return years_between(born.date(), admitted.date())
    return None


def days_old(born: object, admitted: object) -> int | None:
    """Days from birth to admission, the day of birth being day 0; None when unknown."""
    if isinstance(born, datetime) and isinstance(admitted, datetime):
        return (admitted.date() - born.date()).days
    return None


def days_in_hospital(admitted: object, discharged: object) -> int | None:
    """Discharge − admission by date, at least 1; None when unknown or turned round."""
    if isinstance(admitted, datetime) and isinstance(discharged, datetime):
        days = (discharged.date() - admitted.date()).days
        return max(1, days) if days >= 0 else None
    return None


def day_of(when: datetime) -> datetime:
    if when.hour or when.minute or when.second or when.microsecond:
        return when.replace(hour=0, minute=0, second=0, microsecond=0)
    return when


def days_between(earlier: datetime, later: datetime) -> int:
    """Calendar days; negative when turned round."""
    return (later.date() - earlier.date()).days


def minutes_between(earlier: datetime, later: datetime) -> int:
    """Whole minutes, rounded towards the past; negative when turned round."""
    return int((later - earlier).total_seconds() // 60)


def as_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall clock, like every wire time


def minutes_of(duration: str) -> int:
    """`天/时/分` → minutes. Gives up on any other form."""
    parts = duration.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Missing(f"时长不是“天/时/分”的形式：{duration or '空'}")
    days, hours, minutes = (int(part[:6]) for part in parts)
    return days * 1440 + hours * 60 + minutes


def duration_text(minutes: int) -> str:
    """Minutes → `天/时/分`."""
    days, rest = divmod(int(minutes), 1440)
    return f"{days}/{rest // 60}/{rest % 60}"


def compact_day(when: datetime) -> str:
    return f"{when.year:04d}{when.month:02d}{when.day:02d}"


def id_checks(text: str) -> bool:
    """True when the 18th character is the check character of GB 11643."""
    code = text.upper()
    if not _ID_CARD(code):
        return False
    return check_character(code) == code[17]


def id_sex(text: str) -> str:
    """`1` male or `2` female by the 17th digit; empty when there is none."""
    digit = text[16:17]
    if not (digit.isascii() and digit.isdigit()):
        return ""
    return "1" if int(digit) % 2 else "2"


def all_within(text: str, low: object, high: object) -> bool:
    """True when each comma-separated number lies in [low, high]."""
    for piece in text.split(","):
        value = number(piece)
        if not isinstance(value, Decimal) or not low <= value <= high:  # type: ignore[operator]
            return False
    return True


def principal_index(rows: Sequence[Row] | None) -> int:
    """Position of the principal western diagnosis: the first flagged, else the first; −1: none."""
    first = -1
    for index, row in enumerate(rows or ()):
        if clean(row.get("diag_type")) in ("2", "3") or not clean(row.get("diag_code")):
            continue
        if clean(row.get("maindiag_flag")) == "1":
            return index
        if first < 0:
            first = index
    return first


def is_empty(row: Mapping[str, Any]) -> bool:
    """True when every field of the row is blank."""
    return not any(clean(value) for value in row.values())


def same_as_earlier(rows: Sequence[Row], index: int) -> bool:
    """True when an earlier row says exactly the same, blank fields apart."""
    wanted = _content(rows[index])
    return any(_content(row) == wanted for row in rows[:index])


def _content(row: Row) -> dict[str, str]:
    return {name: text for name, value in row.items() if (text := clean(value))}
