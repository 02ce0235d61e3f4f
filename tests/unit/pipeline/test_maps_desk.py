"""A code no map knows: candidates, one person proposes, another approves, waiting lists mend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event, Thread

import pytest

from dipgate.config.catalogues import import_catalogue
from dipgate.config.references import References
from dipgate.config.settings import load_site
from dipgate.core.errors import RecordError
from dipgate.core.reference import CodeMap, CodeTable, MapEntry
from dipgate.pipeline import maps_desk, maps_view
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.maps_candidates import candidates
from dipgate.pipeline.maps_preview import preview
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, map_proposals, overlays, unmapped
from dipgate.store.map_proposals import Wanted
from dipgate.store.unmapped import WaitingCode


class House:
    """A judged month whose busiest principal diagnosis no map knows."""

    def __init__(self, desk: Desk, code: str) -> None:
        self.desk, self.code = desk, code

    def item(self) -> WaitingCode:
        with self.desk.store.read() as conn:
            (item,) = unmapped.queue(conn)
        return item

    def wanted(self, **more: str) -> Wanted:
        typed = {"source_code": self.code, "source_name": "某", "target_code": self.code, **more}
        return maps_desk.read_wanted(self.desk, "icd10", typed)

    def approved(self, **more: str) -> int:
        number = maps_desk.propose(self.desk, self.wanted(**more), reason="同名", author="bian")
        maps_desk.decide(self.desk, number, "approved", reason="核过", author="yiban")
        return number

    def lists(self) -> dict[str, cases.CaseRow]:
        with self.desk.store.read() as conn:
            return {case.settlement_id: case for case in cases.cases_in(conn)}


@pytest.fixture
def house(ward, forget_map_row: Callable[[Path, Path], str]) -> House:  # type: ignore[no-untyped-def]
    state, site = ward.desk.store.state, ward.desk.site.file
    code = forget_map_row(state, ward.export)
    desk: Desk = ward.desk
    desk.site = load_site(site)
    desk.renew()
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    return House(desk, code)


def other_code(house: House) -> str:
    """A code of the catalogue that is another one."""
    table = house.desk.reference(None).icd10
    assert table is not None
    return next(code for code in table.names if code[:3] != house.code[:3])


def test_the_queue_says_lists_money_and_first_day(house: House) -> None:
    item = house.item()
    with house.desk.store.read() as conn:
        uses = unmapped.uses(conn, "icd10", (house.code,))
    lists = house.lists()
    assert (item.code, item.kind, item.sent) == (house.code, "icd10", 0)
    assert item.waiting == len(uses) > 1
    assert item.fee_fen == sum(lists[use.settlement_id].fee_fen or 0 for use in uses)
    days = [lists[use.settlement_id].settled_on for use in uses]
    assert (item.first_used, item.last_used) == (min(days), max(days))  # type: ignore[type-var]


def test_approved_by_a_second_person_every_waiting_list_is_mapped(house: House) -> None:
    desk, item = house.desk, house.item()
    other = other_code(house)
    seen = preview(desk, house.wanted(target_code=other))
    assert (seen.lists, seen.changed) == (item.waiting, min(item.waiting, 20))
    assert len(seen.examples) == min(3, item.waiting)
    assert {(one.before, one.after) for one in seen.examples} == {(house.code, other)}
    before = house.lists()
    number = maps_desk.propose(
        desk, house.wanted(target_code=other), reason="看病历", author="bian"
    )
    assert house.lists() == before
    maps_desk.decide(desk, number, "approved", reason="核过", author="yiban")
    reports = maps_desk.apply_all(desk, number, author="yiban")
    assert sum(report.changed for report in reports) == item.waiting
    with desk.store.read() as conn:
        assert unmapped.queue(conn) == ()
        acts = [row.act for row in audit.rows(conn, object=f"map:{number}")]
    assert acts == ["map.proposed", "map.approved", "map.applied"]
    again = maps_desk.apply_all(desk, number, author="yiban")
    assert sum(report.changed for report in again) == 0


def test_a_proposal_changes_no_list(house: House) -> None:
    number = maps_desk.propose(house.desk, house.wanted(), reason="同名", author="bian")
    with pytest.raises(RecordError, match="没有这条在用"):
        maps_desk.apply_step(house.desk, number, author="bian")
    assert house.item().code == house.code


@pytest.mark.parametrize("goal", ["approved", "rejected"])
def test_who_proposed_can_not_decide(house: House, goal: str) -> None:
    number = maps_desk.propose(house.desk, house.wanted(), reason="同名", author="bian")
    with pytest.raises(RecordError, match="不能自己批准"):
        maps_desk.decide(house.desk, number, goal, reason="我看行", author="bian")
    maps_desk.decide(house.desk, number, "withdrawn", reason="不要了", author="bian")


def test_withdrawn_it_waits_again_and_the_history_keeps_it(house: House) -> None:
    desk, item = house.desk, house.item()
    number = house.approved()
    maps_desk.apply_all(desk, number, author="yiban")
    maps_desk.decide(desk, number, "withdrawn", reason="抄错", author="yiban")
    maps_desk.apply_all(desk, number, author="yiban")
    assert house.item().waiting == item.waiting
    found = maps_view.opened(desk, item.id)
    assert found is not None
    assert [(one.state, one.ending) for one in found.past] == [("withdrawn", "抄错")]


def test_sent_lists_are_named_and_stay(house: House) -> None:
    desk, item = house.desk, house.item()
    found = maps_view.opened(desk, item.id)
    assert found is not None
    sent = found.waiting[0]
    now = desk.clock.now()
    desk.store.write(lambda conn: cases.set_state(conn, sent.case_id, "accepted", now=now))
    before = house.lists()[sent.settlement_id].list_hash
    assert preview(desk, house.wanted(target_code=other_code(house))).sent == 1
    maps_desk.apply_all(desk, house.approved(target_code=other_code(house)), author="yiban")
    assert house.lists()[sent.settlement_id].list_hash == before


def test_days_hold_at_both_ends_and_the_next_process_knows(house: House) -> None:
    house.approved(first_day="2025-03-10", last_day="2025-03-20")
    with open_desk(
        house.desk.store.state, house.desk.site.file, read_only=True, clock=house.desk.clock
    ) as again:
        for desk in (house.desk, again):
            for day, known in ((9, False), (10, True), (20, True), (21, False)):
                ref = desk.reference(date(2025, 3, day))
                assert ref.icd10_map is not None
                assert bool(ref.icd10_map.find(house.code)) is known, day
                assert ("desk:" in ref.versions["icd10-map"]) is known


def test_an_approved_row_wins_over_the_imported_one_on_its_days(house: House) -> None:
    desk, other = house.desk, other_code(house)
    number = maps_desk.propose(
        desk,
        maps_desk.read_wanted(
            desk, "icd10", {"source_code": other, "target_code": house.code,
                            "first_day": "2025-03-10"}
        ),
        reason="本院写法",
        author="bian",
    )  # fmt: skip
    maps_desk.decide(desk, number, "approved", reason="核过", author="yiban")
    for day, target in ((9, other), (10, house.code)):
        table = desk.reference(date(2025, 3, day)).icd10_map
        assert table is not None
        assert [row.target_code for row in table.find(other)] == [target]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source_code": ""}, "是空的"),
        ({"source_code": "高血压"}, "不是 ICD-10"),
        ({"target_code": "I99.999"}, "目录"),
        ({"first_day": "2025-13-01"}, "不是日期"),
        ({"first_day": "2025-03-02", "last_day": "2025-03-01"}, "早于启用日期"),
    ],
)
def test_what_cannot_be_proposed_is_refused_with_a_sentence(
    house: House, change: dict[str, str], says: str
) -> None:
    with pytest.raises(RecordError, match=says):
        house.wanted(**change)


def test_one_code_has_one_row_on_a_day(house: House) -> None:
    desk = house.desk
    with pytest.raises(RecordError, match="没有填写依据"):
        maps_desk.propose(desk, house.wanted(), reason=" ", author="bian")
    first = maps_desk.propose(desk, house.wanted(), reason="同名", author="bian")
    with pytest.raises(RecordError, match="已在等批准"):
        maps_desk.propose(desk, house.wanted(), reason="同名", author="yiban")
    other = house.wanted(target_code=other_code(house))
    second = maps_desk.propose(desk, other, reason="另一说", author="yiban")
    maps_desk.decide(desk, first, "approved", reason="核过", author="yiban")
    with pytest.raises(RecordError, match="已有在用的对照"):
        maps_desk.decide(desk, second, "approved", reason="也行", author="bian")


def test_what_coders_chose_before_is_a_candidate(house: House) -> None:
    desk, item, other = house.desk, house.item(), other_code(house)
    with desk.store.read() as conn:
        uses = unmapped.uses(conn, "icd10", (house.code,))
    for use in uses[:2]:
        desk.store.write(
            lambda conn, settlement_id=use.settlement_id: overlays.add(
                conn, settlement_id=settlement_id, op="set", path="diseinfo[0].diag_code",
                value=other, expect=house.code, reason="病历", author="bian",
                at=desk.clock.now(),
            )
        )  # fmt: skip
    first = maps_view.ideas(desk, "icd10", house.code, item.name, item.last_used)[0]
    assert (first.code, "2 份清单" in first.because[0]) == (other, True)


def test_rows_that_run_out_are_listed_by_day(house: House) -> None:
    assert maps_view.running_out(house.desk) == ()
    house.approved(last_day="2025-06-30")
    (group,) = maps_view.running_out(house.desk)
    assert (group.rows, group.day, group.codes) == (
        1,
        date(2025, 7, 1),
        ((house.code, house.code),),
    )


def test_a_target_that_leaves_with_the_next_catalogue_is_listed(
    house: House, tmp_path: Path
) -> None:
    desk = house.desk
    table = desk.reference(None).icd10
    assert table is not None
    gone = other_code(house)
    file = tmp_path / "next.csv"
    rows = [f'{code},"{name}"' for code, name in table.names.items() if code != gone]
    file.write_text("\n".join(["诊断代码,诊断名称", *rows]), encoding="utf-8")
    import_catalogue(
        desk.store.state, "icd10", "next", date(2026, 1, 1), file, now=desk.clock.now()
    )
    desk.renew()
    (group,) = maps_view.running_out(desk)
    assert (group.day, group.rows, group.codes) == (date(2026, 1, 1), 1, ((gone, gone),))
    assert "next" in group.why


def test_a_catalogue_followed_meanwhile_does_not_undo_an_approval(
    house: House, tmp_path: Path
) -> None:
    """A request that follows an import and one that approves a row meet; both results hold."""
    desk, code = house.desk, house.code
    table = desk.reference(None).icd10
    assert table is not None
    file = tmp_path / "next.csv"
    rows = [f'{one},"{name}"' for one, name in table.names.items()]
    file.write_text("\n".join(["诊断代码,诊断名称", *rows]), encoding="utf-8")
    import_catalogue(
        desk.store.state, "icd10", "next", date(2025, 1, 1), file, now=desk.clock.now()
    )
    approving = Thread(target=house.approved)

    def slowly(held: References) -> References:
        approving.start()
        # The approval is stored; its look-ups wait for ours.
        while not approved():
            pause.wait(0.01)
        return held.renewed()

    def approved() -> bool:
        with desk.store.read() as conn:
            return bool(map_proposals.proposals(conn, states=("approved",)))

    pause = Event()
    desk.renew(slowly)
    approving.join()
    found = desk.reference(None)
    assert found.icd10 is not None
    assert found.icd10.version == "next"
    assert found.icd10_map is not None
    assert found.icd10_map.find(code)
    assert not desk.follow()


TABLE = CodeTable(
    "icd10",
    "v",
    date(2024, 1, 1),
    {
        "I10.x00": "特发性高血压",
        "I10.x03": "高血压1级",
        "I10.x04": "高血压2级",
        "G45.900": "短暂性大脑缺血性发作",
        "Z98.800": "手术后状态",
    },
)


def row(source: str, name: str, target: str, number: int = 1) -> MapEntry:
    return MapEntry(source, name, target, TABLE.names.get(target, ""), "national", "n", number)


MAP = CodeMap(
    "icd10-map",
    ("national:n",),
    {
        "I10.x00x021": (row("I10.x00x021", "高血压病1级（低危）", "I10.x03"),),
        "G45.901": (row("G45.901", "小中风", "G45.900"),),
        "T10.001": (row("T10.001", "两可", "I10.x03", 7), row("T10.001", "两可", "I10.x04", 8)),
    },
)


@pytest.mark.parametrize(
    ("code", "name", "first", "because"),
    [
        ("I10.x00", "特发性高血压", "I10.x00", "同一个代码，名称也相同"),
        ("X1", "高血压2级", "I10.x04", "名称相同"),
        ("X1", "小中风", "G45.900", "国临版同名的 G45.901"),
        ("I10.x09", "高血压二级", "I10.x04", "名称相近"),
        ("I10.x00x099", "某某", "I10.x03", "同一亚目的 I10.x00x021"),
        ("T10.001", "两可", "I10.x03", "对照表给出的目标（国家层 n 第7行）"),
    ],
)
def test_candidates_come_with_a_reason(code: str, name: str, first: str, because: str) -> None:
    found = candidates(code, name, TABLE, MAP, {}, {"Z98.800": "不能作主要诊断"})
    assert first in [item.code for item in found[:2]]
    (item,) = [item for item in found if item.code == first]
    assert because in "；".join(item.because)


def test_a_code_that_may_not_be_principal_says_so() -> None:
    found = candidates("Z98.8", "手术后状态", TABLE, MAP, {}, {"Z98.800": "不能作主要诊断"})
    assert (found[0].code, found[0].barred) == ("Z98.800", "不能作主要诊断")


def test_the_register_of_states_has_words() -> None:
    assert set(map_proposals.NEXT) | {"proposed"} == set(map_proposals.STATES)
