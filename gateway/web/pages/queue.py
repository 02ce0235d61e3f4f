"""The work queue: what must be done, in the order of money and deadline."""

from __future__ import annotations

from flask import Response

from dipgate.core.worklist import Grade
from dipgate.store import worklist_rows
from dipgate.web.guard import Permission
from dipgate.web.navigation import nav_count
from dipgate.web.page import Page
from dipgate.web.routes import route
from dipgate.web.worklists.filters import (
    QueueFilter,
    filter_of,
    read_cursor,
    remember_filter,
    remembered_filter,
)
from dipgate.web.worklists.screen import PAGE, Reader, tab_views
from dipgate.web.worklists.twin import as_json

_MOST_SEEN = 10_000_000


@nav_count("queue")
def waiting(page: Page) -> int | None:
    """How many lists somebody has to do something about."""
    with page.desk.store.read() as conn:
        return worklist_rows.to_do(conn)


@route("/queue", needs=Permission.LISTS_VIEW)
def show(page: Page) -> str:
    """The page; without parameters, under the filter that this person looked at last."""
    asked = filter_of(page.args) if page.args else remembered_filter(page)
    remember_filter(page, asked)
    return whole(page, asked)


@route("/queue", needs=Permission.LISTS_VIEW, methods=("POST",))
def search(page: Page) -> str:
    """The page under a form's filter, search text included, for a browser without scripts."""
    return whole(page, filter_of(page.form, search=True))


@route("/queue/rows", needs=Permission.LISTS_VIEW, methods=("GET", "POST"), fragment=True)
def rows(page: Page) -> Response:
    """The first page of rows under a filter, with tabs and all that counts."""
    form = page.request.method == "POST"
    asked = filter_of(page.form if form else page.args, search=form)
    remember_filter(page, asked)
    reader = Reader(page.desk, page.now, asked)
    with page.desk.store.read() as conn:
        counts = reader.counts(conn)
        part = reader.part(reader.rows(conn), 0, reader.total(counts))
    html = page.render(
        "queue_answer.html",
        filter=asked,
        tabs=tab_views(counts),
        clean=counts[Grade.CLEAN],
        part=part,
        anything=True,
    )
    answer = Response(html, content_type="text/html; charset=utf-8")
    answer.headers["HX-Replace-Url"] = asked.path()
    return answer


@route("/queue/more", needs=Permission.LISTS_VIEW, methods=("GET", "POST"), fragment=True)
def more(page: Page) -> str:
    """The next page of rows, after the last row of the page before."""
    form = page.request.method == "POST"
    values = page.form if form else page.args
    reader = Reader(page.desk, page.now, filter_of(values, search=form))
    seen, total = (_number(values.get(name, "")) for name in ("seen", "total"))
    with page.desk.store.read() as conn:
        found = reader.rows(conn, read_cursor(values.get("after", "")))
    part = reader.part(found, seen, total)
    return page.render(
        "queue_more.html",
        filter=reader.filter,
        part=part,
        tabs=(),
        clean=worklist_rows.GradeCount(),
        anything=True,
    )


@route("/queue.json", needs=Permission.LISTS_VIEW)
def twin(page: Page) -> Response:
    """All that the page shows, as JSON; `after` of an answer is where the next page begins."""
    reader = Reader(page.desk, page.now, filter_of(page.args))
    with page.desk.store.read() as conn:
        found = reader.rows(conn, read_cursor(page.args.get("after", "")))
        screen = reader.screen(conn, user_id_of(page), found)
    return page.json(as_json(screen, found[:PAGE]))


def whole(page: Page, asked: QueueFilter) -> str:
    """The whole page under a filter."""
    reader = Reader(page.desk, page.now, asked)
    with page.desk.store.read() as conn:
        screen = reader.screen(conn, user_id_of(page), reader.rows(conn))
    icd10 = page.desk.reference(reader.today).icd10
    return page.render(
        "queue.html",
        screen=screen,
        filter=asked,
        tabs=screen.tabs,
        clean=screen.clean,
        part=screen.part,
        anything=screen.anything,
        catalogue=icd10.version if icd10 else "",
    )


def user_id_of(page: Page) -> int:
    """Whose views are shown."""
    if page.session is None:
        raise RuntimeError("the queue is for people who are signed in")
    return page.session.user.id


def _number(text: str) -> int:
    return min(int(text), _MOST_SEEN) if text.isdecimal() and text.isascii() else 0
