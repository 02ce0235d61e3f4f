"""What a source hands over, and where every field of a list comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Protocol

TABLES = ("front_page", "settlement", "charge")
"""Canonical source tables: one stay's front page, one bill, one charge line."""
BILL_CONTROLS = ("refd_setl_flag", "init_setl_id")
"""National fields that say that a bill was refunded, and which one a row of refund reverses."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the source gave it. `values` are source columns → decoded text, unchanged."""

    table: str
    key: str
    """The column that the site names as key (visit or settlement id); never empty."""
    object_name: str
    """File name or view name."""
    row: int
    """1-based: the line of the record's first line in a file, the row's position in a view."""
    values: Mapping[str, str]
    raw_hash: str
    """The kept raw bytes (file, or batch of view rows) that hold this row."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row set aside: place, what is wrong, what to do. The raw bytes are kept by hash."""

    table: str
    object_name: str
    row: int | None
    field: str
    what: str
    remedy: str
    raw_hash: str


@dataclass(frozen=True, slots=True)
class RepeatMap:
    """A group of columns that repeats: `出院诊断编码{n}` for n = 1…count gives rows of a node."""

    node: str
    count: int
    columns: Mapping[str, str]
    """national field code → source column pattern with `{n}`."""


@dataclass(frozen=True, slots=True)
class TableMap:
    """How one canonical table is read from a source object, as the site file says.

    `key` is the source column of the stay key (住院流水号), the same stay in every table.
    `columns` are national field codes → source columns.
    """

    table: str
    object_name: str
    """File glob or view name."""
    key: str
    columns: Mapping[str, str]
    repeats: tuple[RepeatMap, ...] = ()
    watermark: str = ""
    """Source column that grows with every change; views only."""
    sheet: str = ""
    """Sheet of a workbook; empty: its only sheet, or the first."""

    def source_columns(self) -> tuple[str, ...]:
        """Every source column that this map names, key and watermark included."""
        named = [self.key, *self.columns.values()]
        for repeat in self.repeats:
            for number in range(1, repeat.count + 1):
                named += [column.replace("{n}", str(number)) for column in repeat.columns.values()]
        if self.watermark:
            named.append(self.watermark)
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A database server of the hospital, always read only. Its password never stands here."""

    host: str
    port: int
    """0: the usual one of its kind."""
    database: str
    """Database, or Oracle service name."""
    user: str
    db_schema: str = ""
    """Schema (owner) of the views; empty: what the user sees without one."""


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What reading may cost the hospital's system, and when its answer is not believed."""

    connect_seconds: float = 10.0
    statement_seconds: float = 60.0
    sessions: int = 1
    """Connections at one time, 1 or 2."""
    fewest_share: Decimal | None = Decimal("0.3")
    """Fewer rows than this share of the usual number: hold and alarm. None: believe anything."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source of the site file. `kind` is the adapter's name (`csv`, `postgresql`, …)."""

    name: str
    kind: str
    charset: str
    path: str
    """Folder of files, or database file; empty for a server and for pushed rows."""
    edition: str
    """Edition of the codes the source writes: nhsa or clinical."""
    tables: Mapping[str, TableMap]
    server: ServerSpec | None = None
    limits: SourceLimits = field(default_factory=SourceLimits)


Cell = bytes | str | int | float | Decimal | datetime | date | time | None
"""One cell as the source gives it, before any decoding."""


@dataclass(frozen=True, slots=True)
class SeenColumn:
    """A column that a source object has."""

    name: str
    type_name: str = ""
    """Declared type in the source's words; empty for files of text."""
    width: int | None = None
    """Declared width in characters or digits, if the source declares one."""


@dataclass(frozen=True, slots=True)
class SeenTable:
    """A look at one mapped object, without storing anything."""

    table: str
    object_name: str
    """File or view; the pattern as configured when nothing answers to it."""
    columns: tuple[SeenColumn, ...]
    """Every column the object has, mapped or not; empty when `problem` says why."""
    rows: tuple[Mapping[str, Cell], ...]
    """The first rows, cells undecoded where the source gives bytes."""
    problem: str = ""
    remedy: str = ""


def stays_inside(pattern: str) -> bool:
    """Does a file pattern name files below the source's folder only?"""
    return bool(pattern) and not pattern.startswith(("/", "\\")) and ".." not in pattern


class Sink(Protocol):
    """Given to an adapter by its caller; the adapter knows nothing of our database."""

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:
        """Store raw bytes durably and return their hash; before any row is committed."""
        ...

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        """Store rows, rejects and the new watermark in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What one reading of a source brought."""

    source: str
    objects: int
    rows: int
    rejected: int
    watermark: str
    notes: tuple[str, ...] = ()
    """What the reader should know and no row can say (`没有与 … 相符的文件`)."""
    server_time: datetime | None = None
    """The server's own clock at the beginning, aware; None where it is not asked."""


class SourceAdapter(Protocol):
    """One configured source. `watermark` is what the last committed read left, or None."""

    name: str

    def read(self, sink: Sink, watermark: str | None) -> ReadReport: ...

    def look(self, limit: int) -> tuple[SeenTable, ...]:
        """Every mapped object with its first `limit` rows; keeps and changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one list field comes from, from the wire back to the source cell."""

    path: str
    value: str
    source: str = ""
    object_name: str = ""
    row: int | None = None
    column: str = ""
    raw_value: str = ""
    raw_hash: str = ""
    steps: tuple[str, ...] = ()
    """What was done on the way, in words (`日期改写`, `映射 icd10-map 2.0 第8行`, `默认值`)."""
    overlay: int | None = None
    """Number of the correction that set the value last, if any."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A person's correction; the mapped value stays what it was. `expect` guards against drift."""

    number: int
    op: str
    """`set`, `remove_row` or `add_row`."""
    path: str
    value: str
    expect: str
    reason: str
    author: str
    at: str
