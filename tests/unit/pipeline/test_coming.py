"""What is coming, in money: the figures of the preview are those that activation then gives."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dipgate.config.resources import resource
from dipgate.core.case import case_of
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.pipeline.coming import CaseShift, coming, look_ahead
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases, price
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import cases, groupings

MONTH = "2025-03"
POLICY = """extends: sample_2025
policy: {id: coming_2025, effective_from: 2025-01-01, effective_to: 2026-12-31}
catalogue: {library: sample@sample-2}
scoring: {institution: {table: {"3": "0.97"}}}
"""
FIRST = date(2027, 1, 1)
DATED = """extends: sample_2025
policy: {id: coming_2027, effective_from: 2027-01-01, effective_to: 2027-12-31%s}
scoring:
  institution:
    table: {"3": {unit: coefficient, values: {"2027-01-01": {value: "2.08", source: 通知}}}}
settlement: {point_value: {table: {职工: {"2027": "16"}, 居民: {"2027": "15"}}}}
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
    _named(site, "coming_2025")
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


def _named(site: Path, policy: str) -> None:
    text = site.read_text(encoding="utf-8")
    named = re.sub(r'(\[policy\]\n(?:#.*\n)*)id = ".*"', rf'\1id = "{policy}"', text)
    assert f'id = "{policy}"' in named
    site.write_text(named, encoding="utf-8")


def test_numbers_dated_to_the_coming_period_count(
    judged: Any, sample_state: Path, clock: FixedClock
) -> None:
    (sample_state / "policies").mkdir(exist_ok=True)
    (sample_state / "policies" / "coming_2027.yaml").write_text(DATED % "", encoding="utf-8")
    desk = judged.desk
    seen: list[CaseShift] = []
    report = look_ahead(desk, coming(desk, policy="coming_2027"), [MONTH], each=seen.append)
    assert report.total.pay_coming > 3 * report.total.pay_now > 0
    ours = [item for item in seen if not item.elsewhere]
    assert (report.as_of, report.advanced) == (FIRST, len(ours))
    with desk.store.read() as conn:
        stored = groupings.latest_of_month(conn, MONTH)
        rows = list(cases.cases_in(conn, month=MONTH, limit=1000))
    assert {item.settlement_id: item.now.pay for item in seen} == {
        key: held.score.amount for key, held in stored.items()
    }
    desk.store.close()

    _named(sample_state / "site.toml", "coming_2027")
    coming_side = {item.settlement_id: item.coming for item in ours}
    with open_desk(sample_state, sample_state / "site.toml", clock=clock) as live:
        for row in [row for row in rows if row.settlement_id in coming_side]:
            case = case_of(row.settlement_list())
            reference = live.reference(case.settled)
            then = price(live, structs.replace(case, settled=FIRST), reference)
            side = coming_side[row.settlement_id]
            assert (side.group_code, side.score, side.pay) == (
                then.group.group_code,
                then.score.score,
                then.score.amount,
            )


def test_by_discharge_the_whole_stay_is_looked_at_later(judged: Any, sample_state: Path) -> None:
    (sample_state / "policies").mkdir(exist_ok=True)
    file = sample_state / "policies" / "coming_2027.yaml"
    found = []
    for basis in ("settlement", "discharge"):
        file.write_text(DATED % f", date_basis: {basis}", encoding="utf-8")
        seen: list[CaseShift] = []
        what = coming(judged.desk, policy="coming_2027")
        report = look_ahead(judged.desk, what, [MONTH], each=seen.append)
        assert report.advanced + report.elsewhere["990200"] == report.total.cases
        found.append([item.coming for item in seen])
    assert found[0] == found[1]


def test_a_dated_number_that_the_coming_policy_lacks_is_named(
    judged: Any, sample_state: Path
) -> None:
    (sample_state / "policies").mkdir(exist_ok=True)
    late = (DATED % "").replace('职工: {"2027"', '职工: {"2028"')
    (sample_state / "policies" / "coming_2027.yaml").write_text(late, encoding="utf-8")
    report = look_ahead(judged.desk, coming(judged.desk, policy="coming_2027"), [MONTH])
    (path,) = report.not_configured
    assert path.startswith("settlement.point_value.table.职工")
    assert report.total.one_sided == report.not_configured[path] > 0


def test_cases_of_another_area_are_counted_and_said(
    judged: Any, sample_state: Path, cli: Callable[..., Any]
) -> None:
    desk = judged.desk
    report = look_ahead(desk, coming(desk, policy="sample_neighbour_2025"), [MONTH])
    assert 0 < report.elsewhere["990100"] < report.total.cases
    desk.store.close()
    named = ("--state", sample_state, "preview", "--policy", "sample_neighbour_2025")
    said = cli(*named, "--month", MONTH)
    assert f"{report.elsewhere['990100']} 例属于 990100，没有按它试算" in said.out
    lines = [json.loads(line) for line in cli(*named, "--month", MONTH, "--json").out.splitlines()]
    assert lines[-1]["elsewhere"] == report.elsewhere


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
    (sample_state / "policies" / "coming_2027.yaml").write_text(DATED % "", encoding="utf-8")
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
    assert "将来政策第一天" not in plain.out
    dated = ("--state", sample_state, "preview", "--policy", "coming_2027", "--month", MONTH)
    assert "按将来政策第一天 2027-01-01 的参数算" in cli(*dated).out
    (last,) = cli(*dated, "--json").out.splitlines()[-1:]
    assert json.loads(last)["as_of"] == "2027-01-01"
    assert cli("--state", sample_state, "preview").code == 2
