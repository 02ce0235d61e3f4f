"""A library with its parts, an overlay, a file of cases: labels and what they multiply by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
NATIONAL3 = Path(__file__).parents[2] / "data" / "national3"
PARTS = ("severity", "severity-exclusions", "cci", "age", "coefficients", "average-fees")
OVERLAY = """
extends: national_2025
policy: {id: ours, effective_from: 2025-01-01, effective_to: 2026-12-31}
evidence: {L1: {grade: C, kind: sample, title: 编写的数字}}
catalogue: {library: small@1}
routing: {excluded: [], day_surgery: same_group, tcm_route: none}
grouping: {exclusions: {dx_list: n/a, op_list: n/a}}
auxiliary:
  age_bands: null
  cap: n/a
  coefficients: {"*": {severity: {轻度: 1}}, JC-1866: {cci: {无: 1, 一般: 1}}}
scoring:
  institution: {table: {"3": "1.1"}, composition: n/a}
  add_ons: []
settlement:
  point_value: {kind: floating, basis: total_fee, table: {职工: 10}, budget: {职工: 8}}
  fund_share: multiplicative
  fund_share_from: pool
  fund_ratio: {职工: "0.7"}
  price_keys: [pool]
"""


def stay(number: str, *others: str, days: int = 5, **info: str) -> dict[str, Any]:
    codes = [{"diag_code": "J18.900", "maindiag_flag": "1", "diag_type": "1"}]
    codes += [{"diag_code": code, "maindiag_flag": "0", "diag_type": "1"} for code in others]
    return {
        "setlinfo": {
            "setl_id": number,
            "setl_end_date": "2025-03-20",
            "brdy": "1990-05-01",
            "adm_time": "2025-03-01 08:00:00",
            "dscg_time": f"2025-03-{1 + days:02d} 08:00:00",
            "dscg_way": "1",
            "hi_type": "310",
            **info,
        },
        "diseinfo": codes,
        "oprninfo": [],
        "iteminfo": [{"med_chrgitm": "09", "amt": "4400.00"}],
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "3000.00"}],
    }


@pytest.fixture
def answers(cli: Cli, sample_state: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    policy = tmp_path / "ours.yaml"
    policy.write_text(OVERLAY, "utf-8")
    parts = [word for kind in PARTS for word in ("--part", f"{kind}={NATIONAL3}/parts/{kind}.csv")]
    files = (NATIONAL3 / "library.csv", NATIONAL3 / "comprehensive.csv")
    name = ("--name", "small", "--version", "1", "--from", "2025-01-01", "--partial")
    said = cli("library", "import", *files, *name, *parts, "--state", sample_state)
    assert said.code == 0, said.err

    def go(*cases: dict[str, Any]) -> list[dict[str, Any]]:
        path = tmp_path / "cases.jsonl"
        path.write_text("\n".join(json.dumps(case) for case in cases), "utf-8")
        options = ("--policy", policy, "--level", "3", "--json", "--trace")
        done = cli("group", path, *options, "--state", sample_state)
        assert done.code == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    return go


def test_labels_go_from_the_files_to_the_score(
    answers: Callable[..., list[dict[str, Any]]],
) -> None:
    plain, sick, both, old, barred, short = answers(
        stay("S1"),
        stay("S2", "A41.900"),
        stay("S3", "K74.600", "C78.000"),
        stay("S4", brdy="1950-05-01"),
        stay("S5", "J96.000"),
        stay("S6", "A41.900", days=2),
    )
    # 500 × 1.1 × A; the standard of level 3 is 500 × 1.1 × 8 = 4400 yuan, so r is 1.
    assert {item["group_code"] for item in (plain, sick, both, old)} == {"JC-1866"}
    assert (plain["auxiliary"], plain["score"]) == ("1", "550.0000")
    assert (sick["auxiliary"], sick["auxiliary_label"], sick["score"]) == (
        "1.6",
        "重度",
        "880.0000",
    )
    assert (both["auxiliary"], both["auxiliary_label"]) == ("1.45", "极严重")
    assert (old["auxiliary"], old["auxiliary_label"]) == ("1.15", "65岁及以上")
    assert [item["label"] for item in old["labels"]] == ["无", "轻度", "65岁及以上"]
    # The exclusion table holds the principal diagnosis; two days are too short.
    assert (barred["auxiliary"], short["auxiliary"]) == ("1", "1")
    said = [step["text"] for step in sick["trace"] if step["step"] == "auxiliary"]
    assert any("疾病严重程度：重度" in text for text in said)


def test_a_coefficient_that_no_file_holds_is_named(
    answers: Callable[..., list[dict[str, Any]]],
) -> None:
    (found,) = answers(stay("S1", "I50.900", "E11.900", "N18.900"))
    # 1 + 1 + 2 = 4: 严重; the dead and the grave stand in no row of this group but under `*`.
    assert found["auxiliary_label"] == "严重"
    (dead,) = answers(stay("S2", dscg_way="5"))
    assert (dead["auxiliary"], dead["auxiliary_label"]) == ("1.3", "死亡")
    child = stay("S3", brdy="2020-05-01")
    (young,) = answers(child)
    assert young["score_status"] == "NOT_CONFIGURED"
    assert young["not_configured"] == ["auxiliary.coefficients.JC-1866.age.1-6岁"]
