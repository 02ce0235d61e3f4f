"""Views of a database, read in the order of a watermark column: what SQLite and servers share.

Each batch is kept as canonical JSON before its rows are handed over. A bookmark holds the last
watermark value and the rows that have it, so that a reading goes on where the last one ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from dipgate.adapters.rows import BATCH, RowPlace, decoded, raw_row, rejected, write_watermark
from dipgate.core.clock import CHINA
from dipgate.core.errors import RecordError
from dipgate.core.hashing import canonical_bytes, content_hash
from dipgate.core.record import Cell, RawRow, Rejected, SeenColumn, SeenTable, Sink, TableMap

MAX_TIES = 5000
"""Rows remembered at the last watermark value; more are read again and found to be repeated."""
PAGE = 2000
"""Rows asked for at a time; more only while all of them share one watermark value."""
Row = tuple[Cell, ...]


class ViewPort(Protocol):
    """One open connection, as the reader needs it. Errors of the database are the port's."""

    def columns(self, name: str) -> tuple[SeenColumn, ...]:
        """The columns of a view or table; empty when there is none of that name."""
        ...

    def page(self, table: TableMap, columns: Sequence[str], last: Cell, limit: int) -> list[Row]:
        """At most `limit` rows whose watermark is at or after `last` (None: any), in its order."""
        ...

    def blanks(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        """The rows whose watermark is NULL."""
        ...

    def whole(self, table: TableMap, columns: Sequence[str]) -> Iterator[Row]:
        """Every row, of a view without a watermark."""
        ...

    def first(self, table: TableMap, columns: Sequence[str], limit: int) -> list[Row]:
        """Any `limit` rows, for a look."""
        ...


def read_view(
    source: str,
    table: TableMap,
    codec: str,
    marks: dict[str, dict[str, object]],
    port: ViewPort,
    sink: Sink,
) -> tuple[int, int]:
    """Hand over what is new in one view; (rows, rejects). Moves `marks` on with every commit."""
    return _ViewReader(source, table, codec, marks).read(port, sink)


def look_at(port: ViewPort, table: TableMap, limit: int) -> SeenTable:
    """The view's columns and its first rows; nothing is kept."""
    columns = port.columns(table.object_name)
    if not columns:
        what, remedy = _no_view(table.object_name)
        return SeenTable(table.table, table.object_name, (), (), what, remedy)
    names = [column.name for column in columns]
    rows = port.first(table, names, limit)
    return SeenTable(
        table.table,
        table.object_name,
        columns,
        tuple(dict(zip(names, row, strict=True)) for row in rows),
    )


def _no_view(name: str) -> tuple[str, str]:
    return f"没有名为 {name} 的视图或表", (
        "核对站点文件中的视图名，或在源库建立该视图（不调用会写库的函数）并授予查询权限"
    )


class _ViewReader:
    """One view in one reading."""

    def __init__(
        self, source: str, table: TableMap, codec: str, marks: dict[str, dict[str, object]]
    ) -> None:
        self._source = source
        self._table = table
        self._codec = codec
        self._marks = marks
        self._key = f"{table.table}:{table.object_name}"
        self._columns = table.source_columns()
        self._shape = content_hash([sorted(self._columns), table.key, codec])[:16]

    def read(self, port: ViewPort, sink: Sink) -> tuple[int, int]:
        problem = self._problem(port)
        if problem is not None:
            what, field, remedy = problem
            place = RowPlace(self._table.object_name, None, "")
            aside = rejected(self._table, place, field, what, remedy)
            sink.commit([], [aside], write_watermark(self._marks))
            return 0, 1
        held = self._marks.get(self._key, {})
        mark = _Mark.of(held if held.get("map") == self._shape else {})
        rows = aside_count = position = 0
        for batch in self._batches(port, mark):
            good, bad = self._hand_over(sink, batch, position, mark)
            rows += good
            aside_count += bad
            position += len(batch)
        return rows, aside_count

    def _problem(self, port: ViewPort) -> tuple[str, str, str] | None:
        """(what, field, remedy) when the view cannot be read as mapped."""
        found = [column.name for column in port.columns(self._table.object_name)]
        if not found:
            what, remedy = _no_view(self._table.object_name)
            return what, "", remedy
        missing = [column for column in self._columns if column not in found]
        if missing:
            return (
                f"缺少映射用到的列：{'、'.join(missing)}；视图的列：{'、'.join(found[:30])}",
                "、".join(missing),
                "按现有列名改站点文件的映射，或让视图补上这些列",
            )
        return None

    def _batches(self, port: ViewPort, mark: _Mark) -> Iterator[list[Row]]:
        fresh: list[Row] = []
        for row in self._fresh(port, mark):
            fresh.append(row)
            if len(fresh) == BATCH:
                yield fresh
                fresh = []
        if fresh:
            yield fresh

    def _fresh(self, port: ViewPort, mark: _Mark) -> Iterator[Row]:
        """Rows not handed over before; each is noted in the mark when its batch is."""
        if not self._table.watermark:
            yield from port.whole(self._table, self._columns)
            return
        seen = set(mark.seen)
        for row in port.blanks(self._table, self._columns):
            if _digest(row) not in seen:
                yield row
        place = self._columns.index(self._table.watermark)
        last, limit = mark.last, PAGE
        seen = set(mark.ties)
        while True:
            page = port.page(self._table, self._columns, last, limit)
            new = 0
            for row in page:
                value, digest = row[place], _digest(row)
                if value == last:
                    if digest in seen:
                        continue
                else:
                    last, seen = value, set()
                seen.add(digest)
                new += 1
                yield row
            if len(page) < limit:
                return
            limit = PAGE if new else limit * 2

    def _hand_over(
        self, sink: Sink, batch: Sequence[Row], position: int, mark: _Mark
    ) -> tuple[int, int]:
        raw = canonical_bytes(
            {
                "view": self._table.object_name,
                "columns": list(self._columns),
                "first_row": position + 1,
                "rows": [[_kept(cell) for cell in row] for row in batch],
            }
        )
        raw_hash = sink.keep_raw(self._source, self._table.object_name, raw)
        rows: list[RawRow] = []
        aside: list[Rejected] = []
        for number, row in enumerate(batch, start=position + 1):
            place = RowPlace(self._table.object_name, number, raw_hash)
            item = self._row(row, place)
            if isinstance(item, RawRow):
                rows.append(item)
            else:
                aside.append(item)
            if self._table.watermark:
                mark.passed(row[self._columns.index(self._table.watermark)], _digest(row))
        self._marks[self._key] = {"map": self._shape, **mark.as_json()}
        sink.commit(rows, aside, write_watermark(self._marks))
        return len(rows), len(aside)

    def _row(self, row: Row, place: RowPlace) -> RawRow | Rejected:
        values: dict[str, str] = {}
        column = ""
        try:
            for column, cell in zip(self._columns, row, strict=True):
                values[column] = cell_text(cell, self._codec, column)
            if self._table.watermark and not values[self._table.watermark].strip():
                column = self._table.watermark
                raise RecordError(
                    f"水位列 {column} 为空", remedy="让视图给每一行一个随变更增长的值"
                )
            column = self._table.key
            return raw_row(self._table, place, values)
        except RecordError as error:
            return rejected(self._table, place, column, error.what, error.remedy)


def _digest(row: Row) -> str:
    return hashlib.sha256(repr(row).encode()).hexdigest()[:24]


class _Mark:
    """The last watermark value handed over, and the rows that have it (or have none)."""

    def __init__(self, last: Cell, ties: set[str], blank: set[str]) -> None:
        self.last = last
        self.ties = ties
        self._blank = blank

    @classmethod
    def of(cls, stored: Mapping[str, object]) -> _Mark:
        return cls(
            _unpacked(stored.get("last")), _names(stored.get("ties")), _names(stored.get("blank"))
        )

    @property
    def seen(self) -> set[str]:
        return self.ties | self._blank

    def passed(self, value: Cell, digest: str) -> None:
        if value is None:
            kept = self._blank
        else:
            if value != self.last:
                self.last = value
                self.ties = set()
            kept = self.ties
        if len(kept) < MAX_TIES:
            kept.add(digest)

    def as_json(self) -> dict[str, object]:
        return {
            "last": _packed(self.last),
            "ties": sorted(self.ties),
            "blank": sorted(self._blank),
        }


def _packed(value: Cell) -> object:
    """A watermark value in the bookmark: hexadecimal bytes and plain numbers as they stand,
    other types with their name."""
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, int | float):
        return value
    kind = next(name for name, (held, _) in _PACKED.items() if isinstance(value, held))
    return [kind, value.isoformat() if isinstance(value, date | time) else str(value)]


