"""The compiled loop of the `[fast]` extra: coded cases in, the number of an outcome per case out.

Written for numba: integers and few arrays, for each one that is passed on costs a count of its
owners. It repeats matching.py, selectors.py and the engine's
order of layers for local libraries with exact operation codes; whatever it cannot decide it leaves
to the plain engine (`UNDECIDED`). Two cases share an outcome when everything that a result says
besides matched and unmatched operations must be the same for both; `_mixed` numbers what decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dipgate.pregrouper.fast_layout import (
    ABSENT,
    BEST,
    CLASS,
    CLOSEST_FEE,
    CONSERVATIVE,
    CORE_FIRST,
    DX_BUCKETS,
    DX_BUCKETS_END,
    DX_COMP,
    DX_FLAG,
    DX_FLOOR,
    EXCLUDED,
    EXTRA,
    FLOOR,
    KEEP,
    LAYER,
    LETTER,
    LOOK,
    MAIN,
    MAIN_END,
    MANY,
    MATCHED,
    MAX_CANDIDATES,
    MAX_OPS,
    MEMBERS,
    MEMBERS_END,
    NO_EFFECT,
    NO_FEE,
    NO_LETTER,
    NORMAL,
    OF_EACH,
    OF_PRINCIPAL,
    ONE,
    OP,
    OP_FINAL,
    OP_LETTER,
    OP_USE,
    OPS,
    OPS_END,
    OTHER,
    PART,
    PART_END,
    PART_EXTRA,
    PART_LETTER,
    PLAIN,
    PLAIN_END,
    REJECTED,
    RELATED,
    RELATED_END,
    REQUIRED,
    ROW,
    SINGLE,
    SKIP,
    STOP,
    STOPPED,
    SURGICAL,
    UNDECIDED,
    USE,
    Answers,
    Cases,
    Rules,
    Tables,
    compiled,
)
from dipgate.pregrouper.fast_select import select_one

if TYPE_CHECKING:
    from dipgate.pregrouper.fast_layout import Hashes, Ints, Longs


@compiled
def _mixed(hashed: np.uint64, number: int) -> np.uint64:
    hashed = (hashed ^ np.uint64(number)) * np.uint64(0x9E3779B97F4A7C15)
    return hashed ^ (hashed >> np.uint64(29))


@compiled
def _meets_all(part: int, parts: Ints, keys: Ints, mine: Ints, begin: int, count: int) -> bool:
    """True when every operation of an alternative is among those of the case."""
    for at in range(parts[part, PART], parts[part, PART_END]):
        wanted = keys[at]
        found = False
        for place in range(begin, count):
            if mine[place] == wanted:
                found = True
                break
        if not found:
            return False
    return True


@compiled
def _holds(part: int, parts: Ints, keys: Ints, code: int) -> bool:
    for at in range(parts[part, PART], parts[part, PART_END]):
        if keys[at] == code:
            return True
    return False


@compiled
def _bits(part: int, parts: Ints, keys: Ints, mine: Ints, count: int) -> int:
    """Operations of the case that an alternative names."""
    found = 0
    for place in range(count):
        if _holds(part, parts, keys, mine[place]):
            found |= 1 << place
    return found


@compiled
def _place(entries: Ints, low: int, high: int, wanted: int) -> int:
    """The entry of an operation in the sorted stretch, or -1."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if entries[middle, OP] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < end and entries[low, OP] == wanted else -1


@compiled
def _add(found: Longs, size: int, row: int, letter: int) -> None:
    found[size, ROW], found[size, CLASS] = row, letter
    found[size, BEST], found[size, OTHER] = -1, -1
    found[size, REQUIRED], found[size, EXTRA], found[size, MATCHED] = 0, 0, 0


