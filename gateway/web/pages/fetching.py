"""Fetching the platform's results now instead of at night: asked of the job that does it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Response

from dipgate.web.context import JobStatus
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_SINCE = re.compile(r"[0-9]{1,12}")


@route("/reconcile/fetch", needs=Permission.RESULTS_VIEW, methods=("POST",))
def fetch(page: Page) -> Response:
    """Ask for the results; the page that follows waits for them."""
    month = page.form.get("month", "")
    since = int(page.now.timestamp())
    if not page.web.runtime.ask_soon("pull"):
        job = _job(page, "pull")
        why = job.detail if job is not None and job.detail else "这个进程只开着页面"
        return page.error(409, f"没有去取：{why}。", "需要时请信息科看“上传与运行”。")
    query = {"fetching": str(since)} | ({"month": month} if _MONTH.fullmatch(month) else {})
    return page.redirect(f"/reconcile?{urlencode(query)}")


@route("/reconcile/fetching", needs=Permission.RESULTS_VIEW, fragment=True)
def fetching(page: Page) -> str | Response:
    """How far it is: still waiting, done (the page is opened anew), or why not."""
    since, month = page.args.get("since", ""), page.args.get("month", "")
    job = _job(page, "pull")
    if job is None or _SINCE.fullmatch(since) is None:
        return page.error(404, "没有在取结果。", "刷新后再看。")
    asked = datetime.fromtimestamp(int(since), UTC)
    if not _ended_since(job, asked) or _is_running(page, "reconcile"):
        return page.render("fetching.html", since=since, month=month, waits=True)
    if job.last_succeeded is not None and job.last_succeeded >= asked:
        query = urlencode({"month": month}) if _MONTH.fullmatch(month) else ""
        return Response(status=204, headers={"HX-Redirect": f"/reconcile?{query}".rstrip("?")})
    return page.render("fetching.html", waits=False, job=job)


def _ended_since(job: JobStatus, asked: datetime) -> bool:
    started = job.last_started
    return started is not None and started >= asked and job.state != "running"


def _is_running(page: Page, name: str) -> bool:
    job = _job(page, name)
    return job is not None and job.state == "running"


def _job(page: Page, name: str) -> JobStatus | None:
    return next((job for job in page.web.runtime.jobs() if job.name == name), None)
