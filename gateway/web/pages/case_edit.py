"""Acts on a list: correct, try, undo, ask, hold, release. Each answers with what it changed."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.core.findings import Fix
from dipgate.core.lists import FieldPath
from dipgate.mapping.fields import READINGS, TEXT, Kind
from dipgate.pipeline import edits, simulations
from dipgate.pipeline.preview import preview
from dipgate.pipeline.typed import Typed, editable
from dipgate.store import cases
from dipgate.web.case_acting import (
    GONE,
    after,
    is_there,
    last_of,
    remedy_of,
    revision_of,
    stale,
    view_of,
)
from dipgate.web.case_cells import cell_id
from dipgate.web.case_changes import (
    asked_changes,
    changed_since,
    moved_to,
    new_row,
    row_reason,
    typed_changes,
)
from dipgate.web.case_options import Option, options_for
from dipgate.web.case_problems import shown_path
from dipgate.web.case_view import CaseView, fragment
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

_CODED = {Kind.DIAGNOSIS: "icd10", Kind.PROCEDURE: "icd9cm3"}
_LISTED = frozenset({Kind.CODE, Kind.DEPARTMENT, Kind.DOCTOR, Kind.NURSE})
_HINTS = {
    Kind.DIAGNOSIS: "可打拼音首字母、汉字、代码",
    Kind.PROCEDURE: "可打拼音首字母、汉字、代码",
    Kind.CODE: "可打代码或文字",
    Kind.DEPARTMENT: "可打国家代码、本院代码或名称",
    Kind.DOCTOR: "可打国家代码、工号或姓名",
    Kind.NURSE: "可打国家代码、工号或姓名",
    Kind.TIME: "如 2025-03-09 14:03",
    Kind.DATE: "如 2025-03-09",
    Kind.MONEY: "元，两位小数",
    Kind.DURATION: "天/时/分，如 1/13/24",
}


@route("/case/<case_id>/field/<path>", needs=Permission.LISTS_EDIT, fragment=True)
def field(page: Page, case_id: str, path: str) -> Response:
    """The editor of one field, in its place."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    sheet = view.sheet
    if not sheet.editable:
        word = cases.STATES[sheet.case.state]
        return page.error(409, f"清单现在是“{word}”，不能改。", "等平台答复后再改。")
    fresh = new_row(sheet.list, path) is not None
    if not editable(path) or not (fresh or is_there(view, path)):
        return page.error(404, "清单上没有这一格，或它不能改。", "刷新后再试。")
    kind = _kind(path)
    now = "" if fresh else sheet.list.get(path)
    rule = next((f.rule for f in sheet.found if shown_path(sheet, f.field) == path), "")
    return fragment(
        view,
        "case_edit.html",
        path=path,
        place=sheet.place(path) if not fresh else "新的一行",
        now=now,
        value=now,
        reason=f"按规则 {rule} 更正" if rule else "按病历核对更正",
        hint=_HINTS.get(kind, ""),
        search=_search(view, path, kind),
    )


@route("/case/<case_id>/cell/<path>", needs=Permission.LISTS_VIEW, fragment=True)
def cell(page: Page, case_id: str, path: str) -> Response:
    """The field as it is: the editor was dropped. The strip goes back with it."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    return fragment(view, "case_cell.html", path=path, cell=_cell(view, path))


@route("/case/<case_id>/options/<path>", needs=Permission.LISTS_EDIT, fragment=True)
def options(page: Page, case_id: str, path: str) -> Response:
    """What may stand in a field of a fixed set: its codes, the wards, the staff."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    if not editable(path):
        return page.error(404, "清单上没有这一格，或它不能改。", "刷新后再试。")
    now = view.sheet.list.get(path) if is_there(view, path) else ""
    text = page.args.get("q", "")
    found: tuple[Option, ...] = options_for(view.sheet, path, "" if text == now else text)
    return fragment(
        view,
        "case_options.html",
        options=found[:12],
        more=max(0, len(found) - 12),
        now=now,
        typed=bool(text) and text != now,
        asked=text,
    )


@route(
    "/case/<case_id>/field/<path>", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True
)
def save(page: Page, case_id: str, path: str) -> Response:
    """Save a typed field with its reason and check everything again.

    409 when the list changed meanwhile: both values are shown, what was typed stays.
    """
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    text = page.form.get("code", "") or page.form.get("q", "")
    try:
        if revision_of(page) != view.sheet.case.revision:
            raise edits.StaleList(view.sheet.case)
        asked = typed_changes(view.sheet, path, text)
        if asked.fixes:
            _correct(page, view, asked.fixes)
    except edits.StaleList:
        return _conflict(page, case_id, path, text)
    except RecordError as error:
        return _here(page.error(422, f"没有存：{error.what}。", remedy_of(error), in_place=True))
    said = f"已存：{asked.note or view.sheet.place(path)}" if asked.fixes else "没有改动"
    return after(page, case_id, focus=path, said=said)


