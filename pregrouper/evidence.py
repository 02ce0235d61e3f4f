"""What in the record supports one diagnosis or operation as principal. Pure; the tables say how."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from dipgate.core.codes import category, diagnosis_code, has_prefix, procedure_code, strip_marks
from dipgate.core.evidence import (
    AGAINST,
    ANY,
    DX,
    OP,
    Evidence,
    EvidenceRow,
    EvidenceTables,
    Support,
)
from dipgate.core.lists import Row, SettlementList, text_of
from dipgate.core.money import decimal_of
from dipgate.core.reference import Reference

NODE_OF: Mapping[str, str] = MappingProxyType({DX: "diseinfo", OP: "oprninfo"})
CODE_OF: Mapping[str, str] = MappingProxyType({DX: "diag_code", OP: "oprn_oprt_code"})
NAME_OF: Mapping[str, str] = MappingProxyType({DX: "diag_name", OP: "oprn_oprt_name"})
SURGICAL = ("手术", "介入治疗")
"""Classes of operations that a principal diagnosis has to answer for."""
_BRACKETS = re.compile(r"[（(\[【][^）)\]】]*[）)\]】]")
_LEAST_NAME = 4
"""A shorter name stands in too many others to show anything."""
_CLOSED_MDC = frozenset("AOPSTUWXY")
"""Major classes whose procedures are not tied to one system."""


@dataclass(frozen=True)
class Record:
    """One list with the tables of its day; what several candidates ask is found once."""

    lst: SettlementList
    tables: EvidenceTables
    ref: Reference
    _supports: dict[tuple[str, int], Support] = field(default_factory=dict, compare=False)

    @cached_property
    def charges(self) -> tuple[tuple[int, Row], ...] | None:
        """Charge lines whose item was not taken back as a whole; None without charge lines."""
        if self.lst.charges is None:
            return None
        sums: dict[str, Decimal] = {}
        kept: list[tuple[int, Row, str]] = []
        for index, row in enumerate(self.lst.charges):
            item = text_of(row.get("code")) or text_of(row.get("name"))
            amount = _amount(row)
            if amount is None:
                continue
            sums[item] = sums.get(item, Decimal(0)) + amount
            if amount > 0:
                kept.append((index, row, item))
        return tuple((index, row) for index, row, item in kept if sums[item] > 0)

    @cached_property
    def operation_names(self) -> tuple[str, ...]:
        """Bare names of the operations on the list."""
        rows = self.lst.oprninfo or ()
        return tuple(
            name for name in (_bare(text_of(row.get(NAME_OF[OP]))) for row in rows) if name
        )

    @property
    def categories(self) -> Mapping[str, str]:
        """Operation code → class, where a catalogue is there."""
        return self.ref.icd9cm3.attributes.get("category", {}) if self.ref.icd9cm3 else {}

    def code(self, target: str, index: int) -> str:
        text = self.lst.get(f"{NODE_OF[target]}[{index}].{CODE_OF[target]}")
        return diagnosis_code(text) if target == DX else procedure_code(text)

    def treats(self, op: str, dx: str) -> bool | None:
        """Does an operation treat a diagnosis? None where nothing is known of it."""
        bare = strip_marks(dx)
        longest = 0
        found: bool | None = None
        for row in self.tables.treats:
            length = max((len(start) for start in row.ops if op.startswith(start)), default=0)
            if length and length >= longest:
                same = has_prefix(bare, row.dx)
                found = same if length > longest or not found else found
                longest = length
        if longest < len(op):
            # A full code in the table is of an official list; before a class, the catalogues speak.
            known = self._same_major(op, dx)
            found = known if known is not None else found
        return found

    def _same_major(self, op: str, dx: str) -> bool | None:
        ops = (self.ref.op_mdc or {}).get(op, frozenset())
        dxs = (self.ref.dx_mdc or {}).get(dx, frozenset()) - {"Z"}
        if not ops or not dxs or "A" in ops or dxs & _CLOSED_MDC:
            return None
        return bool(ops & dxs)

    def takes(self, ward: str, dx: str) -> bool:
        """Does a ward (national code) take a diagnosis? The longest prefix decides."""
        longest, found = 0, False
        for row in self.tables.wards:
            length = max((len(start) for start in row.wards if ward.startswith(start)), default=0)
            if length > longest:
                longest, found = length, has_prefix(strip_marks(dx), row.dx)
        return found


def record_of(lst: SettlementList, tables: EvidenceTables, ref: Reference, day: date) -> Record:
    """A list with the rows that hold on its day."""
    return Record(lst, tables.on(day), ref)


def support_of(record: Record, target: str, index: int) -> Support:
    """Everything that speaks for one row of the list as principal, and what is missing."""
    key = (target, index)
    if key not in record._supports:
        record._supports[key] = _support_of(record, target, index)
    return record._supports[key]


def _support_of(record: Record, target: str, index: int) -> Support:
    code = record.code(target, index)
    found: list[Evidence] = []
    missing: list[str] = []
    for row in record.tables.evidence:
        if row.target != target or not _speaks_of(record, row, code):
            continue
        item = _found(record, row, target, index, code)
        if item is not None:
            found.append(item)
        elif row.expected and record.charges is not None:
            words = "、".join(word.replace("*", "…") for word in row.words[:3])
            missing.append(f"收费明细里没有它应有的项目（{words} 等）")
    lacks = [item.text for item in found if AGAINST in item.proves]
    for need in record.tables.needs:
        if need.target != target:
            continue
        proving = sum(
            bool(set(item.proves) - {AGAINST}) if need.proves == ANY else need.proves in item.proves
            for item in found
        )
        if proving < need.least:
            lacks.append(need.lacks)
    return Support(tuple(found), tuple(dict.fromkeys((*lacks, *missing))))


@dataclass(frozen=True, slots=True)
class Missing:
    """The bill has it, the list does not: to be looked up in the record, never to be taken."""

    name: str
    codes: tuple[str, ...]
    path: str
    value: str


def billed_not_listed(record: Record) -> tuple[Missing, ...]:
    """Operations that charge lines suggest and the list does not hold."""
    listed = [record.code(OP, index) for index in range(len(record.lst.oprninfo or ()))]
    found: list[Missing] = []
    for row in record.tables.evidence:
        if not row.hint or any(code.startswith(row.codes) for code in listed):
            continue
        line = next(iter(_lines(record, row)), None)
        if line is not None:
            index, value = line
            found.append(Missing(row.hint, row.codes, f"charges[{index}].name", value))
    return tuple(found)


def _speaks_of(record: Record, row: EvidenceRow, code: str) -> bool:
    if row.treatment and record.categories.get(code, "") != row.treatment:
        return False
    if not row.codes:
        return True
    return code.startswith(row.codes) if row.target == OP else has_prefix(code, row.codes)


def _found(record: Record, row: EvidenceRow, target: str, index: int, code: str) -> Evidence | None:
    own = f"{NODE_OF[target]}[{index}]"
    if row.absent and _is_there(record, row.absent, own):
        return None
    test = _TESTS[row.test]
    name = _bare(record.lst.get(f"{own}.{NAME_OF[target]}"))
    for path, source, value in _places(record, row, own):
        if test(_Asked(record, row, code, name, source, value)):
            shown = value or text_of(source.get("name"))
            where = f"{path}.{row.field}" if row.field else path
            return Evidence(row.id, where, shown, _said(row.says, shown, source), row.proves)
    return None


def _places(record: Record, row: EvidenceRow, own: str) -> Iterator[tuple[str, Row, str]]:
    """Where a row looks: path of the list's row, the row, and the field's text."""
    lst = record.lst
    if row.node == "charges":
        rows = [(f"charges[{index}]", line) for index, line in record.charges or ()]
    elif row.node == "this":
        node, _, rest = own.partition("[")
        rows = [(own, (lst.rows(node) or ())[int(rest.rstrip("]"))])]
    elif row.node == "setlinfo":
        rows = [("setlinfo", lst.setlinfo)]
    elif row.node == "cover":
        rows = [("cover", lst.cover)] if lst.cover is not None else []
    else:
        rows = [(f"{row.node}[{i}]", line) for i, line in enumerate(lst.rows(row.node) or ())]
    for path, line in rows:
        if row.field:
            yield path, line, text_of(line.get(row.field)).strip()
        else:
            yield path, line, next((text_of(value) for value in line.values() if value), "")


def _is_there(record: Record, place: str, own: str) -> bool:
    """Is a node, or a field of the candidate's own row, in the list?"""
    node, _, field = place.partition(".")
    if node == "this":
        return bool(record.lst.get(f"{own}.{field}").strip())
    return record.lst.rows(node) is not None


