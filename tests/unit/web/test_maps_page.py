"""The page of code maps: one proposes, another approves, every waiting list is mended."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from dipgate.core.clock import FixedClock
from dipgate.core.reference import MapEntry
from dipgate.pipeline import maps_desk
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.remap import remap
from dipgate.service.wiring import open_desk
from dipgate.store import accounts, audit, cases, map_proposals, unmapped
from dipgate.store.unmapped import WaitingCode

Open = Callable[..., Any]


@pytest.fixture
def desk(
    listed_state: Path,
    tmp_path: Path,
    clock: FixedClock,
    forget_map_row: Callable[[Path, Path], str],
) -> Iterator[Desk]:
    """The synthetic month, when its busiest diagnosis is in no map."""
    state = tmp_path / "state"
    shutil.copytree(listed_state, state)
    forget_map_row(state, listed_state.parent / "export")
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        with opened.store.read() as conn:
            every = [case.settlement_id for case in cases.cases_in(conn)]
        remap(opened, every)
        yield opened


def item_of(desk: Desk) -> WaitingCode:
    with desk.store.read() as conn:
        return max(unmapped.queue(conn), key=lambda item: item.waiting)


def form_of(item: WaitingCode, **more: str) -> dict[str, str]:
    return {
        "kind": item.kind,
        "source_code": item.code,
        "source_name": item.name,
        "target_code": item.code,
        "reason": "名称相同",
    } | more


def run_steps(opened: Any, answer: Any) -> tuple[str, int]:
    """Follow the steps that the answers ask for; the last answer and how many steps there were."""
    steps = 0
    while 'hx-trigger="load"' in answer.text:
        path = re.search(r'hx-post="([^"]+)"', answer.text)
        sends = re.search(r'hx-vals="([^"]*)"', answer.text)
        assert path
        assert sends
        data = {name: str(value) for name, value in json.loads(unescape(sends[1])).items()}
        answer = opened.post(path[1], data, htmx=True)
        assert answer.status_code == 200
        steps += 1
    return answer.text, steps


def number_of(desk: Desk) -> int:
    with desk.store.read() as conn:
        (*_, last) = map_proposals.proposals(conn)
    return last.id


def decided(opened: Any, number: int, state: str) -> Any:
    return opened.post(f"/maps/{number}/decide", {"state": state, "reason": "核过"}, htmx=True)


def test_the_queue_shows_lists_money_and_candidates(desk: Desk, browser: Open) -> None:
    item = item_of(desk)
    for role in ("coder", "office", "administrator"):
        page = browser(role).get(f"/maps?open={item.id}")
        assert page.status_code == 200
        assert item.code in page.text
        assert "医保版里有同一个代码" in page.text
        assert "等着的清单" in page.text
    assert 'href="/case/' in browser("coder").get(f"/maps?open={item.id}").text
    # An administrator sees no list, so there is no way to one either.
    assert 'href="/case/' not in browser("administrator").get(f"/maps?open={item.id}").text


def test_looked_at_proposed_approved_by_another_and_all_lists_are_mended(
    desk: Desk, browser: Open
) -> None:
    item, coder, office = item_of(desk), browser("coder"), browser("office")
    looked = coder.post("/maps/preview", form_of(item), htmx=True)
    assert f"用到 {item.waiting} 份等着的清单" in looked.text
    assert "预计支付从" in looked.text
    assert "第 1 号，已提交" in coder.post("/maps/propose", form_of(item), htmx=True).text
    assert item_of(desk) == item
    assert "自己提的，等别人批准" in coder.get("/maps?tab=proposed").text
    assert ">批准<" in office.get("/maps?tab=proposed").text
    number = number_of(desk)
    assert "份等着的清单" in office.post(f"/maps/{number}/preview", htmx=True).text
    text, steps = run_steps(office, decided(office, number, "approved"))
    assert steps == -(-item.waiting // maps_desk.STEP)
    assert f"重新映射、检查、入组 {item.waiting} 份" in text
    with desk.store.read() as conn:
        assert not any(one.code == item.code for one in unmapped.queue(conn))
        acts = [row.act for row in audit.rows(conn, object=f"map:{number}")]
    assert acts[:2] == ["map.proposed", "map.approved"]
    assert item.code in office.get("/maps?tab=active").text
    assert decided(office, number, "rejected").status_code == 422


@pytest.mark.parametrize("role", ["coder", "office", "administrator"])
@pytest.mark.parametrize("goal", ["approved", "rejected"])
def test_nobody_approves_his_own_whatever_his_role(
    desk: Desk, browser: Open, role: str, goal: str
) -> None:
    item, opened = item_of(desk), browser(role)
    opened.post("/maps/propose", form_of(item), htmx=True)
    number = number_of(desk)
    answer = decided(opened, number, goal)
    assert (answer.status_code, "不能自己批准" in answer.text) == (422, True)
    assert opened.post(f"/maps/{number}/apply", htmx=True).status_code == 404
    assert item_of(desk) == item
    assert "撤销了" in decided(opened, number, "withdrawn").text


def test_withdrawn_the_lists_wait_again_and_the_past_says_why(desk: Desk, browser: Open) -> None:
    item, coder, office = item_of(desk), browser("coder"), browser("office")
    coder.post("/maps/propose", form_of(item), htmx=True)
    number = number_of(desk)
    run_steps(office, decided(office, number, "approved"))
    run_steps(office, decided(office, number, "withdrawn"))
    assert item_of(desk).waiting == item.waiting
    assert "核过" in office.get("/maps?tab=past").text
    assert "以前的建议" in coder.get(f"/maps?open={item.id}").text


@pytest.mark.parametrize(
    ("change", "says"),
    [({"reason": ""}, "没有填写依据"), ({"target_code": "A00.999"}, "里没有")],
)
def test_what_is_refused_says_why(
    desk: Desk, browser: Open, change: dict[str, str], says: str
) -> None:
    answer = browser("coder").post("/maps/propose", form_of(item_of(desk), **change), htmx=True)
    assert (answer.status_code, says in answer.text) == (422, True)


def test_one_person_alone_is_told_how_to_add_a_second(desk: Desk, browser: Open) -> None:
    coder, item = browser("coder"), item_of(desk)
    assert 'id="alone"' not in coder.get("/maps").text
    now = desk.clock.now()
    for login in ("yiban", "xinxi"):
        desk.store.write(
            lambda conn, login=login: accounts.set_disabled(
                conn, login, disabled=True, now=now, actor="test"
            )
        )
    assert "dipgate user add" in coder.get("/maps").text
    assert "没有第二个人" in coder.post("/maps/propose", form_of(item), htmx=True).text


def test_several_targets_are_not_chosen_by_the_program(desk: Desk, browser: Open) -> None:
    item = item_of(desk)
    table = desk.reference(None).icd10
    assert table is not None
    targets = [code for code in table.names if code != item.code][:2]
    rows = [
        MapEntry(item.code, item.name, target, "", "hospital", "two", number)
        for number, target in enumerate(targets, start=2)
    ]
    desk.references = desk.references.renewed(maps={"icd10-map": rows})
    page = browser("coder").get(f"/maps?open={item.id}")
    assert "对照表给出 2 个目标，程序不替人选" in page.text
    assert all(target in page.text for target in targets)


def test_rows_that_run_out_and_the_json_twin(desk: Desk, browser: Open) -> None:
    item, coder = item_of(desk), browser("coder")
    coder.post("/maps/propose", form_of(item, last_day="2025-06-30"), htmx=True)
    rows = coder.get("/maps.json").get_json()
    (row,) = [row for row in rows if row["id"] == item.id]
    assert (row["waiting"], row["candidates"][0]["code"]) == (item.waiting, item.code)
    run_steps(browser("office"), decided(browser("office"), number_of(desk), "approved"))
    assert "1 行对照到 2025-07-01 失效" in coder.get("/maps?tab=ending").text


def test_a_finding_about_the_code_leads_to_the_page(desk: Desk, browser: Open) -> None:
    with desk.store.read() as conn:
        ids = {item.code: item.id for item in unmapped.queue(conn)}
        cases_of = {
            use.case_id: code for code in ids for use in unmapped.uses(conn, "icd10", (code,))
        }
    coder = browser("coder")
    led = {
        code
        for case_id, code in cases_of.items()
        if f'href="/maps?open={ids[code]}"' in coder.get(f"/case/{case_id}").text
    }
    assert led, "no finding is about an unmapped code"
    assert led <= set(ids)


def test_health_has_coverage_and_its_twin(desk: Desk, browser: Open) -> None:
    office = browser("office")
    assert "对照覆盖" in office.get("/health").text
    found = office.get("/health.json").get_json()["maps"]["coverage"]
    (diagnoses,) = [item for item in found if item["family"] == "icd10"]
    assert diagnoses["seen"] - diagnoses["known"] >= item_of(desk).waiting


def test_in_browsers_of_two_people_the_lists_are_mended(
    desk: Desk, app: Any, kit: Any, chromium: Any, serving: Callable[[Any], str]
) -> None:
    item = item_of(desk)
    address = serving(app)
    said: list[str] = []
    tabs = []
    for role in ("coder", "office"):
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        tab = context.new_page()
        tab.on("pageerror", lambda error: said.append(str(error)))
        kit.sign_in(tab, address, role, target="/maps")
        tabs.append(tab)
    coder, office = tabs
    try:
        coder.goto(f"{address}/maps?open={item.id}")
        coder.get_by_role("link", name="用这个").first.click()
        expect(coder.locator("#e-target")).to_have_value(item.code)
        coder.fill("#e-reason", "名称相同")
        coder.get_by_role("button", name="先看改多少").click()
        expect(coder.locator("#result")).to_contain_text(f"用到 {item.waiting} 份等着的清单")
        coder.get_by_role("button", name="提交，等别人批准").click()
        expect(coder.locator("#result")).to_contain_text("第二个人批准后")
        coder.goto(f"{address}/maps?tab=proposed")
        expect(coder.get_by_role("button", name="批准")).to_have_count(0)
        office.goto(f"{address}/maps?tab=proposed")
        office.get_by_placeholder("理由").fill("看过病历")
        office.get_by_role("button", name="批准", exact=True).click()
        expect(office.locator("#result")).to_contain_text("改好了")
        for tab in tabs:
            wide, high = tab.evaluate(
                "() => [document.documentElement.scrollWidth,"
                " document.documentElement.scrollHeight]"
            )
            assert (wide, high) == (1366, 768)
    finally:
        for tab in tabs:
            tab.context.close()
    assert said == []
    with desk.store.read() as conn:
        assert not any(one.code == item.code for one in unmapped.queue(conn))
