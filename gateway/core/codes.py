"""Normalising diagnosis and procedure codes, and the candidate keys of a diagnosis.

Source: dip-grouping.md section 4. Cleaning never changes which code is meant.
"""

from __future__ import annotations

import re
import unicodedata

_DX = re.compile(r"^[A-Z]\d{2}")


def tidy(text: str) -> str:
    """Trim, full-width to half-width, drop invisible characters; the † and ＊ marks to + and *."""
    if text.isascii() and text.isprintable():
        return text.strip()
    folded = unicodedata.normalize("NFKC", text).replace("†", "+").replace("✱", "*")
    return "".join(ch for ch in folded if unicodedata.category(ch) not in ("Cf", "Cc")).strip()


def diagnosis_code(text: str) -> str:
    """Letter upper-case, extension marker lower-case: ` ａ09.900X001` → `A09.900x001`."""
    code = tidy(text).replace(" ", "").upper()
    return code.replace("X", "x") if not code.startswith("X") else "X" + code[1:].replace("X", "x")


def procedure_code(text: str) -> str:
    """Extension marker lower-case; TCM letters (17.9A…) stay upper-case.

    Lost leading zeros are not restored here: that needs the catalogue (`restore_zeros`).
    """
    code = tidy(text).replace(" ", "").upper()
    return code.replace("X", "x")


def subcategory(code: str) -> str:
    """亚目 key: category and one decimal with the dot (`K35.9`); shorter codes as they are."""
    return code[:5]


def category(code: str) -> str:
    """类目 key: the first three characters (`K35`)."""
    return code[:3]


def strip_marks(code: str) -> str:
    """The code without dagger and asterisk: `A17.000+G01*` → `A17.000`, `M47.0+` → `M47.0`."""
    return code.split("+", 1)[0].rstrip("*")


def in_range(code: str, span: str) -> bool:
    """True when the category of `code` lies in `A15-A16` (closed) or equals a single `K35`.

    Letters first, then the two digits as a number. False for codes that are not ICD-10 shaped.
    """
    low, _, high = span.partition("-")
    high = high or low
    key = category(code)
    if not (_DX.match(key) and _DX.match(low) and _DX.match(high)):
        return False
    return category(low) <= key <= category(high)


def has_prefix(code: str, prefixes: tuple[str, ...]) -> bool:
    """True when the code starts with one of the prefixes; each may also be a range `O80-O84`."""
    for prefix in prefixes:
        if "-" in prefix:
            if in_range(code, prefix):
                return True
        elif code.startswith(prefix):
            return True
    return False
