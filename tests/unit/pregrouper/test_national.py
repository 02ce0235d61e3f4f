"""The layers of the national 3.0 scheme on a small library of its form (tests/data/national3)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import import_library, load_library
from dipgate.core.case import Diagnosis
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, GroupStatus, Layer
from dipgate.core.library import PART_KINDS, LibraryData
from dipgate.pregrouper import compile_library, group

Make = Callable[..., Any]
FOLDER = Path(__file__).resolve().parents[2] / "data" / "national3"
NATIONAL = {
    "exclusions": {
        "dx_list": "exact",
        "op_list": "exact",
        "on_conservative_main": "conservative",
    },
    "dx_keys": ["full", "sub4", "cat3", "range"],
    "op_expr": {"grammar": "dnf", "and": "+", "or": "|", "main_related_separator": None},
    "layers": ["pre", "merge", "aux_split", "base", "comprehensive"],
    "pre_any_position": ["11", "13", "14"],
    "blank_code": "KBBZ",
    "select": ["max_related_matched", "principal_only_row", "table_order"],
}
NEWBORN = {"born": date(2025, 3, 1)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LibraryData:
    state = tmp_path_factory.mktemp("national")
    now = datetime(2025, 1, 1, tzinfo=CHINA)
    files = {kind: FOLDER / "parts" / f"{kind}.csv" for kind in PART_KINDS}
    import_library(
        state,
        "n3",
        "1",
        now.date(),
        FOLDER / "library.csv",
        also=(FOLDER / "comprehensive.csv",),
        parts={kind: file for kind, file in files.items() if file.is_file()},
        partial=True,
        now=now,
    )
    return load_library(state, "n3", "1")


@pytest.fixture
def run(make_policy: Make, make_case: Make, data: LibraryData) -> Callable[..., GroupResult]:
    """`run("P07.000", "33.6x00", others=("I10.x00",), grouping={…}, age_days=3)`."""

    def go(
        dx: str,
        *ops: str,
        others: tuple[str, ...] = (),
        grouping: dict[str, Any] | None = None,
        library: LibraryData | None = None,
        trace: bool = True,
        **more: Any,
    ) -> GroupResult:
        policy = make_policy(grouping={**NATIONAL, **(grouping or {})})
        case = make_case(
            dx,
            *ops,
            others=tuple(Diagnosis(code, "", "1", "", at) for at, code in enumerate(others, 1)),
            **more,
        )
        return group(case, compile_library(library or data, policy), policy, trace=trace)

    return go


def warned(found: GroupResult, word: str) -> list[str]:
    return [text for text in found.warnings if text.startswith(word)]


def test_groups_are_called_as_the_library_calls_them(run: Make) -> None:
    both = run("J18.900", "54.9101", "96.7201", "39.9500x007")
    assert both.group_name == "有创呼吸机支持≥96小时，伴连续性肾脏替代治疗"
    assert run("J18.900", "54.9101", "96.7201").group_name == "有创呼吸机支持≥96小时"
    assert any(
        step.text == "入组 XQ-13 有创呼吸机支持≥96小时，伴连续性肾脏替代治疗" for step in both.trace
    )
    merged = run("A09.000", "44.1300x001")
    assert (merged.group_code, merged.group_name) == ("BX-20", "感染性胃肠炎：胃镜检查等")


def test_transplant_needs_the_principal_operation_and_says_when_all_would_differ(
    run: Make,
) -> None:
    first = run("J18.900", "33.6x00")
    assert (first.group_code, first.group_name) == ("XQ-1", "心肺移植")
    second = run("J18.900", "54.9101", "33.6x00")
    assert second.group_code != "XQ-1"
    assert warned(second, "W_PRE_POSITION")
    wide = run("J18.900", "54.9101", "33.6x00", grouping={"pre_any_position": "all"})
    assert (wide.group_code, wide.layer) == ("XQ-1", Layer.PRE)
    assert "则不进先期分组" in warned(wide, "W_PRE_POSITION")[0]
    assert not warned(first, "W_PRE_POSITION")


def test_where_the_policy_says_nothing_the_words_of_the_row_decide(run: Make) -> None:
    silent = {"pre_any_position": None}
    assert run("J18.900", "54.9101", "39.6500", grouping=silent).group_code == "XQ-11"
    assert run("J18.900", "54.9101", "33.6x00", grouping=silent).layer is not Layer.PRE


def test_ecmo_and_ventilation_count_at_any_position_thirteen_before_fourteen(run: Make) -> None:
    assert run("J18.900", "54.9101", "39.6500x001").group_code == "XQ-11"
    assert run("J18.900", "54.9101", "96.7201").group_code == "XQ-14"
    both = run("J18.900", "39.9500x007", "54.9101", "96.7201")
    assert both.group_code == "XQ-13"
    assert both.key_main == ("39.9500x007", "96.7201")
    assert {item.group_code: item.why for item in both.alternatives}["XQ-14"].endswith("XQ-13 在前")


@pytest.mark.parametrize(
    ("grams", "code"),
    [
        (0, "XQ-16"),
        (999, "XQ-16"),
        (1000, "XQ-17"),
        (1499, "XQ-17"),
        (1500, "XQ-18"),
        (1999, "XQ-18"),
        (2000, "XQ-19"),
        (2499, "XQ-19"),
        (2500, ""),
    ],
)
def test_birth_weight_bands_are_closed(run: Make, grams: int, code: str) -> None:
    found = run("J18.900", others=("P07.100",), birth_weight_g=grams, **NEWBORN)
    assert (found.group_code if found.layer is Layer.PRE else "") == code


@pytest.mark.parametrize(("day", "layer"), [(29, Layer.PRE), (30, Layer.BASE)])
def test_newborns_are_younger_than_29_days(run: Make, day: int, layer: Layer) -> None:
    born = date(2025, 3, 1)
    admitted = datetime(2025, 3, day, 9, tzinfo=CHINA)
    found = run(
        "J18.900",
        others=("P07.000",),
        birth_weight_g=900,
        born=born,
        admitted=admitted,
        discharged=admitted,
    )
    assert (admitted.date() - born).days == day - 1
    assert found.layer is layer


def test_a_newborn_group_names_what_is_missing(run: Make) -> None:
    found = run("J18.900", others=("P07.000",), **NEWBORN)
    assert found.layer is Layer.BASE
    assert "XQ-16 至 XQ-19" in warned(found, "W_MISSING_INPUT 没有新生儿出生体重")[0]
    no_birth = run("J18.900", others=("P07.000",), birth_weight_g=900, born=None)
    assert warned(no_birth, "W_MISSING_INPUT 没有可用的出生日期")
    grown = run("J18.900", others=("P07.000",))
    assert not [text for text in grown.warnings if "出生体重" in text]


def test_p07_counts_as_principal_too(run: Make) -> None:
    assert run("P07.100", birth_weight_g=1200, **NEWBORN).group_code == "XQ-17"


def test_merge_takes_the_most_related_operations(run: Make) -> None:
    assert run("K80.001", "51.2300").group_code == "BX-24"
    one = run("K80.001", "51.2300", "47.0100")
    assert (one.group_code, one.key_main, one.key_related) == ("BX-25", ("51.2300",), ("47.0100",))
    lost = {item.group_code: item.why for item in one.alternatives}
    assert "相关手术 0 项" in lost["BX-24"]
    assert run("K80.001", "51.2300", "47.0100", "54.5101").group_code == "BX-26"


def test_merge_without_an_empty_row_does_not_match(run: Make) -> None:
    assert run("K35.800x001", "47.0100", "54.5101").group_code == "BX-27"
    alone = run("K35.800x001", "47.0100")
    assert (alone.group_code, alone.layer) == ("JC-1868", Layer.BASE)
    step = next(step for step in alone.trace if step.step == "merge")
    assert step.dropped == ("BX-27（缺少相关手术 54.5101）", "BX-28（缺少相关手术 54.9101）")


def test_equal_merge_rows_are_ambiguous_unless_the_policy_says(run: Make) -> None:
    ops = ("47.0100", "54.5101", "54.9101")
    found = run("K35.800x001", *ops)
    assert (found.status, found.group_code) == (GroupStatus.AMBIGUOUS, "")
    assert [item.group_code for item in found.alternatives[:2]] == ["BX-27", "BX-28"]
    for tie, code in (("first", "BX-27"), ("max_score", "BX-28")):
        chosen = run("K35.800x001", *ops, grouping={"bx_tie": tie})
        assert chosen.group_code == code
        assert warned(chosen, "W_BX_TIE")
        assert not any(tie in text.replace("grouping.bx_tie", "") for text in chosen.warnings)
    near = run("K35.800x001", *ops, grouping={"bx_tie": "closest_fee"}, fee="10790.00")
    assert near.group_code == "BX-28"
    assert warned(near, "W_USES_FEE")
    unknown = run("K35.800x001", *ops, grouping={"bx_tie": "closest_fee"}, fee=None)
    assert unknown.status is GroupStatus.AMBIGUOUS


def test_the_more_specific_diagnosis_key_comes_first(run: Make) -> None:
    assert run("I21.000x003", "36.0700").group_code == "BX-30"
    assert run("I21.400", "36.0700").group_code == "BX-31"
    assert run("I21.000x003", "36.0700", "39.9500x007").group_code == "BX-32"


@pytest.mark.parametrize(
    ("area", "code"),
    [
        ("T31.000", "FZ-1745"),
        ("T32.200", "FZ-1748"),
        ("T31.300", "FZ-1751"),
        ("T31.900", "FZ-1754"),
    ],
)
def test_burns_by_area(run: Make, area: str, code: str) -> None:
    found = run("T20.200", others=("I10.x00", area))
    assert (found.group_code, found.layer, found.treatment) == (code, Layer.AUX_SPLIT, "保守治疗")
    assert "面积" in found.split


def test_burns_by_operation_and_a_conservative_row_needs_a_conservative_case(run: Make) -> None:
    assert run("T22.600", "86.2201", others=("T31.000",)).group_code == "FZ-1746"
    assert run("T20.300", "86.6201", others=("T31.000",)).group_code == "FZ-1757"
    other = run("T20.200", "54.9101", others=("T31.000",))
    assert other.layer is Layer.BLANK
    no_area = run("T20.200", others=("I10.x00",))
    assert no_area.layer is Layer.BLANK


def test_two_burn_areas_are_not_chosen_between(run: Make) -> None:
    found = run("T20.200", others=("T31.000", "T32.900"))
    assert found.status is GroupStatus.AMBIGUOUS
    assert {item.group_code for item in found.alternatives} == {"FZ-1745", "FZ-1754"}


def test_tumour_takes_the_row_with_most_required_codes(run: Make) -> None:
    chemo, immune, targeted = "99.2503", "99.2800x005", "99.2800x006"
    breast = ("C50.900",)
    assert run("Z51.100", chemo, others=breast).group_code == "FZ-1770"
    assert run("Z51.100", chemo, immune, others=breast).group_code == "FZ-1771"
    assert run("Z51.100", targeted, chemo, others=breast).group_code == "FZ-1772"
    assert run("Z51.100", chemo, immune, targeted, others=breast).group_code == "FZ-1773"
    assert run("Z51.800", targeted, others=breast).group_code == "FZ-1795"


def test_two_tumour_ranges_are_ambiguous(run: Make) -> None:
    found = run("Z51.100", "99.2503", others=("C50.900", "C78.000"))
    assert found.status is GroupStatus.AMBIGUOUS
    assert {item.group_code for item in found.alternatives} == {"FZ-1770", "FZ-1774"}


def test_tumour_codes_without_the_principal_operation_follow_the_switch(run: Make) -> None:
    ops = ("54.9101", "99.2503")
    found = run("Z51.100", *ops, others=("C50.900",))
    assert found.layer is not Layer.AUX_SPLIT
    assert warned(found, "W_AUX_POSITION FZ-1770")
    wide = run("Z51.100", *ops, others=("C50.900",), grouping={"aux_any_position": "true"})
    assert wide.group_code == "FZ-1770"


@pytest.mark.parametrize(
    ("dx", "others", "code"),
    [
        ("A15.001", (), "FZ-1837"),
        ("A15.001", ("U84.300",), "FZ-1836"),
        ("A15.000x901", (), "FZ-1836"),
        ("A16.900", (), "FZ-1837"),
        ("A16.900", ("U84.300x001",), "FZ-1837"),
        ("A17.001", ("U84.300",), "FZ-1840"),
        ("A17.001", (), "FZ-1841"),
        ("A19.900x901", (), "FZ-1856"),
        ("A19.901", (), "FZ-1857"),
    ],
)
def test_resistance_of_tuberculosis(run: Make, dx: str, others: tuple[str, ...], code: str) -> None:
    found = run(dx, others=others)
    assert found.group_code == code
    assert found.split.startswith("耐药=")


def test_tuberculosis_with_an_operation_and_without_the_list(run: Make, data: LibraryData) -> None:
    assert run("A15.000x901", "32.4100").group_code == "FZ-1820"
    bare = replace(data, parts=replace(data.parts, tb_resistant=None))
    found = run("A15.000x901", "32.4100", library=bare)
    assert found.group_code == "FZ-1821"
    assert len(warned(found, "W_MISSING_INPUT 目录没有结核耐药诊断表")) == 1


def test_base_rows_ignore_related_operations(run: Make) -> None:
    found = run("K35.800x001", "47.0900", "54.9101")
    assert (found.group_code, found.unmatched) == ("JC-1869", ("54.9101",))
    assert run("I20.000", "88.5500").group_code == "JC-1864"
    assert run("N40.x00").group_code == "JC-1874"
    assert run("M47.000+G99.2*").group_code == "JC-1873"
    assert run("M47.001").layer is Layer.BLANK


def test_a_conservative_row_never_takes_an_effective_operation(run: Make) -> None:
    found = run("J18.900", "54.9101")
    assert (found.group_code, found.status) == ("ZH-J18-T", GroupStatus.GROUPED_COMPREHENSIVE)
    assert run("J18.900").group_code == "JC-1866"


def test_later_hits_are_kept_and_say_why_they_lost(run: Make) -> None:
    found = run("J18.900", "33.2402", "96.7201")
    assert found.group_code == "XQ-14"
    later = [step for step in found.trace if step.step == "later"]
    assert later[0].dropped == ("BX-29",)
    lost = {item.group_code: item.why for item in found.alternatives}
    assert lost["BX-29"] == "先期分组在前，先命中"
    plain = run("J18.900", "33.2402", "96.7201", trace=False)
    assert (plain.group_code, plain.trace) == ("XQ-14", ())


def test_excluded_diagnosis_is_exact_and_the_library_has_its_own_list(run: Make) -> None:
    assert run("K80.000").status is GroupStatus.EXCLUDED_DX
    assert run("K80.000x002").group_code == "JC-1871"


@pytest.mark.parametrize(
    ("ops", "code", "kept"),
    [
        # kind 1 in the principal position, with and without another operation
        (("93.9000",), "JC-1866", ()),
        (("93.9000", "33.2402"), "JC-1866", ()),
        # kind 2: the next one becomes principal, the first stays related
        (("00.4400", "33.2402"), "BX-29", ("33.2402", "00.4400")),
        (("00.4400",), "JC-1866", ()),
        # kind 3 outside its categories is as kind 1
        (("44.1300x001", "33.2402"), "JC-1866", ()),
        # in the related position kind 1 goes, kinds 2 and 3 stay
        (
            ("33.2402", "88.7201", "00.4400", "44.1300x001"),
            "BX-29",
            ("33.2402", "00.4400", "44.1300x001"),
        ),
    ],
)
def test_operations_that_may_not_be_principal(
    run: Make, ops: tuple[str, ...], code: str, kept: tuple[str, ...]
) -> None:
    found = run("J18.900", *ops)
    assert found.group_code == code
    assert (*found.matched, *found.unmatched) == kept
    if not kept:
        assert warned(found, "W_CHECK_PRINCIPAL_OP")


def test_limited_operation_is_principal_within_its_categories(run: Make) -> None:
    assert run("A09.000", "44.1300x001").group_code == "BX-20"


def test_a_conservative_principal_may_give_way_where_the_policy_says(run: Make) -> None:
    promote = {**NATIONAL["exclusions"], "on_conservative_main": "promote_next"}  # type: ignore[dict-item]
    found = run("J18.900", "93.9000", "33.2402", grouping={"exclusions": promote})
    assert found.group_code == "BX-29"
    assert any("改由 33.2402" in text for text in warned(found, "W_CHECK_PRINCIPAL_OP"))
    silent = {**NATIONAL["exclusions"], "on_conservative_main": None}  # type: ignore[dict-item]
    unsaid = run("J18.900", "93.9000", "33.2402", grouping={"exclusions": silent})
    assert unsaid.group_code == "JC-1866"
    assert warned(unsaid, "W_NOT_CONFIGURED")


def test_drop_takes_every_listed_code_out(run: Make) -> None:
    drop = {**NATIONAL["exclusions"], "op_list": "drop"}  # type: ignore[dict-item]
    found = run("J18.900", "00.4400", "33.2402", "88.7201", grouping={"exclusions": drop})
    assert (found.group_code, found.matched, found.unmatched) == ("BX-29", ("33.2402",), ())
    assert sum(step.step == "exclude_op" for step in found.trace) == 2


def test_basic_groups_of_the_national_list(run: Make) -> None:
    assert run("A09.901").is_basic
    assert not run("A09.001").is_basic
    assert run("H25.900", "13.4100x001").is_basic
    assert not run("H25.900", "13.7100").is_basic
    assert run("M47.000+G99.2*").is_basic


def test_a_finer_key_of_the_basic_list_holds_within_a_broader_group(
    run: Make, data: LibraryData
) -> None:
    rows = tuple(
        replace(row, dx_code="J18") if row.group_code == "JC-1866" else row for row in data.rows
    )
    broad = replace(data, rows=rows)
    assert run("J18.900", library=broad).is_basic
    assert not run("J18.000", library=broad).is_basic


def test_average_fees_by_level_are_those_of_the_year_before(run: Make) -> None:
    found = run("J18.900")
    assert dict(found.level_fees) == {"三级": Decimal("5200.00"), "二级": Decimal("3600.00")}
    next_year = run("J18.900", settled=date(2026, 3, 1))
    assert dict(next_year.level_fees) == {"三级": Decimal("5400.00")}
    assert found.group_type == "JC"


def test_a_compiled_library_goes_to_another_process_and_to_threads(
    make_policy: Make, make_case: Make, data: LibraryData
) -> None:
    policy = make_policy(grouping=NATIONAL)
    library = compile_library(data, policy)
    cases = [
        make_case("K80.001", "51.2300", "47.0100"),
        make_case("J18.900", "96.7201"),
        make_case("A15.000x901"),
    ] * 20
    expected = [group(case, library, policy) for case in cases]
    other = pickle.loads(pickle.dumps(library))  # noqa: S301
    assert [group(case, other, policy) for case in cases] == expected
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda case: group(case, library, policy), cases)) == expected


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"condition": "体重大的"}, "不认识的条件"),
        ({"dx_code": "A19-A15"}, "前后颠倒"),
        ({"dx_code": "第一章"}, "不是诊断编码"),
        ({"secondary_dx": "T31.0|烧伤"}, "不是诊断编码"),
        ({"main_ops": "32.4100;32.4101"}, "手术表达式"),
        ({"dx_code": "所有诊断"}, "没有写诊断"),
    ],
)
def test_rows_that_cannot_be_read_name_themselves(
    make_policy: Make, data: LibraryData, change: dict[str, str], what: str
) -> None:
    rows = tuple(
        replace(row, **change) if row.group_code == "FZ-1836" else row for row in data.rows
    )
    with pytest.raises(ConfigError, match=what) as caught:
        compile_library(replace(data, rows=rows), make_policy(grouping=NATIONAL))
    assert "第" in str(caught.value)


@pytest.mark.parametrize(
    ("over", "path"),
    [
        ({"bx_tie": "lowest"}, "grouping.bx_tie"),
        ({"pre_any_position": ["eleven"]}, "grouping.pre_any_position"),
        ({"exclusions": {"op_list": "prefix"}}, "grouping.exclusions.op_list"),
        (
            {"exclusions": {"on_conservative_main": "skip"}},
            "grouping.exclusions.on_conservative_main",
        ),
        ({"op_type": {"simple_op": "small"}}, "grouping.op_type.simple_op"),
        ({"comprehensive": {"floor": "cellar"}}, "grouping.comprehensive.floor"),
    ],
)
def test_unknown_words_of_a_policy_name_their_path(
    make_policy: Make, data: LibraryData, over: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_library(data, make_policy(grouping={**NATIONAL, **over}))
    assert caught.value.path == path
