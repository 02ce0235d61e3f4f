"""The words a rule row may use: types, helpers with their signatures, and computed names.

This table is the whole language next to `and or not`, comparisons, `in (…)`, `+ - *` and
`a if c else b`. Whatever is not here does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dipgate.core.lists import ROW_NODES

MAX_EXPRESSION = 2000
"""Characters of one expression."""
MAX_SYNTAX_NODES = 400
MAX_DEPTH = 30
MAX_TEXT = 400
"""Characters of one text constant."""
MAX_DIGITS = 16
MAX_ROWS = 4000
"""Rows of one pack."""


class Kind(StrEnum):
    """Type of an expression; the value is the word used in messages to authors."""

    TEXT = "文本"
    NUMBER = "数字"
    TIME = "时间"
    BOOL = "真假"


@dataclass(frozen=True, slots=True)
class Helper:
    """`code` is a template over the arguments `{0}`, `{1}`… in which words of `uses` occur.

    `more` lets the last parameter repeat. `needs` are look-ups without which the rule is not
    checked. Helpers with their own syntax stand in `FORMS` instead.
    """

    name: str
    params: tuple[Kind, ...]
    result: Kind
    code: str
    doc: str
    more: bool = False
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


T, N, M, B = Kind.TEXT, Kind.NUMBER, Kind.TIME, Kind.BOOL

_HELPERS = (
    Helper("length", (T,), N, "len({0})", "文本的字符数"),
    Helper("starts", (T, T), B, "{0}.startswith({1})", "第一个文本以第二个开头"),
    Helper("contains", (T, T), B, "({1} in {0})", "第一个文本含有第二个"),
    Helper("tidy", (T,), T, "tidy({0})", "去空格、全角转半角、去不可见字符"),
    Helper("same_text", (T, T), B, "same_text({0}, {1})", "清洗空格和全半角以后相等"),
    Helper("dx_form", (T,), T, "diagnosis_code({0})", "清洗后的诊断代码"),
    Helper("op_form", (T,), T, "procedure_code({0})", "清洗后的手术操作代码"),
    Helper("bare_dx", (T,), T, "strip_marks({0})", "去掉剑号、星号部分的诊断代码"),
    Helper("num", (T,), N, "closed_number(number({0}), '数字')", "把文本读成数字"),
    Helper("abs", (N,), N, "abs({0})", "绝对值"),
    Helper("within", (T, N, N), B, "all_within({0}, {1}, {2})", "逗号分隔的各数都在两数之间"),
    Helper("moment", (T,), M, "closed_time(moment({0}), '时间')", "把文本读成时间"),
    Helper("has_minutes", (T,), B, "has_minutes({0})", "是合法时间并且精确到分"),
    Helper("day", (M,), M, "day_of({0})", "那一天的零点"),
    Helper("days_between", (M, M), N, "days_between({0}, {1})", "日历天数，后减前"),
    Helper("minutes_between", (M, M), N, "minutes_between({0}, {1})", "整分钟数，后减前"),
    Helper("minutes_of", (T,), N, "minutes_of({0})", "“天/时/分”的总分钟数"),
    Helper("duration", (N,), T, "duration_text({0})", "分钟数写成“天/时/分”"),
    Helper("compact_day", (M,), T, "compact_day({0})", "yyyyMMdd"),
    Helper("id_checks", (T,), B, "id_checks({0})", "身份证校验位成立（GB 11643）"),
    Helper("id_sex", (T,), T, "id_sex({0})", "身份证第 17 位：1 男 2 女"),
    Helper("known_dx", (T,), B, "({0} in dx_names)", "在医保版诊断目录里", needs=("icd10",),
           uses=("dx_names",)),
    Helper("dx_name", (T,), T, "dx_names.get({0}, '')", "诊断目录里的标准名称", needs=("icd10",),
           uses=("dx_names",)),
    Helper("clinical_dx", (T,), B, "({0} in dx_map)", "是临床版诊断代码", needs=("icd10_map",),
           uses=("dx_map",)),
    Helper("dx_targets", (T,), N, "len(targets_of(dx_map, {0}))", "映射到几个医保版诊断代码",
           needs=("icd10_map",), uses=("dx_map",)),
    Helper("dx_target", (T,), T, "only_target(dx_map, {0})", "唯一的映射目标；多个时为空",
           needs=("icd10_map",), uses=("dx_map",)),
    Helper("dx_target_list", (T,), T, "target_list(dx_map, {0})", "映射目标的代码和名称",
           needs=("icd10_map",), uses=("dx_map",)),
    Helper("known_op", (T,), B, "({0} in op_names)", "在医保版手术操作目录里", needs=("icd9cm3",),
           uses=("op_names",)),
    Helper("op_name", (T,), T, "op_names.get({0}, '')", "手术操作目录里的标准名称",
           needs=("icd9cm3",), uses=("op_names",)),
    Helper("op_category", (T,), T, "op_categories.get({0}, '')", "手术操作目录里的类别",
           needs=("icd9cm3",), uses=("op_categories",)),
    Helper("clinical_op", (T,), B, "({0} in op_map)", "是临床版手术代码",
           needs=("icd9cm3_map",), uses=("op_map",)),
    Helper("op_target", (T,), T, "only_target(op_map, {0})", "唯一的映射目标；多个时为空",
           needs=("icd9cm3_map",), uses=("op_map",)),
    Helper("barred_by_drg11", (T,), B, "barred(not_principal, {0}, False)",
           "CHS-DRG1.1 不得作主诊", needs=("not_principal",), uses=("not_principal",)),
    Helper("barred_by_dip3", (T,), B, "barred(not_principal, {0}, True)",
           "DIP3.0 不得作主诊", needs=("not_principal",), uses=("not_principal",)),
    Helper("barred_reason", (T,), T, "barred_reason(not_principal, {0})",
           "不得作主诊的原因词", needs=("not_principal",), uses=("not_principal",)),
    Helper("national_department", (T,), T, "national_department(ref, {0})",
           "本院科室代码或名称对应的国家科室代码；没有则为空", uses=("ref",)),
    Helper("doctor_code", (T,), T, "staff_code(ref, {0}, 'doctor')",
           "姓名或工号唯一对应的医师国家代码；没有则为空", uses=("ref",)),
    Helper("staff_name", (T,), T, "staff_name(ref, {0})",
           "国家代码或工号唯一对应的姓名；没有则为空", uses=("ref",)),
    Helper("practises", (T, M), B, "practises(ref, {0}, {1})",
           "那一天有这个国家代码的在册人员", needs=("staff",), uses=("ref",)),
    Helper("anaesthetist_code", (T,), T, "staff_code(ref, {0}, 'anaesthetist')",
           "姓名或工号唯一对应的麻醉医师国家代码；没有则为空", uses=("ref",)),
)  # fmt: skip

HELPERS: Mapping[str, Helper] = {helper.name: helper for helper in _HELPERS}

FORMS: Mapping[str, str] = {
    "blank": "blank(字段…)：都为空",
    "given": "given(字段…)：都不为空",
    "readable": "readable(字段…)：都不为空，且是合法的数字或时间",
    "first_given": "first_given(甲, 乙, …)：第一个不为空的",
    "money": "money(数字字段)：空，或最多两位小数的数字",
    "part": "part(文本, m, n)：第 m 到第 n 个字符，从 1 数起",
    "zero": "zero(数字字段)：空按 0 算",
    "raw": "raw(字段)：未去空格的原文",
    "text": "text(字段)：去空格的文本，不论类型",
    "label": "label(字段)：字段的中文名",
    "matches": 'matches(文本, "正则")：全文匹配',
    "in_set": 'in_set(文本, "码表")：在接口码表里',
    "set_label": 'set_label(文本, "码表")：码表里的含义',
    "in_list": 'in_list(代码, "清单")：在规则包的代码清单里',
    "has_prefix": 'has_prefix(代码, "A00-B99", "K35", "!K35.2")：落在代码范围里',
    "absent": "absent(节点)：病例没有这个节点",
    "count_of": "count_of(节点)：行数",
    "count_rows": "count_rows(节点, 条件)：满足条件的行数",
    "any_row": "any_row(节点, 条件)：有一行满足",
    "all_rows": "all_rows(节点, 条件)：每行都满足",
    "any_in": 'any_in(节点, 字段, "A00-B99", …)：有一行的代码落在范围里',
    "all_in": 'all_in(节点, 字段, "A00-B99", …)：每行的代码都落在范围里',
    "sum_of": "sum_of(节点, 数字)：各行之和",
    "sum_by": "sum_by(节点, 分组, 数字, 值)：分组等于“值”的各行之和",
    "unique": "unique(节点, 字段…)：没有两行相同",
    "repeats": "repeats(字段…)：for_each 的这一行与前面某行相同",
}
"""Helpers with a syntax of their own → their description."""

COMPUTED: Mapping[str, tuple[Kind, str]] = {
    "age_years": (Kind.NUMBER, "入院日的实足年龄（岁）"),
    "age_days": (Kind.NUMBER, "入院日的天龄（出生日为 0）"),
    "newborn": (Kind.BOOL, "入院时天龄 0–28；出生或入院时间不明时为假"),
    "stay_days": (Kind.NUMBER, "按日期差算的住院天数（至少 1）"),
    "hospital_code": (Kind.TEXT, "本机构代码；没有配置时为空"),
    "hospital_name": (Kind.TEXT, "本机构名称；没有配置时为空"),
    "hospital_level": (Kind.TEXT, "本机构等级的第一个字（3、2、1）；没有配置时为空"),
    "today": (Kind.TIME, "校验当天"),
}
"""Names that are computed once per list."""

ROW_COMPUTED: Mapping[str, tuple[Kind, str]] = {
    "position": (Kind.NUMBER, "第几行，从 1 数起"),
    "is_principal": (Kind.BOOL, "diseinfo：这一行是主要诊断"),
    "empty_row": (Kind.BOOL, "for_each：这一行所有字段都为空"),
    "repeated_row": (Kind.BOOL, "for_each：与前面某行完全相同"),
}

MACROS: Mapping[str, Mapping[str, str]] = {
    "diseinfo": {"western": 'diag_type not in ("2", "3")'},
    "oprninfo": {
        "began": "first_given(oprn_oprt_begntime, oprn_oprt_date)",
        "began_text": "first_given(text(oprn_oprt_begntime), text(oprn_oprt_date))",
    },
    "setlinfo": {"by_id_card": 'patn_cert_type == "01" and given(certno)'},
}
"""node → word → the expression it stands for."""

LOOKUPS: Mapping[str, str] = {
    "icd10": "没有导入医保版诊断目录（icd10）",
    "icd9cm3": "没有导入医保版手术操作目录（icd9cm3）",
    "icd10_map": "没有导入诊断映射表（icd10-map）",
    "icd9cm3_map": "没有导入手术操作映射表（icd9cm3-map）",
    "not_principal": "没有导入不得作主诊的代码表（not-principal）",
    "dx_mdc": "没有导入诊断与 MDC 对应表（dx-mdc）",
    "op_mdc": "没有导入手术与 MDC 对应表（op-mdc）",
    "departments": "没有导入科室对照表（department）",
    "staff": "没有导入人员对照表（staff）",
    "hospital": "没有配置本机构",
}
"""Parts of the Reference that a rule may need → the reason when they are absent."""

NODES = (*ROW_NODES, "cover")


def need_reason(need: str) -> str:
    """Why a rule was not checked when `need` is not there."""
    if need.startswith("codeset:"):
        return f"没有接口码表 {need.removeprefix('codeset:')}"
    if need.startswith("table:"):
        return f"没有规则表 {need.removeprefix('table:')}"
    return LOOKUPS.get(need) or f"病例没有节点 {need}"


_NAMED_NEED = re.compile(r"(codeset|table):[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def is_need(word: str) -> bool:
    """True for a node, a look-up, `codeset:NAME` or `table:NAME`."""
    return word in NODES or word in LOOKUPS or _NAMED_NEED.fullmatch(word) is not None
