"""How names are read and spoken: every reading of each character, and what people say instead.

A character is taken alone, never in its word: a name then costs one look-up per character, a
polyphonic one matches whichever reading is typed, and no product of readings is ever made.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dipgate.config.resources import resource_text
from dipgate.core.errors import ConfigError

_SPOKEN = ("search", "spoken.csv")
_GREEK = {
    "α": "a",
    "β": "b",
    "γ": "g",
    "δ": "d",
    "ε": "e",
    "ι": "i",
    "κ": "k",
    "λ": "l",
    "μ": "m",
    "ω": "o",
}
"""Greek letters of official names are typed as the Latin letter beside them."""


def readings_of(characters: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """character → its readings in lower-case Latin letters (`行` → xing, hang, heng).

    `ü` is typed as `v` or `u`: both are given. Latin letters, digits and marks have none.
    """
    # The dictionary of phrases is 45 MB of memory and not needed: readings are per character.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    from pypinyin import Style, pinyin

    found: dict[str, tuple[str, ...]] = {}
    for character in set(characters):
        if character in _GREEK:
            found[character] = (_GREEK[character],)
        elif not character.isascii() and character.isalpha():
            read = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore")
            spelled = dict.fromkeys(form for forms in read for form in forms if form.isascii())
            both = [form.replace("v", "u") for form in spelled if "v" in form]
            found[character] = tuple(dict.fromkeys((*spelled, *both)))
    return MappingProxyType(found)


def spoken_words() -> tuple[tuple[str, str], ...]:
    """(official words, what people say) for names of diagnoses and procedures.

    A name that contains the official words is also found by the spoken ones (恶性肿瘤, 癌).
    Raises ConfigError when the built-in table is damaged.
    """
    rows = list(csv.reader(io.StringIO(resource_text(*_SPOKEN)), strict=True))
    path = "/".join(_SPOKEN)
    if not rows or rows[0] != ["official", "spoken"]:
        raise ConfigError("表头应为 official,spoken", path=path)
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or not all(row) or rows.index(row) != number - 1:
            raise ConfigError(f"第{number}行应有两个不空的格，且不与别的行重复", path=path)
    return tuple((official, spoken) for official, spoken in rows[1:])
