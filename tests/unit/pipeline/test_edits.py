"""What a coder does to a list: acts, undo and redo, asking, trying, typing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import activate_sample, import_catalogue
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.settings import render_template
from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.findings import Fix
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline import asking, edits
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.former import former
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.preview import preview
from dipgate.pipeline.typed import day_of, editable, typed
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, questions

MONTH = date(2025, 3, 1)
NOON = datetime(2025, 6, 16, 12, 0, tzinfo=CHINA)
OWN = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a clean synthetic month, judged; made once, copied by each test."""
    folder = tmp_path_factory.mktemp("edits")
    state = folder / "state"
    state.mkdir()
    clock = FixedClock(NOON)
    activate_sample(state, clock.now())
    reference = References(state, OWN).on(MONTH)
    library = load_library(state, "sample", day=MONTH)
    month = generate(reference, library, seed=3, month=MONTH, size=24, defect_share=0.0)
    write_csv(month, folder / "export")
    text = render_template(
        code=OWN.code,
        name=OWN.name,
        level=OWN.level,
        area_code=OWN.area_code,
        policy="sample_2025",
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    sources = site_sources(csv_source(folder / "export"))
    (state / "site.toml").write_text(f"{text}\n{sources}", encoding="utf-8")
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        read_sources(opened)
        map_new_stays(opened)
        judge_new_cases(opened)
    return state


@pytest.fixture
def desk(prepared: Path, tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    state = tmp_path / "state"
    shutil.copytree(prepared, state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        yield opened


@pytest.fixture
def case(desk: Desk) -> cases.CaseRow:
    """A list with at least three diagnoses."""
    with desk.store.read() as conn:
        return next(
            item for item in cases.cases_in(conn) if len(item.settlement_list().diseinfo or ()) >= 3
        )


def now(desk: Desk, case: cases.CaseRow) -> cases.CaseRow:
    with desk.store.read() as conn:
        found = cases.get_case(conn, case.id)
    assert found is not None
    return found


def correct(desk: Desk, case: cases.CaseRow, *fixes: Fix, revision: int | None = None) -> Any:
    held = now(desk, case).revision if revision is None else revision
    return edits.correct_all(
        desk, case.settlement_id, fixes, revision=held, reason="核对病历", author="甲"
    )


def codes(case: cases.CaseRow) -> list[str]:
    return [row["diag_code"] for row in case.settlement_list().diseinfo or ()]


def test_undo_and_redo_have_no_end_and_come_back_to_the_same_list(
    desk: Desk, case: cases.CaseRow
) -> None:
    before = codes(case)
    correct(desk, case, Fix("move_up", "diseinfo[1]"))
    correct(desk, case, Fix("remove_row", "diseinfo[2]"))
    correct(desk, case, Fix("set", "setlinfo.age", "1"), Fix("set", "setlinfo.medcasno", "甲乙"))
    made = now(desk, case)
    assert codes(made) == [before[1], before[0], *before[3:]]
    sid = case.settlement_id
    for _ in range(3):
        edits.undo_last(desk, sid, revision=now(desk, case).revision, author="甲")
    assert now(desk, case).list_hash == case.list_hash
    with pytest.raises(RecordError, match="没有可撤回"):
        edits.undo_last(desk, sid, revision=now(desk, case).revision, author="甲")
    for _ in range(3):
        edits.redo(desk, sid, revision=now(desk, case).revision, author="甲")
    assert now(desk, case).list_hash == made.list_hash
    with pytest.raises(RecordError, match="没有可重做"):
        edits.redo(desk, sid, revision=now(desk, case).revision, author="甲")
    edits.undo_last(desk, sid, revision=now(desk, case).revision, author="甲")
    assert now(desk, case).settlement_list().get("setlinfo.age") != "1"


def test_a_new_correction_ends_redo(desk: Desk, case: cases.CaseRow) -> None:
    correct(desk, case, Fix("set", "setlinfo.age", "1"))
    edits.undo_last(desk, case.settlement_id, revision=now(desk, case).revision, author="甲")
    correct(desk, case, Fix("set", "setlinfo.age", "2"))
    with pytest.raises(RecordError, match="没有可重做"):
        edits.redo(desk, case.settlement_id, revision=now(desk, case).revision, author="甲")


def test_an_act_holds_as_a_whole_or_not_at_all(desk: Desk, case: cases.CaseRow) -> None:
    with pytest.raises(RecordError, match=r"没有 oprninfo\[99\]"):
        correct(
            desk,
            case,
            Fix("set", "setlinfo.age", "1"),
            Fix("set", "oprninfo[99].oprn_oprt_code", "47.0100"),
        )
    assert now(desk, case) == case
    with pytest.raises(RecordError, match="没有填写理由"):
        edits.correct_all(
            desk,
            case.settlement_id,
            (Fix("set", "setlinfo.age", "1"),),
            revision=case.revision,
            reason="  ",
            author="甲",
        )
    with pytest.raises(RecordError, match="没有要保存的改动"):
        correct(desk, case)


def test_an_act_on_another_revision_is_refused_with_the_list_as_it_is(
    desk: Desk, case: cases.CaseRow
) -> None:
    correct(desk, case, Fix("set", "setlinfo.age", "1"))
    for act in (
        lambda: correct(desk, case, Fix("set", "setlinfo.age", "2"), revision=case.revision),
        lambda: edits.undo_last(desk, case.settlement_id, revision=case.revision, author="乙"),
        lambda: edits.redo(desk, case.settlement_id, revision=case.revision, author="乙"),
        lambda: edits.release_seen(desk, case.settlement_id, revision=case.revision, author="乙"),
    ):
        with pytest.raises(edits.StaleList) as refused:
            act()
        assert refused.value.case.settlement_list().get("setlinfo.age") == "1"
    assert now(desk, case).settlement_list().get("setlinfo.age") == "1"


def test_every_act_is_in_the_audit_trail(desk: Desk, case: cases.CaseRow) -> None:
    correct(desk, case, Fix("set", "setlinfo.age", "1"))
    sid = case.settlement_id
    edits.undo_last(desk, sid, revision=now(desk, case).revision, author="甲")
    edits.redo(desk, sid, revision=now(desk, case).revision, author="乙")
    number = asking.ask(
        desk, sid, "diseinfo[0].diag_code", question="几级", asked_of="医师", author="甲"
    )
    asking.answer(desk, sid, number, text="三级", author="甲")
    edits.undo_last(desk, sid, revision=now(desk, case).revision, author="甲")
    edits.hold(desk, sid, reason="等会诊", author="甲")
    edits.take_back(desk, sid, author="甲")
    edits.release_seen(desk, sid, revision=now(desk, case).revision, author="甲")
    with desk.store.read() as conn:
        rows = audit.rows(conn, object=f"case:{case.id}")
    assert [(row.actor, row.act) for row in rows] == [
        ("甲", "overlay.added"),
        ("甲", "overlay.undone"),
        ("乙", "overlay.added"),
        ("甲", "question.asked"),
        ("甲", "question.answered"),
        ("甲", "overlay.undone"),
        ("甲", "case.held"),
        ("甲", "case.taken_back"),
        ("甲", "case.released"),
    ]


def test_a_question_holds_the_list_and_the_last_answer_brings_it_back(
    desk: Desk, case: cases.CaseRow
) -> None:
    sid = case.settlement_id
    numbers = [
        asking.ask(desk, sid, "diseinfo[0].diag_code", question=text, asked_of="赵", author="甲")
        for text in ("几级", "哪侧")
    ]
    assert (now(desk, case).state, now(desk, case).hold_reason) == ("held", "等临床：赵")
    with pytest.raises(RecordError, match="还有 2 个问题等临床答复"):
        edits.release(desk, sid, author="甲")
    asking.answer(desk, sid, numbers[0], text="三级", author="甲")
    assert now(desk, case).state == "held"
    asking.answer(desk, sid, numbers[1], text="左", author="甲")
    assert now(desk, case).state == "checked"
    with pytest.raises(RecordError, match="没有第 77 号问题"):
        asking.answer(desk, sid, 77, text="左", author="甲")
    with desk.store.read() as conn:
        assert [q.answer for q in questions.questions_of(conn, sid)] == ["三级", "左"]


def test_a_list_on_its_way_is_neither_corrected_nor_asked_about(
    desk: Desk, case: cases.CaseRow
) -> None:
    desk.store.write(lambda conn: cases.set_state(conn, case.id, "queued", now=desk.clock.now()))
    with pytest.raises(RecordError, match="排队上传"):
        correct(desk, case, Fix("set", "setlinfo.age", "1"))
    with pytest.raises(RecordError, match="排队上传"):
        asking.ask(
            desk, case.settlement_id, "setlinfo.age", question="?", asked_of="赵", author="甲"
        )
    with pytest.raises(RecordError, match="不用取回"):
        edits.take_back(desk, case.settlement_id, author="甲")


def test_a_trial_shows_before_and_after_and_stores_nothing(desk: Desk, case: cases.CaseRow) -> None:
    lst = case.settlement_list()
    tried = preview(desk, lst, [Fix("move_up", "diseinfo[1]")])
    assert tried.before.principal.startswith(codes(case)[0])
    assert tried.after.principal.startswith(codes(case)[1])
    assert tried.before.fee == tried.after.fee
    if tried.before.pay is not None and tried.before.fund is not None:
        assert tried.before.gap == tried.before.pay - tried.before.fund
    broken = preview(desk, lst, [Fix("set", "setlinfo.medcasno", "")])
    assert [item.rule for item in broken.new] == ["B002"]
    assert broken.gone == ()
    assert not broken.moves
    with pytest.raises(RecordError, match="清单上没有"):
        preview(desk, lst, [Fix("remove_row", "diseinfo[99]")])
    assert now(desk, case) == case


def test_a_code_that_left_the_catalogue_keeps_its_old_name(
    prepared: Path, tmp_path: Path, clock: FixedClock
) -> None:
    state = tmp_path / "state"
    shutil.copytree(prepared, state)
    file = tmp_path / "old.csv"
    file.write_text("code,name\nQ99.901,旧时的名称\n", encoding="utf-8")
    import_catalogue(state, "icd10", "sample-0", date(2015, 1, 1), file, now=clock.now())
    with open_desk(state, state / "site.toml", clock=clock) as desk:
        gone = former(desk, "diag_code", "Q99.901", MONTH)
        assert gone is not None
        assert gone.name == "旧时的名称"
        assert "sample-1 版已没有；sample-0 版叫“旧时的名称”" in gone.why


def test_a_typed_code_brings_its_name(desk: Desk, case: cases.CaseRow) -> None:
    lst = case.settlement_list()
    ref = desk.reference(day_of(lst))
    assert ref.icd10 is not None
    code, name = next(iter(ref.icd10.names.items()))
    read = typed(desk, lst, "diseinfo[1].diag_code", f" {code.lower()} ")
    assert {fix.path: fix.value for fix in read.fixes} == {
        "diseinfo[1].diag_code": code,
        "diseinfo[1].diag_name": name,
    }
    assert typed(desk, lst, "diseinfo[0].diag_code", codes(case)[0]).fixes == ()
    cleared = typed(desk, lst, "diseinfo[1].diag_code", "")
    assert [fix.value for fix in cleared.fixes] == ["", ""]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("setlinfo.gend", "女", "2"),
        ("setlinfo.gend", "２", "2"),
        ("setlinfo.dscg_time", "2025/3/9 14:03", "2025-03-09 14:03:00"),
        ("setlinfo.setl_end_date", "20250309", "2025-03-09"),
        ("setlinfo.psn_selfpay", "1,234.5元", "1234.50"),
        ("setlinfo.nwb_bir_wt", "3200克", "3200"),
        ("setlinfo.curr_addr", " 示例路 1 号 ", "示例路 1 号"),
    ],
)
def test_a_typed_text_becomes_a_wire_value(
    desk: Desk, case: cases.CaseRow, path: str, text: str, value: str
) -> None:
    lst = case.settlement_list().with_value(path, "旧")
    assert [fix.value for fix in typed(desk, lst, path, text).fixes] == [value]


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        ("diseinfo[1].diag_code", "jxlwy", "目录里没有 jxlwy"),
        ("oprninfo[0].oprn_oprt_code", "99.9999", "目录里没有"),
        ("setlinfo.gend", "火星", "固定的几个值"),
        ("setlinfo.dscg_time", "2025-02-30", "不存在的日期"),
        ("setlinfo.psn_selfpay", "很多", "读不出的数字"),
        ("setlinfo.dscg_caty", "没有这个科", "登记册中没有"),
        ("setlinfo.chfpdr_code", "XYZ", "登记册中没有"),
        ("setlinfo.curr_addr", "长" * 501, "超过 500 字"),
        ("setlinfo.setl_id", "1", "不能改"),
        ("charges[0].amount", "1", "不能改"),
        ("diseinfo[99].diag_code", "A00.000", "没有这一行"),
        ("nonsense", "1", "不能改"),
    ],
)
def test_a_text_that_means_nothing_there_is_refused_with_a_way_out(
    desk: Desk, case: cases.CaseRow, path: str, text: str, what: str
) -> None:
    lst = case.settlement_list()
    if path.startswith("oprninfo") and not lst.oprninfo:
        lst = lst.with_row("oprninfo", {"oprn_oprt_code": ""})
    with pytest.raises(RecordError, match=what) as refused:
        typed(desk, lst, path, text)
    assert refused.value.remedy


def test_places_nobody_types_into_are_known() -> None:
    assert editable("diseinfo[0].adm_cond_type")
    for path in ("diseinfo", "diseinfo[0]", "history[0].setl_id", "charges[1].name", "a b"):
        assert not editable(path), path


def test_a_code_out_of_the_catalogue_says_why(desk: Desk, case: cases.CaseRow) -> None:
    day = day_of(case.settlement_list())
    assert former(desk, "diag_code", codes(case)[0], day) is None
    gone = former(desk, "diag_code", "Z99.999", day)
    assert gone is not None
    assert "没有这个代码" in gone.why
    assert former(desk, "adm_cond_type", "1", day) is None
