"""The shipped sample hangs together: every code it uses is in its own lists."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.config.catalogues import activate_sample, import_catalogue, list_catalogues
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.resources import resource
from dipgate.core.clock import FixedClock
from dipgate.core.codes import category, has_prefix
from dipgate.core.errors import ConfigError
from dipgate.core.library import LibraryData
from dipgate.core.reference import Reference

DAY = date(2025, 6, 1)
MAX_ROWS = 700
NEIGHBOUR = "library-neighbour.csv"
"""The library of the second fictional area, counted apart."""
POOL_MEAN = Decimal(8000)


@pytest.fixture
def reference(state: Path, clock: FixedClock) -> Reference:
    activate_sample(state, clock.now())
    return References(state, None).on(DAY)


@pytest.fixture
def library(state: Path, reference: Reference) -> LibraryData:
    assert reference.icd10 is not None
    return load_library(state, "sample", day=DAY)


def sample_rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(resource("sample", name).read_text(encoding="utf-8").splitlines()))


def test_rows_over_all_files_stay_within_the_bound_and_the_readme_says_so(checkout: Path) -> None:
    files = [item.name for item in resource("sample").iterdir() if item.name.endswith(".csv")]
    total = sum(len(sample_rows(name)) for name in files if name != NEIGHBOUR)
    assert total <= MAX_ROWS
    readme = (checkout / "config" / "sample" / "README.md").read_text(encoding="utf-8")
    assert f"{total} rows over all files" in readme
    assert 0 < len(sample_rows(NEIGHBOUR)) <= 200
    assert all(f"`{name}`" in readme for name in files)


def test_activation_is_idempotent(state: Path, clock: FixedClock) -> None:
    first = activate_sample(state, clock.now())
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()}
    clock.advance(60)
    again = activate_sample(state, clock.now())
    assert [item.label for item in first] == [item.label for item in again]
    assert {path: path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()} == before


def test_a_changed_sample_takes_the_place_of_the_old_one(
    state: Path, clock: FixedClock, tmp_path: Path
) -> None:
    old = tmp_path / "icd10.csv"
    old.write_text("code,name\nA01.000,伤寒\n", encoding="utf-8")
    import_catalogue(state, "icd10", "sample-1", date(2024, 1, 1), old, now=clock.now())
    activate_sample(state, clock.now())
    listed = [item for item in list_catalogues(state) if item.kind == "icd10"]
    assert [item.version for item in listed] == ["sample-1"]
    assert listed[0].rows > 1


def test_a_site_s_own_list_is_never_replaced(
    state: Path, clock: FixedClock, tmp_path: Path
) -> None:
    own = tmp_path / "icd10.csv"
    own.write_text("code,name\nA01.000,伤寒\n", encoding="utf-8")
    import_catalogue(state, "icd10", "2.0", date(2024, 1, 1), own, now=clock.now())
    with pytest.raises(ConfigError, match="重叠"):
        activate_sample(state, clock.now())


def test_every_map_target_is_listed_and_sources_are_clinical_or_the_same(
    reference: Reference,
) -> None:
    for table, codes in (
        (reference.icd10_map, reference.icd10),
        (reference.icd9cm3_map, reference.icd9cm3),
    ):
        assert table is not None
        assert codes is not None
        for source, entries in table.entries.items():
            for entry in entries:
                assert codes.name(entry.target_code) == entry.target_name, entry
            assert source not in codes or [item.target_code for item in entries] == [source]


def test_three_map_sources_are_ambiguous(reference: Reference) -> None:
    assert reference.icd10_map is not None
    several = {code for code, found in reference.icd10_map.entries.items() if len(found) > 1}
    assert several == {"I48.x00x901", "K80.200x901", "N18.900x901"}


def test_grey_codes_are_listed_codes_under_their_official_names(reference: Reference) -> None:
    assert reference.icd10 is not None
    for row in sample_rows("not-principal.csv"):
        assert reference.icd10.name(row["code"]) == row["name"]


def test_every_procedure_has_a_category(reference: Reference) -> None:
    assert reference.icd9cm3 is not None
    categories = {reference.icd9cm3.attribute("category", code) for code in reference.icd9cm3.names}
    assert categories == {"手术", "介入治疗", "治疗性操作", "诊断性操作"}


def test_every_group_can_be_reached(reference: Reference, library: LibraryData) -> None:
    assert reference.icd10 is not None
    assert reference.icd9cm3 is not None
    assert reference.not_principal is not None
    allowed = [code for code in reference.icd10.names if code not in reference.not_principal]
    for row in library.rows:
        if row.kind != "未入组":
            assert any(code.startswith(row.dx_code) for code in allowed), row.group_code
            assert row.dx_name, row.group_code
        for code in re.split(r"[_+,]", f"{row.op_expression},{row.main_ops},{row.other_ops}"):
            assert not code or code in reference.icd9cm3, row.group_code


def test_scores_follow_the_average_fee(library: LibraryData) -> None:
    for row in library.rows:
        assert row.score is not None
        assert row.average_fee is not None
        assert abs(row.score - row.average_fee * 1000 / POOL_MEAN) <= Decimal("0.00005")


def test_layers_of_the_library(library: LibraryData) -> None:
    kinds = [row.kind for row in library.rows]
    assert kinds.count("未入组") == 1
    assert kinds.count("综合") >= 20
    assert any(row.other_ops for row in library.rows)
    treatments = {row.treatment_class for row in library.rows if row.kind == "综合"}
    assert treatments == {"手术", "治疗性操作", "诊断性操作", "保守治疗"}
    assert library.label == "sample@sample-1"


@pytest.mark.parametrize(
    "prefixes",
    [
        ("J12-J18",),
        ("I63",),
        ("I21",),
        ("K80",),
        ("K35",),
        ("S72", "S82"),
        ("H25",),
        ("O80", "O82"),
        ("Z37",),
        ("P00-P96",),
        ("Z51.1",),
        ("C00-C97",),
        ("J44",),
        ("E11",),
        ("Z49", "N18"),
        ("K40",),
        ("C73", "E04"),
        ("J96",),
        ("I10",),
        ("N39.0",),
        ("K92.2", "K25.4"),
        ("M51", "M48"),
        ("V01-Y98",),
        ("R00-R99",),
        ("N40",),
        ("D25",),
    ],
)
def test_what_a_general_hospital_sees_is_covered(
    prefixes: tuple[str, ...], reference: Reference
) -> None:
    assert reference.icd10 is not None
    assert any(has_prefix(code, prefixes) for code in reference.icd10.names)


def test_staff_and_wards_belong_together(reference: Reference) -> None:
    assert reference.staff is not None
    assert reference.departments is not None
    people = sample_rows("staff.csv")
    assert len({row["姓名"] for row in people}) == len(people)
    assert len({row["国家编码"] for row in people}) == len(people)
    for row in people:
        (person,) = reference.staff[row["姓名"]]
        assert person.national_code[0] == ("N" if person.role == "nurse" else "D")
        assert not person.department or person.department in reference.departments
    wards = {ward.local_code: ward for ward in reference.departments.values()}
    doctors = {people[0].department for people in reference.staff.values()}
    assert set(wards) <= doctors
    for ward in wards.values():
        assert reference.codesets["dept"][ward.national_code] == ward.national_name


# --- against the national lists ------------------------------------------------------------


@pytest.mark.shared_data
def test_names_are_the_official_ones(reference: Reference, shared: Path) -> None:
    for table, file in (
        (reference.icd10, "data/icd/icd10_nhsa_v2.csv"),
        (reference.icd9cm3, "data/icd/icd9cm3_nhsa_v2.csv"),
    ):
        assert table is not None
        official = _by_code(shared / file)
        for code, name in table.names.items():
            assert official[code]["name"] == name
            if "category" in table.attributes:
                assert official[code]["category"] == table.attribute("category", code)


@pytest.mark.shared_data
def test_the_grey_list_is_complete_for_the_sample_codes(reference: Reference, shared: Path) -> None:
    assert reference.icd10 is not None
    assert reference.not_principal is not None
    official = _by_code(shared / "standards/validation-data-not-principal.csv")
    for code in reference.icd10.names:
        listed = reference.not_principal.get(code)
        assert (listed is not None) == (code in official), code
        if listed is not None:
            row = official[code]
            assert (listed.dip3, listed.drg11) == (
                row["dip3_official"] == "1",
                row["chs_drg11_derived"] == "1",
            )


@pytest.mark.shared_data
def test_map_rows_are_official_but_for_the_invented_ones(
    reference: Reference, shared: Path
) -> None:
    for table, file, source in (
        (reference.icd10_map, "data/mapping/icd10_gl2_to_nhsa2.csv", "gl2_code"),
        (reference.icd9cm3_map, "data/mapping/icd9cm3_gl3_to_nhsa2.csv", "gl3_code"),
    ):
        assert table is not None
        official = {row[source]: row["nhsa2_code"] for row in _rows(shared / file)}
        for code, entries in table.entries.items():
            if not code.endswith("x901"):
                assert [item.target_code for item in entries] == [official[code]]
            else:
                assert code not in official
                assert category(code) == category(entries[0].target_code)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as held:
        return list(csv.DictReader(held))


def _by_code(path: Path) -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in _rows(path)}
