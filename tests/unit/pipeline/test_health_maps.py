"""Coverage of the code maps on the health page, and what waits there for a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.settings import load_site
from dipgate.pipeline import health_maps, maps_desk
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.health import as_json, checks
from dipgate.pipeline.health_facts import Grade, MapsFact
from dipgate.pipeline.health_gather import gather
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.store import unmapped
from dipgate.store.map_coverage import Coverage


@pytest.fixture
def gap(ward, forget_map_row: Callable[[Path, Path], str]) -> tuple[Desk, str]:  # type: ignore[no-untyped-def]
    desk: Desk = ward.desk
    code = forget_map_row(desk.store.state, ward.export)
    desk.site = load_site(desk.site.file)
    desk.renew()
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    return desk, code


def test_coverage_counts_occurrences_and_codes(gap: tuple[Desk, str]) -> None:
    desk, code = gap
    with desk.store.read() as conn:
        (item,) = unmapped.queue(conn)
    facts = gather(desk)
    found = {one.family: one for one in facts.maps.coverage}
    assert set(found) == {"icd10", "icd9cm3", "department", "staff"}
    diagnoses = found["icd10"]
    assert diagnoses.seen - diagnoses.known == item.waiting
    assert diagnoses.codes - diagnoses.codes_known == 1
    for family in ("icd9cm3", "department", "staff"):
        one = found[family]
        assert (one.seen, one.codes) == (one.known, one.codes_known)
        assert one.codes > 0
    (check,) = [check for check in checks(facts) if check.key == "coverage"]
    assert f"诊断 {diagnoses.percent}" in check.sentence
    assert as_json(facts, checks(facts))["maps"]["coverage"][0]["known"] == diagnoses.known
    number = maps_desk.propose(
        desk,
        maps_desk.read_wanted(desk, "icd10", {"source_code": code, "target_code": code}),
        reason="同名",
        author="bian",
    )
    (check,) = [check for check in checks(gather(desk)) if check.key == "maps.proposed"]
    assert (check.grade, "1 条" in check.sentence) == (Grade.LOOK, True)
    maps_desk.decide(desk, number, "approved", reason="核过", author="yiban")
    maps_desk.apply_all(desk, number, author="yiban")
    after = {one.family: one for one in gather(desk).maps.coverage}["icd10"]
    assert (after.seen, after.codes) == (after.known, after.codes_known)


@pytest.mark.parametrize(
    ("seen", "known", "grade"),
    [(1000, 980, Grade.OK), (1000, 979, Grade.LOOK), (49, 10, Grade.OK), (50, 10, Grade.LOOK)],
)
def test_a_share_that_falls_is_looked_at(
    gap: tuple[Desk, str], seen: int, known: int, grade: Grade
) -> None:
    facts = replace(
        gather(gap[0]),
        maps=MapsFact(
            0,
            (),
            (
                Coverage("2025-05", "icd10", seen, known, 10, 9),
                Coverage("2025-04", "icd10", 1000, 1000, 10, 10),
            ),
        ),
    )
    (check,) = health_maps.coverage(facts)
    assert check.grade is grade


def test_the_family_that_lacks_most_comes_first(gap: tuple[Desk, str]) -> None:
    months = (
        Coverage("2025-05", "icd10", 100, 99, 10, 9),
        Coverage("2025-05", "icd9cm3", 100, 100, 10, 10),
        Coverage("2025-05", "staff", 100, 60, 10, 6),
    )
    (check,) = health_maps.coverage(replace(gather(gap[0]), maps=MapsFact(0, (), months)))
    places = [check.sentence.index(word) for word in ("人员", "诊断", "手术操作")]
    assert places == sorted(places)


def test_rows_that_run_out_name_the_day(gap: tuple[Desk, str]) -> None:
    facts = replace(gather(gap[0]), maps=MapsFact(0, ((date(2026, 1, 1), "停用", 3),), ()))
    (check,) = health_maps.maps(facts)
    assert "3 行对照到 2026-01-01 失效" in check.sentence


def test_nothing_is_said_to_be_whole_that_lacks_one() -> None:
    assert Coverage("2025-05", "icd10", 100_000, 99_999, 1, 1).percent == "99.9%"
