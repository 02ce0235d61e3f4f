"""`dipgate demo` without `--exit`: the summary, then a desk to log in to, until it is stopped."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.core.clock import CHINA, FixedClock
from dipgate.demo.desk import FRESH_DAYS, days_for, fresh_days
from dipgate.demo.run import MONTH

pytestmark = pytest.mark.fault
STARTING, STOPPING = 120.0, 30.0


def test_the_desk_opens_after_the_run_and_stops_when_told_to(tmp_path: Path) -> None:
    said, told = tmp_path / "stdout", tmp_path / "stderr"
    command = [sys.executable, "-P", "-m", "dipgate", "demo", "--cases", "20", "--json"]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "TMPDIR": str(tmp_path)}
    with said.open("wb") as out, told.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        try:
            limit, pause = monotonic() + STARTING, Event()
            while "Ctrl-C" not in told.read_text("utf-8"):
                assert process.poll() is None, told.read_text("utf-8")
                assert monotonic() < limit, "the desk did not open"
                pause.wait(0.1)
            text = told.read_text("utf-8")
            summary = json.loads(said.read_text("utf-8"))
            assert summary["cases"] == 20
            assert (summary["lost"], summary["doubled"], summary["unknown"]) == (0, 0, 0)
            for login in ("coder", "office", "admin"):
                assert re.search(rf"用户 {login}\t密码 \w{{16}}$", text, re.MULTILINE), text
            found = re.search(r"http://127\.0\.0\.1:(\d+)（(\d+) 份", text)
            assert found is not None, text
            assert int(found[2]) > 20
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
            connection.request("GET", "/health/up")
            assert json.loads(connection.getresponse().read()) == {"status": "up"}
            connection.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=STOPPING) == 0, told.read_text("utf-8")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=STOPPING)
    folder = re.search(r"演示目录：(\S+)", text)
    assert folder is not None
    assert Path(folder[1]).is_dir(), "kept for a look around"
    shutil.rmtree(folder[1])


def clock_at(day: date) -> FixedClock:
    return FixedClock(datetime(day.year, day.month, day.day, 12, tzinfo=CHINA))


@pytest.mark.parametrize("today", [date(2026, 11, 24), date(2026, 11, 5), date(2026, 3, 1)])
def test_the_fresh_days_are_the_last_ones_and_never_in_the_worked_month(
    state: Path, today: date
) -> None:
    clock = clock_at(today)
    activate_sample(state, clock.now())
    days = days_for(clock)
    assert days.current
    assert days.last == today - timedelta(days=1)
    assert days.first == today - timedelta(days=FRESH_DAYS)
    assert (days.worked + timedelta(days=31)).replace(day=1) == days.first.replace(day=1)
    fresh = fresh_days(state, days, seed=7)
    bills = [truth.settlement for month in fresh for truth in month.truths]
    assert len(bills) > 40
    assert len({bill["setl_id"] for bill in bills}) == len(bills)
    for bill in bills:
        assert days.first <= date.fromisoformat(bill["setl_end_date"]) <= days.last
    planted = {item.setl_id for month in fresh for item in month.planted}
    assert planted <= {bill["setl_id"] for bill in bills}
    assert planted


def test_where_the_sample_policy_does_not_reach_the_demo_stays_in_the_past(state: Path) -> None:
    clock = clock_at(date(2031, 5, 5))
    activate_sample(state, clock.now())
    days = days_for(clock)
    assert days.worked == MONTH
    assert not days.current
    assert fresh_days(state, days, seed=7)
