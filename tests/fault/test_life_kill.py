"""An intake that cancels and changes queued lists, killed on the way: again, it ends the same."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.faults import FaultPoint
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline import edits
from dipgate.pipeline.exchange_stage import queue_ready
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk

SIZE = 24
FOUND_ERRORS = 1
POINTS = (FaultPoint.INTAKE_RAW_STORED, FaultPoint.PIPELINE_STAGE_COMPUTED)


@pytest.fixture
def queued(sample_state: Path, tmp_path: Path, clock: FixedClock) -> Path:
    """Every clean list waits in the outbox; then the export comes again, changed."""
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    day = date(2025, 3, 1)
    reference = References(sample_state, own).on(day)
    library = load_library(sample_state, "sample", day=day)
    made = generate(reference, library, seed=5, month=day, size=SIZE, defect_share=0.0)
    export = tmp_path / "export"
    write_csv(made, export)
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8") + "\n" + site_sources(csv_source(export))
    site.write_text(text, encoding="utf-8")
    file = next(path for path in export.iterdir() if path.name.startswith("settlement"))
    head, *lines = [line for line in file.read_bytes().decode("gb18030").split("\r\n") if line]
    place = head.split(",").index("结算结束日期")
    lines = [_with(line, place, f"2025-03-{day:02d}") for day, line in enumerate(lines, start=1)]
    file.write_bytes("\r\n".join([head, *lines]).encode("gb18030"))
    with open_desk(sample_state, site, clock=clock) as desk:
        read_sources(desk)
        map_new_stays(desk)
        judge_new_cases(desk)
        assert edits.release_clean(desk, author="测试员") > SIZE // 2
        queue_ready(desk)
    total, serial = head.split(",").index("医疗费总额"), head.split(",").index("业务流水号")
    lines[2] = _with(lines[2], total, f"-{lines[2].split(',')[total]}")
    for changed in (13, 14, 15, 16):
        lines[changed] = _with(lines[changed], serial, "改过")
    del lines[9]
    file.write_bytes("\r\n".join([head, *lines]).encode("gb18030"))
    return sample_state


def _with(line: str, place: int, value: str) -> str:
    cells = line.split(",")
    cells[place] = value
    return ",".join(cells)


def _intake(state: Path, crash: str = "") -> int:
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "DIPGATE_CRASH": crash}
    command = [sys.executable, "-m", "dipgate", "intake", "--state", str(state), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    return done.returncode


def _content(state: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that must be the same however often the process died on the way."""
    queries = {
        "cases": "SELECT settlement_id, list_hash, revision, state FROM cases ORDER BY 1",
        "outbox": "SELECT settlement_id, revision, state FROM outbox ORDER BY 1, 2",
        "events": "SELECT settlement_id, kind, revision FROM bill_events ORDER BY 1, id",
        "queue": "SELECT settlement_id, grade, problem, pay_fen FROM worklist ORDER BY 1",
        "waiting": "SELECT stay_key, kind FROM waiting_stays ORDER BY 1",
    }
    connection = sqlite3.connect(state / "dipgate.sqlite")
    try:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "point", [FaultPoint.INTAKE_RAW_STORED, FaultPoint.PIPELINE_STAGE_COMPUTED]
)
def test_killed_between_the_steps_it_ends_the_same(
    queued: Path, tmp_path: Path, point: FaultPoint
) -> None:
    clean = tmp_path / "clean"
    shutil.copytree(queued, clean, ignore=shutil.ignore_patterns(".lock*", "*.sqlite-*"))
    assert _intake(clean) in (0, FOUND_ERRORS)
    wanted = _content(clean)
    states = [row[3] for row in wanted["cases"]]
    assert states.count("retired") == 2
    late = [row[1] for row in wanted["events"]].count("late")
    assert late > 1, "some of the changed lists were queued"
    assert [row[2] for row in wanted["outbox"]].count("superseded") >= late
    assert _intake(queued, f"{point.value}:1") == -signal.SIGKILL
    assert _content(queued) != wanted
    assert _intake(queued) in (0, FOUND_ERRORS)
    assert _content(queued) == wanted
