"""Reconciliation: a month of ours beside theirs, by reason, down to the steps of one list."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

from flask import Response

from dipgate.core.errors import DipgateError
from dipgate.pipeline import reconcile_view
from dipgate.pipeline.reconcile_stage import reconcile
from dipgate.pipeline.reconcile_view import CasePage, MonthView
from dipgate.pregrouper.differences import Reason
from dipgate.reports.reconcile_xlsx import MEDIA_TYPE, reconcile_xlsx
from dipgate.web.guard import Permission
from dipgate.web.navigation import nav_count
from dipgate.web.page import Page
from dipgate.web.routes import route

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_MEMORY = "reconcile.month"
_LARGEST_OFFSET = 1_000_000


@nav_count("reconcile")
def different_lists(page: Page) -> int | None:
    """Lists of the newest compared month that are not alike."""
    with page.desk.store.read() as conn:
        return reconcile_view.newest_not_alike(conn) or None


@route("/reconcile", needs=Permission.RESULTS_VIEW)
def show(page: Page) -> str | Response:
    """A month: figures, reasons, the lists of one reason, the steps of the first."""
    months = reconcile_view.months(page.desk)
    if not months:
        return page.render("reconcile_empty.html")
    month = page.args.get("month", "") or page.recall(_MEMORY)
    if month not in months:
        month = _first(page, months)
    page.remember(_MEMORY, month)
    view = reconcile_view.month_view(page.desk, month)
    reason = page.args.get("reason", "") or _largest(view)
    cases = reconcile_view.case_page(page.desk, month, reason, offset=_offset(page))
    if cases is None:
        return page.error(404, "没有这个原因。", "回到“对账”重新选。")
    return page.render(
        "reconcile.html", months=months, view=view, **_pane(page, month, cases), query=urlencode
    )


@route("/reconcile/rows", needs=Permission.RESULTS_VIEW, fragment=True)
def rows(page: Page) -> str | Response:
    """Reasons and lists after another reason or page was chosen, and the steps of the first."""
    month = page.args.get("month", "")
    cases = None
    if _MONTH.fullmatch(month):
        cases = reconcile_view.case_page(
            page.desk, month, page.args.get("reason", ""), offset=_offset(page)
        )
    if cases is None:
        return page.error(404, "没有这个月或这个原因。", "回到“对账”重新选。")
    view = reconcile_view.month_view(page.desk, month)
    return page.render(
        "reconcile_panes.html", view=view, **_pane(page, month, cases), query=urlencode
    )


@route("/reconcile/trail/<case_id>", needs=Permission.RESULTS_VIEW, fragment=True)
def trail(page: Page, case_id: str) -> str | Response:
    """One list step by step."""
    month = page.args.get("month", "")
    found = reconcile_view.trail(page.desk, month, case_id) if _MONTH.fullmatch(month) else None
    if found is None:
        return page.error(404, "这个月没有比过这一份。", "刷新后再看。")
    return page.render("reconcile_trail.html", trail=found, guide=None)


@route("/reconcile/again", needs=Permission.RESULTS_VIEW, methods=("POST",))
def again(page: Page) -> Response:
    """Compare the month anew with what was fetched; the platform is not asked."""
    month = page.form.get("month", "")
    if not _MONTH.fullmatch(month):
        return page.error(400, "没有对账：月份不对。", "回到“对账”重新选。")
    try:
        reconcile(replace(page.desk, actor=page.actor), month)
    except DipgateError as error:
        return page.error(409, f"没有对成：{error}。", "上次的结果没有变。")
    return page.redirect(f"/reconcile?{urlencode({'month': month})}")


@route("/reconcile/xlsx", needs=Permission.EXPORT)
def export(page: Page) -> Response:
    """Every list that is not alike, with reason and both values, as a workbook."""
    month = page.args.get("month", "")
    if not _MONTH.fullmatch(month):
        return page.error(404, "没有这个月。", "回到“对账”重新选。")
    user = page.user
    data = reconcile_xlsx(
        month,
        reconcile_view.differences(page.desk, month),
        by=user.name if user else "",
        at=page.now,
    )
    return page.download(data, name=f"对账差异 {month}.xlsx", media_type=MEDIA_TYPE)


def _pane(page: Page, month: str, cases: CasePage) -> dict[str, object]:
    """What the three panes need besides the month's figures."""
    first = cases.lines[0] if cases.lines else None
    found = None
    if first is not None and first.case_id:
        found = reconcile_view.trail(page.desk, month, first.case_id)
    return {"cases": cases, "trail": found, "guide": reconcile_view.guide_of(cases.reason)}


def _first(page: Page, months: tuple[str, ...]) -> str:
    """The newest month that was compared; else the newest."""
    with page.desk.store.read() as conn:
        return reconcile_view.newest_compared(conn) or months[0]


def _largest(view: MonthView) -> str:
    """The reason that is shown first: the most money, else who stands alone, else what agrees."""
    for lines in (view.reasons, view.alone):
        if lines:
            return lines[0].key
    return Reason.EQUAL.value


def _offset(page: Page) -> int:
    text = page.args.get("offset", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    return min(number, _LARGEST_OFFSET)
