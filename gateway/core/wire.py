"""Generic checked types of the wire: a transaction's fields, compiled into a fast checker.

The field tables are data (`config.standard`); this module knows only what a type, a length, a
code set and "required" mean. Unknown extra fields and nodes are kept and never complained of.
Conditionally required fields (C) are the rules' business, not the wire's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class FieldType(StrEnum):
    """The regulator's own type words, as the field tables write them."""

    TEXT = "字符型"
    NUMBER = "数值型"
    DATE = "日期型"
    TIME = "日期时间型"
    LIST = "列表"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One row of a transaction's field table.

    `length` is as printed: `30` characters, `16,2` digits in all and decimals, or empty.
    `codeset` names a code set, or in parentheses the catalogue that lists the codes.
    `required`: Y, N, C (conditional, the condition stands in `note`).
    """

    node: str
    multi: bool
    seq: int
    code: str
    name: str
    type: FieldType
    length: str
    codeset: str
    required: str
    note: str

    @property
    def max_length(self) -> int | None:
        """Characters (text) or digits in all (numbers); None when the table does not say."""
        head = self.length.partition(",")[0]
        return int(head) if head else None

    @property
    def scale(self) -> int | None:
        """Decimals a number may have; None when the table gives a plain length."""
        tail = self.length.partition(",")[2]
        return int(tail) if tail else None

    @property
    def code_set(self) -> str:
        """The code set's name, or empty text when there is none (catalogues do not count)."""
        return "" if self.codeset.startswith("(") else self.codeset


class Fault(StrEnum):
    """What kind of thing is wrong with a field."""

    MISSING = "missing"
    SHAPE = "shape"
    TYPE = "type"
    LENGTH = "length"
    NUMBER = "number"
    DATE = "date"
    CODESET = "codeset"


@dataclass(frozen=True, slots=True)
class WireProblem:
    """One thing wrong: where (`diseinfo[0].diag_code`), which kind, in words, and what to do.

    `what` and `remedy` never quote the value: it may be personal data.
    """

    path: str
    code: Fault
    what: str
    remedy: str


Accepts = Callable[[Any], bool]
_Check = tuple[str, bool, Accepts, FieldSpec]
_BLANK = (None, "")
_SHOWN_CODES = 8
_MAX_DIGITS = 60
"""Numbers beyond this are never right, and `1e999999` must not become a megabyte of digits."""


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    multi: bool
    checks: tuple[_Check, ...]
    nested: tuple[str, ...]
    must_be_there: bool


