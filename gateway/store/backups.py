"""Backup and restore of the operational store.

A backup is one SQLite file: a compact copy of the database (VACUUM INTO, so a live store may go
on writing) with the list of kept raw files. The raw files themselves, catalogues, policies and
the site file are plain files: copy them beside it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence
from dipgate.store import audit, outbox
from dipgate.store.backup_card import BackupCard, write_card
from dipgate.store.database import FILE_NAME, sync_file, sync_folder
from dipgate.store.local_disk import refuse_network_path
from dipgate.store.lock import StateLock
from dipgate.store.opening import Store, open_store
from dipgate.store.raw import raw_files
from dipgate.store.schema import BACKUPS, HEAD, refuse_newer, revision_of, upgrade, vacuum_into
from dipgate.store.tables import identity, lease

JUMP = 1_000_000
"""Numbers given between backup and restore are unknown; every sequence leaps over them."""
_RAW_LIST = "backup_raw_files"
_COUNTED = ("audit", "inbox_rows", "inbox_rejected", "outbox", "overlays", "exchanges")


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds: the file, its size in bytes, and how many raw files it lists."""

    file: Path
    size: int
    raw_files: int


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did. `unknown` outbox rows will be asked about before anything is sent."""

    unknown: int
    missing_raw: tuple[str, ...]
    replaced: Path | None
    """Where the database that stood there before is kept."""
    restore_epoch: int


def backup(store: Store | Path, target: Path) -> BackupReport:
    """Copy an open store, or the store of a state folder, to a new file; complete or not at all.

    Raises ConfigError when the target exists, cannot be written, or there is no store.
    """
    state = store.state if isinstance(store, Store) else store
    source = state / FILE_NAME
    if not source.is_file() or source.stat().st_size == 0:
        raise ConfigError(f"目录 {state} 里没有数据库，没有可备份的内容", path=str(state))
    if target.exists():
        raise ConfigError(f"文件已存在：{target}；请换一个文件名", path=str(target))
    part = target.with_name(f".{target.name}.copying")
    listed = list(raw_files(state))
    try:
        vacuum_into(source, part, replace=True)
        with closing(sqlite3.connect(part)) as raw:
            raw.execute(f"DROP TABLE IF EXISTS {_RAW_LIST}")
            raw.execute(f"CREATE TABLE {_RAW_LIST} (hash TEXT PRIMARY KEY, size INTEGER NOT NULL)")
            raw.executemany(f"INSERT INTO {_RAW_LIST} VALUES (?, ?)", listed)  # noqa: S608
            raw.commit()
        sync_file(part)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"不能写备份文件 {target}；请检查磁盘空间和权限", path=str(target)
        ) from error
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
    return BackupReport(target, target.stat().st_size, len(listed))


def note_backup(state: Path, clock: Clock, *, actor: str, report: BackupReport) -> bool:
    """Leave the card of a backup, and audit it; False when another process holds the folder."""
    with suppress(OSError):
        write_card(state, BackupCard(clock.now(), str(report.file.resolve()), report.size))
    try:
        with open_store(state, clock, owner="dipgate backup") as store:
            store.write(
                lambda conn: audit.add(
                    conn,
                    clock.now(),
                    actor,
                    "store.backed_up",
                    "store",
                    detail={"bytes": report.size, "raw_files": report.raw_files},
                )
            )
    except ConfigError:
        return False
    return True


def restore(source: Path, state: Path, clock: Clock, *, actor: str = "dipgate") -> RestoreReport:
    """Put a backup in the place of a state folder's store.

    Every outbox row that is not final becomes UNKNOWN, so the platform is asked before anything
    is sent again; number sequences leap by 1,000,000. The store that stood there is kept in
    `backups/`. Raises ConfigError, changing nothing, for a file that is no sound backup, another
    hospital's, or a folder in use.
    """
    _refuse_unsound(source)
    refuse_network_path(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = StateLock(state, "dipgate restore", clock.now())
    part = state / f".{FILE_NAME}.restoring"
    try:
        shutil.copyfile(source, part)
        part.chmod(0o600)
        present = _present(state / FILE_NAME)
        report = _prepare(part, state, clock.now(), actor, present)
        sync_file(part)
        replaced = _set_aside(state, clock.now())
        part.replace(state / FILE_NAME)
        sync_folder(state)
        return RestoreReport(report.unknown, report.missing_raw, replaced, report.restore_epoch)
    except OSError as error:
        act = "恢复时不能写文件，原来的数据库没有动"
        raise ConfigError(system_sentence(act, error), path=str(state)) from error
    finally:
        part.unlink(missing_ok=True)
        lock.release()


@dataclass(frozen=True, slots=True)
class _Present:
    """Numbers of the store that is being replaced; the restored one must stand above them."""

    hospital_code: str = ""
    epoch: int = 0
    restore_epoch: int = 0
    sequences: tuple[tuple[str, int], ...] = ()
    counters: tuple[tuple[str, int], ...] = ()


def _refuse_unsound(source: Path) -> None:
    if not source.is_file():
        raise ConfigError(f"没有备份文件 {source}；请检查路径", path=str(source))
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as raw:
            verdict = raw.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise ConfigError(
            f"{source} 不是数据库或已损坏，不能恢复；请换一份备份", path=str(source)
        ) from error
    if verdict != "ok":
        raise ConfigError(f"备份 {source} 已损坏，不能恢复；请换一份备份", path=str(source))
    if not {"alembic_version", "identity", "outbox"} <= tables:
        raise ConfigError(f"{source} 不是 dipgate 的备份", path=str(source))


def _present(file: Path) -> _Present:
    """What is known of the store that stands there; nothing when there is none or it is broken."""
    if not file.is_file() or file.stat().st_size == 0:
        return _Present()
    try:
        with closing(sqlite3.connect(file, timeout=5)) as raw:
            code, restores = raw.execute(
                "SELECT hospital_code, restore_epoch FROM identity"
            ).fetchone()
            epoch = raw.execute("SELECT epoch FROM lease").fetchone()[0]
            sequences = tuple(raw.execute("SELECT name, value FROM sequences"))
            counters = tuple(raw.execute("SELECT name, seq FROM sqlite_sequence"))
        return _Present(code, epoch, restores, sequences, counters)
    except (sqlite3.Error, TypeError):
        return _Present()


def _prepare(
    file: Path, state: Path, now: datetime, actor: str, present: _Present
) -> RestoreReport:
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)

    def connected(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA journal_mode=DELETE")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA trusted_schema=OFF")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as conn:
            found = revision_of(conn)
            refuse_newer(found)
            if found != HEAD:
                upgrade(conn)
            code = str(conn.execute(select(identity.c.hospital_code)).scalar_one())
            if present.hospital_code and code and present.hospital_code != code:
                raise ConfigError(
                    f"备份属于定点医药机构 {code}，状态目录属于 {present.hospital_code}；"
                    "请恢复到各自的状态目录",
                    path=str(state),
                )
            missing = _missing_raw(conn, state)
            epoch = _leap(conn, present)
            restores = _mark(conn, now, present)
            unknown = outbox.restored(conn, now=now, epoch=epoch)
            audit.add(
                conn,
                now,
                actor,
                "store.restored",
                "store",
                detail={"unknown": unknown, "missing_raw": len(missing), "restores": restores},
            )
    except DBAPIError as error:
        raise ConfigError("备份内容不完整，不能恢复；请换一份备份", path=str(file)) from error
    return RestoreReport(unknown, missing, None, restores)


def _leap(conn: Connection, present: _Present) -> int:
    """Move epoch, sequences and row counters above all that were ever given; the new epoch."""
    epoch = max(conn.execute(select(lease.c.epoch)).scalar() or 0, present.epoch) + 1
    conn.execute(update(lease).values(epoch=epoch))
    raise_to = text(
        "INSERT INTO sequences (name, value) VALUES (:name, :value) ON CONFLICT (name)"
        " DO UPDATE SET value = max(sequences.value, excluded.value)"
    )
    for name, value in present.sequences:
        conn.execute(raise_to, {"name": name, "value": value})
    conn.execute(text("UPDATE sequences SET value = value + :jump"), {"jump": JUMP})
    held = dict(conn.execute(text("SELECT name, seq FROM sqlite_sequence")).tuples().all())
    for name in _COUNTED:
        top = max(held.get(name, 0), dict(present.counters).get(name, 0)) + JUMP
        done = conn.execute(
            text("UPDATE sqlite_sequence SET seq = :top WHERE name = :name"),
            {"top": top, "name": name},
        )
        if done.rowcount == 0:
            conn.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :top)"),
                {"top": top, "name": name},
            )
    return epoch


def _mark(conn: Connection, now: datetime, present: _Present) -> int:
    held = conn.execute(select(identity.c.restore_epoch)).scalar_one()
    restores = max(int(held), present.restore_epoch) + 1
    conn.execute(update(identity).values(restore_epoch=restores, restored_at=now))
    return restores


def _missing_raw(conn: Connection, state: Path) -> tuple[str, ...]:
    """Raw files that the backup lists and the state folder lacks; the list is then dropped."""
    known = conn.execute(
        text("SELECT 1 FROM sqlite_master WHERE name = :name"), {"name": _RAW_LIST}
    ).first()
    if known is None:
        return ()
    here = {digest for digest, _ in raw_files(state)}
    listed = conn.exec_driver_sql(
        f"SELECT hash FROM {_RAW_LIST} ORDER BY hash"  # noqa: S608
    ).scalars()
    missing = tuple(digest for digest in listed if digest not in here)
    conn.exec_driver_sql(f"DROP TABLE {_RAW_LIST}")
    return missing


def _set_aside(state: Path, now: datetime) -> Path | None:
    """Keep a copy of the present store, then take away its journal; the file itself stays.

    The journal is first written into the file, so a kill at any point leaves a whole store.
    """
    file = state / FILE_NAME
    if not file.is_file() or file.stat().st_size == 0:
        return None
    stamp = now.strftime("%Y%m%dT%H%M%S")
    kept = state / BACKUPS / f"replaced-{stamp}.sqlite"
    number = 1
    while kept.exists():
        number += 1
        kept = state / BACKUPS / f"replaced-{stamp}-{number}.sqlite"
    kept.parent.mkdir(exist_ok=True)
    journals = [state / f"{FILE_NAME}{suffix}" for suffix in ("-wal", "-shm")]
    try:
        _checkpoint(file)
        _copy_whole(file, kept)
    except (_Broken, sqlite3.DatabaseError):
        # Too broken to copy as a database: keep its bytes as they are.
        for each in (file, *journals):
            if each.is_file():
                shutil.copyfile(each, kept.with_name(kept.name + each.name[len(FILE_NAME) :]))
    for journal in journals:
        journal.unlink(missing_ok=True)
    sync_folder(kept.parent)
    return kept


class _Broken(Exception):
    """The present file cannot be read as a database."""


def _copy_whole(file: Path, kept: Path) -> None:
    try:
        vacuum_into(file, kept)
    except ConfigError as error:
        raise _Broken from error


def _checkpoint(file: Path) -> None:
    with closing(sqlite3.connect(file, timeout=5)) as raw:
        busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise ConfigError("数据库正被其他进程读取，不能恢复；等它结束后重试", path=str(file))
