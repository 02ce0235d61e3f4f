"""A day before the rules hold is never taken for a clean list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.rules import base_case, example_reference, load_pack, rule_world
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.validators import Pack, check, compile_pack, function_rules

Cli = Callable[..., Any]
TODAY = date(2025, 4, 1)


def found_in(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.status is FindingStatus.FOUND]


@pytest.fixture(scope="module")
def base() -> Pack:
    return compile_pack(load_pack("base"), function_rules("base"), rule_world(), "base")


@pytest.mark.parametrize("day", ["0001-01-01", "2015-03-08", "2020-12-31"])
def test_a_day_before_every_rule_is_an_error_and_the_rules_say_why_they_are_silent(
    base: Pack, day: str
) -> None:
    lst = base_case().with_value("setlinfo.setl_end_date", day)
    ref = replace(example_reference(), day=date.fromisoformat(day))
    found = check(lst, ref, [base], today=TODAY)
    errors = found_in(found)
    assert [f.rule for f in errors] == ["U001"]
    assert errors[0].severity is Severity.ERROR
    skipped = {f.rule: f.message for f in found if f.status is FindingStatus.NOT_CHECKED}
    assert set(skipped) == {info.id for info in base.rules} - {"U001"}
    assert (
        skipped["B057"] == skipped["U003"] == "未检：规则自 2021-01-01 起施行，早于此日的清单未检"
    )


def test_another_day_than_the_list_s_own_is_told_too(base: Pack) -> None:
    ref = replace(example_reference(), day=date.min)
    (error,) = found_in(check(base_case(), ref, [base], today=TODAY))
    assert error.rule == "U001"
    assert "0001-01-01" in error.message


def test_u001_begins_no_later_than_any_other_rule(base: Pack) -> None:
    """Whatever day no rule is in force on, U001 refuses."""
    first = min(info.since for info in base.rules if info.id != "U001")
    ref = replace(example_reference(), day=first - timedelta(days=1))
    found = found_in(check(base_case(), ref, [base], today=TODAY))
    assert [finding.rule for finding in found] == ["U001"]
    assert next(info for info in base.rules if info.id == "U001").since == date.min


@pytest.mark.parametrize("options", [(), ("--date", "0001-01-01")])
def test_check_ends_with_an_error_and_counts_what_it_did_not_check(
    tmp_path: Path, cli: Cli, options: tuple[str, ...]
) -> None:
    file = tmp_path / "cases.jsonl"
    day = "2025-03-08" if options else "2015-03-08"
    file.write_bytes(base_case().with_value("setlinfo.setl_end_date", day).as_json())
    said = cli("check", file, *options)
    assert said.code == 1
    assert "U001" in said.out
    assert "规则自 2021-01-01 起施行，早于此日的清单未检" in said.out
    said = cli("check", file, "--json", "--all", *options)
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert len([line for line in lines if line["status"] == "not_checked"]) > 100