@route("/case/<case_id>/fix", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def fix(page: Page, case_id: str) -> Response:
    """Take a proposed way out, with its reason."""
    return _change(page, case_id, lambda _: page.form.get("reason", "").strip())


@route("/case/<case_id>/row", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def row(page: Page, case_id: str) -> Response:
    """Move a line up or down, or remove it."""
    op, path = page.form.get("op", ""), page.form.get("path", "")
    return _change(
        page,
        case_id,
        lambda view: row_reason(view.sheet, op, path),
        focus=lambda view: moved_to(view.sheet, op, path),
    )


@route("/case/<case_id>/simulate", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def simulate(page: Page, case_id: str) -> Response:
    """The strip as it would be. The audit keeps the trial; a half-typed text changes nothing."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    try:
        asked = asked_changes(view.sheet, page.form)
        tried = preview(page.desk, view.sheet.list, asked.fixes) if asked.fixes else None
        if tried is not None:
            case = view.sheet.case
            simulations.keep_fields(page.desk, case, asked.fixes, tried, actor=page.actor)
    except RecordError:
        tried = None
    figures = view.strip(tried.after) if tried is not None else None
    return fragment(view, "case_strip.html", figures=figures)


def _change(
    page: Page,
    case_id: str,
    reason: Callable[[CaseView], str],
    *,
    focus: Callable[[CaseView], str] = lambda _: "",
) -> Response:
    """Changes that a button asks for. `focus`: the path that has the focus afterwards."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    wanted = page.form.get("value", "")
    path = page.form.get("path", "")
    try:
        if revision_of(page) != view.sheet.case.revision:
            raise edits.StaleList(view.sheet.case)
        asked: Typed = asked_changes(view.sheet, page.form)
        _correct(page, view, asked.fixes, reason(view) or "按规则更正")
    except edits.StaleList:
        return stale(page, case_id, path=path, wanted=wanted)
    except RecordError as error:
        return page.error(422, f"没有存：{error.what}。", remedy_of(error))
    said = f"已存：{reason(view) or view.sheet.place(path)}"
    return after(page, case_id, focus=focus(view), said=said)


def _correct(page: Page, view: CaseView, fixes: tuple[Fix, ...], reason: str = "") -> None:
    edits.correct_all(
        page.desk,
        view.sheet.case.settlement_id,
        fixes,
        revision=revision_of(page),
        reason=(reason or page.form.get("reason", "")).strip()[:200],
        author=page.actor,
    )


def _conflict(page: Page, case_id: str, path: str, wanted: str) -> Response:
    """Both values, where the act was; the editor takes the new revision for the next try."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    made = fragment(
        view,
        "case_conflict.html",
        status=409,
        changed_by=changed_since(view.sheet, last_of(page)),
        seen=page.form.get("seen", ""),
        now=view.sheet.list.get(path) if is_there(view, path) else "",
        wanted=wanted,
    )
    return _here(made)


def _here(made: Response) -> Response:
    """Into the open editor, under what was typed."""
    made.headers["HX-Retarget"] = "#conflict"
    made.headers["HX-Reswap"] = "innerHTML"
    return made


def _cell(view: CaseView, path: str) -> object:
    """The cell of a path as the list shows it; None for a row that is not there."""
    wanted = cell_id(path)
    nodes = (
        view.cells.diagnoses(),
        view.cells.procedures(),
        view.fees(),
        view.payments(),
        *view.tables(),
    )
    for node in (node for node in nodes if node is not None):
        for line in node.lines:
            for place, found in enumerate((*line.cells, *line.more)):
                if found.id == wanted:
                    return {"cell": found, "code_first": place == 0 and len(node.heads) > 2}
    for group in view.cells.groups():
        for found in (*group.cells, *group.blanks):
            if found.id == wanted:
                return {"cell": found, "code_first": False}
    return None


def _kind(path: str) -> Kind:
    place = FieldPath.parse(path)
    return READINGS.get(place.node, {}).get(place.name, TEXT).kind


def _search(view: CaseView, path: str, kind: Kind) -> str:
    """Where the search box of a field asks; empty for a field that is just typed."""
    if kind in _CODED:
        case = view.sheet.case
        now = view.sheet.list.get(path) if is_there(view, path) else ""
        query = {"kind": _CODED[kind], "department": case.department, "now": now}
        if view.sheet.day is not None:
            query["day"] = view.sheet.day.isoformat()
        first = view.sheet.lines["diseinfo"][:1]
        if path == f"diseinfo[{first[0] if first else 0}].diag_code":
            query["principal"] = "1"
        return f"/codes?{urlencode(query)}"
    return f"{view.url}/options/{path}" if kind in _LISTED else ""
