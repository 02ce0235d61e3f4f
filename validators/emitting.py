"""From a broken rule to its finding: place, value, message with the actual values, ways out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dipgate.core.findings import Finding, FindingStatus, Fix
from dipgate.core.lists import ROW_NODES, FieldPath, SettlementList, text_of
from dipgate.validators.language import need_reason
from dipgate.validators.metadata import RuleInfo
from dipgate.validators.reading import Missing

MAX_MESSAGE = 500
"""Characters of one message; a huge field must not make a huge report."""
MAX_VALUE = 200
_FIX = re.compile(
    r"(?P<safe>safe\s+)?(?:(?P<remove>remove\s+row)|set\s+(?P<field>[\w.]+)\s*=(?!=)\s*"
    r"(?P<value>.+?))(?:\s+when\s+(?P<when>.+))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class FixPlan:
    """One fix of the `fix` column. `target` is empty for `remove row`."""

    safe: bool
    target: str
    value: str
    when: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One compiled row (or one field of an `each` row) as findings need it."""

    info: RuleInfo
    node: str
    """Node of `for_each`; empty for case."""
    field: str
    """As in the `fields` column; the main one."""
    literals: tuple[str, ...]
    """The message around its placeholders: one more than there are placeholders."""
    fixes: tuple[FixPlan, ...]
    needs: tuple[str, ...]


def read_fixes(text: str) -> tuple[FixPlan, ...]:
    """`safe set F = X when C; remove row` → plans. Raises ValueError."""
    plans = []
    for piece in (piece.strip() for piece in text.split(";")):
        if not piece:
            continue
        found = _FIX.fullmatch(piece)
        if found is None:
            raise ValueError(
                "修正写成 set 字段 = 表达式 或 remove row，前面可加 safe，后面可加 when 条件"
            )
        plans.append(
            FixPlan(
                bool(found["safe"]),
                "" if found["remove"] else found["field"],
                found["value"] or "",
                found["when"] or "",
            )
        )
    return tuple(plans)


def read_message(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`住院 {act_ipt_days} 天` → literals and placeholders. Raises ValueError."""
    literals, placeholders = [""], []
    for piece in re.split(r"(\{[^{}]*\})", text):
        if piece.startswith("{") and piece.endswith("}"):
            placeholders.append(piece[1:-1].strip())
            literals.append("")
        elif "{" in piece or "}" in piece:
            raise ValueError("说明里的花括号不配对")
        else:
            literals[-1] += piece
    return tuple(literals), tuple(placeholders)


def plain(value: object) -> str:
    """A fix's value as wire text."""
    return f"{value:f}" if isinstance(value, Decimal) else text_of(value)


def again(seen: set[object], key: object) -> bool:
    """True when the key was seen before; remembers it."""
    if key in seen:
        return True
    seen.add(key)
    return False


class Emitter:
    """Makes the findings of one pack's row rules. Holds no state of a list."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._absent = [
            {need: not_checked(part.info, _place(part, None), need_reason(need))
             for need in part.needs}
            for part in parts
        ]  # fmt: skip

    def hit(
        self,
        out: list[Finding],
        lst: SettlementList,
        number: int,
        index: int,
        shown: tuple[str, ...] | None,
        fixes: tuple[str | None, ...],
    ) -> None:
        """A rule is broken at row `index` (−1: case). `shown` None: its values failed to show."""
        part = self._parts[number]
        info = part.info
        field = _place(part, index)
        place = FieldPath.parse(field)
        value = lst.get(field).strip() if place.name else ""
        pieces = shown if shown is not None else ("…",) * (len(part.literals) - 1)
        message = part.literals[0] + "".join(
            piece + literal for piece, literal in zip(pieces, part.literals[1:], strict=True)
        )
        out.append(
            Finding(
                info.id,
                info.severity,
                FindingStatus.FOUND,
                field,
                value[:MAX_VALUE],
                message[:MAX_MESSAGE],
                info.remedy,
                info.clause,
                self._fixes(part, lst, index, fixes),
            )
        )

    def _fixes(
        self, part: Part, lst: SettlementList, index: int, values: tuple[str | None, ...]
    ) -> tuple[Fix, ...]:
        found = []
        for plan, value in zip(part.fixes, values, strict=False):
            if value is None:
                continue
            if not plan.target:
                path = f"{part.node}[{index}]"
                found.append(Fix("remove_row", path, "", plan.safe, f"删除第 {index + 1} 行"))
                continue
            path = _place(replace(part, field=plan.target), index)
            if value and lst.get(path) != value:
                text = f"把{plan.label}改为“{value}”"
                found.append(Fix("set", path, value, plan.safe, text))
        return tuple(found)

    def absent(self, out: list[Finding], number: int, there: tuple[bool, ...]) -> None:
        """A node or look-up that the rule needs is not there."""
        for need, present in zip(self._parts[number].needs, there, strict=True):
            if not present:
                out.append(self._absent[number][need])
                return

    def lack(
        self, out: list[Finding], told: set[object], number: int, index: int, why: Missing
    ) -> None:
        """A value that the rule must compute with is not there. Told once per rule and list."""
        part = self._parts[number]
        if not again(told, part.info.id):
            out.append(not_checked(part.info, _place(part, index), why.reason))

    def broke(self, out: list[Finding], told: set[object], number: int, index: int) -> None:
        """The rule itself failed: the others are not affected. Told once per rule and list."""
        part = self._parts[number]
        if not again(told, part.info.id):
            out.append(failed(part.info, _place(part, index)))


def not_checked(info: RuleInfo, field: str, reason: str) -> Finding:
    return Finding(
        info.id,
        info.severity,
        FindingStatus.NOT_CHECKED,
        field,
        "",
        f"未检：{reason}"[:MAX_MESSAGE],
        "补齐后重新校验",
        info.clause,
    )


def too_early(info: RuleInfo, part: Part | None) -> Finding:
    """The rule does not hold yet on the list's day. `part`: its first row; None for a function."""
    field = info.fields[0] if part is None else _place(part, None)
    reason = f"规则自 {info.since.isoformat()} 起施行，早于此日的清单未检"
    remedy = "核对结算日期；确在施行日之前结算的，由人工审核"
    return replace(not_checked(info, field, reason), remedy=remedy)


def failed(info: RuleInfo, field: str) -> Finding:
    return not_checked(info, field, "执行失败，请把这条规则的编号报告给维护方")


def _place(part: Part, index: int | None) -> str:
    """List path of the part's field; None: the node as a whole."""
    head, _, tail = part.field.partition(".")
    if head in ("setl", "setlinfo"):
        return f"setlinfo.{tail}" if tail else "setlinfo"
    if head == "cover":
        return part.field
    if not part.node:
        return head if tail or head in _ROW_WORDS else f"setlinfo.{head}"
    row = part.node if index is None or index < 0 else f"{part.node}[{index}]"
    if head == part.node:
        return f"{row}.{tail}" if tail else row
    return f"{row}.{head}"


_ROW_WORDS = frozenset(("setlinfo", *ROW_NODES))
