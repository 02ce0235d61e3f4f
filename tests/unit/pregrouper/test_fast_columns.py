"""Groups straight from columns of text are those of the plain reading, case by case."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.policies import load_policy
from dipgate.config.references import References
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult
from dipgate.core.reference import Hospital
from dipgate.demo.bulk_cases import BulkCases
from dipgate.pregrouper import dip_grouper
from dipgate.pregrouper.batch import Entry, Tables, entries_of, judge
from dipgate.pregrouper.fast import FastGrouper, fast_grouper

pytest.importorskip("numba", reason="the extra [fast] is not installed")
pa = pytest.importorskip("pyarrow", reason="the extra [fast] is not installed")
DAY = date(2025, 3, 1)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    state: Path = tmp_path_factory.mktemp("columns") / "state"
    state.mkdir()
    activate_sample(state, datetime(2025, 1, 1, tzinfo=CHINA))
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    policy = load_policy("sample_2025")
    grouper = dip_grouper(load_library(state, "sample", day=DAY), policy)
    return Tables(policy, grouper, References(state, own).on(DAY))


@pytest.fixture(scope="module")
def fast(tables: Tables) -> FastGrouper:
    return fast_grouper(tables.grouper.library, tables.policy, tables.reference)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def rows(tables: Tables) -> Rows:
    library = tables.grouper.library  # type: ignore[attr-defined]
    assert tables.reference.icd10 is not None
    made = BulkCases(
        [item.row for item in library.groups.values()],
        diagnoses=sorted(tables.reference.icd10.names),
    )
    return [dict(row) for row in made.rows(4_000)]


def check(fast: FastGrouper, tables: Tables, rows: Rows, *, columns: Any = None) -> Any:
    """Compare every field of every result; the answers of the loop."""
    from dipgate.pregrouper.fast_columns import group_columns

    def plain(entry: Entry) -> GroupResult:
        return judge(entry, lambda _: tables, trace=False).group

    found = group_columns(fast, columns or pa.RecordBatch.from_pylist(rows), plain)
    held = {name: [row[name] for row in rows] for name in rows[0]}
    for at, entry in enumerate(entries_of(held)):
        assert found.results.result(at) == plain(entry), rows[at]
    return found.results


def test_columns_of_a_region(fast: FastGrouper, tables: Tables, rows: Rows) -> None:
    found = check(fast, tables, rows)
    assert len(found.open) < len(rows) / 20


def test_dictionary_columns_and_texts_parted_by_a_bar(
    fast: FastGrouper, tables: Tables, rows: Rows
) -> None:
    """Parquet may keep text as a dictionary; CSV writers put a list into one cell."""
    flat = [row | {"ops": "|".join(row["ops"]), "tcm_dx": ""} for row in rows[:1_000]]
    whole = pa.RecordBatch.from_pylist(flat)
    at = whole.schema.get_field_index("dx")
    coded = whole.set_column(at, "dx", whole.column(at).dictionary_encode())
    check(fast, tables, flat, columns=coded)


@pytest.mark.parametrize(
    "over",
    [
        {"dx": "K80.100,I10.x00"},
        {"dx": " k80.100 "},
        {"dx": None},
        {"ops": ["51.2300+54.5101"]},
        {"ops": ["51.2300", "", "51.2300x"]},
        {"ops": None},
        {"setl_end_date": "2025-02-30"},
        {"setl_end_date": "2025-03-01 10:00:00"},
        {"setl_end_date": ""},
        {"setl_end_date": "1999-01-01"},
        {"adm_time": "2025-05-05 10:00:00", "dscg_time": "2025-05-04 09:00:00"},
        {"adm_time": "2025-05-05", "dscg_time": "2025-05-05 09:00:00"},
        {"dscg_time": "昨天"},
        {"dscg_time": None, "setl_end_date": None},
        {"tcm_dx": ["A01.01"]},
        {"ipt_med_type": "2"},
        {"hi_paymtd": "5"},
        {"medfee_sumamt": "约五千"},
    ],
)
def test_one_bent_field(
    fast: FastGrouper, tables: Tables, rows: Rows, over: dict[str, Any]
) -> None:
    """In each of many cases, and beside plain ones."""
    bent = [row | over if at % 2 else row for at, row in enumerate(rows[:60])]
    check(fast, tables, bent)


def test_a_column_that_is_not_there_is_empty(fast: FastGrouper, tables: Tables, rows: Rows) -> None:
    kept = [{"dx": row["dx"], "ops": row["ops"]} for row in rows[:200]]
    check(fast, tables, kept)
