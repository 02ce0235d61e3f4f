"""Catalogues of codes, maps, departments and staff: imported by kind and version, never edited.

The settlement date chooses the version: the one with the greatest first day not after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from dipgate.config import shelf
from dipgate.config.kinds import KINDS, Kind, kind_named
from dipgate.config.resources import resource
from dipgate.config.row_errors import BadRows, RowErrors
from dipgate.config.shelf import Manifest
from dipgate.config.tablefile import Sheet, TableFile, find_table, read_file
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.progress import Progress, silent

LAYERS = ("national", "area", "hospital")
"""Layers of a code map, the widest first; the narrower one wins."""
__all__ = [
    "KINDS",
    "LAYERS",
    "BadRows",
    "ImportReport",
    "activate_sample",
    "check_catalogue",
    "import_catalogue",
    "list_catalogues",
]

SAMPLE_VERSION = "sample-1"
SAMPLE_LIBRARIES: Mapping[str, str] = MappingProxyType(
    {"sample": "library-dip.csv", "sample-neighbour": "library-neighbour.csv"}
)
"""Library name → file: the fictional area 990100, and its neighbour 990200."""
SAMPLE_FIRST_DAY = date(2024, 1, 1)
_EVERY = 2000
"""Rows between two calls of `progress`."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import stored. `skipped` rows had nothing to store, `notes` say why or how."""

    label: str
    kind: str
    version: str
    first_day: date
    layer: str
    rows: int
    skipped: int
    counts: Mapping[str, int]
    source_file: str
    source_hash: str
    superseded: tuple[str, ...]
    notes: tuple[str, ...]
    parts: Mapping[str, int] = field(default_factory=dict)
    """Rows of the tables beside the groups of a library."""


def shelf_of(state: Path, kind: str) -> Path:
    """The folder of a kind's versions."""
    return state / "catalogues" / kind


# --- import --------------------------------------------------------------------------------


def import_catalogue(
    state: Path,
    kind: str,
    version: str,
    first_day: date,
    file: Traversable,
    *,
    layer: str = "",
    author: str = "",
    supersede: bool = False,
    now: datetime,
    progress: Progress = silent,
) -> ImportReport:
    """Import one file as a version of a kind: the whole file, or nothing.

    `layer` (national, area, hospital) belongs to code maps; empty means national there. Raises
    ConfigError for a bad option or an overlap without `supersede`; RecordError when the file
    cannot be read or lacks columns; BadRows with every broken row.
    """
    what = kind_named(kind)
    layer = _layer(what, layer)
    shelf.check_label(version, "版本号")
    table, kept, skipped, notes = _read(what, file, progress)
    counts = _counts(what, kept)
    manifest = Manifest(
        kind=kind,
        version=version,
        first_day=first_day,
        source_file=table.name,
        source_hash=table.sha256,
        rows=len(kept),
        imported_at=now,
        counts=counts,
        notes=notes,
        layer=layer,
        author=author,
    )
    old = shelf.put(shelf_of(state, kind), manifest, what.columns, kept, supersede=supersede)
    return report_of(manifest, superseded=old, skipped=skipped)


def check_catalogue(
    kind: str, file: Traversable, *, progress: Progress = silent
) -> tuple[tuple[Mapping[str, str], ...], tuple[str, ...]]:
    """Read a file as an import would, and store nothing: rows by column name, and notes.

    Raises ConfigError for an unknown kind; RecordError when the file cannot be read or lacks
    columns; BadRows with every broken row.
    """
    what = kind_named(kind)
    _, kept, _, notes = _read(what, file, progress)
    names = ("row", *what.columns)
    return tuple(dict(zip(names, map(str, row), strict=True)) for row in kept), notes


def _read(
    kind: Kind, file: Traversable, progress: Progress
) -> tuple[TableFile, list[tuple[int | str, ...]], int, tuple[str, ...]]:
    """(file as read, rows to keep, number of rows left out, notes)."""
    table = read_file(file)
    _, sheet = find_table(table, [[cell.column for cell in kind.cells]])
    errors = RowErrors(sheet.file)
    rows = list(_read_rows(kind, sheet, errors, progress))
    errors.check()
    kept, notes = _finish(kind, sheet, rows)
    if not kept:
        raise RecordError(
            "只有表头，没有数据", place=Place(sheet.file), remedy="确认导出的文件含有数据"
        )
    return table, kept, len(rows) - len(kept), notes


def report_of(
    manifest: Manifest, *, superseded: tuple[str, ...] = (), skipped: int = 0
) -> ImportReport:
    """The report of an import, from the manifest it left."""
    return ImportReport(
        label=f"{manifest.name or manifest.kind}@{manifest.version}",
        kind=manifest.kind,
        version=manifest.version,
        first_day=manifest.first_day,
        layer=manifest.layer,
        rows=manifest.rows,
        skipped=skipped,
        counts=manifest.counts,
        source_file=manifest.source_file,
        source_hash=manifest.source_hash,
        superseded=superseded,
        notes=manifest.notes,
        parts={kind: mark.rows for kind, mark in manifest.parts.items()},
    )


def list_catalogues(state: Path, *, superseded: bool = False) -> tuple[Manifest, ...]:
    """Imported versions of all kinds, in the order of `KINDS` and first day."""
    return tuple(
        manifest
        for kind in KINDS
        for manifest in shelf.manifests(shelf_of(state, kind), superseded=superseded)
    )


