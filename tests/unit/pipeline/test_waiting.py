"""Stays without a bill or a front page: seen once the patient has gone home, read again alone."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dipgate.core import worklist
from dipgate.pipeline import waiting
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.health import checks
from dipgate.pipeline.health_facts import Grade
from dipgate.pipeline.health_gather import gather
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.store import cases

Row = dict[str, str]


def _file(export: Path, stem: str) -> Path:
    return next(path for path in export.iterdir() if path.name.startswith(stem))


def _read(export: Path, stem: str) -> list[Row]:
    text = _file(export, stem).read_bytes().decode("gb18030")
    return list(csv.DictReader(io.StringIO(text)))


def _write(export: Path, stem: str, rows: list[Row]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    _file(export, stem).write_bytes(out.getvalue().encode("gb18030"))


def _take_in(desk: Desk) -> None:
    read_sources(desk)
    map_new_stays(desk)


def _lines(desk: Desk) -> tuple[waiting.Line, ...]:
    return waiting.read_page(desk).lines


def _late(desk: Desk) -> bool:
    return _lines(desk)[0].standing.grade is worklist.Grade.LOOK


def _discharged(desk: Desk) -> date:
    return _lines(desk)[0].stay.discharged


def _on(desk: Desk, day: date) -> None:
    clock: Any = desk.clock
    clock.advance((day - desk.today()).days * 86400)


def _check(desk: Desk) -> tuple[Grade, str] | None:
    found = [check for check in checks(gather(desk)) if check.key == "waiting"]
    return (found[0].grade, found[0].sentence) if found else None


def _lists(desk: Desk) -> int:
    with desk.store.read() as conn:
        return sum(cases.counts(conn).values())


CASES = [
    ("settlement", waiting.BILL, "等结算", "财务"),
    ("front_page", waiting.FRONT_PAGE, "等病案首页", "病案室"),
]


@pytest.mark.parametrize(("missing", "kind", "word", "who"), CASES)
def test_a_missing_part_is_seen_and_read_again_when_it_comes(
    ward: Any, missing: str, kind: str, word: str, who: str
) -> None:
    desk, whole = ward.desk, _read(ward.export, missing)
    _write(ward.export, missing, whole[1:])
    _take_in(desk)
    (line,) = _lines(desk)
    since, discharged = line.stay.since, line.stay.discharged
    assert (line.stay.kind, line.standing.problem, line.stay.source) == (kind, word, "his")
    assert since == desk.clock.now()
    assert _lists(desk) == len(whole) - 1
    days = desk.site.desk.wait_days
    _on(desk, discharged + timedelta(days=days))
    assert not _late(desk)
    assert _check(desk) == (Grade.OK, "出院后等结算、首页或费用的 1 人次")
    _on(desk, discharged + timedelta(days=days + 1))
    assert _late(desk)
    assert f"请问{who}" in _lines(desk)[0].standing.sentence
    found = _check(desk)
    assert found is not None
    assert (found[0], "其中 1 人次逾期" in found[1]) == (Grade.LOOK, True)
    _take_in(desk)
    assert _lines(desk)[0].stay.since == since, "still the same wait"
    _write(ward.export, missing, whole)
    _take_in(desk)
    assert _lines(desk) == ()
    assert _lists(desk) == len(whole)
    assert _check(desk) is None


def test_the_wait_is_set_by_the_site(ward: Any) -> None:
    desk = ward.desk
    _write(ward.export, "settlement", _read(ward.export, "settlement")[1:])
    _take_in(desk)
    _on(desk, _discharged(desk) + timedelta(days=3))
    assert not _late(desk)
    desk.site = replace(desk.site, desk=desk.site.desk.model_copy(update={"wait_days": 2}))
    assert _late(desk)


def test_who_is_still_in_the_ward_does_not_wait(ward: Any) -> None:
    desk = ward.desk
    _write(ward.export, "settlement", _read(ward.export, "settlement")[1:])
    pages = _read(ward.export, "front_page")
    left = pages[0]["出院时间"]
    pages[0]["出院时间"] = ""
    _write(ward.export, "front_page", pages)
    _take_in(desk)
    assert _lines(desk) == ()
    pages[0]["出院时间"] = left
    _write(ward.export, "front_page", pages)
    _take_in(desk)
    assert [line.standing.problem for line in _lines(desk)] == ["等结算"]


def test_a_discharge_that_cannot_be_read_does_not_hide_the_stay(ward: Any) -> None:
    desk = ward.desk
    _write(ward.export, "settlement", _read(ward.export, "settlement")[1:])
    pages = _read(ward.export, "front_page")
    pages[0]["出院时间"] = "上周"
    _write(ward.export, "front_page", pages)
    _take_in(desk)
    assert _discharged(desk) == desk.today()


def test_a_discharge_ahead_of_today_counts_from_its_day_on(ward: Any) -> None:
    desk = ward.desk
    _write(ward.export, "settlement", _read(ward.export, "settlement")[1:])
    pages = _read(ward.export, "front_page")
    ahead = desk.today() + timedelta(days=1)
    pages[0]["出院时间"] = f"{ahead:%Y-%m-%d} 10:00:00"
    _write(ward.export, "front_page", pages)
    _take_in(desk)
    assert _lines(desk) == ()
    _on(desk, ahead)
    assert len(_lines(desk)) == 1


def test_past_months_do_not_wait(ward: Any) -> None:
    desk = ward.desk
    before = desk.site.history.model_copy(update={"before": "2100-01"})
    desk.site = replace(desk.site, history=before)
    _write(ward.export, "settlement", _read(ward.export, "settlement")[1:])
    _take_in(desk)
    assert _lines(desk) == ()
