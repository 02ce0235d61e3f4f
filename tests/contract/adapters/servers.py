"""The live database servers of the tests: where they are, and what is made there and dropped."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dipgate.core.record import ServerSpec, SourceSpec, TableMap

KEY = "住院流水号"
CHANGED = "更新序号"
POSTGRES = "DIPGATE_TEST_POSTGRES"
MARIADB = "DIPGATE_TEST_MARIADB"
DEFAULTS = {
    POSTGRES: "postgresql://postgres@127.0.0.1:5432/test",
    MARIADB: "mysql://root@127.0.0.1:3306/test",
}
MADE: list[tuple[str, str]] = []
"""(variable, database) made by this process; dropped at its end."""


def address(variable: str) -> dict[str, Any]:
    """Host, port, user, password and database of a test server."""
    parts = urlsplit(os.environ.get(variable) or DEFAULTS[variable])
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.lstrip("/") or "test",
    }


def connect(variable: str, database: str = "") -> Any:
    """An administrator's connection; skips the test, with a remedy, where no server answers."""
    where = address(variable)
    name = database or where["database"]
    try:
        if variable == POSTGRES:
            import psycopg

            return psycopg.connect(
                host=where["host"],
                port=where["port"],
                user=where["user"],
                password=where["password"] or None,
                dbname=name,
                connect_timeout=5,
                autocommit=True,
                client_encoding="UTF8",
            )
        import pymysql

        return pymysql.connect(
            host=where["host"],
            port=where["port"],
            user=where["user"],
            password=where["password"],
            database=name,
            charset="utf8mb4",
            connect_timeout=5,
            autocommit=True,
        )
    except Exception as error:
        pytest.skip(
            f"no database server ({type(error).__name__}): start one and name it in {variable}, "
            f"for example {DEFAULTS[variable]}"
        )


def make_database(variable: str, encoding: str = "") -> str:
    """A new empty database; `encoding` SQL_ASCII or latin1 keeps whatever bytes it is given."""
    name = f"dipgate_{uuid.uuid4().hex[:12]}"
    with closing(connect(variable)) as connection, closing(connection.cursor()) as cursor:
        if variable == POSTGRES:
            more = f" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            cursor.execute(f"CREATE DATABASE {name}" + (more if encoding else ""))
        else:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET {encoding or 'utf8mb4'}")
    MADE.append((variable, name))
    return name


def drop_databases() -> None:
    """Drop everything that was made."""
    while MADE:
        variable, name = MADE.pop()
        with closing(connect(variable)) as connection, closing(connection.cursor()) as cursor:
            force = " WITH (FORCE)" if variable == POSTGRES else ""
            cursor.execute(f"DROP DATABASE IF EXISTS {name}{force}")


def spec(
    kind: str, variable: str, database: str, charset: str, tables: Mapping[str, TableMap]
) -> SourceSpec:
    """A source on a test server."""
    where = address(variable)
    server = ServerSpec(where["host"], where["port"], database, where["user"])
    return SourceSpec("his", kind, charset, "", "nhsa", tables, server=server)


def view_map(table: str, headings: Sequence[str]) -> TableMap:
    """The map of a view that the builders make."""
    columns = {f"field{n}": name for n, name in enumerate(headings) if name != KEY}
    return TableMap(table, f"v_{table}", KEY, columns, watermark=CHANGED)
