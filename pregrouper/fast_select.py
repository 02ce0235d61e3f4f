"""The selectors of selectors.py for the compiled loop: who stays among the candidates of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dipgate.pregrouper.fast_layout import (
    ABSENT,
    CLASS,
    CLOSEST_FEE,
    COMP_SURGERY_IF_UNMATCHED_SURGERY,
    CORE_FIRST,
    EXACT_COVER,
    EXTRA,
    KEEP,
    LAYER,
    LAYER_ORDER,
    MAIN_OP_IN_KEY,
    MATCHED,
    MAX_AND_TERMS,
    MAX_MATCHED_OPS,
    MAX_RELATED_MATCHED,
    MAX_SCORE,
    NO_FEE,
    RANK,
    RELATED,
    RELATED_END,
    REQUIRED,
    ROW,
    SCORE,
    SURGERY_MAX_SCORE,
    SURGICAL,
    TABLE_ORDER,
    compiled,
)

if TYPE_CHECKING:
    from dipgate.pregrouper.fast_layout import Ints, Longs


@compiled
def _count(bits: int) -> int:
    number = 0
    while bits != 0:
        bits &= bits - 1
        number += 1
    return number


@compiled
def _number(found: Longs, entry: int, name: int) -> int:
    if name == MAX_AND_TERMS:
        return int(found[entry, REQUIRED])
    if name == MAX_MATCHED_OPS:
        return _count(found[entry, MATCHED])
    return int(found[entry, EXTRA])


@compiled
def _by_number(found: Longs, size: int, rows: Ints, name: int) -> None:
    """Keep the core candidates with the largest number; others wait for the rank."""
    best = -1
    for entry in range(size):
        if rows[found[entry, ROW], LAYER] < 2:
            best = max(best, _number(found, entry, name))
    for entry in range(size):
        core = rows[found[entry, ROW], LAYER] < 2
        found[entry, KEEP] = not core or _number(found, entry, name) == best


@compiled
def _by_place(found: Longs, size: int, rows: Ints, places: Ints, by_class: bool) -> None:
    """Keep the candidates whose layer, or layer and class, stands first in the policy's list."""
    best = ABSENT
    for entry in range(size):
        place = rows[found[entry, ROW], LAYER]
        place = place * 4 + found[entry, CLASS] if by_class else place
        found[entry, KEEP] = places[place]
        best = min(best, places[place])
    for entry in range(size):
        found[entry, KEEP] = found[entry, KEEP] == best


@compiled
def _by_test(found: Longs, size: int, rows: Ints, name: int, whole: int) -> None:
    """Keep the core candidates that pass; all of them when none does."""
    kept = 0
    for entry in range(size):
        row = found[entry, ROW]
        if rows[row, LAYER] >= 2:
            continue
        if name == MAIN_OP_IN_KEY:
            good = found[entry, MATCHED] & 1 != 0
        elif name == EXACT_COVER:
            good = found[entry, MATCHED] == whole
        else:
            good = rows[row, RELATED_END] == rows[row, RELATED]
        found[entry, KEEP] = good
        kept += good
    if kept == 0:
        for entry in range(size):
            found[entry, KEEP] = 1


@compiled
def _by_fee(found: Longs, size: int, rows: Ints, fees: Longs, fee: int) -> None:
    """Keep the first core candidate whose mean fee is nearest."""
    best, nearest = -1, 0
    for entry in range(size):
        row = found[entry, ROW]
        if rows[row, LAYER] >= 2:
            continue
        if fees[row] == NO_FEE:
            return
        distance = abs(fee - fees[row])
        if best < 0 or distance < nearest:
            best, nearest = entry, distance
    for entry in range(size):
        found[entry, KEEP] = rows[found[entry, ROW], LAYER] >= 2 or entry == best


@compiled
def _by_best_score(found: Longs, size: int, rows: Ints) -> None:
    """Keep the highest score of all candidates, if each has one."""
    best, bare = -1, 0
    for entry in range(size):
        bare += rows[found[entry, ROW], SCORE] < 0
        best = max(best, rows[found[entry, ROW], SCORE])
    if bare == 0:
        for entry in range(size):
            found[entry, KEEP] = rows[found[entry, ROW], SCORE] == best


@compiled
def _by_core_score(found: Longs, size: int, rows: Ints, need_surgery: bool) -> None:
    """Keep the core candidates of the highest score, if each has one and one is surgical."""
    best, bare, surgeries = -1, 0, 0
    for entry in range(size):
        row = found[entry, ROW]
        if rows[row, LAYER] < 2:
            surgeries += found[entry, CLASS] == SURGICAL
            bare += rows[row, SCORE] < 0
            best = max(best, rows[row, SCORE])
    if bare > 0 or (need_surgery and surgeries == 0):
        return
    for entry in range(size):
        row = found[entry, ROW]
        found[entry, KEEP] = rows[row, LAYER] >= 2 or rows[row, SCORE] == best


@compiled
def _by_open_surgery(found: Longs, size: int, rows: Ints, cores: int, surgical: int) -> None:
    """Keep comprehensive surgery when every core candidate leaves a surgical operation out."""
    open_surgery = cores > 0
    for entry in range(size):
        if rows[found[entry, ROW], LAYER] < 2:
            open_surgery = open_surgery and surgical & ~found[entry, MATCHED] != 0
    if open_surgery:
        for entry in range(size):
            core = rows[found[entry, ROW], LAYER] < 2
            found[entry, KEEP] = not core and found[entry, CLASS] == SURGICAL


@compiled
def _by_table(found: Longs, size: int) -> None:
    best = found[0, ROW]
    for entry in range(size):
        best = min(best, found[entry, ROW])
    for entry in range(size):
        found[entry, KEEP] = found[entry, ROW] == best


@compiled
def select_one(
    found: Longs,
    size: int,
    name: int,
    rows: Ints,
    fees: Longs,
    places: Ints,
    ranks: Ints,
    whole: int,
    surgical: int,
    fee: int,
) -> None:
    """Fill KEEP as one selector would; keeping none or all means that it decides nothing."""
    cores = 0
    for entry in range(size):
        found[entry, KEEP] = 1
        cores += rows[found[entry, ROW], LAYER] < 2
    if name == LAYER_ORDER:
        _by_place(found, size, rows, places, False)
    elif name == RANK:
        _by_place(found, size, rows, ranks, True)
    elif name == CORE_FIRST:
        if 0 < cores < size:
            for entry in range(size):
                found[entry, KEEP] = rows[found[entry, ROW], LAYER] < 2
    elif name == TABLE_ORDER:
        _by_table(found, size)
    elif name == COMP_SURGERY_IF_UNMATCHED_SURGERY:
        _by_open_surgery(found, size, rows, cores, surgical)
    elif cores == 0:
        if name == MAX_SCORE:
            _by_best_score(found, size, rows)
    elif name == MAX_SCORE or name == SURGERY_MAX_SCORE:
        _by_core_score(found, size, rows, name == SURGERY_MAX_SCORE)
    elif name == MAX_AND_TERMS or name == MAX_MATCHED_OPS or name == MAX_RELATED_MATCHED:
        _by_number(found, size, rows, name)
    elif name == CLOSEST_FEE:
        if fee != NO_FEE:
            _by_fee(found, size, rows, fees, fee)
    else:
        _by_test(found, size, rows, name, whole)
