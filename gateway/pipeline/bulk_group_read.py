"""Case files of any size, read in chunks of records: Parquet, CSV, JSON Lines.

The reader only finds where records begin and end; what is in them is read where they are grouped,
so that several processes share that work. A chunk knows where the next one begins.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.hashing import bytes_hash
from dipgate.core.lists import array_items
from dipgate.core.system_words import system_words
from dipgate.pregrouper.batch import COLUMNS, HEADINGS

CHUNK_ROWS = 1000
CHUNK_BYTES = 2_000_000
LONGEST = 16_000_000
"""Bytes of one record; a longer one is no case."""
LARGEST_ARRAY = 500_000_000
_HEAD = 1 << 20
_REQUIRED = tuple(column.name for column in COLUMNS if column.required)
_SHOWN = 12
"""Columns that a sentence names."""
_ENCODINGS = ("utf-8", "gb18030")
_BOM = codecs.BOM_UTF8


@dataclass(frozen=True, slots=True)
class Position:
    """Where a chunk begins: byte offset (text) or row (Parquet), and its first row's number."""

    offset: int = 0
    row: int = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records with their numbers as bytes, or (Parquet) a batch as an Arrow stream."""

    index: int
    rows: int
    after: Position
    records: tuple[tuple[int, bytes], ...] = ()
    arrow: bytes = b""
    first: int = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """What a reader of records must know of the file. `kind` is csv, json or parquet."""

    kind: str
    file: str
    encoding: str = "utf-8"
    delimiter: str = ","
    header: tuple[str, ...] = ()
    """Name of the contract per cell, empty where the file has a column of its own."""
    unused: tuple[str, ...] = ()


class Source(Protocol):
    """An opened case file. `size` counts what `Position.offset` counts."""

    shape: Shape
    size: int

    def chunks(self, start: Position) -> Iterator[Chunk]: ...

    def fingerprint(self) -> str:
        """Changes when the file does."""
        ...


def open_source(path: Path, encoding: str | None = None) -> Source:
    """The reader that fits the file. Raises RecordError when it cannot be read at all."""
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
        ending = path.suffix.lower()
        if head == b"PAR1" or ending in (".parquet", ".pq"):
            return _Parquet(path)
        if ending in (".csv", ".tsv", ".txt"):
            return _Csv(path, encoding)
        return _json_source(path)
    except OSError as error:
        what, remedy = system_words(error)
        raise RecordError(f"读不了文件 {path}：{what}", remedy=remedy) from error


def _json_source(path: Path) -> Source:
    head = _head(path).removeprefix(_BOM).lstrip()
    if not head:
        raise RecordError("文件是空的", place=Place(path.name), remedy="确认导出的文件含有病例")
    return _JsonArray(path) if head.startswith(b"[") else _JsonLines(path)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD)


class _File:
    def __init__(self, path: Path, shape: Shape) -> None:
        self.path = path
        self.shape = shape
        self.size = path.stat().st_size

    def fingerprint(self) -> str:
        about = self.path.stat()
        return (
            f"{self.path.name}:{about.st_size}:{about.st_mtime_ns}:{bytes_hash(_head(self.path))}"
        )


class _Text(_File):
    """Records of lines. `begin` is where the first record stands."""

    begin = Position()

    def chunks(self, start: Position) -> Iterator[Chunk]:
        if start.offset < self.begin.offset:
            start = self.begin
        held: list[tuple[int, bytes]] = []
        index = size = 0
        after = start
        for number, record, after in self._records(start):
            if record.strip():
                held.append((number, record))
                size += len(record)
            if len(held) >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield Chunk(index, len(held), after, tuple(held))
                held, size, index = [], 0, index + 1
        if held:
            yield Chunk(index, len(held), after, tuple(held))

    def _records(self, start: Position) -> Iterator[tuple[int, bytes, Position]]:
        """Number, bytes and the place after each record."""
        offset, row = start.offset, start.row
        with self.path.open("rb") as stream:
            stream.seek(offset)
            while line := stream.readline(LONGEST + 1):
                offset += len(line)
                if len(line) > LONGEST:
                    # Longer than any case: the record is given up, its end is looked for.
                    while rest := stream.readline(LONGEST):
                        offset += len(rest)
                        if rest.endswith(b"\n"):
                            break
                yield row, line, Position(offset, row + 1)
                row += 1


class _JsonLines(_Text):
    def __init__(self, path: Path) -> None:
        super().__init__(path, Shape("json", path.name))
        if _head(path).startswith(_BOM):
            self.begin = Position(len(_BOM), 1)


class _JsonArray(_File):
    """One JSON array: read whole, for there is no way to begin in its middle."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Shape("json", path.name))
        if self.size > LARGEST_ARRAY:
            raise RecordError(
                "JSON 数组太大，要整个读进内存",
                place=Place(path.name),
                remedy="改成 JSON Lines：一行一个病例，不写外面的方括号",
            )

    def chunks(self, start: Position) -> Iterator[Chunk]:
        held: list[tuple[int, bytes]] = []
        index = 0
        items = array_items(self.path.read_bytes(), file=self.path.name)
        for number, item in items:
            if number < start.row:
                continue
            held.append((number, item))
            if len(held) == CHUNK_ROWS:
                yield Chunk(index, len(held), Position(0, number + 1), tuple(held))
                held, index = [], index + 1
        if held:
            yield Chunk(index, len(held), Position(0, held[-1][0] + 1), tuple(held))


