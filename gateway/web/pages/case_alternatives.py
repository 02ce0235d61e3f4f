"""What else a list could honestly be: looked at, which the audit keeps; taken with a reason."""

from __future__ import annotations

from flask import Response

from dipgate.core.errors import ConfigError, RecordError
from dipgate.pipeline import alternatives, edits
from dipgate.web.case_acting import GONE, after, remedy_of, revision_of, stale, view_of
from dipgate.web.case_alternatives import said_of, shown
from dipgate.web.case_view import fragment
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route


@route("/case/<case_id>/alternatives", needs=Permission.LISTS_VIEW, fragment=True)
def look(page: Page, case_id: str) -> Response:
    """Every other principal diagnosis and operation of the record. That it was asked is kept."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    try:
        found = alternatives.simulate(page.desk, view.sheet.case, actor=page.actor)
    except ConfigError as error:
        return page.error(422, f"看不了：{error}。", "请信息科改正后重新启动。")
    return fragment(view, "case_alternatives.html", found=shown(view.sheet, found))


@route(
    "/case/<case_id>/alternatives", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True
)
def take(page: Page, case_id: str) -> Response:
    """Take one, as an ordinary correction: the reason is a must, locked ones are refused."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    sid, key = view.sheet.case.settlement_id, page.form.get("key", "")
    try:
        option = alternatives.take(
            page.desk,
            sid,
            key,
            revision=revision_of(page),
            reason=page.form.get("reason", "").strip()[:200],
            author=page.actor,
        )
    except edits.StaleList:
        return stale(page, case_id)
    except RecordError as error:
        return page.error(422, f"没有存：{error.what}。", remedy_of(error))
    except ConfigError as error:
        return page.error(422, f"没有存：{error}。", "请信息科改正后重新启动。")
    return after(page, case_id, focus=key.partition("+")[0], said=f"已存：{said_of(option)}")
