"""How cases, libraries and policies stand in numbers for the compiled loop (extra `[fast]`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int32]
    Longs = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Machine code at the first call; nothing is written beside the program."""
    return cast(F, numba.njit(nogil=True, error_model="numpy")(function))


UNDECIDED = -1
GO_ON, LOOK, STOP = 0, 1, 2
"""What a context means for its cases; stopped are those routed out of DIP, and broken ones."""
MAX_OPS = 62
MAX_CANDIDATES = 512
NO_FEE = -(2**62)

SURGICAL, CONSERVATIVE, NO_LETTER = 0, 3, 4
"""Letters are numbers: S 0, T 1, D 2, N 3, not known 4."""
SKIP, USE, USE_AND_WARN = 0, 1, 2
NORMAL, EXCLUDED, REJECTED, WARNED = 0, 1, 2, 3
"""What a diagnosis is: usable, on the exclusion list, refused as unknown, used with a warning."""
FLOOR, ONE, MANY, STOPPED = 11, 12, 13, 14
"""How a case that is grouped at all ends."""
DX_FLAG, DX_BUCKETS, DX_BUCKETS_END, DX_FLOOR, DX_COMP = 0, 1, 2, 3, 4
"""Columns of `Diagnoses.facts`; from DX_COMP on a begin and an end for each of S, T, D, N."""
DX_WIDTH = 12
OP_LETTER, OP_USE, OP_FINAL = 0, 1, 2
OP_WIDTH = 3
MAX_OF_ALL, OF_PRINCIPAL, OF_EACH = 0, 1, 2
ABSENT = 99
"""Place of a layer or class that the policy does not name."""
LAYER, LETTER, SCORE, MAIN, MAIN_END, RELATED, RELATED_END, SINGLE = range(8)
"""Columns of `Tables.rows`. LETTER is -1 where the row does not say; SCORE is a rank, -1: none.

SINGLE: the row asks for one principal operation and nothing else.
"""
PART, PART_END, PART_LETTER, PART_EXTRA = range(4)
"""Columns of `Tables.parts`: the alternatives of the rows' keys.

PART_LETTER is the class of an alternative (the highest of its operations, or its first one's);
PART_EXTRA counts operations of a related one that no principal alternative of the row names.
"""
OPS, OPS_END, PLAIN, PLAIN_END = range(4)
"""Columns of `Tables.buckets`: entries by operation, conservative rows."""
OP, MEMBERS, MEMBERS_END = range(3)
"""Columns of `Tables.entries`: an operation, and the rows that ask for it."""
ROW, BEST, OTHER, CLASS, REQUIRED, EXTRA, MATCHED, KEEP = range(8)
"""Columns of the candidates of a case."""

(
    LAYER_ORDER,
    CORE_FIRST,
    MAIN_OP_IN_KEY,
    EXACT_COVER,
    MAX_AND_TERMS,
    MAX_MATCHED_OPS,
    MAX_RELATED_MATCHED,
    PRINCIPAL_ONLY_ROW,
    SURGERY_MAX_SCORE,
    MAX_SCORE,
    CLOSEST_FEE,
    COMP_SURGERY_IF_UNMATCHED_SURGERY,
    RANK,
    TABLE_ORDER,
    NO_EFFECT,
) = range(15)


class Rules(NamedTuple):
    """The policy in numbers."""

    related_apart: bool
    """Position 1 decides, others are related (`op_roles: principal_related`)."""
    comprehensive: bool
    level_split: bool
    unused_layers: bool
    """Has the library core or basic groups that the policy does not use?"""
    case_type: int
    fee_scale: int
    select: Ints
    layer_place: Ints
    """Place of core, basic, comprehensive and other rows in `grouping.layers`, else ABSENT."""
    rank: Ints
    """Place in `grouping.rank` by layer * 4 + letter."""


class Tables(NamedTuple):
    """The library's groups by number, in table order, and how to find them."""

    rows: Ints
    fees: Longs
    parts: Ints
    keys: Ints
    buckets: Ints
    entries: Ints
    members: Ints


class Cases(NamedTuple):
    """Coded cases, and what their codes and contexts stand for."""

    dx: Ints
    offsets: Longs
    ops: Ints
    fee: Longs
    context: Ints
    stop: Ints
    """By context: GO_ON, LOOK where the plain engine must see the case, STOP: no code counts."""
    dx_facts: Ints
    dx_buckets: Ints
    comp_rows: Ints
    op_facts: Ints


class Answers(NamedTuple):
    """Per case: outcome and matched operations as bits. Per new outcome: case, row and kind."""

    outcome: Ints
    matched: Longs
    fresh: Ints
