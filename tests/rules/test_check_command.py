"""`dipgate check` and `dipgate rules`, from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.rules import base_case

Cli = Callable[..., Any]


def write(path: Path, *cases: dict[str, Any] | str) -> Path:
    lines = [case if isinstance(case, str) else json.dumps(case) for case in cases]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def case(**info: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base_case().as_json())
    found["setlinfo"].update(info)
    return found


def findings(out: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_good_case_without_any_state(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case())
    said = cli("check", file, "--json")
    assert (said.code, said.out, said.err) == (0, "", "")
    said = cli("check", file, "--json", "--all")
    assert said.code == 0
    assert {each["status"] for each in findings(said.out)} == {"not_checked"}
    assert {"D001", "P001", "D031"} <= {each["rule"] for each in findings(said.out)}


def test_findings_have_the_promised_keys(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case(bill_no="", setl_id="S-1"))
    said = cli("check", file, "--json")
    assert said.code == 1
    (finding,) = findings(said.out)
    assert set(finding) == {
        "case", "rule", "severity", "status", "field", "value", "message", "remedy", "clause",
    }  # fmt: skip
    assert finding["case"] == "S-1"
    assert (finding["rule"], finding["severity"]) == ("B039", "error")
    assert (finding["status"], finding["field"]) == ("found", "setlinfo.bill_no")


def test_a_case_without_an_id_is_named_by_its_line(tmp_path: Path, cli: Cli) -> None:
    first = case()
    second = case(bill_no="")
    del second["setlinfo"]["setl_id"]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([first, second]), encoding="utf-8")
    said = cli("check", file, "--json")
    assert {each["case"] for each in findings(said.out)} == {"2"}


def test_a_broken_line_is_set_aside_and_the_rest_goes_on(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", "{broken", case(gend="5"), '{"diseinfo": []}')
    said = cli("check", file, "--json")
    assert said.code == 2
    assert [each["rule"] for each in findings(said.out)] == ["B005"]
    assert "cases.jsonl 第1行" in said.err
    assert "处理：" in said.err
    assert "第3行" in said.err
    assert "setlinfo" in said.err


@pytest.mark.parametrize("content", [b"", b"\xff\xfe{}", b"[1,2", "病例".encode("gb18030"), b"[]"])
def test_an_unusable_file_is_said_so(tmp_path: Path, cli: Cli, content: bytes) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(content)
    said = cli("check", file, "--json")
    assert said.code == 2
    assert said.out == ""


def test_a_missing_file_or_wrong_option(tmp_path: Path, cli: Cli) -> None:
    assert cli("check", tmp_path / "none.jsonl").code == 2
    file = write(tmp_path / "cases.jsonl", case())
    said = cli("check", file, "--pack", "bsae")
    assert said.code == 2
    assert "base" in said.err
    said = cli("check", file, "--date", "2025-13-01")
    assert said.code == 2
    assert "--date" in said.err
    said = cli("check", file, "--state", tmp_path / "nowhere")
    assert said.code == 2
    assert "dipgate init" in said.err


def test_only_the_named_packs_run(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case(bill_no=""))
    said = cli("check", file, "--json", "--all", "--pack", "dip-3.0")
    assert said.code == 0
    assert {each["rule"] for each in findings(said.out)} == {"D031"}


def test_the_date_decides_which_rules_hold(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case(bill_no=""))
    before = cli("check", file, "--json", "--date", "2020-12-31")
    assert before.code == 1
    assert {each["rule"] for each in findings(before.out)} == {"U001"}
    after = cli("check", file, "--json", "--date", "2021-01-01")
    assert after.code == 1
    assert "U001" not in {each["rule"] for each in findings(after.out)}


def test_the_table_for_people(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case(bill_no="", setl_id="[b]S"))
    said = cli("check", file)
    assert said.code == 1
    assert "[b]S" in said.out
    assert "票据号码未填" in said.out
    assert "共 1 例，其中 1 例有错误；错误 1，警告 0，提示 0" in said.out
    assert "没能校验，不等于没有问题" in said.out


def test_with_the_sample_catalogues_codes_are_checked(
    tmp_path: Path, cli: Cli, sample_state: Path
) -> None:
    bad = case()
    bad["diseinfo"][0]["diag_code"] = "K35.301x999"
    bad["diseinfo"][1]["diag_name"] = "高血压病"
    file = write(tmp_path / "cases.jsonl", bad)
    said = cli("--state", sample_state, "check", file, "--json")
    assert said.code == 1
    rules = [each["rule"] for each in findings(said.out)]
    assert "D001" in rules
    assert "D002" in rules


def test_rules_list_and_show(cli: Cli) -> None:
    said = cli("rules", "list", "--pack", "base", "--json")
    assert said.code == 0
    listed = findings(said.out)
    assert len(listed) >= 100
    assert {"rule", "severity", "title", "fields", "clause", "parts"} <= set(listed[0])
    said = cli("rules", "list")
    assert "规则包 dip-3.0" in said.out
    said = cli("rules", "show", "p004")
    assert said.code == 0
    for words in ("P004", "repeats(oprn_oprt_code, began)", "反例", "依据"):
        assert words in said.out
    said = cli("rules", "show", "B057")
    assert "ORA-12899" in said.out
    said = cli("rules", "show", "P0004")
    assert said.code == 2
    assert "P004" in said.err


def test_a_settlement_that_stands_twice_is_checked_twice_and_told(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", case(), "", case(setl_id="S9"), case(bill_no=""))
    said = cli("check", file, "--json")
    assert said.code == 1
    assert len(findings(said.out)) == 1
    assert said.err.count("警告：") == 1
    assert "第1行和第4行的 setl_id 都是 SE202503080001" in said.err


def test_a_deeply_nested_line_is_set_aside(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "cases.jsonl", "[" * 100_000 + "]" * 100_000, case())
    said = cli("check", file)
    assert said.code == 2
    assert "第1" in said.err
    assert "Traceback" not in said.err
