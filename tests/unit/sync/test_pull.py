"""Results arrive page by page; each page is safe before the next is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import platform_kit as kit
import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.core.wire import Fault, WireProblem
from dipgate.store import Store, open_store, results
from dipgate.sync.client import Exchange, Page
from dipgate.sync.pull import TRIES, pull_month

BAD = WireProblem("data[0].setl_id", Fault.MISSING, "“结算ID”必填，现为空", "补填")


class Results:
    """Plays a client: pages from a list; an exception in it is raised."""

    def __init__(self, *pages: Page | Exception) -> None:
        self.dialect = kit.DIALECT
        self.pages = list(pages)
        self.asked: list[tuple[str, str, int]] = []
        self.on_exchange: Callable[[Exchange], None] = lambda _exchange: None

    def ensure_session(self) -> None:
        """Always signed in."""

    def pull_page(self, infno: str, month: str, page: int) -> Page:
        self.asked.append((infno, month, page))
        found = self.pages.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def page(*ids: str, last: bool = False, score: str = "1.0", bad: int = 0) -> Page:
    rows = tuple({"setl_id": name, "act_setl_sco": score} for name in ids)
    return Page(rows, (BAD,) * bad, last)


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> Iterator[Store]:
    with open_store(tmp_path / "state", clock, owner="test", hospital_code=kit.HOSPITAL.code) as it:
        yield it


def ids(store: Store) -> list[str]:
    with store.read() as conn:
        return [row.settlement_id for row in results.results_for(conn, "3606", "2025-03")]


def test_all_pages_are_stored_and_counted(store: Store) -> None:
    client = Results(page("A", "B"), page("C", last=True, bad=1))
    report = pull_month(store, client, "3606", "2025-03")  # type: ignore[arg-type]
    assert (report.pages, report.rows, report.new, report.problem_count) == (2, 3, 3, 1)
    assert report.problems == (BAD,)
    assert client.asked == [("3606", "202503", 1), ("3606", "202503", 2)]
    assert ids(store) == ["A", "B", "C"]


def test_a_broken_off_pull_keeps_its_pages_and_is_simply_run_again(store: Store) -> None:
    waits: list[float] = []
    broken = Results(page("A", "B"), *[RetryLater("连不上")] * TRIES)
    with pytest.raises(RetryLater):
        pull_month(store, broken, "3606", "2025-03", wait=waits.append)  # type: ignore[arg-type]
    assert ids(store) == ["A", "B"]
    assert len(waits) == TRIES - 1
    again = Results(page("A", "B"), page("C", last=True))
    report = pull_month(store, again, "3606", "2025-03")  # type: ignore[arg-type]
    assert (report.rows, report.new) == (3, 1)


def test_one_bad_moment_is_waited_out(store: Store) -> None:
    client = Results(RetryLater("超时"), page("A", last=True))
    report = pull_month(store, client, "3606", "2025-03", wait=lambda _s: None)  # type: ignore[arg-type]
    assert report.rows == 1


def test_other_content_later_replaces_what_stood_there(store: Store) -> None:
    for score in ("1.0", "2.0"):
        pull_month(store, Results(page("A", last=True, score=score)), "3606", "2025-03")  # type: ignore[arg-type]
    with store.read() as conn:
        (row,) = results.results_for(conn, "3606", "2025-03")
    assert row.payload["act_setl_sco"] == "2.0"


def test_a_platform_that_repeats_its_page_does_not_turn_us_in_circles(store: Store) -> None:
    with pytest.raises(RetryLater, match="上一页"):
        pull_month(store, Results(page("A"), page("A")), "3606", "2025-03")  # type: ignore[arg-type]


@pytest.mark.parametrize("month", ["202503", "2025-13", "2025-3", ""])
def test_a_month_that_is_none(store: Store, month: str) -> None:
    with pytest.raises(ConfigError, match="2025-03"):
        pull_month(store, Results(), "3606", month)  # type: ignore[arg-type]