def _unpacked(stored: object) -> Cell:
    if isinstance(stored, str):
        return bytes.fromhex(stored)
    if isinstance(stored, int | float):
        return stored
    if isinstance(stored, list) and len(stored) == 2 and stored[0] in _PACKED:
        return _PACKED[stored[0]][1](str(stored[1]))
    return None


_PACKED: Mapping[str, tuple[type, Callable[[str], Cell]]] = MappingProxyType(
    {
        "text": (str, str),
        "decimal": (Decimal, Decimal),
        "datetime": (datetime, datetime.fromisoformat),
        "date": (date, date.fromisoformat),
        "time": (time, time.fromisoformat),
    }
)
"""Name in the bookmark → type and reader; a datetime is a date too, so it stands first."""


def _names(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def cell_text(cell: Cell, codec: str, column: str) -> str:
    """A cell as the inbox keeps it: nothing rounded, nothing replaced, NULL empty.

    A time with a zone becomes Chinese wall-clock time. Raises RecordError naming the column for
    bytes of another charset, a NUL or more than 1 MB.
    """
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        return decoded(cell, codec, column)
    if isinstance(cell, str):
        return decoded(cell.encode("utf-8", "surrogatepass"), "utf-8", column)
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, datetime):
        local = cell.astimezone(CHINA).replace(tzinfo=None) if cell.tzinfo else cell
        return local.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return repr(cell) if isinstance(cell, float) else str(cell)


def _kept(cell: Cell) -> object:
    """A cell in the kept JSON: undecodable bytes as hexadecimal, so that nothing is lost."""
    if isinstance(cell, bytes):
        try:
            return cell.decode("utf-8")
        except UnicodeDecodeError:
            return {"hex": cell.hex()}
    if cell is None or isinstance(cell, str | bool | int):
        return cell
    if isinstance(cell, float):
        return {"real": repr(cell)}
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else str(cell)
