"""Findings as a workbook: one sheet per department, every cell of text a text cell.

Text can never become a formula or a link: cells are written as strings, and the writer's
conversions are off. Values that name or reach a patient are left out. Who took the file away,
and when, stands at the head and foot of every sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from dipgate.core.clock import CHINA
from dipgate.core.findings import Severity
from dipgate.core.lists import FieldPath
from dipgate.core.worklist import place_words
from dipgate.security.masking import MASK, PERSONAL
from dipgate.store.worklist_rows import FoundLine

MOST_FINDINGS = 50_000
"""More is refused, never cut: filter first."""
_COLUMNS = (
    ("等级", 8),
    ("病案号", 16),
    ("性别年龄", 11),
    ("科室", 14),
    ("医师", 10),
    ("主要诊断编码", 15),
    ("主要诊断", 26),
    ("级别", 7),
    ("规则", 8),
    ("位置", 14),
    ("问题", 52),
    ("现在的值", 18),
    ("怎么改", 40),
    ("依据", 36),
    ("谁来改", 9),
    ("预计支付（元）", 14),
    ("截止日期", 12),
)
_MONEY = 15
_SEVERITIES = {Severity.ERROR: "错误", Severity.WARNING: "请看", Severity.HINT: "提示"}
_CELL = 32_000
_SHEET = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass
class _Sheets:
    """The workbook being written: one sheet after the other, rows from the top down."""

    book: Workbook
    mark: str
    head: Format
    text: Format
    money: Format
    names: set[str] = field(default_factory=set)

    def new(self, department: str) -> Worksheet:
        sheet = self.book.add_worksheet(self._name(department))
        sheet.write_string(0, 0, self.mark)
        for column, (title, width) in enumerate(_COLUMNS):
            sheet.set_column(column, column, width)
            sheet.write_string(1, column, title, self.head)
        sheet.freeze_panes(2, 2)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0, 1)
        shown = self.mark.replace("&", "&&")[:200]
        sheet.set_header(f"&L{shown}")
        sheet.set_footer(f"&L{shown}&R第 &P 页，共 &N 页")
        return sheet

    def _name(self, department: str) -> str:
        """A sheet name that Excel takes, different from all before."""
        plain = _NOT_IN_NAMES.sub(" ", _clean(department)).strip().strip("'").strip() or "未填科室"
        if plain.casefold() == "history":
            plain = f"{plain} 科"
        name, number = plain[:_SHEET], 1
        while name.casefold() in self.names:
            number += 1
            tail = f" {number}"
            name = plain[: _SHEET - len(tail)] + tail
        self.names.add(name.casefold())
        return name


def findings_workbook(
    lines: Iterable[FoundLine], *, hospital: str, user: str, at: datetime, scope: str
) -> bytes:
    """The workbook's bytes. `lines` come by department; `scope` says in words what they are."""
    out = io.BytesIO()
    options = {
        "constant_memory": True,
        "in_memory": False,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd",
    }
    moment = f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": "问题清单", "author": user, "company": hospital})
        sheets = _Sheets(
            book,
            _clean(f"{hospital} 问题清单 · {scope} · 由 {user} 于 {moment} 导出，仅供院内改正使用"),
            book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"}),
            book.add_format({"num_format": "#,##0.00", "valign": "top"}),
        )
        sheet: Worksheet | None = None
        department, row = "", 0
        for line in lines:
            if sheet is None or line.row.department != department:
                department, row = line.row.department, 2
                sheet = sheets.new(line.row.department_name)
            _write(sheets, sheet, row, line)
            row += 1
        if sheet is None:
            sheets.new("没有问题").write_string(2, 0, "这个范围里没有问题。", sheets.text)
    return out.getvalue()


def _write(sheets: _Sheets, sheet: Worksheet, number: int, line: FoundLine) -> None:
    row = line.row
    cells = (
        row.grade.word,
        row.record_no,
        row.person,
        row.department_name,
        row.doctor_name,
        row.dx_code,
        row.dx_name,
        _SEVERITIES[line.severity],
        line.rule,
        place_words(line.path) or line.path,
        line.message,
        MASK if line.value and _names_somebody(line.path) else line.value,
        line.remedy,
        line.clause,
        row.waits_for,
        None,
        row.deadline.isoformat() if row.deadline else "",
    )
    for column, value in enumerate(cells):
        if column == _MONEY:
            if row.pay_fen is not None:
                # Two decimals of a sum below 2**53 fen come back exactly as they are shown.
                sheet.write_number(number, column, row.pay_fen / 100, sheets.money)
        else:
            sheet.write_string(number, column, _clean(value or ""), sheets.text)


def _names_somebody(path: str) -> bool:
    try:
        name = FieldPath.parse(path).name
    except ValueError:
        return True
    return PERSONAL.search(name) is not None


def _clean(text: str) -> str:
    """Without characters that a workbook cannot hold, and no longer than a cell."""
    return _NOT_XML.sub("�", text)[:_CELL]
