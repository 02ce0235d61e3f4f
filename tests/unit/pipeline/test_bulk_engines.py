"""The same cases by a plain loop, by processes, by the compiled loop and by Spark: the same bytes.

20,000 cases at each change; a million by `make test ARGS="-m release"`.
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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dipgate.config.libraries import load_library
from dipgate.config.resources import resource
from dipgate.core.grouping import result_as_json
from dipgate.demo.bulk_cases import BulkCases
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.bulk_group_fast import FastGroups
from dipgate.pipeline.bulk_group_pool import Orders, work_here
from dipgate.pipeline.bulk_group_read import Position, open_source
from dipgate.pipeline.bulk_group_work import Form
from dipgate.pregrouper.batch import COLUMNS, Entry, Judged, entries_of, judge

PIECE = 50_000
LISTS = {column.name for column in COLUMNS if column.listed}
SCHEMA = pa.schema([(c.name, pa.list_(pa.string()) if c.listed else pa.string()) for c in COLUMNS])


@dataclass(frozen=True)
class Year:
    """A Parquet file of cases, a state folder, and the digest of the results by a plain loop."""

    folder: Path
    file: Path
    names: BookNames
    by_loop: str


def pieces(file: Path) -> Iterator[list[tuple[int, Entry]]]:
    number = 1
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(PIECE):
            columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
            yield list(enumerate(entries_of(columns), start=number))
            number += batch.num_rows


def digest_of(lines: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for line in lines:
        total.update(line)
    return total.hexdigest()


def digest_of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def line_of(number: int, entry: Entry, judged: Judged) -> bytes:
    case_id = entry.case.case_id or str(number)
    found = result_as_json(case_id, judged.group, judged.score, trace=False)
    return msgspec.json.encode(found) + b"\n"


def loop(file: Path, names: BookNames) -> Iterator[bytes]:
    """The reference: one case after the other, nothing shared with the runner but the book."""
    book = Book(names)
    for piece in pieces(file):
        for number, entry in piece:
            yield line_of(number, entry, judge(entry, book, trace=False))


@pytest.fixture(scope="module", params=[20_000, pytest.param(1_000_000, marks=pytest.mark.release)])
def year(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Year:
    folder = tmp_path_factory.mktemp("year")
    state = folder / "state"
    subprocess.run(
        [sys.executable, "-m", "dipgate", "--state", str(state), "init", "--sample"],
        check=True,
        capture_output=True,
    )
    with resource("sample", "icd10.csv").open(encoding="utf-8", newline="") as stream:
        codes = [row["code"] for row in csv.DictReader(stream)]
    library = load_library(state, "sample", day=date(2025, 3, 1))
    cases = BulkCases(library.rows, diagnoses=codes)
    file = folder / "cases.parquet"
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for start in range(0, request.param, PIECE):
            rows = list(cases.rows(min(PIECE, request.param - start), start=start))
            columns = {name: [row.get(name) for row in rows] for name in SCHEMA.names}
            writer.write_table(pa.table(columns, SCHEMA))
    names = BookNames(str(state), str(state / "site.toml"))
    return Year(folder, file, names, digest_of(loop(file, names)))


def run(year: Year, *options: str, environment: dict[str, str] | None = None) -> str:
    """Digest of the results that the command writes."""
    out = year.folder / f"{'-'.join(options).strip('-')}.jsonl"
    arguments = ["group", str(year.file), "--out", str(out), "--json", *options]
    done = subprocess.run(
        [sys.executable, "-m", "dipgate", "--state", year.names.state, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    statuses = json.loads(done.stdout)["statuses"]
    # Agreement on nothing would prove nothing.
    assert min(statuses[name] for name in ("GROUPED", "GROUPED_COMPREHENSIVE", "BLANK")) > 500
    assert {"EXCLUDED_DX", "INVALID_INPUT"} <= set(statuses)
    found = digest_of_file(out)
    out.unlink()
    return found


@pytest.mark.parametrize("processes", ["1", "2"])
def test_processes_write_what_a_loop_finds(year: Year, processes: str) -> None:
    assert run(year, "--processes", processes) == year.by_loop


def test_the_compiled_loop_writes_what_a_loop_finds(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = total = 0
    plain = FastGroups.groups

    def groups(self: FastGroups, entries: list[Entry]) -> Mapping[int, Any]:
        nonlocal answered, total
        found = plain(self, entries)
        answered, total = answered + len(found), total + len(entries)
        return found

    monkeypatch.setattr(FastGroups, "groups", groups)
    source = open_source(year.file)
    orders = Orders(year.names, source.shape, Form.JSON, fast=True)
    results = work_here(orders.worker(), source.chunks(Position()))
    assert digest_of(done.out for _, done in results) == year.by_loop
    assert answered > 0.95 * total


@pytest.fixture
def spark_environment() -> dict[str, str]:
    """What lets a process find pyspark; the test skips where that, or Java, is not there."""
    if shutil.which("java") is None:
        pytest.skip("no Java here: install it (Debian: apt-get install openjdk-17-jre-headless)")
    named = os.environ.get("DIPGATE_TEST_SPARK")
    if named:
        return {"PYTHONPATH": named}
    if not all(map(importlib.util.find_spec, ("pyspark", "pandas"))):
        pytest.skip(
            "no Spark here: pip install 'pandas>=2.2' 'pyspark>=4,<5' (450 MB), or name a folder "
            "that has them in the variable DIPGATE_TEST_SPARK"
        )
    return {}


@pytest.mark.spark
def test_spark_writes_what_a_loop_finds(
    year: Year, spark_environment: dict[str, str], checkout: Path
) -> None:
    """The command, and the program of the documentation on some of the cases, in one Spark."""
    script, both = year.folder / "group_on_spark.py", year.folder / "both.py"
    program = code_of(checkout / "docs" / "whole-years.md", script.name)
    script.write_text(program, encoding="utf-8")
    both.write_text(BOTH, encoding="utf-8")
    small, out, by_program = (year.folder / name for name in ("few.parquet", "o.jsonl", "o"))
    pq.write_table(pq.read_table(year.file).slice(0, 3000), small)
    done = subprocess.run(
        [sys.executable, both, year.names.state, year.file, out, script, small, by_program],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **spark_environment, "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert digest_of_file(out) == year.by_loop
    rows = sorted(pq.read_table(by_program).to_pylist(), key=lambda row: row["case"])
    book = Book(year.names)
    expected = [
        (entry.case.case_id, judged.group.group_code, judged.score.amount)
        for _, entry in next(pieces(small))
        for judged in [judge(entry, book, trace=False)]
    ]
    assert [(row["case"], row["group_code"], row["amount_fen"]) for row in rows] == expected


BOTH = """\
import runpy, sys
from dipgate.cli import main
state, file, out, script, small, by_program = sys.argv[1:]
options = ["--engine", "spark", "--processes", "2", "--out", out]
sys.argv = ["dipgate", "--state", state, "group", file, *options]
code = main()
if code == 0:
    sys.argv = [script, small, by_program, state]
    runpy.run_path(script, run_name="__main__")
sys.exit(code)
"""


def code_of(document: Path, name: str) -> str:
    """The fenced block of a document whose first line is a comment with this name."""
    for block in document.read_text(encoding="utf-8").split("```"):
        language, _, code = block.partition("\n")
        if language == "python" and code.startswith(f"# {name}"):
            return code
    raise AssertionError(f"{document.name} has no program {name}")
