"""Readings that are held because they brought few rows: take them as they are, or drop them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flask import Response

from dipgate.core.errors import DipgateError
from dipgate.core.record import SourceSpec
from dipgate.pipeline import hold_acts
from dipgate.pipeline.contract_stage import spec_of
from dipgate.pipeline.desk import Desk
from dipgate.store.readings import HeldReading
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

_LONGEST_REASON = 200
Act = Callable[[Desk, SourceSpec, str], tuple[HeldReading, ...]]


@route("/health/held/<source>/release", needs=Permission.QUEUE_DESK, methods=("POST",))
def release(page: Page, source: str) -> Response:
    """There really are so few: take what is held, and map it soon."""
    return _decide(page, source, hold_acts.release)


@route("/health/held/<source>/discard", needs=Permission.QUEUE_DESK, methods=("POST",))
def discard(page: Page, source: str) -> Response:
    """The export was broken: drop what is held; its raw bytes stay."""
    return _decide(page, source, hold_acts.discard)


def _decide(page: Page, source: str, act: Act) -> Response:
    reason = page.form.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST_REASON:
        return page.error(
            422,
            f"没有决定：理由要写，不超过 {_LONGEST_REASON} 个字。",
            "写下核对了什么，例如“与病案室核对，当天确实只出院这些”。",
        )
    try:
        spec = spec_of(page.desk.site, source)
        act(replace(page.desk, actor=page.actor), spec, reason)
    except DipgateError as error:
        return page.error(409, f"没有决定：{error}。", "刷新“上传与运行”再看，可能已经解开。")
    page.web.runtime.ask_soon("intake")
    return page.redirect("/health")
