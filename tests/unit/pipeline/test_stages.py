"""The stages on a real store: repeatable, traceable, and nothing lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipgate.core.errors import ConfigError
from dipgate.core.findings import Fix
from dipgate.demo.hospital import Hospital
from dipgate.pipeline import edits
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.overview import overview
from dipgate.store import cases, inbox, verdicts


def _take_in(ward) -> None:  # type: ignore[no-untyped-def]
    read_sources(ward.desk)
    map_new_stays(ward.desk)
    judge_new_cases(ward.desk)


def _charge_file(export: Path) -> Path:
    return max(export.iterdir(), key=lambda path: path.stat().st_size)


def _settlement_file(export: Path) -> Path:
    return next(path for path in export.iterdir() if "结算" in path.name or "settl" in path.name)


def test_a_month_goes_from_files_to_judged_lists(ward) -> None:  # type: ignore[no-untyped-def]
    (report,) = read_sources(ward.desk)
    assert report.rejected == 0
    assert report.stored > len(ward.month.stays)
    mapped = map_new_stays(ward.desk)
    assert (mapped.mapped, mapped.set_aside) == (len(ward.month.stays), 0)
    judged = judge_new_cases(ward.desk)
    assert judged.judged == len(ward.month.stays)
    assert judged.with_errors == 0
    assert judged.expected_fen > 0
    view = overview(ward.desk)
    assert view.clean == len(ward.month.stays)
    assert view.money.expected_fen == judged.expected_fen


def test_every_stage_may_be_run_again_and_changes_nothing(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        before = cases.cases_in(conn)
    (again,) = read_sources(ward.desk)
    assert (again.stored, again.changed) == (0, 0)
    assert map_new_stays(ward.desk).mapped == 0
    assert judge_new_cases(ward.desk).judged == 0
    with ward.desk.store.read() as conn:
        assert cases.cases_in(conn) == before


def test_a_file_exported_again_is_a_repeat(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    for path in list(ward.export.iterdir()):
        path.with_name(path.stem + "_again" + path.suffix).write_bytes(path.read_bytes())
    (again,) = read_sources(ward.desk)
    assert (again.stored, again.changed, again.rejected) == (0, 0, 0)
    assert again.repeated > 0
    assert map_new_stays(ward.desk).mapped == 0


def test_a_row_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(ward) -> None:  # type: ignore[no-untyped-def]
    path = _settlement_file(ward.export)
    lines = path.read_bytes().decode("gb18030").split("\r\n")
    day = ward.month.stays[0].settlement["setl_end_date"].replace("-", "/")
    assert lines[1].count(day) == 1
    lines[1] = lines[1].replace(day, "2025/02/30")
    path.write_bytes("\r\n".join(lines).encode("gb18030"))
    read_sources(ward.desk)
    mapped = map_new_stays(ward.desk)
    assert (mapped.mapped, mapped.set_aside) == (len(ward.month.stays) - 1, 1)
    with ward.desk.store.read() as conn:
        ((_, source, rejected),) = inbox.rejected(conn)
    assert source == "his"
    assert rejected.object_name == path.name
    assert rejected.row == 2
    assert rejected.field
    assert rejected.remedy
    assert ward.desk.store.raw(rejected.raw_hash) == path.read_bytes()


def test_every_field_says_where_it_comes_from(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
        origins = {item.path: item for item in cases.origins_of(conn, case.id)}
    lst = case.settlement_list()
    for name, value in lst.setlinfo.items():
        origin = origins[f"setlinfo.{name}"]
        assert origin.value == value
        assert origin.column or origin.steps, name
    principal = origins["diseinfo[0].diag_code"]
    assert principal.object_name.endswith(".csv")
    assert principal.row is not None
    raw = ward.desk.store.raw(principal.raw_hash).decode("gb18030")
    assert principal.raw_value in raw.split("\r\n")[principal.row - 1]


def test_a_correction_is_laid_over_checked_again_and_can_be_taken_back(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
    seen = case.settlement_list().get("setlinfo.medcasno")
    fix = Fix("set", "setlinfo.medcasno", "")
    edited = edits.correct(
        ward.desk, case.settlement_id, fix, expect=seen, reason="试验", author="测试员"
    )
    assert {item.rule for item in edits.open_errors(edited.judgement)} == {"B002"}
    assert edited.case.revision == case.revision + 1
    with ward.desk.store.read() as conn:
        origin = {item.path: item for item in cases.origins_of(conn, case.id)}[fix.path]
        latest = verdicts.latest(conn, case.id)
    assert origin.overlay is not None
    assert origin.raw_value == seen
    assert latest is not None
    assert latest.errors == 1
    back = edits.undo(ward.desk, case.settlement_id, origin.overlay, author="测试员", reason="改回")
    assert edits.open_errors(back.judgement) == ()
    assert back.case.list_hash == case.list_hash


def test_a_correction_of_a_value_that_has_changed_since_is_refused(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
    fix = Fix("set", "setlinfo.medcasno", "X1")
    with pytest.raises(Exception, match="与您看到的不同"):
        edits.correct(
            ward.desk, case.settlement_id, fix, expect="旧值", reason="试验", author="测试员"
        )
    with ward.desk.store.read() as conn:
        assert cases.case_by_settlement(conn, case.settlement_id) == case


def test_a_list_with_errors_is_not_released(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
    seen = case.settlement_list().get("setlinfo.medcasno")
    fix = Fix("set", "setlinfo.medcasno", "")
    edits.correct(ward.desk, case.settlement_id, fix, expect=seen, reason="试验", author="测试员")
    with pytest.raises(Exception, match="还有 1 处错误"):
        edits.release(ward.desk, case.settlement_id, author="测试员")
    assert edits.release_clean(ward.desk, author="测试员") == len(ward.month.stays) - 1


@pytest.mark.parametrize("day", ["2015-03-08", "0001-01-01"])
def test_a_list_of_a_day_that_no_rule_knows_is_not_released(ward, day: str) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
    seen = case.settlement_list().get("setlinfo.setl_end_date")
    fix = Fix("set", "setlinfo.setl_end_date", day)
    edits.correct(ward.desk, case.settlement_id, fix, expect=seen, reason="试验", author="测试员")
    with pytest.raises(Exception, match="处错误"):
        edits.release(ward.desk, case.settlement_id, author="测试员")
    assert edits.release_clean(ward.desk, author="测试员") == len(ward.month.stays) - 1


def test_a_later_version_of_a_row_makes_a_new_revision_and_keeps_the_correction(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    with ward.desk.store.read() as conn:
        case = cases.cases_in(conn, limit=1)[0]
    lst = case.settlement_list()
    name = lst.get("setlinfo.coner_name")
    tel = lst.get("setlinfo.coner_tel")
    edits.correct(
        ward.desk,
        case.settlement_id,
        Fix("set", "setlinfo.coner_tel", "13800000000"),
        expect=tel,
        reason="核对后更正",
        author="测试员",
    )
    for path in ward.export.iterdir():
        text = path.read_bytes().decode("gb18030")
        if name in text:
            path.write_bytes(text.replace(name, "牛改名").encode("gb18030"))
    read_sources(ward.desk)
    assert map_new_stays(ward.desk).mapped >= 1
    with ward.desk.store.read() as conn:
        after = cases.case_by_settlement(conn, case.settlement_id)
    assert after is not None
    assert after.revision == case.revision + 2
    assert after.settlement_list().get("setlinfo.coner_name") == "牛改名"
    assert after.settlement_list().get("setlinfo.coner_tel") == "13800000000"


def test_nothing_is_sent_unless_the_site_says_live(cli, sample_state: Path) -> None:  # type: ignore[no-untyped-def]
    said = cli("send", "--state", sample_state)
    assert said.code == 2
    assert "observe" in said.err


def test_an_unknown_source_is_refused_by_name(ward) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="没有数据源 'hiss'"):
        read_sources(ward.desk, ["hiss"])


def test_the_same_seed_gives_the_same_lists(month: Hospital) -> None:
    assert month.stays == month.truths
