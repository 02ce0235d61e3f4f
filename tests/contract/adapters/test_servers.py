"""What only database servers do: writes refused, views that hang, sessions, accounts, types."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from servers import (
    MARIADB,
    POSTGRES,
    connect,
    make_database,
    spec,
)

from dipgate.adapters import open_source
from dipgate.adapters.sql import ServerSource
from dipgate.adapters.sql_guard import execute
from dipgate.adapters.sql_kinds import BY_KIND
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.record import SourceSpec, TableMap
from dipgate.demo.export_layout import sources_toml
from dipgate.security.secret import Secret
from dipgate.service.clock import SystemClock

VARIABLES = {"postgresql": POSTGRES, "mariadb": MARIADB}
TABLE = TableMap("settlement", "v_settlement", "k", {"setl_id": "id", "note": "note"})
WRITES = (
    "INSERT INTO t VALUES ('9', '9', '9')",
    "UPDATE t SET note = 'x'",
    "DELETE FROM t",
    "DROP VIEW v_settlement",
    "CREATE TABLE planted (a integer)",
    "TRUNCATE TABLE t",
    "SELECT k FROM t FOR UPDATE",
)


@pytest.fixture(params=tuple(VARIABLES))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@contextmanager
def administrator(kind: str, found: SourceSpec) -> Iterator[Any]:
    """A cursor that may do anything where a source reads."""
    assert found.server is not None
    with closing(connect(VARIABLES[kind], found.server.database)) as connection:
        with closing(connection.cursor()) as cursor:
            if found.server.db_schema:
                cursor.execute(f"SET search_path TO {found.server.db_schema}")
            yield cursor


@cache
def database_of(kind: str) -> str:
    """One PostgreSQL database for all tests here, which take a schema each: they are made fast."""
    return make_database(VARIABLES[kind])


def prepared(kind: str, *statements: str) -> SourceSpec:
    """A table `t` (k, id, note) of two rows, a view over it, and more, in a place of its own."""
    if kind == "postgresql":
        found = spec(kind, POSTGRES, database_of(kind), "utf-8", {"settlement": TABLE})
        schema = f"s{uuid.uuid4().hex[:10]}"
        with administrator(kind, found) as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        assert found.server is not None
        found = replace(found, server=replace(found.server, db_schema=schema))
    else:
        found = spec(kind, MARIADB, make_database(MARIADB), "utf-8", {"settlement": TABLE})
    with administrator(kind, found) as cursor:
        cursor.execute("CREATE TABLE t (k varchar(20), id varchar(20), note varchar(100))")
        cursor.execute("INSERT INTO t VALUES ('1', 'S1', '一'), ('2', 'S2', '二')")
        cursor.execute("CREATE VIEW v_settlement AS SELECT k, id, note FROM t")
        for statement in statements:
            cursor.execute(statement)
    return found


def opened(found: SourceSpec) -> ServerSource:
    source = open_source(found)
    assert isinstance(source, ServerSource)
    return source


def count(kind: str, found: SourceSpec) -> int:
    with administrator(kind, found) as cursor:
        cursor.execute("SELECT COUNT(*) FROM t WHERE note IN ('一', '二')")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("statement", WRITES)
def test_planted_writes_do_not_reach_the_server(kind: str, statement: str) -> None:
    """First the list of statements; behind it, the read-only session."""
    found = prepared(kind)
    source = opened(found)
    with source._port() as port:
        with pytest.raises(ConfigError, match="许可表"):
            port.run(statement)
        with closing(port._connection.cursor()) as cursor:
            assert found.server is not None
            if found.server.db_schema:
                cursor.execute(f"SET search_path TO {found.server.db_schema}")
            with pytest.raises(source._driver.Error, match=r"(?i)read.only"):
                cursor.execute(statement)
    assert count(kind, found) == 2


@pytest.mark.parametrize("statement", WRITES)
def test_without_the_protections_the_writes_would_work(kind: str, statement: str) -> None:
    """The canary: the same statements, an unprotected session."""
    found = prepared(kind)
    with administrator(kind, found) as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "name",
    ['v"; DROP TABLE t; --', "v`; DROP TABLE t; --", "t; DELETE FROM t", "t FOR UPDATE"],
)
def test_a_name_never_becomes_a_statement(kind: str, name: str, sink: Any) -> None:
    found = prepared(kind)
    table = replace(TABLE, object_name=name)
    opened(replace(found, tables={"settlement": table})).read(sink, None)
    (aside,) = sink.rejected
    assert "没有名为" in aside.what
    assert count(kind, found) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; DROP TABLE t",
        'SELECT "a" FROM "t" INTO "x"',
        'SELECT "a" FROM "t" FOR UPDATE',
        'SELECT pg_sleep(1) FROM "t"',
        'SELECT "a" FROM "t" WHERE 1 = 1',
        'SELECT "a" FROM "t" /* x */',
        'SELECT "a" FROM "t" -- x',
        'SELECT "a FROM "t"',
        'SELECT * FROM "t"',
        'SELECT "a" FROM "t", "u"',
        'WITH x AS (DELETE FROM "t" RETURNING *) SELECT "a" FROM "x"',
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET statement_timeout = 0 ; DROP TABLE t",
        "COPY t TO PROGRAM 'x'",
        "",
    ],
)
def test_only_our_own_forms_pass(statement: str) -> None:
    with pytest.raises(ConfigError, match="许可表"):
        execute(BY_KIND["postgresql"], None, statement)


WRITING = {
    "postgresql": "CREATE FUNCTION noted() RETURNS text LANGUAGE plpgsql VOLATILE"
    " SET search_path FROM CURRENT AS"
    " 'BEGIN INSERT INTO log VALUES (1); RETURN ''x''; END'",
    "mariadb": "CREATE FUNCTION noted() RETURNS varchar(9) NOT DETERMINISTIC MODIFIES SQL DATA"
    " BEGIN INSERT INTO log VALUES (1); RETURN 'x'; END",
}


def test_a_view_that_writes_is_refused_and_said(kind: str, sink: Any) -> None:
    found = prepared(
        kind,
        "CREATE TABLE log (a integer)",
        WRITING[kind],
        "CREATE VIEW v_writes AS SELECT k, id, noted() AS note FROM t",
    )
    table = replace(TABLE, object_name="v_writes")
    source = opened(replace(found, tables={"settlement": table}))
    if kind == "postgresql":
        with pytest.raises(ConfigError, match="v_writes 想写数据库"):
            source.read(sink, None)
    else:
        # MariaDB does not even show such a view to a session that is read only.
        source.read(sink, None)
        assert "不调用会写库的函数" in sink.rejected[0].remedy
    assert sink.rows == []
    with administrator(kind, found) as cursor:
        cursor.execute("SELECT COUNT(*) FROM log")
        assert cursor.fetchone()[0] == 0
        cursor.execute("SELECT note FROM v_writes")
        cursor.fetchall()
        cursor.execute("SELECT COUNT(*) FROM log")
        assert cursor.fetchone()[0] == 2, "without the protection the view writes"


def test_select_into_makes_no_table() -> None:
    found = prepared("postgresql")
    source = opened(found)
    assert found.server is not None
    statement = f"SELECT k INTO planted FROM {found.server.db_schema}.t"  # noqa: S608
    with source._port() as port:
        with pytest.raises(ConfigError, match="许可表"):
            port.run(statement)
        with closing(port._connection.cursor()) as cursor:
            with pytest.raises(source._driver.Error, match="read-only"):
                cursor.execute(statement)
    with administrator("postgresql", found) as cursor:
        cursor.execute(statement)
        cursor.execute("SELECT COUNT(*) FROM planted")
        assert cursor.fetchone()[0] == 2, "without the protection the table is made"


SLOW = {
    "postgresql": "CREATE VIEW v_slow AS SELECT k, id, note FROM t, pg_sleep(30)",
    "mariadb": "CREATE VIEW v_slow AS SELECT k, id, CONCAT(note, SLEEP(30)) AS note FROM t",
}


def test_a_view_that_hangs_is_cut_off_and_read_later(kind: str, sink: Any) -> None:
    found = prepared(kind, SLOW[kind])
    table = replace(TABLE, object_name="v_slow")
    limits = replace(found.limits, statement_seconds=0.5)
    source = opened(replace(found, tables={"settlement": table}, limits=limits))
    with pytest.raises(RetryLater, match=r"v_slow 超过 0\.5 秒") as caught:
        source.read(sink, None)
    assert caught.value.after
    assert sink.rows == []


def test_one_session_at_a_time_and_none_left_behind(kind: str, sink: Any) -> None:
    found = prepared(kind)
    assert found.server is not None
    database = found.server.database
    sessions = {
        "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'dipgate'"
        " AND datname = %s",
        "mariadb": "SELECT COUNT(*) - 1 FROM information_schema.processlist WHERE db = %s",
    }[kind]
    source = opened(found)
    with administrator(kind, found) as cursor:
        with source._port():
            cursor.execute(sessions, (database,))
            assert cursor.fetchone()[0] == 1
        source.read(sink, None)
        done = threading.Event()
        for _ in range(50):
            cursor.execute(sessions, (database,))
            if cursor.fetchone()[0] == 0:
                break
            done.wait(0.05)
        else:
            pytest.fail("a session was left behind")


def test_a_server_that_is_not_there_is_asked_again_later(kind: str) -> None:
    found = prepared(kind)
    assert found.server is not None
    server = replace(found.server, port=1)
    with pytest.raises(RetryLater, match="连不上"):
        opened(replace(found, server=server)).look(1)


def test_a_wrong_account_is_a_setting_not_an_outage(kind: str) -> None:
    found = prepared(kind)
    assert found.server is not None
    server = replace(found.server, user="dipgate_nobody")
    secret = Secret("wrong-word-4711")
    with pytest.raises(ConfigError) as caught:
        open_source(replace(found, server=server), secret).look(1)
    assert "dipgate_nobody" in str(caught.value)
    assert "4711" not in str(caught.value) + repr(caught.value)


def test_rights_to_write_are_named(kind: str, sample_state: Path, cli: Any) -> None:
    """The tests' own account may write, and is told so; a reader's account should not."""
    found = prepared(kind)
    assert {"INSERT", "UPDATE", "DELETE", "CREATE"} <= set(opened(found).rights())
    site = sample_state / "site.toml"
    part = sources_toml([found]).replace('path = ""\n', "")
    site.write_text(site.read_text("utf-8") + part, encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 0, said.out
    assert "能写库（" in said.out
    assert "INSERT" in said.out


TYPES = {
    "postgresql": "CREATE VIEW v_types AS SELECT '1'::varchar AS k, 12345678901234567890::numeric"
    " AS a, 0.10::numeric(9,2) AS b, 0.1::double precision AS c, true AS d, DATE '2025-03-01' AS e,"
    " TIMESTAMP '2025-03-01 08:09:10.5' AS f, TIMESTAMPTZ '2025-03-01 00:00:00+00' AS g,"
    " NULL::text AS h, TIME '08:09' AS i, 'ab '::char(4) AS j, '0001'::text AS l",
    "mariadb": "CREATE VIEW v_types AS SELECT '1' AS k, CAST('12345678901234567890' AS DECIMAL(20))"
    " AS a, CAST(0.10 AS DECIMAL(9,2)) AS b, CAST(0.1 AS DOUBLE) AS c, TRUE AS d, DATE '2025-03-01'"
    " AS e, TIMESTAMP '2025-03-01 08:09:10.5' AS f, TIMESTAMP '2025-03-01 08:00:00' AS g,"
    " NULL AS h, TIME '08:09:00' AS i, 'ab' AS j, '0001' AS l",
}


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_every_type_becomes_its_exact_text(kind: str, charset: str, sink: Any) -> None:
    found = prepared(kind, TYPES[kind])
    columns = {f"f_{name}": name for name in "abcdefghijl"}
    table = TableMap("settlement", "v_types", "k", columns)
    opened(replace(found, charset=charset, tables={"settlement": table})).read(sink, None)
    (row,) = sink.rows
    assert sink.rejected == []
    values = {name: value.rstrip() for name, value in row.values.items()}
    assert values == {
        "k": "1",
        "a": "12345678901234567890",
        "b": "0.10",
        "c": "0.1",
        "d": "1",
        "e": "2025-03-01",
        "f": "2025-03-01 08:09:10.500000",
        "g": "2025-03-01 08:00:00",
        "h": "",
        "i": "08:09:00",
        "j": "ab",
        "l": "0001",
    }


MARKS = {
    "timestamp": ("timestamp(6)", "2025-03-01 08:00:00.{:06d}"),
    "text": ("varchar(30)", "2025-03-01 {:08d}"),
    "numeric": ("numeric(20)", "{}"),
}


@pytest.mark.parametrize("form", MARKS)
def test_more_rows_than_a_page_share_one_watermark(kind: str, form: str, sink: Any) -> None:
    """6,000 rows of one moment, then 10 of the next: each once, and none again later."""
    column, text = MARKS[form]
    found = prepared(kind, f"CREATE TABLE m (k varchar(20), id varchar(20), wm {column})")
    with administrator(kind, found) as cursor:
        values = [(str(n), f"S{n}", text.format(1 if n < 6000 else 2)) for n in range(6010)]
        cursor.executemany("INSERT INTO m VALUES (%s, %s, %s)", values)
    table = TableMap("settlement", "m", "k", {"setl_id": "id"}, watermark="wm")
    source = opened(replace(found, tables={"settlement": table}))
    source.read(sink, None)
    assert len(sink.rows) == 6010
    assert len({row.key for row in sink.rows}) == 6010
    again = type(sink)()
    source.read(again, sink.watermark)
    assert again.rows == []
    with administrator(kind, found) as cursor:
        cursor.execute("INSERT INTO m VALUES ('late', 'SL', %s)", (text.format(3),))
    source.read(again, sink.watermark)
    assert [row.key for row in again.rows] == ["late"]


def test_a_look_keeps_nothing_and_shows_types(kind: str) -> None:
    (seen,) = opened(prepared(kind)).look(1)
    assert [column.name for column in seen.columns] == ["k", "id", "note"]
    assert [column.width for column in seen.columns] == [20, 20, 100]
    assert len(seen.rows) == 1


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
@pytest.mark.parametrize("zone", ["+00:00", "+08:00", "-05:00"])
def test_the_servers_clock_is_told_whatever_its_zone(
    kind: str, charset: str, zone: str, sink: Any
) -> None:
    server = BY_KIND[kind]
    sign = 1 if zone[0] == "+" else -1
    zones = {
        "postgresql": f"SET TIME ZONE {sign * int(zone[1:3])}",
        "mariadb": f"SET SESSION time_zone = '{zone}'",
    }
    moved = replace(server, session=(*server.session, zones[kind]))
    found = replace(prepared(kind), charset=charset)
    report = ServerSource(moved, found, None).read(sink, None)
    assert report.server_time is not None
    assert report.server_time.tzinfo is not None
    assert abs((report.server_time - SystemClock().now()).total_seconds()) < 60


def test_a_percent_sign_in_a_name_is_no_parameter(kind: str, sink: Any) -> None:
    found = prepared(kind)
    assert found.server is not None
    name = BY_KIND[kind].quoted("占比%s")
    with administrator(kind, found) as cursor:
        cursor.execute(f"CREATE TABLE p (k varchar(20), {name} varchar(20), wm integer)")
        cursor.execute("INSERT INTO p VALUES ('1', '12%%', 1), ('2', '50%%', 2)")
    table = TableMap("settlement", "p", "k", {"setl_id": "占比%s"}, watermark="wm")
    source = opened(replace(found, tables={"settlement": table}))
    source.read(sink, None)
    assert len(sink.rows) == 2
    again = type(sink)()
    source.read(again, sink.watermark)
    assert again.rows == []


def test_bytes_that_are_not_utf_8_name_the_charset(sink: Any) -> None:
    """A database that keeps any bytes, declared as UTF-8 by mistake."""
    found = spec(
        "postgresql", POSTGRES, make_database(POSTGRES, "SQL_ASCII"), "utf-8", {"settlement": TABLE}
    )
    with administrator("postgresql", found) as cursor:
        cursor.execute("SET client_encoding TO 'SQL_ASCII'")
        cursor.execute("CREATE TABLE v_settlement (k text, id text, note text)")
        cursor.execute(
            "INSERT INTO v_settlement VALUES ('1', 'S1', convert_from('\\xd6d0', 'SQL_ASCII'))"
        )
    with pytest.raises(ConfigError, match="字符集") as caught:
        opened(found).read(sink, None)
    assert caught.value.path.endswith(".charset")
