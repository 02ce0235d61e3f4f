"""What the bytes of a source say about its charset: proposals with counts, never a decision.

Pure. An example is a pattern of byte classes (`a` letter, `9` digit, `H` byte above 0x7F), from
which no text can be read back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dipgate.core.record import Cell, SeenTable

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_FAMILY = {"gb2312": "gb", "gbk": "gb", "gb18030": "gb", "big5hkscs": "big5", "cp950": "big5"}
_NO_CHARSET = ("ascii", "latin-1", "iso8859-1", "cp1252")
"""Declared where a database stores whatever bytes it was given (US7ASCII, WE8ISO8859P1)."""
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_BIG5_LOW_TRAILS = 0.15
"""Share of trail bytes below 0x7F: about 0.4 in Big5 text, none in GB 2312 text."""
_BIG5_COMMON = 0.8
"""Share of pairs led by 0xA4-0xC6, the common characters of Big5."""
_CODE = re.compile(r"[A-Za-z0-9 ._/+\-]+")
_QUESTIONS = re.compile(r"[?？]{2,}")
_LOST = b"\xef\xbf\xbd" * 2
"""Two U+FFFD in UTF-8 and three characters in GBK: says that text was lost, not which charset."""
_PATTERN = 24


@dataclass(frozen=True, slots=True)
class Proposal:
    """One observation. `cells` is how many filled cells of the column were looked at."""

    column: str
    kind: str
    """`charset`, `bom`, `fullwidth` or `broken`."""
    charset: str
    """The charset that the bytes look like; empty when the matter is another."""
    count: int
    cells: int
    example: str
    what: str


def propose(seen: SeenTable, declared: str) -> tuple[Proposal, ...]:
    """What each column of a look suggests, in the order of the columns."""
    return tuple(
        found
        for column in seen.columns
        for found in _column(column.name, [row.get(column.name) for row in seen.rows], declared)
    )


def guess(cells: Sequence[bytes]) -> str:
    """The charset that all of the cells can be, likeliest first; empty when there is none or
    the bytes are too few to tell (C2B7 is a middle dot of UTF-8 and a character of GBK).

    Cells of plain ASCII say nothing and give `ascii`.
    """
    known = [cell.replace(_LOST, b"") for cell in cells]
    telling = [cell for cell in known if not cell.isascii() or b"\0" in cell]
    if not telling:
        return "ascii"
    for codec in ("utf-16-le", "utf-16-be"):
        if any(b"\0" in cell for cell in telling) and _all(telling, codec):
            zeros = [cell[1 if codec.endswith("le") else 0 :: 2].count(0) for cell in telling]
            if sum(zeros) == sum(cell.count(0) for cell in telling):
                return codec
    if _all(telling, "utf-8"):
        wide = any(char >= "\u0800" for cell in telling for char in cell.decode("utf-8"))
        return "utf-8" if wide or not _all(telling, "gbk") else ""
    pairs = [pair for cell in telling for pair in _PAIR.findall(cell)]
    if pairs and _all(telling, "big5"):
        low = sum(pair[1] < 0x7F for pair in pairs) / len(pairs)
        common = sum(0xA4 <= pair[0] <= 0xC6 for pair in pairs) / len(pairs)
        if low > _BIG5_LOW_TRAILS and common >= _BIG5_COMMON:
            return "big5"
    for codec in ("gb2312", "gbk", "gb18030"):
        if _all(telling, codec):
            return codec
    return ""


def pattern(data: bytes) -> str:
    """The classes of the bytes, at most 24 of them."""
    shown = "".join(
        "H" if byte > 0x7F else "9" if chr(byte).isdigit() else "a" if chr(byte).isalpha() else "."
        for byte in data[:_PATTERN]
    )
    return shown + ("…" if len(data) > _PATTERN else "")


def _all(cells: Sequence[bytes], codec: str) -> bool:
    return all(_reads(cell, codec) for cell in cells)


def _reads(cell: bytes, codec: str) -> bool:
    try:
        cell.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _column(name: str, cells: Sequence[Cell], declared: str) -> Iterator[Proposal]:
    data = [cell for cell in cells if isinstance(cell, bytes) and cell]
    text = [cell for cell in cells if isinstance(cell, str) and cell]
    total = len(data) + len(text)
    marked = [cell for cell in data if cell.startswith(_BOMS)]
    if marked:
        what = "单元格以字节顺序标记（BOM）开头"
        yield Proposal(name, "bom", "", len(marked), total, pattern(marked[0]), what)
    likely = guess(data)
    codec = declared
    what = _otherwise(likely, declared)
    if what:
        telling = [cell for cell in data if not cell.isascii() or b"\0" in cell]
        yield Proposal(name, "charset", likely, len(telling), total, pattern(telling[0]), what)
        codec = likely
    elif not likely:
        bad = [cell for cell in data if not _reads(cell, declared)]
        if bad:
            what = f"含有不属于 {declared} 的字节，也不全是任何一种已知字符集"
            yield Proposal(name, "charset", "", len(bad), total, pattern(bad[0]), what)
    text += [cell.decode(codec) for cell in data if _reads(cell, codec)]
    for kind, what, is_so in _SIGNS:
        found = [cell for cell in text if is_so(cell)]
        if found:
            example = pattern(found[0].encode("gb18030", "replace"))
            yield Proposal(name, kind, "", len(found), total, example, what)


def _otherwise(likely: str, declared: str) -> str:
    """Why the declared charset is doubted; empty when it is not."""
    if likely in ("", "ascii"):
        return ""
    if declared in _NO_CHARSET:
        return f"声明为 {declared}，实际存放的像是 {likely}（常见于 US7ASCII 库里存 GBK）"
    if _FAMILY.get(likely, likely) != _FAMILY.get(declared, declared):
        same = likely.startswith("utf-16") and declared == "utf-16"
        return "" if same else f"声明为 {declared}，字节像是 {likely}"
    order = ("gb2312", "gbk", "gb18030")
    if likely in order and order.index(likely) > order.index(declared):
        return f"声明为 {declared}，但有只在 {likely} 里才有的字"
    return ""


def _replaced(text: str) -> bool:
    return "锟斤拷" in text or "\ufffd" in text


def _twice_decoded(text: str) -> bool:
    """UTF-8 that was read as GBK, or any bytes that were read as Latin-1."""
    foreign = [char for char in text if ord(char) > 0x7F]
    if len(foreign) < 2:
        return False
    latin = all(ord(char) < 0x100 for char in foreign)
    try:
        raw = text.encode("latin-1" if latin else "gbk")
    except UnicodeEncodeError:
        return False
    for codec in ("utf-8", "gbk") if latin else ("utf-8",):
        try:
            read = [char for char in raw.decode(codec) if ord(char) > 0x7F]
        except UnicodeDecodeError:
            continue
        if len(read) >= 2 and all("\u4e00" <= char <= "\u9fff" for char in read):
            return True
    return False


def _fullwidth_code(text: str) -> bool:
    """A code or number of which some signs are full-width."""
    plain = unicodedata.normalize("NFKC", text)
    wide = any(char == "\u3000" or "\uff01" <= char <= "\uff5e" for char in text)
    return wide and plain.strip() != "" and _CODE.fullmatch(plain) is not None


_SIGNS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("broken", "文字在到达这里之前已经损坏（锟斤拷 或 U+FFFD）", _replaced),
    ("broken", "文字在到达这里之前已经损坏（按错误的字符集解码过）", _twice_decoded),
    ("broken", "成串的问号：文字多半在到达这里之前已经丢失", lambda t: bool(_QUESTIONS.search(t))),
    ("fullwidth", "编码或数字里有全角的字母、数字或空格", _fullwidth_code),
)
