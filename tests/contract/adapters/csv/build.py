"""Delimited files with the rows of each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dipgate.core.record import SourceSpec, TableMap

KEY = "住院流水号"


def build(
    folder: Path, tables: Mapping[str, Sequence[Mapping[str, bytes]]], charset: str
) -> SourceSpec:
    maps = {}
    for table, rows in tables.items():
        headings = list(rows[0])
        lines = [b",".join(heading.encode(charset) for heading in headings)]
        for row in rows:
            cells = [row[heading].replace(b'"', b'""') for heading in headings]
            lines.append(b",".join(b'"' + cell + b'"' for cell in cells))
        (folder / f"{table}_202503.csv").write_bytes(b"\r\n".join(lines) + b"\r\n")
        columns = {f"field{n}": heading for n, heading in enumerate(headings) if heading != KEY}
        maps[table] = TableMap(table, f"{table}_*.csv", KEY, columns)
    return SourceSpec("his", "csv", charset, str(folder), "nhsa", maps)
