"""Tables beside the groups of a DIP library: exclusion lists, dictionaries, factors, TCM map.

Each kind of `PART_KINDS` is one table with headings of its own, imported with the library as a
whole and kept on the same shelf version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources.abc import Traversable
from types import MappingProxyType

from dipgate.config.kinds import Cell, diagnosis, filled, plain, procedure, short
from dipgate.config.library_ops import DNF, Grammar, strange
from dipgate.config.row_errors import RowErrors
from dipgate.config.tablefile import Column, NumberText, Sheet, find_table, read_file
from dipgate.core.codes import diagnosis_code, procedure_code, tidy
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.library import NotMain
from dipgate.core.money import decimal_of

Reader = Callable[[str], str]
Rows = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class PartKind:
    """One kind of part. `key`: columns that no second row may share."""

    name: str
    title: str
    cells: tuple[Cell, ...]
    key: tuple[str, ...]
    best: str = ""
    """Column whose greatest value stands where a key comes twice; empty: a conflict is refused."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(cell.column.name for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Part:
    """One part as read from a file; `rows` begin with the row number of the source."""

    kind: PartKind
    source_file: str
    source_hash: str
    rows: Rows
    notes: tuple[str, ...] = ()


# --- readers of one cell -------------------------------------------------------------------

_DX_KEY = re.compile(r"[A-Z]\d{2}(\.[0-9x]{0,3}(x\d{3})?)?[+*]?")
_SPAN = re.compile(r"[A-Z]\d{2}(\.[0-9x]{1,3}(x\d{3})?)?(-[A-Z]\d{2}(\.\d)?)?")
_LIMITED = re.compile(r"(.*)作为主要诊断.?可作为主要手术操作")
_LEVEL_WORDS = MappingProxyType({"": ""} | {str(n): str(n) for n in (1, 2, 3, 4)})
_CHINESE = str.maketrans("一二三四零", "12340")
_TREATMENTS = MappingProxyType(
    {
        "按保守治疗入组": NotMain.CONSERVATIVE,
        "不可作为主要手术操作": NotMain.NEVER,
        "限范围可作主要手术操作": NotMain.LIMITED,
    }
)


def _words(words: Mapping[str, str]) -> Reader:
    def read(text: str) -> str:
        value = tidy(text)
        try:
            return words[value]
        except KeyError:
            known = "、".join(word for word in words if word)
            raise ValueError(f"“{value[:30]}”不认识；可用：{known}") from None

    return read


def _number(*, least: str = "0", required: bool = False) -> Reader:
    def read(text: str) -> str:
        value = tidy(text)
        if not value and not required:
            return ""
        try:
            number = decimal_of(value)
        except ValueError:
            number = None
        if number is None:
            raise ValueError(f"“{value[:30]}”不是数字" if value else "是空的")
        if number < Decimal(least) or number.adjusted() >= 12:
            raise ValueError(f"“{value[:30]}”不是合理的数值")
        return format(number, "f")

    return read


def _positive(text: str) -> str:
    value = _number(required=True)(text)
    if not Decimal(value):
        raise ValueError("是0，应为正数")
    return value


def _whole(low: int, high: int, *, required: bool = False) -> Reader:
    def read(text: str) -> str:
        value = tidy(text).removesuffix(".0")
        if not value and not required:
            return ""
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise ValueError(f"“{value[:30]}”不是 {low}–{high} 的整数" if value else "是空的")
        return str(int(value))

    return read


def _dx_key(text: str) -> str:
    """A full code, a subcategory or a category, with or without a dagger."""
    if type(text) is NumberText:
        raise ValueError("单元格是数值格式，前后的零可能已经丢失")
    value = diagnosis_code(plain(text))
    if not value:
        raise ValueError("是空的")
    if not _DX_KEY.fullmatch(value):
        raise ValueError(f"“{value[:30]}”不是 ICD-10 代码、亚目或类目")
    return value


def spans(text: str) -> str:
    """Codes, categories or ranges of a cell (`A00-A09|C15`, `、` or `,` too) → joined by `|`."""
    value = diagnosis_code(re.sub(r"\s+", "", text)).replace("—", "-").replace("–", "-")
    parts = [part for part in re.split(r"[|、,;/]", value) if part]
    for part in parts:
        if not _SPAN.fullmatch(part):
            raise ValueError(f"“{part[:30]}”不是诊断编码或范围（如 C15-C26）")
    return "|".join(parts)


