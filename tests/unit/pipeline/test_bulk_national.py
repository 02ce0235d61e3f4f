"""Whole years over a library of the 3.0 form with every part: labels, layers, the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import load_library
from dipgate.core.library import PART_KINDS
from dipgate.demo.bulk_cases import BulkCases

Cli = Callable[..., Any]
NATIONAL3 = Path(__file__).parents[2] / "data" / "national3"
OVERLAY = """
extends: national_2025
policy: {id: ours, effective_from: 2025-01-01, effective_to: 2026-12-31}
evidence: {L1: {grade: C, kind: sample, title: 编写的数字}}
catalogue: {library: small@1}
routing: {excluded: [], day_surgery: same_group, tcm_route: none}
auxiliary: {age_bands: null, cap: n/a}
scoring:
  institution: {table: {"3": "1.1", "2": "1.0", "1": "0.9"}, composition: n/a}
  add_ons: []
settlement:
  point_value:
    {kind: floating, basis: total_fee, table: {职工: 10, 居民: 9}, budget: {职工: 8, 居民: 7}}
  fund_share: multiplicative
  fund_share_from: pool
  fund_ratio: {职工: "0.7", 居民: "0.6"}
  price_keys: [pool]
"""


@pytest.fixture
def national(cli: Cli, sample_state: Path, tmp_path: Path, case_files: Any) -> tuple[Path, Path]:
    """A policy over the small library, and cases over its rows."""
    policy = tmp_path / "ours.yaml"
    policy.write_text(OVERLAY, "utf-8")
    parts = [
        word for kind in PART_KINDS for word in ("--part", f"{kind}={NATIONAL3}/parts/{kind}.csv")
    ]
    files = (NATIONAL3 / "library.csv", NATIONAL3 / "comprehensive.csv")
    name = ("--name", "small", "--version", "1", "--from", "2025-01-01", "--partial")
    said = cli("library", "import", *files, *name, *parts, "--state", sample_state)
    assert said.code == 0, said.err
    rows = load_library(sample_state, "small", day=date(2025, 3, 1)).rows
    cases = BulkCases(rows, diagnoses=case_files.cases._others)
    return policy, case_files.write(list(cases.rows(2500)), "national.parquet")


@pytest.mark.usefixtures("workers_alone")
def test_layers_and_labels_are_the_same_from_processes(
    cli: Cli, sample_state: Path, national: tuple[Path, Path]
) -> None:
    policy, file = national
    written = set()
    for number, options in enumerate([(), ("--processes", "2")]):
        out = file.with_name(f"out{number}.jsonl")
        arguments = ("group", file, "--policy", policy, "--out", out, *options)
        said = cli("--state", sample_state, *arguments)
        assert said.code == 0, said.err
        written.add(out.read_bytes())
    (data,) = written
    found = [json.loads(line) for line in data.splitlines()]
    layers = Counter(item["layer"] for item in found)
    assert {"pre", "merge", "aux_split", "base", "comprehensive"} <= set(layers), layers
    assert sum(item["amount_fen"] is not None for item in found) > 300


def test_compiled_code_that_does_not_know_the_layers_says_so(
    cli: Cli, sample_state: Path, national: tuple[Path, Path]
) -> None:
    policy, file = national
    out = file.with_name("out.jsonl")
    arguments = ("group", file, "--policy", policy, "--out", out, "--fast", "--processes", "2")
    said = cli("--state", sample_state, *arguments)
    assert said.code == 2
    assert "快速分组不支持层" in said.err
    assert not out.exists()
