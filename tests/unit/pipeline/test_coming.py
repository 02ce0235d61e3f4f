"""What is coming, in money: the figures of the preview are those that activation then gives."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.resources import resource
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.pipeline.coming import CaseShift, coming, look_ahead
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import groupings

MONTH = "2025-03"
POLICY = """extends: sample_2025
policy: {id: coming_2025, effective_from: 2025-01-01, effective_to: 2026-12-31}
catalogue: {library: sample@sample-2}
scoring: {institution: {table: {"3": "0.97"}}}
"""


def coming_library(folder: Path) -> Path:
    """The sample with every third score raised and two of the most common groups missing."""
    rows = list(csv.reader(io.StringIO(resource("sample", "library-dip.csv").read_text("utf-8"))))
    head, body = rows[0], rows[1:]
    score = head.index("score")
    for number, row in enumerate(body):
        if number % 3 == 0:
            row[score] = str(Decimal(row[score]) * 2)
    kept = [row for number, row in enumerate(body) if number % 5]
    path = folder / "coming.csv"
    with path.open("w", encoding="utf-8", newline="") as held:
        csv.writer(held).writerows([head, *kept])
    return path


@pytest.fixture
def judged(ward: Any) -> Any:
    read_sources(ward.desk)
    map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    return ward


@pytest.fixture
def announced(
    judged: Any, sample_state: Path, tmp_path: Path, cli: Callable[..., Any]
) -> Callable[..., list[str]]:
    """The coming library and policy are on the shelf, nothing uses them yet."""
    (sample_state / "policies").mkdir(exist_ok=True)
    (sample_state / "policies" / "coming_2025.yaml").write_text(POLICY, encoding="utf-8")
    file = coming_library(tmp_path)
    said = cli(
        *("--state", sample_state, "library", "import", "--name", "sample"),
        *("--version", "sample-2", "--from", "2027-01-01", file),
    )
    assert said.code == 0, said.err
    return judged


def test_the_preview_is_what_activation_gives(
    announced: Any, sample_state: Path, clock: FixedClock
) -> None:
    desk = announced.desk
    seen: list[CaseShift] = []
    report = look_ahead(desk, coming(desk, policy="coming_2025"), [MONTH], each=seen.append)
    assert report.total.cases == len(announced.month.stays)
    assert report.total.regrouped > 0
    assert report.total.pay_shift != 0
    desk.store.close()

    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8")
    named = re.sub(r'(\[policy\]\n(?:#.*\n)*)id = ".*"', r'\1id = "coming_2025"', text)
    assert 'id = "coming_2025"' in named
    site.write_text(named, encoding="utf-8")
    with open_desk(sample_state, site, clock=clock) as live:
        judge_new_cases(live)
        with live.store.read() as conn:
            active = groupings.latest_of_month(conn, MONTH)
    assert {item.settlement_id for item in seen} == set(active)
    for item in seen:
        then = active[item.settlement_id]
        assert (item.coming.group_code, item.coming.score, item.coming.pay) == (
            then.group.group_code,
            then.score.score,
            then.score.amount,
        )
    assert report.total.pay_coming == sum(
        active[item.settlement_id].score.amount or 0 for item in seen if item.now.pay is not None
    )


def test_parts_add_up_and_now_is_what_is_stored(announced: Any) -> None:
    desk = announced.desk
    seen: list[CaseShift] = []
    report = look_ahead(desk, coming(desk, policy="coming_2025"), [MONTH], each=seen.append)
    with desk.store.read() as conn:
        stored = groupings.latest_of_month(conn, MONTH)
    assert {item.settlement_id: item.now.pay for item in seen} == {
        key: held.score.amount for key, held in stored.items()
    }
    for parts in (report.departments, report.months, report.groups):
        assert sum(part.cases for part in parts.values()) == report.total.cases
        assert sum(part.pay_shift for part in parts.values()) == report.total.pay_shift


def test_nothing_changes_where_nothing_is_coming(announced: Any) -> None:
    desk = announced.desk
    report = look_ahead(desk, coming(desk, policy="sample_2025"), [MONTH])
    assert (report.total.regrouped, report.total.pay_shift) == (0, 0)
    assert report.total.compared == report.total.cases


def test_a_parameter_that_the_coming_policy_lacks_is_named(
    announced: Any, sample_state: Path
) -> None:
    lacking = POLICY.replace('{institution: {table: {"3": "0.97"}}}', "{average_fee: null}")
    (sample_state / "policies" / "coming_2025.yaml").write_text(lacking, encoding="utf-8")
    report = look_ahead(announced.desk, coming(announced.desk, policy="coming_2025"), [MONTH])
    assert report.not_configured["scoring.average_fee"] > 0
    assert report.total.one_sided == report.not_configured["scoring.average_fee"]
    assert report.total.compared + report.total.one_sided <= report.total.cases


def test_names_that_are_not_there_are_said(announced: Any) -> None:
    with pytest.raises(ConfigError, match="没有政策"):
        coming(announced.desk, policy="nowhere")
    with pytest.raises(ConfigError, match="没有版本"):
        coming(announced.desk, library="sample@nowhere")


def test_the_command(announced: Any, sample_state: Path, cli: Callable[..., Any]) -> None:
    desk = announced.desk
    wanted = look_ahead(desk, coming(desk, policy="coming_2025"), [MONTH])
    desk.store.close()
    named = ("--state", sample_state, "preview", "--policy", "coming_2025")
    said = cli(*named, "--year", "2025", "--cases", "--json")
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    (total,) = [line for line in lines if line["part"] == "total"]
    assert total["pay_shift_fen"] == wanted.total.pay_shift
    moved = [line for line in lines if line["part"] == "case"]
    assert sum(line["pay_shift_fen"] for line in moved) == wanted.total.pay_shift
    plain = cli(*named, "--month", MONTH)
    assert plain.code == 0, plain.err
    assert f"其中 {wanted.total.regrouped} 例入组不同" in plain.out
    none = cli(*named, "--month", "2024-01")
    assert none.code == 2
    assert "所选的月份没有病例" in none.err
    assert cli("--state", sample_state, "preview").code == 2
