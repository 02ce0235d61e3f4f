"""One case into one group: layers, classes, selectors, floors, and what is not guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dipgate.core.case import Case, Diagnosis
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, GroupStatus, Layer
from dipgate.core.library import LibraryData, LibraryParts, SeverityCode
from dipgate.core.policy import Policy
from dipgate.core.reference import CodeTable, NotPrincipal, Reference
from dipgate.pregrouper import compile_library, group, group_with

Make = Callable[..., Any]
ROWS = (
    ("K80.1", "", "600"),
    ("K80.1", "51.2300", "1700"),
    ("K80.1", "51.2300_54.5101", "1500"),
    ("K80.1", "44.1300x001", "900"),
    ("N40.x", "", "500"),
    ("K80", "手术", "2400", "综合"),
    ("K80", "治疗性操作", "1300", "综合"),
    ("K80", "保守治疗", "700", "综合"),
    ("KBBZ", "", "800", "未入组"),
)


@pytest.fixture
def run(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> Callable[..., GroupResult]:
    """`run("K80.100", "51.2300", policy={…}, rows=…)` with the catalogue of operations."""

    def go(
        dx: str | None,
        *ops: str,
        policy: dict[str, Any] | None = None,
        rows: tuple[tuple[str, ...], ...] = ROWS,
        case: dict[str, Any] | None = None,
        **tables: Any,
    ) -> GroupResult:
        rules: Policy = make_policy(**(policy or {}))
        data: LibraryData = make_library(*rows)
        stay: Case = make_case(dx, *ops, **(case or {}))
        tables.setdefault("op_category", categories)
        return group(stay, compile_library(data, rules), rules, **tables)

    return go


def test_conservative_case_takes_the_conservative_row(run: Make) -> None:
    found = run("K80.100")
    assert (found.status, found.layer) == (GroupStatus.GROUPED, Layer.CORE)
    assert found.group_code == "K80.1"
    assert found.treatment == "保守治疗"


def test_related_operation_decides_and_the_loser_says_why(run: Make) -> None:
    found = run("K80.100", "51.2300", "54.5101")
    assert found.group_code == "K80.1:51.2300_54.5101"
    assert found.matched == ("51.2300", "54.5101")
    lost = {item.group_code: item.why for item in found.alternatives}
    assert lost["K80.1:51.2300"] == "对上相关手术最多的优先"


def test_selector_order_changes_the_group(run: Make) -> None:
    by_score = {"grouping": {"select": ["core_first", "max_score", "table_order"]}}
    assert run("K80.100", "51.2300", "54.5101", policy=by_score).group_code == "K80.1:51.2300"


def test_related_row_needs_its_own_principal(run: Make) -> None:
    found = run("K80.100", "54.5101", "51.2300")
    assert found.group_code == "K80:手术"
    assert found.status is GroupStatus.GROUPED_COMPREHENSIVE


def test_case_with_an_effective_operation_never_takes_the_conservative_row(run: Make) -> None:
    assert run("K80.100", "99.1500").group_code == "K80:治疗性操作"


def test_operation_without_attribute_is_simple(run: Make) -> None:
    found = run("K80.100", "93.9999")
    assert found.group_code == "K80.1"
    assert any(text.startswith("W_CHECK_PRINCIPAL_OP") for text in found.warnings)


def test_placeholder_and_full_keys(run: Make) -> None:
    assert run("N40.x00").group_code == "N40.x"
    assert run("N40.x00", rows=(("N40", "", "500"),)).group_code == "N40"


def test_dagger_key_with_mark_comes_first(run: Make) -> None:
    rows = (("M47.0", "", "1"), ("M47.0+", "", "2"))
    assert run("M47.000+G99.2*", rows=rows).group_code == "M47.0+"
    assert run("M47.000+G99.2*", rows=rows[:1]).group_code == "M47.0"


def test_operation_codes_are_exact(run: Make) -> None:
    rows = (("N18.5", "39.9500", "1000"), ("N18.5", "39.9500x007", "2000"))
    category = {"39.9500": "治疗性操作", "39.9500x007": "治疗性操作"}
    found = run("N18.500", "39.9500x007", rows=rows, op_category=category)
    assert found.group_code == "N18.5:39.9500x007"


def test_short_directory_codes_only_where_the_policy_says(run: Make) -> None:
    rows = (("K80.1", "51.23", "1000"), ("K80", "手术", "1", "综合"))
    assert run("K80.100", "51.2300", rows=rows).group_code == "K80:手术"
    short = {"grouping": {"op_match": {"prefix_if_shorter_than": "7"}, "select": ["layer_order"]}}
    assert run("K80.100", "51.2300", rows=rows, policy=short).group_code == "K80.1:51.23"


def test_full_code_beats_prefix(run: Make) -> None:
    rows = (("K80.1", "51.23", "1000"), ("K80.1", "51.2300", "900"))
    rules = {
        "grouping": {
            "op_match": {"prefix_if_shorter_than": "7"},
            "op_roles": "set",
            "select": ["full_code_over_prefix"],
        }
    }
    assert run("K80.100", "51.2300", rows=rows, policy=rules).group_code == "K80.1:51.2300"


def test_columns_are_read_where_the_policy_names_no_separator(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    data = make_library(*ROWS[:2])
    related = replace(
        data.rows[1],
        group_code="R",
        main_ops="51.2300",
        other_ops="54.5101,47.0100",
        op_expression="51.2300_54.5101+47.0100",
    )
    for roles in ("principal_related", "set"):
        rules = make_policy(
            grouping={
                "op_roles": roles,
                "op_expr": {"main_related_separator": None},
                "select": ["max_and_terms"],
            }
        )
        library = compile_library(replace(data, rows=(*data.rows, related)), rules)
        case = make_case("K80.100", "51.2300", "54.5101", "47.0100")
        assert group(case, library, rules, op_category=categories).group_code == "R"


def test_duplicate_operations_count_once(run: Make) -> None:
    assert run("K80.100", "51.2300", "51.2300", "54.5101").matched == ("51.2300", "54.5101")


def test_lost_zeros_come_back_when_only_one_code_fits(run: Make) -> None:
    rows = (("I84.0", "06.3100", "900"),)
    category = {"06.3100": "手术"}
    assert run("I84.000", "6.31", rows=rows, op_category=category).group_code == "I84.0:06.3100"
    both = {"06.3100": "手术", "06.310": "手术"}
    found = run("I84.000", "6.31", rows=rows, op_category=both)
    assert any(text.startswith("W_UNMAPPED") for text in found.warnings)


def test_code_outside_the_catalogue_takes_no_part(run: Make) -> None:
    found = run("K80.100", "77.7777", "51.2300")
    assert found.group_code == "K80.1:51.2300"
    assert any("W_UNMAPPED" in text and "77.7777" in text for text in found.warnings)


@pytest.mark.parametrize("said", [None, "reject"])
def test_unmapped_diagnosis_is_never_used_raw_unless_the_policy_says(
    run: Make, said: str | None
) -> None:
    known = {"K80.100": "胆囊结石"}
    found = run("K80.199x9", known_dx=known, policy={"grouping": {"unmapped_codes": said}})
    assert (found.status, found.group_code) == (GroupStatus.INVALID_INPUT, "")
    assert any("W_UNMAPPED" in text for text in found.warnings)


def test_unmapped_diagnosis_is_used_where_the_policy_says_so(run: Make) -> None:
    using = {"grouping": {"unmapped_codes": "use"}}
    found = run("K80.199x9", known_dx={"K80.100": "胆囊结石"}, policy=using)
    assert found.status is GroupStatus.GROUPED
    assert any("W_UNMAPPED" in text for text in found.warnings)


def test_unknown_other_diagnoses_are_said_where_a_label_looks_at_them(run: Make) -> None:
    known = {"K80.100": "胆囊结石", "J96.000": "急性呼吸衰竭"}
    others = tuple(Diagnosis(code, "", "1", "", 1) for code in ("J96.000", "J96.0Q1"))
    labelled = {"auxiliary": {"mode": "coefficient_table", "dimensions": ["severity"]}}
    found = run("K80.100", known_dx=known, policy=labelled, case={"others": others})
    assert [text for text in found.warnings if "W_UNMAPPED" in text] == [
        "W_UNMAPPED 其他诊断 J96.0Q1 不在目录中，辅助分型可能认不出"
    ]
    plain = run("K80.100", known_dx=known, case={"others": others})
    assert not any("W_UNMAPPED" in text for text in plain.warnings)


def test_no_catalogue_of_operations_means_ambiguous_not_a_guess(run: Make) -> None:
    found = run("K80.100", "99.1500", op_category=None)
    assert found.status is GroupStatus.AMBIGUOUS
    assert {item.group_code for item in found.alternatives} == {
        "K80:手术",
        "K80:治疗性操作",
        "K80:保守治疗",
    }
    assert run("K80.100", "51.2300", op_category=None).group_code == "K80.1:51.2300"


def test_a_case_without_any_day_lacks_the_day_not_the_catalogue(run: Make) -> None:
    undated = run(
        "K80.100", "99.1500", op_category=None, case={"settled": None, "discharged": None}
    )
    said = [text for text in undated.warnings if "手术操作目录" in text]
    assert said == [
        "W_MISSING_INPUT 没有结算日期和出院日期，不能确定用哪一版手术操作目录，不能判断治疗方式"
    ]
    broken = {"settled": None, "discharged": None, "problems": ("setlinfo.setl_end_date",)}
    said = [text for text in run("K80.100", "99.1500", op_category=None, case=broken).warnings]
    assert (
        "W_MISSING_INPUT 结算日期读不出来，不能确定用哪一版手术操作目录，不能判断治疗方式" in said
    )
    dated = run("K80.100", "99.1500", op_category=None)
    assert "W_MISSING_INPUT 没有手术操作目录，不能判断治疗方式（icd9cm3）" in dated.warnings


def test_equal_candidates_are_ambiguous(run: Make) -> None:
    rows = (("K80.1", "51.2300/47.0100", "900"), ("K80.1", "51.2300", "900"))
    found = run("K80.100", "51.2300", rows=rows, policy={"grouping": {"select": ["max_score"]}})
    assert found.status is GroupStatus.AMBIGUOUS
    assert found.group_code == ""
    assert len(found.alternatives) == 2


def test_table_order_is_logged(run: Make) -> None:
    rows = (("K80.1", "51.2300/47.0100", "900"), ("K80.1", "51.2300", "900"))
    found = run("K80.100", "51.2300", rows=rows)
    assert found.group_code == "K80.1:51.2300/47.0100"
    assert any(text.startswith("W_TABLE_ORDER") for text in found.warnings)


def test_interventional_class_follows_the_policy(run: Make) -> None:
    assert run("K80.100", "36.0700").group_code == "K80:手术"
    therapy = {"grouping": {"op_type": {"interventional_as": "治疗性操作"}}}
    assert run("K80.100", "36.0700", policy=therapy).group_code == "K80:治疗性操作"
    unknown = {"grouping": {"op_type": {"interventional_as": None}}}
    assert run("K80.100", "36.0700", policy=unknown).status is GroupStatus.AMBIGUOUS


def test_case_type_of_all_operations(run: Make) -> None:
    rules = {"grouping": {"op_type": {"case_type_from": "max_of_all"}}}
    assert run("K80.100", "99.1500", "47.0100", policy=rules).group_code == "K80:手术"
    assert run("K80.100", "99.1500", "47.0100").group_code == "K80:治疗性操作"


def test_blank_group_and_ungrouped(run: Make) -> None:
    assert run("Z99.900").status is GroupStatus.UNGROUPED
    blank = {"grouping": {"blank_code": "KBBZ", "layers": ["core", "comprehensive", "blank"]}}
    found = run("Z99.900", policy=blank)
    assert (found.status, found.layer, found.group_code) == (
        GroupStatus.BLANK,
        Layer.BLANK,
        "KBBZ",
    )
    assert found.base_score == 800


def test_floor_rows_are_loaded_and_never_routed_to(run: Make) -> None:
    rows = (("U07", "保守治疗", "1200", "未入组"), ("KBBZ", "", "800", "未入组"))
    found = run("U07.100", rows=rows, policy={"grouping": {"blank_code": "KBBZ"}})
    assert found.group_code == "KBBZ"


def test_chapter_floor_takes_the_first_comprehensive_row(run: Make) -> None:
    rules = {"grouping": {"comprehensive": {"floor": "chapter_first"}}}
    found = run("K99.900", policy=rules)
    assert found.group_code == "K80:手术"
    assert any(text.startswith("W_FLOOR") for text in found.warnings)


def test_comprehensive_ranges_are_closed_at_both_ends(run: Make) -> None:
    rules = {"grouping": {"comprehensive": {"keys": ["cat3"], "ranges": "true"}}}
    rows = (("A00-B02", "保守治疗", "100", "综合"),)
    for dx in ("A00.000", "B02.900", "A99.000"):
        assert run(dx, rows=rows, policy=rules).group_code == "A00-B02:保守治疗"
    assert run("B03.000", rows=rows, policy=rules).status is GroupStatus.UNGROUPED


def test_rank_puts_surgical_comprehensive_before_conservative_core(run: Make) -> None:
    rules = {
        "grouping": {"select": ["rank"], "rank": ["CS", "ZS", "CT", "CD", "CN", "ZN"]},
    }
    assert run("K80.100", "47.0100", policy=rules).group_code == "K80:手术"
    assert run("K80.100", "44.1300x001", policy=rules).group_code == "K80.1:44.1300x001"
    assert run("K80.100", policy=rules).group_code == "K80.1"


def test_unmatched_surgery_prefers_comprehensive_where_named(run: Make) -> None:
    rules = {"grouping": {"select": ["comp_surgery_if_unmatched_surgery", "core_first"]}}
    found = run("K80.100", "51.2300", "47.0100", policy=rules)
    assert found.group_code == "K80:手术"
    assert run("K80.100", "51.2300", policy=rules).group_code == "K80.1:51.2300"


def test_exact_cover_and_terms(run: Make) -> None:
    rows = (("K80.1", "51.2300", "900"), ("K80.1", "51.2300+54.5101", "800"))
    for name in ("exact_cover", "max_and_terms", "max_matched_ops"):
        rules = {"grouping": {"op_roles": "set", "select": [name]}}
        found = run("K80.100", "54.5101", "51.2300", rows=rows, policy=rules)
        assert found.group_code == "K80.1:51.2300+54.5101", name


def test_main_operation_in_key(run: Make) -> None:
    rows = (("K80.1", "51.2300", "900"), ("K80.1", "54.5101", "800"))
    rules = {"grouping": {"op_roles": "set", "select": ["main_op_in_key"]}}
    assert run("K80.100", "54.5101", "51.2300", rows=rows, policy=rules).group_code.endswith(
        "54.5101"
    )


def test_closest_fee_is_visible(run: Make) -> None:
    rows = (("K80.1", "51.2300", "900"), ("K80.1", "51.2300/47.0100", "500"))
    rules = {"grouping": {"select": ["closest_fee"]}}
    found = run("K80.100", "51.2300", rows=rows, policy=rules, case={"fee": "5100.00"})
    assert found.group_code.endswith("47.0100")
    assert any(text.startswith("W_USES_FEE") for text in found.warnings)


def test_basic_groups_named_by_the_policy(run: Make) -> None:
    found = run("K80.100", policy={"grouping": {"basic_groups": ["K80.1"]}})
    assert (found.layer, found.is_basic) == (Layer.BASIC, True)


def test_no_principal_is_invalid_input(run: Make) -> None:
    assert run(None).status is GroupStatus.INVALID_INPUT


def test_excluded_principal_is_exact(run: Make) -> None:
    table = {"K80.100": NotPrincipal("K80.100", True, False, "gray-parent", "dip3")}
    rules = {"grouping": {"exclusions": {"dx_list": "exact"}}}
    found = run("K80.100", policy=rules, not_principal=table)
    assert found.status is GroupStatus.EXCLUDED_DX
    assert "W_EXCLUDED_DX 主要诊断不纳入分组，请另选主要诊断" in found.warnings
    (step,) = [item for item in found.trace if item.step == "exclude"]
    assert (step.text, step.value) == ("不能作主要诊断，选细码", "K80.100")
    assert run("K80.100x1", policy=rules, not_principal=table).status is GroupStatus.GROUPED
    assert run("K80.100", not_principal=table).status is GroupStatus.GROUPED
    missing = run("K80.100", policy=rules)
    assert any("没有不纳入分组的主要诊断目录（not-principal）" in text for text in missing.warnings)
    undated = run("K80.100", policy=rules, case={"settled": None, "discharged": None})
    said = [text for text in undated.warnings if "not-principal" in text]
    assert said == [
        "W_MISSING_INPUT 没有结算日期，不能确定用哪一版不纳入分组的主要诊断目录（not-principal）"
    ]


def test_routes(run: Make) -> None:
    bed = {"routing": {"excluded": ["bed_day_psychiatric", "self_pay"]}}
    found = run("K80.100", policy=bed, case={"payment_method": "5"})
    assert found.status is GroupStatus.ROUTED_OUT
    found = run("K80.100", policy=bed)
    assert any("self_pay" in text for text in found.warnings)
    day = {"routing": {"day_surgery": "excluded"}}
    assert run("K80.100", policy=day, case={"stay_type": "2"}).status is GroupStatus.ROUTED_OUT


def test_tcm_diagnosis_without_a_map_warns(run: Make) -> None:
    tcm = (Diagnosis("A01.01", "", "2", "", 1),)
    found = run("K80.100", policy={"routing": {"tcm_route": None}}, case={"tcm": tcm})
    assert any(text.startswith("W_TCM_UNMAPPED") for text in found.warnings)


def test_policy_out_of_its_period_warns(run: Make) -> None:
    rules = {"policy": {"effective_from": "2026-01-01"}}
    assert any(text.startswith("W_PERIOD") for text in run("K80.100", policy=rules).warnings)


def test_level_split_without_levels_is_ambiguous(run: Make) -> None:
    rules = {"grouping": {"comprehensive": {"level_split": "true"}}}
    rows = (("K80", "手术", "1", "综合", "K80:SS1"), ("K80", "手术", "2", "综合", "K80:SS2"))
    assert run("K80.100", "47.0100", rows=rows[:1], policy=rules).group_code == "K80:SS1"
    found = run("K80.100", "47.0100", rows=rows, policy=rules)
    assert found.status is GroupStatus.AMBIGUOUS
    assert [item.group_code for item in found.alternatives] == ["K80:SS1", "K80:SS2"]


def test_trace_can_be_left_out(run: Make) -> None:
    assert run("K80.100", trace=False).trace == ()
    assert [step.step for step in run("K80.100").trace][-1] == "result"


def test_tables_of_a_reference(make_policy: Make, make_library: Make, make_case: Make) -> None:
    rules = make_policy()
    library = compile_library(make_library(*ROWS), rules)
    ops = CodeTable(
        "icd9cm3",
        "1",
        date(2025, 1, 1),
        {"99.1500": "肠外营养", "93.9999": "无类别"},
        {"category": {"99.1500": "治疗性操作"}},
    )
    ref = Reference(date(2025, 3, 15), icd9cm3=ops)
    found = group_with(make_case("K80.100", "99.1500"), library, rules, ref)
    assert found.group_code == "K80:治疗性操作"
    simple = group(make_case("K80.100", "93.9999"), library, rules, ref)
    assert simple.group_code == "K80.1"
    assert not any("W_UNMAPPED" in text for text in simple.warnings)


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"grouping": {"select": ["max_socre"]}}, "grouping.select"),
        ({"grouping": {"dx_keys": ["sub5"]}}, "grouping.dx_keys"),
        ({"grouping": {"dx_keys": None}}, "grouping.dx_keys"),
        ({"grouping": {"layers": None}}, "grouping.layers"),
        ({"grouping": {"layers": ["pre", "base"]}}, "grouping.layers"),
        ({"grouping": {"op_roles": None}}, "grouping.op_roles"),
        ({"grouping": {"op_roles": "both"}}, "grouping.op_roles"),
        ({"grouping": {"comprehensive": {"keys": ["cat4"]}}}, "grouping.comprehensive.keys"),
    ],
)
def test_policy_that_cannot_group_names_its_parameter(
    make_policy: Make, make_library: Make, policy: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_library(make_library(*ROWS), make_policy(**policy))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ((("K80.1", "", "1"), ("K80.1", "", "2")), "重复"),
        ((("K80.1", "51.2300;1", "1"),), "手术表达式"),
        ((("K80.1", "", "1", "奇怪"),), "病种类型"),
        ((("K80", "", "1", "综合"), ("K80", "51.2300", "1", "综合")), "治疗方式"),
    ],
)
def test_bad_library_rows_name_the_row(
    make_policy: Make, make_library: Make, rows: tuple[tuple[str, ...], ...], what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        compile_library(make_library(*rows), make_policy())
    assert "第" in str(caught.value)


def test_an_expression_of_another_grammar_names_the_policys_key(
    make_policy: Make, make_library: Make
) -> None:
    with pytest.raises(ConfigError, match=r"政策 test 的 grouping\.op_expr 不符"):
        compile_library(make_library(("K80.1", "51.2300&51.8800", "1")), make_policy())


def test_layers_that_the_library_does_not_have_are_refused(
    make_policy: Make, make_library: Make
) -> None:
    national = make_policy(grouping={"layers": ["pre", "base", "comprehensive"]})
    with pytest.raises(ConfigError, match="没有这样的病种") as caught:
        compile_library(make_library(*ROWS), national)
    assert caught.value.path == "grouping.layers"
    rows = (("A40", "96.7101", "", "JC", "JC-1876"),)
    with pytest.raises(ConfigError, match=r"国家 3\.0 版分组方案") as caught:
        compile_library(make_library(*rows, edition="3.0"), make_policy())
    assert caught.value.path == "grouping.layers"


def test_partial_library_is_said_where_it_matters(
    make_policy: Make, make_library: Make, make_case: Make
) -> None:
    rules = make_policy()
    library = compile_library(make_library(*ROWS, partial=True), rules)
    found = group(make_case("Z99.900"), library, rules)
    assert any(text.startswith("W_PARTIAL_LIBRARY") for text in found.warnings)


@pytest.mark.parametrize(("way", "code", "points"), [("5", "K80.1_4", 450), ("1", "K80.1_1", 550)])
def test_a_sub_row_replaces_the_row_of_its_group(
    make_policy: Make, make_library: Make, make_case: Make, way: str, code: str, points: int
) -> None:
    rules = make_policy(
        auxiliary={
            "mode": "sub_rows",
            "dimensions": ["severity"],
            "choose": "first_of_list",
            "order": ["death", "severe", "moderate", "light"],
            "los_gate": {"op": ">", "days": "3"},
        }
    )
    data = make_library(
        ("K80.1", "", "600"),
        ("K80.1", "保守治疗", "550", "核心", "K80.1_1"),
        ("K80.1", "保守治疗", "450", "核心", "K80.1_4"),
    )
    rows = (
        data.rows[0],
        replace(data.rows[1], parent_code="K80.1", sub_label="轻度"),
        replace(data.rows[2], parent_code="K80.1", sub_label="死亡"),
    )
    parts = LibraryParts(severity={"J96.000": SeverityCode("J96.000", "重度")})
    library = compile_library(replace(data, rows=rows, parts=parts), rules)
    found = group(make_case("K80.100", discharge_way=way), library, rules)
    assert (found.status, found.group_code, found.base_score) == (
        GroupStatus.GROUPED,
        code,
        points,
    )
    assert found.split in ("轻度", "死亡")
    bare = compile_library(replace(data, rows=rows), make_policy())
    assert group(make_case("K80.100"), bare, make_policy()).group_code == "K80.1"


def test_a_trace_names_the_rows_that_were_not_met_and_why(run: Make) -> None:
    found = run("K80.100", "51.2300", "99.1500")
    core = next(step for step in found.trace if step.step == "core")
    assert core.dropped == (
        "K80.1（病例不是保守治疗）",
        "K80.1:51.2300_54.5101（缺少相关手术 54.5101）",
        "K80.1:44.1300x001（缺少手术 44.1300x001）",
    )
    texts = [step.text for step in found.trace if step.step == "operations"]
    assert "2 项（51.2300、99.1500）" in texts[0]
    assert texts[1] == "入组的病种没有用到的手术操作（99.1500）"


def test_an_operation_that_is_there_but_not_principal_is_said_so(run: Make) -> None:
    found = run("K80.100", "99.1500", "51.2300")
    core = next(step for step in found.trace if step.step == "core")
    assert "K80.1:51.2300（主要手术不在其中）" in core.dropped


def test_of_many_rows_that_were_not_met_ten_are_named(run: Make) -> None:
    rows = tuple(("K80.1", f"{number}.0100", "100") for number in range(10, 25))
    found = run("K80.100", "10.0100", rows=rows)
    core = next(step for step in found.trace if step.step == "core")
    assert len(core.dropped) == 11
    assert core.dropped[-1] == "等 14 个"
