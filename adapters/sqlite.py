"""SQL views in a SQLite file, read only: the mapped columns, in the order of the watermark column.

Text is fetched as bytes and decoded by the charset that the site declares, because old systems
store what they like.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import codec_of, read_watermark, write_watermark
from dipgate.adapters.views import Row, look_at, read_view
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.record import (
    Cell,
    ReadReport,
    SeenColumn,
    SeenTable,
    Sink,
    SourceAdapter,
    SourceSpec,
    TableMap,
)
from dipgate.security.secret import Secret

_NOTHING: tuple[Cell, ...] = ()


class SqliteSource:
    """Views of one SQLite database file."""

    def __init__(self, spec: SourceSpec) -> None:
        self.name = spec.name
        self._spec = spec
        self._codec = codec_of(spec)
        self._file = Path(spec.path)
        if not self._file.is_file():
            raise ConfigError(
                f"来源 {spec.name} 的数据库文件不存在：{spec.path}",
                path=f"sources.{spec.name}.path",
            )

    def read(self, sink: Sink, watermark: str | None) -> ReadReport:
        """Every row at or after the watermark that was not handed over before.

        Raises ConfigError when the file is no database, RetryLater when it is locked.
        """
        marks = read_watermark(watermark, self.name)
        rows = aside = 0
        try:
            with closing(self._connect()) as connection:
                port = _Port(connection)
                for table in self._spec.tables.values():
                    good, bad = read_view(self.name, table, self._codec, marks, port, sink)
                    rows += good
                    aside += bad
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise RetryLater(f"来源 {self.name} 的数据库正被占用", after=30.0) from error
            raise self._unreadable() from error
        except sqlite3.DatabaseError as error:
            raise self._unreadable() from error
        return ReadReport(
            source=self.name,
            objects=len(self._spec.tables),
            rows=rows,
            rejected=aside,
            watermark=write_watermark(marks),
        )

    def look(self, limit: int) -> tuple[SeenTable, ...]:
        """Each view's columns and first `limit` rows; text comes as bytes."""
        try:
            with closing(self._connect()) as connection:
                port = _Port(connection)
                return tuple(look_at(port, table, limit) for table in self._spec.tables.values())
        except sqlite3.DatabaseError as error:
            raise self._unreadable() from error

    def _unreadable(self) -> ConfigError:
        return ConfigError(
            f"来源 {self.name} 的数据库读不了：{self._spec.path}；确认它是 SQLite 文件且完整",
            path=f"sources.{self.name}.path",
        )

    def _connect(self) -> sqlite3.Connection:
        where = quote(str(self._file.resolve()))
        connection = sqlite3.connect(f"file:{where}?mode=ro", uri=True, timeout=30.0)
        connection.text_factory = bytes
        connection.execute("PRAGMA query_only = ON")
        return connection


class _Port:
    """An open file as the reader of views needs it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, name: str) -> tuple[SeenColumn, ...]:
        listed = self._connection.execute(f"PRAGMA table_info({_quoted(name)})")
        return tuple(SeenColumn(_name(row[1]), _name(row[2])) for row in listed)

    def page(self, table: TableMap, columns: Sequence[str], last: Cell, limit: int) -> list[Row]:
        mark = _quoted(table.watermark)
        if last is None:
            where, arguments = f"{mark} IS NOT NULL", _NOTHING
        else:
            # Text of the file is bytes here, and SQLite orders bytes after all text.
            bound = "CAST(? AS TEXT)" if isinstance(last, bytes) else "?"
            where, arguments = f"{mark} >= {bound}", (last,)
        sql = f"{_select(table, columns)} WHERE {where} ORDER BY {mark} LIMIT ?"
        return self._connection.execute(sql, (*arguments, limit)).fetchall()

    def blanks(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        sql = f"{_select(table, columns)} WHERE {_quoted(table.watermark)} IS NULL"
        yield from self._connection.execute(sql)

    def whole(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        yield from self._connection.execute(_select(table, columns))

    def first(self, table: TableMap, columns: Sequence[str], limit: int) -> list[Row]:
        sql = f"{_select(table, columns)} LIMIT ?"
        return self._connection.execute(sql, (limit,)).fetchall()


def _select(table: TableMap, columns: Sequence[str]) -> str:
    names = ", ".join(_quoted(column) for column in columns)
    return f"SELECT {names} FROM {_quoted(table.object_name)}"  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _name(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _open(spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:  # noqa: ARG001
    return SqliteSource(spec)


ADAPTER = AdapterKind("sqlite", _open, "file")
