"""A new doctor, a new ward: noticed on the day, entered once, every waiting list is right."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.catalogues import import_catalogue
from dipgate.config.resources import resource
from dipgate.core.errors import RecordError
from dipgate.core.registry import RegistryEntry
from dipgate.pipeline import registry_desk as registry
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.registry_candidates import candidates, stem
from dipgate.pipeline.registry_preview import preview
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, registries, registry_items
from dipgate.store.registry_items import Item

FIRST = date(2024, 1, 1)


class House:
    """A judged month in which the tables lack one doctor, one nurse and one ward."""

    def __init__(self, desk: Desk, doctor: list[str], nurse: list[str], ward: list[str]) -> None:
        self.desk, self.doctor, self.nurse, self.ward = desk, doctor, nurse, ward

    def items(self) -> dict[str, Item]:
        with self.desk.store.read() as conn:
            return {item.local_code: item for item in registry_items.items(conn)}

    def typed(self, row: list[str], **more: str) -> dict[str, str]:
        return {"local_code": row[0], "name": row[1], "national_code": row[2], **more}

    def lists(self) -> dict[str, cases.CaseRow]:
        with self.desk.store.read() as conn:
            return {case.settlement_id: case for case in cases.cases_in(conn)}


def table_without(
    desk: Desk, kind: str, left_out: list[str], tmp_path: Path, *, last: str = ""
) -> list[list[str]]:
    """Import the shipped table without these local codes (or with their last day)."""
    head, *lines = resource("sample", f"{kind}.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    gone = [row for row in rows if row[0] in left_out]
    kept = [row for row in rows if row[0] not in left_out]
    if last:
        kept += [[*row[:-1], last] for row in gone]
    file = tmp_path / f"{kind}.csv"
    file.write_text("\n".join([head, *(",".join(row) for row in kept)]), encoding="utf-8")
    import_catalogue(
        desk.store.state, kind, "short", FIRST, file, supersede=True, now=desk.clock.now()
    )
    desk.renew()
    return gone


def take_in(desk: Desk) -> None:
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)


@pytest.fixture
def house(ward, tmp_path: Path) -> House:  # type: ignore[no-untyped-def]
    desk: Desk = ward.desk

    def busiest(field: str) -> str:
        return Counter(stay.front[field] for stay in ward.month.stays).most_common(1)[0][0]

    people = [busiest("chfpdr_code"), busiest("resp_nurs_code")]
    gone = {row[0]: row for row in table_without(desk, "staff", people, tmp_path)}
    (place,) = table_without(desk, "department", [busiest("dscg_caty")], tmp_path)
    take_in(desk)
    return House(desk, gone[people[0]], gone[people[1]], place)


def test_what_is_unknown_is_an_item_with_its_place_and_its_money(house: House) -> None:
    items = house.items()
    assert set(items) == {house.doctor[0], house.nurse[0], house.ward[0]}
    doctor, nurse, place = (items[row[0]] for row in (house.doctor, house.nurse, house.ward))
    assert (doctor.kind, doctor.group, nurse.group) == ("staff", "doctor", "nurse")
    assert (doctor.local_name, place.local_name) == (house.doctor[1], house.ward[1])
    assert {doctor.why, nurse.why, place.why} == {"new"}
    with house.desk.store.read() as conn:
        waiting, sent = registry.uses_of(conn, doctor)
    assert len(waiting) == doctor.waiting > 1
    assert not sent
    assert all(use.row > 0 for use in waiting)
    assert all(use.column for use in waiting)
    named = house.lists()
    assert doctor.fee_fen == sum(named[use.settlement_id].fee_fen or 0 for use in waiting)


def test_entered_once_every_waiting_list_is_right(house: House) -> None:
    desk, item = house.desk, house.items()[house.doctor[0]]
    entry = registry.read_entry(desk, "staff", house.typed(house.doctor))
    seen = preview(desk, entry)
    before = house.lists()
    assert seen.lists == seen.tried == seen.changed == item.waiting
    assert seen.problems_after < seen.problems_before
    assert seen.example is not None
    assert (seen.example.before, seen.example.after) == (house.doctor[0], house.doctor[2])
    assert house.lists() == before
    number = registry.enter(desk, entry, reason="编码系统查询", author="甲")
    reports = registry.apply_all(desk, number, author="甲")
    assert sum(report.changed for report in reports) == item.waiting
    gone = sum(report.problems_before - report.problems_after for report in reports)
    assert gone == seen.problems_before - seen.problems_after
    assert house.doctor[0] not in house.items()
    assert not any(f'"{house.doctor[0]}"' in c.list_json.decode() for c in house.lists().values())
    with desk.store.read() as conn:
        acts = [row.act for row in audit.rows(conn, object=f"registry:{number}")]
        assert acts == ["registry.entered", "registry.applied"]


def test_a_ward_and_a_nurse_too_and_the_next_process_knows_them(house: House) -> None:
    desk = house.desk
    for kind, row in (("department", house.ward), ("staff", house.nurse)):
        entry = registry.read_entry(desk, kind, house.typed(row))
        registry.apply_all(
            desk, registry.enter(desk, entry, reason="查过", author="甲"), author="甲"
        )
    assert set(house.items()) == {house.doctor[0]}
    state, site = desk.store.state, desk.site.file
    with open_desk(state, site, read_only=True, clock=desk.clock) as again:
        ref = again.reference(date(2025, 3, 10))
        assert ref.departments is not None
        assert ref.departments[house.ward[0]].national_code == house.ward[2]
        assert "desk:" in ref.versions["staff"]


def test_withdrawn_it_is_unknown_again(house: House) -> None:
    desk = house.desk
    entry = registry.read_entry(desk, "staff", house.typed(house.doctor))
    number = registry.enter(desk, entry, reason="查过", author="甲")
    registry.apply_all(desk, number, author="甲")
    registry.decide(desk, number, "withdrawn", reason="抄错人了", author="乙")
    registry.apply_all(desk, number, author="乙")
    assert house.doctor[0] in house.items()
    with desk.store.read() as conn:
        found = registries.get(conn, number)
    assert found is not None
    assert (found.state, found.decided_by, found.decision) == ("withdrawn", "乙", "抄错人了")


def test_a_proposal_changes_nothing_until_somebody_decides(house: House) -> None:
    desk = house.desk
    entry = registry.read_entry(desk, "staff", house.typed(house.doctor))
    number = registry.propose(desk, entry, reason="名牌上看到", author="编码员")
    before = house.lists()
    registry.apply_all(desk, number, author="甲")
    assert {i: c.list_hash for i, c in house.lists().items()} == {
        i: c.list_hash for i, c in before.items()
    }
    registry.decide(desk, number, "active", reason="核过", author="医保办")
    registry.apply_all(desk, number, author="医保办")
    assert house.doctor[0] not in house.items()
    with pytest.raises(RecordError, match="已经处理过"):
        registry.decide(desk, number, "refused", reason="又想了想", author="甲")


def test_sent_lists_are_named_and_left_alone(house: House) -> None:
    desk, item = house.desk, house.items()[house.doctor[0]]
    with desk.store.read() as conn:
        waiting, _ = registry.uses_of(conn, item)
    sent = waiting[0]
    now = desk.clock.now()
    desk.store.write(lambda conn: cases.set_state(conn, sent.case_id, "accepted", now=now))
    before = house.lists()[sent.settlement_id].list_hash
    after = house.items()[item.local_code]
    assert (after.waiting, after.sent) == (item.waiting - 1, 1)
    entry = registry.read_entry(desk, "staff", house.typed(house.doctor))
    registry.apply_all(desk, registry.enter(desk, entry, reason="查过", author="甲"), author="甲")
    assert house.lists()[sent.settlement_id].list_hash == before
    assert item.local_code not in house.items()


def test_someone_who_left_is_an_item_when_used_afterwards(
    ward,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    desk: Desk = ward.desk
    code = Counter(stay.front["chfpdr_code"] for stay in ward.month.stays).most_common(1)[0][0]
    table_without(desk, "staff", [code], tmp_path, last="2025-02-28")
    take_in(desk)
    with desk.store.read() as conn:
        (item,) = registry_items.items(conn)
    assert (item.local_code, item.why) == (code, "ended")
    (first, *_) = registry.ideas(desk, item)
    assert "到 2025-02-28" in first.because


def test_days_of_an_entry_hold_at_both_ends(house: House) -> None:
    desk = house.desk
    typed = house.typed(house.doctor, first_day="2025-03-10", last_day="2025-03-20")
    registry.enter(desk, registry.read_entry(desk, "staff", typed), reason="查过", author="甲")
    for day, known in ((9, False), (10, True), (20, True), (21, False)):
        found = registry.knows(desk, "staff", "doctor", house.doctor[0], date(2025, 3, day))
        assert found is known, day


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("staff", {"national_code": ""}, "没有填国家编码"),
        ("staff", {"national_code": "D12"}, "国家编码"),
        ("staff", {"role": "nurse"}, "不能以 D 开头"),
        ("staff", {"first_day": "2025-13-01"}, "不是日期"),
        ("staff", {"first_day": "2025-03-02", "last_day": "2025-03-01"}, "早于启用日期"),
        ("staff", {"name": " "}, "是空的"),
        ("department", {"national_code": "Z99"}, "没有 Z99"),
        ("ward", {}, "只能登记"),
    ],
)
def test_what_cannot_be_entered_is_refused_with_a_sentence(
    house: House, kind: str, change: dict[str, str], says: str
) -> None:
    row = house.ward if kind == "department" else house.doctor
    with pytest.raises(RecordError, match=says):
        registry.read_entry(house.desk, kind, house.typed(row) | change)


def test_two_entries_may_not_hold_on_one_day_and_need_a_reason(house: House) -> None:
    desk = house.desk
    entry = registry.read_entry(desk, "staff", house.typed(house.doctor))
    with pytest.raises(RecordError, match="没有填写依据"):
        registry.enter(desk, entry, reason=" ", author="甲")
    registry.enter(desk, entry, reason="查过", author="甲")
    with pytest.raises(RecordError, match="已有登记"):
        registry.enter(desk, entry, reason="再来", author="甲")


BOOK = (
    RegistryEntry("staff", "YS007", "张伟", "D990100000007", role="doctor"),
    RegistryEntry("staff", "YS008", "章伟", "D990100000008", role="doctor"),
    RegistryEntry("staff", "YS019", "李小明", "D990100000019", role="doctor"),
    RegistryEntry("staff", "YS007", "王芳", "N990100000007", role="nurse"),
)


@pytest.mark.parametrize(
    ("code", "name", "first", "because"),
    [
        ("YS007", "", "D990100000007", "同一个代码"),
        ("X1", "张伟", "D990100000007", "同名"),
        ("X1", "李晓明", "D990100000019", "读音相同"),
        ("X1", "李大明", "D990100000019", "差一个字"),
        ("0019", "", "D990100000019", "号码相同"),
    ],
)
def test_candidates_of_a_person(code: str, name: str, first: str, because: str) -> None:
    found = candidates("staff", "doctor", code, name, BOOK, {}, None)
    assert (found[0].national_code, because in found[0].because) == (first, True)
    assert not any(item.national_code.startswith("N") for item in found)


def test_candidates_of_a_ward_come_from_the_national_names() -> None:
    national = {"A03": "内科", "A03.04": "心血管内科专业", "A04.03": "骨科专业"}
    found = candidates("department", "", "0188", "心血管内科二病区", (), national, None)
    assert [item.national_code for item in found][:1] == ["A03.04"]
    assert stem("骨科第三病区") == stem("骨科专业") == "骨"
