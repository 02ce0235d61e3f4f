"""Bringing a database file to the schema of this program, by alembic, from package resources."""

from __future__ import annotations

import os
import pkgutil
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, Engine

from dipgate.core.errors import ConfigError
from dipgate.store.database import sync_file, sync_folder

HEAD = "0013"
"""The newest revision; a test compares it with the migration scripts."""
BACKUPS = "backups"


def revision_of(conn: Connection) -> str | None:
    """The revision a database stands at; None for an empty one."""
    known = conn.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    ).first()
    if known is None:
        return None
    row = conn.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def known() -> frozenset[str]:
    """Every revision that this program has a script for; their order is in the scripts alone."""
    found = pkgutil.iter_modules(import_module("dipgate.store.migrations.versions").__path__)
    return frozenset(item.name[1:5] for item in found)


def refuse_newer(found: str | None) -> None:
    """Raises ConfigError for a revision that this program does not know."""
    if found is not None and found not in known():
        raise ConfigError(
            f"数据库由更新版本的程序建立（结构 {found}，本程序到 {HEAD}）；请升级 dipgate",
            path="dipgate.sqlite",
        )


def bring_up(engine: Engine, state: Path) -> str | None:
    """Migrate to `HEAD` in one transaction; the revision before, None when the file was new.

    A database with content is first copied to `backups/before-<HEAD>.sqlite`.
    """
    with engine.connect() as conn:
        found = revision_of(conn)
    refuse_newer(found)
    if found == HEAD:
        return found
    if found is not None:
        file = Path(str(engine.url.database))
        vacuum_into(file, state / BACKUPS / f"before-{HEAD}.sqlite", replace=True)
    with engine.begin() as conn:
        upgrade(conn)
    return found


def upgrade(conn: Connection) -> None:
    """Run the migration scripts on an open transaction."""
    # alembic is imported only when there is something to migrate: it is slow to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "dipgate.store:migrations")
    config.attributes["connection"] = conn
    command.upgrade(config, HEAD)


def vacuum_into(source: Path, target: Path, *, replace: bool = False) -> None:
    """A compact, consistent copy of a live database, complete or not there at all."""
    if target.exists() and not replace:
        raise ConfigError(f"文件已存在：{target}；请换一个文件名", path=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600)
        with closing(sqlite3.connect(source, isolation_level=None, timeout=30)) as raw:
            raw.execute("PRAGMA trusted_schema=OFF")
            raw.execute("VACUUM INTO ?", (os.fspath(part),))
        sync_file(part)
        part.replace(target)
    except sqlite3.Error as error:
        raise ConfigError(
            f"不能复制数据库到 {target}（{error.sqlite_errorname}）；请检查磁盘空间和权限",
            path=str(target),
        ) from error
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
