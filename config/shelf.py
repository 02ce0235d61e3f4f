"""Versions on a shelf: one read-only SQLite file per version and a JSON manifest beside it.

Used for catalogues (one shelf per kind) and DIP libraries (one shelf per name). A version is
never edited; a superseded one stays on the shelf under another name and is no longer looked at.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from urllib.request import pathname2url

import msgspec

from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence

_LABEL = re.compile(r"[\w][\w.+-]{0,59}")
"""A name or version is also a file name: letters (Chinese too), digits, `.`, `_`, `-`, `+`."""
ENTRIES = "entries"
"""Name of the table that every version has."""
_FILES = (".sqlite", ".json")
"""What a version on the shelf has."""
Marks = tuple[tuple[str, int, int], ...]
"""File name, number and time of change, of every file of a shelf."""


@dataclass(frozen=True, slots=True)
class PartMark:
    """A table beside the entries of a version: whence it came and how many rows it has."""

    rows: int
    source_file: str
    source_hash: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table to store beside the entries; rows begin with the row number of the source."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one version is, whence it came and from which day it holds."""

    kind: str
    """Catalogue kind, or `library`."""
    version: str
    first_day: date
    source_file: str
    source_hash: str
    """SHA-256 of the imported file; of the hashes of all files where there were several."""
    rows: int
    imported_at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    layer: str = ""
    author: str = ""
    name: str = ""
    edition: str = ""
    partial: bool = False
    superseded_by: str = ""
    parts: Mapping[str, PartMark] = field(default_factory=dict)
    """Tables beside the entries, by kind."""
    also_from: tuple[str, ...] = ()
    """Further files of the entries, `name SHA-256` each."""


def check_label(text: str, what: str) -> str:
    """A usable version or name; ConfigError otherwise."""
    if not _LABEL.fullmatch(text):
        raise ConfigError(
            f"{what}“{text}”不能用：只用字母、汉字、数字和 . _ - +，不超过60个字符", path=what
        )
    return text


def manifests(folder: Path, *, superseded: bool = False) -> tuple[Manifest, ...]:
    """Versions of one shelf, the earliest first day first; without the superseded ones."""
    found = [_read_manifest(path) for path in sorted(folder.glob("*.json"))]
    kept = [item for item in found if superseded or not item.superseded_by]
    return tuple(sorted(kept, key=lambda item: (item.first_day, item.imported_at, item.version)))


def marks(folder: Path) -> Marks | None:
    """What tells whether the versions of a shelf are still the same; cheap, opens no file.

    None while a version is just being placed, or when placing one was cut short.
    """
    try:
        with os.scandir(folder) as found:
            entries = [(entry.name, entry.stat()) for entry in found]
    except FileNotFoundError:
        # No version yet, or a file was renamed between listing and looking.
        return None if folder.is_dir() else ()
    names = {name for name, _ in entries}
    if any(name.startswith(".") and name.endswith(".new") for name in names):
        return None
    stems = [{Path(name).stem for name in names if name.endswith(end)} for end in _FILES]
    if stems[0] != stems[1]:
        return None
    return tuple(
        sorted((name, about.st_ino, about.st_mtime_ns) for name, about in entries if name[0] != ".")
    )


def in_force(versions: Iterable[Manifest], day: date) -> Manifest | None:
    """The version with the greatest first day that is not after `day`."""
    held = [item for item in versions if item.first_day <= day]
    return max(held, key=lambda item: (item.first_day, item.imported_at), default=None)


def clashes(folder: Path, manifest: Manifest) -> tuple[Manifest, ...]:
    """Versions that the new one would overlap: same version name, or same layer and first day."""
    return tuple(
        item
        for item in manifests(folder)
        if item.version == manifest.version
        or (item.first_day == manifest.first_day and item.layer == manifest.layer)
    )


def put(
    folder: Path,
    manifest: Manifest,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    supersede: bool,
    beside: Sequence[Table] = (),
) -> tuple[str, ...]:
    """Place a version on the shelf, whole or not at all → labels of those it supersedes.

    `rows` begin with the row number of the source; `beside` are tables of their own in the same
    file. ConfigError when the version overlaps another and `supersede` is not given.
    """
    check_label(manifest.version, "版本号")
    old = clashes(folder, manifest)
    if old and not supersede:
        raise ConfigError(_clash_text(old), path=f"{manifest.kind}@{manifest.version}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _place(folder, manifest, (Table(ENTRIES, tuple(columns), tuple(rows)), *beside), old)
    except OSError as error:
        sentence = system_sentence(f"写不了目录文件 {folder}", error)
        raise ConfigError(sentence, path=str(folder)) from error
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"写不了目录文件 {folder}；检查磁盘空间和权限（{error}）", path=str(folder)
        ) from error
    return tuple(item.version for item in old)


def _place(
    folder: Path,
    manifest: Manifest,
    tables: Sequence[Table],
    old: Sequence[Manifest],
) -> None:
    built = folder / f".{manifest.version}.{os.getpid()}.new"
    try:
        _build(built, manifest, tables)
        for item in old:
            _retire(folder, item, manifest.version)
        built.chmod(0o444)
        built.replace(folder / f"{manifest.version}.sqlite")
        _write_manifest(folder / f"{manifest.version}.json", manifest)
        _sync_folder(folder)
    finally:
        built.unlink(missing_ok=True)


