"""What the invented hospital hands out: CSV files, a database with views, and the truth."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from dipgate.core.record import SourceSpec
from dipgate.demo.export_layout import (
    charge_rows,
    front_row,
    settlement_row,
    sources_toml,
    tables,
)
from dipgate.demo.hospital import Hospital
from dipgate.demo.stays import Stay

CSV_CHARSET = "gb18030"
_FILES = {"front_page": "front_page", "settlement": "settlement", "charge": "charge"}
_VIEWS = {"front_page": "v_front_page", "settlement": "v_settlement", "charge": "v_charge"}
_BASE = {"front_page": "HIS_BA", "settlement": "HIS_JS", "charge": "HIS_FY"}
Table = list[dict[str, str]]


def write_csv(hospital: Hospital, folder: Path) -> tuple[Path, ...]:
    """Three GB18030 files named by month; the folder is made when it is not there.

    A month without stays writes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, rows in _exports(hospital.stays).items():
        if not rows:
            continue
        path = folder / f"{_FILES[name]}_{hospital.month:%Y%m}.csv"
        with path.open("w", encoding=CSV_CHARSET, newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
        written.append(path)
    return tuple(written)


def write_sqlite(hospital: Hospital, file: Path) -> None:
    """Tables of a hospital system, and the views that it opens to us."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        for name, rows in _exports(hospital.stays).items():
            headings = list(rows[0]) if rows else []
            if not headings:
                continue
            base, view = _BASE[name], _VIEWS[name]
            columns = ", ".join(f'"{heading}" TEXT' for heading in headings)
            names = ", ".join(f'"{heading}"' for heading in headings)
            marks = ", ".join("?" * len(headings))
            connection.execute(f'CREATE TABLE IF NOT EXISTS "{base}" ({columns})')
            connection.executemany(
                f'INSERT INTO "{base}" ({names}) VALUES ({marks})',  # noqa: S608 - own headings
                [tuple(row.values()) for row in rows],
            )
            connection.execute(
                f'CREATE VIEW IF NOT EXISTS "{view}" AS SELECT {names} FROM "{base}"'  # noqa: S608
            )


def write_settlements(hospital: Hospital, file: Path) -> None:
    """What the platform knows of each settlement, as JSON lines: the truth, without defects."""
    file.parent.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    with file.open("wb") as out:
        for stay in hospital.truths:
            out.write(encoder.encode(truth_of(stay)) + b"\n")


def truth_of(stay: Stay) -> dict[str, object]:
    """The settlement as the platform made it."""
    front, bill = stay.front, stay.settlement
    person = ("psn_name", "gend", "brdy", "patn_cert_type", "certno")
    return {
        **{name: bill[name] for name in bill},
        **{name: front[name] for name in person},
        "payinfo": [{"fund_pay_type": fund, "fund_payamt": yuan} for fund, yuan in stay.funds],
        "iteminfo": [dict(item) for item in stay.items],
    }


def csv_source(folder: Path, *, name: str = "his") -> SourceSpec:
    """The source that reads what `write_csv` wrote."""
    globs = {table: f"{stem}_*.csv" for table, stem in _FILES.items()}
    return SourceSpec(name, "csv", CSV_CHARSET, str(folder), "nhsa", tables(globs, watermark=False))


def sqlite_source(file: Path, *, name: str = "his_view") -> SourceSpec:
    """The source that reads what `write_sqlite` wrote."""
    return SourceSpec(name, "sqlite", "utf-8", str(file), "nhsa", tables(_VIEWS, watermark=True))


def site_sources(*specs: SourceSpec) -> str:
    """The `[[sources]]` part of a site file for these sources, as TOML."""
    return sources_toml(specs)


def _exports(stays: Sequence[Stay]) -> dict[str, Table]:
    return {
        "front_page": [front_row(stay) for stay in stays],
        "settlement": [settlement_row(stay) for stay in stays],
        "charge": [row for stay in stays for row in charge_rows(stay)],
    }
