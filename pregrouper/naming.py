"""What a group is called on screens and in files."""

from __future__ import annotations

from dipgate.core.library import LibraryRow
from dipgate.pregrouper.national_conditions import EVERY_DIAGNOSIS


def name_of(row: LibraryRow, label: str, treatment: str) -> str:
    """`急性阑尾炎：腹腔镜下阑尾切除术 + 肠粘连松解术`, or with the treatment of a whole class.

    The library's own name of a group comes first; of a list of choices (`A|B|C`) the first is
    named: `A等`. `label` is that of the row's condition, `treatment` its class in words.
    """
    if row.group_name:
        return _labelled(row.group_name, label)
    names = [_first(name) for name in (row.main_op_names, row.other_op_names) if name]
    tail = " + ".join(names) or treatment
    # 所有诊断 says nothing of a group that is named by what was done.
    head = "" if row.dx_name == EVERY_DIAGNOSIS and tail else _first(row.dx_name)
    name = f"{head}：{tail}" if head and tail else head or tail
    return _labelled(name, label)


def _labelled(name: str, label: str) -> str:
    return f"{name}（{label}）" if label else name


def _first(names: str) -> str:
    first, more, _ = names.partition("|")
    return f"{first.strip()}等" if more else names
