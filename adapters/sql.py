"""Views on a database server through its DB-API driver: read only, limited in time and sessions.

Text comes as the server converts it to UTF-8 when the site declares `utf-8`; for any other charset
the stored bytes are fetched and decoded strictly by what is declared, because old systems keep
GBK in columns that say something else.
"""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from types import ModuleType
from typing import Any

from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import MAX_CELL, codec_of, read_watermark, write_watermark
from dipgate.adapters.sql_guard import catalogue_statement, execute, session_statements
from dipgate.adapters.sql_kinds import BY_KIND, KINDS, Asked, ServerKind
from dipgate.adapters.views import Row, look_at, read_view
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.record import (
    Cell,
    ReadReport,
    SeenColumn,
    SeenTable,
    ServerSpec,
    Sink,
    SourceAdapter,
    SourceSpec,
    TableMap,
)
from dipgate.security.secret import Secret

FETCH = 500
"""Rows taken from the server at a time where a whole view is read."""
AGAIN = 60.0
"""Seconds after which a server that did not answer is asked again."""


class ServerSource:
    """Views on one database server."""

    def __init__(self, kind: ServerKind, spec: SourceSpec, password: Secret[str] | None) -> None:
        """Raises ConfigError without a server section, or without the driver."""
        self.name = spec.name
        self._kind = kind
        self._spec = spec
        self._codec = codec_of(spec)
        if spec.server is None:
            raise ConfigError(
                f"来源 {spec.name} 的种类是 {kind.kind}，要有 [sources.server] 一节",
                path=f"sources.{spec.name}.server",
            )
        self._server: ServerSpec = spec.server
        self._password = password
        self._driver = driver_of(kind, spec.name)

    def read(self, sink: Sink, watermark: str | None) -> ReadReport:
        """Every row at or after the watermark that was not handed over before.

        Raises RetryLater while the server does not answer or a view is too slow; ConfigError for
        a wrong account, or a view that tries to write.
        """
        marks = read_watermark(watermark, self.name)
        rows = aside = 0
        with self._port() as port:
            with self._told(""):
                server_time = port.now()
            for table in self._spec.tables.values():
                with self._told(table.object_name):
                    good, bad = read_view(self.name, table, self._codec, marks, port, sink)
                rows += good
                aside += bad
        return ReadReport(
            source=self.name,
            objects=len(self._spec.tables),
            rows=rows,
            rejected=aside,
            watermark=write_watermark(marks),
            server_time=server_time,
        )

    def look(self, limit: int) -> tuple[SeenTable, ...]:
        """Each view's columns and first `limit` rows."""
        seen = []
        with self._port() as port:
            for table in self._spec.tables.values():
                with self._told(table.object_name):
                    seen.append(look_at(port, table, limit))
        return tuple(seen)

    def rights(self) -> tuple[str, ...]:
        """Rights to write that the account has and should not; empty where none is known."""
        if not self._kind.grants:
            return ()
        with self._port() as port, self._told(""):
            return port.grants()

    @contextmanager
    def _port(self) -> Iterator[_Port]:
        server, kind = self._server, self._kind
        with self._told(""):
            connection = kind.connect(
                Asked(
                    self._driver,
                    server,
                    server.port or kind.port,
                    self._password.reveal() if self._password else "",
                    self._spec.limits,
                    self._codec != "utf-8",
                )
            )
        with closing(connection):
            port = _Port(kind, connection, server.db_schema, raw=self._codec != "utf-8")
            with self._told(""):
                for statement in session_statements(kind, self._spec.limits, raw=port.raw):
                    port.run(statement)
                connection.commit()
                for statement in kind.transaction:
                    port.run(statement)
            yield port
            with suppress(self._driver.Error):
                connection.rollback()

    @contextmanager
    def _told(self, view: str) -> Iterator[None]:
        """Errors of the driver in words; never its own text, which may quote data."""
        try:
            yield
        except (RetryLater, ConfigError):
            raise
        except (self._driver.Error, OSError, UnicodeDecodeError) as error:
            raise self._meaning(error, view) from None

    def _meaning(self, error: Exception, view: str) -> ConfigError | RetryLater:
        kind, said, code = self._kind, str(error), _code_of(error)
        server = f"{self._server.host}:{self._server.port or kind.port}"
        where = f"来源 {self.name}" + (f" 的视图 {view}" if view else "")
        path = f"sources.{self.name}.server"

        def has(words: tuple[str, ...]) -> bool:
            return any(word == code or (not word.isdigit() and word in said) for word in words)

        if isinstance(error, UnicodeDecodeError) or has(kind.foreign):
            return ConfigError(
                f"{where} 有不属于 utf-8 的字节；声明库里真正的字符集，例如 gb18030",
                path=f"sources.{self.name}.charset",
            )
        if has(kind.read_only):
            return ConfigError(
                f"{where} 想写数据库，已被只读会话拒绝；请厂商改成只查询的视图", path=path
            )
        if has(kind.slow):
            seconds = self._spec.limits.statement_seconds
            return RetryLater(
                f"{where} 超过 {seconds:g} 秒没有答复，已中断；稍后再读。"
                "请厂商给水位列建索引，或调大 limits.statement_seconds",
                after=AGAIN,
            )
        if not view and has(kind.refused):
            return ConfigError(
                f"{kind.title} {server} 不认账号 {self._server.user} 或库 {self._server.database}；"
                "核对 server 一节和密码的环境变量",
                path=path,
            )
        if not view:
            return RetryLater(
                f"连不上 {kind.title} {server}（{type(error).__name__}）；检查网络和服务",
                after=AGAIN,
            )
        return RetryLater(
            f"{where} 读不下去（{type(error).__name__}{f' {code}' if code else ''}）；"
            "核对视图能否在数据库客户端里查询",
            after=AGAIN,
        )


