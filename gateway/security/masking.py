"""Messages for people who keep the line running: codes and numbers shown, persons never.

What names or reaches a person is masked by its field code; other text is shown only when it looks
like a code, a number or a time; the platform's own words are shown with every value of the list's
person taken out of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MASK = "●●"
SHOWN_TEXT = 4_000
"""Characters of a notice or web page that are shown; the rest is counted, not shown."""
SHOWN_JSON = 60_000

PERSONAL = re.compile(
    r"(_|^)(addr|tel|mob|phone|poscode|emp|coner)(_|$)|cert|brdy|^hi_no$|^psn_no$|^resd_book|^mac$"
    r"|_psn$|(^|_)(psn|patn|coner|dr|nurs|chfpdr|agnter|opter|emp)_name$|^name$|^sign_no$"
)
"""Field codes whose values name or reach a person, or open a session in somebody's name."""
_ENDS = frozenset({"setl_id", "mdtrt_id"})
"""Numbers of one stay: the last four digits are enough to compare."""
_WORDS = frozenset({"err_msg", "warn_msg", "message", "msg", "error"})
"""Fields in which the platform speaks."""
_CODE = re.compile(r"[A-Za-z0-9 .:+/_\-@,;=|*#()\[\]]{0,80}")
_DAY_OF_BIRTH = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_NUMBERS = re.compile(
    rf"(?<![0-9A-Za-z])(?:[1-9][0-9]{{5}}(?:19|20)[0-9]{{2}}{_DAY_OF_BIRTH}[0-9]{{3}}[0-9Xx]"
    rf"|[1-9][0-9]{{7}}{_DAY_OF_BIRTH}[0-9]{{3}}|1[3-9][0-9]{{9}})(?![0-9A-Za-z])"
)
"""Identity card numbers of 18 and 15 digits (they hold a day of birth) and mobile numbers."""
_SHORTEST_LATIN = 4
"""Shorter Latin values (`1`, `CHN`) are found in every text and say nothing about a person."""


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks one list's messages. `known` are values of its person: never shown, wherever."""

    known: tuple[str, ...] = ()
    """The longest first, so that a name inside an address goes with it."""

    def text(self, text: str) -> str:
        """Words of the platform without the person's values, card and telephone numbers."""
        for value in self.known:
            if value in text:
                text = text.replace(value, MASK)
        return _NUMBERS.sub(MASK, text)

    def message(self, data: bytes) -> str:
        """A request or answer as it may be shown: masked JSON, else masked text."""
        text = _decoded(data)
        if text is None:
            return f"（{len(data):,} 字节，认不出的编码，不显示）"
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return _cut(self.text(text), SHOWN_TEXT)
        return _cut(_laid_out(self.value("", value)), SHOWN_JSON)

    def value(self, key: str, value: Any) -> Any:
        """A JSON value under a field code, masked."""
        if isinstance(value, dict):
            return {_safe_key(name): self.value(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(key, item) for item in value]
        if value is None or value == "" or isinstance(value, bool):
            return value
        if PERSONAL.search(key):
            return MASK
        if not isinstance(value, str):
            return MASK if _NUMBERS.fullmatch(str(value)) else value
        if key in _ENDS:
            return MASK + value[-4:]
        if key in _WORDS:
            return self.text(value)
        if not _CODE.fullmatch(value):
            return MASK
        return self.text(value)


def masker_of(*payloads: bytes) -> Masker:
    """The masker of a list, from what was or will be sent about it."""
    found: set[str] = set()
    for payload in payloads:
        try:
            found.update(_personal(json.loads(payload)))
        except (ValueError, RecursionError):
            continue
    return Masker(tuple(sorted(found, key=lambda text: (-len(text), text))))


def _personal(value: Any, key: str = "") -> Iterable[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _personal(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _personal(item, key)
    elif isinstance(value, str) and PERSONAL.search(key):
        text = value.strip()
        if len(text) >= (_SHORTEST_LATIN if text.isascii() else 2):
            yield text


def _laid_out(value: Any, depth: int = 0) -> str:
    """JSON for reading: a row of plain values on one line, nodes below each other."""
    items: list[str] = []
    if isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):
        rows_last = sorted(value.items(), key=lambda pair: isinstance(pair[1], list))
        items = [f"{_json(name)}: {_laid_out(item, depth + 1)}" for name, item in rows_last]
        opening, closing = "{", "}"
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [_laid_out(item, depth + 1) for item in value]
        opening, closing = "[", "]"
    if not items:
        return _json(value)
    pad = " " * (depth + 1)
    return opening + "\n" + ",\n".join(pad + item for item in items) + closing


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _safe_key(name: str) -> str:
    """A field code of a foreign message: shown only when it is one."""
    return name if re.fullmatch(r"[A-Za-z0-9_.$-]{1,60}", name) else MASK


def _decoded(data: bytes) -> str | None:
    for charset in ("utf-8", "gb18030"):
        try:
            return data.removeprefix(b"\xef\xbb\xbf").decode(charset)
        except UnicodeDecodeError:
            continue
    return None


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n…（共 {len(text):,} 个字符，只显示开头）"
