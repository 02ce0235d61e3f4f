"""The case page: what it shows, what each act changes, what is refused and loses nothing."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.findings import FindingStatus
from dipgate.core.lists import SettlementList
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import judge, store_judgements
from dipgate.store import cases, overlays, questions, verdicts

PATH = "setlinfo.dscg_way"


@pytest.fixture
def desk(listed_state: Path, tmp_path: Path, clock: FixedClock, kit: Any) -> Iterator[Desk]:
    """The sample state with a month of lists in it."""
    with kit.opened_desk(listed_state, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def coder(browser: Callable[..., Any]) -> Any:
    return browser("coder")


def all_cases(desk: Desk) -> tuple[cases.CaseRow, ...]:
    with desk.store.read() as conn:
        return cases.cases_in(conn)


def with_rule(desk: Desk, rule: str) -> cases.CaseRow:
    """A list on which a rule is found."""
    for case in all_cases(desk):
        with desk.store.read() as conn:
            verdict = verdicts.latest(conn, case.id)
        if verdict and any(
            item.rule == rule and item.status is FindingStatus.FOUND for item in verdict.findings
        ):
            return case
    raise AssertionError(f"no list with {rule}")


def clean(desk: Desk) -> cases.CaseRow:
    """A list without any finding, with a few diagnoses."""
    for case in all_cases(desk):
        with desk.store.read() as conn:
            verdict = verdicts.latest(conn, case.id)
        if verdict and not verdict.findings and len(case.settlement_list().diseinfo or ()) > 2:
            return case
    raise AssertionError("no clean list")


def again(desk: Desk, case: cases.CaseRow) -> cases.CaseRow:
    with desk.store.read() as conn:
        found = cases.get_case(conn, case.id)
    assert found is not None
    return found


def stored(desk: Desk, case: cases.CaseRow, lst: SettlementList) -> cases.CaseRow:
    """The case with another list, as if the source had brought it; judged."""

    def put(conn: Any) -> cases.CaseRow:
        after = cases.put_case(
            conn,
            lst=lst,
            origins=cases.origins_of(conn, case.id),
            source=case.source,
            stay_key=case.stay_key,
            person_no=case.person_no,
            settled_on=case.settled_on,
            department=case.department,
            doctor=case.doctor,
            fee_fen=case.fee_fen,
            now=desk.clock.now(),
        )
        store_judgements(conn, [(after, judge(desk, lst))], now=desk.clock.now())
        return after

    return desk.store.write(put)


def save(browser: Any, case: cases.CaseRow, path: str, value: str, **more: str) -> Any:
    data = {"q": value, "reason": "核对病历", "revision": str(case.revision), "last": "0", **more}
    return browser.post(f"/case/{case.id}/field/{quote(path)}", data, htmx=True)


def act(browser: Any, case: cases.CaseRow, what: str, **data: str) -> Any:
    return browser.post(
        f"/case/{case.id}/{what}", {"revision": str(case.revision), "last": "0", **data}, htmx=True
    )


def plain(answer: Any) -> str:
    """Text of an answer without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


# -- what is shown


def test_the_list_stands_beside_its_problems_and_its_source(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "D009")
    page = coder.get(f"/case/{case.id}")
    assert page.status_code == 200
    text = plain(page)
    lst = case.settlement_list()
    for diagnosis in lst.diseinfo or ():
        assert f"{diagnosis['diag_code']} {diagnosis['diag_name']}" in text
    for word in ("入院时间", "离院方式", "医保类型", "票据号码", "主诊医师", "住院与结算", "患者"):
        assert word in text
    with desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
        origins = {item.path: item for item in cases.origins_of(conn, case.id)}
    assert verdict is not None
    finding = next(item for item in verdict.findings if item.rule == "D009")
    assert "D009" in text
    for part in finding.message.split(finding.value):
        assert part.strip() in text
    assert finding.clause in text
    origin = origins[finding.field]
    assert f"{origin.object_name} 第 {origin.row} 行 {origin.column} “{origin.raw_value}”" in text
    assert finding.fixes[0].text in text
    assert "放行前：改 1 处" in text
    marked = re.search(r'class="cell f-stop" id="([^"]+)"', page.text)
    assert marked is not None
    assert f'data-shows="{marked[1]}"' in page.text
    token = re.search(rf'id="{marked[1]}"[^>]*data-src="([\w.]+)', page.text)
    assert token is not None
    assert f'data-cell="{token[1]}"' in page.text