def _treatment(text: str) -> str:
    """The note of an operation → `treatment:categories`."""
    note = re.sub(r"\s+", "", tidy(text))
    limited = _LIMITED.fullmatch(note)
    if limited:
        found = spans(limited.group(1).removeprefix("仅").removeprefix("以"))
        if not found:
            raise ValueError("限范围的手术操作没有写明诊断范围")
        return f"{NotMain.LIMITED}:{found}"
    for words, treatment in _TREATMENTS.items():
        if note == words:
            return f"{treatment}:"
    known = "、".join([*list(_TREATMENTS)[:2], "“诊断范围”作为主要诊断，可作为主要手术操作"])
    raise ValueError(f"处理方式“{note[:40]}”不认识；可用：{known}" if note else "没有写处理方式")


def _expression(text: str) -> str:
    if type(text) is NumberText:
        raise ValueError("单元格是数值格式，前后的零可能已经丢失")
    value = procedure_code(re.sub(r"\s+", "", text))
    if value == "保守治疗":
        return ""
    what = strange(value) or Grammar(DNF).mixed(0, value)
    if what:
        raise ValueError(what)
    return value


def _op_level(text: str) -> str:
    value = tidy(text).translate(_CHINESE).removesuffix("级")
    if value not in _LEVEL_WORDS:
        raise ValueError(f"手术级别“{tidy(text)[:30]}”不是 1–4")
    return value


def _incision(text: str) -> str:
    value = tidy(text).translate(_CHINESE).upper()
    value = value.removesuffix("切口").removesuffix("类").replace("III", "3").replace("II", "2")
    value = value.replace("I", "1")
    if value not in ("", "0", "1", "2", "3"):
        raise ValueError(f"切口类别“{tidy(text)[:30]}”不是 0–3")
    return value


_ATTRIBUTE = _words(
    {word: word for word in ("手术", "介入治疗", "治疗性操作", "诊断性操作")} | {"": "", "无": ""}
)
_FLAG = _words({"1": "1", "0": "0", "是": "1", "否": "0", "": ""})
_REQUIRED = _words(
    {"必选": "1", "中医必选": "1", "选择性": "0", "1": "1", "0": "0", "是": "1", "否": "0", "": ""}
)
_SEVERITY = _words(
    {
        "重度": "重度",
        "严重": "重度",
        "severe": "重度",
        "中度": "中度",
        "moderate": "中度",
        "MCC": "MCC",
        "CC": "CC",
    }
)
_ROUTE = _words(
    {
        "same_price": "same_price",
        "同价": "same_price",
        "同病同价": "same_price",
        "own_group": "own_group",
        "单独成组": "own_group",
        "uplift": "uplift",
        "加成": "uplift",
        "none": "none",
        "不处理": "none",
    }
)
_WEIGHT = _words({word: word for word in ("1", "2", "3", "6")})
_DIMENSIONS = _words(
    {
        "secondary_dx": "secondary_dx",
        "次要诊断": "secondary_dx",
        "次要诊断病种": "secondary_dx",
        "severity": "severity",
        "严重程度": "severity",
        "疾病严重程度": "severity",
        "tumour": "tumour",
        "肿瘤严重程度": "tumour",
        "cci": "cci",
        "CCI": "cci",
        "age": "age",
        "年龄": "age",
        "icu": "icu",
        "ICU": "icu",
        "监护": "icu",
    }
)


def _dimension(text: str) -> str:
    """One of the dimensions known, else a city's own name."""
    try:
        return _DIMENSIONS(text)
    except ValueError:
        return filled(text)


# --- the kinds -----------------------------------------------------------------------------


def _cell(name: str, headings: str, read: Reader = short, *, required: bool = False) -> Cell:
    return Cell(Column(name, tuple(headings.split()), required), read, "核对后改正这一格")


_CODES = "主要诊断编码 主要诊断代码 诊断编码 诊断代码 代码 编码"
_DX = _cell("code", f"code dx_code {_CODES}", diagnosis, required=True)
_NAME = _cell("name", "name dx_name 主要诊断名称 诊断名称 名称")
_GROUP = _cell(
    "group_code", "group_code 病种编码 病种代码 分组编码 分组序号", filled, required=True
)