def _layer(kind: Kind, layer: str) -> str:
    if not kind.layered:
        if layer:
            raise ConfigError(f"{kind.title}（{kind.name}）不分层，不要给 --layer", path="--layer")
        return ""
    layer = layer or LAYERS[0]
    if layer not in LAYERS:
        raise ConfigError(f"没有“{layer}”这一层；可用：{'、'.join(LAYERS)}", path="--layer")
    return layer


def _read_rows(
    kind: Kind, sheet: Sheet, errors: RowErrors, progress: Progress
) -> Iterator[tuple[int | str, ...]]:
    """Rows as stored: row number, then every column of the kind ("" where the file has none)."""
    at = {name: position for position, name in enumerate(sheet.found)}
    heading = dict(zip(sheet.found, sheet.headings, strict=True))
    spans = [kind.columns.index(name) for name in ("first_day", "last_day") if name in at]
    plan = [(cell, cell.read, at.get(cell.column.name, -1)) for cell in kind.cells]
    key_at = [kind.columns.index(name) for name in kind.key]
    seen: dict[tuple[str, ...], int] = {}
    number = 0
    for row, cells in sheet.rows:
        if isinstance(cells, RecordError):
            errors.take(cells)
            continue
        values: list[str] = []
        for cell, read, position in plan:
            try:
                values.append(read(cells[position]) if position >= 0 else "")
            except ValueError as error:
                errors.add(row, heading[cell.column.name], str(error), cell.remedy)
                break
        else:
            first = seen.setdefault(tuple([values[index] for index in key_at]), row)
            if first != row:
                shown = "、".join(filter(None, (values[index] for index in key_at)))
                errors.add(
                    row, heading[kind.key[0]], f"“{shown}”与第{first}行重复", "删去重复的一行"
                )
            elif len(spans) == 2 and values[spans[0]] > values[spans[1]] > "":
                errors.add(row, heading["last_day"], "早于启用日期", "改正两个日期中的一个")
            else:
                yield (row, *values)
        number += 1
        if number % _EVERY == 0:
            progress(number, None)
    progress(number, number)


def _finish(
    kind: Kind, sheet: Sheet, rows: list[tuple[int | str, ...]]
) -> tuple[list[tuple[int | str, ...]], tuple[str, ...]]:
    """What a kind needs after all its rows are read → rows kept, notes for a person."""
    columns = ("row", *kind.columns)
    if kind.name in ("department", "staff"):
        national = columns.index("national_code")
        kept = [row for row in rows if row[national]]
        if kind.name == "staff":
            role = columns.index("role")
            kept = [
                (*row[:role], row[role] or _role_of(str(row[national])), *row[role + 1 :])
                for row in kept
            ]
        gone = len(rows) - len(kept)
        return kept, (f"{gone}行没有国家编码，没有导入",) if gone else ()
    if kind.name == "not-principal" and not {"dip3", "drg11"}.intersection(sheet.found):
        dip3, drg11 = columns.index("dip3"), columns.index("drg11")
        marked = [
            tuple("1" if at in (dip3, drg11) else value for at, value in enumerate(row))
            for row in rows
        ]
        return marked, ("清单没有区分 DIP 3.0 与 DIP 2.0/DRG，按两者都适用导入",)
    return rows, ()


def _role_of(national_code: str) -> str:
    return "nurse" if national_code.startswith("N") else "doctor"


def _counts(kind: Kind, rows: list[tuple[int | str, ...]]) -> dict[str, int]:
    if not kind.counted:
        return {}
    at = kind.columns.index(kind.counted) + 1
    counted = Counter(str(row[at]) for row in rows)
    return {value or "（空）": count for value, count in counted.most_common()}


# --- the sample ----------------------------------------------------------------------------


def activate_sample(state: Path, now: datetime) -> tuple[ImportReport, ...]:
    """Import the shipped sample of the fictional areas 990100 and 990200; again changes nothing.

    Raises ConfigError when the state folder holds a site's own versions from the same first day.
    """
    held = {(item.kind, item.version): item for item in list_catalogues(state)}
    reports: list[ImportReport] = []
    for kind in KINDS:
        file = resource("sample", f"{kind}.csv")
        if not file.is_file():
            continue
        old = held.get((kind, SAMPLE_VERSION))
        if old is not None and old.source_hash == read_file(file).sha256:
            reports.append(report_of(old))
            continue
        reports.append(
            import_catalogue(
                state,
                kind,
                SAMPLE_VERSION,
                SAMPLE_FIRST_DAY,
                file,
                author="dipgate",
                supersede=old is not None,
                now=now,
            )
        )
    return (*reports, *(_sample_library(state, name, now) for name in SAMPLE_LIBRARIES))


def _sample_library(state: Path, name: str, now: datetime) -> ImportReport:
    from dipgate.config.libraries import import_library, list_libraries

    file = resource("sample", SAMPLE_LIBRARIES[name])
    held = [
        item
        for item in list_libraries(state)
        if (item.name, item.version) == (name, SAMPLE_VERSION)
    ]
    if held and held[0].source_hash == read_file(file).sha256:
        return report_of(held[0])
    return import_library(
        state,
        name,
        SAMPLE_VERSION,
        SAMPLE_FIRST_DAY,
        file,
        partial=False,
        supersede=bool(held),
        now=now,
    )
