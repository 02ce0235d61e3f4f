"""A database with one view per table; text is stored as the bytes of the source's charset."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from dipgate.core.record import SourceSpec, TableMap

KEY = "住院流水号"
CHANGED = "更新序号"


def build(
    folder: Path, tables: Mapping[str, Sequence[Mapping[str, bytes]]], charset: str
) -> SourceSpec:
    file = folder / "his.db"
    maps = {}
    with closing(sqlite3.connect(file)) as connection, connection:
        for table, rows in tables.items():
            headings = list(rows[0])
            names = ", ".join(f'"{heading}"' for heading in headings)
            casts = ", ".join("CAST(? AS TEXT)" for _ in headings)
            connection.execute(f'CREATE TABLE "t_{table}" ({names}, "{CHANGED}" INTEGER)')
            for number, row in enumerate(rows, start=1):
                insert = f'INSERT INTO "t_{table}" VALUES ({casts}, ?)'  # noqa: S608
                connection.execute(insert, (*row.values(), number))
            view = f'CREATE VIEW "v_{table}" AS SELECT * FROM "t_{table}"'  # noqa: S608
            connection.execute(view)
            columns = {f"field{n}": name for n, name in enumerate(headings) if name != KEY}
            maps[table] = TableMap(table, f"v_{table}", KEY, columns, watermark=CHANGED)
    return SourceSpec("his", "sqlite", charset, str(file), "nhsa", maps)
