"""An imported library compiled for one policy: immutable look-ups by diagnosis key and operation.

Local libraries of the 1.0 / 2.0 style (dip-grouping.md sections 9 and 10), the national 3.0 scheme
(section 8), and a city's library that holds rows of both. A compiled library can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeVar

from dipgate.core.codes import category, diagnosis_code
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Layer
from dipgate.core.library import (
    NO_PARTS,
    Coefficient,
    LevelFee,
    LibraryData,
    LibraryParts,
    LibraryRow,
)
from dipgate.core.policy import Policy
from dipgate.core.policy_parts import OpExpr
from dipgate.pregrouper.expressions import Alternatives, Reader
from dipgate.pregrouper.frozen import FrozenDict, frozen_parts
from dipgate.pregrouper.keys import categories_in
from dipgate.pregrouper.naming import name_of
from dipgate.pregrouper.national_conditions import (
    EVERY_DIAGNOSIS,
    NO_CONDITION,
    Condition,
    DxTest,
    condition_of,
    dx_test,
)
from dipgate.pregrouper.policy_check import check_policy

V = TypeVar("V")
SURGERY, THERAPY, DIAGNOSTIC, CONSERVATIVE = "S", "T", "D", "N"
TREATMENTS: Mapping[str, str] = MappingProxyType(
    {SURGERY: "手术", THERAPY: "治疗性操作", DIAGNOSTIC: "诊断性操作", CONSERVATIVE: "保守治疗"}
)
_TREATMENT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "手术": SURGERY,
        "介入治疗": SURGERY,
        "相关手术组": SURGERY,
        "治疗性操作": THERAPY,
        "治疗性操作组": THERAPY,
        "诊断性操作": DIAGNOSTIC,
        "诊断性操作组": DIAGNOSTIC,
        "保守治疗": CONSERVATIVE,
        "内科诊疗组": CONSERVATIVE,
        "内科治疗": CONSERVATIVE,
        "SS": SURGERY,
        "ZLXCZ": THERAPY,
        "ZDXCZ": DIAGNOSTIC,
        "BSZL": CONSERVATIVE,
    }
)
_KINDS: Mapping[str, Layer] = MappingProxyType(
    {
        "核心": Layer.CORE,
        "核心病种": Layer.CORE,
        "1": Layer.CORE,
        "基层": Layer.BASIC,
        "基层病种": Layer.BASIC,
        "综合": Layer.COMPREHENSIVE,
        "综合病种": Layer.COMPREHENSIVE,
        "0": Layer.COMPREHENSIVE,
        "2": Layer.COMPREHENSIVE,
        "未入组": Layer.NONE,
        "未入组兜底": Layer.NONE,
        "兜底": Layer.NONE,
        "空白病组": Layer.NONE,
        "中医优势病种": Layer.NONE,
        "民族医优势病种": Layer.NONE,
        "XQ": Layer.PRE,
        "先期分组": Layer.PRE,
        "BX": Layer.MERGE,
        "并项规则": Layer.MERGE,
        "FZ": Layer.AUX_SPLIT,
        "诊断辅助细分": Layer.AUX_SPLIT,
        "JC": Layer.BASE,
        "基础规则": Layer.BASE,
    }
)
"""Floor rows (`Layer.NONE`) are loaded and never routed to, but for the policy's blank group and
the groups of TCM that a row of `tcm_map` names."""


NATIONAL = (Layer.PRE, Layer.MERGE, Layer.AUX_SPLIT, Layer.BASE)
"""Layers of the national 3.0 scheme, in its order."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row ready for matching. `main` and `related` are alternatives of required codes."""

    row: LibraryRow
    layer: Layer
    basic: bool
    dx_key: str
    """As the library prints it; a national row may name several keys or ranges."""
    main: Alternatives
    related: Alternatives
    treatment: str
    """S, T, D, N as the library says; empty when it does not (core rows with operations)."""
    order: int = 0
    """Place in the library: rows of several sheets share row numbers."""
    condition: Condition = NO_CONDITION
    dx: DxTest | None = None
    """Diagnoses of a national row; None for rows of one key and for 所有诊断."""
    name: str = ""
    """As screens call it."""

    @property
    def code(self) -> str:
        return self.row.group_code

    @property
    def conservative(self) -> bool:
        return not self.main and not self.related


