"""Why the bureau has another group: the case grouped again with one thing changed.

Tried in this order, which is the order of the causes: another choice between groups that all fit
the list as it stands, codes of another edition, another version of the library, the list with one
entry changed. Where the bureau grouped on a code of another edition, editions go first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec import structs

from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.grouping_words import GROUP_WORDS
from dipgate.pregrouper.attribution_side import Editions, OurSide
from dipgate.pregrouper.differences import BureauResult, Cause, Reason, plain
from dipgate.pregrouper.selectors import SELECTOR_WORDS, SELECTORS

_MOST_IMAGES = 8
"""Codes of the other edition that are tried for one code; a catch-all code has hundreds."""


def group_causes(side: OurSide, ours: GroupResult, theirs: BureauResult) -> tuple[Cause, ...]:
    """Single changes after which our grouper gives the bureau's group, the likeliest first."""
    wanted = theirs.group_code
    if not wanted:
        return ()
    choice, edition = _other_choice(side, ours, wanted), _other_edition(side, wanted)
    first, second = (edition, choice) if _holds_foreign(side, theirs) else (choice, edition)
    found = [
        *_sub_rows(side, ours, wanted),
        *first,
        *second,
        *_other_library(side, ours, wanted),
    ]
    return tuple(found or _other_list(side, ours, theirs))


def _holds_foreign(side: OurSide, theirs: BureauResult) -> bool:
    """Did the bureau group on a code that is not the list's own but its other edition?"""
    case, editions = side.case, side.editions
    mine = {item.code for item in (case.principal, *case.procedures) if item is not None}
    images = {other for code in mine for other in _image(code, editions)}
    return bool((images - mine).intersection((theirs.dx_code, *theirs.op_codes)))


def base_causes(side: OurSide, ours: GroupResult, theirs: BureauResult) -> tuple[Cause, ...]:
    """Versions of the library in which the same group has the bureau's base score."""
    values = (plain(ours.base_score), plain(theirs.base_score))
    for other in side.others:
        row = other.groups.get(ours.group_code)
        if row is not None and row.row.score == theirs.base_score:
            note = f"与目录 {other.label} 相同"
            return (Cause(Reason.BASE_SCORE, "base_score", *values, note),)
    return ()


def coded_otherwise(case: Case, editions: Editions) -> Iterator[tuple[str, str, Case]]:
    """(our code, its other code, the case with it): one code at a time, then all at once."""
    principal = case.principal
    if principal is not None:
        for code in editions.dx.get(principal.code, ())[:_MOST_IMAGES]:
            yield (
                principal.code,
                code,
                structs.replace(case, principal=structs.replace(principal, code=code)),
            )
    for place, procedure in enumerate(case.procedures):
        for code in editions.op.get(procedure.code, ())[:_MOST_IMAGES]:
            yield procedure.code, code, _with_operation(case, place, code)
    whole = _all_mapped(case, editions)
    if whole is not None:
        yield whole


def _all_mapped(case: Case, editions: Editions) -> tuple[str, str, Case] | None:
    def other(code: str, codes: dict[str, str]) -> str:
        return codes.get(code, code)

    codes = [item.code for item in (case.principal, *case.procedures) if item is not None]
    images = {code: found[0] for code in codes for found in [_image(code, editions)] if found}
    if len(images) < 2:
        return None
    principal = case.principal
    made = structs.replace(
        case,
        principal=None
        if principal is None
        else structs.replace(principal, code=other(principal.code, images)),
        others=tuple(_mapped_dx(item, editions) for item in case.others),
        procedures=tuple(
            structs.replace(item, code=other(item.code, images)) for item in case.procedures
        ),
    )
    return "、".join(images), "、".join(images.values()), made


def _image(code: str, editions: Editions) -> tuple[str, ...]:
    return editions.dx.get(code, ()) or editions.op.get(code, ())


def _mapped_dx(item: Diagnosis, editions: Editions) -> Diagnosis:
    found = editions.dx.get(item.code, ())
    return structs.replace(item, code=found[0]) if found else item


def _with_operation(case: Case, place: int, code: str) -> Case:
    kept: list[Procedure] = list(case.procedures)
    kept[place] = structs.replace(kept[place], code=code)
    return structs.replace(case, procedures=tuple(kept))


