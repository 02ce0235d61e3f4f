"""Text of a source cell → wire text. Each conversion says what it did; none guesses.

A conversion raises ValueError with a Chinese reason (which never quotes the value) when the text
cannot mean anything; blank text stays blank.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from dipgate.core.clock import CHINA, WIRE_DATE, WIRE_TIME
from dipgate.core.money import decimal_of, fen_of, yuan_text
from dipgate.mapping.fields import WORDS

Steps = tuple[str, ...]
Converted = tuple[str, Steps]
"""Wire text and what was done on the way."""

_MARKED = re.compile(
    r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"(?:[T\s]*(?P<H>\d{1,2})[:时点](?P<M>\d{1,2})分?(?::?(?P<S>\d{1,2})秒?)?(?:\.\d{1,9})?)?"
    r"\s*(?P<z>Z|[+-]\d{2}:?\d{2})?$"
)
_COMPACT = re.compile(
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:\s*(?P<H>\d{2}):?(?P<M>\d{2})(?::?(?P<S>\d{2}))?)?$"
)
_WIRE_FORM = re.compile(r"^[12]\d{3}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$", re.ASCII)
_WIRE_MONEY = re.compile(r"^(0|[1-9]\d{0,13})\.\d{2}$", re.ASCII)
_WIRE_NUMBER = re.compile(r"^(0|[1-9]\d{0,11})$", re.ASCII)
_YEARS = range(1850, 2200)
_UNITS = re.compile(r"(岁|周岁|天|日|克|g|ml|毫升|次|分钟)$", re.IGNORECASE)
_LONG = re.compile(r"^(?:(\d+)天)?(?:(\d+)(?:小时|时))?(?:(\d+)(?:分钟|分))?$")
_HOURS = re.compile(r"^\d+$")
MAX_NUMBER_DIGITS = 12


def trimmed(text: str) -> Converted:
    """Outer blanks (also full-width) and invisible characters off."""
    if text.isprintable() and text == text.strip():
        return text, ()
    kept = "".join(ch for ch in text if unicodedata.category(ch) not in ("Cf", "Cc"))
    value = kept.strip()
    return (value, ()) if value == text else (value, ("去空白和不可见字符",))


def identifier(text: str) -> Converted:
    """A number as identifier; what follows a caret is another system's mark and is cut."""
    value, steps = trimmed(text)
    head, mark, _ = value.partition("^")
    return (head.strip(), (*steps, "截去 ^ 之后的部分")) if mark else (value, steps)


def time_text(text: str) -> Converted:
    """A time as `yyyy-MM-dd HH:mm:ss`; a source that gives the day only keeps the day only."""
    if _WIRE_FORM.match(text):
        _real(text)
        return text, ()
    value, steps = trimmed(text)
    if not value:
        return "", steps
    moment, has_time = _moment(value)
    form = moment.strftime(WIRE_TIME if has_time else WIRE_DATE)
    return (form, steps) if form == text else (form, (*steps, "时间改写"))


def date_text(text: str) -> Converted:
    """A date as `yyyy-MM-dd`; a time of day is dropped."""
    value, steps = trimmed(text)
    if not value:
        return "", steps
    moment, _ = _moment(value)
    form = moment.strftime(WIRE_DATE)
    return (form, steps) if form == text else (form, (*steps, "日期改写"))


def _moment(value: str) -> tuple[datetime, bool]:
    folded = unicodedata.normalize("NFKC", value)
    match = _MARKED.match(folded) or _COMPACT.match(folded)
    if match is None:
        raise ValueError("认不出的日期时间写法")
    parts = match.groupdict()
    if int(parts["y"]) not in _YEARS:
        raise ValueError("日期的年份不合理")
    has_time = parts["H"] is not None
    try:
        moment = datetime(
            int(parts["y"]),
            int(parts["m"]),
            int(parts["d"]),
            int(parts["H"] or 0),
            int(parts["M"] or 0),
            int(parts["S"] or 0),
            tzinfo=_zone(parts.get("z")),
        )
    except ValueError:
        raise ValueError("不存在的日期或时间") from None
    return moment.astimezone(CHINA), has_time


def _real(text: str) -> None:
    """ValueError unless a time in wire form is one of the calendar."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("不存在的日期或时间") from None
    if moment.year not in _YEARS:
        raise ValueError("日期的年份不合理")


def _zone(text: str | None) -> timezone:
    if not text:
        return CHINA
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def money_text(text: str) -> Converted:
    """An amount in yuan with two decimals; signs, separators and the unit are taken off.

    More than two decimals are kept as written: rule B058 shows them to a person.
    """
    if _WIRE_MONEY.match(text):
        return text, ()
    value, steps = trimmed(text)
    if not value:
        return "", steps
    number = _number(value, "¥￥元")
    if number.adjusted() >= 14:
        raise ValueError("金额位数过多")
    try:
        fen = fen_of(number)
    except ValueError:
        return f"{number:f}", steps
    form = yuan_text(fen or 0)
    return (form, steps) if form == text else (form, (*steps, "金额改写"))


def number_text(text: str) -> Converted:
    """A number without unit, separators and idle zeros."""
    if _WIRE_NUMBER.match(text):
        return text, ()
    value, steps = trimmed(text)
    if not value:
        return "", steps
    number = _number(_UNITS.sub("", unicodedata.normalize("NFKC", value)), "")
    if number.adjusted() >= MAX_NUMBER_DIGITS:
        raise ValueError("数字位数过多")
    form = f"{number:f}"
    if "." in form:
        form = form.rstrip("0").rstrip(".")
    form = "0" if form in ("", "-0") else form
    return (form, steps) if form == text else (form, (*steps, "数字改写"))


def _number(value: str, signs: str) -> Decimal:
    folded = unicodedata.normalize("NFKC", value).replace(",", "").replace(" ", "")
    for sign in unicodedata.normalize("NFKC", signs):
        folded = folded.replace(sign, "")
    try:
        number = decimal_of(folded)
    except ValueError:
        number = None
    if number is None:
        raise ValueError("读不出的数字")
    return number


def duration_text(text: str) -> Converted:
    """A duration as 天/时/分; `1天13小时24分` and whole hours are rewritten."""
    value, steps = trimmed(text)
    folded = unicodedata.normalize("NFKC", value).replace(" ", "")
    if not folded or "/" in folded:
        return value, steps
    if _HOURS.match(folded):
        return f"{int(folded) // 24}/{int(folded) % 24}/0", (*steps, "小时数改写为天/时/分")
    match = _LONG.match(folded)
    if match is None:
        return value, steps
    days, hours, minutes = (int(part or 0) for part in match.groups())
    total = (days * 24 + hours) * 60 + minutes
    form = f"{total // 1440}/{total % 1440 // 60}/{total % 60}"
    return form, (*steps, "时长改写为天/时/分")


def code_text(text: str, codeset: str, codes: Mapping[str, str] | None) -> Converted:
    """A code of a built-in set from the code, its label or a usual spelling; else as written."""
    value, steps = trimmed(text)
    known = codes or {}
    if not value or value in known:
        return value, steps
    folded = unicodedata.normalize("NFKC", value).strip()
    for candidate in (folded, folded.zfill(2), folded.lstrip("0")):
        if candidate in known:
            return candidate, (*steps, f"{codeset} 改写")
    word = WORDS.get(codeset, {}).get(folded.upper())
    if word is None:
        word = next((code for code, label in known.items() if label == folded), None)
    if word is None:
        return value, steps
    return word, (*steps, f"{codeset} 文字转代码")