@dataclass(frozen=True, slots=True)
class Bucket:
    """Groups of one layer and diagnosis key, in table order."""

    groups: tuple[Group, ...]
    by_op: Mapping[str, tuple[Group, ...]]
    conservative: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class National:
    """The rows of the national scheme, by layer."""

    pre: tuple[Group, ...] = ()
    """In the order of the table."""
    pre_ops: frozenset[str] = frozenset()
    """Every operation that a pre-group names: a case without one needs no look at them."""
    pre_dx: frozenset[str] = frozenset()
    """Categories of the pre-groups that ask for a diagnosis (P07)."""
    conditional: frozenset[str] = frozenset()
    """Categories with which a row asks for more than codes: other diagnoses, age, weight."""
    layers: Mapping[Layer, Mapping[str, Bucket]] = field(default_factory=FrozenDict)
    """Merge, auxiliary split and base rows: layer → diagnosis key → rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Compiled for one policy. `principal_related`: position 1 decides, others are related."""

    label: str
    edition: str
    partial: bool
    principal_related: bool
    short_codes: int
    """Directory codes shorter than this match every code that they begin; 0: exact only."""
    buckets: Mapping[str, Bucket]
    comprehensive: Mapping[tuple[str, str], tuple[Group, ...]]
    ranges: tuple[Group, ...]
    by_chapter: Mapping[str, tuple[Group, ...]]
    """First letter → comprehensive groups in table order."""
    blank: Group | None
    op_codes: frozenset[str]
    """Every operation code that the library itself names."""
    dx_keys: frozenset[str]
    groups: Mapping[str, Group]
    """By group code."""
    national: National = National()
    spans: Mapping[str, tuple[str, ...]] = field(default_factory=FrozenDict)
    """Category → range keys (`A15-A16`) of core and national rows that hold it, narrowest first."""
    parts: LibraryParts = NO_PARTS
    coefficients: Mapping[str, tuple[Coefficient, ...]] = field(default_factory=FrozenDict)
    """By group code; rows for every group under `*`."""
    level_fees: Mapping[str, tuple[LevelFee, ...]] = field(default_factory=FrozenDict)
    primary_care: Mapping[str, tuple[tuple[frozenset[str], int], ...]] = field(
        default_factory=FrozenDict
    )
    """National list of basic groups: diagnosis key → operations that must all be there (none: a
    conservative case) and the row of the list. Its keys may be finer than those of the groups."""
    sub_rows: Mapping[str, tuple[Group, ...]] = field(default_factory=FrozenDict)
    """Auxiliary sub-rows by the code of their group."""
    prepared: dict[object, object] = field(default_factory=dict, repr=False)
    """Work of the engine that depends on policy and catalogues only; never part of an answer."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Everything but what the engine has prepared, which holds functions."""
        values = [getattr(self, item.name) for item in fields(self) if item.name != "prepared"]
        return Library, tuple(values)