def _other_edition(side: OurSide, wanted: str) -> Iterator[Cause]:
    variants = tuple(coded_otherwise(side.case, side.editions))
    if not variants:
        return
    # A raw code stands in no catalogue of ours, so it must not be refused for that.
    open_side = side.under("grouping", unmapped_codes="use")
    for ours, other, case in variants:
        if replace(open_side, case=case).group().group_code == wanted:
            note = f"按另一版编码 {other} 入组正是平台的病种"
            yield Cause(Reason.CODESET, "codes", ours, other, note)
            return


def _other_choice(side: OurSide, ours: GroupResult, wanted: str) -> Iterator[Cause]:
    lost = next((item for item in ours.alternatives if item.group_code == wanted), None)
    if lost is None:
        return
    rule = _choosing(side, wanted)
    why = f"我方不取它的原因：{lost.why}" if ours.status is not GroupStatus.AMBIGUOUS else lost.why
    note = f"若先用选择规则“{SELECTOR_WORDS[rule]}”，取的正是平台的病种；{why}" if rule else why
    yield Cause(Reason.TIE, "group_code", ours.group_code or GROUP_WORDS[ours.status], wanted, note)


def _choosing(side: OurSide, wanted: str) -> str:
    """A selector that, put first, takes the bureau's group; empty when none does."""
    given = side.policy.grouping.select or ()
    for name in SELECTORS:
        if given[:1] == (name,):
            continue
        if side.under("grouping", select=(name, *given)).group().group_code == wanted:
            return name
    return ""


def _other_library(side: OurSide, ours: GroupResult, wanted: str) -> Iterator[Cause]:
    for other in side.others:
        if replace(side, library=other).group().group_code == wanted:
            note = f"按目录 {other.label} 入组正是平台的病种"
            yield Cause(Reason.BASE_SCORE, "group_code", ours.group_code, wanted, note)
            return


def _sub_rows(side: OurSide, ours: GroupResult, wanted: str) -> Iterator[Cause]:
    """Sub-rows of one group differ by their auxiliary label, not by the group."""
    theirs, mine = side.library.groups.get(wanted), side.library.groups.get(ours.group_code)
    if theirs is None or mine is None:
        return
    parents = {mine.row.parent_code, mine.code} - {""}
    if theirs.row.parent_code in parents or mine.row.parent_code == theirs.code:
        yield Cause(
            Reason.AUXILIARY,
            "auxiliary",
            mine.row.sub_label or "没有",
            theirs.row.sub_label or "没有",
            f"同一病种的分型：{mine.code} 与 {theirs.code}",
        )


def _other_list(side: OurSide, ours: GroupResult, theirs: BureauResult) -> Iterator[Cause]:
    """The list as it may have been when the bureau grouped it."""
    wanted, mine = theirs.group_code, ours.group_code
    case = side.case
    for item in case.others:
        if theirs.dx_code and item.code != theirs.dx_code:
            continue
        if case.principal is not None and _gives(side, _promoted(case, item), wanted):
            note = f"以 {item.code} {item.name}为主要诊断时，入的正是平台的病种"
            yield Cause(Reason.GROUP, "group_code", mine, wanted, note)
            return
    for procedure in case.procedures:
        rest = tuple(item for item in case.procedures if item is not procedure)
        if _gives(side, structs.replace(case, procedures=rest), wanted):
            note = f"没有 {procedure.code} {procedure.name}时，入的正是平台的病种"
            yield Cause(Reason.GROUP, "group_code", mine, wanted, note)
            return
    for procedure in case.procedures[1:]:
        first = (procedure, *(item for item in case.procedures if item is not procedure))
        if _gives(side, structs.replace(case, procedures=first), wanted):
            note = f"以 {procedure.code} {procedure.name}为主要手术时，入的正是平台的病种"
            yield Cause(Reason.GROUP, "group_code", mine, wanted, note)
            return
    principal = case.principal.code if case.principal is not None else ""
    if theirs.dx_code and theirs.dx_code != principal:
        note = f"平台按主要诊断 {theirs.dx_code} 入组，我方是 {principal}"
        yield Cause(Reason.GROUP, "group_code", mine, wanted, note)


def _promoted(case: Case, item: Diagnosis) -> Case:
    others = tuple(other for other in case.others if other is not item)
    return structs.replace(
        case, principal=item, others=(case.principal, *others) if case.principal else others
    )


def _gives(side: OurSide, case: Case, wanted: str) -> bool:
    return replace(side, case=case).group().group_code == wanted
