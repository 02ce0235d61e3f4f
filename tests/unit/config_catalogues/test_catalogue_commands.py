"""The commands `catalogue` and `library`: what they print and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Table = Callable[..., Path]
Cli = Callable[..., Any]


def test_import_then_list(state: Path, table: Table, cli: Cli) -> None:
    file = table("手术.csv", "code,name,category", "36.0700,支架,介入治疗", "51.2300,胆囊,手术")
    said = cli(
        "catalogue", "import", "--state", state, "--kind", "icd9cm3", "--version", "2.0",
        "--from", "2025-01-01", file,
    )  # fmt: skip
    assert said.code == 0
    assert "已导入 icd9cm3@2.0：2 行，2025-01-01 起用" in said.out
    assert "其中：介入治疗 1，手术 1" in said.out
    assert "SHA-256 " in said.out
    listed = cli("--state", state, "catalogue", "list")
    assert listed.code == 0
    assert "icd9cm3" in listed.out
    assert "手术.csv" in listed.out


def test_json_of_import_and_list(state: Path, table: Table, cli: Cli) -> None:
    file = table("映射.csv", "gl2_code,nhsa2_code", "A01.001,A01.000")
    options = ("--kind", "icd10-map", "--version", "1", "--from", "2025-01-01", "--json")
    said = cli("catalogue", "import", "--state", state, *options, "--layer", "hospital", file)
    report = json.loads(said.out)
    assert (report["label"], report["layer"], report["rows"]) == ("icd10-map@1", "hospital", 1)
    assert len(report["source_hash"]) == 64
    again = cli("catalogue", "import", "--state", state, *options, "--layer", "hospital", file)
    assert again.code == 2
    assert "重叠" in again.err
    replaced = cli(
        "catalogue", "import", "--state", state, *options, "--layer", "hospital", "--supersede",
        file,
    )  # fmt: skip
    assert json.loads(replaced.out)["superseded"] == ["1"]
    lines = cli("catalogue", "list", "--state", state, "--json", "--all").out.splitlines()
    assert {json.loads(line)["version"] for line in lines} == {"1", "1~1"}
    lines = cli("catalogue", "list", "--state", state, "--json").out.splitlines()
    assert [json.loads(line)["superseded_by"] for line in lines] == [""]


def test_library_import_and_list(state: Path, table: Table, cli: Cli) -> None:
    file = table("目录.csv", "病种编码,病种类型,诊断代码,分值", "1,核心,K80.1,100")
    options = ("--name", "某市", "--version", "2025", "--from", "2025-01-01")
    said = cli("library", "import", "--state", state, *options, "--partial", file)
    assert said.code == 0
    assert "已导入 某市@2025：1 行" in said.out
    (line,) = cli("library", "list", "--state", state, "--json").out.splitlines()
    listed = json.loads(line)
    assert (listed["name"], listed["edition"], listed["partial"]) == ("某市", "2.0", True)
    shown = cli("library", "list", "--state", state)
    assert "节选" in shown.out


def test_nothing_imported_yet(state: Path, cli: Cli) -> None:
    assert "还没有导入任何目录" in cli("catalogue", "list", "--state", state).out
    assert "还没有导入任何 DIP 目录" in cli("library", "list", "--state", state).out


@pytest.mark.parametrize("command", [("catalogue", "list"), ("library", "list")])
def test_a_mistyped_state_folder_is_not_created(
    command: tuple[str, str], tmp_path: Path, cli: Cli
) -> None:
    said = cli(*command, "--state", tmp_path / "错字")
    assert said.code == 2
    assert "没有状态目录" in said.err
    assert not (tmp_path / "错字").exists()


def test_bad_rows_and_bad_options_end_with_2(state: Path, table: Table, cli: Cli) -> None:
    file = table("诊断.csv", "code,name", "坏,某病")
    base = ("catalogue", "import", "--state", state, "--version", "1")
    said = cli(*base, "--kind", "icd10", "--from", "2025-01-01", file)
    assert said.code == 2
    assert "诊断.csv 第2行 字段 code：“坏”不是 ICD-10 代码；处理：" in said.err
    assert "Traceback" not in said.err
    said = cli(*base, "--kind", "icd10", "--from", "2025-13-01", file)
    assert said.code == 2
    assert "“2025-13-01”不是日期；写成 2025-01-01" in said.err
    said = cli(*base, "--kind", "icd10", "--from", "2025-01-01", file.with_name("无.csv"))
    assert said.code == 2
    assert "没有文件" in said.err
