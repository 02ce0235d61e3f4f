"""A folder of whole files: what delimited files, workbooks and DBF tables share.

Each file's bytes are kept before any of its rows; a file read to its end is skipped until its
content or its mapping changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dipgate.adapters.rows import BATCH, RowPlace, read_watermark, rejected, write_watermark
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.hashing import bytes_hash, content_hash
from dipgate.core.record import (
    Cell,
    RawRow,
    ReadReport,
    Rejected,
    SeenColumn,
    SeenTable,
    Sink,
    SourceSpec,
    TableMap,
    stays_inside,
)

MAX_FILE = 2 << 30
"""Bytes of one file."""
Head = tuple[tuple[SeenColumn, ...], tuple[Mapping[str, Cell], ...]]


@dataclass(frozen=True, slots=True)
class FileAt:
    """One file to read: its mapped table, its name in the folder, its path, its kept bytes."""

    table: TableMap
    name: str
    path: Path
    raw_hash: str

    def aside(self, row: int | None, field: str, error: RecordError) -> Rejected:
        """A row of this file (None: the whole file) set aside."""
        place = RowPlace(self.name, row, self.raw_hash)
        return rejected(self.table, place, field, error.what, error.remedy)


class FileReader(Protocol):
    """One format of file. Deterministic, so that a bookmark can count rows and rejects."""

    def items(self, file: FileAt, data: bytes) -> Iterator[RawRow | Rejected]:
        """Rows and rejects in order; a file that cannot be read is one reject."""
        ...

    def head(self, file: FileAt, data: bytes, limit: int) -> Head:
        """Columns and first rows. RecordError when the file cannot be read."""
        ...

    def notes(self, file: FileAt, data: bytes) -> tuple[str, ...]:
        """What the file says of itself that contradicts the site file."""
        ...

    def beside(self, path: Path) -> tuple[Path, ...]:
        """Files that belong to this one and are kept with it (memo texts)."""
        ...


@dataclass
class _Progress:
    """What this reading has done so far."""

    marks: dict[str, dict[str, object]]
    objects: int = 0
    rows: int = 0
    rejected: int = 0
    notes: list[str] = field(default_factory=list)


class FolderSource:
    """One folder of files of one format. `form`: what a change of makes files be read anew."""

    def __init__(self, spec: SourceSpec, reader: FileReader, form: str) -> None:
        self.name = spec.name
        self._spec = spec
        self._reader = reader
        self._form = form
        self._folder = Path(spec.path)
        if not spec.path or not self._folder.is_dir():
            raise ConfigError(
                f"来源 {spec.name} 的目录不存在：{spec.path}", path=f"sources.{spec.name}.path"
            )

    def read(self, sink: Sink, watermark: str | None) -> ReadReport:
        """Every new or changed file once. Bad rows are set aside; ConfigError stops the source."""
        done = _Progress(read_watermark(watermark, self.name))
        for table in self._spec.tables.values():
            files = self._files(table)
            if not files:
                done.notes.append(f"{self._folder} 下没有与 {table.object_name} 相符的文件")
            for file in files:
                self._read_file(sink, table, file, done)
        return ReadReport(
            source=self.name,
            objects=done.objects,
            rows=done.rows,
            rejected=done.rejected,
            watermark=write_watermark(done.marks),
            notes=tuple(done.notes),
        )

    def look(self, limit: int) -> tuple[SeenTable, ...]:
        """The newest file of each pattern: its columns and its first `limit` rows, as bytes."""
        return tuple(self._look_at(table, limit) for table in self._spec.tables.values())

    def _look_at(self, table: TableMap, limit: int) -> SeenTable:
        files = self._files(table)
        if not files:
            what = f"{self._folder} 下没有与 {table.object_name} 相符的文件"
            remedy = "核对站点文件中的 path 和 object，或等文件导出"
            return SeenTable(table.table, table.object_name, (), (), what, remedy)
        newest = max(files, key=lambda file: file.stat().st_mtime)
        name = newest.relative_to(self._folder).as_posix()
        try:
            found = FileAt(table, name, newest, "")
            columns, rows = self._reader.head(found, newest.read_bytes(), limit)
        except OSError:
            what, remedy = "文件读不了（没有权限或被占用）", "检查文件权限"
            return SeenTable(table.table, name, (), (), what, remedy)
        except RecordError as error:
            return SeenTable(table.table, name, (), (), error.what, error.remedy)
        return SeenTable(table.table, name, columns, rows)

    def _files(self, table: TableMap) -> list[Path]:
        pattern = table.object_name
        if not stays_inside(pattern):
            raise ConfigError(
                f"文件通配 {pattern!r} 须是来源目录内的相对写法",
                path=f"sources.{self.name}.{table.table}",
            )
        return sorted(path for path in self._folder.glob(pattern) if path.is_file())

    def _read_file(self, sink: Sink, table: TableMap, file: Path, done: _Progress) -> None:
        name = file.relative_to(self._folder).as_posix()
        key = f"{table.table}:{name}"
        try:
            if file.stat().st_size > MAX_FILE:
                raise OSError("too large")
            data = file.read_bytes()
        except OSError:
            aside = rejected(
                table,
                RowPlace(name, None, ""),
                "",
                "文件读不了（没有权限、被占用或超过 2 GB）",
                "检查文件权限和大小后重新读取",
            )
            done.rejected += 1
            sink.commit([], [aside], write_watermark(done.marks))
            return
        beside = [(other.name, other.read_bytes()) for other in self._reader.beside(file)]
        sha = bytes_hash(b"".join((data, *(more for _, more in beside))))
        shape = content_hash([sorted(table.source_columns()), table.key, self._form])[:16]
        mark = done.marks.get(key, {})
        same = mark.get("sha") == sha and mark.get("map") == shape
        if same and mark.get("done") is True:
            return
        counted = mark.get("rows")
        skip = counted if same and isinstance(counted, int) else 0
        done.objects += 1
        for other, more in beside:
            sink.keep_raw(self.name, other, more)
        found = FileAt(table, name, file, sink.keep_raw(self.name, name, data))
        done.notes += self._reader.notes(found, data)
        items = self._reader.items(found, data)
        self._hand_over(sink, items, skip, key, {"sha": sha, "map": shape}, done)

    def _hand_over(
        self,
        sink: Sink,
        items: Iterator[RawRow | Rejected],
        skip: int,
        key: str,
        mark: dict[str, object],
        done: _Progress,
    ) -> None:
        rows: list[RawRow] = []
        aside: list[Rejected] = []
        count = 0

        def commit(*, finished: bool) -> None:
            done.marks[key] = {**mark, "rows": count, "done": finished}
            sink.commit(rows, aside, write_watermark(done.marks))
            done.rows += len(rows)
            done.rejected += len(aside)
            rows.clear()
            aside.clear()

        for item in items:
            count += 1
            if count <= skip:
                continue
            if isinstance(item, RawRow):
                rows.append(item)
            else:
                aside.append(item)
            if len(rows) + len(aside) >= BATCH:
                commit(finished=False)
        commit(finished=True)


def columns_of(header: list[str], table: TableMap) -> dict[str, int]:
    """Mapped column → its place. RecordError naming every column that is missing or double."""
    wanted = table.source_columns()
    missing = [name for name in wanted if name not in header]
    if missing:
        found = "、".join(header[:30])
        raise RecordError(
            f"缺少映射用到的列：{'、'.join(missing)}；文件的列：{found}",
            place=Place(field="、".join(missing)),
            remedy="按现有列名改站点文件的映射，或让导出补上这些列；列名是乱码时核对 charset",
        )
    double = [name for name in wanted if header.count(name) > 1]
    if double:
        raise RecordError(
            f"列名重复：{'、'.join(double)}",
            place=Place(field="、".join(double)),
            remedy="导出时给每列不同的名字",
        )
    return {name: header.index(name) for name in wanted}
