"""TCM and Tibetan codes through `dipgate group`: each route of the fixture area, end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def group(cli: Cli, sample_state: Path, checkout: Path, tmp_path: Path) -> Callable[..., Any]:
    """`group("K64.900", ("A98.01.01", "2"), ...)` → the answer for one case, with its trace."""
    area = checkout / "tests" / "data" / "990300"
    said = cli(
        "library",
        "import",
        "--name",
        "tcm-area",
        "--version",
        "t1",
        "--from",
        "2024-01-01",
        "--part",
        f"tcm-map={area / 'tcm-map.csv'}",
        area / "library.csv",
        "--state",
        sample_state,
    )
    assert said.code == 0, said.err

    def call(western: str, *tcm: tuple[str, str], ops: tuple[str, ...] = ()) -> dict[str, Any]:
        rows = [{"diag_code": western, "maindiag_flag": "1", "diag_type": "1"}]
        rows += [{"diag_code": code, "diag_type": kind} for code, kind in tcm]
        case = {
            "setlinfo": {"setl_id": "S1", "setl_end_date": "2025-03-15", "hi_type": "310"},
            "diseinfo": rows,
            "oprninfo": [{"oprn_oprt_code": code, "oprn_oprt_type": "1"} for code in ops],
            "iteminfo": [{"med_chrgitm": "01", "amt": "3000.00"}],
            "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "2200.00"}],
        }
        file = tmp_path / "case.jsonl"
        file.write_text(json.dumps(case), encoding="utf-8")
        options = ("--policy", area / "policy.yaml", "--level", "3", "--json", "--trace")
        answer = cli("group", file, *options, "--state", sample_state)
        assert answer.code == 0, answer.err
        found: dict[str, Any] = json.loads(answer.out)
        return found

    return call


def warned(answer: dict[str, Any], word: str) -> bool:
    return any(text.startswith(word) for text in answer["warnings"])


def test_same_price_takes_the_score_of_the_western_operation_group(
    group: Callable[..., Any],
) -> None:
    found = group("K64.900", ("A98.01.01", "2"))
    assert found["group_code"] == "K64.9:BSZL"
    assert found["base_score"] == "620.0000"
    assert found["score"] == "644.8000"
    assert any("同病同价" in step["text"] and "tcm_map" in step["ref"] for step in found["trace"])


def test_own_group_asks_for_its_syndrome(group: Callable[..., Any]) -> None:
    found = group("M51.200", ("TB1101", "2"), ("TS02", "3"))
    assert (found["group_code"], found["base_score"]) == ("ZANG-01", "480.0000")
    assert found["status"] == "GROUPED"
    without = group("M51.200", ("TB1101", "2"))
    assert without["group_code"] == "M51.2:BSZL"
    assert warned(without, "W_TCM_UNMAPPED")
    assert "TS02" in "".join(without["warnings"])


def test_own_group_of_the_chinese_code_system(group: Callable[..., Any]) -> None:
    assert group("M51.200", ("A98.07.15", "2"))["group_code"] == "ZY-01"


def test_uplift_multiplies_the_score_by_the_first_system_of_the_policy(
    group: Callable[..., Any],
) -> None:
    found = group("J18.900", ("TB2205", "2"))
    assert found["group_code"] == "J18.9:BSZL"
    assert found["base_score"] == "500.0000"
    assert found["score"] == "561.6000"
    assert any("TIBETAN-LOCAL" in step["value"] for step in found["trace"])


def test_none_says_on_purpose_that_nothing_changes(group: Callable[..., Any]) -> None:
    found = group("K35.800", ("TB3001", "2"))
    assert found["group_code"] == "K35.8:BSZL"
    assert not warned(found, "W_TCM")
    assert any("不另作处理" in step["text"] for step in found["trace"])


def test_without_a_row_the_western_principal_decides(group: Callable[..., Any]) -> None:
    found = group("K35.800", ("TB9999", "2"), ops=("47.0100",))
    assert found["group_code"] == "K35.8:47.0100"
    assert warned(found, "W_TCM_UNMAPPED")


def test_the_principal_diagnosis_is_never_replaced(group: Callable[..., Any]) -> None:
    found = group("J18.900", ("A98.01.01", "2"))
    assert found["group_code"] == "J18.9:BSZL"
    assert found["base_score"] == "500.0000"
    assert warned(found, "W_TCM_WESTERN")
