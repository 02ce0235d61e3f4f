"""SIGKILL in the middle of taking in a month: what was there is there, once, after a second run."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.faults import FaultPoint
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate

pytestmark = pytest.mark.fault
SIZE = 40
FOUND_ERRORS = 1
"""Exit code of a whole run: the month has planted defects."""


@pytest.fixture
def exported(sample_state: Path, tmp_path: Path) -> Path:
    """A state folder whose site reads an export of `SIZE` stays; nothing is read yet."""
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    reference = References(sample_state, own).on(date(2025, 3, 1))
    library = load_library(sample_state, "sample", day=date(2025, 3, 1))
    month = generate(reference, library, seed=5, month=date(2025, 3, 1), size=SIZE)
    write_csv(month, tmp_path / "export")
    site = sample_state / "site.toml"
    sources = site_sources(csv_source(tmp_path / "export"))
    site.write_text(site.read_text(encoding="utf-8") + "\n" + sources, encoding="utf-8")
    return sample_state


def _intake(state: Path, crash: str = "") -> int:
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "DIPGATE_CRASH": crash}
    command = [sys.executable, "-m", "dipgate", "intake", "--state", str(state), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    return done.returncode


def _content(state: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that must be the same however often the process died on the way."""
    queries = {
        "rows": "SELECT source, table_name, stay_key, content, is_current FROM inbox_rows"
        " ORDER BY 1, 2, 3, 4",
        "cases": "SELECT settlement_id, list_hash, revision, state FROM cases ORDER BY 1",
        "verdicts": "SELECT c.settlement_id, v.list_hash, v.errors FROM verdicts v"
        " JOIN cases c ON c.id = v.case_id ORDER BY 1, 2",
        "groups": "SELECT c.settlement_id, g.group_code, g.amount_fen FROM groupings g"
        " JOIN cases c ON c.id = g.case_id ORDER BY 1",
        "health": "PRAGMA integrity_check",
    }
    connection = sqlite3.connect(state / "dipgate.sqlite")
    try:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "crash",
    [
        f"{FaultPoint.INTAKE_RAW_STORED.value}:1",
        f"{FaultPoint.INTAKE_RAW_STORED.value}:3",
        f"{FaultPoint.PIPELINE_STAGE_COMPUTED.value}:1",
        f"{FaultPoint.PIPELINE_STAGE_COMPUTED.value}:2",
    ],
)
def test_a_killed_intake_run_again_ends_as_if_nothing_had_happened(
    exported: Path, tmp_path: Path, crash: str
) -> None:
    clean = tmp_path / "clean"
    _copy(exported, clean)
    assert _intake(clean) == FOUND_ERRORS
    wanted = _content(clean)
    assert len(wanted["cases"]) == SIZE

    assert _intake(exported, crash) == -signal.SIGKILL
    assert _content(exported) != wanted
    assert _intake(exported) == FOUND_ERRORS
    assert _content(exported) == wanted


def _copy(source: Path, target: Path) -> None:
    """A state folder of its own whose site file still names the same export."""
    import shutil

    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".lock*", "*.sqlite-*"))
