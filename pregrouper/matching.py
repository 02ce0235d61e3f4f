"""Which groups of a diagnosis key a case satisfies (dip-grouping.md sections 5, 8 and 9)."""

from __future__ import annotations

from collections.abc import Sequence

from dipgate.pregrouper.expressions import Alternatives
from dipgate.pregrouper.library import CONSERVATIVE, Bucket, Group, Library
from dipgate.pregrouper.operations import Operations, OpRules, class_of
from dipgate.pregrouper.selectors import Candidate


def core_candidates(
    bucket: Bucket, ops: Operations, library: Library, rules: OpRules
) -> list[Candidate]:
    """Operation rows that are satisfied; the conservative row only for a conservative case."""
    found: list[Candidate] = []
    if ops.codes:
        for item in _reachable(bucket, ops, library):
            keys = _satisfied(item, ops, library)
            if keys:
                found.append(candidate(item, ops, keys, library.short_codes, rules))
    if not found and ops.conservative:
        found = [candidate(item, ops, ()) for item in bucket.conservative]
    return found


def candidate(
    item: Group,
    ops: Operations,
    keys: Sequence[str],
    short: int = 0,
    rules: OpRules | None = None,
    related: int | None = None,
) -> Candidate:
    """A group with what it matched. `keys` are the directory codes that were satisfied.

    `related`: how many related operations, where the caller counts them by another rule.
    """
    codes = ops.codes
    if not keys:
        matched: tuple[str, ...] = ()
        unmatched: tuple[str, ...] = codes
    elif short:
        matched = tuple(code for code in codes if any(meets(code, key, short) for key in keys))
        unmatched = tuple(code for code in codes if code not in matched)
    else:
        matched = tuple([code for code in codes if code in keys])
        unmatched = tuple([code for code in codes if code not in keys])
    letter = item.treatment
    if not letter and rules is not None:
        letter = class_of(keys, rules, ops.principal)
    if related is None:
        related = sum(1 for key in keys if not is_principal_key(key, item)) if item.related else 0
    return Candidate(
        group=item,
        keys=tuple(keys),
        matched=matched,
        unmatched=unmatched,
        required=len(keys),
        related=related if item.related else 0,
        letter=letter or CONSERVATIVE,
    )


def is_principal_key(key: str, item: Group) -> bool:
    """Is this directory code part of the row's principal expression?"""
    return any(key in part for part in item.main)


def _reachable(bucket: Bucket, ops: Operations, library: Library) -> Sequence[Group]:
    """Groups that can be satisfied at all, found by the operations of the case; table order."""
    if library.short_codes:
        return [item for item in bucket.groups if not item.conservative]
    if library.principal_related:
        return bucket.by_op.get(ops.principal, ())
    seen: dict[str, Group] = {}
    for code in ops.codes:
        for item in bucket.by_op.get(code, ()):
            seen.setdefault(item.code, item)
    return sorted(seen.values(), key=lambda item: item.order)


def _satisfied(item: Group, ops: Operations, library: Library) -> tuple[str, ...]:
    """The directory codes of the fullest satisfied alternative; empty when none is."""
    short = library.short_codes
    if not short and library.principal_related and not item.related and len(item.main) == 1:
        (part,) = item.main
        if len(part) == 1:
            return (ops.principal,) if ops.principal in part else ()
    if not library.principal_related:
        return _fullest(item.main, ops.codes, short)
    principal = ops.principal
    if short:
        mains = tuple(
            part for part in item.main if any(meets(principal, key, short) for key in part)
        )
    else:
        mains = tuple([part for part in item.main if principal in part])
    main = _fullest(mains, ops.codes, short)
    if not main:
        return ()
    if not item.related:
        return main
    rest = tuple([code for code in ops.codes if code != principal])
    related = _fullest(item.related, rest, short)
    return (*main, *related) if related else ()


def _fullest(parts: Alternatives, codes: Sequence[str], short: int) -> tuple[str, ...]:
    best: tuple[str, ...] = ()
    held = frozenset(codes)
    for part in parts:
        if len(part) > len(best) and (
            all(any(meets(code, key, short) for code in codes) for key in part)
            if short
            else part <= held
        ):
            best = tuple(sorted(part))
    return best


def principal_part(item: Group, ops: Operations) -> tuple[str, ...]:
    """The fullest alternative that holds the principal operation and is there whole."""
    held = frozenset(ops.codes)
    best: tuple[str, ...] = ()
    for part in item.main:
        if len(part) > len(best) and ops.principal in part and part <= held:
            best = tuple(sorted(part))
    return best


def any_part(item: Group, codes: Sequence[str]) -> tuple[str, ...]:
    """The fullest alternative of which every code stands somewhere among the operations."""
    held = frozenset(codes)
    best: tuple[str, ...] = ()
    for part in item.main:
        if len(part) > len(best) and part <= held:
            best = tuple(sorted(part))
    return best


def related_codes(item: Group, ops: Operations) -> tuple[tuple[str, ...], int]:
    """Every code of the related alternatives that are there whole, and the size of the fullest."""
    rest = frozenset(ops.codes[1:])
    there = [part for part in item.related if part <= rest]
    held = {code for part in there for code in part}
    codes = tuple(code for code in ops.codes if code in held)
    return codes, max((len(part) for part in there), default=0)


def meets(code: str, key: str, short: int) -> bool:
    """Exact equality; a directory code shorter than `short` matches every code it begins."""
    return code == key or (len(key) < short and code.startswith(key))
