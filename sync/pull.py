"""Fetching results page by page into the result inbox; a page may be fetched again at will."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.progress import Progress, silent
from dipgate.core.wire import WireProblem
from dipgate.store import Connection, Store, results
from dipgate.sync.client import Page, PlatformClient
from dipgate.sync.exchange_log import ExchangeLog, KeptExchange, write_exchanges

TRIES = 5
"""Tries per page before the whole pull gives up; what was stored stays."""
MAX_PAGES = 10_000
SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class PullReport:
    """What one pull brought. `new` counts rows with other content than before."""

    infno: str
    month: str
    pages: int
    rows: int
    new: int
    problems: tuple[WireProblem, ...]
    """The first of the rows that broke the field table and were left out."""
    problem_count: int


def pull_month(
    store: Store,
    client: PlatformClient,
    infno: str,
    month: str,
    *,
    wait: Callable[[float], None] = time.sleep,
    progress: Progress = silent,
) -> PullReport:
    """Fetch all pages of a settlement month `YYYY-MM`; each is committed before the next is asked.

    Stored again, a page changes nothing, so a killed pull is simply run again. Raises RetryLater
    when a page does not come after several tries, Refused when the platform says no.
    """
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
        raise ConfigError(f"结算年月应写成 2025-03，不是 {month!r}", path="--month")
    log = ExchangeLog(store, client)
    rows = new = problem_count = 0
    problems: list[WireProblem] = []
    before: Page | None = None
    for number in range(1, MAX_PAGES + 1):
        page = _page(client, log, infno, month, number, wait)
        if before is not None and page.rows and page.rows == before.rows:
            raise RetryLater(f"平台把第 {number} 页答成了上一页，停止获取 {infno} 的结果")
        before = page
        new += _store(store, infno, month, page.rows, log.keep())
        rows += len(page.rows)
        problem_count += len(page.problems)
        problems += page.problems[: SHOWN_PROBLEMS - len(problems)]
        faultpoint(FaultPoint.RESULT_STORED)
        progress(rows, None)
        if page.last:
            return PullReport(infno, month, number, rows, new, tuple(problems), problem_count)
    raise RetryLater(f"平台的 {infno} 结果超过 {MAX_PAGES} 页，停止获取")


def _page(
    client: PlatformClient,
    log: ExchangeLog,
    infno: str,
    month: str,
    number: int,
    wait: Callable[[float], None],
) -> Page:
    shape = client.dialect.backoff
    for attempt in range(1, TRIES + 1):
        try:
            client.ensure_session()
            return client.pull_page(infno, month.replace("-", ""), number)
        except RetryLater:
            log.write()
            if attempt == TRIES:
                raise
            wait(min(shape.cap_seconds, shape.base_seconds * 2 ** (attempt - 1)))
    raise AssertionError("the last try returns or raises")


def _store(
    store: Store,
    infno: str,
    month: str,
    rows: Sequence[object],
    kept: tuple[KeptExchange, ...],
) -> int:
    now = store.clock.now()
    content = [row for row in rows if isinstance(row, dict)]

    def work(conn: Connection) -> int:
        write_exchanges(conn, kept, None)
        return results.put_page(conn, infno, month, content, now)

    return store.write(work)