def compile_library(data: LibraryData, policy: Policy) -> Library:
    """Check and index a library for one policy.

    Raises ConfigError for an unknown word, an expression or condition that cannot be read or a
    repeated group code (naming the library's row), for policy parts that matching needs and that
    are unknown, and for layers that the library does not have (naming the path).
    """
    rules = policy.grouping
    check_policy(policy)
    principal_related = _roles(policy, data.rows)
    compiler = _Compiler(data, policy, Reader(rules.op_expr), principal_related)
    groups = compiler.groups()
    own = [group for group in groups.values() if not group.row.parent_code]
    _check_layers(data, own, rules.layers or ())
    comp = [group for group in own if group.layer is Layer.COMPREHENSIVE]
    core = [group for group in own if group.layer in (Layer.CORE, Layer.BASIC)]
    national = {layer: [group for group in own if group.layer is layer] for layer in NATIONAL}
    keyed = [group for group in own if group.layer in (Layer.CORE, Layer.BASIC, *NATIONAL[1:])]
    parts = frozen_parts(data.parts)
    return Library(
        label=data.label,
        edition=data.edition,
        partial=data.partial,
        principal_related=principal_related,
        short_codes=rules.op_match.prefix_if_shorter_than or 0,
        buckets=_buckets(core),
        comprehensive=_by_key(comp),
        ranges=tuple(group for group in comp if "-" in group.dx_key),
        by_chapter=_by_chapter(comp),
        blank=groups.get(rules.blank_code or ""),
        op_codes=frozenset(
            code
            for group in groups.values()
            for part in (*group.main, *group.related)
            for code in part
        ),
        dx_keys=frozenset(key for group in groups.values() for key in keys_of(group)),
        groups=FrozenDict(groups),
        national=_national(national) if any(national.values()) else National(),
        spans=_spans(keyed),
        parts=parts,
        coefficients=_grouped((item.group_code, item) for item in parts.coefficients or ()),
        level_fees=_grouped((item.group_code, item) for item in parts.average_fees or ()),
        primary_care=_primary_care(data),
        sub_rows=_grouped(
            (group.row.parent_code, group) for group in groups.values() if group.row.parent_code
        ),
    )


def keys_of(group: Group) -> tuple[str, ...]:
    """The diagnosis keys under which a group is filed; ranges as they are printed."""
    if group.dx is None:
        return (group.dx_key,)
    return (*sorted(group.dx.keys), *group.dx.spans)


def _check_layers(data: LibraryData, groups: Iterable[Group], layers: tuple[str, ...]) -> None:
    """The policy's layers must be those that the library's edition has."""
    named = [layer.value for layer in NATIONAL if layer.value in layers]
    there = any(group.layer in NATIONAL for group in groups)
    if there and not named:
        words = "、".join(layer.value for layer in NATIONAL)
        raise ConfigError(
            f"目录 {data.label} 是国家 3.0 版分组方案，政策的 grouping.layers "
            f"没有它的层（{words}）",
            path="grouping.layers",
        )
    if named and not there and not data.edition.startswith("3"):
        raise ConfigError(
            f"grouping.layers 含有国家 3.0 版的层 {named[0]}，目录 {data.label} 是 "
            f"{data.edition} 版，没有这样的病种；"
            "改用 3.0 版目录，或把层写成 core、basic、comprehensive",
            path="grouping.layers",
        )


def _bad(data: LibraryData, row: LibraryRow, what: str) -> ConfigError:
    return ConfigError(f"目录 {data.label} 第{row.row}行：{what}", path=f"{data.label}:{row.row}")


def _roles(policy: Policy, rows: Iterable[LibraryRow]) -> bool:
    roles = policy.grouping.op_roles
    if roles == "principal_related":
        return True
    if roles == "set":
        return False
    if roles is not None:
        raise ConfigError(
            f"参数 grouping.op_roles：{roles!r} 应为 set 或 principal_related",
            path="grouping.op_roles",
        )
    if any(row.op_expression or row.main_ops for row in rows):
        raise ConfigError("政策没有写 grouping.op_roles，不能入组", path="grouping.op_roles")
    return False


