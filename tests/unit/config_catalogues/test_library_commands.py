"""`dipgate library import|list|check|diff`: what they print and how they end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NATIONAL3 = Path(__file__).parents[2] / "data" / "national3"
HEAD = "病种编码,病种类型,诊断代码,诊断名称,分值,次均费用,主要手术操作代码"
Table = Callable[..., Path]
Cli = Callable[..., Any]


@pytest.fixture
def put(state: Path, table: Table, cli: Cli) -> Cli:
    """`put("2025", row, …)`: a version of 某市, from the first day of that year."""

    def run(version: str, *rows: str) -> Any:
        options = ("--name", "某市", "--version", version, "--from", f"{version}-01-01")
        return cli(
            "library", "import", "--state", state, *options, table(f"{version}.csv", HEAD, *rows)
        )

    return run


# --- import and list -----------------------------------------------------------------------


def test_parts_and_several_files(state: Path, cli: Cli) -> None:
    said = cli(
        "library", "import", "--state", state, "--name", "国家", "--version", "3.0",
        "--from", "2026-01-01", "--partial",
        "--part", f"ops-not-main={NATIONAL3 / 'parts/ops-not-main.csv'}",
        "--part", f"tb-resistant={NATIONAL3 / 'parts/tb-resistant.csv'}",
        NATIONAL3 / "library.csv", NATIONAL3 / "comprehensive.csv",
    )  # fmt: skip
    assert said.code == 0
    assert "已导入 国家@3.0：87 行" in said.out
    assert "附表：ops-not-main 8，tb-resistant 3" in said.out
    assert "注意：节选：序号有15处间断" in said.err
    (line,) = cli("library", "list", "--state", state, "--json").out.splitlines()
    parts = json.loads(line)["parts"]
    assert {kind: part["rows"] for kind, part in parts.items()} == {
        "ops-not-main": 8,
        "tb-resistant": 3,
    }
    assert parts["tb-resistant"]["source_file"] == "tb-resistant.csv"
    assert "附表 ops-not-main、tb-resistant" in cli("library", "list", "--state", state).out


def test_json_of_an_import_has_the_parts(state: Path, table: Table, cli: Cli) -> None:
    cci = table("cci.csv", "code,weight", "I50.900,1")
    said = cli(
        "library", "import", "--state", state, "--name", "某市", "--version", "1", "--json",
        "--from", "2025-01-01", "--part", f"cci={cci}", table("甲.csv", HEAD, "1,核心,K80,,1,,"),
    )  # fmt: skip
    assert json.loads(said.out)["parts"] == {"cci": 1}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("cci",), "“cci”应写成 种类=文件"),
        (("=甲.csv",), "“=甲.csv”应写成 种类=文件"),
        (("cci=甲.csv", "cci=乙.csv"), "附表 cci 给了两次"),
        (("fees=甲.csv",), "没有“fees”这种附表；可用：dx-excluded"),
        (("cci=没有的.csv",), "没有文件"),
    ],
)
def test_a_bad_part_option(
    parts: tuple[str, ...], said: str, state: Path, table: Table, cli: Cli
) -> None:
    options = [word for part in parts for word in ("--part", part)]
    found = cli(
        "library", "import", "--state", state, "--name", "某市", "--version", "1",
        "--from", "2025-01-01", *options, table("甲.csv", HEAD, "1,核心,K80,,1,,"),
    )  # fmt: skip
    assert found.code == 2
    assert said in found.err
    assert "还没有导入任何 DIP 目录" in cli("library", "list", "--state", state).out


# --- check ---------------------------------------------------------------------------------


def test_check(state: Path, put: Cli, cli: Cli, table: Table) -> None:
    icd10 = table("icd10.csv", "code,name", "K80.100,胆囊结石")
    cli(
        "catalogue", "import", "--state", state, "--kind", "icd10", "--version", "2.0",
        "--from", "2024-01-01", icd10,
    )  # fmt: skip
    put("2025", "1,核心,K80.1,结石,1000,5000,", "2,核心,K81.0,炎,400,2000,")
    said = cli("library", "check", "--state", state, "某市@2025")
    assert said.code == 0
    assert "某市@2025：DIP 2.0，2 行" in said.out
    assert "推出的地区平均费用 M = 5000 元" in said.out
    assert "警告：诊断不在 icd10 目录里的病种：1 处\n    第3行 2：诊断 K81.0" in said.out
    assert "没有导入 icd9cm3 目录，没有核对手术操作编码" in said.out
    assert said.out.endswith("没有错误\n")


def test_check_as_json(state: Path, put: Cli, cli: Cli) -> None:
    put("2025", "1,核心,K80.1,结石,1000,5000,", "2,核心,K81.0,炎,,2000,")
    assert cli("library", "check", "--state", state, "某市").code == 2
    put("2025", "1,核心,K80.1,结石,1000,5000,", "2,核心,K81.0,炎,400,,")
    found = json.loads(cli("library", "check", "--state", state, "某市", "--json").out)
    assert (found["label"], found["rows"], found["mean"], found["errors"]) == (
        "某市@2025", 2, "5000", 0,
    )  # fmt: skip
    (fees,) = (remark for remark in found["remarks"] if remark["kind"] == "fees")
    assert (fees["level"], fees["count"], fees["rows"]) == ("warning", 1, ["第3行 2"])


def test_check_ends_with_one_when_there_are_errors(
    state: Path, put: Cli, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of before such rows were refused; here the refusal is switched off."""
    monkeypatch.setattr("dipgate.config.library_reading.key_of_row", lambda value: (id(value),))
    put("2025", "1,核心,K80.1,结石,1000,5000,51.2300", "2,核心,K80.1,结石,900,4500,51.2300")
    said = cli("library", "check", "--state", state, "某市")
    assert said.code == 1
    assert "错误：诊断、手术操作和条件重复的病种：1 处\n    第3行 2：与 1 完全相同" in said.out
    assert "没有错误" not in said.out


