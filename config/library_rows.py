"""Rows of a DIP library file: the column shapes, the words and expressions they may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from dipgate.config.kinds import plain
from dipgate.config.library_ops import DNF, GRAMMARS, ROLE, key_of, strange
from dipgate.config.tablefile import Column, NumberText
from dipgate.core.codes import diagnosis_code, procedure_code, tidy
from dipgate.core.library import LibraryRow
from dipgate.core.money import decimal_of

FIELDS = (
    "group_code",
    "kind",
    "dx_code",
    "dx_name",
    "main_ops",
    "main_op_names",
    "other_ops",
    "other_op_names",
    "op_expression",
    "treatment_class",
    "score",
    "average_fee",
    "average_stay",
    "cv",
    "case_count",
    "secondary_dx",
    "condition",
    "is_basic",
    "group_factor",
    "parent_code",
    "sub_label",
    "op_level",
    "group_name",
)
"""Columns of a stored row, those of `LibraryRow` after its row number. New ones go to the end:
versions imported before lack them."""


def _columns(table: str) -> tuple[Column, ...]:
    """One line per column: name, `!` when required, then its headings."""
    columns = []
    for line in table.strip().splitlines():
        name, *headings = line.split()
        columns.append(Column(name.rstrip("!"), tuple(headings), name.endswith("!")))
    return tuple(columns)


_CITY = _columns(
    """
    group_code! group_code 病种编码 病种代码 分组编码
    kind! type 病种类型 目录类型 类型
    dx_code! dx_code 诊断代码 诊断编码 主要诊断代码
    dx_name dx_name 诊断名称 主要诊断名称
    main_ops main_op_codes 主要手术操作代码 主要操作代码
    main_op_names main_op_names 主要手术操作名称 主要操作名称
    other_ops other_op_codes 相关手术操作代码 其他操作代码
    other_op_names other_op_names 相关手术操作名称 其他操作名称
    op_expression op_expression 手术操作代码 操作代码
    treatment_class treatment_class 治疗方式 诊疗方式
    score! score 分值 病种分值
    average_fee avg_cost 次均费用 例均费用 平均费用
    average_stay avg_los 平均住院日 平均住院天数
    cv cv 变异系数
    case_count case_count 病例数 例数
    is_basic is_basic 基层病种 是否基层病种
    group_factor group_factor 基层病种系数 病种系数
    parent_code parent_code 上级病种编码 主病种编码
    sub_label sub_label 辅助分型 分型
    op_level op_level 手术级别 手术等级
    """
)
_NATIONAL = _columns(
    """
    category! category 分组类别
    seq! seq 序号
    group_code group_code 病种编码 病种代码
    group_name group_name 病种名称
    dx_code! dx_codes 诊断代码 主要诊断代码
    dx_name dx_name 诊断名称 主要诊断名称
    secondary_dx secondary_dx_codes 其他诊断代码
    main_ops! main_op_codes 主要手术操作代码
    main_op_names main_op_names 主要手术操作名称
    other_ops related_op_codes 相关手术操作代码
    other_op_names related_op_names 相关手术操作名称
    condition condition 条件 备注
    score score 分值 病种分值
    average_fee avg_cost 次均费用 例均费用 平均费用
    average_stay avg_los 平均住院日 平均住院天数
    cv cv 变异系数
    case_count case_count 病例数 例数
    is_basic is_basic 基层病种 是否基层病种
    group_factor group_factor 基层病种系数 病种系数
    parent_code parent_code 上级病种编码 主病种编码
    sub_label sub_label 辅助分型 分型
    """
)
"""The last nine, and a code of its own, are a city's that scores the groups of the scheme."""

_KINDS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "核心": ("核心", False),
        "核心病种": ("核心", False),
        "1": ("核心", False),
        "基层": ("核心", True),
        "基层病种": ("核心", True),
        "综合": ("综合", False),
        "综合病种": ("综合", False),
        "0": ("综合", False),
        "2": ("综合", False),
        "未入组": ("未入组", False),
        "未入组兜底": ("未入组", False),
        "空白病组": ("未入组", False),
        "中医优势病种": ("中医优势病种", False),
        "民族医优势病种": ("民族医优势病种", False),
    }
)
"""The library's words for a layer → our word, and whether it says 基层 (dip-grouping.md 2)."""
_TREATMENTS: Mapping[str, str] = MappingProxyType(
    {
        "": "",
        "保守治疗": "保守治疗",
        "内科诊疗组": "保守治疗",
        "内科治疗": "保守治疗",
        "BSZL": "保守治疗",
        "诊断性操作": "诊断性操作",
        "诊断性操作组": "诊断性操作",
        "ZDXCZ": "诊断性操作",
        "治疗性操作": "治疗性操作",
        "治疗性操作组": "治疗性操作",
        "ZLXCZ": "治疗性操作",
        "手术": "手术",
        "相关手术": "手术",
        "相关手术组": "手术",
        "SS": "手术",
    }
)
_NATIONAL_KINDS = ("XQ", "BX", "FZ", "JC")
_FLAGS = MappingProxyType({"": "", "0": "", "否": "", "1": "1", "是": "1"})
_LEVELS = ("", "1", "2", "3", "4")
_DX = re.compile(r"[A-Za-z]\d{2}")
_DX_SPAN = re.compile(r"[A-Z]\d{2}(?:\.[0-9x]{0,3}(?:x\d{3})?[+*]?|-([A-Z]\d{2}))?\+?")
CONSERVATIVE = "保守治疗"
EVERY_DIAGNOSIS = "所有诊断"