@compiled
def _satisfied(
    found: Longs,
    size: int,
    row: int,
    rows: Ints,
    parts: Ints,
    keys: Ints,
    mine: Ints,
    count: int,
    first: int,
    related_apart: bool,
    case_type: int,
) -> int:
    """Add the row when the case satisfies it; the new number of candidates."""
    best, longest = -1, 0
    for part in range(rows[row, MAIN], rows[row, MAIN_END]):
        length = parts[part, PART_END] - parts[part, PART]
        if length <= longest or (related_apart and not _holds(part, parts, keys, mine[0])):
            continue
        if _meets_all(part, parts, keys, mine, 0, count):
            best, longest = part, length
    if best < 0:
        return size
    other, more = -1, 0
    if related_apart and rows[row, RELATED_END] > rows[row, RELATED]:
        for part in range(rows[row, RELATED], rows[row, RELATED_END]):
            length = parts[part, PART_END] - parts[part, PART]
            if length > more and _meets_all(part, parts, keys, mine, 1, count):
                other, more = part, length
        if other < 0:
            return size
    letter = rows[row, LETTER]
    if letter < 0:
        letter = parts[best, PART_LETTER]
        if case_type == OF_PRINCIPAL:
            if _holds(best, parts, keys, mine[0]):
                letter = first
        elif other >= 0:
            letter = min(letter, parts[other, PART_LETTER])
        if letter == NO_LETTER:
            letter = CONSERVATIVE
    matched, extra = _bits(best, parts, keys, mine, count), 0
    if other >= 0:
        matched |= _bits(other, parts, keys, mine, count)
        extra = parts[other, PART_EXTRA]
    found[size, ROW], found[size, CLASS] = row, letter
    found[size, BEST], found[size, OTHER] = best, other
    found[size, REQUIRED], found[size, EXTRA] = longest + more, extra
    found[size, MATCHED] = matched
    return size + 1


@compiled
def _gathered(
    found: Longs,
    low: int,
    high: int,
    entries: Ints,
    members: Ints,
    mine: Ints,
    count: int,
    seen: Longs,
    stamp: int,
) -> int:
    """Rows that any operation of the case asks for, in table order, into `found[:, KEEP]`."""
    held = 0
    for place in range(count):
        at = _place(entries, low, high, mine[place])
        if at < 0:
            continue
        for member in range(entries[at, MEMBERS], entries[at, MEMBERS_END]):
            row = members[member]
            if seen[row] == stamp:
                continue
            seen[row] = stamp
            if held >= MAX_CANDIDATES:
                return -1
            spot = held
            while spot > 0 and found[spot - 1, KEEP] > row:
                found[spot, KEEP] = found[spot - 1, KEEP]
                spot -= 1
            found[spot, KEEP] = row
            held += 1
    return held


@compiled
def _move(found: Longs, source: int, target: int) -> None:
    if source != target:
        for column in range(KEEP):
            found[target, column] = found[source, column]


@compiled
def _number_of(hashed: np.uint64, known: int, slots: Hashes) -> int:
    """The number of an outcome; `known`, the next free one, when it is new."""
    if hashed == np.uint64(0):
        hashed = np.uint64(1)
    last = np.uint64(len(slots) - 1)
    slot = hashed & last
    while slots[slot, 0] != np.uint64(0) and slots[slot, 0] != hashed:
        slot = (slot + np.uint64(1)) & last
    if slots[slot, 0] == np.uint64(0):
        slots[slot, 0] = hashed
        slots[slot, 1] = np.uint64(known)
    return int(slots[slot, 1])