def _lines(record: Record, row: EvidenceRow) -> Iterator[tuple[int, str]]:
    """Charge lines that a row's words fit."""
    for index, line in record.charges or ():
        name = text_of(line.get("name"))
        if row.like and row.like.search(name) and not (row.unlike and row.unlike.search(name)):
            yield index, name


def _said(template: str, value: str, source: Row) -> str:
    """`{value}` and `{row.FIELD}` filled in; nothing else of the text is touched."""
    text = re.sub(r"\{row\.(\w+)\}", lambda found: text_of(source.get(found[1])), template)
    return text.replace("{value}", value).strip()


def _amount(row: Row) -> Decimal | None:
    try:
        return decimal_of(row.get("amount"))
    except ValueError:
        return None


def _bare(name: str) -> str:
    """A name without what stands in brackets; empty when too short to be told from others."""
    text = _BRACKETS.sub("", name).strip()
    return text if len(text) >= _LEAST_NAME else ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question of a test: the candidate, and the place that may speak for it."""

    record: Record
    row: EvidenceRow
    code: str
    own_name: str
    source: Row
    value: str


def _positive(asked: _Asked) -> bool:
    return any(part.isdigit() and int(part) for part in asked.value.split("/"))


def _one_of(asked: _Asked) -> bool:
    """The value, or the national class that a local charge category begins with."""
    return asked.value in asked.row.words or asked.value[:2] in asked.row.words


def _like(asked: _Asked) -> bool:
    row = asked.row
    fits = row.like is not None and row.like.search(asked.value) is not None
    return fits and not (row.unlike and row.unlike.search(asked.value))


def _unnamed_one_of(asked: _Asked) -> bool:
    """A line of the category that does not carry the name of another operation of the list."""
    if not _one_of(asked):
        return False
    name, own = text_of(asked.source.get("name")), asked.own_name
    others = [each for each in asked.record.operation_names if each != own]
    return (bool(own) and own in name) or not any(each in name for each in others)


def _treats(asked: _Asked) -> bool:
    op = procedure_code(asked.value)
    surgical = asked.record.categories.get(op, SURGICAL[0]) in SURGICAL
    return surgical and asked.record.treats(op, asked.code) is True


_TESTS: Mapping[str, Callable[[_Asked], bool]] = MappingProxyType(
    {
        "given": lambda asked: bool(asked.value),
        "positive": _positive,
        "one_of": lambda asked: (
            asked.value in asked.row.words or asked.value[:2] in asked.row.words
        ),
        "unnamed_one_of": _unnamed_one_of,
        "like": _like,
        "named": lambda asked: bool(asked.own_name) and asked.own_name in asked.value,
        "same_category": lambda asked: (
            bool(asked.value) and category(diagnosis_code(asked.value)) == category(asked.code)
        ),
        "treats": _treats,
        "ward_of": lambda asked: bool(asked.value) and asked.record.takes(asked.value, asked.code),
    }
)
