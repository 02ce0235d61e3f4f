"""Acts on a whole list: undo, redo, release, hold, ask the clinician, keep the answer."""

from __future__ import annotations

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.pipeline import asking, bill_life, edits
from dipgate.pipeline.typed import editable
from dipgate.web.case_acting import GONE, do, revision_of, view_of
from dipgate.web.case_changes import change_words
from dipgate.web.case_view import CaseView, fragment
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route


@route("/case/<case_id>/undo", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def undo(page: Page, case_id: str) -> Response:
    """Take the newest act back, or the one that is named."""
    number = page.form.get("number", "")

    def act(view: CaseView) -> str:
        sheet, revision = view.sheet, revision_of(page)
        wanted = int(number) if number.isascii() and number.isdigit() else None
        held = view.undo_act
        if wanted is not None and (held is None or wanted != held.number):
            if revision != sheet.case.revision:
                raise edits.StaleList(sheet.case)
            sid = sheet.case.settlement_id
            edits.undo(page.desk, sid, wanted, author=page.actor, reason="撤回")
            return "已撤回"
        edits.undo_last(page.desk, sheet.case.settlement_id, revision=revision, author=page.actor)
        return f"已撤回：{change_words(sheet, held.changes[0])}" if held else "已撤回"

    return do(page, case_id, act)


@route("/case/<case_id>/redo", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def redo(page: Page, case_id: str) -> Response:
    """Make the act that was taken back last again."""

    def act(view: CaseView) -> str:
        again = view.redo_act
        sid = view.sheet.case.settlement_id
        edits.redo(page.desk, sid, revision=revision_of(page), author=page.actor)
        return f"已重做：{change_words(view.sheet, again.changes[0])}" if again else "已重做"

    return do(page, case_id, act)


@route("/case/<case_id>/release", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def release(page: Page, case_id: str) -> Response:
    """Mark the list that is on the screen ready for upload."""

    def act(view: CaseView) -> str:
        sid = view.sheet.case.settlement_id
        edits.release_seen(page.desk, sid, revision=revision_of(page), author=page.actor)
        return "已放行"

    return do(page, case_id, act)


@route("/case/<case_id>/back", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def back(page: Page, case_id: str) -> Response:
    """Take a held or released list back to the desk."""

    def act(view: CaseView) -> str:
        edits.take_back(page.desk, view.sheet.case.settlement_id, author=page.actor)
        return "已取回"

    return do(page, case_id, act)


@route("/case/<case_id>/cleared", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def cleared(page: Page, case_id: str) -> Response:
    """A person saw to it that the platform has no list of a cancelled settlement."""

    def act(view: CaseView) -> str:
        reason = page.form.get("reason", "").strip()[:200]
        sid = view.sheet.case.settlement_id
        bill_life.clear(page.desk, sid, reason=reason, author=page.actor)
        return "已记下：平台上没有它"

    return do(page, case_id, act)


@route("/case/<case_id>/hold", needs=Permission.LISTS_RELEASE, fragment=True)
def hold_form(page: Page, case_id: str) -> Response:
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    return fragment(view, "case_hold.html", reason=view.sheet.case.hold_reason)


@route("/case/<case_id>/hold", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def hold(page: Page, case_id: str) -> Response:
    """Keep the list back, with a reason."""

    def act(view: CaseView) -> str:
        reason = page.form.get("reason", "").strip()[:200]
        sid = view.sheet.case.settlement_id
        edits.hold(page.desk, sid, reason=reason, author=page.actor)
        return "已扣留"

    return do(page, case_id, act)


@route("/case/<case_id>/ask", needs=Permission.LISTS_EDIT, fragment=True)
def ask_form(page: Page, case_id: str) -> Response:
    """The question to the clinician, with the field and the problem already in it."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    sheet = view.sheet
    path = page.args.get("path", "") or "diseinfo[0].diag_code"
    found = view.problems.find(page.args.get("rule", ""), path)
    doctor = sheet.list.get("setlinfo.chfpdr_name") or "主诊医师"
    question = f"{found.message}。请核对病历" if found else f"请核对{sheet.place(path)}"
    return fragment(
        view,
        "case_ask.html",
        path=path,
        place=sheet.place(path),
        asked_of=doctor,
        question=question[:400],
    )


@route("/case/<case_id>/ask", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def ask(page: Page, case_id: str) -> Response:
    """Send the list to the clinician with a question."""
    path = page.form.get("path", "")

    def act(view: CaseView) -> str:
        if not editable(path) and path not in ("diseinfo", "oprninfo"):
            raise RecordError("没有这一格", remedy="刷新后再试")
        asking.ask(
            page.desk,
            view.sheet.case.settlement_id,
            path,
            question=page.form.get("question", ""),
            asked_of=page.form.get("asked_of", ""),
            author=page.actor,
        )
        return f"已问{page.form.get('asked_of', '').strip()}，清单先扣下"

    return do(page, case_id, act)


@route("/case/<case_id>/answer", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
def take_answer(page: Page, case_id: str) -> Response:
    """Keep what the clinician answered."""
    number = page.form.get("question", "")

    def act(view: CaseView) -> str:
        asking.answer(
            page.desk,
            view.sheet.case.settlement_id,
            int(number) if number.isascii() and number.isdigit() else 0,
            text=page.form.get("text", ""),
            author=page.actor,
        )
        return "已记下答复"

    return do(page, case_id, act)
