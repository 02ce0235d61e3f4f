"""`dipgate registry`: what is new, what a table would bring, and the lists after an import."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.resources import resource
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate

MONTH = date(2025, 3, 1)
Cli = Callable[..., Any]


@pytest.fixture
def gap(sample_state: Path, tmp_path: Path, cli: Cli) -> tuple[Path, Path, str]:
    """A state whose staff table lacks one doctor, with lists of his: state, whole table, code."""
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    reference = References(sample_state, own).on(MONTH)
    library = load_library(sample_state, "sample", day=MONTH)
    month = generate(reference, library, seed=3, month=MONTH, size=16, defect_share=0.0)
    write_csv(month, tmp_path / "export")
    site = sample_state / "site.toml"
    sources = site_sources(csv_source(tmp_path / "export"))
    site.write_text(f"{site.read_text(encoding='utf-8')}\n{sources}", encoding="utf-8")
    ((code, _),) = Counter(stay.front["chfpdr_code"] for stay in month.stays).most_common(1)
    lines = resource("sample", "staff.csv").read_text(encoding="utf-8").splitlines()
    whole, short = tmp_path / "whole.csv", tmp_path / "short.csv"
    whole.write_text("\n".join(lines), encoding="utf-8")
    kept = [line for line in lines if not line.startswith(f"{code},")]
    short.write_text("\n".join(kept), encoding="utf-8")
    bring(cli, sample_state, short, "short")
    cli("--state", sample_state, "intake")
    return sample_state, whole, code


def bring(cli: Cli, state: Path, file: Path, version: str) -> None:
    said = cli(
        "--state", state, "catalogue", "import", file, "--kind", "staff", "--version", version,
        "--from", "2024-01-01", "--supersede",
    )  # fmt: skip
    assert said.code == 0, said.err


def test_new_ones_are_listed_and_mended_by_an_import(gap: tuple[Path, Path, str], cli: Cli) -> None:
    state, whole, code = gap
    said = cli("--state", state, "registry", "new")
    assert (said.code, code in said.out, "登记册里没有" in said.out) == (0, True, True)
    (row,) = map(json.loads, cli("--state", state, "registry", "new", "--json").out.splitlines())
    assert (row["local_code"], row["waiting"] > 0, row["row"] > 0) == (code, True, True)
    bring(cli, state, whole, "whole")
    done = json.loads(cli("--state", state, "registry", "apply", "--json").out)
    assert (done["lists"], done["changed"], done["unknown"]) == (row["waiting"], row["waiting"], 0)
    assert done["problems_after"] < done["problems_before"]
    assert "都认识" in cli("--state", state, "registry", "new").out
    assert "变了 0 份" in cli("--state", state, "registry", "apply").out


def test_a_table_is_checked_before_it_is_imported(
    gap: tuple[Path, Path, str], cli: Cli, tmp_path: Path
) -> None:
    state, whole, code = gap
    checked = ("registry", "check", whole, "--kind", "staff", "--json")
    found = json.loads(cli("--state", state, *checked).out)
    assert (found["new"], found["changed"], found["gone"]) == ([code], [], [])
    bad = tmp_path / "bad.csv"
    lines = whole.read_text(encoding="utf-8").splitlines()
    bad.write_text("\n".join([*lines, "YS999,甲,X1,医师,,,"]), encoding="utf-8")
    said = cli("--state", state, "registry", "check", bad, "--kind", "staff")
    assert said.code != 0
    assert f"第{len(lines) + 1}行" in said.err
    assert code in cli("--state", state, "registry", "new").out


def test_what_is_exported_can_be_imported(
    gap: tuple[Path, Path, str], cli: Cli, tmp_path: Path
) -> None:
    state, _, _ = gap
    for kind in ("staff", "department"):
        file = tmp_path / f"out-{kind}.csv"
        export = ("registry", "export", file, "--kind", kind, "--on", "2025-03-01")
        assert cli("--state", state, *export).code == 0
        checked = ("registry", "check", file, "--kind", kind, "--json")
        found = json.loads(cli("--state", state, *checked).out)
        assert (found["new"], found["changed"], found["gone"]) == ([], [], [])
        assert cli("--state", state, *export).code != 0, "an existing file is kept"


def test_the_registry_is_listed_with_days_and_source(gap: tuple[Path, Path, str], cli: Cli) -> None:
    state, _, code = gap
    rows = cli("--state", state, "registry", "list", "--json").out.splitlines()
    found = [json.loads(row) for row in rows]
    assert {row["kind"] for row in found} == {"department", "staff"}
    assert all(row["first_day"] == "2024-01-01" for row in found)
    assert code not in {row["local_code"] for row in found}
    assert "导入short 第2行" in cli("--state", state, "registry", "list", "--kind", "staff").out
