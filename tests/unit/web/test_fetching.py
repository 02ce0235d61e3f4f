"""Fetching results now: asked of the job, waited for, and told when it did not work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.pipeline.desk import Desk
from dipgate.web.app import create_app
from dipgate.web.context import JobStatus, WebContext


@dataclass
class Jobs:
    """Stands where the service's runtime stands."""

    pull: JobStatus
    reconcile: JobStatus
    asked: int = 0
    works: bool = True
    started_at: datetime | None = None

    def jobs(self) -> tuple[JobStatus, ...]:
        return (self.pull, self.reconcile)

    def ask_soon(self, name: str) -> bool:
        assert name == "pull"
        self.asked += 1
        return self.works


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(JobStatus("pull", "取回结果", "waiting"), JobStatus("reconcile", "对账", "waiting"))


@pytest.fixture
def app(desk: Desk, clock: FixedClock, tmp_path: Path, jobs: Jobs) -> Any:
    web = WebContext(desk=desk, clock=clock, runtime=jobs, version="0")
    return create_app(web, instance=tmp_path / "instance")


def test_the_job_is_asked_and_its_end_is_waited_for(
    browser: Callable[..., Any], clock: FixedClock, jobs: Jobs
) -> None:
    opened = browser("office")
    answer = opened.post("/reconcile/fetch", {"month": "2025-03"})
    assert answer.status_code == 303
    assert jobs.asked == 1
    since = str(int(clock.now().timestamp()))
    assert answer.headers["Location"] == f"/reconcile?fetching={since}&month=2025-03"
    path = f"/reconcile/fetching?since={since}&month=2025-03"

    def look() -> Any:
        return opened.get(path, htmx=True)

    assert "every 1s" in look().text, "not begun"
    began = clock.now() + timedelta(seconds=1)
    jobs.pull = replace(jobs.pull, state="running", last_started=began)
    assert "every 1s" in look().text, "running"
    jobs.pull = replace(jobs.pull, state="waiting", last_succeeded=began)
    jobs.reconcile = replace(jobs.reconcile, state="running")
    assert "every 1s" in look().text, "being compared"
    jobs.reconcile = replace(jobs.reconcile, state="waiting")
    done = look()
    assert done.status_code == 204
    assert done.headers["HX-Redirect"] == "/reconcile?month=2025-03"


def test_why_it_did_not_work_is_told(
    browser: Callable[..., Any], clock: FixedClock, jobs: Jobs
) -> None:
    opened = browser("coder")
    began = clock.now() + timedelta(seconds=1)
    jobs.pull = replace(
        jobs.pull,
        state="waiting",
        last_started=began,
        last_succeeded=clock.now() - timedelta(days=1),
        next_run=began + timedelta(minutes=15),
        detail="没有做完：平台没有答复",
    )
    text = opened.get(
        f"/reconcile/fetching?since={int(clock.now().timestamp())}&month=2025-03", htmx=True
    ).text
    assert "没有取成" in text
    assert "平台没有答复" in text
    assert "12:15 会再取" in text
    assert "every" not in text


def test_a_job_that_is_off_cannot_be_asked(browser: Callable[..., Any], jobs: Jobs) -> None:
    jobs.works = False
    jobs.pull = replace(jobs.pull, state="off", detail="没有正式上传，没有结果可取")
    answer = browser("coder").post("/reconcile/fetch", {"month": "x"})
    assert answer.status_code == 409
    assert "没有正式上传" in answer.text


@pytest.mark.parametrize("since", ["", "x", "-1", "9" * 13])
def test_a_made_up_moment_is_refused(browser: Callable[..., Any], since: str) -> None:
    assert browser("coder").get(f"/reconcile/fetching?since={since}", htmx=True).status_code == 404
