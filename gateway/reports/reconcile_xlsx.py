"""The lists of a month that are not alike, as a workbook: reason, both values, the change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from io import BytesIO

from xlsxwriter import Workbook

from dipgate.core.clock import wire_time
from dipgate.pipeline.reconcile_view import CaseLine

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEADINGS = (
    "原因",
    "病案号",
    "科室",
    "病种组",
    "不同之处",
    "我方",
    "平台",
    "我方分值",
    "平台分值",
    "差（元）",
)
_WIDTHS = (18, 14, 14, 24, 10, 24, 24, 12, 12, 14)


def reconcile_xlsx(
    month: str, lines: Sequence[tuple[str, CaseLine]], *, by: str, at: datetime
) -> bytes:
    """One sheet; text stays text whatever it begins with, numbers are numbers, money in yuan."""
    buffer = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(buffer, options) as book:
        sheet = book.add_worksheet("对账差异")
        bold = book.add_format({"bold": True})
        money = book.add_format({"num_format": "#,##0.00;−#,##0.00"})
        points = book.add_format({"num_format": "#,##0.00##"})
        sheet.write_string(0, 0, f"{month} 对账差异，{len(lines)} 份", bold)
        sheet.write_string(
            1, 0, f"{by} {wire_time(at)} 导出；应付按我方点值折算，平台未入组的算 0 元"
        )
        for column, (heading, width) in enumerate(zip(_HEADINGS, _WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(3, column, heading, bold)
        for row, (reason, line) in enumerate(lines, start=4):
            texts = (
                reason,
                line.record_no,
                line.department,
                line.group,
                line.what,
                line.ours,
                line.theirs,
            )
            for column, text in enumerate(texts):
                sheet.write_string(row, column, text)
            for column, score in ((7, line.our_score), (8, line.their_score)):
                if score:
                    sheet.write_number(row, column, float(Decimal(score)), points)
            if line.change_fen is not None:
                sheet.write_number(row, 9, line.change_fen / 100, money)
        sheet.freeze_panes(4, 2)
        sheet.autofilter(3, 0, max(4, 3 + len(lines)), len(_HEADINGS) - 1)
    return buffer.getvalue()
