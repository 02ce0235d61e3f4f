"""What every act on a case does around itself: the case as it is now, the answer, the refusal."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.pipeline import edits
from dipgate.web.case_changes import changed_since
from dipgate.web.case_problems import shown_path
from dipgate.web.case_view import CaseView, answer, fragment, open_case
from dipgate.web.page import Page

GONE = ("没有这份病例，或它已经不在了。", "回到队列再选一份。")


def view_of(page: Page, case_id: str, *, placed: bool = False) -> CaseView | None:
    """The case as it is at this moment; None when there is none."""
    with page.desk.store.read() as conn:
        return open_case(page, conn, case_id, placed=placed)


def after(page: Page, case_id: str, *, focus: str = "", said: str = "") -> Response:
    """The page's parts after an act. `focus` is the field that keeps the focus."""
    view = view_of(page, case_id, placed=True)
    if view is None:
        return page.error(404, *GONE)
    view.focus = shown_path(view.sheet, focus) if focus else ""
    return answer(view, said=said)


def do(page: Page, case_id: str, act: Callable[[CaseView], str]) -> Response:
    """One act on the whole list, and the list after it."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    try:
        said = act(view)
    except edits.StaleList:
        return stale(page, case_id)
    except RecordError as error:
        return page.error(422, f"没有做：{error.what}。", remedy_of(error))
    return after(page, case_id, said=said)


def stale(page: Page, case_id: str, *, path: str = "", wanted: str = "") -> Response:
    """409 for an act on a list that changed meanwhile: who changed what, and both values."""
    view = view_of(page, case_id)
    if view is None:
        return page.error(404, *GONE)
    made = fragment(
        view,
        "case_stale.html",
        status=409,
        changed_by=changed_since(view.sheet, last_of(page)),
        now=view.sheet.list.get(path) if path and is_there(view, path) else "",
        wanted=wanted,
    )
    made.headers["HX-Retarget"] = "#notice"
    made.headers["HX-Reswap"] = "innerHTML"
    return made


def is_there(view: CaseView, path: str) -> bool:
    """Does the list have this place?"""
    try:
        view.sheet.list.with_value(path, "")
    except (KeyError, ValueError):
        return False
    return True


def revision_of(page: Page) -> int:
    """The revision the person had on the screen; -1 when the form does not say."""
    text = page.form.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def last_of(page: Page) -> int:
    """The number of the newest act the person had on the screen."""
    text = page.form.get("last", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else 0


def remedy_of(error: RecordError) -> str:
    """The way out as a sentence."""
    text = error.remedy
    return f"{text}。" if text and text[-1] not in "。！？" else text
