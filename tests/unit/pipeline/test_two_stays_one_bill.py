"""A settlement id belongs to one stay: claimed by two it is set aside, mended it comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dipgate.core.errors import RecordError
from dipgate.core.exchange import State
from dipgate.core.worklist import Grade
from dipgate.pipeline import edits
from dipgate.pipeline.exchange_stage import queue_ready
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import MapReport, map_new_stays
from dipgate.store import cases, inbox, outbox, worklist_rows


def _take_in(ward) -> MapReport:  # type: ignore[no-untyped-def]
    read_sources(ward.desk)
    report = map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    return report


def _file(export: Path) -> Path:
    return next(path for path in export.iterdir() if path.name.startswith("settlement"))


def _rewrite(export: Path, change: Callable[[list[str]], None], name: str = "") -> None:
    path = _file(export)
    lines = path.read_bytes().decode("gb18030").split("\r\n")
    change(lines)
    (path.with_name(name) if name else path).write_bytes("\r\n".join(lines).encode("gb18030"))


def _ids(ward) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    one, two = ward.month.stays[:2]
    return one.settlement["setl_id"], two.settlement["setl_id"]


def _case(ward, settlement_id: str) -> cases.CaseRow | None:  # type: ignore[no-untyped-def]
    with ward.desk.store.read() as conn:
        return cases.case_by_settlement(conn, settlement_id)


def _line_of(lines: list[str], settlement_id: str) -> int:
    return next(at for at, line in enumerate(lines) if settlement_id in line)


def _claim(ward) -> None:  # type: ignore[no-untyped-def]
    """The second stay's row names the first stay's settlement."""
    one, two = _ids(ward)

    def change(lines: list[str]) -> None:
        at = _line_of(lines, two)
        lines[at] = lines[at].replace(two, one)

    _rewrite(ward.export, change)


def _mend(ward, new_id: str) -> None:  # type: ignore[no-untyped-def]
    one, _ = _ids(ward)

    def change(lines: list[str]) -> None:
        found = [at for at, line in enumerate(lines) if one in line]
        lines[found[1]] = lines[found[1]].replace(one, new_id)

    _rewrite(ward.export, change)


def test_both_stays_are_set_aside_and_both_come_back(ward) -> None:  # type: ignore[no-untyped-def]
    one, two = _ids(ward)
    _claim(ward)
    report = _take_in(ward)
    assert (report.mapped, report.set_aside) == (len(ward.month.stays) - 2, 2)
    assert _case(ward, one) is None
    with ward.desk.store.read() as conn:
        found = [item for _, _, item in inbox.rejected(conn)]
    assert {item.row for item in found} == {2, 3}
    for item in found:
        assert one in item.what
        assert "第2行" in item.what
        assert "第3行" in item.what
        assert item.remedy
    _mend(ward, two)
    assert _take_in(ward).mapped == 2
    for settlement_id, stay in zip((one, two), ward.month.stays, strict=False):
        case = _case(ward, settlement_id)
        assert case is not None
        assert case.state == "checked"
        assert case.settlement_list().get("setlinfo.psn_name") == stay.front["psn_name"]


def test_a_list_that_stood_is_kept_back_and_never_sent(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    one, two = _ids(ward)
    before = _case(ward, one)
    assert before is not None
    edits.release(ward.desk, one, author="测试员")
    queue_ready(ward.desk)
    _claim(ward)
    _take_in(ward)
    case = _case(ward, one)
    assert case is not None
    assert case.state == "set_aside"
    assert "两次住院" in case.hold_reason
    assert case.list_hash == before.list_hash
    retired = _case(ward, two)
    assert retired is not None
    assert retired.state == "retired"
    with ward.desk.store.read() as conn:
        assert [row.state for row in outbox.by_settlement(conn, one)] == [State.SUPERSEDED]
    with pytest.raises(RecordError, match="不能放行"):
        edits.release(ward.desk, one, author="测试员")
    ward.desk.store.write(
        lambda conn: cases.set_state(conn, case.id, "checked", now=ward.desk.clock.now())
    )
    with pytest.raises(RecordError, match="两次住院"):
        edits.release(ward.desk, one, author="测试员")
    ward.desk.store.write(
        lambda conn: cases.set_state(conn, case.id, "ready", now=ward.desk.clock.now())
    )
    assert queue_ready(ward.desk).queued == 0
    _mend(ward, two)
    _take_in(ward)
    for settlement_id in (one, two):
        back = _case(ward, settlement_id)
        assert back is not None
        assert (back.state, back.hold_reason) == ("checked", "")
    assert _case(ward, one).list_hash == before.list_hash  # type: ignore[union-attr]
    edits.release(ward.desk, one, author="测试员")
    assert queue_ready(ward.desk).queued == 1


def test_a_later_file_with_a_taken_id_sets_both_aside(ward) -> None:  # type: ignore[no-untyped-def]
    """The claim comes in a file of its own, and goes with the next version of that file."""
    one, two = _ids(ward)
    kept: list[str] = []

    def split(lines: list[str]) -> None:
        kept.append(lines.pop(_line_of(lines, two)))
        kept.insert(0, lines[0])

    _rewrite(ward.export, split)
    _take_in(ward)
    late = _file(ward.export).with_name("settlement_late.csv")
    late.write_bytes("\r\n".join([kept[0], kept[1].replace(two, one)]).encode("gb18030"))
    assert _take_in(ward).set_aside == 2
    assert _case(ward, one).state == "set_aside"  # type: ignore[union-attr]
    late.write_bytes("\r\n".join(kept).encode("gb18030"))
    assert _take_in(ward).mapped == 2
    for settlement_id, stay in zip((one, two), ward.month.stays, strict=False):
        case = _case(ward, settlement_id)
        assert case is not None
        assert case.state == "checked"
        assert case.settlement_list().get("setlinfo.psn_name") == stay.front["psn_name"]


def test_a_bill_that_changed_its_id_retires_the_list_made_of_it(ward) -> None:  # type: ignore[no-untyped-def]
    _take_in(ward)
    one, _ = _ids(ward)
    old = _case(ward, one)
    assert old is not None

    def change(lines: list[str]) -> None:
        at = _line_of(lines, one)
        lines[at] = lines[at].replace(one, one + "9")

    _rewrite(ward.export, change)
    _take_in(ward)
    assert _case(ward, one).state == "retired"  # type: ignore[union-attr]
    assert _case(ward, one + "9").state == "checked"  # type: ignore[union-attr]
    with ward.desk.store.read() as conn:
        gone = worklist_rows.find(conn, old.id)
    assert gone is not None
    assert (gone.grade, gone.pay_fen) == (Grade.GONE, None)
