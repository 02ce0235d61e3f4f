"""References: the day chooses versions, rows and layers; look-ups are shared where they can be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.catalogues import import_catalogue, list_catalogues
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.reference import Hospital

Table = Callable[..., Path]
Put = Callable[..., None]
MAP_HEAD_ROW = ("source_code,source_name,target_code,target_name", "A01,旧,A01.000,新")


@pytest.fixture
def put(state: Path, clock: FixedClock, table: Table) -> Put:
    """`put("icd10", "1", "2025-01-01", "code,name", "A01.000,伤寒", layer="")`."""

    def run(kind: str, version: str, first_day: str, *lines: str, layer: str = "") -> None:
        import_catalogue(
            state,
            kind,
            version,
            date.fromisoformat(first_day),
            table("表.csv", *lines),
            layer=layer,
            author="某人",
            now=clock.now(),
        )

    return run


def test_an_empty_state_gives_code_sets_and_nothing_else(state: Path) -> None:
    hospital = Hospital("H1", "某医院", "3", "990100")
    reference = References(state, hospital, "3.0").on(date(2025, 1, 1))
    assert reference.hospital is hospital
    assert reference.edition == "3.0"
    assert reference.codesets["gend"]["1"]
    assert (reference.icd10, reference.icd10_map, reference.staff) == (None, None, None)
    assert (reference.not_principal, reference.departments, reference.dx_mdc) == (None,) * 3
    assert dict(reference.versions) == {}


def test_settlement_date_chooses_the_version(state: Path, put: Put) -> None:
    put("icd10", "1.0", "2024-01-01", "code,name", "A01.000,旧名")
    put("icd10", "2.0", "2025-01-01", "code,name", "A01.000,新名")
    references = References(state, None)

    def name(day: date) -> str | None:
        icd10 = references.on(day).icd10
        return icd10.name("A01.000") if icd10 else None

    assert name(date(2023, 12, 31)) is None
    assert name(date(2024, 12, 31)) == "旧名"
    assert name(date(2025, 1, 1)) == "新名"
    assert references.on(date(2024, 6, 1)).versions["icd10"] == "1.0"


def test_days_with_the_same_versions_share_their_tables(state: Path, put: Put) -> None:
    put("icd10", "1", "2024-01-01", "code,name", "A01.000,某病")
    references = References(state, None)
    first, second = references.on(date(2025, 1, 1)), references.on(date(2025, 1, 2))
    assert first.icd10 is second.icd10
    assert (first.day, second.day) == (date(2025, 1, 1), date(2025, 1, 2))
    assert references.on(date(2025, 1, 1)) is first


def test_attributes_of_a_code(state: Path, put: Put) -> None:
    put(
        "icd9cm3",
        "1",
        "2024-01-01",
        "code,name,category,entry_option",
        "36.0700,支架,介入治疗,必选",
        "88.5500,造影,诊断性操作,",
        "99.9900,其他,,",
    )
    table = References(state, None).on(date(2025, 1, 1)).icd9cm3
    assert table is not None
    assert table.attribute("category", "36.0700") == "介入治疗"
    assert table.attribute("category", "99.9900") == ""
    assert table.attribute("entry_option", "36.0700") == "必选"
    assert "36.0700" in table
    assert "36.07" not in table
    with pytest.raises(TypeError):
        table.names["X"] = "Y"  # type: ignore[index]


def test_the_narrower_layer_of_a_map_wins_per_code(state: Path, put: Put) -> None:
    head = "gl2_code,gl2_name,nhsa2_code,nhsa2_name"
    put("icd10-map", "国1", "2024-01-01", head, "A01.001,甲,A01.000,国", "A02.001,乙,A02.000,国")
    put("icd10-map", "院1", "2025-01-01", head, "A01.001,甲,A01.100,院", layer="hospital")
    put("icd10-map", "区1", "2025-01-01", head, "A01.001,甲,A01.200,区", layer="area")
    references = References(state, None)
    before = references.on(date(2024, 6, 1)).icd10_map
    after = references.on(date(2025, 6, 1)).icd10_map
    assert before is not None
    assert after is not None
    assert [entry.target_code for entry in before.find("A01.001")] == ["A01.000"]
    (winner,) = after.find("A01.001")
    assert (winner.target_code, winner.layer, winner.version) == ("A01.100", "hospital", "院1")
    assert (winner.row, winner.author, winner.first_day) == (2, "某人", date(2025, 1, 1))
    assert [entry.layer for entry in after.find("A02.001")] == ["national"]
    assert after.find("Z99.999") == ()
    assert after.versions == ("national:国1", "area:区1", "hospital:院1")
    versions = references.on(date(2025, 6, 1)).versions
    assert versions["icd10-map"] == "national:国1+area:区1+hospital:院1"


def test_one_to_many_gives_every_target_in_file_order(state: Path, put: Put) -> None:
    put("icd10-map", "1", "2024-01-01", "gl2_code,nhsa2_code", "A01.001,A01.200", "A01.001,A01.100")
    table = References(state, None).on(date(2025, 1, 1)).icd10_map
    assert table is not None
    assert [entry.target_code for entry in table.find("A01.001")] == ["A01.200", "A01.100"]


def test_map_rows_hold_only_between_their_days(state: Path, put: Put) -> None:
    put(
        "icd10-map",
        "1",
        "2024-01-01",
        "gl2_code,nhsa2_code,启用日期,停用日期",
        "A01.001,A01.100,,2025-03-31",
        "A01.001,A01.200,2025/04/01,",
    )
    references = References(state, None)

    def target(day: date) -> list[str]:
        table = references.on(day).icd10_map
        assert table is not None
        return [entry.target_code for entry in table.find("A01.001")]

    assert target(date(2025, 3, 31)) == ["A01.100"]
    assert target(date(2025, 4, 1)) == ["A01.200"]
    assert target(date(2025, 3, 1)) == ["A01.100"]
    assert references.on(date(2025, 4, 1)).icd10_map is references.on(date(2025, 5, 1)).icd10_map


def test_staff_by_code_and_name_while_they_serve(state: Path, put: Put) -> None:
    put(
        "staff",
        "1",
        "2024-01-01",
        "工号,姓名,国家编码,人员类别,科室代码,启用日期,停用日期",
        "1001,柏青禾,D990100000001,,0101,2024-01-01,2025-06-30",
        "1002,柏青禾,D990100000002,麻醉医师,,2024-01-01,",
        "2001,金采薇,N990100000001,,0101,2025-01-01,",
    )
    references = References(state, None)
    staff = references.on(date(2025, 6, 30)).staff
    later = references.on(date(2025, 7, 1)).staff
    assert staff is not None
    assert later is not None
    assert {person.role for person in staff["柏青禾"]} == {"doctor", "anaesthetist"}
    assert staff["2001"][0].role == "nurse"
    assert staff["D990100000001"][0].department == "0101"
    assert [person.local_code for person in later["柏青禾"]] == ["1002"]
    assert "1001" not in later
    earlier = references.on(date(2024, 12, 31)).staff
    assert earlier is not None
    assert "金采薇" not in earlier


def test_departments_by_code_and_by_unique_name(state: Path, put: Put) -> None:
    put(
        "department",
        "1",
        "2024-01-01",
        "科室代码,科室名称,国家科室代码,国家科室名称",
        "0101,内科,A03,内科",
        "0102,内科,A03.01,呼吸内科专业",
        "0201,骨科,A04.03,骨科专业",
    )
    wards = References(state, None).on(date(2025, 1, 1)).departments
    assert wards is not None
    assert set(wards) == {"0101", "0102", "0201", "骨科"}
    assert wards["骨科"].national_code == "A04.03"


def test_mdcs_are_sets_of_letters(state: Path, put: Put) -> None:
    put("op-mdc", "1", "2024-01-01", "op_code,mdcs", "36.0700,FVZ", "99.9900,", "01.0100,B|C")
    mdcs = References(state, None).on(date(2025, 1, 1)).op_mdc
    assert mdcs == {
        "36.0700": frozenset("FVZ"),
        "99.9900": frozenset(),
        "01.0100": frozenset("BC"),
    }


def test_rule_tables_are_passed_through(state: Path) -> None:
    tables = {"dx-ranges": ({"list_id": "SEX_F"},)}
    assert References(state, None, tables=tables).on(date(2025, 1, 1)).tables is tables


def test_an_import_is_noticed_when_it_is_whole(state: Path, put: Put) -> None:
    day = date(2025, 1, 1)
    put("icd10", "1", "2024-01-01", "code,name", "A01.000,旧名")
    held = References(state, None)
    assert not held.out_of_date()
    put("icd10", "2", "2025-01-01", "code,name", "A01.000,新名")
    assert held.out_of_date()
    (new,) = [item for item in list_catalogues(state) if item.version == "2"]
    assert not held.holds(new)
    renewed = held.renewed()
    assert renewed.holds(new)
    assert not renewed.out_of_date()
    old, now = held.on(day).icd10, renewed.on(day).icd10
    assert old is not None
    assert now is not None
    assert (old.name("A01.000"), now.name("A01.000")) == ("旧名", "新名")


@pytest.mark.parametrize("cut", ["before the table", "before the manifest", "after retiring"])
def test_an_import_under_way_changes_nothing(state: Path, put: Put, cut: str) -> None:
    """Not even when it replaces a version: for a moment none is there."""
    put("icd10", "1", "2024-01-01", "code,name", "A01.000,旧名")
    held = References(state, None)
    folder = state / "catalogues" / "icd10"
    if cut == "before the table":
        (folder / ".2.4711.new").touch()
    elif cut == "before the manifest":
        (folder / "2.sqlite").touch()
    else:
        (folder / "1.sqlite").rename(folder / "1~1.sqlite")
    assert not held.out_of_date()


def test_the_first_version_of_a_kind_is_noticed(state: Path, put: Put) -> None:
    held = References(state, None)
    assert not held.out_of_date()
    put("icd10-map", "1", "2024-01-01", *MAP_HEAD_ROW, layer="hospital")
    assert held.out_of_date()
    assert held.renewed().on(date(2025, 1, 1)).icd10_map is not None
