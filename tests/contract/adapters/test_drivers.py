"""Servers that are not at hand: what is sent to a recording driver, in each of the three styles."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from dipgate.adapters import open_source
from dipgate.adapters.sql import ServerSource, wheel_names
from dipgate.adapters.sql_guard import is_allowed
from dipgate.adapters.sql_kinds import BY_KIND, KINDS
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.record import ServerSpec, SourceSpec, TableMap
from dipgate.security.secret import Secret

TABLE = TableMap("settlement", "V_结算", "K", {"setl_id": "ID"}, watermark="WM")


class Recorder:
    """A DB-API connection and cursor at once: notes statements, answers by what is asked."""

    class Error(Exception):
        pass

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.asked: dict[str, Any] = {}
        self.rows = rows
        self.fail = ""
        self.text = "VARCHAR2"
        self._answer: list[tuple[Any, ...]] = []

    def connect(self, **asked: Any) -> Recorder:
        self.asked = asked
        return self

    def cursor(self, name: str = "") -> Recorder:  # noqa: ARG002
        return self

    def execute(self, statement: str, parameters: Any = None) -> None:
        self.sent.append((statement, parameters))
        if self.fail and statement.startswith(self.fail):
            raise self.Error("ORA-03156: OCI call timed out timeout 超时 statement timeout")
        if "column_name" in statement:
            self._answer = [("K", self.text, 20), ("ID", self.text, 30), ("WM", "NUMBER", None)]
        elif statement.startswith("SELECT"):
            self._answer, self.rows = self.rows, []

    def fetchall(self) -> list[tuple[Any, ...]]:
        answer, self._answer = self._answer, []
        return answer

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:  # noqa: ARG002
        return self.fetchall()

    def commit(self) -> None:
        self.sent.append(("committed", None))

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def installed(monkeypatch: pytest.MonkeyPatch, kind: str, rows: list[tuple[Any, ...]]) -> Recorder:
    recorder = Recorder(rows)
    module = ModuleType(BY_KIND[kind].driver)
    module.__dict__.update(
        connect=recorder.connect, Error=Recorder.Error, DSQL_MODE_READ_ONLY="read-only"
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return recorder


def spec(kind: str, charset: str = "utf-8") -> SourceSpec:
    server = ServerSpec("10.0.0.9", 0, "his", "reader", db_schema="HIS")
    return SourceSpec("his", kind, charset, "", "nhsa", {"settlement": TABLE}, server=server)


REMOTE = [kind.kind for kind in KINDS if kind.kind not in ("postgresql", "mariadb", "mysql")]


@pytest.mark.parametrize("kind", REMOTE)
def test_rows_are_asked_for_in_the_style_of_the_driver(
    monkeypatch: pytest.MonkeyPatch, kind: str, sink: Any
) -> None:
    driver = installed(monkeypatch, kind, [])
    source = open_source(spec(kind), Secret("word"))
    source.read(sink, None)
    facts = BY_KIND[kind]
    assert driver.asked["port"] in (facts.port, str(facts.port))
    assert "word" in driver.asked.values()
    statements = [statement for statement, _ in driver.sent]
    # What holds for one transaction is said after the commit that ends the settings' own.
    first = (facts.session or ("committed", *facts.transaction))[0]
    assert statements[0] == first.format(seconds="60", milliseconds=60000)
    begun = statements.index("committed") + 1
    assert tuple(statements[begun : begun + len(facts.transaction)]) == facts.transaction
    left, right = facts.quotes
    assert f"FROM {left}HIS{right}.{left}V_结算{right}" in statements[-1]
    assert all(is_allowed(facts, item) for item in statements if item != "committed")
    catalogue = next(item for item in driver.sent if "column_name" in item[0])
    expected = {"p1": "HIS", "p2": "V_结算"} if facts.paramstyle == "named" else ("HIS", "V_结算")
    assert catalogue[1] == expected


@pytest.mark.parametrize("kind", REMOTE)
def test_the_bookmark_is_bound_not_written(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    driver = installed(monkeypatch, kind, [])
    source = open_source(spec(kind))
    assert isinstance(source, ServerSource)
    with source._port() as port:
        port.page(TABLE, ("K", "ID", "WM"), 77, 5)
    statement, parameters = driver.sent[-1]
    facts = BY_KIND[kind]
    assert f">= {facts.mark(1)}" in statement
    assert "77" not in statement
    assert parameters == ({"p1": 77} if facts.paramstyle == "named" else (77,))


@pytest.mark.parametrize("kind", REMOTE)
def test_stored_bytes_are_fetched_for_a_charset_of_the_sites_own(
    monkeypatch: pytest.MonkeyPatch, kind: str, sink: Any
) -> None:
    driver = installed(monkeypatch, kind, [])
    facts = BY_KIND[kind]
    driver.text = facts.text_types[0]
    open_source(spec(kind, "gb18030")).read(sink, None)
    wanted = facts.raw_text.format(column=facts.quoted("ID"))
    selects = [item for item, _ in driver.sent if item.startswith("SELECT") and "V_结算" in item]
    assert selects
    assert all(wanted in item for item in selects)


@pytest.mark.parametrize("kind", REMOTE)
def test_a_statement_that_runs_out_of_time_is_read_later(
    monkeypatch: pytest.MonkeyPatch, kind: str, sink: Any
) -> None:
    driver = installed(monkeypatch, kind, [])
    driver.fail = "SELECT"
    with pytest.raises(RetryLater) as caught:
        open_source(spec(kind)).read(sink, None)
    assert "ORA-03156" not in str(caught.value)


@pytest.mark.parametrize("kind", ["postgresql", "oracle", "sqlserver", "dm", "kingbase"])
def test_a_driver_that_is_not_installed_is_named_with_its_file(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, BY_KIND[kind].driver, None)
    with pytest.raises(ConfigError) as caught:
        open_source(spec(kind))
    said = str(caught.value)
    assert BY_KIND[kind].package in said
    assert all(name in said for name in wheel_names(BY_KIND[kind]))
    assert "--no-index" in said
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert tag in said


def test_a_server_section_is_needed() -> None:
    with pytest.raises(ConfigError, match="server"):
        open_source(replace(spec("postgresql"), server=None))


class Large:
    """A large object of Oracle's driver: read from a place, so many at most."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, offset: int, amount: int) -> str:
        return self.text[offset - 1 : offset - 1 + amount]


def test_a_large_object_is_read_as_far_as_a_cell_may_reach(
    monkeypatch: pytest.MonkeyPatch, sink: Any
) -> None:
    installed(monkeypatch, "oracle", [("1", Large("短")), ("2", Large("长" * (1 << 20)))])
    table = replace(TABLE, watermark="")
    open_source(replace(spec("oracle"), tables={"settlement": table})).read(sink, None)
    assert [row.values["ID"] for row in sink.rows] == ["短"]
    assert "超过 1 MB" in sink.rejected[0].what


def test_oracle_numbers_keep_their_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = installed(monkeypatch, "oracle", [])
    number = object()
    sys.modules["oracledb"].__dict__["DB_TYPE_NUMBER"] = number
    source = open_source(spec("oracle"))
    assert isinstance(source, ServerSource)

    class Cursor:
        arraysize = 7

        def var(self, kind: type, *, arraysize: int) -> tuple[type, int]:
            return kind, arraysize

    class Column:
        type_code = number

    class Other:
        type_code = object()

    with source._port():
        handler: Any = driver.__dict__["outputtypehandler"]
        assert handler(Cursor(), Column()) == (Decimal, 7)
        assert handler(Cursor(), Other()) is None
