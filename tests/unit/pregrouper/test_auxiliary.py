"""Every label of every dimension, with both sides of every bound, and what switches one off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dipgate.core.case import Case, Diagnosis, IcuStay
from dipgate.core.clock import CHINA
from dipgate.core.grouping import Layer
from dipgate.core.library import AgeLabel, Coefficient, LibraryParts, LibraryRow, SeverityCode
from dipgate.core.money import Fen
from dipgate.pregrouper.auxiliary import Labelled, auxiliary_labels
from dipgate.pregrouper.library import Group, Library
from dipgate.pregrouper.operations import Operations

Make = Callable[..., Any]
IN = datetime(2025, 3, 10, 9, tzinfo=CHINA)
PARTS = LibraryParts(
    severity={
        "J96.000": SeverityCode("J96.000", "重度"),
        "N18.900": SeverityCode("N18.900", "中度"),
        "R57.200": SeverityCode("R57.200", "MCC", include=("K80",)),
        "I46.900": SeverityCode("I46.900", "MCC", exclusion="E1"),
        "A41.900": SeverityCode("A41.900", "CC", include=("K80",), exclusion="E1"),
        "M01.000": SeverityCode("M01.000", "中度", exclusion="E9"),
    },
    severity_exclusions={"E1": frozenset(("K80.100",))},
    cci={
        "I50.900": 1,
        "I50.000": 2,
        "E11.900": 1,
        "B20.900": 6,
        "N18.500": 2,
        "K74.000": 3,
    },
    age=(AgeLabel("老年", from_years=65),),
    tb_resistant=frozenset(("A15.000x001",)),
)
THIRD = {"op": ">=", "days": "3"}
AFTER_THIRD = {"op": ">", "days": "3"}


def a_library(**over: Any) -> Library:
    values: dict[str, Any] = {
        "label": "test@1",
        "edition": "3.0",
        "partial": False,
        "principal_related": True,
        "short_codes": 0,
        "buckets": {},
        "comprehensive": {},
        "ranges": (),
        "by_chapter": {},
        "blank": None,
        "op_codes": frozenset(),
        "dx_keys": frozenset(),
        "groups": {},
        "parts": PARTS,
    }
    return Library(**(values | over))


def a_group(kind: str = "核心", layer: Layer = Layer.CORE, code: str = "G1", **row: Any) -> Group:
    values: dict[str, Any] = {
        "row": 2,
        "group_code": code,
        "kind": kind,
        "dx_code": "K80.1",
        "dx_name": "",
        "main_ops": "",
        "main_op_names": "",
        "other_ops": "",
        "other_op_names": "",
        "op_expression": "",
        "treatment_class": "",
        "score": Decimal(100),
        "average_fee": Decimal(1000),
        "average_stay": None,
        "cv": None,
        "case_count": None,
    }
    return Group(LibraryRow(**(values | row)), layer, False, "K80.1", (), (), "")


@pytest.fixture
def label(make_case: Make, make_policy: Make) -> Callable[..., Labelled]:
    """`label("K80.100", "J96.000", stay=3, dims=["severity"])`: principal, then other diagnoses."""

    def go(
        dx: str,
        *others: str,
        stay: int | None = 5,
        dims: list[str] | None = None,
        ops: tuple[str, ...] = (),
        group: Group | None = None,
        library: Library | None = None,
        aux: dict[str, Any] | None = None,
        **case: Any,
    ) -> Labelled:
        record: Case = make_case(
            dx,
            admitted=IN,
            discharged=None if stay is None else IN + timedelta(days=stay),
            others=tuple(Diagnosis(code, "", "1", "", n) for n, code in enumerate(others, 1)),
            **({"fee": "900.00"} | case),
        )
        rules = {"mode": "coefficient_table", "dimensions": dims or ["severity"]}
        policy = make_policy(auxiliary=rules | {"los_gate": THIRD} | (aux or {}))
        operations = Operations(ops, ("T",) * len(ops), not ops, frozenset("N"), (), ())
        return auxiliary_labels(
            record, operations, group or a_group(), library or a_library(), policy
        )

    return go


def words(found: Labelled) -> list[str]:
    return [item.label for item in found.labels]


@pytest.mark.parametrize(
    ("others", "stay", "more", "expected"),
    [
        ((), 5, {}, "轻度"),
        (("I10.x00",), 5, {}, "轻度"),
        (("N18.900",), 3, {}, "中度"),
        (("N18.900",), 2, {}, "轻度"),
        (("J96.000",), 3, {}, "重度"),
        (("J96.000",), 2, {}, "轻度"),
        (("N18.900", "J96.000"), 4, {}, "重度"),
        (("J96.000+G63*",), 4, {}, "重度"),
        (("J96.0",), 4, {}, "轻度"),
        ((), 1, {"discharge_way": "5"}, "死亡"),
        (("J96.000",), 30, {"discharge_way": "5"}, "死亡"),
        (("R57.200",), 5, {}, "重度"),
        (("I46.900",), 5, {}, "轻度"),
        (("A41.900",), 5, {}, "轻度"),
    ],
)
def test_severity(label: Make, others: Any, stay: int, more: Any, expected: str) -> None:
    assert words(label("K80.100", *others, stay=stay, **more)) == [expected]


def test_include_comes_before_exclude_and_exclusion_is_by_principal(label: Make) -> None:
    assert words(label("I10.x00", "R57.200")) == ["轻度"]
    assert words(label("I10.x00", "I46.900")) == ["重度"]
    assert words(label("K80.200", "A41.900")) == ["中度"]
    assert words(label("I10.x00", "A41.900")) == ["轻度"]


@pytest.mark.parametrize(("stay", "expected"), [(3, "轻度"), (4, "重度")])
def test_the_gate_is_the_policys(label: Make, stay: int, expected: str) -> None:
    found = label("K80.100", "J96.000", stay=stay, aux={"los_gate": AFTER_THIRD})
    assert words(found) == [expected]


def test_without_a_gate_three_days_are_enough(label: Make) -> None:
    assert words(label("K80.100", "J96.000", stay=3, aux={"los_gate": None})) == ["重度"]
    assert words(label("K80.100", "J96.000", stay=2, aux={"los_gate": None})) == ["轻度"]


SEVERITY_OFF = [
    ({"discharge_way": ""}, (), "离院方式"),
    ({"stay": None}, ("J96.000",), "住院天数"),
    ({"library": a_library(parts=LibraryParts())}, (), "严重程度目录"),
    ({}, ("M01.000",), "E9"),
    (
        {
            "aux": {"severity_source": "cc_mcc_with_principal_exclusion"},
            "library": a_library(parts=LibraryParts(severity=PARTS.severity)),
        },
        ("J96.000",),
        "auxiliary.severity_source",
    ),
    ({"aux": {"severity_source": "mcc_only"}}, (), "auxiliary.severity_source: mcc_only"),
]


@pytest.mark.parametrize(("more", "others", "what"), SEVERITY_OFF)
def test_a_missing_input_switches_severity_off(
    label: Make, more: dict[str, Any], others: tuple[str, ...], what: str
) -> None:
    found = label("K80.100", *others, **more)
    assert found.labels == ()
    (warning,) = found.warnings
    assert warning.startswith("W_MISSING_INPUT")
    assert what in warning


def test_what_is_not_needed_does_not_switch_it_off(label: Make) -> None:
    assert words(label("K80.100", stay=None)) == ["轻度"]
    dead = {"discharge_way": "5", "library": a_library(parts=LibraryParts())}
    assert words(label("K80.100", **dead)) == ["死亡"]


TREATED = (("05", Fen(150000)), ("09", Fen(100000)), ("11", Fen(50000)))
DRUGGED = (("05", Fen(149999)), ("09", Fen(100000)), ("10", Fen(20000)), ("11", Fen(30001)))


@pytest.mark.parametrize(
    ("others", "more", "expected"),
    [
        ((), {}, "其他"),
        (("N18.900",), {}, "器官病损类"),
        (("J96.000", "N18.900"), {}, "功能衰竭类"),
        (("C78.000", "J96.000"), {}, "转移/并发"),
        (("C50.100",), {}, "其他"),
        (("D05.000",), {}, "其他"),
        (("C78.000",), {"stay": 2}, "其他"),
        (("J96.000",), {"stay": 2}, "其他"),
        ((), {"fee": "3000.00", "category_fees": TREATED}, "高费用一"),
        ((), {"fee": "3000.00", "category_fees": DRUGGED}, "高费用二"),
        (("C78.000",), {"fee": "3000.00", "category_fees": DRUGGED}, "高费用二"),
        (("C78.000",), {"fee": "2999.99", "category_fees": TREATED}, "转移/并发"),
        (("C78.000",), {"fee": "3000.03", "category_fees": DRUGGED}, "转移/并发"),
        (("C78.000",), {"fee": "9000.00", "category_fees": TREATED, "stay": 1}, "其他"),
        (("C78.000",), {"fee": "3000.00", "discharge_way": "5"}, "死亡"),
    ],
)
def test_tumour(label: Make, others: Any, more: dict[str, Any], expected: str) -> None:
    found = label("C50.900", *others, dims=["severity", "tumour"], **more)
    assert [(item.dimension, item.label) for item in found.labels] == [("tumour", expected)]


def test_tumour_and_severity_share_the_cases(label: Make) -> None:
    both = ["severity", "tumour"]
    found = label("K80.100", "C78.000", dims=both)
    assert [(item.dimension, item.label) for item in found.labels] == [("severity", "轻度")]
    assert words(label("C50.900", "J96.000", dims=["severity"])) == ["重度"]
    assert label("D05.000", dims=["tumour"]).labels == ()


@pytest.mark.parametrize(
    ("more", "others", "what"),
    [
        ({"fee": "3000.00"}, (), "按类别的费用"),
        ({"fee": None}, (), "总费用"),
        ({"group": a_group(average_fee=None)}, (), "病种平均费用"),
        ({"stay": None}, ("C78.000",), "住院天数"),
        ({"library": a_library(parts=LibraryParts())}, (), "严重程度目录"),
    ],
)
def test_a_missing_input_switches_tumour_off(
    label: Make, more: dict[str, Any], others: tuple[str, ...], what: str
) -> None:
    found = label("C50.900", *others, dims=["tumour"], **more)
    assert found.labels == ()
    assert what in found.warnings[0]


SPLIT = {
    "severity_labels": ["轻度I-A", "轻度I-B", "中度II", "重度III", "死亡IV-A", "死亡IV-B"],
    "los_gate": AFTER_THIRD,
}


@pytest.mark.parametrize(
    ("dx", "others", "more", "expected"),
    [
        ("K80.100", (), {"stay": 3}, "轻度I-A"),
        ("K80.100", (), {"stay": 4}, "轻度I-B"),
        ("K80.100", ("N18.900",), {"stay": 2}, "中度II"),
        ("K80.100", ("J96.000", "N18.900"), {"stay": 2}, "重度III"),
        ("K80.100", (), {"stay": 3, "discharge_way": "5"}, "死亡IV-A"),
        ("K80.100", ("J96.000",), {"stay": 4, "discharge_way": "5"}, "死亡IV-B"),
        ("C50.900", (), {"stay": 3}, "轻度I-A"),
        ("C50.900", (), {"stay": 4}, "轻度I-B"),
        ("C50.900", ("N18.900",), {}, "中度II"),
        ("C50.900", ("J96.000",), {}, "重度III"),
        ("C50.900", ("C78.000", "J96.000"), {}, "转移IV"),
        ("C50.900", ("C78.000",), {"ops": ("92.2400", "99.2503")}, "放疗V-A"),
        ("C50.900", ("C78.000",), {"ops": ("99.2503",)}, "化疗V-B"),
        ("Z51.000", ("C50.900",), {}, "放疗V-A"),
        ("Z51.101", ("C50.900",), {}, "化疗V-B"),
        ("C50.900", (), {"ops": ("92.2400",), "stay": 3, "discharge_way": "5"}, "死亡VI-A"),
        ("C50.900", (), {"ops": ("92.2400",), "stay": 4, "discharge_way": "5"}, "死亡VI-B"),
    ],
)
def test_the_ladder_of_the_1_0_style(
    label: Make, dx: str, others: Any, more: dict[str, Any], expected: str
) -> None:
    assert words(label(dx, *others, aux=SPLIT, **more)) == [expected]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((), "无"),
        (("I50.900",), "一般"),
        (("I50.900", "E11.900"), "一般"),
        (("I50.900", "I50.000"), "一般"),
        (("I50.000", "E11.900"), "严重"),
        (("K74.000", "E11.900"), "严重"),
        (("K74.000", "I50.000"), "极严重"),
        (("B20.900",), "极严重"),
        (("I50.0",), "无"),
    ],
)
def test_comorbidity(label: Make, others: Any, expected: str) -> None:
    assert words(label("B20.900", *others, dims=["cci"])) == [expected]


BANDS = [
    {"label": "0-28天", "from_days": "0", "to_days": "28"},
    {"label": "29天-1周岁", "from_days": "29", "to_days": "365"},
    {"label": "1-6岁", "from_years": "1", "to_years": "6"},
    {"label": "7-17岁", "from_years": "7", "to_years": "17"},
    {"label": "65岁以上", "from_years": "65"},
]


@pytest.mark.parametrize(
    ("born", "expected"),
    [
        ("2025-03-10", ["0-28天"]),
        ("2025-02-10", ["0-28天"]),
        ("2025-02-09", ["29天-1周岁"]),
        ("2024-03-11", ["29天-1周岁"]),
        ("2024-03-10", ["29天-1周岁"]),
        ("2024-03-09", ["1-6岁"]),
        ("2018-03-11", ["1-6岁"]),
        ("2018-03-10", ["7-17岁"]),
        ("2007-03-11", ["7-17岁"]),
        ("2007-03-10", []),
        ("1960-03-11", []),
        ("1960-03-10", ["65岁以上"]),
    ],
)
def test_age_bands(label: Make, born: str, expected: list[str]) -> None:
    found = label("K80.100", dims=["age"], aux={"age_bands": BANDS}, born=date.fromisoformat(born))
    assert words(found) == expected


def test_age_bands_of_the_library_where_the_policy_has_none(label: Make) -> None:
    assert words(label("K80.100", dims=["age"], born=date(1950, 1, 1))) == ["老年"]
    assert label("K80.100", dims=["age"], born=None).warnings
    later = label("K80.100", dims=["age"], born=date(2025, 3, 11)).warnings
    assert "出生日期晚于入院日期" in later[0]
    none = a_library(parts=LibraryParts())
    assert "age_bands" in label("K80.100", dims=["age"], library=none).warnings[0]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (47, []),
        (48, ["2-7天"]),
        (191, ["2-7天"]),
        (192, ["8-14天"]),
        (359, ["8-14天"]),
        (360, ["15-30天"]),
        (743, ["15-30天"]),
        (744, ["31天及以上"]),
    ],
)
def test_intensive_care(label: Make, hours: int, expected: list[str]) -> None:
    half = timedelta(hours=hours / 2)
    stays = tuple(IcuStay("1", IN, IN + half) for _ in range(2))
    assert words(label("K80.100", dims=["icu"], icu=stays)) == expected
    assert words(label("K80.100", dims=["icu"])) == []
    open_stay = label("K80.100", dims=["icu"], icu=(IcuStay("1", IN, None),))
    assert (open_stay.labels, len(open_stay.warnings)) == ((), 1)


def test_local_labels(label: Make) -> None:
    aux = {"local_labels": ["肺结核耐药"]}
    assert words(label("A15.000x001", dims=["local"], aux=aux)) == ["肺结核耐药"]
    assert words(label("A15.000", dims=["local"], aux=aux)) == []
    other = label("A15.000", dims=["local"], aux={"local_labels": ["血液肿瘤化疗"]})
    assert "血液肿瘤化疗" in other.warnings[0]


def test_an_unheard_of_dimension_is_said(label: Make) -> None:
    assert "weather" in label("K80.100", dims=["weather"]).warnings[0]


SECONDARY = [
    {"label": "甲", "when": "other_dx in (I50*) and stay_days >= 3"},
    {"label": "乙", "when": "other_dx in (E10-E14)", "groups": ["G1"]},
    {"label": "丙", "when": "other_dx in (E10-E14, N18.900)"},
]


@pytest.mark.parametrize(
    ("others", "more", "expected"),
    [
        (("I50.900", "E11.900"), {}, ["甲"]),
        (("E11.900",), {}, ["乙"]),
        (("I50.900", "E11.900"), {"stay": 2}, ["乙"]),
        (("N18.900",), {}, ["丙"]),
        (("E11.900",), {"group": a_group(code="G2")}, ["丙"]),
        (("J96.000",), {}, []),
        ((), {}, []),
    ],
)
def test_labels_of_secondary_diagnoses_are_the_policys_rows(
    label: Make, others: tuple[str, ...], more: dict[str, Any], expected: list[str]
) -> None:
    aux = {"secondary_dx": SECONDARY}
    found = label("K80.100", *others, dims=["secondary_dx"], aux=aux, **more)
    assert (words(found), found.warnings) == (expected, ())


def test_a_row_of_secondary_diagnoses_that_cannot_be_decided(label: Make) -> None:
    found = label(
        "K80.100", "I50.900", stay=None, dims=["secondary_dx"], aux={"secondary_dx": SECONDARY}
    )
    assert found.labels == ()
    assert "甲" in found.warnings[0]


def test_without_rows_a_secondary_diagnosis_is_undecided_only_where_it_multiplies(
    label: Make,
) -> None:
    dims = ["secondary_dx"]
    assert "auxiliary.secondary_dx" in label("K80.100", dims=dims).warnings[0]
    rows = {"*": (Coefficient("*", "secondary_dx", "甲", Decimal("1.2")),)}
    library = a_library(parts=replace(PARTS, coefficients=rows["*"]), coefficients=rows)
    table = {"G1": {"secondary_dx": {"甲": "1.2"}}}
    for more in ({"library": library}, {"aux": {"coefficients": table}}):
        found = label("K80.100", dims=dims, **more)
        (one,) = found.labels
        assert (one.label, one.lacks) == ("未定", ("auxiliary.secondary_dx",))
        assert found.warnings == ()
    off = {"coefficients": {"G1": {"secondary_dx": "n/a"}}}
    assert label("K80.100", dims=dims, library=library, aux=off).labels == ()


@pytest.mark.parametrize(
    "group",
    [
        a_group("综合", Layer.COMPREHENSIVE),
        a_group("中医优势病种"),
        a_group("床日病种"),
    ],
)
def test_only_core_groups(label: Make, group: Group) -> None:
    found = label("K80.100", "J96.000", group=group)
    assert (found.labels, found.warnings) == ((), ())
    assert "不适用" in found.steps[0].text


def test_groups_that_the_policy_takes_out(label: Make) -> None:
    assert label("K80.100", aux={"excluded_groups": ["G1"]}).labels == ()
    assert label("K80.100", aux={"excluded_groups": ["G2"]}).labels


def test_national_layers_take_labels(label: Make) -> None:
    for layer in (Layer.PRE, Layer.MERGE, Layer.AUX_SPLIT, Layer.BASE, Layer.BASIC):
        assert label("K80.100", group=a_group("JC", layer)).labels


def test_mode_none_says_nothing(label: Make) -> None:
    for mode in ("none", None, "n/a"):
        assert label("K80.100", aux={"mode": mode}) == Labelled()


def test_coefficients_and_triggers_come_from_the_library(label: Make) -> None:
    rows = {
        "G1": (Coefficient("G1", "severity", "重度", Decimal("1.3"), Decimal("1.4")),),
        "*": (Coefficient("*", "cci", "无", Decimal("0.9")),),
    }
    table = replace(PARTS, coefficients=(*rows["G1"], *rows["*"]))
    library = a_library(parts=table, coefficients=rows)
    dims = ["severity", "cci", "age"]
    found = label("K80.100", "J96.000", dims=dims, born=date(1950, 1, 1), library=library)
    assert [(item.label, item.coefficient, item.trigger) for item in found.labels] == [
        ("重度", Decimal("1.3"), Decimal("1.4")),
        ("无", Decimal("0.9"), None),
    ]
    assert any("没有启用辅助分型“年龄”" in step.text for step in found.steps)
    light = label("K80.100", dims=["severity"], library=library)
    assert [(item.label, item.coefficient) for item in light.labels] == [("轻度", None)]


def test_the_policys_table_switches_dimensions(label: Make) -> None:
    table = {"G1": {"age": "n/a", "severity": {"重度": "1.2"}}}
    found = label(
        "K80.100",
        "J96.000",
        dims=["severity", "age"],
        born=date(1950, 1, 1),
        aux={"coefficients": table},
    )
    assert words(found) == ["重度"]
    assert label("K80.100", aux={"coefficients": {"G1": "n/a"}}).labels == ()


@pytest.mark.parametrize(
    ("others", "more", "code", "score"),
    [
        ((), {}, "G1_1", "80"),
        (("N18.900",), {}, "G1_2", "110"),
        (("J96.000",), {}, "G1_3", "150"),
        ((), {"discharge_way": "5"}, "G1_4", "60"),
    ],
)
@pytest.mark.parametrize("by_number", [True, False])
def test_sub_rows(
    label: Make, others: Any, more: dict[str, Any], code: str, score: str, by_number: bool
) -> None:
    scores = {"轻度": "80", "中度": "110", "重度": "150", "死亡": "60"}
    rows = tuple(
        a_group(
            code=f"G1_{number}",
            parent_code="G1",
            sub_label=str(number) if by_number else word,
            score=Decimal(value),
        )
        for number, (word, value) in enumerate(scores.items(), 1)
    )
    library = a_library(sub_rows={"G1": rows})
    found = label("K80.100", *others, library=library, aux={"mode": "sub_rows"}, **more)
    assert found.sub_row is not None
    assert (found.sub_row.code, found.sub_row.row.score) == (code, Decimal(score))


def test_a_group_without_sub_rows_keeps_its_own(label: Make) -> None:
    found = label("K80.100", aux={"mode": "sub_rows"})
    assert found.sub_row is None
    assert any("没有分型子目录" in step.text for step in found.steps)


ROWS = [
    {
        "label": "老年重度",
        "when": "age_years >= 66 and severity in (重度, 死亡)",
        "dimension": "age",
        "factor": "1.15",
    },
    {"label": "耐药", "when": "dx in (A15*)", "groups": ["G2"], "factor": "2"},
    {"label": "中医", "when": "tcm_share > 0.6", "factor": "1.1"},
]


def test_expression_rows(label: Make) -> None:
    aux = {"mode": "expression_table", "expressions": ROWS}
    old = {"born": date(1959, 3, 10)}
    found = label("K80.100", "J96.000", aux=aux, **old)
    assert [(item.dimension, item.label, item.coefficient) for item in found.labels] == [
        ("severity", "重度", None),
        ("age", "老年重度", Decimal("1.15")),
    ]
    assert any("中医" in text and "缺少中医治疗占比" in text for text in found.warnings)
    young = label("K80.100", "J96.000", aux=aux, born=date(1959, 3, 11))
    assert words(young) == ["重度"]
    light = label("K80.100", aux=aux, **old)
    assert words(light) == ["轻度"]
    assert words(label("A15.000", aux=aux, group=a_group(code="G2"))) == ["轻度", "耐药"]
    assert "耐药" not in words(label("A15.000", aux=aux))


def test_a_condition_that_cannot_be_read_is_said_not_raised(label: Make) -> None:
    aux = {"mode": "expression_table", "expressions": [{"label": "X", "when": "agee > 1"}]}
    found = label("K80.100", aux=aux)
    assert "auxiliary.expressions[0].when" in found.warnings[0]


MIXED = ["J96.000", "N18.900", "C78.000", "I50.900", "I50.000", "K74.000", "I46.900", "I10.x00"]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["K80.100", "C50.900"]),
    st.lists(st.sampled_from(MIXED), max_size=8).flatmap(
        lambda codes: st.tuples(st.just(codes), st.permutations(codes))
    ),
)
def test_the_order_of_other_diagnoses_has_no_say(
    label: Make, dx: str, lists: tuple[list[str], list[str]]
) -> None:
    dims = ["severity", "tumour", "cci"]
    one, other = (label(dx, *codes, dims=dims) for codes in lists)
    assert one == other


def test_labelling_is_pure(label: Make) -> None:
    assert label("K80.100", "J96.000") == label("K80.100", "J96.000")
