"""还可能是: what the case page shows of other principal diagnoses, and how one is taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.pipeline import alternatives
from dipgate.pipeline.desk import Desk
from dipgate.pregrouper.alternatives import Option
from dipgate.store import audit, cases, overlays


@pytest.fixture
def desk(listed_state: Path, tmp_path: Path, clock: FixedClock, kit: Any) -> Iterator[Desk]:
    with kit.opened_desk(listed_state, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def coder(browser: Callable[..., Any]) -> Any:
    return browser("coder")


def with_option(desk: Desk, wanted: Callable[[Option], bool]) -> tuple[cases.CaseRow, Option]:
    """A list with such an option."""
    with desk.store.read() as conn:
        found = cases.cases_in(conn)
    for case in found:
        lst = case.settlement_list()
        made = alternatives.alternatives(alternatives.bench_of(desk, lst), lst)
        for option in made.options:
            if wanted(option):
                return case, option
    raise AssertionError("no such option in the month")


def open_diagnosis(option: Option) -> bool:
    return not option.locked and option.diagnosis is not None and option.operation is None


def locked(option: Option) -> bool:
    return option.locked and option.diagnosis is not None


def sent(case: cases.CaseRow, option: Option, reason: str) -> dict[str, str]:
    return {
        "key": option.key,
        "reason": reason,
        "revision": str(case.revision),
        "last": "0",
    }


def principal(desk: Desk, case: cases.CaseRow) -> str:
    with desk.store.read() as conn:
        found = cases.get_case(conn, case.id)
    assert found is not None
    lst = found.settlement_list()
    rows = lst.diseinfo or ()
    return next(str(row["diag_code"]) for row in rows if row.get("maindiag_flag") == "1")


def test_an_open_option_has_all_that_is_to_be_weighed(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, open_diagnosis)
    said = coder.get(f"/case/{case.id}/alternatives", htmx=True)
    assert said.status_code == 200
    assert option.diagnosis is not None
    for text in (
        option.diagnosis.code,
        option.diagnosis.name,
        option.group.group_code,
        option.evidence[0].text,
        "编码高套风险",
        "按依据排，不按钱排",
    ):
        assert text in said.text, text
    assert f'name="key" value="{option.key}"' in said.text
    assert re.search(r'name="reason"[^>]*required', said.text)
    assert 'data-goes="c-' in said.text


def test_a_locked_one_says_why_and_offers_no_way(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, locked)
    said = coder.get(f"/case/{case.id}/alternatives", htmx=True)
    assert option.reasons[0] in said.text
    assert f'value="{option.key}"' not in said.text


def test_looking_is_kept_in_the_audit(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, open_diagnosis)
    for _ in range(2):
        coder.get(f"/case/{case.id}/alternatives", htmx=True)
    with desk.store.read() as conn:
        rows = audit.rows(conn, object=f"case:{case.id}", act="case.simulated")
    assert len(rows) == 1, "the same trial again by the same person is one row"
    assert rows[0].actor == "bian"
    assert f"{option.key} {option.group.status.value}" in str(rows[0].detail["results"])


def test_fields_that_are_tried_are_kept_too(desk: Desk, coder: Any) -> None:
    case, _ = with_option(desk, locked)
    form = {"op": "move_up", "path": "diseinfo[1]", "revision": str(case.revision)}
    coder.post(f"/case/{case.id}/simulate", form, htmx=True)
    with desk.store.read() as conn:
        rows = audit.rows(conn, object=f"case:{case.id}", act="case.simulated")
    assert [row.detail["paths"] for row in rows] == ["move_up diseinfo[1]"]
    coder.get(f"/case/{case.id}/compare?op=move_up&path=diseinfo[1]", htmx=True)
    coder.post(f"/case/{case.id}/simulate", {"path": "diseinfo[0].diag_code", "q": "?"}, htmx=True)
    with desk.store.read() as conn:
        again = audit.rows(conn, object=f"case:{case.id}", act="case.simulated")
    assert len(again) == 1, "the same trial, and a text that is no change"


def test_one_is_taken_with_a_reason_and_can_be_taken_back(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, open_diagnosis)
    before = principal(desk, case)
    said = coder.post(
        f"/case/{case.id}/alternatives", sent(case, option, "出院小结第一诊断"), htmx=True
    )
    assert said.status_code == 200, said.text
    assert option.diagnosis is not None
    assert principal(desk, case) == option.diagnosis.code != before
    assert f"已存：主要诊断 {option.diagnosis.code}" in said.text
    with desk.store.read() as conn:
        (act,) = overlays.acts_of(conn, case.settlement_id)
    assert (act.author, act.reason) == ("bian", "出院小结第一诊断")
    revision = str(case.revision + 1)
    coder.post(f"/case/{case.id}/undo", {"revision": revision, "last": "0"}, htmx=True)
    assert principal(desk, case) == before


@pytest.mark.parametrize(
    ("wanted", "reason", "status", "told"),
    [
        (open_diagnosis, "  ", 422, "没有填写理由"),
        (locked, "分高", 422, "病历不支持"),
    ],
)
def test_neither_without_reason_nor_without_support(
    desk: Desk,
    coder: Any,
    wanted: Callable[[Option], bool],
    reason: str,
    status: int,
    told: str,
) -> None:
    case, option = with_option(desk, wanted)
    before = principal(desk, case)
    said = coder.post(f"/case/{case.id}/alternatives", sent(case, option, reason), htmx=True)
    assert said.status_code == status
    assert told in said.text
    assert principal(desk, case) == before


def test_what_is_not_on_the_list_or_out_of_date_is_refused(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, open_diagnosis)
    url = f"/case/{case.id}/alternatives"
    form = sent(case, option, "出院小结")
    assert coder.post(url, {**form, "key": "diseinfo[99]"}, htmx=True).status_code == 422
    assert coder.post(url, {**form, "revision": "0"}, htmx=True).status_code == 409
    assert coder.post("/case/nothing/alternatives", form, htmx=True).status_code == 404
    assert coder.get("/case/nothing/alternatives", htmx=True).status_code == 404


def test_a_mistake_in_the_sites_tables_is_said(desk: Desk, coder: Any) -> None:
    case, option = with_option(desk, open_diagnosis)
    folder = desk.folder / "evidence"
    folder.mkdir()
    (folder / "wards.csv").write_text("ward,dx", encoding="utf-8")
    desk._evidence.clear()
    url = f"/case/{case.id}/alternatives"
    assert "wards.csv 的列应为" in coder.get(url, htmx=True).text
    said = coder.post(url, sent(case, option, "出院小结"), htmx=True)
    assert said.status_code == 422
    assert "没有存" in said.text
