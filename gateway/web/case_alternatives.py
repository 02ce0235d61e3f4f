"""还可能是: the other ways to see a case, in the words of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dipgate.core.evidence import Evidence
from dipgate.core.findings import Finding
from dipgate.core.lists import FieldPath
from dipgate.pregrouper.alternatives import Alternatives, Coded, Option
from dipgate.web.case_cells import cell_id
from dipgate.web.case_money import UNKNOWN, group_words, money_words, score_words
from dipgate.web.case_problems import shown_path
from dipgate.web.case_sheet import Sheet
from dipgate.web.filters import change

_FALLBACK: Mapping[str, tuple[str, ...]] = {
    "diseinfo": ("diag_code",),
    "oprninfo": ("oprn_oprt_code",),
    "icuinfo": ("scs_cutd_ward_type", "scs_cutd_inpool_time"),
    "bldinfo": ("bld_cat",),
    "iteminfo": ("med_chrgitm",),
}
"""Where the page leads when a field has no cell of its own: a field of the same row."""
_FINDINGS = 6
"""Findings of one kind named for one option; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One piece of evidence: what it says, and where the page leads."""

    text: str
    place: str
    goes: str
    """Ids of cells of the list, the first one that is there; empty for a charge line."""
    line: int
    """Index of the charge line; -1 for a cell of the list."""
    proves: bool


@dataclass(frozen=True, slots=True)
class Said:
    """One finding that would come or go."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One row: what would stand first, what it comes to, what speaks for it and against it."""

    key: str
    kind: str
    """What changes: 主诊, 主手术, 主诊和主手术."""
    names: tuple[tuple[str, str], ...]
    """(code, name) of what would stand first."""
    group: str
    group_name: str
    score: str
    pay: str
    gap: str
    locked: bool
    reasons: tuple[str, ...]
    chips: tuple[Chip, ...]
    come: tuple[Said, ...]
    go: tuple[Said, ...]
    more_come: int
    more_go: int
    level: str
    notes: tuple[tuple[str, str], ...]
    current: bool


@dataclass(frozen=True, slots=True)
class Billed:
    """What only the bill has."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the drawer shows."""

    present: Choice
    free: tuple[Choice, ...]
    locked: tuple[Choice, ...]
    billed: tuple[Billed, ...]
    left_out: int


def shown(sheet: Sheet, found: Alternatives) -> Shown:
    """The alternatives of a sheet in words."""
    free = [_choice(sheet, item) for item in found.options if not item.locked]
    locked = [_choice(sheet, item) for item in found.options if item.locked]
    return Shown(
        present=_choice(sheet, found.present, current=True),
        free=tuple(free),
        locked=tuple(locked),
        billed=tuple(
            Billed(item.name, item.value, FieldPath.parse(item.path).index or 0)
            for item in found.billed
        ),
        left_out=found.left_out,
    )


def said_of(option: Option) -> str:
    """What is said when an alternative has been taken."""
    parts = [
        f"{word} {coded.code} {coded.name}".strip()
        for word, coded in (("主要诊断", option.diagnosis), ("主要手术", option.operation))
        if coded is not None
    ]
    return "，".join(parts)


def _choice(sheet: Sheet, item: Option, *, current: bool = False) -> Choice:
    named = [coded for coded in (item.diagnosis, item.operation) if coded is not None]
    return Choice(
        key=item.key,
        kind="现在" if current else _kind(item),
        names=tuple((coded.code, coded.name) for coded in named),
        group=group_words(item.group),
        group_name=item.group.group_name,
        score=score_words(item.score),
        pay=money_words(item.score.amount),
        gap="" if current else (UNKNOWN if item.gap is None else change(item.gap)),
        locked=item.locked,
        reasons=item.reasons,
        chips=tuple(_chip(sheet, each) for each in item.evidence),
        come=_said(item.raised),
        go=_said(item.cleared),
        more_come=max(0, len(item.raised) - _FINDINGS),
        more_go=max(0, len(item.cleared) - _FINDINGS),
        level=item.exposure.level,
        notes=item.exposure.notes,
        current=current,
    )


def _kind(item: Option) -> str:
    words: tuple[tuple[str, Coded | None], ...] = (
        ("主诊", item.diagnosis),
        ("主手术", item.operation),
    )
    return "和".join(word for word, coded in words if coded is not None)


def _said(findings: tuple[Finding, ...]) -> tuple[Said, ...]:
    return tuple(Said(item.rule, item.message) for item in findings[:_FINDINGS])


def _chip(sheet: Sheet, found: Evidence) -> Chip:
    path, text, proves = found.path, found.text, bool(found.proves)
    place = FieldPath.parse(path)
    if place.node == "charges":
        index = place.index or 0
        return Chip(text, f"收费第 {index + 1} 行", "", index, proves)
    goes = [cell_id(shown_path(sheet, path))]
    if place.index is not None:
        base = f"{place.node}[{place.index}]"
        goes += [cell_id(f"{base}.{name}") for name in _FALLBACK.get(place.node, ())]
    return Chip(text, sheet.place(path), " ".join(dict.fromkeys(goes)), -1, proves)
