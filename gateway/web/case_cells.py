"""The left pane: the list as the bureau sees it, as cells with marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from dipgate.core.lists import text_of
from dipgate.core.money import fen_of
from dipgate.core.worklist import Grade
from dipgate.mapping.fields import NAME_OF, READINGS, TEXT, Kind
from dipgate.pipeline.former import former
from dipgate.pipeline.typed import editable
from dipgate.web.case_sheet import Sheet, grade_of
from dipgate.web.case_source import Source
from dipgate.web.filters import yuan

ROWS_SHOWN = 60
"""Rows of one node shown at once; those with a problem are always among them."""
_WIRE_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
_GRAVITY = {Grade.STOP: 3, Grade.LOOK: 2, Grade.WAIT: 1}
FIRST = (
    "adm_time",
    "dscg_time",
    "dscg_caty",
    "act_ipt_days",
    "dscg_way",
    "hi_type",
    "bill_code",
    "bill_no",
    "chfpdr_code",
    "setl_end_date",
)
"""What a coder looks at first, in the two columns of the form."""
_HIDDEN = frozenset({"maindiag_flag", "setl_id"})
"""setlinfo fields that the page shows elsewhere: by line, in the head."""
_OPERATION_MORE = {
    "oprn_oprt_endtime": "至",
    "anst_way": "麻醉",
    "anst_dr_code": "",
    "anst_begntime": "",
    "anst_endtime": "–",
}
"""What stands in the second line of a procedure, each with the word before it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is said about a place: the gravest grade, the rules, their sentences."""

    grade: Grade
    rules: tuple[str, ...]
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the list, with its mark and its way to the source."""

    path: str
    id: str
    label: str
    full: str
    code: str
    text: str
    mark: str
    """`stop`, `look`, `wait`, `fixed` or empty."""
    rules: str
    says: str
    """What the mouse rests on: problems, or the full name; never the only copy."""
    tokens: str
    lineage: str
    can_edit: bool
    note: str = ""
    """Why the code is not what it should be (it left the catalogue)."""

    @property
    def blank(self) -> bool:
        return not self.code and not self.text


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a node: its number as read, and its cells."""

    index: int
    number: str
    cells: tuple[Cell, ...]
    more: tuple[Cell, ...] = ()
    can_up: bool = False
    can_down: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A table of the list. `left_out` rows are not shown yet."""

    node: str
    title: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    count: int
    left_out: int = 0
    can_add: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Fields of the form under one heading: filled or marked, and the rest."""

    title: str
    cells: tuple[Cell, ...]
    blanks: tuple[Cell, ...]


def cell_id(path: str) -> str:
    """`diseinfo[0].diag_code` → `c-diseinfo-0-diag_code`: the same place, the same id."""
    return "c-" + _UNSAFE.sub("-", path).strip("-")


@dataclass(frozen=True)
class Cells:
    """Builds the left pane of one sheet."""

    sheet: Sheet
    source: Source
    shown: Mapping[str, int]
    """node → how many rows to show, where more than the usual were asked for."""
    also: str = ""
    """A path whose row is shown whatever the limit."""

    @cached_property
    def marks(self) -> Mapping[str, Mark]:
        held: dict[str, list[tuple[Grade, str, str]]] = {}
        for item in self.sheet.found:
            held.setdefault(item.field, []).append((grade_of(item), item.rule, item.message))
        return {path: _mark(items) for path, items in held.items()}

    def mark_of(self, paths: Iterable[str]) -> Mark | None:
        found = [self.marks[path] for path in paths if path in self.marks]
        if not found:
            return None
        items = [
            (mark.grade, rule, message)
            for mark in found
            for rule, message in zip(mark.rules, mark.messages, strict=True)
        ]
        return _mark(items)

    def cell(
        self,
        path: str,
        *,
        label: str = "",
        code: str = "",
        text: str = "",
        also: Iterable[str] = (),
    ) -> Cell:
        """One cell; `also` are paths whose problems and corrections show here too."""
        paths = (path, *also)
        mark = self.mark_of(paths)
        fixed = any(
            (origin := self.sheet.origins.get(item)) is not None and origin.overlay is not None
            for item in paths
        )
        node, _, name = path.partition(".")
        full = self.sheet.desk.forms.label(node.partition("[")[0], name)
        return Cell(
            path=path,
            id=cell_id(path),
            label=label,
            full=full,
            code=code,
            text=text,
            mark=mark.grade.value if mark else ("fixed" if fixed else ""),
            rules=" ".join(dict.fromkeys(mark.rules)) if mark else "",
            says="；".join(mark.messages[:3]) if mark else f"{full} {name}",
            tokens=self.source.tokens_of(path),
            lineage=self.source.words(path),
            can_edit=self.sheet.editable and editable(path),
        )

    def field(self, path: str, *, label: str = "") -> Cell:
        """A cell by the field's own kind: coded values with their meaning, money, plain text."""
        forms = self.sheet.desk.forms
        node, _, name = path.partition(".")
        node = node.partition("[")[0]
        value = self.sheet.list.get(path)
        code, text = "", value
        also: tuple[str, ...] = ()
        partner = NAME_OF.get(name)
        if partner:
            other = f"{path[: -len(name)]}{partner}"
            meaning = self.sheet.list.get(other) or forms.meaning(node, name, value)
            code, text, also = value, meaning, (other,)
        else:
            meaning = forms.meaning(node, name, value)
            if meaning:
                code, text = value, meaning
            else:
                text = _written(READINGS.get(node, {}).get(name, TEXT).kind, value)
        label = label or forms.short(node, name)
        return self.cell(path, label=label, code=code, text=text, also=also)

    # -- diagnoses and procedures

    def diagnoses(self) -> Node:
        rows = self.sheet.list.diseinfo or ()
        lines = []
        order = self.sheet.lines["diseinfo"]
        kept, left_out = self._kept("diseinfo", order)
        for place, index in kept:
            base = f"diseinfo[{index}]"
            row = rows[index]
            tcm = text_of(row.get("diag_type")) in ("2", "3")
            main = self._coded(base, "diag_code", "diag_name", ("diag_type", "maindiag_flag"))
            state = self.field(f"{base}.adm_cond_type")
            number = "主" if place == 0 and not tcm else ("中" if tcm else str(place + 1))
            lines.append(
                Line(
                    index,
                    number,
                    (main, state),
                    can_up=self.sheet.editable and place > 0 and not tcm,
                    can_down=self.sheet.editable and not tcm and place + 1 < len(order),
                )
            )
        return Node(
            "diseinfo",
            "诊断",
            ("序", "代码与名称", "入院病情"),
            tuple(lines),
            len(rows),
            left_out,
            self.sheet.editable,
        )

    def procedures(self) -> Node:
        rows = self.sheet.list.oprninfo or ()
        lines = []
        order = self.sheet.lines["oprninfo"]
        kept, left_out = self._kept("oprninfo", order)
        for place, index in kept:
            base = f"oprninfo[{index}]"
            row = rows[index]
            timed = text_of(row.get("oprn_oprt_begntime")) or "oprn_oprt_date" not in row
            began = f"{base}.{'oprn_oprt_begntime' if timed else 'oprn_oprt_date'}"
            other = f"{base}.{'oprn_oprt_date' if timed else 'oprn_oprt_begntime'}"
            main = self._coded(base, "oprn_oprt_code", "oprn_oprt_name", ("oprn_oprt_type",))
            when = _short_time(self.cell(began, text=self.sheet.list.get(began), also=(other,)))
            who = _name_only(self.field(f"{base}.oper_dr_code"))
            also = (
                replace(self.field(f"{base}.{name}"), label=word)
                for name, word in _OPERATION_MORE.items()
            )
            more = tuple(
                _short_time(_name_only(cell)) for cell in also if not cell.blank or cell.mark
            )
            lines.append(
                Line(
                    index,
                    "主" if place == 0 else str(place + 1),
                    (main, when, who),
                    more,
                    can_up=self.sheet.editable and place > 0,
                    can_down=self.sheet.editable and place + 1 < len(order),
                )
            )
        return Node(
            "oprninfo",
            "手术操作",
            ("序", "代码与名称", "开始", "术者"),
            tuple(lines),
            len(rows),
            left_out,
            self.sheet.editable,
        )

    def _coded(self, base: str, code: str, name: str, also: tuple[str, ...]) -> Cell:
        path = f"{base}.{code}"
        others = (base, f"{base}.{name}", *(f"{base}.{item}" for item in also))
        value = self.sheet.list.get(path)
        made = self.cell(path, code=value, text=self.sheet.list.get(f"{base}.{name}"), also=others)
        gone = None
        if self.sheet.list.get(f"{base}.diag_type") not in ("2", "3"):
            gone = former(self.sheet.desk, code, value, self.sheet.day)
        if gone is None:
            return made
        return replace(made, text=made.text or gone.name, note=gone.why)

    # -- other nodes

    def table(self, node: str, title: str, names: tuple[str, ...]) -> Node | None:
        """A node as a plain table; None when the list has no such rows."""
        rows = self.sheet.list.rows(node) or ()
        if not rows and not any(path.startswith(node) for path in self.marks):
            return None
        forms = self.sheet.desk.forms
        kept, left_out = self._kept(node, tuple(range(len(rows))))
        lines = [
            Line(index, str(place + 1), tuple(self.field(f"{node}[{index}].{n}") for n in names))
            for place, index in kept
        ]
        heads = tuple(forms.short(node, name) for name in names)
        return Node(node, title, heads, tuple(lines), len(rows), left_out)

    def fee_total(self) -> str:
        """The total of the charge categories; empty while one cannot be read."""
        fee = self.sheet.worth.fee
        return "" if fee is None else yuan(fee)

    def groups(self) -> tuple[Group, ...]:
        """The single fields: stay and bill, person, clinic, the interface's own."""
        forms = self.sheet.desk.forms
        parts: dict[str, list[str]] = {"三": [], "一": [], "二": []}
        for item in forms.layout:
            part = "三" if item.part[0] in "三四" else item.part[0]
            parts[part] += [name for name in item.code.split(" / ") if "." not in name]
        info = self.sheet.list.setlinfo
        known = [
            *forms.fields["setlinfo"],
            *(name for name in info if name not in forms.fields["setlinfo"]),
        ]
        placed = {name for names in parts.values() for name in names}
        stay = [*FIRST, *(name for name in parts["三"] if name not in FIRST)]
        rest = [name for name in known if name not in placed and name not in FIRST]
        partners = {partner for code, partner in NAME_OF.items() if code in info or code in placed}
        out = []
        for title, names in (
            ("住院与结算", stay),
            ("患者", parts["一"]),
            ("门诊慢特病", parts["二"]),
            ("接口其他字段", rest),
        ):
            wanted = [
                name
                for name in dict.fromkeys(names)
                if name in forms.fields["setlinfo"] or name in info
                if name not in _HIDDEN and name not in partners
            ]
            cells = [self.field(f"setlinfo.{name}") for name in wanted]
            first = set(FIRST)
            shown = tuple(
                c for c in cells if not c.blank or c.mark or c.path.partition(".")[2] in first
            )
            blanks = tuple(c for c in cells if c not in shown)
            if shown or blanks:
                out.append(Group(title, shown, blanks))
        cover = [self.field(f"cover.{name}") for name in (self.sheet.list.cover or {})]
        filled = tuple(cell for cell in cover if not cell.blank or cell.mark)
        if filled:
            out.append(Group("首页附加（不上传）", filled, ()))
        return tuple(out)

    def _kept(self, node: str, order: tuple[int, ...]) -> tuple[list[tuple[int, int]], int]:
        """(place, index) of the rows to show, and how many are left out."""
        limit = self.shown.get(node, ROWS_SHOWN)
        if len(order) <= limit:
            return list(enumerate(order)), 0
        marked = {path.partition("]")[0] for path in self.marks}
        wanted = self.also.partition("]")[0]
        kept: list[tuple[int, int]] = []
        for place, index in enumerate(order):
            key = f"{node}[{index}"
            if place < limit or key == wanted or (key in marked and len(kept) < limit * 2):
                kept.append((place, index))
        return kept, len(order) - len(kept)


def _name_only(cell: Cell) -> Cell:
    """People and coded words by name where nothing is wrong; the code is in the editor."""
    return replace(cell, code="") if cell.text and cell.mark in ("", "fixed") else cell


def _short_time(cell: Cell) -> Cell:
    """`2025-03-09 15:40:00` → `03-09 15:40`: the year is that of the stay."""
    text = cell.text
    return replace(cell, text=text[5:16]) if _WIRE_TIME.match(text) else cell


def _mark(items: list[tuple[Grade, str, str]]) -> Mark:
    worst = max((grade for grade, _, _ in items), key=lambda grade: _GRAVITY[grade])
    return Mark(worst, tuple(rule for _, rule, _ in items), tuple(text for _, _, text in items))


def _written(kind: Kind, value: str) -> str:
    """A value as people write it: money with separators, times to the minute."""
    if kind is Kind.TIME:
        return value[:16]
    if kind is Kind.MONEY:
        try:
            return yuan(fen_of(value))
        except ValueError:
            return value
    return value
