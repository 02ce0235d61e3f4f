"""A pull that is killed between two pages has lost nothing and is simply run again."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dipgate.core.faults import FaultPoint
from dipgate.store import open_store, results

pytestmark = pytest.mark.fault

HOSPITAL = "H99010000001"
PULL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dipgate.config.dialects import load_dialect
from dipgate.store import open_store
from dipgate.sync import Page, pull_month

class Clock:
    def now(self):
        return datetime.now(UTC)

class Results:
    dialect = load_dialect("990100")
    on_exchange = None
    def ensure_session(self):
        pass
    def pull_page(self, infno, month, page):
        rows = tuple({"setl_id": f"S{page}{number}"} for number in range(3))
        return Page(rows, (), page == 4)

with open_store(Path(sys.argv[1]), Clock(), owner="pull", hospital_code="H99010000001") as store:
    report = pull_month(store, Results(), "3606", "2025-03")
print(report.rows, report.new)
"""


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def pull(state: Path, crash: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DIPGATE_CRASH": crash}
    return subprocess.run(
        [sys.executable, "-c", PULL, str(state)],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_killed_after_a_page(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert pull(state, f"{FaultPoint.RESULT_STORED.value}:2").returncode == -9
    with open_store(state, Clock(), owner="test", hospital_code=HOSPITAL) as store:
        with store.read() as conn:
            assert len(results.results_for(conn, "3606", "2025-03")) == 6
    done = pull(state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["12", "6"]
