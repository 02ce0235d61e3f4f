"""DIP libraries: the groups of a city or of the national scheme, imported by name and version.

Two column shapes are read: a city's catalogue with scores (2.0 and before) and the national 3.0
scheme, with or without a city's scores; and the national 3.0 workbook. Rows keep the library's own
id; it is never parsed. Tables beside the groups (parts) belong to the version: to change one,
import the version anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from dipgate.config import shelf
from dipgate.config.catalogues import ImportReport, report_of
from dipgate.config.library_parts import Part, part_kind, read_part
from dipgate.config.library_reading import NATIONAL, Gathered, gaps, read_rows
from dipgate.config.library_rows import FIELDS, SHAPES, row_of
from dipgate.config.library_tables import parts_of
from dipgate.config.library_workbook import facts, is_national, read_workbook
from dipgate.config.shelf import Manifest, PartMark, Table, part_table
from dipgate.config.tablefile import TableFile, find_table, read_file, workbook
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.hashing import bytes_hash
from dipgate.core.library import PART_KINDS, LibraryData
from dipgate.core.policy import Policy
from dipgate.core.progress import Progress, silent

EDITIONS = ("1.0", "2.0", "3.0")
_EVERY = 1000
NO_FILES: Mapping[str, Traversable] = MappingProxyType({})


def import_library(
    state: Path,
    name: str,
    version: str,
    first_day: date,
    file: Traversable,
    *,
    also: Sequence[Traversable] = (),
    parts: Mapping[str, Traversable] = NO_FILES,
    partial: bool = False,
    supersede: bool = False,
    now: datetime,
    edition: str | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import files as a version of the library `name`: all of them whole, or nothing.

    `file` and `also` hold groups, each in a form of its own (a city's comprehensive rows beside
    the national scheme); `parts` are tables beside the groups, by kind. The national workbook
    brings its own parts. `partial` says that this is an excerpt: gaps in the national numbering
    and other counts are then accepted and the library is marked. Errors as in `import_catalogue`.
    """
    shelf.check_label(name, "目录名")
    shelf.check_label(version, "版本号")
    if edition is not None and edition not in EDITIONS:
        raise ConfigError(f"没有 {edition} 版；可用：{'、'.join(EDITIONS)}", path="--edition")
    for kind in parts:
        part_kind(kind)
    reading = _Reading(partial=partial, progress=progress)
    tables = [read_file(item) for item in (file, *also)]
    for table in tables:
        reading.groups_of(table)
    for kind, item in parts.items():
        reading.add(read_part(kind, item))
    reading.check()
    beside = reading.parts
    manifest = Manifest(
        kind="library",
        name=name,
        version=version,
        first_day=first_day,
        source_file=tables[0].name,
        source_hash=_hash_of(tables, beside),
        rows=len(reading.gathered.rows),
        imported_at=now,
        counts=reading.gathered.counts(),
        notes=tuple(reading.notes),
        edition=edition or max(reading.editions),
        partial=partial,
        parts={
            kind: PartMark(len(part.rows), part.source_file, part.source_hash)
            for kind, part in beside.items()
        },
        also_from=tuple(f"{table.name} {table.sha256}" for table in tables[1:]),
    )
    old = shelf.put(
        shelf_of(state, name),
        manifest,
        FIELDS,
        reading.gathered.rows,
        supersede=supersede,
        beside=[
            Table(part_table(kind), part.kind.columns, part.rows) for kind, part in beside.items()
        ],
    )
    return report_of(manifest, superseded=old)


def shelf_of(state: Path, name: str) -> Path:
    """The folder of a library's versions."""
    return state / "libraries" / shelf.check_label(name, "目录名")


def list_libraries(state: Path, *, superseded: bool = False) -> tuple[Manifest, ...]:
    """Imported versions of all libraries, by name and first day."""
    folders = sorted(folder for folder in (state / "libraries").glob("*") if folder.is_dir())
    return tuple(
        manifest
        for folder in folders
        for manifest in shelf.manifests(folder, superseded=superseded)
    )


def library_named(policy: Policy, instead: str = "") -> tuple[str, str]:
    """Name and version (empty: the one in force) of the policy's library, or of the one `instead`.

    Raises ConfigError when neither names one.
    """
    name, _, version = (instead or policy.catalogue.library or "").partition("@")
    if not name:
        raise ConfigError(
            f"政策 {policy.policy.id} 没有写用哪个 DIP 目录；在政策的 catalogue.library 写明，"
            "命令也可以用 --library 名称@版本 指定",
            path="catalogue.library",
        )
    return name, version


def load_library(
    state: Path, name: str, version: str | None = None, day: date | None = None
) -> LibraryData:
    """One version: as named, else the one in force on `day`, else the only one there is.

    Raises ConfigError naming what is there when nothing fits.
    """
    folder = shelf_of(state, name)
    held = shelf.manifests(folder)
    found: Manifest | None
    if version is not None:
        found = next((item for item in held if item.version == version), None)
    elif day is not None:
        found = shelf.in_force(held, day)
    else:
        found = held[0] if len(held) == 1 else None
    if found is None:
        raise ConfigError(_absent(state, name, held, version, day), path=f"library:{name}")
    kinds = [kind for kind in PART_KINDS if kind in found.parts]
    entries, *tables = shelf.tables_of(
        folder, found, (shelf.ENTRIES, *(part_table(kind) for kind in kinds))
    )
    return LibraryData(
        name=found.name,
        version=found.version,
        first_day=found.first_day,
        edition=found.edition,
        partial=found.partial,
        source_hash=found.source_hash,
        rows=tuple(row_of(row) for row in entries),
        parts=parts_of(dict(zip(kinds, tables, strict=True))),
    )