class _Csv(_Text):
    def __init__(self, path: Path, encoding: str | None) -> None:
        chosen = encoding or _encoding_of(path)
        super().__init__(path, Shape("csv", path.name, chosen))
        if _head(path).startswith(_BOM):
            self.begin = Position(len(_BOM), 1)
        number, line, after = next(self._records(self.begin), (1, b"", self.begin))
        try:
            text = line.decode(chosen).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise RecordError(
                f"表头不是 {chosen} 编码",
                place=Place(path.name, number),
                remedy="用 --encoding 写明文件的编码（utf-8 或 gb18030）",
            ) from error
        delimiter = "\t" if "\t" in text and "," not in text else ","
        headings = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        header, unused = named(headings, Place(path.name, 1))
        self.begin = after
        self.shape = Shape("csv", path.name, chosen, delimiter, header, unused)
        if next(self.chunks(self.begin), None) is None:
            raise _only_headings(path)

    def _records(self, start: Position) -> Iterator[tuple[int, bytes, Position]]:
        """Lines, joined where a cell in quotes goes on in the next one."""
        first, held = 0, 0
        parts: list[bytes] = []
        waiting: list[tuple[int, bytes, Position]] = []
        for number, line, after in super()._records(start):
            if not parts and line.count(b'"') % 2 == 0:
                yield number, line, after
                continue
            first = first if parts else number
            parts.append(line)
            waiting.append((number, line, after))
            held += len(line)
            if held >= CHUNK_BYTES:
                # A quote that nobody closes must not swallow the file.
                yield from waiting
            elif (len(parts) > 1 and line.count(b'"') % 2 == 0) or _in_quotes(
                b"".join(parts), self.shape.delimiter
            ):
                continue
            else:
                yield first, b"".join(parts), after
            parts, waiting, held = [], [], 0
        yield from waiting


def _only_headings(path: Path) -> RecordError:
    return RecordError(
        "只有表头，没有病例", place=Place(path.name), remedy="确认导出的文件含有病例"
    )