class WireModel:
    """One direction of one transaction. Build it once (`config.standard.wire_model`), then check.

    `strict` (what we send): values are text, dates and times in exactly their own form.
    Otherwise (what we are answered): numbers may be JSON numbers, a date may carry a time, a
    number of plain length may have decimals.
    """

    def __init__(
        self,
        infno: str,
        direction: str,
        specs: Iterable[FieldSpec],
        codesets: Mapping[str, Mapping[str, str]],
        *,
        strict: bool,
    ) -> None:
        self.infno = infno
        self.direction = direction
        self.strict = strict
        self.specs = tuple(specs)
        self._codesets = {
            spec.code_set: dict(codesets[spec.code_set]) for spec in self.specs if spec.code_set
        }
        by_node: dict[str, list[FieldSpec]] = {}
        for spec in self.specs:
            by_node.setdefault(spec.node, []).append(spec)
        inner = {
            spec.code for spec in self.specs if spec.type is FieldType.LIST and spec.code in by_node
        }
        self._nodes = {name: self._compile(name, fields) for name, fields in by_node.items()}
        self._top = tuple(node for node in self._nodes.values() if node.name not in inner)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node names in the table's order, nested ones included."""
        return tuple(self._nodes)

    def fields(self, node: str) -> tuple[FieldSpec, ...]:
        """The fields of a node in the table's order; empty for a node that the table lacks."""
        return tuple(spec for spec in self.specs if spec.node == node)

    def check(self, obj: object) -> tuple[WireProblem, ...]:
        """Everything that is wrong with an input or output object (nodes at its top level)."""
        if not isinstance(obj, Mapping):
            return (_shape(self.infno, "交易内容应为 JSON 对象"),)
        problems: list[WireProblem] = []
        for node in self._top:
            value = obj.get(node.name)
            if value is None:
                if node.must_be_there:
                    problems.append(
                        WireProblem(
                            node.name,
                            Fault.MISSING,
                            f"缺少节点 {node.name}",
                            "按接口字段表补齐这个节点",
                        )
                    )
                continue
            self._check_node(node, value, node.name, problems)
        return tuple(problems)

    def check_row(self, node: str, row: Mapping[str, Any], path: str) -> tuple[WireProblem, ...]:
        """What is wrong with one row of a node; `path` is how the row is to be called."""
        problems: list[WireProblem] = []
        self._check_row(self._nodes[node], row, path, problems)
        return tuple(problems)

    def _check_node(
        self, node: _Node, value: object, path: str, problems: list[WireProblem]
    ) -> None:
        if isinstance(value, Mapping):
            # One row may stand as an object: envelope 1.1, "object (one row) or array (rows)".
            self._check_row(node, value, f"{path}[0]" if node.multi else path, problems)
            return
        if not isinstance(value, (list, tuple)):
            kind = "对象的数组" if node.multi else "JSON 对象"
            problems.append(_shape(path, f"节点应为{kind}"))
            return
        if not node.multi and (self.strict or len(value) != 1):
            problems.append(_shape(path, "节点应为一个 JSON 对象，不是数组"))
            return
        for index, row in enumerate(value):
            where = f"{path}[{index}]" if node.multi else path
            if isinstance(row, Mapping):
                self._check_row(node, row, where, problems)
            else:
                problems.append(_shape(where, "数组的每一项应为 JSON 对象"))

    def _check_row(
        self, node: _Node, row: Mapping[str, Any], path: str, problems: list[WireProblem]
    ) -> None:
        get = row.get
        for code, required, accepts, spec in node.checks:
            value = get(code)
            if value is None or value == "":
                if required:
                    problems.append(_missing(f"{path}.{code}", spec))
            elif not accepts(value):
                problems.append(self._explain(f"{path}.{code}", spec, value))
        for code in node.nested:
            if row.get(code) not in _BLANK:
                self._check_node(self._nodes[code], row[code], f"{path}.{code}", problems)

    def _compile(self, name: str, specs: list[FieldSpec]) -> _Node:
        nested = tuple(
            spec.code
            for spec in specs
            if spec.type is FieldType.LIST and any(other.node == spec.code for other in self.specs)
        )
        checks = tuple(
            (spec.code, spec.required == "Y", self._accepts(spec), spec)
            for spec in specs
            if spec.code not in nested
        )
        multi = specs[0].multi
        must = not multi and any(spec.required == "Y" for spec in specs)
        return _Node(name, multi, checks, nested, must)

    def _accepts(self, spec: FieldSpec) -> Accepts:
        if spec.type is FieldType.NUMBER:
            return _number(spec, strict=self.strict)
        if spec.type is FieldType.DATE:
            return is_wire_date if self.strict else _date_or_time
        if spec.type is FieldType.TIME:
            return is_wire_time if self.strict else _date_or_time
        if spec.type is FieldType.LIST:
            return lambda value: isinstance(value, (list, tuple))
        codes = self._codesets.get(spec.code_set) if spec.code_set else None
        plain = _text(spec, codes)
        if self.strict:
            return plain
        return lambda value: plain(value if type(value) is str else _scalar_text(value))

    def _explain(self, path: str, spec: FieldSpec, value: object) -> WireProblem:
        name = f"“{spec.name}”"
        text = value if isinstance(value, str) else _scalar_text(value)
        if text is None and spec.type is not FieldType.LIST:
            return WireProblem(
                path, Fault.TYPE, f"{name}应为{_type_word(spec)}", "按接口字段表的类型填写"
            )
        if isinstance(value, str) and not value.strip() and spec.required == "Y":
            return _missing(path, spec)
        if spec.type is FieldType.NUMBER:
            return WireProblem(
                path, Fault.NUMBER, f"{name}应为{_number_words(spec)}", "只填数字，不带单位和逗号"
            )
        if spec.type in (FieldType.DATE, FieldType.TIME):
            form = "yyyy-MM-dd" if spec.type is FieldType.DATE else "yyyy-MM-dd HH:mm:ss"
            return WireProblem(
                path, Fault.DATE, f"{name}应为 {form} 形式的真实日期", "改成这种写法，核对年月日"
            )
        if spec.type is FieldType.LIST:
            return _shape(path, f"{name}应为数组")
        if self.strict and not isinstance(value, str):
            return WireProblem(path, Fault.TYPE, f"{name}应为文本", "数字也用引号括起来")
        longest = spec.max_length
        joined = text is not None and "→" in text
        if text is not None and longest is not None and not joined and len(text) > longest:
            return WireProblem(
                path,
                Fault.LENGTH,
                f"{name}最长 {longest} 个字符，现有 {len(text)} 个",
                "缩短内容，或核对是否把几列拼到了一起",
            )
        return self._not_in_set(path, spec)

    def _not_in_set(self, path: str, spec: FieldSpec) -> WireProblem:
        codes = self._codesets.get(spec.code_set, {})
        shown = "、".join(f"{code} {label}" for code, label in list(codes.items())[:_SHOWN_CODES])
        more = " 等" if len(codes) > _SHOWN_CODES else ""
        return WireProblem(
            path,
            Fault.CODESET,
            f"“{spec.name}”的取值不在码表 {spec.code_set}",
            f"改用码表中的代码：{shown}{more}",
        )