_KINDS = (
    PartKind(
        "dx-excluded",
        "不纳入分组的主要诊断",
        (_DX, _NAME, _cell("reason", "reason 原因 说明 备注")),
        ("code",),
    ),
    PartKind(
        "ops-not-main",
        "不纳入分组的主要手术操作",
        (
            _cell(
                "code",
                "op_code code 主要手术操作编码 手术操作编码 手术操作代码 代码 编码",
                procedure,
                required=True,
            ),
            _cell("name", "op_name name 主要手术操作名称 手术操作名称 名称"),
            _cell("treatment", "rule treatment 说明 处理方式 处理规则", _treatment, required=True),
        ),
        ("code",),
    ),
    PartKind(
        "op-dictionary",
        "手术操作属性与级别",
        (
            _cell("code", "code op_code 手术操作代码 手术代码 代码", procedure, required=True),
            _cell("name", "name op_name 手术操作名称 手术名称 名称"),
            _cell(
                "attribute",
                "attribute category 属性 手术操作属性 类别 手术操作类别 操作类别",
                _ATTRIBUTE,
                required=True,
            ),
            _cell("level", "level op_level 手术级别 手术等级", _op_level),
            _cell("incision", "incision 切口类别 切口", _incision),
            _cell("required", "required entry_option entry_option_gl2 录入选项", _REQUIRED),
            _cell("grey", "grey 灰码", _FLAG),
            _cell("minimally_invasive", "minimally_invasive 微创 微创手术", _FLAG),
        ),
        ("code",),
    ),
    PartKind("tb-resistant", "结核耐药诊断", (_DX, _NAME), ("code",)),
    PartKind(
        "primary-care",
        "基层病种",
        (
            _cell("dx_code", f"dx_code {_CODES}", _dx_key, required=True),
            _cell("dx_name", "dx_name 主要诊断名称 诊断名称"),
            _cell("main_ops", "main_op_codes 主要手术操作编码 主要手术操作代码", _expression),
            _cell("main_op_names", "main_op_names 主要手术操作名称"),
            _cell(
                "treatment",
                "treatment 治疗方式",
                _words({"": "", "保守治疗": "保守治疗"}),
            ),
        ),
        ("dx_code", "main_ops"),
    ),
    PartKind(
        "severity",
        "严重程度诊断",
        (
            _DX,
            _NAME,
            _cell("level", "level 严重程度 级别 分型", _SEVERITY, required=True),
            _cell("include", "include 限主要诊断 适用主要诊断", spans),
            _cell("exclusion", "exclusion_table exclusion 排除表 排除组", short),
        ),
        ("code",),
    ),
    PartKind(
        "severity-exclusions",
        "严重程度排除表",
        (
            _cell("code", f"dx_code code {_CODES}", diagnosis, required=True),
            _cell("exclusion", "exclusion_table exclusion 排除表 排除组", filled, required=True),
        ),
        ("code", "exclusion"),
    ),
    PartKind(
        "cci",
        "查尔森合并症权重",
        (
            _DX,
            _NAME,
            _cell(
                "weight",
                "weight weight_charlson1987 权重 分值 CCI权重",
                _WEIGHT,
                required=True,
            ),
        ),
        ("code",),
        best="weight",
    ),
    PartKind(
        "age",
        "年龄分型",
        (
            _cell("label", "label 分型 年龄段", filled, required=True),
            _cell("from_days", "from_days 起始天龄", _whole(0, 40_000)),
            _cell("to_days", "to_days 截止天龄", _whole(0, 40_000)),
            _cell("from_years", "from_years 起始年龄", _whole(0, 150)),
            _cell("to_years", "to_years 截止年龄", _whole(0, 150)),
        ),
        ("label",),
    ),
    PartKind(
        "coefficients",
        "辅助分型系数",
        (
            _GROUP,
            _cell("dimension", "dimension 维度", _dimension, required=True),
            _cell("label", "label 分型", filled, required=True),
            _cell("coefficient", "coefficient 系数 调节系数", _positive, required=True),
            _cell("trigger", "trigger 触发系数", _number()),
            _cell("case_count", "case_count 分型病例数", _whole(0, 100_000_000)),
            _cell("cv_after", "cv_after 细分后变异系数", _number()),
        ),
        ("group_code", "dimension", "label"),
    ),
    PartKind(
        "average-fees",
        "分级平均费用",
        (
            _GROUP,
            _cell("level", "level 医院级别 级别", filled, required=True),
            _cell("year", "year 年度 年份", _whole(2000, 2100)),
            _cell("fee", "avg_cost fee 次均费用 例均费用 平均费用", _positive, required=True),
        ),
        ("group_code", "level", "year"),
    ),
    PartKind(
        "tcm-map",
        "中医病证对照",
        (
            _cell("code_system", "code_system 编码体系", filled, required=True),
            _cell("code", "code 中医病名代码 病名代码", filled, required=True),
            _cell("syndrome", "syndrome 证候代码"),
            _cell("western_dx_key", "western_dx_key 西医诊断 西医诊断代码", _dx_key, required=True),
            _cell("op_key", "op_key 手术操作代码", _expression),
            _cell("route", "route 处理方式 路径", _ROUTE, required=True),
            _cell("factor", "factor 系数 加成系数", _number()),
            _cell("group_code", "group_code 病种编码 中医病种编码"),
        ),
        ("code_system", "code", "syndrome"),
    ),
)
KINDS: Mapping[str, PartKind] = MappingProxyType({kind.name: kind for kind in _KINDS})