def rows_of(folder: Path, manifest: Manifest) -> list[tuple[object, ...]]:
    """All rows of a version in the order of its source: (row, columns…) as they were put."""
    return tables_of(folder, manifest, (ENTRIES,))[0]


def tables_of(
    folder: Path, manifest: Manifest, names: Sequence[str]
) -> list[list[tuple[object, ...]]]:
    """The named tables of a version, each as `rows_of` gives the entries."""
    with closing(_opened(folder, manifest)) as held:
        return [
            held.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall()  # noqa: S608
            for name in names
        ]


def part_table(kind: str) -> str:
    """Name of the table of a part kind (`ops-not-main`) in a version's file."""
    return "part_" + kind.replace("-", "_")


def distinct(folder: Path, manifest: Manifest, columns: Sequence[str]) -> set[str]:
    """The texts that stand in these columns, without the empty one."""
    with closing(_opened(folder, manifest)) as held:
        found = {
            str(text)
            for column in columns
            for (text,) in held.execute(f'SELECT DISTINCT "{column}" FROM entries')  # noqa: S608
        }
    return found - {""}


def verify(folder: Path, manifest: Manifest) -> None:
    """Raises ConfigError unless the version's file is there, of this import, and complete."""
    path = folder / f"{manifest.version}.sqlite"
    expected = {ENTRIES: manifest.rows}
    expected |= {part_table(kind): mark.rows for kind, mark in manifest.parts.items()}
    with closing(_opened(folder, manifest)) as held:
        for table, at_import in expected.items():
            try:
                (rows,) = held.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608
            except sqlite3.DatabaseError as error:
                raise ConfigError(f"目录文件 {path} 已损坏；请重新导入", path=str(path)) from error
            if rows != at_import:
                raise ConfigError(
                    f"目录文件 {path} 的表 {table} 有 {rows} 行，导入时是 {at_import} 行；"
                    "请重新导入",
                    path=str(path),
                )


def _opened(folder: Path, manifest: Manifest) -> sqlite3.Connection:
    path = folder / f"{manifest.version}.sqlite"
    held = _open(path)
    stored = held.execute("SELECT value FROM about WHERE name = 'source_hash'").fetchone()
    if stored != (manifest.source_hash,):
        held.close()
        raise ConfigError(
            f"{path.name} 与清单 {manifest.version}.json 不是同一次导入；"
            "请用 --supersede 重新导入这个版本",
            path=str(path),
        )
    return held


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise ConfigError(f"目录文件 {path} 不见了；请重新导入", path=str(path))
    uri = f"file:{pathname2url(str(path.absolute()))}?mode=ro&immutable=1"
    held = sqlite3.connect(uri, uri=True)
    try:
        held.execute("SELECT 1 FROM about").fetchone()
    except sqlite3.DatabaseError as error:
        held.close()
        raise ConfigError(f"目录文件 {path} 已损坏；请重新导入", path=str(path)) from error
    return held


def _build(path: Path, manifest: Manifest, tables: Sequence[Table]) -> None:
    from sqlite_utils import Database

    path.unlink(missing_ok=True)
    database = Database(path)
    try:
        database.create_table("about", {"name": str, "value": str}, pk="name")
        for table in tables:
            database.create_table(table.name, {"row": int, **dict.fromkeys(table.columns, str)})
        about = (("source_hash", manifest.source_hash), ("version", manifest.version))
        with database.conn:
            database.conn.executemany("INSERT INTO about VALUES (?, ?)", about)
            for table in tables:
                marks = ",".join("?" * (len(table.columns) + 1))
                # One prepared statement: dict by dict takes several times as long.
                database.conn.executemany(
                    f'INSERT INTO "{table.name}" VALUES ({marks})',  # noqa: S608
                    table.rows,
                )
    finally:
        database.conn.close()
    with path.open("rb") as held:
        os.fsync(held.fileno())


def _retire(folder: Path, manifest: Manifest, by: str) -> None:
    """Keep the old version under `<version>~<n>`, marked; its own name becomes free."""
    number = 1
    while (folder / f"{manifest.version}~{number}.json").exists():
        number += 1
    label = f"{manifest.version}~{number}"
    (folder / f"{manifest.version}.sqlite").replace(folder / f"{label}.sqlite")
    _write_manifest(folder / f"{label}.json", replace(manifest, version=label, superseded_by=by))
    (folder / f"{manifest.version}.json").unlink()


def _read_manifest(path: Path) -> Manifest:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"版本清单 {path} 读不了；请重新导入这个版本", path=str(path)) from error


def _write_manifest(path: Path, manifest: Manifest) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    with new.open("wb") as held:
        held.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        held.flush()
        os.fsync(held.fileno())
    new.replace(path)


def _sync_folder(folder: Path) -> None:
    """Make renames durable; Windows has no such call and needs none."""
    with suppress(OSError, AttributeError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)


def _clash_text(old: Sequence[Manifest]) -> str:
    named = "、".join(f"{item.version}（{item.first_day:%Y-%m-%d} 起）" for item in old)
    return (
        f"与已有版本重叠：{named}；同一目录的版本号和生效日期都不能重复。"
        "确要取代，加 --supersede（旧版本留存）；否则换版本号和生效日期"
    )
