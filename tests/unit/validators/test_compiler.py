"""The row language: what compiles and what it means, and what is refused and how."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dipgate.core.findings import Finding, FindingStatus, Fix, Severity
from dipgate.core.lists import SettlementList, list_of
from dipgate.core.reference import CodeTable, Reference
from dipgate.core.rules import CodeList, ListField, RuleRow, RuleWorld
from dipgate.validators import Pack, PackError, check, compile_pack

DAY = date(2025, 3, 8)


def _fields(node: str, **kinds: str) -> dict[str, ListField]:
    return {name: ListField(node, name, f"名{name}", kind) for name, kind in kinds.items()}


WORLD = RuleWorld(
    {
        "setlinfo": _fields(
            "setlinfo",
            sex="text",
            note="text",
            days="number",
            fee="number",
            brdy="time",
            adm_time="time",
            dscg_time="time",
        ),
        "diseinfo": _fields(
            "diseinfo", diag_code="text", diag_type="text", maindiag_flag="text", amount="number"
        ),
        "iteminfo": _fields("iteminfo", kind="text", amt="number"),
        "charges": _fields("charges", category="text", amount="number"),
        "cover": _fields("cover", cause="text"),
    },
    frozenset({"gend"}),
    {"WOMEN": CodeList("WOMEN", "", "", frozenset({"X1"}), ("O00-O99",))},
)
REF = Reference(
    DAY,
    codesets={"gend": {"1": "男", "2": "女"}},
    icd10=CodeTable("icd10", "t", DAY, {"A00.000": "甲"}),
)


def row(must: str, **changes: Any) -> RuleRow:
    base = RuleRow(
        id="T001",
        pack="t",
        for_each="case",
        when="",
        must=must,
        needs=(),
        severity=Severity.ERROR,
        fields=("sex",),
        clause="条款",
        message="不对",
        remedy="改",
        since=date(2021, 1, 1),
        file="t/rules.csv",
        line=7,
    )
    return replace(base, **changes)


def pack(*rows: RuleRow) -> Pack:
    return compile_pack(rows, (), WORLD, "t")


def lst(**nodes: Any) -> SettlementList:
    return list_of({"setlinfo": {}, **nodes})


def run(rule: RuleRow, ref: Reference = REF, **nodes: Any) -> tuple[Finding, ...]:
    return check(lst(**nodes), ref, [pack(rule)], today=date(2025, 4, 1))


def holds(must: str, **nodes: Any) -> bool:
    findings = run(row(must), **nodes)
    assert all(finding.status is FindingStatus.FOUND for finding in findings), findings
    return not findings


def refusal(rule: RuleRow) -> str:
    with pytest.raises(PackError) as caught:
        pack(rule)
    (problem,) = caught.value.problems
    assert str(problem) in str(caught.value)
    return str(problem)


INFO = {"sex": " 1 ", "note": "ab", "days": "7", "fee": "12.50", "adm_time": "2025-03-01 08:00:00"}


@pytest.mark.parametrize(
    ("must", "expected"),
    [
        ('sex == "1"', True),
        ('sex != "1"', False),
        ('sex in ("1", "2")', True),
        ('sex not in ["1"]', False),
        ("days == 7 and fee == 12.5", True),
        ("6 < days <= 7", True),
        ("days in (7, 8)", True),
        ("fee + fee == 25 and fee - 0.5 == 12 and fee * 2 == 25", True),
        ("-days < 0", True),
        ("abs(days - 10) == 3", True),
        ("not blank(sex)", True),
        ("blank(brdy)", True),
        ("given(sex, days, adm_time)", True),
        ("given(sex, brdy)", False),
        ("readable(days, adm_time)", True),
        ("readable(brdy)", False),
        ("zero(days) == 7", True),
        ('raw(sex) == " 1 "', True),
        ('text(days) == "7"', True),
        ('label(days) == "名days"', True),
        ('length(note) == 2 and part(note, 2, 2) == "b"', True),
        ('starts(note, "a") and contains(note, "b")', True),
        (r'matches(note, r"[a-c]{2}")', True),
        ('in_set(sex, "gend") and set_label(sex, "gend") == "男"', True),
        ('note == "ab" if days > 5 else note == "x"', True),
        ('sex == "1" if days < 5 else False', False),
        ('note + "c" == "abc"', True),
        ('same_text(note, "a b")', True),
        ("day(adm_time) < adm_time", True),
        ("has_minutes(adm_time)", True),
        ('days_between(adm_time, moment("2025-03-03")) == 2', True),
        ('minutes_between(adm_time, moment("2025-03-01 09:30")) == 90', True),
        ('compact_day(adm_time) == "20250301"', True),
        ('num("3.5") == 3.5', True),
        ("adm_time < today", True),
        ('hospital_code == ""', True),
        ("absent(iteminfo)", True),
        ("True", True),
    ],
)
def test_expressions_of_the_case(must: str, expected: bool) -> None:
    assert holds(must, setlinfo=INFO) is expected


DX = [
    {"diag_code": "A00.000", "diag_type": "1", "maindiag_flag": "0", "amount": "1.00"},
    {"diag_code": "O80.000", "diag_type": "1", "maindiag_flag": "1", "amount": "2.50"},
    {"diag_code": "BNG010", "diag_type": "2", "maindiag_flag": "1", "amount": "3.00"},
]


@pytest.mark.parametrize(
    ("must", "expected"),
    [
        ("count_of(diseinfo) == 3", True),
        ('count_rows(diseinfo, diag_type == "1") == 2', True),
        ("any_row(diseinfo, western and known_dx(diag_code))", True),
        ('all_rows(diseinfo, diag_type == "1")', False),
        ('any_in(diseinfo, diag_code, "O80-O84")', True),
        ('all_in(diseinfo, diag_code, "A00-Z99")', False),
        ("sum_of(diseinfo, amount) == 6.5", True),
        ('sum_by(diseinfo, diag_type, amount, "1") == 3.5', True),
        ('sum_by(diseinfo, diag_type, amount, "9") == 0', True),
        ("unique(diseinfo, diag_code)", True),
        ("unique(diseinfo, diag_type)", False),
        ('principal.diag_code == "O80.000"', True),
        ("principal.amount == 2.5", True),
        ("any_row(diseinfo, is_principal and position == 2)", True),
        ("any_row(diseinfo, amount > setl.days)", False),
        ('in_list(principal.diag_code, "WOMEN")', True),
        ('has_prefix(principal.diag_code, "O80-O84", "!O80.0")', False),
        ('known_dx("A00.000") and dx_name("A00.000") == "甲"', True),
    ],
)
def test_expressions_over_rows(must: str, expected: bool) -> None:
    assert holds(must, setlinfo=INFO, diseinfo=DX) is expected


def test_a_rule_for_each_row_points_at_its_row() -> None:
    rule = row(
        "not in_list(diag_code, 'WOMEN')",
        for_each="diseinfo",
        when='setl.sex == "1" and western',
        fields=("diag_code", "setl.sex"),
        message="{position} {diag_code} {setl.sex} {setl.brdy}",
    )
    (finding,) = run(rule, setlinfo=INFO, diseinfo=DX)
    assert finding.field == "diseinfo[1].diag_code"
    assert finding.value == "O80.000"
    assert finding.message == "2 O80.000 1 空"


def test_repeats_sees_earlier_rows_of_the_same_list_only() -> None:
    rule = row("not repeats(diag_type)", for_each="diseinfo", fields=("diag_type",))
    compiled = pack(rule)
    for _ in range(2):
        found = check(lst(diseinfo=DX), REF, [compiled], today=DAY)
        assert [finding.field for finding in found] == ["diseinfo[1].diag_type"]


def test_this_is_the_outer_row() -> None:
    rule = row(
        "not any_row(diseinfo, diag_type == this.diag_type and position < this.position)",
        for_each="diseinfo",
        fields=("diag_code",),
    )
    found = run(rule, diseinfo=DX)
    assert [finding.field for finding in found] == ["diseinfo[1].diag_code"]


def test_each_makes_one_check_per_field() -> None:
    rule = row("given(each)", fields=("sex", "note", "days"), message="{label(each)}没填")
    found = run(rule, setlinfo={"note": "x"})
    assert [(f.field, f.message) for f in found] == [
        ("setlinfo.sex", "名sex没填"),
        ("setlinfo.days", "名days没填"),
    ]


def test_one_id_may_have_several_rows() -> None:
    rules = (row("given(sex)"), row("given(diag_code)", for_each="diseinfo", fields=("diag_code",)))
    compiled = pack(*rules)
    assert len(compiled.rules) == 1
    assert [part.for_each for part in compiled.rules[0].parts] == ["case", "diseinfo"]
    found = check(lst(diseinfo=[{}]), REF, [compiled], today=DAY)
    assert {finding.field for finding in found} == {"setlinfo.sex", "diseinfo[0].diag_code"}


@pytest.mark.parametrize(
    ("must", "nodes", "reason"),
    [
        ("sum_of(iteminfo, amt) > 0", {}, "没有节点 iteminfo"),
        ("given(cover.cause)", {}, "没有节点 cover"),
        ('known_op("1")', {}, "icd9cm3"),
        ("days > 1", {}, "名days（setlinfo.days）为空"),
        ("days > 1", {"setlinfo": {"days": "七"}}, "无法读取"),
        ("adm_time < dscg_time", {"setlinfo": {"adm_time": "x", "dscg_time": "y"}}, "无法读取"),
        ("age_years > 1", {}, "算不出"),
        ("sum_of(iteminfo, amt) > 0", {"iteminfo": [{"amt": "1"}, {}]}, "为空"),
    ],
)
def test_what_cannot_be_known_is_not_checked(must: str, nodes: dict[str, Any], reason: str) -> None:
    (finding,) = run(row(must), **nodes)
    assert finding.status is FindingStatus.NOT_CHECKED
    assert finding.message.startswith("未检：")
    assert reason in finding.message


def test_an_absent_code_set_is_not_checked() -> None:
    (finding,) = run(row('in_set(sex, "gend")'), replace(REF, codesets={}))
    assert finding.message == "未检：没有接口码表 gend"


def test_a_row_that_cannot_be_judged_does_not_hide_the_others() -> None:
    rule = row("amount < 3", for_each="diseinfo", fields=("amount",))
    rows = [{"amount": "x"}, {"amount": "5"}, {"amount": ""}]
    found = run(rule, diseinfo=rows)
    assert [(f.status.value, f.field) for f in found] == [
        ("not_checked", "diseinfo[0].amount"),
        ("found", "diseinfo[1].amount"),
    ]


def test_a_rule_that_breaks_is_told_and_the_others_go_on() -> None:
    class Cursed(dict[str, str]):
        def get(self, key: str, default: object = None) -> Any:
            return "A" if key == "diag_code" else default

        def __contains__(self, key: object) -> bool:
            raise RuntimeError("boom")

    cursed = replace(REF, icd10=CodeTable("icd10", "t", DAY, Cursed()))
    rules = (row('known_dx("A")', id="T001"), row("given(sex)", id="T002"))
    found = check(lst(), cursed, [pack(*rules)], today=DAY)
    assert [(f.rule, f.status.value) for f in found] == [("T001", "not_checked"), ("T002", "found")]
    assert "执行失败" in found[0].message
    assert "boom" not in found[0].message


def test_a_message_that_cannot_be_filled_never_hides_the_finding() -> None:
    rule = row("False", message="时长 {minutes_of(note)} 分", fields=("note",))
    (finding,) = run(rule, setlinfo={"note": "x"})
    assert finding.status is FindingStatus.FOUND
    assert finding.message == "时长 … 分"


def test_fixes() -> None:
    rule = row(
        "False",
        for_each="diseinfo",
        fields=("diag_code",),
        fix='safe set diag_code = dx_form(diag_code) when diag_type == "1"; remove row when '
        "position > 1; set diag_type = 'x' when amount > 5; set setl.days = 3",
    )
    found = run(rule, diseinfo=[{"diag_code": "a00", "diag_type": "1"}, {"diag_code": "B"}])
    assert [fix for fix in found[0].fixes] == [
        Fix("set", "diseinfo[0].diag_code", "A00", True, "把名diag_code改为“A00”"),
        Fix("set", "setlinfo.days", "3", False, "把名days改为“3”"),
    ]
    assert found[1].fixes[0] == Fix("remove_row", "diseinfo[1]", "", False, "删除第 2 行")


def test_a_fix_that_changes_nothing_is_no_fix() -> None:
    (finding,) = run(row("False", fix="set sex = sex"), setlinfo={"sex": "1"})
    assert finding.fixes == ()


def test_the_particular_silences_the_general_at_its_row_only() -> None:
    general = row(
        "not known_dx(diag_code)",
        id="T002",
        for_each="diseinfo",
        fields=("diag_code",),
        suppressed_by=("T001", "T003"),
    )
    narrow = row("not is_principal", for_each="diseinfo", fields=("diag_code",))
    rows = [{"diag_code": "A00.000"}, {"diag_code": "A00.000"}]
    found = check(lst(diseinfo=rows), REF, [pack(narrow, general)], today=DAY)
    assert [(f.rule, f.field) for f in found] == [
        ("T001", "diseinfo[0].diag_code"),
        ("T002", "diseinfo[1].diag_code"),
    ]
    whole = row("False", id="T003")
    found = check(lst(diseinfo=rows), REF, [pack(general), pack(whole)], today=DAY)
    assert {f.rule for f in found} == {"T003"}


def test_a_rule_holds_from_its_first_day() -> None:
    rule = row("False", since=date(2025, 3, 8))
    (early,) = run(rule, replace(REF, day=date(2025, 3, 7)))
    assert early.status is FindingStatus.NOT_CHECKED
    assert early.message == "未检：规则自 2025-03-08 起施行，早于此日的清单未检"
    assert len(run(rule, replace(REF, day=date(2025, 3, 8)))) == 1
    later = row("known_op('1')", since=date(2025, 3, 9))
    assert [finding.message for finding in run(later)] == [
        "未检：规则自 2025-03-09 起施行，早于此日的清单未检"
    ]


def test_the_version_is_that_of_the_content() -> None:
    one, same = pack(row("given(sex)")), pack(row("given(sex)", file="x", line=1))
    other = pack(row("given(note)"))
    assert one.version == same.version != other.version
    lists = {"WOMEN": CodeList("WOMEN", "", "", frozenset({"X2"}), ("O00-O99",))}
    assert compile_pack([row("given(sex)")], (), replace(WORLD, lists=lists)).version != one.version


def test_a_pack_travels_to_another_process() -> None:
    one = pack(row("given(sex)"))
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    assert again.version == one.version
    assert check(lst(), REF, [again], today=DAY) == check(lst(), REF, [one], today=DAY)


@pytest.mark.parametrize(
    ("must", "what"),
    [
        ("sexx == '1'", "没有字段 sexx，是不是想写 sex"),
        ("setl.dayz > 1", "没有字段 dayz，是不是想写 days"),
        ("giveen(sex)", "没有规则函数 giveen，是不是想写 given"),
        ("sex == 1", "不能拿文本和数字比较"),
        ("days == '7'", "不能拿数字和文本比较"),
        ("sex", "得到的是文本"),
        ("sex < '2'", "文本不能用 < 比较"),
        ("days + sex > 1", "算术要数字"),
        ("days / 2 > 1", "算术只有"),
        ("sex in note", "in 的右边"),
        ("sex in ()", "in 的右边是空的"),
        ("sex in ('1', 2)", "in 的右边要一组文本常量"),
        ("sex is note", "比较只有"),
        ("given()", "given 要 1–20 个参数"),
        ("given('x' == 'x')", "只能问字段"),
        ("matches(note, sex)", "带引号的常量"),
        (r"matches(note, '\d')", '反斜杠写在 r"…" 里'),
        ("matches(note, '(a+)+')", "可变的重复"),
        ("has_prefix(note, 'K81-K80')", "前小后大"),
        ("in_set(sex, 'gendr')", "没有码表 gendr，是不是想写 gend"),
        ("in_list(sex, 'MEN')", "没有代码清单 MEN，是不是想写 WOMEN"),
        ("count_of(dise)", "是不是想写 diseinfo"),
        ("diseinfo == 1", "节点 diseinfo 不能单独使用"),
        ("any_row(diseinfo, any_row(iteminfo, amt > 0))", "行函数里不能再写行函数"),
        ("any_row(diseinfo, this.amount > 0)", "this 只在"),
        ("repeats(sex)", "只能用于 for_each 的行"),
        ("each == '1'", "each 只能写在"),
        ("is_principal", "没有字段 is_principal"),
        ("part(note, 0, 2) == ''", "1–1000 的整数"),
        ("part(note, days, 2) == ''", "1–1000 的整数"),
    ],
)
def test_mistakes_name_rule_file_line_and_remedy(must: str, what: str) -> None:
    rule = row(must)
    if "each" in must:
        rule = row("any_row(diseinfo, each == '1')")
    text = refusal(rule)
    assert text.startswith("规则 T001（t/rules.csv 第7行 must 列）：")
    assert what in text


@pytest.mark.parametrize(
    "must",
    [
        "__import__('os').system('true')",
        "sex.__class__ == 1",
        "sex.upper() == 'A'",
        "(lambda: True)()",
        "[x for x in sex] == 1",
        "{1: 2} == 1",
        "f'{sex}' == '1'",
        "sex[0] == '1'",
        "given(*sex)",
        "given(sex=1)",
        "(sex := '1') == '1'",
        "eval('1') == 1",
        "print(sex)",
        "run(sex)",
        "emit.hit(sex)",
        "Decimal == 1",
        "ref == 1",
        "setlinfo == 1",
        "2 ** 99999999 > 1",
        "1 << 9999 > 1",
        "99999999999999999999 > days",
        "1e308 > days",
        "1j == days",
        "b'1' == sex",
        "... == sex",
        "sex @ sex == 1",
        "~days == 1",
        "await sex",
        "yield sex",
        "given(sex); given(sex)",
        "given(sex)\ngiven(sex)",
        "import os",
        "(" * 300 + "sex" + ")" * 300,
        "not " * 400 + "given(sex)",
        "-" * 1500 + "days > 1",
        " and ".join(["given(sex)"] * 140),
        "sex == '" + "a" * 500 + "'",
        "given(sex) " + " " * 2100,
        "given(sex)\0",
        "",
    ],
)
def test_hostile_expressions_do_not_compile(must: str) -> None:
    with pytest.raises(PackError):
        pack(row(must))


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"for_each": "opspdiseinfo"}, "for_each"),
        ({"fields": ()}, "fields"),
        ({"fields": ("nothing",)}, "fields"),
        ({"needs": ("icd11",)}, "needs"),
        ({"needs": ("table:a;emit.hit(1)",)}, "needs"),
        ({"needs": ("codeset:gend')",)}, "needs"),
        ({"message": ""}, "message"),
        ({"message": "{sexx}"}, "message"),
        ({"message": "{sex"}, "message"),
        ({"when": "sexx"}, "when"),
        ({"fix": "delete row"}, "fix"),
        ({"fix": "remove row"}, "fix"),
        ({"fix": "set nothing = sex"}, "fix"),
        ({"fix": "set sex = __import__('os')"}, "fix"),
        ({"suppressed_by": ("T001",)}, "suppressed_by"),
    ],
)
def test_every_column_is_checked(changes: dict[str, Any], column: str) -> None:
    assert f"{column} 列" in refusal(row("given(sex)", **changes))


def test_all_mistakes_of_a_pack_come_at_once() -> None:
    rows = [row("nope", id=f"T{number:03d}", line=number) for number in range(30)]
    with pytest.raises(PackError) as caught:
        pack(*rows)
    assert len(caught.value.problems) == 30
    assert "还有 10 处" in str(caught.value)
    assert caught.value.path == "t/rules.csv:0"


def test_rows_of_one_id_must_agree() -> None:
    with pytest.raises(PackError, match="不一致"):
        pack(row("given(sex)"), row("given(note)", severity=Severity.HINT))


def test_silencing_in_a_circle_is_refused() -> None:
    rows = [
        row("given(sex)", suppressed_by=("T002",)),
        row("given(sex)", id="T002", suppressed_by=("T001",)),
    ]
    with pytest.raises(PackError, match="成了一个圈"):
        pack(*rows)


def test_no_text_of_a_row_reaches_the_generated_source_unquoted() -> None:
    rule = row("sex == '\\'; import os #'", message="{note}'''\"", when='note == \'"""\'')
    compiled = pack(rule)
    assert "import os" not in compiled.source.replace(repr("'; import os #"), "")
    assert check(lst(setlinfo={"note": '"""'}), REF, [compiled], today=DAY)[0].message == (
        '"""\'\'\'"'
    )