def part_kind(name: str) -> PartKind:
    """The kind; ConfigError naming the known ones."""
    try:
        return KINDS[name]
    except KeyError:
        raise ConfigError(
            f"没有“{name}”这种附表；可用：{'、'.join(KINDS)}", path="--part"
        ) from None


def read_part(name: str, file: Traversable) -> Part:
    """Read one file as a part: the whole file, or nothing.

    Raises ConfigError for an unknown kind or a file that is not there; RecordError when columns
    are missing or there is no row; BadRows with every broken row.
    """
    kind = part_kind(name)
    table = read_file(file)
    _, sheet = find_table(table, [[cell.column for cell in kind.cells]])
    rows, notes = part_rows(kind, sheet)
    return Part(kind, table.name, table.sha256, rows, notes)


def part_rows(kind: PartKind, sheet: Sheet) -> tuple[Rows, tuple[str, ...]]:
    """Rows of a sheet whose headings were found → (rows as stored, notes).

    A row that repeats another word for word is left out with a note; one that contradicts it is
    an error.
    """
    errors = RowErrors(sheet.file)
    at = {name: position for position, name in enumerate(sheet.found)}
    heading = dict(zip(sheet.found, sheet.headings, strict=True))
    plan = [(cell, at.get(cell.column.name, -1)) for cell in kind.cells]
    key_at = [kind.columns.index(name) for name in kind.key]
    best = kind.columns.index(kind.best) if kind.best else -1
    kept: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
    repeated = 0
    for row, cells in sheet.rows:
        if isinstance(cells, RecordError):
            errors.take(cells)
            continue
        values = _values(plan, cells, row, heading, errors)
        if values is None:
            continue
        key = tuple([values[index] for index in key_at])
        first = kept.setdefault(key, (row, values))
        if first[0] == row:
            what = _incomplete(kind.name, dict(zip(kind.columns, values, strict=True)))
            if what:
                errors.add(row, heading.get(what[0], what[0]), what[1], "核对后改正这一行")
            continue
        repeated += 1
        if best >= 0:
            if Decimal(values[best]) > Decimal(first[1][best]):
                kept[key] = (first[0], values)
        elif values != first[1]:
            shown = "、".join(filter(None, key))
            errors.add(
                row,
                heading[kind.key[0]],
                f"“{shown}”与第{first[0]}行重复，内容又不同",
                "只留对的一行",
            )
    errors.check()
    if not kept:
        raise RecordError(
            "只有表头，没有数据", place=Place(sheet.file), remedy="确认导出的文件含有数据"
        )
    words = "取权重最大的一行" if kind.best else "只留第一行"
    notes = (f"{kind.title}：{repeated}行与前面重复，{words}",) if repeated else ()
    return tuple((row, *values) for row, values in kept.values()), notes


def _values(
    plan: Sequence[tuple[Cell, int]],
    cells: Sequence[str],
    row: int,
    heading: Mapping[str, str],
    errors: RowErrors,
) -> tuple[str, ...] | None:
    values: list[str] = []
    for cell, position in plan:
        try:
            values.append(cell.read(cells[position]) if position >= 0 else "")
        except ValueError as error:
            errors.add(row, heading[cell.column.name], str(error), cell.remedy)
            return None
    return tuple(values)


def _incomplete(kind: str, value: Mapping[str, str]) -> tuple[str, str] | None:
    """What one row lacks beyond its single cells: (column, sentence), or None."""
    if kind == "ops-not-main" and value["treatment"] == f"{NotMain.LIMITED}:":
        return "treatment", "限范围的手术操作没有写明诊断范围"
    if kind == "age":
        days = [value["from_days"], value["to_days"]]
        years = [value["from_years"], value["to_years"]]
        if not any(days + years):
            return "label", "没有写明天龄或年龄"
        for low, high in (days, years):
            if low and high and int(low) > int(high):
                return "label", "下限大于上限"
    if kind == "tcm-map":
        if value["route"] == "uplift" and not value["factor"]:
            return "factor", "加成没有写明系数"
        if value["route"] == "own_group" and not value["group_code"]:
            return "group_code", "单独成组没有写明病种编码"
    return None
