"""`dipgate settle`: lines in, money out, one bad line holds nobody up."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

MONTH = {"pool": "职工", "month": "2025-03", "scores": [100.5, "200.25"], "point_value": 8.12}


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: object) -> Path:
        path = tmp_path / "lines.jsonl"
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return path

    return write


def test_a_month_by_the_national_text(cli: Callable[..., Any], lines: Callable[..., Path]) -> None:
    # (300.75 × 8.12 − 300) × 0.90 = 1927.881; deposit 5 % of 2142.09 (the cap of 2025)
    said = cli(
        "settle", lines(MONTH | {"self_pay": "300.00"}), "--policy", "national_2025", "--json"
    )
    assert said.code == 0
    found = json.loads(said.out)
    assert found["payable_fen"] == 192788
    assert found["deposit_fen"] == 10710
    assert found["inputs_used"] == ["scores", "point_value", "self_pay"]
    assert found["not_configured"] == []
    assert [step["step"] for step in found["steps"]][-3:] == ["payable", "deposit", "deposit"]


def test_a_setting_for_one_run(cli: Callable[..., Any], lines: Callable[..., Path]) -> None:
    path = lines(MONTH | {"self_pay": "300.00"})
    arguments = ("settle", path, "--policy", "national_2025", "--json")
    plain = json.loads(cli(*arguments).out)
    other = json.loads(cli(*arguments, "--set", "settlement.monthly.ratio=1").out)
    assert other["payable_fen"] == 214209
    assert other["policy"] != plain["policy"]
    none = json.loads(cli(*arguments, "--set", "settlement.monthly.ratio=null").out)
    assert none["payable_fen"] is None
    assert none["not_configured"] == ["settlement.monthly.ratio"]


def test_a_setting_replaces_words_by_a_section(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = {"pool": "职工", "year": "2025", "total_score": "1000", "point_value": "10"}
    sets = [
        "settlement.year_end.assess.applies_to=payable",
        "settlement.year_end.bands=n/a",
        "settlement.fund_ratio.职工=0.7",
    ]
    arguments = [item for text in sets for item in ("--set", text)]
    path = lines(line | {"assessment": "0.9"})
    said = cli("settle", path, "--policy", "national_2025", "--json", *arguments)
    assert json.loads(said.out)["payable_fen"] == 630000


def test_bad_lines_are_told_and_the_others_go_on(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    good = MONTH | {"self_pay": "300.00"}
    path = lines(
        "{not json", good, {"pool": "职工", "yaer": "2025"}, '{"pool": 1, "pool": 2}', good
    )
    said = cli("settle", path, "--policy", "national_2025", "--json")
    assert said.code == 2
    assert [json.loads(text)["line"] for text in said.out.splitlines()] == [2, 5]
    assert "第1行" in said.err
    assert "不是合法的 JSON" in said.err
    assert "year" in said.err
    assert "写了两次" in said.err


def test_a_stream_on_standard_input_and_words_for_people(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps({"pool": "居民", "month": "2025-03", "total_score": "1"}).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    said = cli("settle", "--policy", "jining_2023")
    assert said.code == 0
    assert "不能计算，缺少 3 项" in said.out
    assert "政策缺少参数 settlement.monthly.form" in said.out


def test_an_empty_file_is_not_taken_for_done(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    said = cli("settle", lines(""), "--policy", "national_2025")
    assert said.code == 2
    assert "没有读到" in said.err


def test_a_missing_file_and_a_missing_policy(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert cli("settle", tmp_path / "none.jsonl", "--policy", "national_2025").code == 2
    said = cli("settle", tmp_path / "none.jsonl", "--policy", "national_2052")
    assert "national_2025" in said.err


@pytest.mark.parametrize(
    "line",
    [
        '{"pool": "职工", "year": 2025, "total_score": NaN}',
        '{"pool": "职工", "year": 2025, "total_score": true}',
        '{"pool": "职工", "year": 2025, "total_score": "1e999999"}',
        '{"pool": "职工", "year": 2025, "total_score": "0e999999"}',
        '{"pool": "职工", "year": 2025, "scores": [null]}',
        '{"pool": "职工", "year": 2025, "scores": "abc"}',
        '{"pool": null, "month": "2025-01"}',
        '{"pool": "职工", "month": "2025-01", "score_parts": {"core": "x"}}',
        '{"pool": "职工", "month": "2025-01", "score_parts": {"core": 2, "audit": -1}}',
        '{"pool": "职工", "month": "2025-01", "scores": []}',
        '{"pool": "职工", "month": "2025-01", "point_value": 0}',
        '{"pool": "职工", "month": "2025-01", "pool_score": "0"}',
        "[1]",
        "[" * 100_000,
    ],
)
def test_no_line_can_end_the_run(
    cli: Callable[..., Any], lines: Callable[..., Path], line: str
) -> None:
    good = MONTH | {"self_pay": "300.00"}
    said = cli("settle", lines(line, good), "--policy", "national_2025", "--json")
    assert said.code == 2
    assert said.err.startswith("已搁置：")
    assert json.loads(said.out)["payable_fen"] == 192788


def test_the_longest_numbers_are_reckoned(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = {"pool": "职工", "year": "2025", "total_score": "1e17", "point_value": "1e17"}
    more = {"billed_fund": "1000", "self_pay": "10", "assessment": 1}
    said = cli("settle", lines(line | more), "--policy", "sample_2025", "--json")
    assert (said.code, json.loads(said.out)["payable_fen"]) == (0, 100000)


def test_pool_score_must_be_positive(cli: Callable[..., Any], lines: Callable[..., Path]) -> None:
    said = cli("settle", lines(MONTH | {"pool_score": "0"}), "--policy", "sample_2025")
    assert "pool_score 应大于 0" in said.err


def test_the_deposit_is_said_once_and_beside_the_payable(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    said = cli("settle", lines(MONTH | {"self_pay": "300.00"}), "--policy", "national_2025")
    told = [line for line in said.out.splitlines() if "质量保证金 " in line]
    assert len(told) == 1
    assert "另扣留质量保证金 107.10 元" in told[0]


def test_an_unknown_pool_names_the_known_ones(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    said = cli("settle", lines(MONTH | {"pool": "城职"}), "--policy", "sample_2025")
    (told,) = [line for line in said.out.splitlines() if "W_POOL" in line]
    assert "'城职'" in told
    assert "职工、居民" in told


def test_an_overrun_beyond_the_last_band_is_told(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = {"pool": "职工", "year": "2025", "total_score": "100", "point_value": "10"}
    more = {"billed_fund": "3800", "self_pay": "10", "assessment": 1}
    bands = "settlement.year_end.bands=[{lo: 0, hi: 1, pay: billed}, {lo: 1, hi: 2, pay: payable}]"
    said = cli("settle", lines(line | more), "--policy", "sample_2025", "--set", bands)
    assert "记账 ÷ 应付 = 5，政策的各段都不包括它" in said.out


def test_sentences_hold_short_numbers_and_no_names_of_the_file(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = {"pool": "职工", "month": "2025-03", "score_parts": {"core": 100, "tcm": "33.30"}}
    more = {"pool_fee": "1000.00", "pool_score": "3", "self_pay": "300.00"}
    arguments = ("settle", lines(line | more), "--policy", "national_2025")
    told = cli(*arguments).out
    assert "预结算点值 = 1000 ÷ 3" in told
    assert "分值合计 = 核心病种 100 + 中医病种 33.3 = 133.3" in told
    assert "月度应拨 = (分值 × 点值 − 个人及其他负担) × 拨付比例 − 审核扣款 = " in told
    steps = json.loads(cli(*arguments, "--json").out)["steps"]
    (value,) = [step["value"] for step in steps if step["step"] == "point_value"]
    assert value.startswith("333.33333333333333333333")


def test_bands_and_long_fractions_in_words(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = {"pool": "职工", "year": "2025", "total_score": "100", "point_value": "10"}
    more = {"billed_fund": "800", "self_pay": "10", "assessment": 1}
    said = cli("settle", lines(line | more), "--policy", "sample_2025")
    assert "记账 ÷ 应付 = 1.052631…，按应付金额加分担支付" in said.out


def test_a_pool_that_the_policy_does_not_know_is_all_that_is_missing(
    cli: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    line = MONTH | {"pool": "无"}
    del line["point_value"]
    said = cli("settle", lines(line), "--policy", "sample_neighbour_2025", "--json")
    assert json.loads(said.out)["not_configured"] == ["input.pool", "input.self_pay"]
    said = cli("settle", lines(line), "--policy", "sample_neighbour_2025")
    assert "输入缺少或不能用 input.pool" in said.out
