"""What the templates of the case page are given, and the answers to acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from dipgate.core.worklist import Grade
from dipgate.pipeline.preview import Worth
from dipgate.store import Connection, cases, overlays, worklist_near, worklist_rows
from dipgate.store.worklist_near import Near
from dipgate.store.worklist_rows import WorkFilter, WorkRow
from dipgate.web.case_cells import Cells, Node, cell_id
from dipgate.web.case_life import Life, life_of
from dipgate.web.case_money import readiness, strip
from dipgate.web.case_problems import PAGE, Problems
from dipgate.web.case_sheet import Sheet, read_sheet
from dipgate.web.case_source import CHARGES_SHOWN, Source
from dipgate.web.page import Page
from dipgate.web.worklists.filters import remembered_filter

TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "icuinfo",
        "重症监护",
        (
            "scs_cutd_ward_type",
            "scs_cutd_inpool_time",
            "scs_cutd_exit_time",
            "scs_cutd_sum_dura",
        ),
    ),
    ("bldinfo", "输血", ("bld_cat", "bld_amt", "bld_unt")),
    (
        "opspdiseinfo",
        "门诊慢特病病种",
        ("diag_code", "diag_name", "oprn_oprt_code", "oprn_oprt_name"),
    ),
)
FEES = ("med_chrgitm", "amt", "claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")
PAYMENTS = ("fund_pay_type", "fund_payamt")


@dataclass
class CaseView:
    """One case for one person at one moment, with the parts of its page built when asked for."""

    page: Page
    sheet: Sheet
    row: WorkRow | None = None
    near: Near | None = None
    focus: str = ""
    """The list path that keeps the focus after an act."""
    shown: Mapping[str, int] = field(default_factory=dict)
    first: int = 0
    """Index of the first problem on the page shown."""
    charges: int = CHARGES_SHOWN

    def __post_init__(self) -> None:
        self.source = Source(self.sheet)
        self.cells = Cells(self.sheet, self.source, self.shown, self.focus)
        self.problems = Problems(self.sheet, self.source)

    @property
    def url(self) -> str:
        return f"/case/{self.sheet.case.id}"

    def context(self, **more: Any) -> dict[str, Any]:
        """Names the templates use; what costs is a method and called by them."""
        base = {"view": self, "sheet": self.sheet, "url": self.url, "Grade": Grade}
        return {**base, "oob": False, "said": "", "figures": None, **more}

    # -- head

    def facts(self) -> tuple[str, ...]:
        case = self.sheet.case
        lst = self.sheet.list
        found = []
        if self.row is not None:
            unit = "" if "天" in self.row.person or "不详" in self.row.person else " 岁"
            found.append(f"{self.row.person}{unit}")
        if lst.get("setlinfo.act_ipt_days"):
            found.append(f"住院 {lst.get('setlinfo.act_ipt_days')} 天")
        if lst.get("setlinfo.dscg_time"):
            found.append(f"{lst.get('setlinfo.dscg_time')[5:10]} 出院")
        doctor = lst.get("setlinfo.chfpdr_name") or case.doctor
        return (*found, doctor) if doctor else tuple(found)

    @property
    def record_no(self) -> str:
        return self.sheet.list.get("setlinfo.medcasno") or self.sheet.case.settlement_id

    @property
    def ward(self) -> str:
        return self.sheet.list.get("setlinfo.dscg_dept_name") or self.sheet.case.department

    @property
    def state_word(self) -> str:
        return cases.STATES[self.sheet.case.state]

    @property
    def life(self) -> Life | None:
        return life_of(self.sheet)

    # -- left

    def fees(self) -> Node | None:
        return self.cells.table("iteminfo", "费用", FEES)

    def payments(self) -> Node | None:
        return self.cells.table("payinfo", "基金支付", PAYMENTS)

    def tables(self) -> tuple[Node, ...]:
        made = (self.cells.table(node, title, names) for node, title, names in TABLES)
        return tuple(node for node in made if node is not None)

    @property
    def undo_act(self) -> overlays.Act | None:
        return overlays.last_act(self.sheet.acts)

    @property
    def redo_act(self) -> overlays.Act | None:
        return overlays.next_redo(self.sheet.acts)

    @property
    def focus_id(self) -> str:
        return cell_id(self.focus) if self.focus else ""

    # -- middle

    @property
    def page_size(self) -> int:
        return PAGE

    @property
    def current(self) -> int:
        return self.problems.current(self.focus)

    # -- foot

    def strip(self, after: Worth | None = None) -> Any:
        return strip(self.sheet.worth, after)

    @property
    def readiness(self) -> Any:
        return readiness(self.sheet, self.problems)


def open_case(
    page: Page, conn: Connection, case_id: str, *, placed: bool = True, **options: Any
) -> CaseView | None:
    """The case by its random id; None when there is none.

    `placed`: with its place in the queue, for the head of the page.
    """
    case = cases.get_case(conn, case_id)
    if case is None:
        return None
    sheet = read_sheet(page.desk, conn, case, may_edit=page.may("LISTS_EDIT"))
    row = worklist_rows.find(conn, case_id) if placed else None
    near = worklist_near.near(conn, queue_filter(page), row) if row is not None else None
    return CaseView(page, sheet, row, near, **options)


def queue_filter(page: Page) -> WorkFilter:
    """The filter under which this person works the queue."""
    return remembered_filter(page).work_filter(page.desk.today())


def answer(view: CaseView, *, status: int = 200, said: str = "") -> Response:
    """After an act: the list, and beside it problems, head, counts and strip, all in one."""
    html = view.page.render("case_answer.html", **view.context(said=said))
    return Response(html, status=status, content_type="text/html; charset=utf-8")


def fragment(view: CaseView, template: str, *, status: int = 200, **more: Any) -> Response:
    """One part of the page."""
    html = view.page.render(template, **view.context(**more))
    return Response(html, status=status, content_type="text/html; charset=utf-8")
