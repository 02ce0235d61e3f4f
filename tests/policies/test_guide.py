"""The overlay of docs/policies.md is complete, and its worked month comes out as it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.policies import load_policy, policies_for
from dipgate.pipeline.policy_report import PolicyReport, examine

DAY = date(2025, 3, 15)
FENCE = re.compile(r"```(yaml|csv)\n(.*?)```", re.DOTALL)


@pytest.fixture
def guide(checkout: Path, state: Path) -> Path:
    """A state folder with the guide's overlay, its table and its worked month."""
    text = (checkout / "docs" / "policies.md").read_text(encoding="utf-8")
    blocks = [body for _, body in FENCE.findall(text)]
    folder = state / "policies"
    (folder / "cases").mkdir(parents=True)
    for path, body in zip(
        ("ours.yaml", "point_values.csv", "cases/ours.yaml"), blocks, strict=True
    ):
        (folder / path).write_text(body, encoding="utf-8")
    return state


@pytest.fixture
def report(guide: Path) -> PolicyReport:
    return examine("ours", state=guide, today=DAY)


def test_nothing_is_missing(report: PolicyReport) -> None:
    assert [need.path for need in report.missing] == []
    assert [note for note in report.notes if note.level == "error"] == []


def test_the_worked_month_holds(report: PolicyReport) -> None:
    assert [(case.name, case.differences) for case in report.cases] == [("三月预结算", ())]


def test_the_overlay_is_found_by_date_and_keeps_its_base(guide: Path) -> None:
    found = policies_for("370800", DAY, state=guide)
    assert [item.policy.id for item in found] == ["ours"]
    assert found[0].scoring.deviation.extreme.form == "as_normal_k"
    k = load_policy("ours", state=guide).scoring.institution.table.find(("H37080000002", "职工"))
    assert k is not None
    assert [k.on(day) for day in (date(2025, 6, 30), date(2025, 7, 1))] == [
        Decimal("0.93"),
        Decimal("0.95"),
    ]


def test_a_case_is_scored_and_priced_by_it(
    guide: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    # 500 × 1.02 = 510, normal: r = 3800 / (500 × 7.9)
    line = tmp_path / "case.jsonl"
    line.write_text(
        '{"case": "1", "base_score": 500, "fee": 3800, "level": "3", "hospital": "H37080000001", '
        '"insurance_type": "310", "settled_on": "2025-03-15"}\n',
        encoding="utf-8",
    )
    said = cli("--state", guide, "score", line, "--policy", "ours", "--json")
    assert '"score":"510.0000"' in said.out
    assert '"not_configured":[]' in said.out


def test_a_year_by_its_bands(guide: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    # 1000000 × 8.10 × 0.75 × 0.98 = 5953500; x = 6200000 / 5953500 lies in 1 … 1.1
    line = tmp_path / "year.jsonl"
    line.write_text(
        '{"pool": "职工", "year": 2025, "hospital": "H37080000001", "insured_place": "370800", '
        '"total_score": 1000000, "billed_fund": 6200000, "assessment": 0.98, '
        '"prepaid": 400000, "monthly_paid": 5300000}\n',
        encoding="utf-8",
    )
    said = cli("--state", guide, "settle", line, "--policy", "ours", "--json")
    assert f'"payable_fen":{595350000 + 14790000}' in said.out
    assert f'"clearing_fen":{595350000 + 14790000 - 570000000}' in said.out
    assert '"deadline":"2026-05-31"' in said.out