class _Reading:
    """One import under way: rows and parts of its files, and what is to be said about them."""

    def __init__(self, *, partial: bool, progress: Progress) -> None:
        self.partial = partial
        self.gathered = Gathered()
        self.editions: list[str] = []
        self.notes: list[str] = []
        self._parts: dict[str, Part] = {}
        self._progress = progress
        self._known = facts()
        self._read = 0

    @property
    def parts(self) -> dict[str, Part]:
        """Parts in the order of `PART_KINDS`."""
        return {kind: self._parts[kind] for kind in PART_KINDS if kind in self._parts}

    def groups_of(self, table: TableFile) -> None:
        before = len(self.gathered.rows)
        sheets = workbook(table) if table.is_workbook else {}
        if is_national(self._known, sheets):
            found = read_workbook(self.gathered, table, sheets, self._known, partial=self.partial)
            self.editions.append(self._known.edition)
            self.notes.extend(found.notes)
            for part in found.parts:
                self.add(part)
            self._count(len(self.gathered.rows) - before)
        else:
            at, sheet = find_table(table, [shape.columns for shape in SHAPES])
            self.editions.append(SHAPES[at].edition)
            read_rows(self.gathered, sheet, SHAPES[at], self._count)
        if len(self.gathered.rows) == before:
            raise RecordError(
                "只有表头，没有数据", place=Place(table.name), remedy="确认导出的文件含有数据"
            )

    def add(self, part: Part) -> None:
        kind = part.kind.name
        if kind in self._parts:
            raise ConfigError(
                f"附表 {kind} 给了两次：{self._parts[kind].source_file}、{part.source_file}",
                path="--part",
            )
        self._parts[kind] = part
        self.notes.extend(part.notes)

    def check(self) -> None:
        """What only all files together show: sub-rows, numbering, counts."""
        self._progress(self._read, self._read)
        self.gathered.check_parents()
        missing = gaps(self.gathered.numbers)
        if missing and not self.partial:
            raise RecordError(
                f"序号不连续，缺 {'、'.join(missing[:5])}{' 等' if len(missing) > 5 else ''}",
                place=Place(self._national_file()),
                remedy="换成完整的方案；确为节选时加 --partial",
            )
        if missing:
            self.notes.insert(0, f"节选：序号有{len(missing)}处间断")
        differing = list(self._differing())
        if differing and not self.partial:
            raise RecordError(
                f"行数与国家 3.0 版方案不符：{'；'.join(differing)}",
                place=Place(self._national_file()),
                remedy="换成完整的方案；确为节选或已按本地调整时加 --partial",
            )

    def _differing(self) -> Iterator[str]:
        """Counts that are not those of the national scheme, where the scheme is imported."""
        found = self.gathered.counts()
        if not any(layer in found for layer in NATIONAL):
            return
        for layer, rows in self._known.rows_by_layer().items():
            if found.get(layer, 0) != rows:
                yield f"{layer} 应有{rows}行，有{found.get(layer, 0)}行"
        for kind, rows in self._known.rows_by_part().items():
            part = self._parts.get(kind)
            # A note on a repeated row stands for rows that were left out.
            if part is not None and len(part.rows) != rows and not part.notes:
                yield f"{part.kind.title}应有{rows}行，有{len(part.rows)}行"

    def _national_file(self) -> str:
        code = next(iter(self.gathered.numbers.values()))
        return self.gathered.places[code][0]

    def _count(self, rows: int) -> None:
        before, self._read = self._read, self._read + rows
        if self._read // _EVERY > before // _EVERY:
            self._progress(self._read, None)


def _hash_of(tables: Sequence[TableFile], parts: Mapping[str, Part]) -> str:
    """The file's own hash; with several files, the hash of all their hashes."""
    if len(tables) == 1 and all(part.source_hash == tables[0].sha256 for part in parts.values()):
        return tables[0].sha256
    lines = [table.sha256 for table in tables]
    lines += [f"{kind} {part.source_hash}" for kind, part in parts.items()]
    return bytes_hash("\n".join(lines).encode())


def _absent(
    state: Path, name: str, held: Sequence[Manifest], version: str | None, day: date | None
) -> str:
    if not held:
        names = sorted({item.name for item in list_libraries(state)})
        there = f"已有：{'、'.join(names)}" if names else "一个也没有导入"
        return f"没有导入 DIP 目录 {name}（{there}）；用 dipgate library import 导入"
    there = "、".join(f"{item.version}（{item.first_day:%Y-%m-%d} 起）" for item in held)
    if version is not None:
        return f"DIP 目录 {name} 没有版本 {version}；已有：{there}"
    if day is not None:
        return f"DIP 目录 {name} 在 {day:%Y-%m-%d} 还没有生效的版本；已有：{there}"
    return f"DIP 目录 {name} 有几个版本，要写明 {name}@版本 或日期；已有：{there}"
