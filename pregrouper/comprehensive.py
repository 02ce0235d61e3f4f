"""Comprehensive groups: a category with a treatment class, where no group of its own fits.

Source: dip-grouping.md section 10.
"""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.codes import in_range, strip_marks
from dipgate.pregrouper.keys import categories_in
from dipgate.pregrouper.library import SURGERY, Group
from dipgate.pregrouper.notes import Notes
from dipgate.pregrouper.operations import Operations
from dipgate.pregrouper.plan import Plan


@dataclass(frozen=True, slots=True)
class Leftover:
    """`level_unknown`: rows are split by operation level, and the level is not known."""

    rows: tuple[Group, ...]
    level_unknown: bool = False
    how: str = ""
    """A clause for the trace, where something decided beside the key."""


NOTHING = Leftover(())


def comprehensive_rows(plan: Plan, dx: str, letter: str, ops: Operations, notes: Notes) -> Leftover:
    """Rows of the longest key (then of the narrowest range) that has the treatment class."""
    library = plan.library
    bare = strip_marks(dx)
    for function in plan.comprehensive_keys:
        for key in function(bare):
            rows = library.comprehensive.get((key, letter))
            if rows:
                return _of_level(rows, plan, letter, ops, notes)
    if not plan.policy.grouping.comprehensive.ranges:
        return NOTHING
    held = [
        item for item in library.ranges if item.treatment == letter and in_range(bare, item.dx_key)
    ]
    if not held:
        return NOTHING
    width = {item.dx_key: len(categories_in(item.dx_key)) for item in held}
    least = min(width.values())
    rows = tuple(item for item in held if width[item.dx_key] == least)
    return _of_level(rows, plan, letter, ops, notes)


def _of_level(
    rows: tuple[Group, ...], plan: Plan, letter: str, ops: Operations, notes: Notes
) -> Leftover:
    """Where surgery is split by level: the rows of the principal operation's, or none at all."""
    spec = plan.policy.grouping.comprehensive
    if not spec.level_split or letter != SURGERY:
        return Leftover(rows)
    levels = {item.row.op_level for item in rows if item.row.op_level is not None}
    if not levels:
        if len(rows) == 1:
            return Leftover(rows)
        notes.warn("W_MISSING_INPUT 综合手术病种按手术级别细分，目录没有手术级别")
        return Leftover(rows, level_unknown=True)
    facts = plan.rules.attributes.facts(ops.principal)
    if facts is None or facts.level is None:
        notes.warn(
            f"W_MISSING_INPUT 综合手术病种按手术级别细分，没有 {ops.principal} 的手术级别"
            "（op-dictionary）"
        )
        return Leftover(rows, level_unknown=True)
    mapped = (spec.level_map or {}).get(str(facts.level), str(facts.level))
    kept = tuple(item for item in rows if str(item.row.op_level) == str(mapped))
    tail = "" if kept else "，没有这一级"
    how = f"（{ops.principal} 为 {facts.level} 级手术，按 {mapped} 级{tail}）"
    return Leftover(kept, how=how)
