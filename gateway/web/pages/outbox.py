"""The queue desk for IT: what waits for the platform, why, who acts next; asking and putting back.

No list is sent from here: a list whose outcome is not known can only be asked about, and one that
was stopped goes back with a reason and is asked about first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict
from urllib.parse import urlencode

from flask import Response

from dipgate.core.errors import ConfigError, DipgateError, RetryLater
from dipgate.pipeline import queue_desk
from dipgate.pipeline.queue_desk import AGES, Detail, Filter, QueuePage
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route


class QueueValues(TypedDict):
    """Names in the templates of the queue desk."""

    queue: QueuePage
    wanted: Filter
    ages: object
    after: str
    current: int | None
    detail: Detail | None
    query: Callable[..., str]


_FIELDS = ("state", "reason", "age")
_LONGEST_REASON = 200


@route("/out/rows", needs=Permission.QUEUE_DESK, fragment=True)
def rows(page: Page) -> str | Response:
    """The table with its tabs and filters: after a filter, and for the timed refresh."""
    try:
        values = queue_values(page, with_detail=False)
    except ConfigError as error:
        return page.error(400, f"{error}。", "回到“上传与运行”重新选。")
    return page.render("outbox.html", **values)


@route("/out/<int:number>", needs=Permission.QUEUE_DESK, fragment=True)
def one(page: Page, number: int) -> str | Response:
    """One row in full: history, masked messages, what can be done."""
    found = queue_desk.detail(page.desk, number, exchange=_number(page.args.get("exchange", "")))
    if found is None:
        return page.error(404, "队列里没有这一份。", "刷新后再看。")
    return _answer(page, number) if page.args.get("table") else _one(page, found)


@route("/out/<int:number>/ask", needs=Permission.QUEUE_DESK, methods=("POST",), fragment=True)
def ask(page: Page, number: int) -> str | Response:
    """Ask the platform whether it has the list. Nothing is sent again by this."""
    try:
        queue_desk.ask_platform(page.desk, number, actor=page.actor)
    except RetryLater as error:
        return page.error(409, f"没有问到：{error}。", "清单的状态没有变；稍后再问。")
    except ConfigError as error:
        return page.error(409, f"没有问：{error}。", "清单的状态没有变。")
    return _answer(page, number)


@route("/out/<int:number>/back", needs=Permission.QUEUE_DESK, methods=("POST",), fragment=True)
def back(page: Page, number: int) -> str | Response:
    """Put a stopped list back, with a reason: the platform is asked first."""
    reason = page.form.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST_REASON:
        return page.error(
            422,
            f"没有放回：理由要写，不超过 {_LONGEST_REASON} 个字。",
            "写下排除了什么原因，例如“已与平台核对，以本地为准”。",
        )
    try:
        queue_desk.put_back(page.desk, number, reason=reason, actor=page.actor)
    except DipgateError as error:
        return page.error(409, f"没有放回：{error}。", "刷新后再看这一份的状态。")
    return _answer(page, number)


def queue_values(page: Page, *, with_detail: bool = True) -> QueueValues:
    """What the templates of the queue desk need. Raises ConfigError for a filter that is none."""
    wanted = Filter(**{name: page.args.get(name, "") for name in _FIELDS})
    after = page.args.get("after", "")
    queue = queue_desk.queue_page(page.desk, wanted, after=after)
    current = _number(page.args.get("row", ""))
    if with_detail and current is None and queue.lines:
        current = queue.lines[0].number
    return {
        "queue": queue,
        "wanted": wanted,
        "ages": AGES,
        "after": after,
        "current": current,
        "detail": queue_desk.detail(page.desk, current)
        if with_detail and current is not None
        else None,
        "query": lambda **changes: _query(wanted, **changes),
    }


def _one(page: Page, found: Detail | None) -> str:
    return page.render("outbox_one.html", detail=found)


def _answer(page: Page, number: int) -> str:
    """The row in full, and the table beside it, after an act."""
    values = queue_values(page, with_detail=False)
    values["current"] = number
    return page.fragments(
        _one(page, queue_desk.detail(page.desk, number)),
        page.render("outbox.html", **values, oob=True),
    )


def _query(wanted: Filter, **changes: str) -> str:
    """The filter with some changes, as a query string."""
    values = {name: getattr(wanted, name) for name in _FIELDS} | changes
    return urlencode({name: value for name, value in values.items() if value})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
