"""One list: as the bureau sees it, what is wrong with it, where it comes from, what it is worth."""

from __future__ import annotations

from typing import Any

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.pipeline import simulations
from dipgate.pipeline.preview import preview
from dipgate.pipeline.reconcile_view import newest_trail
from dipgate.store import cases, worklist_rows
from dipgate.web.case_changes import asked_changes, history
from dipgate.web.case_money import comparison, not_chosen, policy_words, trace, warnings
from dipgate.web.case_view import CaseView, fragment, open_case, queue_filter
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

MOST_ROWS = 5_000
"""Rows of one node, or charge lines, that a page shows when asked for more."""
_GONE = ("没有这份病例，或它已经不在了。", "回到队列再选一份。")


@route("/case", needs=Permission.LISTS_VIEW)
def last(page: Page) -> Response | str:
    """The list last looked at in this session; else the first of the queue."""
    with page.desk.store.read() as conn:
        known = page.recall("case")
        if known and cases.get_case(conn, known) is not None:
            return page.redirect(f"/case/{known}")
        rows = worklist_rows.page(conn, queue_filter(page), limit=1)
    if rows:
        return page.redirect(f"/case/{rows[0].case_id}")
    return page.render("case_none.html")


@route("/case/<case_id>", needs=Permission.LISTS_VIEW)
def show(page: Page, case_id: str) -> Response | str:
    with page.desk.store.read() as conn:
        view = open_case(page, conn, case_id)
        if view is None:
            return page.error(404, *_GONE)
        html = page.render("case.html", **view.context())
    page.remember("case", case_id)
    return html


@route("/case/<case_id>/list", needs=Permission.LISTS_VIEW, fragment=True)
def whole(page: Page, case_id: str) -> Response:
    """The list and all that hangs on it, as it is now; `rows` of one node, or the row of `show`."""
    node, rows = page.args.get("node", ""), _number(page.args.get("rows", ""))
    shown = {node: min(rows, MOST_ROWS)} if node and rows else {}
    return _part(
        page, case_id, "case_answer.html", shown=shown, focus=page.args.get("show", "")[:80]
    )


@route("/case/<case_id>/findings", needs=Permission.LISTS_VIEW, fragment=True)
def findings(page: Page, case_id: str) -> Response:
    """A further page of problems."""
    return _part(page, case_id, "case_findings.html", first=_number(page.args.get("from", "")))


@route("/case/<case_id>/charges", needs=Permission.LISTS_VIEW, fragment=True)
def charges(page: Page, case_id: str) -> Response:
    """More charge lines."""
    rows = min(_number(page.args.get("rows", "")) or 60, MOST_ROWS)
    return _part(page, case_id, "case_charges.html", charges=rows)


@route("/case/<case_id>/strip", needs=Permission.LISTS_VIEW, fragment=True)
def foot(page: Page, case_id: str) -> Response:
    """The strip without a trial."""
    return _part(page, case_id, "case_strip.html")


@route("/case/<case_id>/trace", needs=Permission.LISTS_VIEW, fragment=True)
def explain(page: Page, case_id: str) -> Response:
    """How group, score and money came about."""
    with page.desk.store.read() as conn:
        view = open_case(page, conn, case_id)
    if view is None:
        return page.error(404, *_GONE)
    steps, said = trace(view.sheet), warnings(view.sheet)
    others = not_chosen(view.sheet)
    apart = newest_trail(page.desk, case_id) if page.may(Permission.RESULTS_VIEW) else None
    return fragment(
        view,
        "case_trace.html",
        steps=steps,
        warnings=said,
        others=others,
        trail=apart,
        policy=policy_words(view.sheet),
    )


@route("/case/<case_id>/history", needs=Permission.LISTS_VIEW, fragment=True)
def acts(page: Page, case_id: str) -> Response:
    """Who changed what, when and why; what was taken back stays listed."""
    with page.desk.store.read() as conn:
        view = open_case(page, conn, case_id)
    if view is None:
        return page.error(404, *_GONE)
    return fragment(view, "case_history.html", history=history(view.sheet))


@route("/case/<case_id>/compare", needs=Permission.LISTS_VIEW, fragment=True)
def compare(page: Page, case_id: str) -> Response:
    """Saved beside not saved: the open field's text, tried on the list."""
    with page.desk.store.read() as conn:
        view = open_case(page, conn, case_id)
    if view is None:
        return page.error(404, *_GONE)
    empty = "没有没存的改动。按 Enter 打开一格，改了先别存，再按 S。"
    note = "还没有存；存了才算数，存的时候要写理由。"
    try:
        asked = asked_changes(view.sheet, page.args)
        tried = preview(page.desk, view.sheet.list, asked.fixes) if asked.fixes else None
        if tried is not None:
            case = view.sheet.case
            simulations.keep_fields(page.desk, case, asked.fixes, tried, actor=page.actor)
    except RecordError as error:
        tried, empty = None, f"{error.what}。{error.remedy}"
    if tried is None:
        return fragment(
            view, "case_compare.html", variants=(), empty=empty, note="", gone=(), new=()
        )
    return fragment(
        view,
        "case_compare.html",
        variants=comparison(tried.before, tried.after),
        empty="",
        note=note,
        gone=tried.gone[:5],
        new=tried.new[:5],
    )


def _part(page: Page, case_id: str, template: str, **options: Any) -> Response:
    with page.desk.store.read() as conn:
        view: CaseView | None = open_case(page, conn, case_id, **options)
        if view is None:
            return page.error(404, *_GONE)
        return fragment(view, template)


def _number(text: str) -> int:
    """A count from a query; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
