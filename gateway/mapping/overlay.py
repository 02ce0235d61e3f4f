"""Corrections laid over a mapped list, in the order they were made; nothing below is edited."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from dipgate.core.hashing import content_hash
from dipgate.core.line_order import RANK_FIELD, exchanged, line_above
from dipgate.core.lists import FieldPath, SettlementList, text_of
from dipgate.core.record import Origin, Overlay
from dipgate.mapping.result import MappedCase, OverlayConflict, Unmapped

P = TypeVar("P", Origin, Unmapped)
COUNT_FIELD = {"diseinfo": "diag_code_cnt", "oprninfo": "oprn_oprt_code_cnt"}
"""node → setlinfo field that counts its rows; it follows when rows come or go."""


class _Conflict(Exception):
    """(what is wrong, what was found)."""


def expectation(lst: SettlementList, op: str, path: str) -> str:
    """What an overlay made now must put into `expect`, so that it never hits another value.

    `set`: the value at the path. `remove_row`: the hash of the row. `add_row`: the count of rows.
    `move_up`: the hash of the row and of the one above. Raises KeyError when the place does not
    exist, or nothing stands above it.
    """
    place = FieldPath.parse(path)
    if op == "set":
        lst.with_value(path, "")
        return lst.get(path)
    rows = lst.rows(place.node) or ()
    if op == "add_row":
        return str(len(rows))
    if place.index is None or place.index >= len(rows):
        raise KeyError(path)
    row = {name: text_of(value) for name, value in rows[place.index].items()}
    if op == "move_up":
        above = rows[_above(lst, place)]
        return content_hash([{name: text_of(value) for name, value in above.items()}, row])
    return content_hash(row)


def changed(lst: SettlementList, op: str, path: str, value: str) -> SettlementList:
    """The list after one change: what an overlay with this content would make of it.

    Raises KeyError when the place does not exist, ValueError for an unknown `op`, a path that is
    none, or a row that is not an object of texts.
    """
    place = FieldPath.parse(path)
    if op == "set":
        return lst.with_value(path, value)
    if op == "remove_row":
        return _recounted(lst.without_row(path), lst, place.node)
    if op == "add_row":
        return _recounted(lst.with_row(place.node, row_of(value)), lst, place.node)
    if op == "move_up":
        return exchanged(lst, place.node, _above(lst, place), place.index or 0)
    raise ValueError(f"不认识的更正方式 {op}")


def row_of(value: str) -> dict[str, str]:
    """The row that an `add_row` brings. Raises ValueError unless it is an object of texts."""
    try:
        row = json.loads(value)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not all(isinstance(item, str) for item in row.values()):
        raise ValueError("新增行的内容不是 {字段: 文本} 的 JSON 对象")
    return row


def apply_overlays(
    lst: SettlementList,
    origins: Mapping[str, Origin],
    unmapped: Mapping[str, Unmapped],
    overlays: Sequence[Overlay],
) -> MappedCase:
    """The list with every overlay whose `expect` still holds; the others as conflicts."""
    found = dict(origins)
    waiting = dict(unmapped)
    conflicts: list[OverlayConflict] = []
    for overlay in sorted(overlays, key=lambda item: item.number):
        try:
            lst = _applied(lst, overlay, found, waiting)
        except _Conflict as conflict:
            what, value = conflict.args
            conflicts.append(
                OverlayConflict(overlay.number, overlay.path, overlay.expect, value, what)
            )
    return MappedCase(lst, tuple(found.values()), tuple(waiting.values()), tuple(conflicts))


def _applied(
    lst: SettlementList,
    overlay: Overlay,
    origins: dict[str, Origin],
    unmapped: dict[str, Unmapped],
) -> SettlementList:
    try:
        place = FieldPath.parse(overlay.path)
        current = expectation(lst, overlay.op, overlay.path)
    except (KeyError, ValueError):
        raise _Conflict("更正所指的位置已不存在", "") from None
    agreed = overlay.op == "set" and current == overlay.value
    if not agreed and current != overlay.expect and (overlay.expect or overlay.op == "set"):
        raise _Conflict(_DRIFTED.get(overlay.op, "来源已经变化，更正未应用"), current)
    try:
        after = changed(lst, overlay.op, overlay.path, overlay.value)
    except (KeyError, ValueError) as error:
        raise _Conflict(str(error), "") from None
    if overlay.op == "set":
        _set_origin(origins, overlay.path, overlay.value, overlay)
        unmapped.pop(overlay.path, None)
    elif overlay.op == "remove_row":
        _drop_row(origins, place)
        _drop_row(unmapped, place)
    elif overlay.op == "add_row":
        index = len(lst.rows(place.node) or ())
        for name, value in row_of(overlay.value).items():
            _set_origin(origins, f"{place.node}[{index}].{name}", value, overlay)
    else:
        above = _above(lst, place)
        _exchange(origins, place, above, overlay)
        _exchange_unmapped(unmapped, place, above)
    count = COUNT_FIELD.get(place.node)
    if count and after.setlinfo.get(count) != lst.setlinfo.get(count):
        path = f"setlinfo.{count}"
        _set_origin(origins, path, after.get(path), overlay)
    return after


_DRIFTED = {
    "set": "来源的值已经变化，更正未应用",
    "remove_row": "来源的这一行已经变化，更正未应用",
    "add_row": "来源的行数已经变化，更正未应用",
    "move_up": "来源的这两行已经变化，更正未应用",
}


def _above(lst: SettlementList, place: FieldPath) -> int:
    above = None if place.index is None else line_above(lst, place.node, place.index)
    if above is None:
        raise KeyError(str(place))
    return above


def _recounted(after: SettlementList, before: SettlementList, node: str) -> SettlementList:
    """The row count follows, unless it was something else already (that is for a person)."""
    name = COUNT_FIELD.get(node)
    if not name or text_of(before.setlinfo.get(name)) != str(len(before.rows(node) or ())):
        return after
    return after.with_value(f"setlinfo.{name}", str(len(after.rows(node) or ())))


def _set_origin(origins: dict[str, Origin], path: str, value: str, overlay: Overlay) -> None:
    before = origins.get(path, Origin(path, value))
    origins[path] = replace(
        before,
        value=value,
        steps=(*before.steps, f"更正 #{overlay.number}"),
        overlay=overlay.number,
    )


def _exchange(origins: dict[str, Origin], place: FieldPath, above: int, overlay: Overlay) -> None:
    """What is known of two rows changes places; the mark of the principal row stays."""
    moved = _exchanged_paths(origins, place, above)
    for old, item in [(path, origins.pop(path)) for path in moved]:
        step = f"更正 #{overlay.number}"
        origins[moved[old]] = replace(
            item, path=moved[old], steps=(*item.steps, step), overlay=overlay.number
        )


def _exchange_unmapped(held: dict[str, Unmapped], place: FieldPath, above: int) -> None:
    moved = _exchanged_paths(held, place, above)
    for old, item in [(path, held.pop(path)) for path in moved]:
        held[moved[old]] = replace(item, path=moved[old])


def _exchanged_paths(held: Mapping[str, object], place: FieldPath, above: int) -> dict[str, str]:
    one, other = f"{place.node}[{place.index}].", f"{place.node}[{above}]."
    moved = {}
    for path in held:
        for here, there in ((one, other), (other, one)):
            if path.startswith(here) and path[len(here) :] != RANK_FIELD.get(place.node):
                moved[path] = there + path[len(here) :]
    return moved


def _drop_row(held: dict[str, P], place: FieldPath) -> None:
    """Forget one row's paths and move the later rows of the node up by one."""
    pattern = re.compile(rf"^{place.node}\[(\d+)\]\.(.+)$")
    moved: dict[str, P] = {}
    for path, item in list(held.items()):
        match = pattern.match(path)
        index = int(match[1]) if match else -1
        if match is None or place.index is None or index < place.index:
            moved[path] = item
        elif index > place.index:
            new = f"{place.node}[{index - 1}].{match[2]}"
            moved[new] = replace(item, path=new)
    held.clear()
    held.update(moved)