_NATIONAL_READER = Reader(OpExpr.model_validate({"grammar": "dnf", "and": "+", "or": "|"}))
"""The national scheme has one grammar, whatever a city uses in rows of its own."""


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Reads the rows of one library as one policy says."""

    data: LibraryData
    policy: Policy
    reader: Reader
    principal_related: bool

    def groups(self) -> dict[str, Group]:
        """Every row, sub-rows too, by code, in table order."""
        basics = frozenset(self.policy.grouping.basic_groups or ())
        found: dict[str, Group] = {}
        for order, row in enumerate(self.data.rows):
            group = self.group(row, order, basics)
            if group.code in found:
                raise _bad(self.data, row, f"病种编码 {group.code} 重复")
            found[group.code] = group
        return found

    def group(self, row: LibraryRow, order: int, basics: frozenset[str]) -> Group:
        if not row.group_code:
            raise _bad(self.data, row, "病种编码为空")
        layer = _KINDS.get(row.kind.strip())
        if layer is None:
            raise _bad(self.data, row, f"不认识的病种类型 {row.kind!r}")
        national = layer in NATIONAL
        main, related = self._expressions(row, national=national)
        treatment = self._treatment(row)
        if layer is Layer.COMPREHENSIVE and not treatment:
            raise _bad(self.data, row, "综合病种没有写治疗方式")
        if not main and not related and layer not in (Layer.NONE, Layer.PRE):
            treatment = treatment or CONSERVATIVE
        key = diagnosis_code(row.dx_code)
        condition, dx = self._national(row, layer) if national else (NO_CONDITION, None)
        basic = row.is_basic or layer is Layer.BASIC or row.group_code in basics
        if basic and layer in (Layer.CORE, Layer.BASIC):
            layers = self.policy.grouping.layers or ()
            layer = Layer.BASIC if "basic" in layers else Layer.CORE
        # A pre-group's own name says its condition already.
        label = "" if layer is Layer.PRE and row.group_name else condition.label
        name = name_of(row, label, TREATMENTS.get(treatment, ""))
        return Group(row, layer, basic, key, main, related, treatment, order, condition, dx, name)

    def _treatment(self, row: LibraryRow) -> str:
        word = row.treatment_class.strip()
        suffixes = self.policy.grouping.comprehensive.suffixes or {}
        words = {suffix: name for name, suffix in suffixes.items() if suffix}
        treatment = _TREATMENT_WORDS.get(words.get(word, word), "")
        if word and not treatment:
            raise _bad(self.data, row, f"不认识的治疗方式 {word!r}")
        return treatment

    def _expressions(self, row: LibraryRow, *, national: bool) -> tuple[Alternatives, Alternatives]:
        try:
            if national:
                return _NATIONAL_READER.parse(row.main_ops), _NATIONAL_READER.parse(row.other_ops)
            return _expressions(row, self.reader, self.principal_related)
        except ValueError as error:
            what = f"手术表达式 {row.op_expression or row.main_ops!r}：{error}"
            if not national:
                name = self.policy.policy.id
                what += f"；目录的写法与政策 {name} 的 grouping.op_expr 不符，改政策或换目录"
            raise _bad(self.data, row, what) from error

    def _national(self, row: LibraryRow, layer: Layer) -> tuple[Condition, DxTest | None]:
        try:
            condition = condition_of(row.condition, row.secondary_dx)
            if condition == NO_CONDITION:
                condition = NO_CONDITION
            everyone = row.dx_code.strip() == EVERY_DIAGNOSIS
            dx = None if everyone else dx_test(row.dx_code)
        except ValueError as error:
            raise _bad(self.data, row, str(error)) from error
        if layer is not Layer.PRE and (dx is None or not (dx.keys or dx.spans)):
            raise _bad(self.data, row, "没有写诊断")
        if layer is Layer.PRE and dx is None and not row.main_ops.strip():
            raise _bad(self.data, row, "先期分组既没有手术操作，也没有诊断")
        return condition, dx


def _primary_care(data: LibraryData) -> FrozenDict[str, tuple[tuple[frozenset[str], int], ...]]:
    found: list[tuple[str, tuple[frozenset[str], int]]] = []
    for item in data.parts.primary_care or ():
        try:
            parts = _NATIONAL_READER.parse(item.main_ops) or (frozenset(),)
        except ValueError as error:
            raise ConfigError(
                f"目录 {data.label} 基层病种第{item.row}行：{error}",
                path=f"{data.label}:primary-care:{item.row}",
            ) from error
        found += [(diagnosis_code(item.dx_code), (part, item.row)) for part in parts]
    return _grouped(found)


def _expressions(
    row: LibraryRow, reader: Reader, principal_related: bool
) -> tuple[Alternatives, Alternatives]:
    by_column = row.main_ops.strip() and not reader.spec.main_related_separator
    if row.op_expression.strip() and not by_column:
        main, related = reader.split(row.op_expression.strip())
        first, second = reader.parse(main), reader.parse(related)
    else:
        first, second = reader.column(row.main_ops), reader.column(row.other_ops)
    if principal_related:
        return first, second
    if not second:
        return first, ()
    return tuple(one | two for one in first for two in second), ()


def _buckets(groups: Iterable[Group]) -> FrozenDict[str, Bucket]:
    by_key: dict[str, list[Group]] = {}
    for group in groups:
        for key in keys_of(group):
            by_key.setdefault(key, []).append(group)
    return FrozenDict({key: _bucket(tuple(items)) for key, items in by_key.items()})


def _bucket(groups: tuple[Group, ...]) -> Bucket:
    by_op: dict[str, list[Group]] = {}
    for group in groups:
        for code in sorted({code for part in group.main for code in part}):
            by_op.setdefault(code, []).append(group)
    return Bucket(
        groups,
        FrozenDict({code: tuple(items) for code, items in by_op.items()}),
        tuple(group for group in groups if group.conservative),
    )


def _national(rows: Mapping[Layer, list[Group]]) -> National:
    pre = tuple(rows[Layer.PRE])
    asking = [
        group
        for layer in NATIONAL
        for group in rows[layer]
        if group.condition is not NO_CONDITION and group.dx is not None
    ]
    return National(
        pre=pre,
        pre_ops=frozenset(code for group in pre for part in group.main for code in part),
        pre_dx=_categories(group for group in pre if group.dx is not None),
        conditional=_categories(asking),
        layers=FrozenDict({layer: _buckets(rows[layer]) for layer in NATIONAL[1:]}),
    )


def _categories(groups: Iterable[Group]) -> frozenset[str]:
    """Categories of the groups' diagnosis keys, those inside ranges too."""
    return frozenset(
        code
        for group in groups
        for key in keys_of(group)
        for code in (categories_in(key) if "-" in key else (category(key),))
    )


def _spans(groups: Iterable[Group]) -> FrozenDict[str, tuple[str, ...]]:
    spans = {key for group in groups for key in keys_of(group) if "-" in key}
    found: dict[str, list[str]] = {}
    for span in sorted(spans, key=lambda text: (len(categories_in(text)), text)):
        for code in categories_in(span):
            found.setdefault(code, []).append(span)
    return FrozenDict({code: tuple(held) for code, held in found.items()})


def _grouped(pairs: Iterable[tuple[str, V]]) -> FrozenDict[str, tuple[V, ...]]:
    found: dict[str, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return FrozenDict({key: tuple(items) for key, items in found.items()})


def _by_key(groups: Iterable[Group]) -> FrozenDict[tuple[str, str], tuple[Group, ...]]:
    found: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        found.setdefault((group.dx_key, group.treatment), []).append(group)
    return FrozenDict({key: tuple(items) for key, items in found.items()})


def _by_chapter(groups: Iterable[Group]) -> FrozenDict[str, tuple[Group, ...]]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        if category(group.dx_key):
            found.setdefault(group.dx_key[0], []).append(group)
    return FrozenDict({letter: tuple(items) for letter, items in found.items()})
