"""What a form asks for, as changes of a list; and what was changed, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dipgate.core.errors import RecordError
from dipgate.core.findings import Fix
from dipgate.core.line_order import RANK_FIELD, TCM_KINDS
from dipgate.core.lists import FieldPath, SettlementList
from dipgate.core.record import Overlay
from dipgate.pipeline.forms import NODE_WORD
from dipgate.pipeline.typed import Typed, typed
from dipgate.store import overlays
from dipgate.web.case_problems import fixes_for
from dipgate.web.case_sheet import Sheet
from dipgate.web.filters import short_time

_NEW_ROWS: Mapping[str, Mapping[str, str]] = {
    "diseinfo": {"diag_type": "1", "diag_code": "", "diag_name": "", "adm_cond_type": ""},
    "oprninfo": {"oprn_oprt_code": "", "oprn_oprt_name": "", "oprn_oprt_begntime": ""},
}
"""Rows a person may add, with the fields they begin with."""
_RANKS: Mapping[str, tuple[str, str]] = {"diseinfo": ("1", "0"), "oprninfo": ("1", "2")}
"""node → mark of the principal row, mark of any other."""
_OPS = frozenset({"set", "remove_row", "move_up", "move_down"})
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Told:
    """One act in words."""

    act: overlays.Act
    texts: tuple[str, ...]


def asked_changes(sheet: Sheet, form: Mapping[str, str]) -> Typed:
    """The changes that a form asks for: a typed field, a proposed fix, or a row act.

    Nothing for a form without a path. Raises RecordError for what cannot be done.
    """
    path, op = form.get("path", ""), form.get("op", "")
    if not path:
        return Typed(())
    if op:
        return Typed(_row_or_fix(sheet, op, path, form.get("value", "")))
    return typed_changes(sheet, path, form.get("code", "") or form.get("q", ""))


def typed_changes(sheet: Sheet, path: str, text: str) -> Typed:
    """A text typed into a field, or into the first field of a row that is not there yet."""
    new = new_row(sheet.list, path)
    if new is None:
        return typed(sheet.desk, sheet.list, path, text)
    if not text.strip():
        return Typed(())
    place = FieldPath.parse(path)
    grown = sheet.list.with_row(place.node, new)
    read = typed(sheet.desk, grown, path, text)
    row = {**new, **{FieldPath.parse(fix.path).name: fix.value for fix in read.fixes}}
    value = json.dumps(row, ensure_ascii=False)
    return Typed((Fix("add_row", place.node, value),), read.note)


def new_row(lst: SettlementList, path: str) -> dict[str, str] | None:
    """The row that a path just behind the last one stands for; None for any other path."""
    try:
        place = FieldPath.parse(path)
    except ValueError:
        return None
    blank = _NEW_ROWS.get(place.node)
    rows = lst.rows(place.node) or () if blank else ()
    if blank is None or place.index != len(rows) or place.name not in blank:
        return None
    first, other = _RANKS[place.node]
    return {**blank, RANK_FIELD[place.node]: other if rows else first}


def row_reason(sheet: Sheet, op: str, path: str) -> str:
    """What a row act is saved with: the act itself, and the principal it makes."""
    place = sheet.place(path)
    if op == "remove_row":
        return f"删除{place}"
    node = FieldPath.parse(path).node
    order = sheet.lines[node]
    index = FieldPath.parse(path).index
    at = order.index(index) if index in order else -1
    moves_principal = (op == "move_up" and at == 1) or (op == "move_down" and at == 0)
    if moves_principal and len(order) > 1:
        code = "diag_code" if node == "diseinfo" else "oprn_oprt_code"
        word = "主要诊断" if node == "diseinfo" else "主要手术"
        was, now = (sheet.list.get(f"{node}[{i}].{code}") for i in order[:2])
        return f"{word}由 {was} 改为 {now}"
    return f"调整{NODE_WORD[node]}顺序"


def moved_to(sheet: Sheet, op: str, path: str) -> str:
    """Where a line stands after a move (its code's path); empty after any other act."""
    place = FieldPath.parse(path)
    order = sheet.lines.get(place.node, ())
    if place.index not in order:
        return ""
    at = order.index(place.index)
    step = {"move_up": -1, "move_down": 1}.get(op)
    if step is None:
        return ""
    code = "diag_code" if place.node == "diseinfo" else "oprn_oprt_code"
    there = order[min(max(at + step, 0), len(order) - 1)]
    return f"{place.node}[{there}].{code}"


def history(sheet: Sheet) -> tuple[Told, ...]:
    """Every act on the list, the newest first."""
    return tuple(
        Told(act, tuple(change_words(sheet, change) for change in act.changes))
        for act in reversed(sheet.acts)
    )


def change_words(sheet: Sheet, change: Overlay) -> str:
    """One correction: where, from what, to what. Lines are counted as they were then."""
    place = sheet.desk.forms.place(change.path)
    if change.op == "set":
        return f"{place}：{_cut(change.expect)} → {_cut(change.value)}"
    if change.op == "remove_row":
        return f"删除{place}"
    if change.op == "move_up":
        return f"{place} 上移一行"
    row = json.loads(change.value)
    said = " ".join(row.get(name, "") for name in row if name.endswith(("_code", "_name")))
    return f"添{place} {_cut(said)}"


def changed_since(sheet: Sheet, last: int) -> str:
    """Who changed the list after the act numbered `last`, and what; for a refused act."""
    new = [act for act in sheet.acts if act.number > last]
    if not new:
        return "有改动被撤回，或来源更新了。"
    parts = []
    for act in new[-3:]:
        texts = "；".join(change_words(sheet, change) for change in act.changes[:3])
        parts.append(f"{act.author} {short_time(act.made_at)} 改了{texts}（{act.reason}）")
    return "。".join(parts) + "。"


def _row_or_fix(sheet: Sheet, op: str, path: str, value: str) -> tuple[Fix, ...]:
    if op not in _OPS:
        raise RecordError("没有这种改法", remedy="刷新后再试")
    place = _place(path)
    if op == "set":
        return fixes_for(sheet, Fix("set", path, value))
    rows = sheet.list.rows(place.node) or ()
    if place.index is None or place.index >= len(rows):
        raise RecordError("清单上已没有这一行", remedy="刷新后再试")
    if op == "remove_row":
        return (*_heir(sheet, place), Fix("remove_row", f"{place.node}[{place.index}]"))
    if op == "move_up":
        return (Fix("move_up", path),)
    order: Sequence[int] = sheet.lines.get(place.node, ())
    at = order.index(place.index) if place.index in order else len(order)
    if at + 1 >= len(order):
        raise RecordError("已经是最后一行", remedy="")
    return (Fix("move_up", f"{place.node}[{order[at + 1]}]"),)


def _heir(sheet: Sheet, place: FieldPath) -> tuple[Fix, ...]:
    """When the principal row goes, the next of its kind becomes principal in the same act."""
    mark = RANK_FIELD.get(place.node)
    order = sheet.lines.get(place.node, ())
    if mark is None or len(order) < 2 or order[0] != place.index:
        return ()
    base = f"{place.node}[{order[1]}]"
    if sheet.list.get(f"{base}.diag_type") in TCM_KINDS:
        return ()
    first, _ = _RANKS[place.node]
    if sheet.list.get(f"{base}.{mark}") == first:
        return ()
    return (Fix("set", f"{base}.{mark}", first),)


def _place(path: str) -> FieldPath:
    try:
        return FieldPath.parse(path)
    except ValueError:
        raise RecordError("没有这个位置", remedy="刷新后再试") from None


def _cut(text: str) -> str:
    text = text or "空"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
