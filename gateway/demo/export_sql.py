"""The invented hospital in a database server: base tables, indexes, and views for us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dipgate.core.record import ServerSpec, SourceSpec
from dipgate.demo.export_layout import (
    CHANGED,
    KEY,
    charge_rows,
    front_row,
    settlement_row,
    tables,
)
from dipgate.demo.stays import Stay

VIEWS = {"front_page": "v_front_page", "settlement": "v_settlement", "charge": "v_charge"}
BASE = {"front_page": "his_ba", "settlement": "his_js", "charge": "his_fy"}
_CHUNK = 500


class SqlHospital:
    """Writes stays through a DB-API connection of a server: PostgreSQL or MariaDB.

    `quote` is the quotation mark of identifiers. Nothing is committed; the caller does that.
    """

    def __init__(self, connection: Any, *, quote: str = '"') -> None:
        self._connection = connection
        self._quote = quote
        self._columns: dict[str, list[str]] = {}

    def make(self, sample: Stay) -> None:
        """Tables and views with the columns of a stay, in the connection's present schema."""
        cursor = self._connection.cursor()
        for name, rows in _rows_of([sample]).items():
            columns = self._columns[name] = list(rows[0])
            short = (KEY, CHANGED)
            declared = ", ".join(
                f"{self._quoted(column)} {'VARCHAR(40)' if column in short else 'TEXT'}"
                for column in columns
            )
            cursor.execute(f"CREATE TABLE {BASE[name]} ({declared})")
            named = ", ".join(map(self._quoted, columns))
            cursor.execute(f"CREATE VIEW {VIEWS[name]} AS SELECT {named} FROM {BASE[name]}")  # noqa: S608
        cursor.close()

    def index(self) -> None:
        """Indexes on stay number and change time, as a hospital's own tables have them."""
        cursor = self._connection.cursor()
        for base in BASE.values():
            for number, column in enumerate((KEY, CHANGED)):
                cursor.execute(
                    f"CREATE INDEX ix_{base}_{number} ON {base} ({self._quoted(column)})"
                )
        cursor.close()

    def write(self, stays: Iterable[Stay]) -> None:
        """Add stays, some hundred at a time: memory does not grow with their number."""
        held: list[Stay] = []
        for stay in stays:
            held.append(stay)
            if len(held) == _CHUNK:
                self._put(held)
                held = []
        self._put(held)

    def _put(self, stays: Sequence[Stay]) -> None:
        if not stays:
            return
        cursor = self._connection.cursor()
        for name, rows in _rows_of(stays).items():
            columns = self._columns[name]
            named = ", ".join(map(self._quoted, columns))
            cells = [tuple(row[column] for column in columns) for row in rows]
            if hasattr(cursor, "copy"):
                with cursor.copy(f"COPY {BASE[name]} ({named}) FROM STDIN") as copy:
                    for row in cells:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(columns))
                cursor.executemany(
                    f"INSERT INTO {BASE[name]} ({named}) VALUES ({marks})",  # noqa: S608
                    cells,
                )
        cursor.close()

    def _quoted(self, name: str) -> str:
        return f"{self._quote}{name}{self._quote}"


def sql_source(kind: str, server: ServerSpec, *, name: str = "his_sql") -> SourceSpec:
    """The source that reads what `SqlHospital` wrote."""
    mapped = tables(VIEWS, watermark=True)
    return SourceSpec(name, kind, "utf-8", "", "nhsa", mapped, server)


def _rows_of(stays: Sequence[Stay]) -> Mapping[str, list[dict[str, str]]]:
    return {
        "front_page": [front_row(stay) for stay in stays],
        "settlement": [settlement_row(stay) for stay in stays],
        "charge": [row for stay in stays for row in charge_rows(stay)],
    }
