"""The page of wards and people: seen by all, entered by office and administrator, for all lists."""

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

from dipgate.config.catalogues import import_catalogue
from dipgate.config.resources import resource
from dipgate.core.clock import FixedClock
from dipgate.core.findings import FindingStatus
from dipgate.pipeline import registry_desk
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.map_stage import settlement_row, stay_of
from dipgate.pipeline.remap import remap
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, registries, registry_items, verdicts
from dipgate.store.registry_items import Item

Open = Callable[..., Any]


@pytest.fixture
def desk(listed_state: Path, tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    """The synthetic month, after a new version of the staff table has lost the busiest doctor."""
    state = tmp_path / "state"
    shutil.copytree(listed_state, state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        with opened.store.read() as conn:
            found = cases.cases_in(conn)
            codes = [_doctor(opened, conn, case) for case in found]
        busiest = max(set(codes), key=codes.count)
        lines = resource("sample", "staff.csv").read_text(encoding="utf-8").splitlines()
        file = tmp_path / "staff.csv"
        file.write_text(
            "\n".join(line for line in lines if not line.startswith(f"{busiest},")),
            encoding="utf-8",
        )
        import_catalogue(
            state,
            "staff",
            "short",
            found[0].settled_on.replace(year=2024, month=1, day=1),  # type: ignore[union-attr]
            file,
            supersede=True,
            now=clock.now(),
        )
        opened.renew()
        remap(opened, [case.settlement_id for case in found])
        yield opened


def _doctor(desk: Desk, conn: Any, case: cases.CaseRow) -> str:
    stay = stay_of(desk, conn, case)
    settlement_row(stay, case.settlement_id)
    (front, *_) = stay.rows["front_page"]
    return stay.value("front_page", front, "chfpdr_code")


def item_of(desk: Desk) -> Item:
    with desk.store.read() as conn:
        return max(registry_items.items(conn), key=lambda item: item.waiting)


def national_of(code: str) -> tuple[str, str]:
    lines = resource("sample", "staff.csv").read_text(encoding="utf-8").splitlines()
    row = next(line.split(",") for line in lines if line.startswith(f"{code},"))
    return row[1], row[2]


def form_of(item: Item, **more: str) -> dict[str, str]:
    name, national = national_of(item.local_code)
    return {
        "kind": "staff",
        "local_code": item.local_code,
        "name": name,
        "national_code": national,
        "role": "doctor",
        "reason": "编码系统查询",
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


def test_the_page_says_what_is_new_and_where_it_was_seen(desk: Desk, browser: Open) -> None:
    item = item_of(desk)
    for role in ("coder", "office", "administrator"):
        page = browser(role).get(f"/registry?open={item.id}")
        assert page.status_code == 200
        assert item.local_code in page.text
        assert "登记册里没有" in page.text
        assert "等着的清单" in page.text
    assert 'href="/case/' in browser("coder").get(f"/registry?open={item.id}").text
    # An administrator sees no list, so there is no way to one either.
    assert 'href="/case/' not in browser("administrator").get(f"/registry?open={item.id}").text


def test_looked_at_entered_and_all_lists_are_right(desk: Desk, browser: Open) -> None:
    item, office = item_of(desk), browser("office")
    looked = office.post("/registry/preview", form_of(item), htmx=True)
    assert f"{item.waiting} 份等着的清单用到它" in looked.text
    assert item_of(desk) == item
    answer = office.post("/registry/enter", form_of(item), htmx=True)
    text, steps = run_steps(office, answer)
    assert steps == -(-item.waiting // registry_desk.STEP)
    assert f"改好了 {item.waiting} 份清单" in text
    with desk.store.read() as conn:
        assert not any(one.local_code == item.local_code for one in registry_items.items(conn))
        (entry,) = registries.entries(conn)
        acts = [row.act for row in audit.rows(conn, object=f"registry:{entry.id}")]
        assert (entry.author, acts[0]) == ("yiban", "registry.entered")


def test_a_coder_proposes_and_the_office_decides(desk: Desk, browser: Open) -> None:
    item, coder = item_of(desk), browser("coder")
    assert "登记并改清单" not in coder.get(f"/registry?open={item.id}").text
    assert coder.post("/registry/enter", form_of(item), htmx=True).status_code == 403
    assert "已提交" in coder.post("/registry/propose", form_of(item), htmx=True).text
    office = browser("office")
    assert "批准" in office.get("/registry?tab=proposed").text
    with desk.store.read() as conn:
        (entry,) = registries.entries(conn, states=("proposed",))
    decided = office.post(
        f"/registry/{entry.id}/decide", {"state": "active", "reason": "核过"}, htmx=True
    )
    text, _ = run_steps(office, decided)
    assert f"改好了 {item.waiting} 份清单" in text
    again = office.post(
        f"/registry/{entry.id}/decide", {"state": "refused", "reason": "又想"}, htmx=True
    )
    assert again.status_code == 422


def test_withdrawn_lists_wait_again_and_history_says_why(desk: Desk, browser: Open) -> None:
    item, office = item_of(desk), browser("office")
    run_steps(office, office.post("/registry/enter", form_of(item), htmx=True))
    with desk.store.read() as conn:
        (entry,) = registries.entries(conn)
    answer = office.post(
        f"/registry/{entry.id}/decide", {"state": "withdrawn", "reason": "抄错人"}, htmx=True
    )
    run_steps(office, answer)
    assert item_of(desk).waiting == item.waiting
    assert "抄错人" in office.get("/registry?tab=past").text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reason": ""}, "没有填写依据"),
        ({"national_code": "N990100000001"}, "不能以 N 开头"),
        ({"last_day": "2020-01-01", "first_day": "2021-01-01"}, "早于启用日期"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    desk: Desk, browser: Open, change: dict[str, str], says: str
) -> None:
    answer = browser("office").post("/registry/enter", form_of(item_of(desk), **change), htmx=True)
    assert (answer.status_code, says in answer.text) == (422, True)
    with desk.store.read() as conn:
        assert not registries.entries(conn)


@pytest.mark.usefixtures("desk")
def test_the_book_is_searched_without_an_address(browser: Open) -> None:
    office = browser("office")
    whole = office.get("/registry?tab=book")
    assert "导入 short" in whole.text
    found = office.post("/registry/book", {"q": "0101"}, htmx=True)
    assert "A03.01" in found.text
    assert "没有这样" in office.post("/registry/book", {"q": "查无此人"}, htmx=True).text


def test_the_list_says_the_way_to_the_registry(desk: Desk, browser: Open) -> None:
    item = item_of(desk)
    with desk.store.read() as conn:
        (use, *_), _ = registry_desk.uses_of(conn, item)
    page = browser("coder").get(f"/case/{use.case_id}")
    assert f'href="/registry?open={item.id}"' in page.text


@pytest.mark.usefixtures("desk")
def test_health_counts_what_is_unknown(browser: Open) -> None:
    found = browser("office").get("/health.json").get_json()
    (check,) = [item for item in found["checks"] if item["key"] == "registry"]
    assert (check["grade"], "不认识" in check["sentence"]) == ("look", True)


def test_the_json_twin_names_row_and_column_and_no_patient(desk: Desk, browser: Open) -> None:
    item = item_of(desk)
    rows = browser("office").get("/registry.json").get_json()
    (row,) = [row for row in rows if row["id"] == item.id]
    assert (row["local_code"], row["waiting"], row["row"] > 0) == (
        item.local_code,
        item.waiting,
        True,
    )


def test_in_a_browser_one_entry_cleans_three_lists(
    desk: Desk, app: Any, kit: Any, chromium: Any, serving: Callable[[Any], str]
) -> None:
    item = item_of(desk)
    assert item.waiting >= 3
    with desk.store.read() as conn:
        waiting, _ = registry_desk.uses_of(conn, item)
        before = _about(conn, item.local_code, [use.case_id for use in waiting])
    assert all(before.values())
    address = serving(app)
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    tab = context.new_page()
    said: list[str] = []
    tab.on("pageerror", lambda error: said.append(str(error)))
    try:
        kit.sign_in(tab, address, "office", target="/registry")
        expect(tab.locator("#items tr.cur")).to_be_visible()
        tab.goto(f"{address}/registry?open={item.id}")
        name, national = national_of(item.local_code)
        tab.fill("#e-name", name)
        tab.fill("#e-national", national)
        tab.fill("#e-reason", "编码系统查询")
        tab.get_by_role("button", name="先看改多少").click()
        expect(tab.locator("#result")).to_contain_text(f"{item.waiting} 份等着的清单用到它")
        tab.get_by_role("button", name="登记并改清单").click()
        expect(tab.locator("#result")).to_contain_text(f"改好了 {item.waiting} 份清单")
        wide, high = tab.evaluate(
            "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert (wide, high) == (1366, 768)
    finally:
        context.close()
    assert said == []
    with desk.store.read() as conn:
        after = _about(conn, item.local_code, [use.case_id for use in waiting])
    assert not any(after.values())


def _about(conn: Any, code: str, case_ids: list[str]) -> dict[str, int]:
    """Case → findings that complain of this code."""
    found = {}
    for case_id in case_ids:
        verdict = verdicts.latest(conn, case_id)
        assert verdict is not None
        found[case_id] = sum(
            item.status is FindingStatus.FOUND and item.value == code for item in verdict.findings
        )
    return found
