"""Opening the database file: what is set at open is read back, and refused when different."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from dipgate.core.errors import ConfigError, DipgateError, RetryLater

FILE_NAME = "dipgate.sqlite"
PRAGMAS: tuple[tuple[str, str, object], ...] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("busy_timeout", "30000", 30000),
    ("trusted_schema", "OFF", 0),
)
"""name, value set, value that must be read back (security-and-faults.md section 2)."""
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)


class StoreUnavailable(ConfigError):
    """Nothing was stored: disk full, I/O error or a damaged file. Stop acknowledging."""


def writing_engine(file: Path) -> Engine:
    """One connection at a time, every transaction taken with BEGIN IMMEDIATE."""
    engine = create_engine(_url(file), poolclass=NullPool)
    _listen(engine, begin="BEGIN IMMEDIATE", prepare=set_pragmas)
    return engine


def reading_engine(file: Path) -> Engine:
    """Connections that refuse every write; each transaction sees one moment of the store."""
    engine = create_engine(_url(file), poolclass=QueuePool, pool_size=4, max_overflow=16)
    _listen(engine, begin="BEGIN", prepare=_set_reading)
    return engine


def set_pragmas(raw: sqlite3.Connection) -> None:
    """Set every pragma and read it back. Raises ConfigError when one did not take."""
    for name, value, expected in PRAGMAS:
        raw.execute(f"PRAGMA {name}={value}")
        found = raw.execute(f"PRAGMA {name}").fetchone()[0]
        if found != expected:
            raise ConfigError(
                f"数据库设置 {name} 没有生效（应为 {expected}，读回 {found}），拒绝启动；"
                "请把状态目录放在本机磁盘上",
                path=FILE_NAME,
            )
    raw.execute("PRAGMA temp_store=MEMORY")


def _set_reading(raw: sqlite3.Connection) -> None:
    for name, value, _ in PRAGMAS[2:]:
        raw.execute(f"PRAGMA {name}={value}")
    raw.execute("PRAGMA temp_store=MEMORY")
    raw.execute("PRAGMA query_only=ON")


def _url(file: Path) -> str:
    return f"sqlite:///{file}"


def _listen(engine: Engine, *, begin: str, prepare: Callable[[sqlite3.Connection], None]) -> None:
    def connected(raw: sqlite3.Connection, _record: object) -> None:
        # sqlite3 must not open transactions by itself: BEGIN is ours, savepoints included.
        raw.isolation_level = None
        prepare(raw)

    def begun(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def translated(error: OperationalError) -> DipgateError | None:
    """A driver's error in our kinds; None when it is a mistake of ours and must surface."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RetryLater("数据库正忙，没有写入；稍后重试", after=1.0)
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable("磁盘已满，没有写入；请清理状态目录所在磁盘", path=FILE_NAME)
    if code in _BROKEN:
        name = getattr(error.orig, "sqlite_errorname", "")
        return StoreUnavailable(
            f"数据库文件读写失败（{name}），没有写入；请检查磁盘和权限", path=FILE_NAME
        )
    return None


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut; nothing to do on Windows."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(file: Path) -> None:
    """Flush a finished file to the disk."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
