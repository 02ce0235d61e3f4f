"""`dipgate why` as a person and as a script use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
GROUP = "K80.1:51.2300_54.5101"
POLICY = ("--policy", "sample_2025", "--level", "3")


def case(number: str, **info: str) -> dict[str, Any]:
    return {
        "setlinfo": {"setl_id": number, "setl_end_date": "2025-03-15", "hi_type": "310", **info},
        "diseinfo": [{"diag_code": "K80.101", "maindiag_flag": "1", "diag_type": "1"}],
        "oprninfo": [
            {"oprn_oprt_code": "51.2300", "oprn_oprt_type": "1"},
            {"oprn_oprt_code": "54.5101", "oprn_oprt_type": "2"},
        ],
        "iteminfo": [{"med_chrgitm": "01", "amt": "16000.00"}],
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "12000.00"}],
    }


@pytest.fixture
def ours(cli: Cli, sample_state: Path, tmp_path: Path) -> Callable[..., Any]:
    """`ours(*rows)` writes eight cases and the bureau's rows → what the command says."""

    def call(rows: list[dict[str, Any]], *more: str) -> Any:
        cases, theirs = tmp_path / "cases.jsonl", tmp_path / "theirs.jsonl"
        lines = [json.dumps(case(f"S{number}")) for number in range(1, len(rows) + 2)]
        cases.write_text("\n".join(lines), encoding="utf-8")
        whole = [
            {"setl_id": f"S{number}", "grp_stas": "1", "dip_dise_grp_code": GROUP} | row
            for number, row in enumerate(rows, start=1)
        ]
        theirs.write_text("\n".join(map(json.dumps, whole)), encoding="utf-8")
        return cli("why", cases, "--theirs", theirs, *POLICY, "--state", sample_state, *more)

    return call


BASE, SCORE, PAY = "2079.8362", "2163.0296", "13348.49"


def test_one_sentence_with_both_values_and_counts_with_money(ours: Callable[..., Any]) -> None:
    said = ours(
        [
            {"grp_dise_sco": BASE, "act_setl_sco": SCORE, "payable": PAY},
            {"grp_dise_sco": BASE, "act_setl_sco": "1913.4493"},
            {"grp_dise_sco": BASE, "act_setl_sco": SCORE, "payable": "13148.49"},
        ]
    )
    assert said.code == 0, said.err
    assert (
        "S2：机构系数不同：机构系数我方 1.04，平台 0.92（政策表 二级，2024-01-01 起）" in said.out
    )
    assert (
        "S3：审核扣减：应付（元）我方 13348.49，平台 13148.49（其余都一样，少付 200.00 元）"
        in said.out
    )
    assert "S4：平台还没给结果" in said.out
    assert "S1：" not in said.out
    assert "R_AUDIT 审核扣减 1 例，-200.00 元" in said.out
    assert "EQUAL 一致 1 例" in said.out


def test_json_names_every_cause(ours: Callable[..., Any]) -> None:
    said = ours([{"grp_dise_sco": BASE, "act_setl_sco": "2163.03"}], "--json")
    first, second = [json.loads(line) for line in said.out.splitlines()]
    assert first["reason"] == "R_ROUND"
    assert first["causes"][0]["theirs"] == "2 位，四舍五入"
    assert (first["our_score"], first["their_score"]) == (SCORE, "2163.03")
    assert first["our_fen"] == 1334849
    assert second["reason"] == "NOT_RETURNED"


def test_theirs_alone_is_told(ours: Callable[..., Any]) -> None:
    said = ours([{"setl_id": "ALIEN", "grp_dise_sco": BASE}])
    assert "ALIEN：平台有，我方没有" in said.out


def test_a_bad_row_is_set_aside_and_the_rest_compared(ours: Callable[..., Any]) -> None:
    said = ours([{"grp_dise_sco": "很多"}, {"grp_dise_sco": BASE, "act_setl_sco": SCORE}])
    assert said.code == 2
    assert "theirs.jsonl 第1行 字段 grp_dise_sco" in said.err
    assert "EQUAL 一致 1 例" in said.out


def test_a_chinese_table_in_gb18030(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    cases, theirs = tmp_path / "cases.jsonl", tmp_path / "局端.csv"
    cases.write_text(json.dumps(case("S1")), encoding="utf-8")
    theirs.write_bytes(f"结算ID,病种编码,病种分值\nS1,{GROUP},1975.84\n".encode("gb18030"))
    said = cli("why", cases, "--theirs", theirs, *POLICY, "--state", sample_state)
    assert said.code == 0, said.err
    assert f"病种分值我方 {BASE}，平台 1975.84" in said.out


def test_a_flat_table_of_cases_as_group_reads_it(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    cases, theirs = tmp_path / "cases.csv", tmp_path / "theirs.csv"
    cases.write_text(
        "结算ID,主要诊断,手术操作,总费用,统筹基金支付,医保类型,结算日期\n"
        "S1,K80.101,51.2300|54.5101,16000.00,12000.00,310,2025-03-15\n",
        encoding="utf-8",
    )
    theirs.write_text(f"结算ID,病种编码,结算分值\nS1,{GROUP},1913.4493\n", encoding="utf-8")
    said = cli("why", cases, "--theirs", theirs, *POLICY, "--state", sample_state)
    assert said.code == 0, said.err
    assert "机构系数我方 1.04，平台 0.92" in said.out


def test_a_row_of_theirs_that_cannot_be_read_is_no_missing_answer(ours: Callable[..., Any]) -> None:
    said = ours([{"grp_dise_sco": "not a number"}])
    assert said.code == 2
    assert "S1：平台的这一行读不出来" in said.out
    assert "S2：平台还没给结果" in said.out
    assert "UNREAD 平台的这一行读不出来 1 例" in said.out
    assert "NOT_RETURNED 平台还没给结果 1 例" in said.out


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (f"结算ID,应付金额\nS1,{PAY}\n", "EQUAL 一致 1 例"),
        (f"结算ID,结算分值\nS1,{SCORE}\n", "EQUAL 一致 1 例"),
        ("结算ID,结算分值\nS1,1913.4493\n", "S1：机构系数不同：机构系数我方 1.04，平台 0.92"),
        ("结算ID,应付金额\nS1,13148.49\n", "S1：审核扣减：应付（元）我方 13348.49"),
        ("结算ID\nS1\n", "S1：平台还没给结果"),
        ("结算ID,病种编码\nS1,\n", "S1：平台未入组"),
    ],
)
def test_what_a_statement_does_not_return_is_not_compared(
    cli: Cli, sample_state: Path, tmp_path: Path, table: str, says: str
) -> None:
    cases, theirs = tmp_path / "cases.jsonl", tmp_path / "theirs.csv"
    cases.write_text(json.dumps(case("S1")), encoding="utf-8")
    theirs.write_text(table, encoding="utf-8")
    said = cli("why", cases, "--theirs", theirs, *POLICY, "--state", sample_state)
    assert said.code == 0, said.err
    assert says in said.out


def test_a_case_that_the_platform_did_not_group_loses_all_its_money(
    ours: Callable[..., Any],
) -> None:
    said = ours([{"grp_stas": "0", "dip_dise_grp_code": ""}])
    assert "R_UNGROUPED 平台未入组 1 例，-13348.49 元" in said.out
