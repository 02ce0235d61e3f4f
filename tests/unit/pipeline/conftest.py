"""A desk with a small synthetic month in it: exported, not yet read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.bulk_cases import BulkCases, FlatRow
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import Hospital, generate
from dipgate.pipeline import bulk_group_pool
from dipgate.pipeline.desk import Desk
from dipgate.service.wiring import open_desk

MONTH = date(2025, 3, 1)
SIZE = 24


@dataclass(frozen=True)
class Ward:
    """A desk, the export folder it reads, and the month that was exported."""

    desk: Desk
    export: Path
    month: Hospital


@pytest.fixture
def month(sample_state: Path) -> Hospital:
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    reference = References(sample_state, own).on(MONTH)
    library = load_library(sample_state, "sample", day=MONTH)
    return generate(reference, library, seed=3, month=MONTH, size=SIZE, defect_share=0.0)


@pytest.fixture
def ward(sample_state: Path, tmp_path: Path, month: Hospital, clock: FixedClock) -> Iterator[Ward]:
    export = tmp_path / "export"
    write_csv(month, export)
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8")
    site.write_text(text + "\n" + site_sources(csv_source(export)), encoding="utf-8")
    with open_desk(sample_state, site, clock=clock) as desk:
        yield Ward(desk, export, month)


@dataclass(frozen=True)
class CaseFiles:
    """Invented cases over the sample's library, as rows and in any form of a file."""

    folder: Path
    cases: BulkCases

    def rows(self, count: int, start: int = 0) -> list[FlatRow]:
        return list(self.cases.rows(count, start=start))

    def write(self, rows: list[FlatRow], name: str, encoding: str = "utf-8") -> Path:
        """`name` ends in .csv, .jsonl or .parquet."""
        path = self.folder / name
        columns = list(rows[0])
        if path.suffix == ".csv":
            with path.open("w", encoding=encoding, newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(columns)
                for row in rows:
                    cells = (row[name] for name in columns)
                    writer.writerow(
                        ["|".join(cell) if isinstance(cell, list) else cell for cell in cells]
                    )
        elif path.suffix == ".jsonl":
            lines = (json.dumps(row, ensure_ascii=False) for row in rows)
            path.write_text("\n".join(lines) + "\n", encoding=encoding)
        else:
            table = pyarrow.table({name: [row[name] for row in rows] for name in columns})
            pyarrow.parquet.write_table(table, path, row_group_size=7000)
        return path


@pytest.fixture
def case_files(sample_state: Path, tmp_path: Path) -> CaseFiles:
    reference = References(sample_state, None).on(MONTH)
    assert reference.icd10 is not None
    library = load_library(sample_state, "sample", day=MONTH)
    return CaseFiles(tmp_path, BulkCases(library.rows, diagnoses=tuple(reference.icd10.names)))


@pytest.fixture
def workers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk goes to the processes, none is done while they start."""
    monkeypatch.setattr(bulk_group_pool, "_while_they_start", lambda *_: iter(()))
