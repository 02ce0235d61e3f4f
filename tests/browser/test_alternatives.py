"""还可能是 in real Chromium, keys alone: see it, follow its evidence, take it, take it back."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from dipgate.store import audit, cases, overlays


def test_another_principal_is_taken_with_keys_alone(house: Any) -> None:
    case = house.cases_with("D020")[-1]
    right = house.true_principal(case.settlement_id)["diag_code"]
    tab = house.tab("bian")
    tab.goto(f"{house.address}/case/{case.id}")
    expect(tab.locator("#findings .finding").first).to_be_visible()
    tab.keyboard.press("a")
    current = tab.locator("#others tr.cur")
    expect(current).to_contain_text(right)
    told = tab.locator("#others tr.more:visible")
    expect(told).to_contain_text("去掉 D020")

    # A chip leads to the field that it speaks of.
    told.locator("button.chip[data-goes]").first.click()
    expect(tab.locator("#list button.cell:focus")).to_be_visible()

    # Locked ones can be read, and have no way of being taken.
    for _ in range(12):
        if "off" in (current.get_attribute("class") or ""):
            break
        tab.keyboard.press("ArrowDown")
    expect(current).to_contain_text("锁住")
    expect(told.locator("form")).to_have_count(0)
    while right not in current.inner_text():
        tab.keyboard.press("ArrowUp")

    # Without a reason nothing is saved; with one it is an ordinary correction.
    tab.keyboard.press("t")
    expect(told.locator("[name=reason]")).to_be_focused()
    tab.keyboard.press("Enter")
    assert house.case(case.settlement_id).revision == case.revision
    tab.keyboard.type("出院小结第一诊断")
    tab.keyboard.press("Enter")
    expect(tab.locator("#findings")).not_to_contain_text("D020")
    expect(tab.locator("#listhead")).to_contain_text("改动 1 处")
    expect(tab.locator("#others")).to_have_count(0)
    saved = house.case(case.settlement_id).settlement_list()
    assert saved.get("diseinfo[0].diag_code") == right
    with house.store() as store, store.read() as conn:
        acts = overlays.acts_of(conn, case.settlement_id)
        tried = audit.rows(conn, object=f"case:{case.id}", act="case.simulated")
    assert [act.reason for act in acts] == ["出院小结第一诊断"]
    assert {row.actor for row in tried} == {"bian"}

    tab.keyboard.press("u")
    expect(tab.locator("#findings")).to_contain_text("D020")
    assert house.complaints() == []


def test_a_charge_that_speaks_for_an_operation_is_shown_in_the_record(house: Any) -> None:
    with house.store() as store, store.read() as conn:
        found = cases.cases_in(conn)
    case, name = next(
        (case, str(line["name"]))
        for case in found
        for line in case.settlement_list().charges or ()
        for row in case.settlement_list().oprninfo or ()
        if str(row["oprn_oprt_name"]) in str(line["name"])
    )
    tab = house.tab("bian")
    tab.goto(f"{house.address}/case/{case.id}")
    expect(tab.locator("#strip")).to_be_visible()
    tab.keyboard.press("a")
    expect(tab.locator("#others tr.cur")).to_be_visible()
    for _ in range(12):
        tab.keyboard.press("ArrowUp")
    chip = tab.locator("#others tr.more:visible button.chip[data-charge]").first
    expect(chip).to_contain_text(name)
    chip.click()
    expect(tab.locator("#record tr.evidence")).to_contain_text(name)
    expect(tab.locator("#lineage")).to_contain_text("收费第")
    assert house.complaints() == []