@dataclass(frozen=True, slots=True)
class Cells:
    """One source row by column name; every reader raises `BadCell` naming its heading."""

    values: Mapping[str, str]

    def text(self, name: str) -> str:
        return self._read(name, plain)

    def filled(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise BadCell(name, "是空的", "补上后重新导入")
        return value

    def dx(self, name: str) -> str:
        value = tidy(self.filled(name))
        return diagnosis_code(value) if _DX.match(value) else value

    def dx_text(self, name: str, *, required: bool = True) -> str:
        """Keys of the national scheme: `P07`, `A15-A16`, `T20.2|T20.6`, `所有诊断` or `M47.0+`."""
        value = re.sub(r"\s+", "", tidy(self.filled(name) if required else self.text(name)))
        if not value or value == EVERY_DIAGNOSIS:
            return value
        if type(self.values.get(name, "")) is NumberText:
            raise BadCell(name, "单元格是数值格式，前后的零可能已经丢失", "先把该列设为文本格式")
        value = diagnosis_code(value)
        for key in value.split("|"):
            span = _DX_SPAN.fullmatch(key)
            if span is None or (span[1] and span[1] < key[:3]):
                raise BadCell(
                    name, f"“{value[:60]}”里的“{key[:30]}”不是诊断编码、亚目、类目或范围", "核对"
                )
        return value

    def choice(self, name: str) -> str:
        """Operations of a national row; 保守治疗 stands for none."""
        return "" if self.text(name) == CONSERVATIVE else self.ops(name)

    def ops(self, name: str) -> str:
        """An expression of procedure codes: one or several of `_ + | / ,` between them."""
        if type(self.values.get(name, "")) is NumberText:
            raise BadCell(name, "单元格是数值格式，前后的零可能已经丢失", "先把该列设为文本格式")
        value = procedure_code(self.text(name))
        what = strange(value)
        if what:
            raise BadCell(name, what, "核对")
        return value

    def number(self, name: str) -> str:
        value = self.text(name)
        try:
            number = decimal_of(value)
        except ValueError:
            raise BadCell(name, f"“{value[:30]}”不是数字", "改成数字或留空") from None
        if number is not None and (number < 0 or number.adjusted() >= 12):
            raise BadCell(name, f"“{value[:30]}”不是合理的数值", "核对后改正")
        return "" if number is None else format(number, "f")

    def whole(self, name: str) -> str:
        value = self.number(name)
        if value and Decimal(value) != int(Decimal(value)):
            raise BadCell(name, f"“{value}”不是整数", "改成整数或留空")
        return value.partition(".")[0]

    def word(self, name: str, words: Mapping[str, str]) -> str:
        value = self.text(name)
        if value not in words:
            known = "、".join(word for word in words if word)
            raise BadCell(name, f"“{value[:30]}”不认识；可用：{known}", "改用所列的词")
        return words[value]

    def _read(self, name: str, read: Callable[[str], str]) -> str:
        try:
            return read(self.values.get(name, ""))
        except ValueError as error:
            raise BadCell(name, str(error), "改正这一格后重新导入") from None


class BadCell(Exception):
    """A cell that cannot be read; turned into a row error at once."""

    def __init__(self, column: str, what: str, remedy: str) -> None:
        self.column, self.what, self.remedy = column, what, remedy


def city_row(cells: Cells) -> tuple[str, ...]:
    word = cells.filled("kind")
    if word not in _KINDS:
        known = "、".join(_KINDS)
        raise BadCell("kind", f"病种类型“{word[:30]}”不认识；可用：{known}", "改用所列的词")
    kind, basic = _KINDS[word]
    score = cells.number("score")
    if not score and kind != "未入组":
        raise BadCell("score", "没有分值", "补上分值；国家分组方案没有分值，用它自己的列名导入")
    level = cells.whole("op_level")
    if level not in _LEVELS:
        raise BadCell("op_level", f"手术级别“{level}”不是 1–4", "改成 1、2、3、4 或留空")
    return (
        cells.filled("group_code"),
        kind,
        cells.dx("dx_code"),
        cells.text("dx_name"),
        cells.ops("main_ops"),
        cells.text("main_op_names"),
        cells.ops("other_ops"),
        cells.text("other_op_names"),
        cells.ops("op_expression"),
        cells.word("treatment_class", _TREATMENTS),
        score,
        cells.number("average_fee"),
        cells.number("average_stay"),
        cells.number("cv"),
        cells.whole("case_count"),
        "",
        "",
        "1" if basic else cells.word("is_basic", _FLAGS),
        *_city_marks(cells),
        level,
        "",
    )


def _city_marks(cells: Cells) -> tuple[str, str, str]:
    """(group_factor, parent_code, sub_label)."""
    parent, label = cells.text("parent_code"), cells.text("sub_label")
    if bool(parent) != bool(label):
        empty = "sub_label" if parent else "parent_code"
        raise BadCell(empty, "辅助分型的行要同时写明上级病种和分型", "补上，或把两格都留空")
    factor = cells.number("group_factor")
    if factor and not Decimal(factor):
        raise BadCell("group_factor", "病种系数是0", "改成正数或留空")
    return factor, parent, label


def national_row(cells: Cells) -> tuple[str, ...]:
    kind = cells.filled("category").upper()
    if kind not in _NATIONAL_KINDS:
        known = "、".join(_NATIONAL_KINDS)
        raise BadCell("category", f"分组类别“{kind[:30]}”不认识；可用：{known}", "改用所列的词")
    seq = cells.filled("seq")
    if not (seq.isascii() and seq.isdigit()):
        raise BadCell("seq", f"序号“{seq[:30]}”不是整数", "改成方案里的序号")
    condition = cells.text("condition")
    ops, related = cells.choice("main_ops"), cells.ops("other_ops")
    if related and not ops:
        raise BadCell("other_ops", "有相关手术操作，没有主要手术操作", "核对这一行")
    code = cells.text("group_code") or f"{kind}-{int(seq)}"
    if kind == "XQ" and code != f"XQ-{int(seq)}":
        # Policies say by number which of these rows look at every position.
        raise BadCell("group_code", f"先期分组的编码应为 XQ-{int(seq)}", "改正，或留空")
    conservative = condition == CONSERVATIVE
    if conservative and ops:
        raise BadCell("condition", "保守治疗的病种不应有手术操作代码", "核对这一行")
    return (
        code,
        kind,
        cells.dx_text("dx_code"),
        cells.text("dx_name") or cells.text("group_name"),
        ops,
        cells.text("main_op_names"),
        related,
        cells.text("other_op_names"),
        "",
        CONSERVATIVE if conservative else "",
        cells.number("score"),
        cells.number("average_fee"),
        cells.number("average_stay"),
        cells.number("cv"),
        cells.whole("case_count"),
        cells.dx_text("secondary_dx", required=False),
        "" if conservative else condition,
        cells.word("is_basic", _FLAGS),
        *_city_marks(cells),
        "",
        cells.text("group_name"),
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """How one form of library file is read. `edition` is what it is taken for unless said."""

    columns: tuple[Column, ...]
    read: Callable[[Cells], tuple[str, ...]]
    edition: str
    grammars: tuple[frozenset[str], ...]
    """Separators that may stand together in an expression."""
    numbered: bool
    """The rows carry the national numbering."""


SHAPES = (
    Shape(_CITY, city_row, "2.0", GRAMMARS, numbered=False),
    Shape(_NATIONAL, national_row, "3.0", DNF, numbered=True),
)


def key_of_row(value: Mapping[str, str]) -> tuple[object, ...]:
    """What no second row of a library may share: dip-grouping.md section 16."""
    main, related = value["main_ops"], value["other_ops"]
    if value["op_expression"]:
        main, _, related = value["op_expression"].partition(ROLE)
    return (
        value["kind"],
        value["is_basic"],
        value["dx_code"],
        key_of(main),
        key_of(related),
        frozenset(value["secondary_dx"].split("|")),
        value["condition"],
        value["treatment_class"],
        value["op_level"],
        value["parent_code"],
        value["sub_label"],
    )


def values_of(row: LibraryRow) -> dict[str, str]:
    """A row as the texts of `FIELDS`, the other way round from `row_of`."""
    return {name: _text(getattr(row, name)) for name in FIELDS}


def _text(value: str | bool | int | Decimal | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def row_of(row: tuple[object, ...]) -> LibraryRow:
    """A stored row → `LibraryRow`."""
    number, *texts = row
    value = dict.fromkeys(FIELDS[len(texts) :], "")
    value |= zip(FIELDS, map(str, texts), strict=False)

    def decimal(name: str) -> Decimal | None:
        return Decimal(value[name]) if value[name] else None

    return LibraryRow(
        row=int(str(number)),
        group_code=value["group_code"],
        kind=value["kind"],
        dx_code=value["dx_code"],
        dx_name=value["dx_name"],
        main_ops=value["main_ops"],
        main_op_names=value["main_op_names"],
        other_ops=value["other_ops"],
        other_op_names=value["other_op_names"],
        op_expression=value["op_expression"],
        treatment_class=value["treatment_class"],
        score=decimal("score"),
        average_fee=decimal("average_fee"),
        average_stay=decimal("average_stay"),
        cv=decimal("cv"),
        case_count=int(value["case_count"]) if value["case_count"] else None,
        secondary_dx=value["secondary_dx"],
        condition=value["condition"],
        is_basic=value["is_basic"] == "1",
        group_factor=decimal("group_factor"),
        parent_code=value["parent_code"],
        sub_label=value["sub_label"],
        op_level=int(value["op_level"]) if value["op_level"] else None,
        group_name=value["group_name"],
    )
