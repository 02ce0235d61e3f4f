"""Delimited text by RFC 4180, record by record, on bytes.

Why on bytes: a record that cannot be decoded must not cost the rest of the file. In UTF-8 and in
the GB family no byte of a multi-byte character equals a line end, quote, comma or tab, so
records and cells can be cut before they are decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

QUOTE = 0x22
MAX_LINES = 1000
"""Lines of one record; an unpaired quote must not swallow a file."""
MAX_RECORD = 2 << 20
"""Bytes of one record that spans lines."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: 1-based line where it begins, its cells as bytes, or what is wrong with it."""

    line: int
    cells: tuple[bytes, ...]
    problem: str = ""


class _OpenQuote(Exception):
    """The quoted cell goes on in the next line."""


class _AfterQuote(Exception):
    """Something other than the delimiter follows a closing quote."""


def records(data: bytes, delimiter: bytes, width: int | None = None) -> Iterator[Record]:
    """Every record that is not a blank line, in order.

    `width` is the number of cells a record must have. A record over several lines that does not
    come out well costs its first line only; reading goes on at the second.
    """
    lines = data.split(b"\n")
    position = 0
    while position < len(lines):
        line = lines[position].removesuffix(b"\r")
        if not line.strip():
            position += 1
            continue
        if QUOTE not in line:
            yield _shaped(position + 1, tuple(line.split(delimiter)), width)
            position += 1
            continue
        taken, record = _quoted(lines, position, delimiter, width)
        yield record
        position += taken


def _quoted(
    lines: list[bytes], position: int, delimiter: bytes, width: int | None
) -> tuple[int, Record]:
    """(lines taken, record) of a record that has quotes."""
    text = lines[position]
    taken = 1
    while True:
        try:
            cells = _cells(text.removesuffix(b"\r"), delimiter)
        except _AfterQuote:
            return 1, Record(position + 1, (), "引号之后有多余的字符")
        except _OpenQuote:
            at_end = position + taken >= len(lines)
            if at_end or taken >= MAX_LINES or len(text) > MAX_RECORD:
                return 1, Record(position + 1, (), "引号没有成对")
            text += b"\n" + lines[position + taken]
            taken += 1
            continue
        record = _shaped(position + 1, cells, width)
        return (1, record) if record.problem else (taken, record)


def _shaped(line: int, cells: tuple[bytes, ...], width: int | None) -> Record:
    if width is not None and len(cells) != width:
        return Record(line, cells, f"这一行有 {len(cells)} 格，表头有 {width} 格")
    return Record(line, cells)


def _cells(text: bytes, delimiter: bytes) -> tuple[bytes, ...]:
    """Cells of one record. A quote inside an unquoted cell stays as it is (`5"针头`)."""
    cells: list[bytes] = []
    start = 0
    while True:
        if text[start : start + 1] != b'"':
            end = text.find(delimiter, start)
            cells.append(text[start:] if end < 0 else text[start:end])
        else:
            value, end = _quoted_cell(text, start)
            cells.append(value)
            if end < len(text) and text[end : end + 1] != delimiter:
                raise _AfterQuote
            end = end if end < len(text) else -1
        if end < 0:
            return tuple(cells)
        start = end + 1


def _quoted_cell(text: bytes, start: int) -> tuple[bytes, int]:
    """(value, place after the closing quote) of a cell that begins with a quote."""
    place = start + 1
    while True:
        place = text.find(b'"', place)
        if place < 0:
            raise _OpenQuote
        if text[place + 1 : place + 2] == b'"':
            place += 2
            continue
        return text[start + 1 : place].replace(b'""', b'"'), place + 1
