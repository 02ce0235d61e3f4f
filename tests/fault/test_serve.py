"""The serving process as a whole: it stops within seconds, and a dead part ends it.

Judged from outside: exit code, report, and for kills in mid-upload the platform's own books.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.exchange import State
from dipgate.core.faults import FaultPoint
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv, write_settlements
from dipgate.demo.hospital import generate
from dipgate.pipeline.edits import release_clean
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.clock import SystemClock
from dipgate.service.runtime import EXIT_DEAD_WORKER, STOP_SECONDS
from dipgate.service.wiring import open_desk
from dipgate.store import cases, open_store, outbox, reconciliations

pytestmark = pytest.mark.fault

MONTH = date(2025, 3, 1)
LISTS = 12
SECRET = "twin-secret"  # noqa: S105
STARTING = 60.0
STOPPING = STOP_SECONDS + 10.0
BROKEN_SENDER = """
import sys
from dipgate.cli import main
from dipgate.service.sender import SendJob
def broken(self, pulse):
    raise LookupError("金丝雀鸣")
SendJob.__call__ = broken
sys.exit(main())
"""


def until(true: Callable[[], bool], seconds: float = STARTING) -> None:
    limit, pause = monotonic() + seconds, Event()
    while not true():
        assert monotonic() < limit, "did not happen in time"
        pause.wait(0.02)


@dataclass(frozen=True)
class Site:
    """A state folder with released lists, and the platform that waits for them."""

    state: Path
    address: str

    def change(self, old: str, new: str) -> None:
        file = self.state / "site.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def books(self, expected: list[str]) -> dict[str, list[str]]:
        host, _, port = self.address.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("POST", "/twin/ledger", json.dumps({"expected": expected}))
        body: dict[str, list[str]] = json.loads(connection.getresponse().read())
        connection.close()
        return body


@contextmanager
def process(command: list[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "PYTHONIOENCODING": "utf-8",
        "DIPGATE_PLATFORM_SECRET": SECRET,
        **env,
    }
    with log.open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()
            started.wait(timeout=30)


@contextmanager
def serving(
    site: Site, log: Path, code: str = "", **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port_file = site.state / "port"
    port_file.unlink(missing_ok=True)
    arguments = ["--state", str(site.state), "serve", "--port", "0", "--port-file", str(port_file)]
    start = ["-c", code] if code else ["-m", "dipgate"]
    with process([sys.executable, *start, *arguments], log, **env) as started:
        until(lambda: port_file.exists() or started.poll() is not None)
        yield started, int(port_file.read_text()) if port_file.exists() else 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    state, twin = tmp_path / "state", tmp_path / "twin"
    clock = SystemClock()
    for each in (state, twin):
        each.mkdir()
        activate_sample(each, clock.now())
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    month = generate(
        References(state, own).on(MONTH),
        load_library(state, "sample", day=MONTH),
        seed=5,
        month=MONTH,
        size=LISTS,
        defect_share=0.0,
    )
    write_csv(month, tmp_path / "export")
    write_settlements(month, tmp_path / "settlements.jsonl")
    port_file = tmp_path / "twin.port"
    command = [sys.executable, "-m", "dipgate", "platform", "serve", "--state", str(twin)]
    command += ["--settlements", str(tmp_path / "settlements.jsonl"), "--accept-repeats"]
    command += ["--port-file", str(port_file)]
    init = [sys.executable, "-P", "-m", "dipgate", "--state", str(state), "init", "--sample"]
    subprocess.run(init, check=True, capture_output=True)
    with process(command, tmp_path / "twin.log") as platform:
        until(lambda: port_file.exists() or platform.poll() is not None)
        made = Site(state, f"http://127.0.0.1:{port_file.read_text().strip()}")
        file = state / "site.toml"
        sources = site_sources(csv_source(tmp_path / "export"))
        file.write_text(file.read_text("utf-8") + "\n" + sources, encoding="utf-8")
        made.change('mode = "observe"', 'mode = "live"')
        made.change('url = ""', f'url = "{made.address}"')
        yield made


def released(site: Site) -> list[str]:
    """Read, judge and release everything; the settlement ids."""
    with open_desk(site.state, site.state / "site.toml") as desk:
        read_sources(desk)
        map_new_stays(desk)
        judge_new_cases(desk)
        assert release_clean(desk, author="甲") == LISTS
        with desk.store.read() as conn:
            return [case.settlement_id for case in cases.cases_in(conn, limit=100)]


def accepted(site: Site) -> int:
    with (
        open_store(site.state, SystemClock(), owner="test", read_only=True) as store,
        store.read() as conn,
    ):
        return cases.counts(conn)["accepted"]


def test_it_reads_sends_compares_and_stops_at_once(site: Site, tmp_path: Path) -> None:
    expected = released(site)
    log = tmp_path / "serve.log"
    with serving(site, log) as (server, _port):
        until(lambda: accepted(site) == LISTS)
        began = monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=STOPPING) == 0, log.read_text("utf-8")
        assert monotonic() - began < STOP_SECONDS
    # The night was missed while nobody was there: the next start fetches and compares at once.
    with serving(site, log) as (server, _port):

        def compared() -> bool:
            with (
                open_store(site.state, SystemClock(), owner="test", read_only=True) as store,
                store.read() as conn,
            ):
                return sum(reconciliations.counts(conn, "2025-03").values()) == LISTS

        until(compared)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=STOPPING) == 0
    books = site.books(expected)
    assert books["lost"] == books["doubled"] == []
    assert "ERROR" not in log.read_text("utf-8")


@pytest.mark.parametrize("point", [FaultPoint.SEND_WRITTEN, FaultPoint.SEND_ANSWERED])
def test_killed_in_mid_upload_and_started_again_nothing_doubles(
    site: Site, tmp_path: Path, point: FaultPoint
) -> None:
    expected = released(site)
    log = tmp_path / "serve.log"
    with serving(site, log, DIPGATE_CRASH=f"{point.value}:4") as (server, _port):
        assert server.wait(timeout=STARTING) == -signal.SIGKILL
    assert accepted(site) < LISTS
    with serving(site, log) as (server, _port):
        until(lambda: accepted(site) == LISTS)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=STOPPING) == 0
    books = site.books(expected)
    assert books["lost"] == books["doubled"] == []


def test_a_dead_worker_ends_the_process_with_a_report(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with serving(site, log, BROKEN_SENDER) as (server, _port):
        assert server.wait(timeout=STARTING) == EXIT_DEAD_WORKER
    said = log.read_text("utf-8")
    assert "worker.died job=sender error=LookupError" in said
    (report,) = (site.state / "reports").iterdir()
    assert "LookupError" in report.read_text("utf-8")
    assert "金丝雀" not in said + report.read_text("utf-8")


def test_a_silent_platform_does_not_delay_the_end(site: Site, tmp_path: Path) -> None:
    """A list is just being sent and no answer comes: the process ends; the list is unknown."""
    expected = released(site)
    host, _, port = site.address.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    plan = {"share": {"slow": 1.0}, "infno": ["4101A"], "slow_seconds": 30}
    connection.request("POST", "/twin/faults", json.dumps(plan))
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
    site.change("# read_seconds = 15", "read_seconds = 29")
    site.change("# total_seconds = 60", "total_seconds = 29.5")
    log = tmp_path / "serve.log"
    with serving(site, log) as (server, _port):

        def sending() -> bool:
            with (
                open_store(site.state, SystemClock(), owner="test", read_only=True) as store,
                store.read() as conn,
            ):
                return outbox.counts(conn)[State.SENDING] > 0

        until(sending)
        began = monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=STOPPING + STOP_SECONDS) == 0, log.read_text("utf-8")
        assert monotonic() - began < STOPPING
    assert site.books(expected)["doubled"] == []
