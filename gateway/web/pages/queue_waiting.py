"""Stays that are no list yet: what each waits for, since when, and whom to ask when it is late."""

from __future__ import annotations

from flask import Response

from dipgate.core.worklist import MISSING
from dipgate.pipeline import waiting
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route


@route("/queue/waiting", needs=Permission.LISTS_VIEW)
def show(page: Page) -> str:
    """Part of them, the longest gone home first."""
    return page.render(
        "queue_waiting.html",
        found=waiting.read_page(page.desk, offset=_number(page.args.get("from", ""))),
        words=MISSING,
        days=page.desk.site.desk.wait_days,
        forgotten=waiting.FORGOTTEN,
    )


@route("/queue/waiting.json", needs=Permission.LISTS_VIEW)
def as_json(page: Page) -> Response:
    """Counts per missing part, and how many are overdue."""
    found = waiting.read_page(page.desk)
    days = page.desk.site.desk.wait_days
    return page.json(
        {"waiting": found.counts, "overdue": found.overdue, "overdue_after_days": days}
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