@pytest.mark.parametrize(
    "source",
    ["import os", "a.__subclasses__()", "f = lambda: 1", "__builtins__", "def f():\n    yield 1"],
)
def test_the_second_lock_refuses_what_the_translator_never_writes(source: str) -> None:
    from dipgate.core.errors import ConfigError
    from dipgate.validators.assembling import load
    from dipgate.validators.building import Build

    with pytest.raises(ConfigError, match="不允许"):
        load(source, Build(), "t")


def test_needs_with_like_names_do_not_meet() -> None:
    rule = row("given(sex)", needs=("table:a-b", "table:a_b"))
    (finding,) = run(rule, replace(REF, tables={"a-b": ()}), setlinfo={"sex": "1"})
    assert finding.message == "未检：没有规则表 a_b"


def test_generated_code_has_no_builtins_to_misuse() -> None:
    from dipgate.validators.assembling import namespace
    from dipgate.validators.building import Build

    builtins = namespace(Build())["__builtins__"]
    assert not {"eval", "exec", "open", "__import__", "getattr", "compile"} & set(builtins)


def test_a_huge_field_makes_no_huge_report() -> None:
    rule = row("blank(note)", message="值 {note}", fields=("note",))
    (finding,) = run(rule, setlinfo={"note": "x" * 1_000_000})
    assert len(finding.message) <= 500
    assert len(finding.value) <= 200


@pytest.mark.parametrize("value", [None, 1, True, [], {}, {"a": []}, "\0", "x" * 100_000])
def test_no_value_of_a_list_makes_the_check_fail(value: object) -> None:
    rule = row(
        'sex == "1" and days > 1 and adm_time < today and matches(note, "a*") '
        'and any_row(diseinfo, diag_code == "A" and amount > 1) and unique(diseinfo, diag_code)',
        message="{sex}{days}{adm_time}{note}",
    )
    info = dict.fromkeys(("sex", "days", "adm_time", "note", "fee"), value)
    found = run(rule, setlinfo=info, diseinfo=[dict.fromkeys(("diag_code", "amount"), value)])
    assert all("执行失败" not in finding.message for finding in found)
