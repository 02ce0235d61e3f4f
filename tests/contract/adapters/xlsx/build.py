"""A folder of workbooks, every cell a text cell, as careful exports write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import xlsxwriter

from dipgate.core.record import SourceSpec, TableMap

KEY = "住院流水号"


def build(
    folder: Path, tables: Mapping[str, Sequence[Mapping[str, bytes]]], charset: str
) -> SourceSpec:
    maps = {}
    for table, rows in tables.items():
        headings = list(rows[0])
        with xlsxwriter.Workbook(folder / f"{table}.xlsx", {"strings_to_urls": False}) as book:
            sheet = book.add_worksheet()
            for place, heading in enumerate(headings):
                sheet.write_string(0, place, heading)
            for number, row in enumerate(rows, start=1):
                for place, value in enumerate(row.values()):
                    sheet.write_string(number, place, value.decode(charset))
        columns = {f"field{n}": name for n, name in enumerate(headings) if name != KEY}
        maps[table] = TableMap(table, f"{table}*.xlsx", KEY, columns)
    return SourceSpec("his", "xlsx", charset, str(folder), "nhsa", maps)