def _in_quotes(record: bytes, delimiter: str) -> bool:
    """Does the record end inside a cell in quotes? No byte of a Chinese character is a quote."""
    try:
        list(csv.reader([record.decode("latin-1")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _encoding_of(path: Path) -> str:
    """UTF-8 if most lines with Chinese text are, where the file first has some; else GB18030."""
    with path.open("rb") as stream:
        while block := stream.readlines(_HEAD):
            lines = [line for line in block if not line.isascii()]
            if lines:
                good = sum(map(_is_utf8, lines))
                return "utf-8" if 2 * good >= len(lines) else "gb18030"
    return "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def named(
    headings: list[str], place: Place, need: Sequence[str] = _REQUIRED
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the contract per heading, and headings it does not know.

    Raises RecordError for a missing or doubled column.
    """
    names = tuple(HEADINGS.get(heading, "") for heading in headings)
    for column in COLUMNS:
        if names.count(column.name) > 1:
            raise RecordError(f"列 {column.name} 出现了两次", place=place, remedy="去掉重复的一列")
    lacking = [
        f"{c.name}（{c.heading}）" for c in COLUMNS if c.name in need and c.name not in names
    ]
    if lacking:
        found = "、".join(headings[:_SHOWN]) + (" 等" if len(headings) > _SHOWN else "")
        raise RecordError(
            f"没有列 {'、'.join(lacking)}；找到的列：{found or '无'}",
            place=place,
            remedy=_separated(headings)
            or "按 docs/whole-years.md 的列名导出；没有手术操作时列也要在，格子空着",
        )
    unused = tuple(h for h, name in zip(headings, names, strict=True) if h and not name)
    return names, unused


def _separated(headings: list[str]) -> str:
    """What to do where the one heading holds names parted by another sign; else empty."""
    if len(headings) == 1:
        for sign, name in ((";", "分号"), ("；", "全角分号"), ("|", "竖线"), ("，", "全角逗号")):
            if any(part.strip().strip('"') in HEADINGS for part in headings[0].split(sign)[1:]):
                return f"这个文件看起来用{name}分隔；改用逗号或制表符分隔，重新导出"
    return ""


def arrow() -> Any:
    """pyarrow, or one sentence on how to install it."""
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            "读写 Parquet 需要 pyarrow；安装：pip install 'dipgate[parquet]'", path="pyarrow"
        ) from error
    return pyarrow


class _Parquet(_File):
    def __init__(self, path: Path) -> None:
        self._pa = arrow()
        try:
            with self._pa.parquet.ParquetFile(path) as file:
                headings = list(file.schema_arrow.names)
                groups = file.metadata.num_row_groups
                self._groups = [file.metadata.row_group(at).num_rows for at in range(groups)]
        except (self._pa.ArrowInvalid, OSError) as error:
            raise RecordError(
                "不是可读的 Parquet 文件",
                place=Place(path.name),
                remedy="重新导出，或检查文件是否传完",
            ) from error
        header, unused = named(headings, Place(path.name, 1))
        super().__init__(path, Shape("parquet", path.name, header=header, unused=unused))
        self._headings = headings
        self.size = sum(self._groups)
        if not self.size:
            raise _only_headings(path)

    def chunks(self, start: Position) -> Iterator[Chunk]:
        pa = self._pa
        group, skip = 0, start.row - 1
        while group < len(self._groups) and skip >= self._groups[group]:
            skip -= self._groups[group]
            group += 1
        if group == len(self._groups):
            return
        pairs = [(h, n) for h, n in zip(self._headings, self.shape.header, strict=True) if n]
        row, index = start.row, 0
        # Neither read ahead nor kept mapped: memory stays that of a few batches.
        with pa.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20) as file:
            batches = file.iter_batches(
                CHUNK_ROWS,
                row_groups=range(group, len(self._groups)),
                columns=[heading for heading, _ in pairs],
                use_threads=False,
            )
            for batch in batches:
                part = batch.slice(skip) if skip else batch
                skip = max(0, skip - batch.num_rows)
                if not part.num_rows:
                    continue
                after = Position(row - 1 + part.num_rows, row + part.num_rows)
                data = stream_of(
                    pa, part.rename_columns([dict(pairs)[n] for n in part.schema.names])
                )
                yield Chunk(index, part.num_rows, after, arrow=data, first=row)
                row, index = after.row, index + 1


def stream_of(pa: Any, batch: Any) -> bytes:
    """A record batch as an Arrow stream of its own."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
