"""The order in which people read a list's diagnoses and procedures: the principal one first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dipgate.core.lists import SettlementList, text_of

RANK_FIELD: Mapping[str, str] = MappingProxyType(
    {"diseinfo": "maindiag_flag", "oprninfo": "oprn_oprt_type"}
)
"""node → field that marks the principal row with `1`; it belongs to the place, not to the row."""
TCM_KINDS = frozenset({"2", "3"})
"""`diag_type` of 中医主病 and 中医主证."""


def lines(lst: SettlementList, node: str) -> tuple[int, ...]:
    """Row indexes of a node as read: western principal, other western, then TCM diagnoses.

    The principal row is the first one marked so, else the first. Other nodes keep their order.
    """
    rows = lst.rows(node) or ()
    mark = RANK_FIELD.get(node)
    if mark is None:
        return tuple(range(len(rows)))
    tcm = {i for i, row in enumerate(rows) if text_of(row.get("diag_type")) in TCM_KINDS}
    plain = [i for i in range(len(rows)) if i not in tcm]
    first = next((i for i in plain if text_of(rows[i].get(mark)) == "1"), None)
    if first is not None:
        plain = [first, *(i for i in plain if i != first)]
    return (*plain, *sorted(tcm))


def line_above(lst: SettlementList, node: str, index: int) -> int | None:
    """The row that stands one line above and is of the same kind; None for a first line."""
    order = lines(lst, node)
    if node not in RANK_FIELD or index not in order:
        return None
    rows = lst.rows(node) or ()
    place = order.index(index)
    if place == 0:
        return None
    above = order[place - 1]
    same = (text_of(rows[above].get("diag_type")) in TCM_KINDS) == (
        text_of(rows[index].get("diag_type")) in TCM_KINDS
    )
    return above if same else None


def exchanged(lst: SettlementList, node: str, one: int, other: int) -> SettlementList:
    """Two rows change places; what marks the principal row stays where it is.

    Raises KeyError when a row does not exist or the node has no principal row.
    """
    mark = RANK_FIELD[node]
    rows = lst.rows(node) or ()
    if not (0 <= one < len(rows) and 0 <= other < len(rows)):
        raise KeyError(f"{node}[{one}]")
    for here, there in ((one, other), (other, one)):
        row = {name: value for name, value in rows[there].items() if name != mark}
        if mark in rows[here]:
            row[mark] = rows[here][mark]
        lst = lst.with_whole_row(node, here, row)
    return lst
