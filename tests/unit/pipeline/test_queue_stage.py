"""Every stage and act leaves the work queue right; a queue that was lost is made again."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from dipgate.core.worklist import Grade
from dipgate.pipeline import edits, exchange_stage, worklist_stage
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import desk_tables, worklist, worklist_rows
from dipgate.store.worklist_rows import WorkFilter


def grades(desk: Desk) -> dict[Grade, int]:
    with desk.store.read() as conn:
        found = worklist_rows.counts(conn, WorkFilter())
        assert worklist.counts_are_right(conn)
        assert conn.exec_driver_sql("SELECT count(*) FROM worklist_due").scalar() == 0
    return {grade: count.lists for grade, count in found.items() if count.lists}


def rows(desk: Desk) -> list[tuple[object, ...]]:
    with desk.store.read() as conn:
        found = conn.exec_driver_sql("SELECT * FROM worklist ORDER BY case_id").all()
    return [tuple(row) for row in found]


def test_stages_and_acts_keep_the_queue(ward) -> None:  # type: ignore[no-untyped-def]
    desk = ward.desk
    many = len(ward.month.stays)
    read_sources(desk)
    map_new_stays(desk)
    assert grades(desk) == {Grade.WAIT: many}
    judge_new_cases(desk)
    assert grades(desk) == {Grade.CLEAN: many}
    with desk.store.read() as conn:
        first, second, *_ = worklist_rows.page(conn, WorkFilter((Grade.CLEAN,)))
    edits.release(desk, first.settlement_id, author="bian")
    edits.hold(desk, second.settlement_id, reason="等科室确认", author="bian")
    assert grades(desk) == {Grade.CLEAN: many - 2, Grade.STOP: 1, Grade.DONE: 1}
    exchange_stage.queue_ready(desk)
    with desk.store.read() as conn:
        queued = worklist_rows.find(conn, first.case_id)
    assert queued is not None
    assert (queued.grade, queued.problem) == (Grade.DONE, "排队上传")
    before = rows(desk)
    assert worklist_stage.rebuild(desk) == many
    assert rows(desk) == before


def test_a_lost_queue_is_made_again_at_start(ward) -> None:  # type: ignore[no-untyped-def]
    desk = ward.desk
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    before = rows(desk)
    assert worklist_stage.bring_up(desk) == 0
    desk.store.write(lambda conn: conn.execute(delete(desk_tables.worklist)))
    desk.store.write(lambda conn: conn.execute(delete(desk_tables.worklist_counts)))
    assert worklist_stage.bring_up(desk) == len(before)
    assert rows(desk) == before
    grades(desk)
    desk.store.write(lambda conn: worklist.set_basis(conn, None, form=worklist.UNFINISHED))
    assert worklist_stage.bring_up(desk) == len(before)
    assert worklist_stage.bring_up(desk) == 0


def test_a_new_deadline_is_taken_when_the_desk_opens(  # type: ignore[no-untyped-def]
    ward, sample_state: Path
) -> None:
    read_sources(ward.desk)
    map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    before = rows(ward.desk)
    ward.desk.store.close()
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8")
    site.write_text(text.replace("# upload_days = 10", "upload_days = 10"), encoding="utf-8")
    with open_desk(sample_state, site, clock=ward.desk.clock) as desk:
        after = rows(desk)
        with desk.store.read() as conn:
            found = worklist_rows.page(conn, WorkFilter(tuple(Grade)), limit=500)
        assert all(row.deadline is not None for row in found)
        order = [(row.rank, row.case_id) for row in found]
        assert order == sorted(order, reverse=True)
    assert len(after) == len(before)
    assert after != before
