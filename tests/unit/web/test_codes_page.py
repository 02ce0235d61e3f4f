"""The search box: hits below a field, and the page for looking codes up."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from flask import Flask

from dipgate.core.reference import CodeMap, CodeTable, MapEntry, NotPrincipal, Reference
from dipgate.pipeline.desk import Desk
from dipgate.store.desk_tables import code_usage

Open = Callable[..., Any]
DAY = date(2025, 3, 1)
HOSTILE = "<img src=x onerror=alert(1)>'\"&阑尾炎"
NAMES = {
    "K35.800x001": "急性阑尾炎",
    "K35.800": "急性阑尾炎，其他未特指",
    "K35.300": "急性阑尾炎伴局限性腹膜炎",
    "K99.900": HOSTILE,
}
REF = Reference(
    day=DAY,
    icd10=CodeTable("icd10", "2.0", DAY, NAMES),
    icd9cm3=CodeTable(
        "icd9cm3", "2.0", DAY, {"47.0100": "腹腔镜下阑尾切除术"}, {"category": {"47.0100": "手术"}}
    ),
    icd10_map=CodeMap(
        "icd10-map",
        ("national:2.0",),
        {
            "K35.x901": tuple(
                MapEntry("K35.x901", HOSTILE, code, NAMES[code], "national", "2.0", 2)
                for code in ("K35.300", "K35.800x001")
            )
        },
    ),
    not_principal={"K35.800": NotPrincipal("K35.800", True, True, "gray-parent", "D031")},
    codesets={"dept": {"A04.01": "普通外科专业"}},
)
OPTION = re.compile(r'<li id="h(\d+)" role="option"([^>]*)>(.*?)</li>', re.DOTALL)


@dataclass
class Fixed:
    ref: Reference

    def on(self, day: date) -> Reference:
        return replace(self.ref, day=day)

    def out_of_date(self) -> bool:
        return False


@pytest.fixture
def known(desk: Desk) -> Desk:
    """Small catalogues in place of the sample's, and a ward that uses two codes."""
    desk.references = Fixed(REF)  # type: ignore[assignment]
    uses = {"K35.300": 1_061, "K35.800": 9}
    rows = [
        {"kind": "icd10", "department": ward, "code": code, "uses": number}
        for ward in ("", "A04.01")
        for code, number in uses.items()
    ]
    revision = {"kind": "", "department": "", "code": "", "uses": 1}
    desk.store.write(lambda conn: conn.execute(code_usage.insert(), [*rows, revision]))
    return desk


@pytest.fixture
def coder(known: Desk, app: Flask, browser: Open) -> Any:  # noqa: ARG001
    return browser("coder")


def options(text: str) -> list[tuple[str, str, str]]:
    """Attributes, the code that an option fills in, and its inside, per option."""
    found = []
    for _, attributes, inside in OPTION.findall(text):
        fill = re.search(r"data-fill='([^']*)'", attributes)
        assert fill is not None
        found.append((attributes, json.loads(html.unescape(fill[1]))["code"], inside))
    return found


def test_hits_below_a_field(coder: Any) -> None:
    answer = coder.get("/codes?kind=icd10&department=A04.01&principal=1&q=jxlwy", htmx=True)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    hits = options(answer.text)
    assert [code for _, code, _ in hits] == ["K35.300", "K35.800", "K35.800x001"]
    assert 'aria-selected="true"' in hits[0][0]
    assert "本科 1,061 次" in hits[0][2]
    assert 'aria-disabled="true"' in hits[1][0]
    assert "aria-selected" not in hits[1][0]
    assert "不能作主要诊断，选细码" in hits[1][2]
    assert 'aria-selected="false"' in hits[2][0]
    assert 'data-for="jxlwy"' in answer.text


def test_the_first_that_may_be_chosen_is_chosen(coder: Any) -> None:
    hits = options(coder.get("/codes?principal=1&q=K35.800", htmx=True).text)
    assert [code for _, code, _ in hits] == ["K35.800", "K35.800x001"]
    assert 'aria-disabled="true"' in hits[0][0]
    assert 'aria-selected="true"' in hits[1][0]


