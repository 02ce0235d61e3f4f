"""SIGKILL while past months are read and judged: run again, every bill is there once, unchanged."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.faults import FaultPoint
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import site_sources, sqlite_source, write_sqlite
from dipgate.demo.hospital import generate
from dipgate.store import history

pytestmark = pytest.mark.fault
SIZE = 40
MONTHS = (1, 2, 3)
LIMIT = 120.0


@pytest.fixture
def years(sample_state: Path, tmp_path: Path) -> Path:
    """A state folder whose source has three months, two of them past; nothing is read yet."""
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    library = load_library(sample_state, "sample", day=date(2025, 3, 1))
    database = tmp_path / "his.sqlite"
    for number in MONTHS:
        day = date(2025, number, 1)
        reference = References(sample_state, own).on(day)
        write_sqlite(generate(reference, library, seed=number, month=day, size=SIZE), database)
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8").replace("[history]", "", 1)
    past = '\n[history]\nbefore = "2025-03"\n\n'
    site.write_text(text + past + site_sources(sqlite_source(database)), encoding="utf-8")
    return sample_state


def _start(state: Path, *args: str, crash: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DIPGATE_STATE": str(state)}
    if crash:
        environment["DIPGATE_CRASH"] = crash
    return subprocess.Popen(
        [sys.executable, "-m", "dipgate", "intake", *args],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _run(state: Path, *args: str, crash: str = "") -> int:
    process = _start(state, *args, crash=crash)
    _, said = process.communicate(timeout=LIMIT)
    assert b"Traceback" not in said, said.decode()
    return process.returncode


def _content(state: Path, folder: str = "") -> dict[str, list[tuple[object, ...]]]:
    """Everything judged, without what differs from run to run by nature (times, random ids)."""
    queries = {
        "rows": "SELECT table_name, stay_key, content, is_current FROM inbox_rows ORDER BY 1, 2, 3",
        "cases": "SELECT settlement_id, month, list_hash, revision, state FROM cases ORDER BY 1",
        "verdicts": "SELECT c.settlement_id, v.list_hash, v.findings FROM verdicts v"
        " JOIN cases c ON c.id = v.case_id ORDER BY 1, 2",
        "findings": "SELECT c.settlement_id, f.rule, f.field FROM findings f"
        " JOIN cases c ON c.id = f.case_id ORDER BY 1, 2, 3",
        "groups": "SELECT c.settlement_id, g.group_code, g.amount_fen FROM groupings g"
        " JOIN cases c ON c.id = g.case_id ORDER BY 1",
        "outbox": "SELECT count(*) FROM outbox",
        "health": "PRAGMA integrity_check",
    }
    if folder:
        queries["bills"] = "SELECT settlement_id, month, state FROM history_bills ORDER BY 1"
    with closing(sqlite3.connect(state / folder / "dipgate.sqlite")) as connection:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


@pytest.fixture
def wanted(years: Path, tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What an unbroken run comes to."""
    clean = tmp_path / "clean"
    shutil.copytree(years, clean, ignore=shutil.ignore_patterns(".lock*", "*.sqlite-*"))
    assert _run(clean, "--history", "--jobs", "1") == 0
    found = _content(clean, history.FOLDER)
    assert len(found["cases"]) == 2 * SIZE
    return found


@pytest.mark.parametrize(
    "crash",
    [
        f"{FaultPoint.INTAKE_RAW_STORED.value}:1",
        f"{FaultPoint.INTAKE_RAW_STORED.value}:4",
        f"{FaultPoint.PIPELINE_STAGE_COMPUTED.value}:1",
        f"{FaultPoint.PIPELINE_STAGE_COMPUTED.value}:2",
    ],
)
def test_a_killed_history_run_again_ends_as_if_nothing_had_happened(
    years: Path, wanted: dict[str, list[tuple[object, ...]]], crash: str
) -> None:
    assert _run(years, "--history", "--jobs", "1", crash=crash) == -signal.SIGKILL
    assert _content(years, history.FOLDER) != wanted
    assert _run(years, "--history", "--jobs", "1") == 0
    assert _content(years, history.FOLDER) == wanted


def test_several_processes_killed_and_live_work_beside_them_lose_and_double_nothing(
    years: Path, wanted: dict[str, list[tuple[object, ...]]]
) -> None:
    live = _start(years)
    crash = f"{FaultPoint.PIPELINE_STAGE_COMPUTED.value}:2"
    assert _run(years, "--history", "--jobs", "2", crash=crash) == -signal.SIGKILL
    assert _run(years, "--history", "--jobs", "2") == 0
    _, said = live.communicate(timeout=LIMIT)
    assert b"Traceback" not in said
    assert live.returncode in (0, 1)
    assert _content(years, history.FOLDER) == wanted
    ours = _content(years)
    assert len(ours["cases"]) == SIZE
    assert {row[1] for row in ours["cases"]} == {"2025-03"}
    assert len(ours["verdicts"]) == SIZE


def test_it_stops_when_asked_and_says_how_far_it_is(
    years: Path, wanted: dict[str, list[tuple[object, ...]]]
) -> None:
    slow = _start(years, "--history", "--jobs", "1", "--rate", "1")
    until = time.monotonic() + LIMIT
    progress = years / history.FOLDER / "progress.json"
    while not (progress.exists() and b'"judge"' in progress.read_bytes()):
        assert time.monotonic() < until
        assert slow.poll() is None
        time.sleep(0.02)
    assert _run(years, "--history", "--status") == 0
    assert _run(years, "--history", "--stop") == 0
    slow.communicate(timeout=LIMIT)
    assert slow.returncode == 130
    assert _run(years, "--history", "--stop") == 1
    assert _run(years, "--history", "--jobs", "1") == 0
    assert _content(years, history.FOLDER) == wanted