def test_check_of_a_library_that_is_not_there(state: Path, cli: Cli) -> None:
    said = cli("library", "check", "--state", state, "某市@1")
    assert said.code == 2
    assert "没有导入 DIP 目录 某市" in said.err


# --- diff ----------------------------------------------------------------------------------


@pytest.fixture
def two(put: Cli) -> None:
    put("2024", "1,核心,K80.1,结石,1000,5000,51.2300", "2,核心,K81.0,炎,400,2000,",
        "3,核心,K85.0,胰腺炎,300,1500,")  # fmt: skip
    put("2025", "1,核心,K80.1,结石,1100,5500,51.2300", "2,核心,K81.0,炎,400,2000,",
        "4,核心,K86.0,慢胰,200,1000,")  # fmt: skip


@pytest.mark.usefixtures("two")
def test_diff_in_words(state: Path, cli: Cli) -> None:
    said = cli("library", "diff", "--state", state, "某市@2024", "某市@2025")
    assert said.code == 0
    assert said.out.splitlines() == [
        "变更 1（K80.1 结石）：分值 1000 → 1100（+10.00%）；平均费用 5000 → 5500（+10.00%）",
        "新增 4（K86.0 慢胰）：核心，无手术操作，分值 200",
        "取消 3（K85.0 胰腺炎）：核心，无手术操作，分值 300",
        "某市@2024（3 行）→ 某市@2025（3 行）：新增 1，取消 1，变更 1，不变 1",
        "变更的内容：分值 1，平均费用 1",
    ]
    counts = cli("library", "diff", "--state", state, "某市@2024", "某市@2025", "--counts")
    assert counts.out.splitlines() == said.out.splitlines()[-2:]


@pytest.mark.usefixtures("two")
def test_diff_as_json(state: Path, cli: Cli) -> None:
    said = cli("library", "diff", "--state", state, "某市@2024", "某市@2025", "--json")
    *lines, end = map(json.loads, said.out.splitlines())
    assert [(line["change"], line["group_code"]) for line in lines] == [
        ("changed", "1"),
        ("added", "4"),
        ("removed", "3"),
    ]
    assert lines[0]["fields"]["score"] == {"before": "1000", "after": "1100"}
    assert (end["added"], end["removed"], end["changed"], end["same"]) == (1, 1, 1, 1)
    assert end["fields"] == {"score": 1, "average_fee": 1}


@pytest.mark.usefixtures("two")
def test_diff_as_csv(state: Path, cli: Cli) -> None:
    said = cli("library", "diff", "--state", state, "某市@2024", "某市@2025", "--csv")
    lines = list(csv.DictReader(io.StringIO(said.out)))
    assert [(line["变更"], line["病种编码"], line["内容"], line["现值"]) for line in lines] == [
        ("变更", "1", "分值", "1100"),
        ("变更", "1", "平均费用", "5500"),
        ("新增", "4", "", ""),
        ("取消", "3", "", ""),
    ]
    assert "新增 1，取消 1，变更 1，不变 1" in said.err


@pytest.mark.usefixtures("two")
def test_diff_of_a_version_with_itself(state: Path, cli: Cli) -> None:
    said = cli("library", "diff", "--state", state, "某市@2024", "某市@2024")
    assert said.out == "某市@2024（3 行）→ 某市@2024（3 行）：新增 0，取消 0，变更 0，不变 3\n"


def test_parts_in_a_diff(state: Path, table: Table, cli: Cli) -> None:
    for version, weight in (("2024", "1"), ("2025", "2")):
        cci = table(f"cci{version}.csv", "code,weight", f"I50.900,{weight}")
        cli(
            "library", "import", "--state", state, "--name", "某市", "--version", version,
            "--from", f"{version}-01-01", "--part", f"cci={cci}",
            table("甲.csv", HEAD, "1,核心,K80,,1,,"),
        )  # fmt: skip
    said = cli("library", "diff", "--state", state, "某市@2024", "某市@2025")
    assert "附表 cci：1 条 → 1 条，新增 0，取消 0，变更 1" in said.out


def test_diff_in_one_form_only(state: Path, cli: Cli) -> None:
    said = cli("library", "diff", "--state", state, "甲@1", "乙@1", "--csv", "--json")
    assert said.code == 2
    assert "--csv 和 --json 只能选一个" in said.err
