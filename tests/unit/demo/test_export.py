"""What the hospital hands out says, when it is read again, what the hospital held."""

from __future__ import annotations

import json
from pathlib import Path

from dipgate.adapters import open_source
from dipgate.config.settings import parse_site
from dipgate.core.library import LibraryData
from dipgate.core.reference import Reference
from dipgate.demo.export import (
    csv_source,
    site_sources,
    sqlite_source,
    write_csv,
    write_settlements,
    write_sqlite,
)
from dipgate.demo.export_layout import FRONT, SETTLEMENT
from dipgate.demo.hospital import Hospital

Sample = tuple[Reference, LibraryData]
LOCAL = {"adm_caty", "dscg_caty", "refldept_dept", "chfpdr_code", "resp_nurs_code"}
"""Fields in local codes that mapping turns into national ones."""


def test_files_and_views_give_the_same_lists(
    hospital: Hospital, sample: Sample, tmp_path: Path, mapper: object
) -> None:
    small = hospital.part(0, 60)
    write_csv(small, tmp_path / "csv")
    write_sqlite(small, tmp_path / "his.db")
    assert callable(mapper)
    files = mapper(csv_source(tmp_path / "csv"), small.stays, sample[0])
    views = mapper(sqlite_source(tmp_path / "his.db"), small.stays, sample[0])
    assert [case.list.as_json() for case in files] == [case.list.as_json() for case in views]


def test_mapping_restores_what_the_hospital_held(
    hospital: Hospital, sample: Sample, tmp_path: Path, mapper: object
) -> None:
    small = hospital.part(0, 120)
    write_csv(small, tmp_path)
    assert callable(mapper)
    for stay, case in zip(
        small.stays, mapper(csv_source(tmp_path), small.stays, sample[0]), strict=True
    ):
        info = case.list.setlinfo
        for name in (*FRONT, *SETTLEMENT):
            held = {**stay.front, **stay.settlement}[name]
            if name not in LOCAL:
                assert info[name] == held, name
        assert len(case.list.diseinfo) == len(stay.diagnoses)
        for row, held in zip(case.list.diseinfo, stay.diagnoses, strict=True):
            assert dict(row) == dict(held)
        assert len(case.list.oprninfo) == len(stay.procedures)
        assert [dict(row) for row in case.list.iteminfo] == [dict(item) for item in stay.items]
        assert [dict(row) for row in case.list.charges] == [dict(line) for line in stay.charges]
        assert [(row["fund_pay_type"], row["fund_payamt"]) for row in case.list.payinfo] == [
            *stay.funds
        ]
        assert case.unmapped == ()


def test_the_export_is_what_it_says(hospital: Hospital, tmp_path: Path) -> None:
    written = write_csv(hospital, tmp_path)
    assert [path.name for path in written] == [
        "front_page_202503.csv",
        "settlement_202503.csv",
        "charge_202503.csv",
    ]
    text = written[0].read_bytes().decode("gb18030")
    assert text.startswith("住院流水号,更新时间,病案号,姓名,性别,")
    assert ",男," in text
    assert write_csv(hospital.part(0, 0), tmp_path / "none") == ()


def test_the_site_file_reads_the_same_sources(hospital: Hospital, tmp_path: Path) -> None:
    write_csv(hospital.part(0, 5), tmp_path / "csv")
    write_sqlite(hospital.part(5, 9), tmp_path / "his.db")
    specs = (csv_source(tmp_path / "csv"), sqlite_source(tmp_path / "his.db"))
    site = parse_site(site_sources(*specs).encode(), file=tmp_path / "site.toml")
    assert site.source_specs() == specs
    for spec in site.source_specs():
        assert open_source(spec).name == spec.name


def test_the_platform_knows_the_truth(hospital: Hospital, tmp_path: Path) -> None:
    write_settlements(hospital, tmp_path / "truth.jsonl")
    lines = (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(hospital.truths)
    for line, stay in zip(lines, hospital.truths, strict=True):
        truth = json.loads(line)
        assert truth["setl_id"] == stay.settlement_id
        assert truth["medfee_sumamt"] == stay.settlement["medfee_sumamt"]
        assert truth["certno"] == stay.front["certno"]
        assert truth["bill_no"], "a bill that has not reached the hospital is on the platform"
        assert truth["payinfo"]
        assert truth["iteminfo"]