def test_every_field_of_the_list_is_on_the_page(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    text = coder.get(f"/case/{case.id}").text
    shown = set(re.findall(r'data-path="([^"]+)"', text))
    partners = {"chfpdr_name", "adm_dept_name", "dscg_dept_name", "otp_wm_dise", "setl_id"}
    for name in case.settlement_list().setlinfo:
        assert f"setlinfo.{name}" in shown or name in partners, name
    for node in ("iteminfo", "payinfo"):
        for at, row in enumerate(case.settlement_list().rows(node) or ()):
            for name in row:
                assert f"{node}[{at}].{name}" in shown


def test_the_strip_says_what_the_list_is_worth(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    judged = judge(desk, case.settlement_list())
    text = plain(coder.get(f"/case/{case.id}/strip", htmx=True))
    assert judged.group.group_code in text
    assert judged.score.amount is not None
    amount = f"{judged.score.amount // 100:,}.{judged.score.amount % 100:02d}"
    assert f"预计支付 {amount}" in text
    assert "差额（支付 − 记账）" in text
    assert "→" not in text
    assert "可以放行" in text


def test_the_group_is_explained_step_by_step(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    judged = judge(desk, case.settlement_list())
    text = plain(coder.get(f"/case/{case.id}/trace", htmx=True))
    for step in (*judged.group.trace, *judged.score.trace):
        assert " ".join(step.text.split()) in text
    assert judged.library in text
    assert "示例市付费政策，2024-01-01 起" in text
    assert judged.policy not in text


def test_an_unknown_case_is_not_there(coder: Any) -> None:
    for path in ("", "/list", "/trace", "/print", "/field/setlinfo.gend", "/ask", "/compare"):
        assert coder.get(f"/case/0000000000000000{path}", htmx=True).status_code == 404


def test_markup_in_names_is_text(coder: Any, desk: Desk) -> None:
    evil = "<img src=x onerror=alert(1)>\"'"
    case = clean(desk)
    lst = case.settlement_list()
    for path in ("setlinfo.psn_name", "diseinfo[1].diag_name", "setlinfo.medcasno"):
        lst = lst.with_value(path, evil)
    case = stored(desk, case, lst)
    for path in ("", "/list", "/print", "/findings", f"/field/{quote('setlinfo.psn_name')}"):
        answer = coder.get(f"/case/{case.id}{path}", htmx=path not in ("", "/print"))
        assert answer.status_code == 200
        assert "<img" not in answer.text
    assert evil in plain(coder.get(f"/case/{case.id}"))


def test_a_code_that_left_the_catalogue_keeps_its_name_and_says_why(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "D001")
    text = plain(coder.get(f"/case/{case.id}"))
    assert "sample-1 版没有这个代码" in text


def test_ten_thousand_problems_are_paged_and_counted(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    lst = case.settlement_list()
    first = (lst.diseinfo or ())[0]
    many = tuple(
        {**first, "diag_code": f"Q9{n % 10}.{n:05d}", "diag_name": "不对", "maindiag_flag": "0"}
        for n in range(5_000)
    )
    case = stored(desk, case, dataclasses.replace(lst, diseinfo=(*(lst.diseinfo or ()), *many)))
    with desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
    assert verdict is not None
    assert verdict.errors >= 10_000
    page = coder.get(f"/case/{case.id}")
    assert len(page.data) < 600_000
    assert page.text.count('class="finding e-stop"') == 60
    assert f"不能传：{verdict.errors:,} 处" in page.text
    found = sum(item.status is FindingStatus.FOUND for item in verdict.findings)
    assert f"后面还有 {found - 60:,} 处" in page.text
    assert "行没有列出" in page.text
    after = coder.get(f"/case/{case.id}/findings?from=9960", htmx=True)
    assert 0 < after.text.count('class="finding e-') <= 60
    path = "diseinfo[4000].diag_code"
    shown = coder.get(f"/case/{case.id}/list?show={quote(path)}", htmx=True)
    assert f'data-path="{path}"' in shown.text
    assert coder.get(f"/case/{case.id}/findings?from=-1e9", htmx=True).status_code == 200


def test_the_next_and_the_one_before_follow_the_queue(coder: Any) -> None:
    first = coder.get("/case")
    assert first.status_code == 303
    page = coder.get(first.headers["Location"])
    following = re.search(r'data-key="J" href="([^"]+)"', page.text)
    assert following is not None
    assert 'data-key="K" href' not in page.text
    second = coder.get(following[1])
    back = re.search(r'data-key="K" href="([^"]+)"', second.text)
    assert back is not None
    assert back[1] == first.headers["Location"]
    assert coder.get("/case").headers["Location"] == following[1]


# -- editing


def test_a_field_is_edited_in_place_with_a_reason(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    editor = coder.get(f"/case/{case.id}/field/{PATH}", htmx=True)
    assert 'name="q"' in editor.text
    assert 'name="reason" value="按病历核对更正"' in editor.text
    assert f'name="revision" id="edit-revision" value="{case.revision}"' in editor.text
    answer = save(coder, case, PATH, "医嘱转院")
    assert answer.status_code == 200
    after = again(desk, case)
    assert after.settlement_list().get(PATH) == "2"
    for part in ("listhead", "problemhead", "findings", "casehead", "strip", "nav"):
        assert re.search(rf'id="{part}"[^>]*hx-swap-oob', answer.text), part
    assert "改动 1 处" in plain(answer)
    assert re.search(r'class="cell f-fixed" id="c-setlinfo-dscg_way"[^>]*autofocus', answer.text)
    with desk.store.read() as conn:
        (made,) = overlays.active_for(conn, case.settlement_id)
    assert (made.author, made.reason, made.expect) == ("bian", "核对病历", "1")


def test_a_finding_goes_when_its_field_is_put_right(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "L004")
    with desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
    assert verdict is not None
    finding = next(item for item in verdict.findings if item.rule == "L004")
    assert "按规则 L004 更正" in coder.get(f"/case/{case.id}/field/{finding.field}", htmx=True).text
    answer = save(coder, case, finding.field, finding.fixes[0].value)
    assert "L004" not in answer.text
    assert "可以放行" in plain(answer)


def test_a_fix_is_one_press_and_a_new_code_brings_its_name(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "D004")
    with desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
    assert verdict is not None
    finding = next(item for item in verdict.findings if item.rule == "D004")
    fix = finding.fixes[0]
    answer = act(coder, case, "fix", op=fix.op, path=fix.path, value=fix.value, reason="按对照表")
    assert answer.status_code == 200
    after = again(desk, case).settlement_list()
    assert after.get(finding.field) == fix.value
    ref = desk.reference(case.settled_on)
    assert ref.icd10 is not None
    assert after.get(finding.field.replace("code", "name")) == ref.icd10.name(fix.value)
    assert "D004" not in answer.text
    assert "D002" not in answer.text
    undone = act(coder, again(desk, case), "undo")
    assert undone.status_code == 200
    assert again(desk, case).list_hash == case.list_hash, "code and name go back together"


def test_a_typed_text_that_means_nothing_is_refused_under_the_field(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    answer = save(coder, case, "diseinfo[1].diag_code", "jxlwy")
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#conflict"
    assert "目录里没有 jxlwy" in answer.text
    empty = save(coder, case, PATH, "2", reason=" ")
    assert empty.status_code == 422
    assert "没有填写理由" in empty.text
    assert again(desk, case) == case


def test_saving_what_stands_there_changes_nothing(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    answer = save(coder, case, PATH, case.settlement_list().get(PATH))
    assert answer.status_code == 200
    assert again(desk, case) == case


def test_a_list_changed_meanwhile_shows_both_values_and_loses_neither(
    coder: Any, browser: Callable[..., Any], desk: Desk
) -> None:
    case = clean(desk)
    other = browser("coder")
    assert save(other, case, PATH, "4").status_code == 200
    refused = save(coder, case, PATH, "2", seen="1")
    assert refused.status_code == 409
    assert refused.headers["HX-Retarget"] == "#conflict"
    text = plain(refused)
    for part in ("您看到 1", "现在是 4", "您要存 2", "bian", "离院方式：1 → 4", "核对病历"):
        assert part in text, part
    assert again(desk, case).settlement_list().get(PATH) == "4"
    now = again(desk, case)
    assert f'id="edit-revision" value="{now.revision}" hx-swap-oob="true"' in refused.text
    assert save(coder, now, PATH, "2").status_code == 200
    assert again(desk, case).settlement_list().get(PATH) == "2"
    with desk.store.read() as conn:
        values = [item.value for item in overlays.active_for(conn, case.settlement_id)]
    assert values == ["4", "2"]


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("fix", {"op": "set", "path": PATH, "value": "2", "reason": "x"}),
        ("row", {"op": "move_up", "path": "diseinfo[1]"}),
        ("undo", {}),
        ("redo", {}),
        ("release", {}),
    ],
)
def test_every_act_on_an_older_list_is_refused(
    coder: Any, desk: Desk, what: str, data: dict[str, str]
) -> None:
    case = clean(desk)
    assert save(coder, case, PATH, "4").status_code == 200
    refused = act(coder, case, what, **data)
    assert refused.status_code == 409
    assert "这份清单刚变过" in refused.text
    assert again(desk, case).settlement_list().get(PATH) == "4"


def test_lines_move_and_the_first_is_the_principal(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    codes = [row["diag_code"] for row in case.settlement_list().diseinfo or ()]
    assert act(coder, case, "row", op="move_down", path="diseinfo[0]").status_code == 200
    after = again(desk, case)
    rows = after.settlement_list().diseinfo or ()
    assert [row["diag_code"] for row in rows[:2]] == codes[1::-1]
    assert [row["maindiag_flag"] for row in rows[:2]] == ["1", "0"]
    with desk.store.read() as conn:
        (made,) = overlays.active_for(conn, case.settlement_id)
    assert made.reason == f"主要诊断由 {codes[0]} 改为 {codes[1]}"
    last = len(codes) - 1
    refused = act(coder, after, "row", op="move_down", path=f"diseinfo[{last}]")
    assert refused.status_code == 422
    assert "最后一行" in refused.text


def test_a_removed_principal_leaves_the_next_one_principal(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    before = case.settlement_list().diseinfo or ()
    assert act(coder, case, "row", op="remove_row", path="diseinfo[0]").status_code == 200
    after = again(desk, case)
    rows = after.settlement_list().diseinfo or ()
    assert rows[0]["diag_code"] == before[1]["diag_code"]
    assert rows[0]["maindiag_flag"] == "1"
    assert act(coder, after, "undo").status_code == 200
    assert again(desk, case).list_hash == case.list_hash


def test_a_line_is_added_where_the_next_one_would_stand(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    count = len(case.settlement_list().diseinfo or ())
    path = f"diseinfo[{count}].diag_code"
    assert "新的一行" in coder.get(f"/case/{case.id}/field/{quote(path)}", htmx=True).text
    ref = desk.reference(case.settled_on)
    assert ref.icd10 is not None
    used = {row["diag_code"] for row in case.settlement_list().diseinfo or ()}
    code = next(item for item in ref.icd10.names if item not in used)
    assert save(coder, case, path, code).status_code == 200
    row = (again(desk, case).settlement_list().diseinfo or ())[-1]
    assert (row["diag_code"], row["diag_name"]) == (code, ref.icd10.name(code))
    assert (row["diag_type"], row["maindiag_flag"]) == ("1", "0")
    beyond = coder.get(f"/case/{case.id}/field/{quote('diseinfo[99].diag_code')}", htmx=True)
    assert beyond.status_code == 404


def test_undo_and_redo_are_told_in_the_history(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    save(coder, case, PATH, "2")
    save(coder, again(desk, case), PATH, "4")
    act(coder, again(desk, case), "undo")
    assert again(desk, case).settlement_list().get(PATH) == "2"
    text = plain(coder.get(f"/case/{case.id}/history", htmx=True))
    assert "离院方式：2 → 4" in text
    assert "bian 12:00 撤回" in text
    assert act(coder, again(desk, case), "redo").status_code == 200
    assert again(desk, case).settlement_list().get(PATH) == "4"
    nothing = act(coder, again(desk, case), "redo")
    assert nothing.status_code == 422


def test_a_trial_moves_the_strip_and_stores_nothing(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    ref = desk.reference(case.settled_on)
    assert ref.icd10 is not None
    other = next(code for code in ref.icd10.names if code.startswith("K35"))
    tried = act(coder, case, "simulate", path="diseinfo[0].diag_code", q=other)
    assert tried.status_code == 200
    assert "→" in tried.text
    half = act(coder, case, "simulate", path="diseinfo[0].diag_code", q="jxl")
    assert half.status_code == 200
    assert "→" not in half.text
    both = coder.get(
        f"/case/{case.id}/compare?path={quote('diseinfo[0].diag_code')}&q={other}", htmx=True
    )
    assert "已存" in both.text
    assert other in both.text
    assert "没有没存的改动" in coder.get(f"/case/{case.id}/compare", htmx=True).text
    assert again(desk, case) == case


def test_options_of_a_fixed_set_are_found_by_code_and_word(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    every = coder.get(f"/case/{case.id}/options/{PATH}", htmx=True)
    assert every.text.count('role="option"') == len(desk.forms.codesets["dscg_way"])
    some = plain(coder.get(f"/case/{case.id}/options/{PATH}?q=转院", htmx=True))
    assert "医嘱转院" in some
    assert "死亡" not in some
    wards = coder.get(f"/case/{case.id}/options/setlinfo.dscg_caty?q=内科", htmx=True)
    assert 'role="option"' in wards.text
    assert coder.get(f"/case/{case.id}/options/nonsense?q=1", htmx=True).status_code == 404


# -- the whole list


def test_release_hold_and_take_back(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    assert act(coder, case, "hold", reason="").status_code == 422
    assert act(coder, case, "hold", reason="等会诊").status_code == 200
    held = again(desk, case)
    assert (held.state, held.hold_reason) == ("held", "等会诊")
    assert act(coder, case, "back").status_code == 200
    assert again(desk, case).state == "checked"
    answer = act(coder, case, "release")
    assert answer.status_code == 200
    assert again(desk, case).state == "ready"
    assert "已放行，还没进上传队列" in plain(answer)
    assert act(coder, case, "back").status_code == 200
    assert again(desk, case).state == "checked"


def test_a_list_with_errors_is_not_released(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "D009")
    assert 'data-key="F8"' in coder.get(f"/case/{case.id}").text
    answer = act(coder, case, "release")
    assert answer.status_code == 422
    assert "还有 1 处错误" in answer.text
    assert again(desk, case).state == "checked"


def test_a_question_goes_to_the_clinician_with_its_field(coder: Any, desk: Desk) -> None:
    case = with_rule(desk, "D009")
    with desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
    assert verdict is not None
    finding = next(item for item in verdict.findings if item.rule == "D009")
    form = coder.get(f"/case/{case.id}/ask?path={quote(finding.field)}&rule=D009", htmx=True)
    assert finding.message in form.text
    asked = act(coder, case, "ask", path=finding.field, question="是同一次吗", asked_of="赵")
    assert asked.status_code == 200
    assert "等赵答复" in plain(asked)
    assert again(desk, case).state == "held"
    with desk.store.read() as conn:
        (question,) = questions.questions_of(conn, case.settlement_id)
    done = act(coder, case, "answer", question=str(question.id), text="是")
    assert done.status_code == 200
    assert "赵答" in plain(done)
    assert again(desk, case).state == "checked"
    assert act(coder, case, "answer", question="999", text="是").status_code == 422
    assert act(coder, case, "ask", path="a b", question="?", asked_of="赵").status_code == 422


def test_a_list_on_its_way_is_only_shown(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    desk.store.write(lambda conn: cases.set_state(conn, case.id, "queued", now=desk.clock.now()))
    page = coder.get(f"/case/{case.id}")
    assert "hx-get" not in re.findall(r'<button[^>]*id="c-setlinfo-dscg_way"[^>]*>', page.text)[0]
    assert coder.get(f"/case/{case.id}/field/{PATH}", htmx=True).status_code == 409
    assert save(coder, case, PATH, "2").status_code == 422


def test_the_office_reads_and_releases_but_does_not_correct(
    browser: Callable[..., Any], desk: Desk
) -> None:
    office = browser("office")
    case = clean(desk)
    page = office.get(f"/case/{case.id}")
    assert page.status_code == 200
    assert "/undo" not in page.text
    assert 'hx-get="' + f"/case/{case.id}/field" not in page.text
    assert save(office, case, PATH, "2").status_code == 403
    assert again(desk, case) == case
    assert act(office, case, "release").status_code == 200
    administrator = browser("administrator")
    assert administrator.get(f"/case/{case.id}").status_code == 403


# -- paper


def test_the_print_has_every_box_of_the_official_form(coder: Any, desk: Desk) -> None:
    case = clean(desk)
    lst = case.settlement_list()
    page = coder.get(f"/case/{case.id}/print")
    text = plain(page)
    for part in ("一、基本信息", "二、门诊慢特病诊疗信息", "三、住院诊疗信息", "四、医疗收费信息"):
        assert part in text
    for item in desk.forms.layout:
        if item.code in lst.setlinfo and item.seq != "2021+":
            assert item.item in text, item.item
            assert lst.get(f"setlinfo.{item.code}")[:10] in page.text or desk.forms.meaning(
                "setlinfo", item.code, lst.get(f"setlinfo.{item.code}")
            )
    for row in lst.iteminfo or ():
        assert row["amt"] in text
    assert "金额合计" in text
    assert "草稿：没有放行" in text
    act(coder, case, "release")
    assert "草稿" not in coder.get(f"/case/{case.id}/print").text
