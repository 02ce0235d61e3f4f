"""Rows of a diagnosis key that a case does not meet, and why, in a few words for its trace."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dipgate.core.grouping import Layer
from dipgate.core.grouping_words import LAYER_WORDS
from dipgate.pregrouper.expressions import Alternatives
from dipgate.pregrouper.library import Bucket, Group, Library
from dipgate.pregrouper.matching import meets
from dipgate.pregrouper.operations import Operations
from dipgate.pregrouper.selectors import Candidate

MOST = 10
"""How many are named; the rest are counted."""


def bounded(names: Sequence[str], in_all: int = 0) -> tuple[str, ...]:
    """The first ten, then how many there are in all (`in_all`, where fewer were named)."""
    count = in_all or len(names)
    return tuple(names) if count <= MOST else (*names[:MOST], f"等 {count} 个")


def unmet_rows(
    bucket: Bucket,
    found: Sequence[Candidate],
    ops: Operations,
    library: Library,
    layers: Collection[Layer | str],
) -> tuple[str, ...]:
    """Each row of the key that is not among `found`, with the reason behind it."""
    met = {item.group.order for item in found}
    rows = [item for item in bucket.groups if item.order not in met]
    return reasons(rows, ops, library, layers)


def reasons(
    rows: Sequence[Group], ops: Operations, library: Library, layers: Collection[Layer | str]
) -> tuple[str, ...]:
    """Rows that are not met, each with what it lacks."""
    named = [f"{item.code}（{_why(item, ops, library, layers)}）" for item in rows[:MOST]]
    return bounded(named, len(rows))


def _why(item: Group, ops: Operations, library: Library, layers: Collection[Layer | str]) -> str:
    if item.layer not in layers:
        return f"政策不用{LAYER_WORDS[item.layer]}"
    if item.conservative:
        return "有带手术的病种先满足" if ops.conservative else "病例不是保守治疗"
    lacking = _lacking(item.main, ops.codes, library.short_codes)
    if lacking:
        return f"缺少手术 {lacking}"
    by_principal = library.principal_related or item.layer is Layer.BASE
    if by_principal and not any(
        meets(ops.principal, key, library.short_codes) for part in item.main for key in part
    ):
        return "主要手术不在其中"
    rest = ops.codes[1:] if by_principal else ops.codes
    lacking = _lacking(item.related, rest, library.short_codes)
    return f"缺少相关手术 {lacking}" if lacking else "病例的其他条件不满足"


def _lacking(parts: Alternatives, codes: Sequence[str], short: int) -> str:
    """What the nearest alternative lacks; empty when one is whole or none is asked for."""
    lacks = [
        sorted(key for key in part if not any(meets(code, key, short) for code in codes))
        for part in parts
    ]
    nearest = min(lacks, key=len, default=[])
    return "+".join(nearest)