class _Port:
    """An open, read-only connection as the reader of views needs it."""

    def __init__(self, kind: ServerKind, connection: Any, schema: str, *, raw: bool) -> None:
        self._kind = kind
        self._connection = connection
        self._schema = schema
        self.raw = raw
        self._texts: dict[str, frozenset[str]] = {}

    def run(self, statement: str) -> None:
        with closing(self._connection.cursor()) as cursor:
            execute(self._kind, cursor, statement)

    def grants(self) -> tuple[str, ...]:
        return tuple(sorted({_word(row[0]) for row in self._all(self._kind.grants)}))

    def now(self) -> datetime | None:
        """The server's clock; None where it is not asked, or answers with something else."""
        if not self._kind.now:
            return None
        rows = self._all(self._kind.now)
        found = rows[0][0] if rows else None
        if not isinstance(found, datetime):
            return None
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

    def columns(self, name: str) -> tuple[SeenColumn, ...]:
        rows = self._all(catalogue_statement(self._kind), (self._schema, name))
        found = tuple(
            SeenColumn(_word(row[0]), _word(row[1]), None if row[2] is None else _int(row[2]))
            for row in rows
        )
        self._texts[name] = frozenset(
            column.name
            for column in found
            if column.type_name.lower().startswith(
                tuple(item.lower() for item in self._kind.text_types)
            )
        )
        return found

    def page(self, table: TableMap, columns: Sequence[str], last: Cell, limit: int) -> list[Row]:
        mark = self._kind.quoted(table.watermark)
        parameters: tuple[Cell, ...] = ()
        if last is None:
            where = f"{mark} IS NOT NULL"
        else:
            # A text watermark of stored bytes goes back as text, to be compared as it is sorted.
            bound: Cell = last
            if isinstance(last, bytes) and last.isascii():
                bound = last.decode("ascii")
            where, parameters = f"{mark} >= {self._kind.mark(1)}", (bound,)
        select = f"{self._select(table, columns)} WHERE {where} ORDER BY {mark}"
        return self._all(self._kind.limited.format(select=select, rows=limit), parameters)

    def blanks(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        mark = self._kind.quoted(table.watermark)
        yield from self._stream(f"{self._select(table, columns)} WHERE {mark} IS NULL")

    def whole(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        yield from self._stream(self._select(table, columns))

    def first(self, table: TableMap, columns: Sequence[str], limit: int) -> list[Row]:
        form = self._kind.looked or self._kind.limited
        return self._all(form.format(select=self._select(table, columns), rows=limit))

    def _select(self, table: TableMap, columns: Sequence[str]) -> str:
        kind, name = self._kind, table.object_name
        if name not in self._texts:
            self.columns(name)
        texts = self._texts[name]
        wanted = ", ".join(
            kind.raw_text.format(column=kind.quoted(column))
            if self.raw and kind.raw_text and column in texts and column != table.watermark
            else kind.quoted(column)
            for column in columns
        )
        schema = f"{kind.quoted(self._schema)}." if self._schema else ""
        return f"SELECT {wanted} FROM {schema}{kind.quoted(name)}"  # noqa: S608

    def _all(self, statement: str, parameters: Sequence[Cell] = ()) -> list[Row]:
        with closing(self._connection.cursor()) as cursor:
            execute(self._kind, cursor, statement, parameters)
            return [_row(row) for row in cursor.fetchall()]

    def _stream(self, statement: str) -> Iterator[Row]:
        with closing(self._streaming_cursor()) as cursor:
            execute(self._kind, cursor, statement)
            while rows := cursor.fetchmany(FETCH):
                yield from map(_row, rows)

    def _streaming_cursor(self) -> Any:
        """A cursor that leaves the rows at the server."""
        if self._kind.named_cursor:
            return self._connection.cursor(name="dipgate")
        return self._connection.cursor()


def _row(row: Sequence[Any]) -> Row:
    return tuple(_cell(value) for value in row)


def _cell(value: Any) -> Cell:
    """A driver's value as a cell; of a large object as much as shows that it is too large."""
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if hasattr(value, "read"):
        found: Cell = value.read(1, MAX_CELL + 1)
        return found
    cell: Cell = value
    return cell


def _word(value: Any) -> str:
    """A name from the catalogue; a session that wants stored bytes gets it as UTF-8."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _int(value: Any) -> int | None:
    """A width; the largest ones (LONGTEXT) are no limit."""
    width = int(value)
    return width if 0 < width < 1 << 24 else None


def _code_of(error: Exception) -> str:
    """The server's error number, which is no data."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str):
        return state
    first = error.args[0] if error.args else None
    return str(first) if isinstance(first, int) else ""


def may_write(spec: SourceSpec, password: Secret[str] | None) -> tuple[str, ...]:
    """Rights to write of a source's account; empty for kinds where that cannot be asked.

    Raises ConfigError and RetryLater as a reading does.
    """
    kind = BY_KIND.get(spec.kind)
    return () if kind is None else ServerSource(kind, spec, password).rights()


def driver_of(kind: ServerKind, source: str) -> ModuleType:
    """The DB-API module. Raises ConfigError naming the file to bring when it is not there."""
    try:
        return importlib.import_module(kind.driver)
    except ImportError:
        files = wheel_names(kind)
        raise ConfigError(
            f"来源 {source} 要用 {kind.title} 的驱动 {kind.package}，还没有安装；"
            f"在能上网的机器上取 {' 和 '.join(files)}，拷来后运行 "
            f"{sys.executable} -m pip install --no-index 加上文件名；其他来源不受影响",
            path=f"sources.{source}.kind",
        ) from None


def wheel_names(kind: ServerKind) -> tuple[str, ...]:
    """The forms of the wheels' names for this Python and machine (`…-cp311-…-x86_64.whl`)."""
    machine = platform.machine().lower()
    if sys.platform == "win32":
        place = "win_amd64" if machine in ("amd64", "x86_64") else f"win_{machine}"
    elif sys.platform == "darwin":
        place = f"macosx_*_{machine}"
    else:
        place = f"manylinux*_{machine}"
    stem = kind.package.replace("-", "_").lower()
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return tuple(form.format(stem=stem, tag=tag, place=place) for form in kind.wheels)


def _open(kind: ServerKind, spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:
    return ServerSource(kind, spec, password)


ADAPTERS = tuple(
    AdapterKind(kind.kind, partial(_open, kind), "server", driver=kind.package) for kind in KINDS
)
