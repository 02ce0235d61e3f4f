"""SIGKILL while a whole year is grouped: run again, the file is that of an uninterrupted run."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.libraries import load_library
from dipgate.core.faults import FaultPoint
from dipgate.demo.bulk_cases import BulkCases

pytestmark = pytest.mark.fault
COUNT = 4500
"""Five chunks of a thousand."""
LIMIT = 120


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state folder, a year of cases as CSV, and results of whole runs."""
    folder = tmp_path_factory.mktemp("year")
    said = subprocess.run(
        [sys.executable, "-m", "dipgate", "--state", str(folder / "state"), "init", "--sample"],
        check=False,
        capture_output=True,
    )
    assert said.returncode == 0, said.stderr.decode()
    library = load_library(folder / "state", "sample", day=date(2025, 3, 1))
    with (folder / "cases.csv").open("w", encoding="gb18030", newline="") as stream:
        writer = csv.writer(stream)
        for number, row in enumerate(BulkCases(library.rows).rows(COUNT)):
            if number == 0:
                writer.writerow(row)
            writer.writerow(["|".join(v) if isinstance(v, list) else v for v in row.values()])
    return folder


def group(
    year: Path, out: Path, *options: str, crash: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DIPGATE_STATE": str(year / "state")}
    if crash:
        environment["DIPGATE_CRASH"] = crash
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "dipgate",
            "group",
            str(year / "cases.csv"),
            "--out",
            str(out),
            *options,
        ],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


def whole(year: Path, ending: str) -> tuple[Path, str]:
    """The results of an uninterrupted run, made once, and what it said on stdout."""
    out, said = year / f"whole.{ending}", year / f"said.{ending}"
    if not out.exists():
        done = group(year, out)
        assert done.returncode == 0, done.stderr
        said.write_text(done.stdout.splitlines()[0], encoding="utf-8")
    return out, said.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("ending", "point", "options"),
    [
        ("jsonl", f"{FaultPoint.GROUP_CHUNK_WRITTEN}:3", ()),
        ("jsonl", f"{FaultPoint.GROUP_CHECKPOINT}:2", ("--processes", "2")),
        ("jsonl", f"{FaultPoint.GROUP_CHUNK_WRITTEN}:6", ()),
        ("csv", f"{FaultPoint.GROUP_CHUNK_WRITTEN}:1", ()),
        ("parquet", f"{FaultPoint.GROUP_CHUNK_WRITTEN}:4", ()),
        ("parquet", f"{FaultPoint.GROUP_CHECKPOINT}:6", ()),
    ],
)
def test_a_killed_run_is_gone_on_with(
    year: Path, tmp_path: Path, ending: str, point: str, options: tuple[str, ...]
) -> None:
    expected, totals = whole(year, ending)
    out = tmp_path / f"out.{ending}"
    killed = group(year, out, *options, crash=point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    done = group(year, out, *options)
    assert done.returncode == 0, done.stderr
    assert ("接着上次的进度" in done.stderr) == (point != f"{FaultPoint.GROUP_CHUNK_WRITTEN}:1")
    assert done.stdout.splitlines()[0] == totals
    assert out.read_bytes() == expected.read_bytes()
    mend = ".aside.jsonl"
    assert Path(f"{out}{mend}").read_bytes() == Path(f"{expected}{mend}").read_bytes()
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {out.name, out.name + mend}


def test_what_another_job_left_is_dropped(year: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    killed = group(year, out, crash=f"{FaultPoint.GROUP_CHECKPOINT}:2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = group(year, out, "--level", "2")
    assert "这次从头做" in done.stderr
    again = tmp_path / "again.jsonl"
    group(year, again, "--level", "2")
    assert out.read_bytes() == again.read_bytes()
    assert out.read_bytes() != whole(year, "jsonl")[0].read_bytes()