def test_what_stands_there_asks_for_the_usual_and_chooses_nothing(coder: Any) -> None:
    path = "/codes?department=A04.01&now=K35.300&q=K35.300"
    answer = coder.get(path, htmx=True)
    assert 'aria-selected="true"' not in answer.text
    hits = options(answer.text)
    assert [code for _, code, _ in hits] == ["K35.300", "K35.800"]
    assert "现用" in hits[0][2]
    assert "现用" not in hits[1][2]
    assert 'data-for="K35.300"' in answer.text


def test_a_clinical_code_says_where_it_leads(coder: Any) -> None:
    text = coder.get("/codes?q=K35.x901", htmx=True).text
    assert "由国临版" in text
    assert "有 2 个去向，请选" in text


def test_names_and_queries_are_text_and_nothing_else(coder: Any) -> None:
    for path in (
        "/codes?q=k999",
        "/codes?q=K35.x901",
        "/codes/rows?q=k999",
        "/codes/rows?q=K35.x901",
        "/codes?q=%3Cimg%20src=x%20onerror=alert(1)%3E%27%22",
        "/codes?now=%3Cimg%3E&department=%22%3E%3Cimg%3E&q=jx",
    ):
        for htmx in (True, False):
            answer = coder.get(path, htmx=htmx)
            assert answer.status_code == 200
            assert "<img" not in answer.text, path
    hits = options(coder.get("/codes?q=k999", htmx=True).text)
    fill = re.search(r"data-fill='([^']*)'", hits[0][0])
    assert fill is not None
    assert json.loads(html.unescape(fill[1]))["name"] == HOSTILE


def test_nothing_found_says_what_to_do(coder: Any, known: Desk) -> None:
    none = coder.get("/codes?q=qqqq", htmx=True).text
    assert 'id="hits"' in none
    assert "诊断目录里没有“qqqq”" in none
    assert "option" not in none
    unused = coder.get("/codes?kind=icd9cm3&q=", htmx=True).text
    assert "还没有清单用过手术操作代码" in unused
    known.references = Fixed(replace(REF, icd10=None))  # type: ignore[assignment]
    assert "没有导入诊断目录，查不了代码" in coder.get("/codes?q=jx", htmx=True).text


def test_full_width_typing_is_noted(coder: Any) -> None:
    text = coder.get("/codes?q=ｊｘｌｗｙ", htmx=True).text
    assert "全角字符已按半角查找" in text
    assert options(text)[0][1] == "K35.300"


@pytest.mark.parametrize("path", ["/codes?kind=drug", "/codes?day=2025-13-01", "/codes/rows?day=x"])
@pytest.mark.parametrize("htmx", [True, False])
def test_parameters_that_cannot_be_read_are_refused(coder: Any, path: str, htmx: bool) -> None:
    answer = coder.get(path, htmx=htmx)
    assert answer.status_code == 400
    assert "看不懂" in answer.text


def test_the_page_lists_hits_with_all_they_carry(coder: Any) -> None:
    page = coder.get("/codes?kind=principal&department=A04.01&q=jxlwy").text
    assert "<html" in page
    assert '<option value="principal" selected>' in page
    assert '<option value="A04.01" selected>普通外科专业</option>' in page
    assert '<tr class="off">' in page
    assert "不能作主要诊断，选细码" in page
    rows = coder.get("/codes/rows?kind=icd9cm3&q=fqjlw", htmx=True).text
    assert "<html" not in rows
    assert "47.0100" in rows
    assert "手术</td>" in rows


def test_the_search_is_for_those_who_may(known: Desk, app: Flask, browser: Open) -> None:  # noqa: ARG001
    assert browser("office").get("/codes?q=jx").status_code == 200
    assert browser("administrator").get("/codes?q=jx").status_code == 403
    assert browser().get("/codes?q=jx").status_code in (302, 303, 401)
