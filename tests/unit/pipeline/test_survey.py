"""A survey of a hospital: counts and next steps, nothing stored, nothing of a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate

OWN = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
MONTH = date(2025, 3, 1)


@pytest.fixture
def surveyed(sample_state: Path, tmp_path: Path) -> Path:
    """A sample state whose site names an export of 80 discharges."""
    library = load_library(sample_state, "sample", day=MONTH)
    reference = References(sample_state, OWN).on(MONTH)
    made = generate(reference, library, seed=5, month=MONTH, size=80, defect_share=0.3)
    write_csv(made, tmp_path / "export")
    site = sample_state / "site.toml"
    text = site.read_text("utf-8") + "\n" + site_sources(csv_source(tmp_path / "export"))
    site.write_text(text, encoding="utf-8")
    return sample_state


def test_the_newest_discharges_are_graded(
    surveyed: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    page = tmp_path / "survey.html"
    said = cli("--state", surveyed, "survey", "his", "--json", "--page", page)
    report = json.loads(said.out)
    assert (report["discharges"], report["lists"]) == (80, 80)
    areas = {area["name"]: area for area in report["areas"]}
    assert list(areas)[:2] == ["读取", "必填项"]
    assert areas["读取"]["grade"] == "可以"
    assert 20 <= report["with_errors"] <= 24, report["rules"]
    assert sum(report["groups"].values()) == 80
    assert {item["kind"] for item in report["families"]} == {
        "icd10",
        "icd9cm3",
        "department",
        "staff",
    }
    assert report["versions"]["icd10"] == ["sample-1"]
    html = page.read_text("utf-8")
    assert "示例市第一人民医院：上线准备情况" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_nothing_is_stored_and_no_person_is_named(
    surveyed: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    before = sorted(path.name for path in (surveyed / "raw").rglob("*"))
    page = tmp_path / "survey.html"
    said = cli("--state", surveyed, "survey", "his", "--json", "--page", page)
    assert sorted(path.name for path in (surveyed / "raw").rglob("*")) == before
    shown = said.out + page.read_text("utf-8")
    front = next((tmp_path / "export").glob("front_page*.csv")).read_text("gb18030")
    head, *rows = (line.split(",") for line in front.splitlines())
    for name in ("姓名", "证件号码", "现住址", "联系人", "联系人电话"):
        place = head.index(name)
        values = {row[place] for row in rows if len(row[place]) > 1}
        assert values
        assert not [value for value in values if value in shown], name


def test_fewer_discharges_take_the_newest(surveyed: Path, cli: Callable[..., Any]) -> None:
    said = cli("--state", surveyed, "survey", "his", "--discharges", "10", "--json")
    report = json.loads(said.out)
    assert report["discharges"] == 10
    assert report["read"]["settlement"] == 80


def test_a_source_of_another_charset_is_stopped(surveyed: Path, cli: Callable[..., Any]) -> None:
    site = surveyed / "site.toml"
    site.write_text(site.read_text("utf-8").replace('"gb18030"', '"utf-8"'), encoding="utf-8")
    said = cli("--state", surveyed, "survey", "his")
    assert said.code == 1
    assert "[先停] 读取：没有读出一份清单" in said.out
    assert "dipgate contract check" in said.out


def test_missing_catalogues_are_gaps_with_a_next_step(
    surveyed: Path, cli: Callable[..., Any]
) -> None:
    for path in (surveyed / "catalogues" / "department").iterdir():
        path.unlink()
    said = cli("--state", surveyed, "survey", "his", "--json")
    report = json.loads(said.out)
    area = next(item for item in report["areas"] if item["name"] == "科室")
    assert area["grade"] == "先停"
    assert "登记" in area["step"]
    assert any(gap["kind"] == "department" for gap in report["gaps"])
