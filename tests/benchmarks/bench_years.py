"""A whole year from Parquet to results by the command: one process, two, and Spark.

Prints JSON lines. Two processes must be 1.8 times as fast as one on two free cores, Spark not
below 0.15 of two processes, start included; all three must write the same bytes, and memory must
not grow with the file. Spark is left out where pyspark or Java are not there.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dipgate.config.libraries import load_library
from dipgate.config.resources import resource
from dipgate.demo.bulk_cases import BulkCases
from dipgate.pregrouper.batch import COLUMNS

CASES = 500_000
FEW = 20_000
ROUNDS = 1
TWO_GOAL = 1.8
SPARK_GOAL = 0.15
MEMORY_GOAL = 1.5
"""Largest memory of all cases over that of a tenth of them."""
SCHEMA = pa.schema([(c.name, pa.list_(pa.string()) if c.listed else pa.string()) for c in COLUMNS])
LOOK = 0.02


def dipgate(state: Path, *options: object) -> list[str]:
    return [sys.executable, "-m", "dipgate", "--state", str(state), *map(str, options)]


def write_year(state: Path, file: Path, count: int) -> None:
    with resource("sample", "icd10.csv").open(encoding="utf-8", newline="") as stream:
        codes = [row["code"] for row in csv.DictReader(stream)]
    rows = load_library(state, "sample", day=date(2025, 3, 1)).rows
    cases = BulkCases(rows, diagnoses=codes)
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for start in range(0, count, FEW):
            piece = list(cases.rows(FEW, start=start))
            columns = {name: [row.get(name) for row in piece] for name in SCHEMA.names}
            writer.write_table(pa.table(columns, SCHEMA))


def high_water(process: int) -> int:
    """VmHWM in kB, which begins anew with the program; 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(next(found, "0"))


def run(state: Path, file: Path, *options: object) -> tuple[float, int, str]:
    """Seconds, peak memory in kB of the first process, digest of the results."""
    out = file.with_name("out.jsonl")
    environment = dict(os.environ)
    if "spark" in options and environment.get("DIPGATE_TEST_SPARK"):
        environment["PYTHONPATH"] = environment["DIPGATE_TEST_SPARK"]
    command = dipgate(state, "group", file, "--out", out, *options)
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    # Its own high-water mark: what `getrusage` says of a child begins at the size of its parent.
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment) as process:
        memory = 0
        while process.poll() is None:
            memory = max(memory, high_water(process.pid))
            time.sleep(LOOK)
    passed = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(f"dipgate group {options} ended with {process.returncode}")
    with out.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return passed, memory, digest


def say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


def has_spark() -> bool:
    if shutil.which("java") is None:
        return False
    named = os.environ.get("DIPGATE_TEST_SPARK")
    return bool(named) or all(map(importlib.util.find_spec, ("pyspark", "pandas")))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        state, year, few = (Path(folder) / name for name in ("state", "y.parquet", "f.parquet"))
        subprocess.run(dipgate(state, "init", "--sample"), check=True, capture_output=True)
        write_year(state, year, CASES)
        write_year(state, few, FEW)
        ways: dict[str, tuple[object, ...]] = {
            "one": ("--processes", 1),
            "two": ("--processes", 2),
        }
        if has_spark():
            ways["spark"] = ("--processes", 2, "--engine", "spark")
        # In turn, so that what else the machine does falls on all alike; the best of each counts.
        seconds: dict[str, float] = dict.fromkeys(ways, float("inf"))
        digests = set()
        memory = 0
        for _ in range(ROUNDS):
            for way, options in ways.items():
                passed, peak, digest = run(state, year, *options)
                seconds[way] = min(seconds[way], passed)
                digests.add(digest)
                memory = max(memory, peak) if way == "one" else memory
        _, little, _ = run(state, few)
    results = [("two processes / one", seconds["one"] / seconds["two"], TWO_GOAL)]
    if "spark" in seconds:
        results.append(("Spark / two processes", seconds["two"] / seconds["spark"], SPARK_GOAL))
    for name, ratio, goal in results:
        say({"bench": name, "ratio": round(ratio, 3), "goal": goal})
    grown = memory / little
    say({"bench": "memory, ten times the cases", "ratio": round(grown, 2)})
    rates = {way: round(CASES / passed) for way, passed in seconds.items()}
    say({"bench": "cases per second", **rates, "peak_mb": memory // 1024})
    same = len(digests) == 1
    good = all(ratio >= goal for _, ratio, goal in results) and grown <= MEMORY_GOAL
    return 0 if same and good else 1


if __name__ == "__main__":
    sys.exit(main())
