"""A database that keeps any bytes (SQL_ASCII), with one view per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from servers import CHANGED, POSTGRES, connect, make_database, spec, view_map

from dipgate.core.record import SourceSpec


def build(
    folder: Path,  # noqa: ARG001
    tables: Mapping[str, Sequence[Mapping[str, bytes]]],
    charset: str,
) -> SourceSpec:
    database = make_database(POSTGRES, "" if charset == "utf-8" else "SQL_ASCII")
    maps = {}
    with closing(connect(POSTGRES, database)) as connection, closing(connection.cursor()) as cursor:
        for table, rows in tables.items():
            headings = list(rows[0])
            # Text cannot hold a NUL or foreign bytes: such a column is one of bytes.
            kinds = ["bytea" if _odd(rows, name, charset) else "text" for name in headings]
            columns = ", ".join(
                f'"{name}" {kind}' for name, kind in zip(headings, kinds, strict=True)
            )
            cursor.execute(f'CREATE TABLE "t_{table}" ({columns}, "{CHANGED}" integer)')
            marks = ", ".join(
                "%b" if kind == "bytea" else "convert_from(%b, 'SQL_ASCII')" for kind in kinds
            )
            values = [(*row.values(), number) for number, row in enumerate(rows, start=1)]
            if charset == "utf-8":
                marks = marks.replace("'SQL_ASCII'", "'UTF8'")
            cursor.executemany(f'INSERT INTO "t_{table}" VALUES ({marks}, %s)', values)  # noqa: S608
            cursor.execute(f'CREATE VIEW "v_{table}" AS SELECT * FROM "t_{table}"')  # noqa: S608
            maps[table] = view_map(table, headings)
    return spec("postgresql", POSTGRES, database, charset, maps)


def _odd(rows: Sequence[Mapping[str, bytes]], name: str, charset: str) -> bool:
    for row in rows:
        if b"\x00" in row[name]:
            return True
        if charset == "utf-8":
            try:
                row[name].decode("utf-8")
            except UnicodeDecodeError:
                return True
    return False
