"""The tables of evidence are read strictly; each mistake names file, line and column."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from dipgate.config import evidence
from dipgate.config.resources import resource_text
from dipgate.core.errors import ConfigError
from dipgate.core.evidence import EXPOSURES, TARGETS, pattern_of


def test_the_shipped_tables_load_and_every_need_can_be_met() -> None:
    tables = evidence.evidence_tables()
    for need in tables.needs:
        proving = [row for row in tables.evidence if row.target == need.target and row.proves]
        assert len(proving) >= need.least, need.lacks
    assert {row.target for row in tables.needs} == set(TARGETS)
    assert {row.when for row in tables.exposure} == set(EXPOSURES), "every point has a row"
    assert all(row.source for row in (*tables.evidence, *tables.exposure))


def test_rows_hold_on_their_days() -> None:
    assert evidence.evidence_tables().on(date(2020, 12, 31)).evidence == ()
    assert evidence.evidence_tables().on(date(2025, 3, 1)).evidence


def test_words_are_texts_not_patterns() -> None:
    found = pattern_of("冠脉*支架|C(T)|")
    assert found is not None
    assert found.search("冠脉药物洗脱支架")
    assert found.search("c(t)平扫")
    assert not found.search("CT平扫")
    assert pattern_of("") is None


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("evidence", "target", "drug", "target 列：只能是 dx、op"),
        ("evidence", "test", "guess", "test 列"),
        ("evidence", "proves", "stay luck", "proves 列"),
        ("evidence", "place", "nowhere.code", "没有节点 nowhere"),
        ("evidence", "first_day", "2021-13-01", "first_day 列：应为 yyyy-MM-dd"),
        ("evidence", "first_day", "", "first_day 列：不能为空"),
        ("evidence", "says", "", "says 列：不能为空"),
        ("evidence", "id", "ED02", "编号重复"),
        ("needs", "least", "0", "least 列：应为正整数"),
        ("treats", "ops", "", "ops 列：不能为空"),
        ("exposure", "when", "mood", "when 列"),
        ("exposure", "level", "很高", "level 列"),
        ("exposure", "at", "many", "at 列：应为数字"),
    ],
)
def test_each_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch, table: str, column: str, value: str, said: str
) -> None:
    def spoiled(*parts: str) -> str:
        text = resource_text(*parts)
        if parts[-1] != f"{table}.csv":
            return text
        rows = list(csv.reader(io.StringIO(text)))
        rows[1][rows[0].index(column)] = value
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue()

    monkeypatch.setattr(evidence, "resource_text", spoiled)
    with pytest.raises(ConfigError) as caught:
        evidence.evidence_tables()
    assert said in str(caught.value)
    assert f"evidence/{table}.csv" in str(caught.value)


HEAD = ",".join(evidence._COLUMNS["evidence"])


def own(state: Path, name: str, *lines: str) -> Path:
    folder = state / evidence.FOLDER
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.csv"
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    return file


def test_a_site_adds_words_and_takes_the_place_of_a_row(tmp_path: Path) -> None:
    shipped = evidence.evidence_tables()
    assert evidence.evidence_tables(tmp_path) == shipped
    row = "{id},2021-01-01,,op,51.2,,charges.name,like,胆囊腔镜术,,,bill,,收费有 {{value}},,本院"
    own(tmp_path, "evidence", HEAD, row.format(id="OWN1"), row.format(id="EO21"))
    own(tmp_path, "wards", "first_day,last_day,wards,dx,source", "2021-01-01,,A99,K80-K87,本院")
    found = evidence.evidence_tables(tmp_path)
    assert len(found.evidence) == len(shipped.evidence) + 1
    assert [item.words for item in found.evidence if item.id == "EO21"] == [("胆囊腔镜术",)]
    assert len(found.wards) == len(shipped.wards) + 1
    assert (found.needs, found.exposure) == (shipped.needs, shipped.exposure)


def test_what_is_needed_is_not_the_sites_to_change(tmp_path: Path) -> None:
    file = own(tmp_path, "needs", "first_day,last_day,target,proves,least,lacks")
    with pytest.raises(ConfigError, match="不是本院可以加的表"):
        evidence.evidence_tables(tmp_path)
    file.unlink()
    row = "ED04,2021-01-01,,dx,,,this.adm_cond_type,one_of,9,,,against,,从不,,本院"
    own(tmp_path, "evidence", HEAD, row)
    with pytest.raises(ConfigError, match="ED04 说的是不能作主要诊断，不能改"):
        evidence.evidence_tables(tmp_path)


def test_a_mistake_of_the_site_names_its_file(tmp_path: Path) -> None:
    file = own(tmp_path, "evidence", HEAD, "OWN1,,,op,,,charges.name,like,,,,bill,,x,,y")
    with pytest.raises(ConfigError) as caught:
        evidence.evidence_tables(tmp_path)
    assert f"{file} 第2行" in str(caught.value)
