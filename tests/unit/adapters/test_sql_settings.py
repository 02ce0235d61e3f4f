"""What `config check` says of servers: sections that a kind needs, drivers, servers away."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
[[sources]]
name = "his"
kind = "postgresql"
charset = "utf-8"
edition = "nhsa"

[sources.server]
host = "127.0.0.1"
port = 1
database = "his"
user = "reader"

[sources.tables.settlement]
object = "v_settlement"
key = "k"

[sources.tables.settlement.columns]
setl_id = "id"
"""
SERVER = SOURCE[SOURCE.index("[sources.server]") : SOURCE.index("[sources.tables.settlement]")]
Cli = Callable[..., Any]


def said_of(sample_state: Path, cli: Cli, text: str) -> Any:
    file = sample_state / "site.toml"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
    return cli("config", "check", "--state", sample_state)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SOURCE.replace(SERVER, ""), "[问题] 来源 his 的种类是 postgresql，要有 [sources.server]"),
        (
            SOURCE.replace(SERVER, "").replace('"postgresql"', '"csv"'),
            "[问题] 来源 his 的种类是 csv，要写 path：文件夹",
        ),
        (
            SOURCE.replace(SERVER, "").replace('"postgresql"', '"sqlite"'),
            "[问题] 来源 his 的种类是 sqlite，要写 path：数据库文件",
        ),
        (SOURCE.replace('"postgresql"', '"csv"'), "[问题] 来源 his 的种类是 csv，不连服务器"),
    ],
)
def test_each_kind_says_where_it_reads(sample_state: Path, cli: Cli, text: str, says: str) -> None:
    said = said_of(sample_state, cli, text)
    assert said.code == 1
    assert says in said.out


def test_a_server_that_does_not_answer_is_a_hint(sample_state: Path, cli: Cli) -> None:
    said = said_of(sample_state, cli, SOURCE)
    assert said.code == 0, said.out
    assert "[提示] 连不上 PostgreSQL 127.0.0.1:1" in said.out


def test_a_missing_driver_is_a_hint_with_its_files(
    sample_state: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else of the site is looked at all the same."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = said_of(sample_state, cli, SOURCE)
    assert said.code == 0, said.out
    assert "psycopg-*-py3-none-any.whl 和 psycopg_binary-*-cp3" in said.out
    assert "--no-index" in said.out
