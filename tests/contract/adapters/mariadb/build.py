"""A database whose columns say latin1 and keep any bytes (utf8mb4 for UTF-8), a view per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from servers import CHANGED, MARIADB, connect, make_database, spec, view_map

from dipgate.core.record import SourceSpec

PART = 1 << 20
"""Bytes of one statement's value: longer ones are put together at the server."""


def build(
    folder: Path,  # noqa: ARG001
    tables: Mapping[str, Sequence[Mapping[str, bytes]]],
    charset: str,
) -> SourceSpec:
    stored = "utf8mb4" if charset == "utf-8" else "latin1"
    database = make_database(MARIADB, stored)
    maps = {}
    with closing(connect(MARIADB, database)) as connection, closing(connection.cursor()) as cursor:
        for table, rows in tables.items():
            headings = list(rows[0])
            columns = ", ".join(
                f"`{name}` {'longblob' if _odd(rows, name, charset) else 'longtext'}"
                for name in headings
            )
            mark = f"`{CHANGED}` INT, KEY (`{CHANGED}`)"
            cursor.execute(f"CREATE TABLE `t_{table}` ({columns}, {mark})")
            places = ", ".join("%s" for _ in headings)
            values = [
                (*(value[:PART] for value in row.values()), number)
                for number, row in enumerate(rows, start=1)
            ]
            cursor.executemany(f"INSERT INTO `t_{table}` VALUES ({places}, %s)", values)  # noqa: S608
            for number, row in enumerate(rows, start=1):
                for name, value in row.items():
                    for start in range(PART, len(value), PART):
                        cursor.execute(
                            f"UPDATE `t_{table}` SET `{name}` = CONCAT(`{name}`, %s)"  # noqa: S608
                            f" WHERE `{CHANGED}` = %s",
                            (value[start : start + PART], number),
                        )
            cursor.execute(f"CREATE VIEW `v_{table}` AS SELECT * FROM `t_{table}`")  # noqa: S608
            maps[table] = view_map(table, headings)
    return spec("mariadb", MARIADB, database, charset, maps)


def _odd(rows: Sequence[Mapping[str, bytes]], name: str, charset: str) -> bool:
    """UTF-8 columns take no foreign bytes: such a column is one of bytes."""
    if charset != "utf-8":
        return False
    for row in rows:
        try:
            row[name].decode("utf-8")
        except UnicodeDecodeError:
            return True
    return False
