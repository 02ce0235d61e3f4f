"""The list on paper, in the layout of the official form."""

from __future__ import annotations

from flask import Response

from dipgate.web.case_print import PrintForm
from dipgate.web.case_view import open_case
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

SENT = ("ready", "queued", "accepted")


@route("/case/<case_id>/print", needs=Permission.LISTS_VIEW)
def printed(page: Page, case_id: str) -> Response | str:
    """Every box of the form; what has not been released says so on the paper."""
    with page.desk.store.read() as conn:
        view = open_case(page, conn, case_id)
    if view is None:
        return page.error(404, "没有这份病例，或它已经不在了。", "回到队列再选一份。")
    sheet = view.sheet
    form = PrintForm(sheet.list, page.desk.forms, sheet.lines["diseinfo"], sheet.lines["oprninfo"])
    draft = "" if sheet.case.state in SENT else "草稿：没有放行"
    return page.render("case_print.html", **view.context(form=form, draft=draft))
