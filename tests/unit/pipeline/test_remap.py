"""Mapping chosen lists again: what waits is made anew, what left is only named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.catalogues import import_catalogue
from dipgate.config.resources import resource
from dipgate.core.findings import Fix
from dipgate.core.lists import text_of
from dipgate.mapping import expectation
from dipgate.pipeline import edits
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.remap import remap
from dipgate.store import cases, unmapped, verdicts

FIRST = date(2024, 1, 1)


def bring_staff(desk: Desk, version: str, tmp_path: Path, *, without: str = "") -> None:
    """A version of the shipped staff table, complete or without one person."""
    lines = resource("sample", "staff.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not without or not line.startswith(f"{without},")]
    file = tmp_path / f"{version}.csv"
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    import_catalogue(
        desk.store.state, "staff", version, FIRST, file, supersede=True, now=desk.clock.now()
    )
    desk.renew()


@pytest.fixture
def gap(ward, tmp_path: Path) -> tuple[Desk, str, tuple[str, ...]]:  # type: ignore[no-untyped-def]
    """A judged month in which one doctor is not in the staff table: desk, code, settlements."""
    desk: Desk = ward.desk
    with desk.store.read() as conn:
        assert not cases.cases_in(conn)
    (busiest, _), *_ = Counter(stay.front["chfpdr_code"] for stay in ward.month.stays).most_common()
    bring_staff(desk, "short", tmp_path, without=busiest)
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    with desk.store.read() as conn:
        waiting = {code.code: code for code in unmapped.codes(conn, kind="staff")}
        assert busiest in waiting
        return desk, busiest, unmapped.settlements_with(conn, "staff", busiest)


def lists(desk: Desk, settlement_ids: tuple[str, ...]) -> dict[str, cases.CaseRow]:
    with desk.store.read() as conn:
        found = [cases.case_by_settlement(conn, item) for item in settlement_ids]
    return {case.settlement_id: case for case in found if case is not None}


def everywhere(case: cases.CaseRow) -> str:
    return case.list_json.decode()


def test_lists_that_wait_get_the_new_code_everywhere(gap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, code, waiting = gap
    before = lists(desk, waiting)
    assert all(f'"{code}"' in everywhere(case) for case in before.values())
    bring_staff(desk, "whole", tmp_path)
    calls: list[tuple[int, int | None]] = []
    report = remap(desk, waiting, lambda done, total: calls.append((done, total)))
    after = lists(desk, waiting)
    assert not any(f'"{code}"' in everywhere(case) for case in after.values())
    assert (report.remapped, report.changed) == (len(waiting), len(waiting))
    assert report.problems_after < report.problems_before
    assert calls[-1] == (len(waiting), len(waiting))
    with desk.store.read() as conn:
        assert not unmapped.settlements_with(conn, "staff", code)
        for case in after.values():
            found = verdicts.latest(conn, case.id)
            assert found is not None
            assert found.list_hash == case.list_hash
            assert case.state == "checked"


def test_again_changes_nothing(gap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, _, waiting = gap
    bring_staff(desk, "whole", tmp_path)
    remap(desk, waiting)
    before = lists(desk, waiting)
    report = remap(desk, waiting)
    after = lists(desk, waiting)
    assert report.changed == 0
    assert report.problems_before == report.problems_after
    assert {i: (c.revision, c.state) for i, c in before.items()} == {
        i: (c.revision, c.state) for i, c in after.items()
    }


def test_what_left_is_named_and_not_touched(gap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, _, waiting = gap
    sent, gone, held, kept = waiting[0], waiting[1], waiting[2], "no such settlement"
    before = lists(desk, waiting)
    now = desk.clock.now()

    def away(conn) -> None:  # type: ignore[no-untyped-def]
        cases.set_state(conn, before[sent].id, "accepted", now=now)
        cases.set_state(conn, before[gone].id, "retired", now=now)
        cases.set_state(conn, before[held].id, "held", now=now, hold_reason="等病理")

    desk.store.write(away)
    bring_staff(desk, "whole", tmp_path)
    report = remap(desk, (*waiting, kept))
    after = lists(desk, waiting)
    assert report.sent == [sent]
    assert report.put_away == 2
    assert after[sent].list_hash == before[sent].list_hash
    assert after[sent].state == "accepted"
    assert after[gone].list_hash == before[gone].list_hash
    assert (after[held].state, after[held].hold_reason) == ("held", "等病理")
    assert after[held].list_hash != before[held].list_hash


def test_a_correction_that_says_the_same_agrees(gap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, code, waiting = gap
    case = next(
        case
        for case in lists(desk, waiting).values()
        if text_of(case.settlement_list().setlinfo.get("chfpdr_code")) == code
    )
    path = "setlinfo.chfpdr_code"
    lines = resource("sample", "staff.csv").read_text(encoding="utf-8").splitlines()
    national = next(line.split(",")[2] for line in lines if line.startswith(f"{code},"))
    edits.correct(
        desk,
        case.settlement_id,
        Fix("set", path, national),
        expect=expectation(case.settlement_list(), "set", path),
        reason="查过",
        author="甲",
    )
    bring_staff(desk, "whole", tmp_path)
    report = remap(desk, [case.settlement_id])
    assert report.conflicts == 0
    assert not report.failed
    again = lists(desk, (case.settlement_id,))[case.settlement_id]
    assert again.settlement_list().get(path) == national


def test_a_source_that_left_the_site_file_is_said(gap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, _, waiting = gap
    bring_staff(desk, "whole", tmp_path)
    desk.site = replace(desk.site, sources=())
    report = remap(desk, waiting[:1])
    assert report.remapped == 0
    assert [item.settlement_id for item in report.failed] == [waiting[0]]
    assert "数据源" in report.failed[0].what
