"""Import of libraries under nonsense: refused with its file or taken, never anything else."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dipgate.config.catalogues import ImportReport
from dipgate.config.libraries import import_library, load_library
from dipgate.config.library_check import Known, check_library
from dipgate.config.library_diff import changes
from dipgate.config.library_ops import GRAMMARS, Grammar, codes_of, key_of, strange
from dipgate.config.library_workbook import facts
from dipgate.core.errors import RecordError
from dipgate.core.library import PART_KINDS

NATIONAL3 = Path(__file__).parents[1] / "data" / "national3"
CODES = ("51.2300", "54.5101", "33.2400x001", "47.0100")
DIAGNOSES = st.sampled_from(("K80.1", "K35.8", "J18.9", "A15-A16", "P07", "M47.0+"))
NUMBERS = st.sampled_from(("", "100", "8000.50", "0.3"))
OPS = st.lists(st.sampled_from(CODES), max_size=3, unique=True).flatmap(
    lambda codes: st.sampled_from("+|/,_").map(lambda mark: mark.join(codes))
)
JUNK = st.one_of(
    st.sampled_from(("-1", "NaN", "1e400", "²", "所有诊断", "保守治疗", "51.2300&54.5101", "　")),
    st.text(max_size=12),
)
NATIONAL = {
    "category": st.sampled_from(("XQ", "BX", "FZ", "JC")),
    "seq": st.integers(1, 9).map(str),
    "dx_codes": DIAGNOSES,
    "main_op_codes": st.sampled_from((*CODES, "51.2300|54.5101", "51.2300+54.5101")),
    "related_op_codes": st.sampled_from(("", *CODES)),
    "condition": st.sampled_from(("", "耐药=是")),
    "score": NUMBERS,
}
CITY = {
    "group_code": st.integers(1, 9).map(str),
    "type": st.sampled_from(("核心", "综合", "未入组", "基层")),
    "dx_code": DIAGNOSES,
    "op_expression": OPS,
    "treatment_class": st.sampled_from(("", "手术", "保守治疗")),
    "score": st.sampled_from(("100", "200.5")),
    "avg_cost": NUMBERS,
    "op_level": st.sampled_from(("", "", "3")),
}


def _tables(columns: Mapping[str, st.SearchStrategy[str]]) -> st.SearchStrategy[list[list[str]]]:
    """A heading and rows; sometimes one of their cells is junk."""
    rows = st.lists(st.tuples(*columns.values()).map(list), max_size=5)

    def spoilt(table: list[list[str]], at: int, cell: str) -> list[list[str]]:
        if table:
            table[at % len(table)][at % len(columns)] = cell
        return table

    broken = st.builds(spoilt, rows, st.integers(0, 50), JUNK)
    return st.one_of(rows, broken).map(lambda table: [list(columns), *table])


def _write(folder: Path, name: str, rows: Sequence[Sequence[str]]) -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return path


def _imported(
    folder: Path, file: Path, parts: Mapping[str, Path] | None = None
) -> ImportReport | RecordError:
    day, now = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
    try:
        return import_library(
            folder, "某市", "1", day, file, parts=parts or {}, partial=True, now=now
        )
    except RecordError as error:
        return error


@settings(deadline=None)
@given(st.one_of(_tables(NATIONAL), _tables(CITY)))
def test_groups(table: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _imported(folder, _write(folder, "目录.csv", table))
        if isinstance(found, RecordError):
            assert "目录.csv" in str(found)
            assert not list((folder / "libraries").glob("*/*"))
            return
        data = load_library(folder, "某市")
        assert len(data.rows) == found.rows
        assert check_library(data, facts(), Known()).errors == 0
        assert list(changes(data, data)) == []


@settings(deadline=None)
@given(st.sampled_from(PART_KINDS), st.integers(0, 99), st.integers(0, 9), st.none() | JUNK)
def test_parts(kind: str, row: int, column: int, junk: str | None) -> None:
    """A part that is right, with one cell of junk."""
    with (NATIONAL3 / "parts" / f"{kind}.csv").open(encoding="utf-8") as opened:
        head, *rows = csv.reader(opened)
    if junk is not None:
        rows[row % len(rows)][column % len(head)] = junk
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = [["group_code", "type", "dx_code", "score"], ["1", "核心", "K80.1", "100"]]
        file = _write(folder, "目录.csv", groups)
        found = _imported(folder, file, {kind: _write(folder, "附表.csv", [head, *rows])})
        if isinstance(found, RecordError):
            assert junk is not None
            assert "附表.csv" in str(found)
            assert not list((folder / "libraries").glob("*/*"))
            return
        assert 0 < found.parts[kind] <= len(rows)
        assert getattr(load_library(folder, "某市").parts, kind.replace("-", "_")) is not None


@given(st.text(alphabet="0123456789.x+|/,_", max_size=40) | OPS)
def test_an_accepted_expression_has_one_grammar(text: str) -> None:
    if strange(text) is None and Grammar(GRAMMARS).mixed(1, text) is None:
        assert sum(mark in text for mark in "|/,") <= 1
        assert "".join(codes_of(text)) == "".join(ch for ch in text if ch not in "+|/,_")


@given(st.permutations(CODES), st.permutations(CODES), st.sampled_from("+|/,"))
def test_the_order_of_codes_makes_no_other_key(one: list[str], other: list[str], mark: str) -> None:
    assert key_of(mark.join(one)) == key_of(mark.join(other))
