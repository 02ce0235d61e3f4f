"""Acts on the queue: release one, release all clean, keep a view, take the findings away."""

from __future__ import annotations

from datetime import datetime

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.core.worklist import Grade
from dipgate.pipeline import bulk, edits
from dipgate.reports.findings_xlsx import MOST_FINDINGS, findings_workbook
from dipgate.store import audit, saved_views, worklist_rows
from dipgate.web.filters import full_time
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.pages.queue import user_id_of
from dipgate.web.routes import route
from dipgate.web.worklists.cells import Lines
from dipgate.web.worklists.filters import QueueFilter, cursor_text, filter_of, read_cursor
from dipgate.web.worklists.screen import Reader, tab_views

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@route("/queue/release/<case_id>", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def release(page: Page, case_id: str) -> Response | str:
    """Release one list from the queue; its row stays where it is and says so."""
    with page.desk.store.read() as conn:
        row = worklist_rows.find(conn, case_id)
    if row is None:
        return page.error(404, "这份清单已经不在队列里。", "刷新队列后再看。")
    try:
        edits.release(page.desk, row.settlement_id, author=page.actor)
    except RecordError as error:
        return page.error(409, f"没有放行：{error.what}。", f"{error.remedy}。")
    asked = filter_of(page.form, search=True)
    reader = Reader(page.desk, page.now, asked)
    with page.desk.store.read() as conn:
        counts = reader.counts(conn)
        now = worklist_rows.find(conn, case_id) or row
    line = Lines(page.now, reader.dated).line(now)
    return page.render(
        "queue_released.html",
        line=line,
        filter=asked,
        tabs=tab_views(counts),
        clean=counts[Grade.CLEAN],
    )


@route("/queue/release-clean/ask", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def ask(page: Page) -> str:
    """How many lists would be released, what they are worth, and what happens then."""
    asked = filter_of(page.form, search=True)
    with page.desk.store.read() as conn:
        counts = Reader(page.desk, page.now, asked).counts(conn)
    return page.render(
        "queue_bulk.html",
        step="ask",
        clean=counts[Grade.CLEAN],
        narrowed=asked.narrows,
        until=page.now.isoformat(),
        mode=page.desk.site.platform.mode,
    )


@route("/queue/release-clean", needs=Permission.LISTS_RELEASE, methods=("POST",), fragment=True)
def release_clean(page: Page) -> Response | str:
    """One step of releasing; the answer asks for the next until nothing is left.

    Only what was clean when the person looked (`until`) is released.
    """
    if "stop" in page.form:
        return page.render("queue_bulk.html", step="stopped", done=_count(page, "done"))
    until = _moment(page.form.get("until", ""))
    if until is None or until > page.now:
        return page.error(400, "没有放行：页面太旧。", "刷新队列后再做一次。")
    asked = filter_of(page.form, search=True)
    step = bulk.release_step(
        page.desk,
        asked.work_filter(Reader(page.desk, page.now, asked).today),
        until=until,
        author=page.actor,
        after=read_cursor(page.form.get("after", "")),
    )
    done = _count(page, "done") + step.released
    passed = _count(page, "passed") + step.passed_over
    return page.render(
        "queue_bulk.html",
        step="done" if step.after is None else "going",
        done=done,
        passed=passed,
        total=max(_count(page, "total"), done + passed),
        after=cursor_text(step.after) if step.after else "",
        until=until.isoformat(),
        mode=page.desk.site.platform.mode,
    )


@route("/queue/findings.xlsx", needs=Permission.EXPORT)
def export(page: Page) -> Response:
    """The findings of the lists under the filter, one sheet per department."""
    asked = filter_of(page.args)
    reader = Reader(page.desk, page.now, asked)
    wanted = asked.work_filter(reader.today)
    user = page.user
    with page.desk.store.read() as conn:
        many = worklist_rows.count_findings(conn, wanted)
        if many > MOST_FINDINGS:
            return page.error(
                422,
                f"没有导出：有 {many:,} 处问题，一次最多导出 {MOST_FINDINGS:,} 处。",
                "先按科室、月份或问题筛选，再导出。",
            )
        data = findings_workbook(
            worklist_rows.found_lines(conn, wanted),
            hospital=page.desk.site.hospital.name,
            user=f"{user.name}（{user.login}）" if user else "",
            at=page.now,
            scope=_scope(asked),
        )
    now, actor = page.now, page.actor
    detail: dict[str, str | int | None] = {"findings": many, "filter": asked.query()[:200]}
    page.desk.store.write(
        lambda conn: audit.add(conn, now, actor, "findings.exported", "queue", detail=detail)
    )
    stamp = full_time(now).translate({ord(":"): None, ord("-"): None, ord(" "): "-"})
    return page.download(data, name=f"问题清单-{stamp}.xlsx", media_type=XLSX)


@route("/queue/views/new", needs=Permission.LISTS_VIEW, methods=("POST",), fragment=True)
def name_view(page: Page) -> Response | str:
    """Ask for the name under which the present filter is to be kept."""
    asked = filter_of(page.form)
    if asked.is_plain:
        return page.error(422, "现在没有筛选，没有可存的视图。", "先选标签或筛选条件。")
    return page.render("queue_view.html", filter=asked)


@route("/queue/views", needs=Permission.LISTS_VIEW, methods=("POST",))
def keep_view(page: Page) -> Response:
    """Keep the present filter under a name of one's own."""
    asked = filter_of(page.form)
    try:
        if asked.is_plain:
            raise RecordError("现在没有筛选", remedy="先选标签或筛选条件，再存成视图")
        user_id, now = user_id_of(page), page.now
        name, query = page.form.get("name", ""), asked.query()
        page.desk.store.write(
            lambda conn: saved_views.save(conn, user_id=user_id, name=name, query=query, now=now)
        )
    except RecordError as error:
        return page.error(422, f"视图没有保存：{error.what}。", f"{error.remedy}。")
    return page.redirect(asked.path())


@route("/queue/views/<int:view_id>/forget", needs=Permission.LISTS_VIEW, methods=("POST",))
def forget_view(page: Page, view_id: int) -> Response:
    """Forget one of one's own views; the lists in it stay."""
    user_id = user_id_of(page)
    page.desk.store.write(lambda conn: saved_views.remove(conn, user_id=user_id, view_id=view_id))
    return page.redirect("/queue?tab=todo")


@route("/queue/views/open", needs=Permission.LISTS_VIEW)
def open_view(page: Page) -> Response | str:
    """Go to a saved view by its number."""
    wanted = page.args.get("view", "")
    with page.desk.store.read() as conn:
        views = saved_views.views_of(conn, user_id_of(page))
    found = next((view for view in views if str(view.id) == wanted), None)
    return page.redirect(f"/queue?{found.query}" if found else "/queue?tab=todo")


def _scope(asked: QueueFilter) -> str:
    """The filter in words, for the head of the workbook."""
    parts = [asked.shown_tab.label]
    for label, value in (
        ("科室", asked.dept),
        ("医师", asked.doctor),
        ("规则", asked.rule),
        ("月份", asked.month),
    ):
        if value:
            parts.append(f"{label} {value}")
    return "，".join(parts)


def _count(page: Page, name: str) -> int:
    text = page.form.get(name, "")
    return min(int(text), 10_000_000) if text.isascii() and text.isdecimal() else 0


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
