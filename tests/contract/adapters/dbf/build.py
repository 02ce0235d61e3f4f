"""A folder of DBF files written byte by byte, as old systems leave them: any bytes in a field."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from dipgate.core.record import SourceSpec, TableMap

KEY = "住院流水号"
WIDTH = 254


def build(
    folder: Path, tables: Mapping[str, Sequence[Mapping[str, bytes]]], charset: str
) -> SourceSpec:
    """Field names are at most ten bytes: in GB18030 the suite's headings fit, in UTF-8 they do
    not, so that text given in UTF-8 is written, and declared, as GB18030."""
    maps = {}
    for table, rows in tables.items():
        headings = list(rows[0])
        values = [
            [_in_gb(value) if charset == "utf-8" else value for value in row.values()]
            for row in rows
        ]
        (folder / f"{table}.dbf").write_bytes(written(headings, values))
        columns = {f"field{n}": name for n, name in enumerate(headings) if name != KEY}
        maps[table] = TableMap(table, f"{table}*.dbf", KEY, columns)
    stored = "gb18030" if charset == "utf-8" else charset
    return SourceSpec("his", "dbf", stored, str(folder), "nhsa", maps)


def _in_gb(value: bytes) -> bytes:
    return value.decode("utf-8").encode("gb18030")


def written(names: Sequence[str], rows: Sequence[Sequence[bytes]], language: int = 0) -> bytes:
    """A dBASE III file of character fields."""
    length = 1 + WIDTH * len(names)
    head = struct.pack("<BBBBLHH", 3, 125, 3, 1, len(rows), 33 + 32 * len(names), length)
    head += bytes(17) + bytes([language]) + bytes(2)
    for name in names:
        head += struct.pack("<11sc4xBB14x", name.encode("gb18030"), b"C", WIDTH, 0)
    body = b"".join(b" " + b"".join(value[:WIDTH].ljust(WIDTH) for value in row) for row in rows)
    return head + b"\r" + body + b"\x1a"