def is_wire_date(value: object) -> bool:
    """True for text `yyyy-MM-dd` that is a day of the calendar."""
    if type(value) is not str or len(value) != 10 or value[4] != "-" or value[7] != "-":
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_wire_time(value: object) -> bool:
    """True for text `yyyy-MM-dd HH:mm:ss` that is a moment of the calendar."""
    if type(value) is not str or len(value) != 19 or value[10] != " " or value[7] != "-":
        return False
    if value[4] != "-" or value[13] != ":" or value[16] != ":":
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _date_or_time(value: object) -> bool:
    return is_wire_date(value) or is_wire_time(value)


def _text(spec: FieldSpec, codes: Mapping[str, str] | None) -> Accepts:
    longest = spec.max_length if spec.max_length is not None else 1_000_000
    required = spec.required == "Y"
    if codes is not None:
        allowed = frozenset(codes)

        def in_set(value: Any) -> bool:
            if type(value) is not str:
                return False
            # Several transfers stand in one field, joined by an arrow (refldept_dept).
            return value in allowed or (
                "→" in value and all(part.strip() in allowed for part in value.split("→"))
            )

        return in_set
    if required:
        return lambda value: type(value) is str and len(value) <= longest and not value.isspace()
    return lambda value: type(value) is str and len(value) <= longest


def _number(spec: FieldSpec, *, strict: bool) -> Accepts:
    digits = spec.max_length
    scale = spec.scale
    if scale is None:
        whole = digits
        tail = "" if strict else r"(?:\.[0-9]+)?"
    else:
        whole = None if digits is None else digits - scale
        tail = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
    head = "[0-9]+" if whole is None else f"[0-9]{{1,{max(whole, 1)}}}"
    matches = re.compile(rf"-?{head}{tail}").fullmatch

    def accepts(value: Any) -> bool:
        if type(value) is str:
            return matches(value) is not None
        text = _scalar_text(value) if _is_number(value) else None
        return text is not None and matches(text) is not None

    return accepts


def _type_word(spec: FieldSpec) -> str:
    return "数字" if spec.type is FieldType.NUMBER else "文本"


def _number_words(spec: FieldSpec) -> str:
    digits, scale = spec.max_length, spec.scale
    if digits is None:
        return "数字"
    if scale:
        return f"数字（整数最多 {digits - scale} 位，小数最多 {scale} 位）"
    return f"整数（最多 {digits} 位）"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _scalar_text(value: object) -> str | None:
    """A JSON number as plain digits; None for anything that is not a scalar."""
    if isinstance(value, str):
        return value
    if not _is_number(value):
        return None
    try:
        number = Decimal(str(value))
    except ValueError:  # an int of thousands of digits
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
        return None
    return format(number, "f")


def _missing(path: str, spec: FieldSpec) -> WireProblem:
    return WireProblem(
        path, Fault.MISSING, f"“{spec.name}”必填，现为空", "在来源系统补填，或在站点文件里映射该列"
    )


def _shape(path: str, what: str) -> WireProblem:
    return WireProblem(path, Fault.SHAPE, what, "按接口字段表的节点结构填写")