@compiled
def group_all(
    cases: Cases,
    rules: Rules,
    tables: Tables,
    slots: Hashes,
    answers: Answers,
    seen: Longs,
    known: int,
) -> int:
    """Group coded cases; returns the number of outcomes known afterwards."""
    dx_of, offsets, ops, fee_of = cases.dx, cases.offsets, cases.ops, cases.fee
    context_of, stop, dx_facts = cases.context, cases.stop, cases.dx_facts
    dx_buckets, comp_rows, op_facts = cases.dx_buckets, cases.comp_rows, cases.op_facts
    rows, fees, parts, keys = tables.rows, tables.fees, tables.parts, tables.keys
    buckets, entries, members = tables.buckets, tables.entries, tables.members
    select, places, ranks = rules.select, rules.layer_place, rules.rank
    related_apart, case_type = rules.related_apart, rules.case_type
    outcome_of, matched_of, fresh = answers.outcome, answers.matched, answers.fresh
    mine = np.empty(MAX_OPS + 1, np.int32)
    letters = np.empty(MAX_OPS + 1, np.int32)
    found = np.empty((2 * MAX_CANDIDATES, KEEP + 1), np.int64)
    begin_known, stamp = known, seen[-1]
    for case in range(len(dx_of)):
        outcome_of[case], matched_of[case] = UNDECIDED, 0
        dx, context, chosen = dx_of[case], context_of[case], -1
        if context < 0 or stop[context] == LOOK:
            continue
        kind, hashed = NORMAL, np.uint64(1)
        count, highest, plain, multiple, surgical, whole = 0, NO_LETTER, True, False, 0, 0
        if dx < 0:
            kind = REJECTED
        elif stop[context] == STOP:
            kind, hashed = STOPPED, _mixed(np.uint64(context + 2), 5_000_011)
        else:
            flag = dx_facts[dx, DX_FLAG]
            hashed = _mixed(np.uint64(context + 2), flag)
            if flag != NORMAL and flag != EXCLUDED:
                hashed = _mixed(hashed, dx)
            if flag == EXCLUDED or flag == REJECTED:
                kind = flag
        if kind == NORMAL:
            # Operations: unknown ones set aside, repeats collapsed.
            for at in range(offsets[case], offsets[case + 1]):
                op = ops[at]
                use = op_facts[op, OP_USE]
                if use != USE:
                    hashed = _mixed(hashed, op)
                    if use == SKIP:
                        continue
                letter = op_facts[op, OP_LETTER]
                op = op_facts[op, OP_FINAL]
                again = False
                for place in range(count):
                    if mine[place] == op:
                        again = True
                        break
                if again:
                    continue
                if count >= MAX_OPS:
                    count = MAX_OPS + 1
                    break
                mine[count], letters[count] = op, letter
                if letter == NO_LETTER:
                    multiple = multiple or case_type != OF_PRINCIPAL or count == 0
                else:
                    highest = min(highest, letter)
                if letter == SURGICAL:
                    surgical |= 1 << count
                whole |= 1 << count
                plain = plain and letter == CONSERVATIVE
                multiple = multiple or (case_type == OF_EACH and letter != letters[0])
                count += 1
            if count > MAX_OPS:
                continue
            first = treatment = CONSERVATIVE
            if count:
                first = letters[0]
                treatment = first if case_type == OF_PRINCIPAL else highest
                hashed = _mixed(hashed, mine[0] if first == CONSERVATIVE else 2_000_000_011)
            # Candidates: the first key with any, then the comprehensive groups.
            size = 0
            for at in range(dx_facts[dx, DX_BUCKETS], dx_facts[dx, DX_BUCKETS_END]):
                bucket = dx_buckets[at]
                low, high = buckets[bucket, OPS], buckets[bucket, OPS_END]
                if related_apart and count and low < high:
                    entry = _place(entries, low, high, mine[0])
                    if entry >= 0:
                        begin, end = entries[entry, MEMBERS], entries[entry, MEMBERS_END]
                        if end - begin > MAX_CANDIDATES:
                            size = -1
                            break
                        for member in range(begin, end):
                            row = members[member]
                            if rows[row, SINGLE]:
                                # Filed under its one operation: satisfied by being found.
                                letter = rows[row, LETTER]
                                if letter < 0:
                                    part = parts[rows[row, MAIN], PART_LETTER]
                                    letter = first if case_type == OF_PRINCIPAL else part
                                    letter = min(letter, CONSERVATIVE)
                                found[size, ROW], found[size, CLASS] = row, letter
                                found[size, BEST], found[size, OTHER] = rows[row, MAIN], -1
                                found[size, REQUIRED], found[size, EXTRA] = 1, 0
                                found[size, MATCHED] = 1
                                size += 1
                                continue
                            size = _satisfied(
                                found,
                                size,
                                row,
                                rows,
                                parts,
                                keys,
                                mine,
                                count,
                                first,
                                True,
                                case_type,
                            )
                elif count and low < high:
                    stamp += 1
                    held = _gathered(found, low, high, entries, members, mine, count, seen, stamp)
                    if held < 0:
                        size = -1
                        break
                    for entry in range(held):
                        size = _satisfied(
                            found,
                            size,
                            found[entry, KEEP],
                            rows,
                            parts,
                            keys,
                            mine,
                            count,
                            first,
                            False,
                            case_type,
                        )
                if size == 0 and plain:
                    begin, end = buckets[bucket, PLAIN], buckets[bucket, PLAIN_END]
                    if end - begin > MAX_CANDIDATES:
                        size = -1
                        break
                    for member in range(begin, end):
                        letter = rows[members[member], LETTER]
                        letter = letter if letter >= 0 else CONSERVATIVE
                        _add(found, size, members[member], letter)
                        size += 1
                if rules.unused_layers:
                    kept = 0
                    for entry in range(size):
                        if places[rows[found[entry, ROW], LAYER]] != ABSENT:
                            _move(found, entry, kept)
                            kept += 1
                    size = kept
                if size:
                    break
            if size < 0 or (multiple and size == 0 and rules.comprehensive):
                continue
            cores = size
            if rules.comprehensive and not multiple:
                begin = dx_facts[dx, DX_COMP + 2 * treatment]
                end = dx_facts[dx, DX_COMP + 2 * treatment + 1]
                several = end - begin > 1 and treatment == SURGICAL
                if end - begin > MAX_CANDIDATES or (rules.level_split and several):
                    continue
                for at in range(begin, end):
                    _add(found, size, comp_rows[at], rows[comp_rows[at], LETTER])
                    size += 1
            # One after the other the selectors say who stays.
            for index in range(len(select)):
                name = select[index]
                if size <= 1:
                    break
                if name == NO_EFFECT or (name == CORE_FIRST and size == cores):
                    continue
                fee = fee_of[case]
                if name == CLOSEST_FEE:
                    hashed = _mixed(hashed, 7_000_001)
                    fee = fee if fee == NO_FEE else fee * rules.fee_scale
                select_one(found, size, name, rows, fees, places, ranks, whole, surgical, fee)
                kept = 0
                for entry in range(size):
                    kept += found[entry, KEEP]
                if kept == 0 or kept == size:
                    continue
                kept = 0
                for entry in range(size):
                    if found[entry, KEEP]:
                        _move(found, entry, kept)
                        kept += 1
                    else:
                        hashed = _mixed(hashed, (found[entry, ROW] + 1) * 32 + index)
                size = kept
            if size == 0:
                kind = FLOOR
                hashed = _mixed(_mixed(hashed, FLOOR), dx_facts[dx, DX_FLOOR])
            elif size == 1:
                kind, chosen = ONE, found[0, ROW]
                matched_of[case] = found[0, MATCHED]
                hashed = _mixed(_mixed(hashed, ONE), chosen * 4 + found[0, CLASS])
                hashed = _mixed(_mixed(hashed, found[0, BEST] + 1), found[0, OTHER] + 1)
            else:
                kind, hashed = MANY, _mixed(hashed, MANY)
                for entry in range(size):
                    hashed = _mixed(hashed, found[entry, ROW])
        number = _number_of(hashed, known, slots)
        outcome_of[case] = number
        if number == known:
            place = known - begin_known
            fresh[place, 0], fresh[place, 1], fresh[place, 2] = case, chosen, kind
            known += 1
    seen[-1] = stamp
    return known


@compiled
def fill_again(old: Hashes, new: Hashes) -> None:
    """Move outcomes into a larger table: hash and number side by side."""
    last = np.uint64(len(new) - 1)
    for at in range(len(old)):
        hashed = old[at, 0]
        if hashed == np.uint64(0):
            continue
        slot = hashed & last
        while new[slot, 0] != np.uint64(0):
            slot = (slot + np.uint64(1)) & last
        new[slot, 0], new[slot, 1] = hashed, old[at, 1]
