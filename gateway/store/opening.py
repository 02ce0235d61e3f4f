"""Opening a state folder: one owner, one schema, one hospital, settings read back."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError

from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.store import audit, clock_notes, history, outbox, raw, tables, worklist
from dipgate.store.database import (
    FILE_NAME,
    reading_engine,
    translated,
    writing_engine,
)
from dipgate.store.local_disk import refuse_network_path
from dipgate.store.lock import StateLock, unusable
from dipgate.store.schema import HEAD, bring_up, refuse_newer, revision_of
from dipgate.store.tables import identity, lease, moment_text
from dipgate.store.writer import Writer

T = TypeVar("T")
BACK = timedelta(seconds=5)
"""A clock this far behind what was written last has gone back."""
_EPOCH = "SELECT epoch FROM lease WHERE id = 1"


class Store:
    """One opened state folder. Made by `open_store`; use as a context manager or `close()`."""

    def __init__(
        self,
        state: Path,
        clock: Clock,
        *,
        reader: Engine,
        writer: Writer | None,
        lock: StateLock | None,
        epoch: int,
        hospital_code: str,
        went_back: timedelta = timedelta(0),
    ) -> None:
        self.state = state
        self.clock = clock
        self.epoch = epoch
        self.hospital_code = hospital_code
        """Empty until a hospital code was given once."""
        self.went_back = went_back
        """How far our clock stood behind what was written last when this was opened."""
        self._reader = reader
        self._writer = writer
        self._lock = lock
        self._closing = threading.Lock()

    @property
    def read_only(self) -> bool:
        return self._writer is None

    @property
    def alive(self) -> bool:
        """False once the writing thread has died: nothing can be stored, the process must end."""
        return self._writer is None or self._writer.alive

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn(connection)` in the writing thread and return its value after the commit.

        What `fn` raises comes back to this caller and undoes only its own changes. Raises
        StaleOwner when another process has taken the folder, StoreUnavailable when the disk did.
        """
        if self._writer is None:
            raise ConfigError("状态目录以只读方式打开，不能写入", path=str(self.state))
        return self._writer.write(fn)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading connection that sees the store as of one moment; it refuses writes."""
        with self._reader.connect() as conn:
            yield conn

    def keep_raw(self, data: bytes) -> str:
        """Store raw bytes durably; their hash."""
        return raw.keep_raw(self.state, data)

    def raw(self, digest: str) -> bytes:
        """Raw bytes by hash, verified. Raises ConfigError when missing or changed."""
        return raw.read_raw(self.state, digest)

    def close(self) -> None:
        """Finish queued writes and give the folder free; may be called twice."""
        with self._closing:
            self._reader.dispose()
            if self._writer is not None:
                self._writer.close()
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(
    state: Path,
    clock: Clock,
    *,
    owner: str,
    hospital_code: str | None = None,
    read_only: bool = False,
    past: bool = False,
) -> Store:
    """Open (and, for writing, create and migrate) the store of a state folder.

    `past`: the store of past months, which sends nothing (`store/history.py`). Raises ConfigError
    for a network path, a folder another process holds, another hospital's folder, a newer schema,
    a store of the other use, or settings that read back differently. Opening for writing raises
    the owner's epoch; what an earlier owner was sending becomes UNKNOWN.
    """
    refuse_network_path(state)
    if read_only:
        return _open_reading(state, clock, hospital_code, past=past)
    _make_folder(state)
    lock = StateLock(state, owner, clock.now())
    try:
        return _open_writing(state, clock, owner, hospital_code, lock, past=past)
    except BaseException:
        lock.release()
        raise


def _make_folder(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = state / FILE_NAME
        if not file.exists():
            # Personal data: nobody but the owner reads it. WAL files inherit the mode.
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise unusable(state, error, "写") from error


def _open_writing(
    state: Path,
    clock: Clock,
    owner: str,
    hospital_code: str | None,
    lock: StateLock,
    *,
    past: bool,
) -> Store:
    engine = writing_engine(state / FILE_NAME)
    with _readable(state):
        before = bring_up(engine, state)
        now = clock.now()
        with engine.begin() as conn:
            _refuse_other_use(conn, state, past=past)
            if past:
                history.seal(conn)
            code = _claim_identity(conn, hospital_code, now)
            went_back = _went_back(conn, now)
            epoch = _take_lease(conn, owner, now)
            orphans = outbox.orphans_to_unknown(conn, now=now, epoch=epoch)
            if before != HEAD:
                act = "store.created" if before is None else "store.migrated"
                audit.add(conn, now, owner, act, "store", detail={"from": before, "to": HEAD})
            audit.add(
                conn,
                now,
                owner,
                "store.opened",
                "store",
                detail={"epoch": epoch, "unknown": orphans},
            )
            if went_back:
                clock_notes.note(conn, clock_notes.OWN, ours=now, theirs=now + went_back)
                detail = {"seconds": int(went_back.total_seconds())}
                audit.add(conn, now, owner, "store.clock_back", "store", detail=detail)
            worklist.settle(conn)

    def guard(conn: Connection) -> None:
        if conn.exec_driver_sql(_EPOCH).scalar() != epoch:
            raise outbox.StaleOwner()

    return Store(
        state,
        clock,
        reader=reading_engine(state / FILE_NAME),
        writer=Writer(engine, guard, worklist.settle),
        lock=lock,
        epoch=epoch,
        hospital_code=code,
        went_back=went_back,
    )


def _open_reading(state: Path, clock: Clock, hospital_code: str | None, *, past: bool) -> Store:
    file = state / FILE_NAME
    try:
        present = file.is_file() and file.stat().st_size > 0
    except OSError as error:
        raise unusable(state, error, "读") from error
    if not present:
        raise ConfigError(
            f"目录 {state} 里没有数据库；先运行 dipgate init 建立状态目录", path=str(state)
        )
    engine = reading_engine(file)
    with _readable(state), engine.connect() as conn:
        found = revision_of(conn)
        refuse_newer(found)
        if found != HEAD:
            raise ConfigError(
                "数据库结构是旧版本；先用 dipgate init 打开一次以升级", path=str(file)
            )
        _refuse_other_use(conn, state, past=past)
        code = str(conn.execute(select(identity.c.hospital_code)).scalar_one())
        _refuse_other_hospital(code, hospital_code)
        epoch = int(conn.execute(select(lease.c.epoch)).scalar_one())
    return Store(
        state, clock, reader=engine, writer=None, lock=None, epoch=epoch, hospital_code=code
    )


@contextmanager
def _readable(state: Path) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        known = translated(error)
        if known is None:
            raise
        raise known from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.DatabaseError):
            raise ConfigError(
                "数据库文件已损坏或不是数据库；请用 dipgate restore 从备份恢复",
                path=str(state / FILE_NAME),
            ) from error
        raise


def _claim_identity(conn: Connection, hospital_code: str | None, now: datetime) -> str:
    row = conn.execute(select(identity)).first()
    if row is None:
        conn.execute(
            insert(identity).values(
                id=1, hospital_code=hospital_code or "", restore_epoch=0, created_at=now
            )
        )
        return hospital_code or ""
    found = str(row.hospital_code)
    _refuse_other_hospital(found, hospital_code)
    if hospital_code and not found:
        conn.execute(update(identity).values(hospital_code=hospital_code))
        return hospital_code
    return found


def _refuse_other_use(conn: Connection, state: Path, *, past: bool) -> None:
    """Past months are never worked on or sent as live lists, nor the other way round."""
    if history.is_history(conn) and not past:
        raise ConfigError(
            f"{state} 里是历史数据，只由 dipgate intake --history 读写，不能放行或上传；"
            "状态目录是它的上一级",
            path=str(state),
        )


def _refuse_other_hospital(found: str, wanted: str | None) -> None:
    if wanted and found and wanted != found:
        raise ConfigError(
            f"状态目录属于定点医药机构 {found}，站点文件写的是 {wanted}；"
            "一个状态目录只能用于一家机构，请另建目录",
            path="hospital.code",
        )


def _went_back(conn: Connection, now: datetime) -> timedelta:
    """How far the clock is behind the last opening or act; nothing within a few seconds."""
    opened = select(func.max(lease.c.opened_at, type_=lease.c.opened_at.type))
    newest = select(tables.audit.c.at).order_by(tables.audit.c.seq.desc()).limit(1)
    known = [at for query in (opened, newest) if (at := conn.execute(query).scalar()) is not None]
    behind = max(known) - now if known else timedelta(0)
    return behind if behind > BACK else timedelta(0)


def _take_lease(conn: Connection, owner: str, now: datetime) -> int:
    return int(
        conn.execute(
            text(
                "INSERT INTO lease (id, epoch, owner, opened_at) VALUES (1, 1, :owner, :at)"
                " ON CONFLICT (id) DO UPDATE SET epoch = lease.epoch + 1, owner = excluded.owner,"
                " opened_at = excluded.opened_at RETURNING epoch"
            ).bindparams(owner=owner, at=moment_text(now)),
        ).scalar_one()
    )
