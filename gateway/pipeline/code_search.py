"""What the search box finds: codes in the order in which this department is likely to mean them.

The order is: the exact code or name › what this department uses, the frequent first › the rest.
How near the text is counts within each, and one step of nearness weighs as much as twice the use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import log2
from unicodedata import normalize

from dipgate.config.code_index import How, Match
from dipgate.core.not_principal import reason_words
from dipgate.core.progress import Progress, silent
from dipgate.core.reference import CodeMap, CodeTable, MapEntry, NotPrincipal, Reference
from dipgate.pipeline.code_shelf import Uses
from dipgate.pipeline.desk import Desk
from dipgate.store import code_usage

LIMIT = 20
_BARRED = 3.0
"""How much less likely a code is meant that may not stand where it is looked for."""
_ELSEWHERE = 0.5
"""What use in other departments weighs against use in this one."""
_HABIT = 3.0
"""From this fit and use together a name that holds the text only in pieces counts as used here."""


class CodeKind(StrEnum):
    """What is looked for; the value is the catalogue's name."""

    DIAGNOSIS = "icd10"
    PROCEDURE = "icd9cm3"

    @property
    def word(self) -> str:
        return "诊断" if self is CodeKind.DIAGNOSIS else "手术操作"


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a code may not be principal, which list says so, and the rule that will say it."""

    reason: str
    source: str
    rule: str

    @property
    def sentence(self) -> str:
        return f"不能作主要诊断，{self.reason}" if self.reason else "不能作主要诊断"


@dataclass(frozen=True, slots=True)
class CodeHit:
    """One code that fits. Counts are lists that have it."""

    code: str
    name: str
    uses: int
    uses_elsewhere: int
    clinical: MapEntry | None
    """The row of the map when a clinical code or name was typed."""
    barred: Barred | None
    """Why it may not be principal, wherever it is looked for."""
    grey: bool
    """It may not stand where it is looked for: shown, not to be chosen."""
    targets: int
    """How many codes that clinical code may become; with more than one a person must choose."""
    exact: bool
    category: str = ""
    """Official category of a procedure, when the catalogue has it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of one search. `note` says what was read differently or could not be checked."""

    typed: str
    read: str
    """The text as it was searched for: half-width, lower case."""
    hits: tuple[CodeHit, ...]
    more: bool
    """There are hits beyond the limit."""
    notes: tuple[str, ...] = ()


def search_codes(
    desk: Desk,
    typed: str,
    *,
    kind: CodeKind,
    department: str = "",
    day: date | None = None,
    principal: bool = False,
    limit: int = LIMIT,
) -> Found:
    """Codes of the catalogue in force on `day` that fit what was typed, the likely first.

    `department` is the national code of the ward. With `principal`, codes that may not be the
    principal diagnosis come as grey hits. Without a catalogue there is a note and no hit.
    """
    ref = desk.reference(day)
    table, clinical = _catalogue(ref, kind)
    if table is None:
        return Found(typed, typed.strip(), (), False, (f"没有导入{kind.word}目录，查不了代码",))
    index = desk.codes.index(table, clinical)
    query = index.query(typed)
    with desk.store.read() as conn:
        uses = desk.codes.uses(conn, index, kind, department)
    matches = index.find(query, uses.known) if query.text else _usual(table, uses)
    grey: set[str] = set()
    if principal and kind is CodeKind.DIAGNOSIS:
        grey = {code for code in matches if barred_as_principal(ref, code)}
    order = sorted(matches.values(), key=lambda match: _rank(match, uses, match.code in grey))
    shelf = _Shelf(table, clinical, uses, ref, kind)
    hits = tuple(_hit(match, shelf, match.code in grey) for match in order[:limit])
    return Found(typed, query.text, hits, len(order) > limit, _notes(typed, ref, kind, principal))


def prepare(desk: Desk, progress: Progress = silent) -> int:
    """Build today's indexes and count the lists that are not counted, so that no search waits.

    For a thread of its own at start-up: on the national lists the indexes take about a second.
    Returns how many codes can be found.
    """
    ref, codes, counted = desk.reference(None), 0, 0
    for kind in CodeKind:
        table, clinical = _catalogue(ref, kind)
        if table is not None:
            desk.codes.index(table, clinical)
            codes += len(table.names)
    while done := desk.store.write(code_usage.note_uncounted):
        counted += done
        progress(counted, None)
    return codes


def barred_as_principal(ref: Reference, code: str) -> Barred | None:
    """Why the code may not be principal under the edition in use; None when it may.

    Codes are compared whole: a finer code below a barred one is not barred by it.
    """
    entry = (ref.not_principal or {}).get(code)
    if entry is None or not _holds(entry, ref.edition):
        return None
    reason = reason_words(entry.reason)
    source = "DIP 3.0 不纳入分组的主要诊断" if _by_dip3(ref.edition) else "CHS-DRG 1.1 主诊表"
    return Barred(reason, source, entry.rule)


def _catalogue(ref: Reference, kind: CodeKind) -> tuple[CodeTable | None, CodeMap | None]:
    if kind is CodeKind.DIAGNOSIS:
        return ref.icd10, ref.icd10_map
    return ref.icd9cm3, ref.icd9cm3_map


def _by_dip3(edition: str) -> bool:
    return edition.startswith("3")


def _holds(entry: NotPrincipal, edition: str) -> bool:
    return entry.dip3 if _by_dip3(edition) else entry.drg11


def _rank(match: Match, uses: Uses, barred: bool) -> tuple[int, int, float, int, str]:
    """Sort key: smaller is shown first."""
    here = uses.here.get(match.code, 0)
    weight = match.fit - _BARRED * barred
    worth = weight + log2(1 + here)
    if match.how.exact:
        return (0, -match.how, -worth, match.length, match.code)
    if here and (match.fit >= 0 or worth >= _HABIT):
        return (1, 0, -worth, match.length, match.code)
    everywhere = uses.everywhere.get(match.code, 0)
    worth = max(worth, weight + _ELSEWHERE * log2(1 + everywhere))
    length = 0 if match.how is How.CODE_PREFIX else match.length
    return (2, 0, -worth, length, match.code)


def _usual(table: CodeTable, uses: Uses) -> Mapping[str, Match]:
    """Before anything is typed: what this department uses, or else the hospital."""
    return {
        code: Match(code, How.NAME, 0.0, 0)
        for code in uses.here or uses.everywhere
        if code in table
    }


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What a hit is filled from."""

    table: CodeTable
    clinical: CodeMap | None
    uses: Uses
    ref: Reference
    kind: CodeKind


def _hit(match: Match, shelf: _Shelf, grey: bool) -> CodeHit:
    code, source = match.code, match.clinical
    here = shelf.uses.here.get(code, 0)
    entries = shelf.clinical.find(source.source_code) if source and shelf.clinical else ()
    return CodeHit(
        code=code,
        name=shelf.table.names[code],
        uses=here,
        uses_elsewhere=shelf.uses.everywhere.get(code, 0) - here,
        clinical=source,
        barred=(barred_as_principal(shelf.ref, code) if shelf.kind is CodeKind.DIAGNOSIS else None),
        grey=grey,
        targets=len({entry.target_code for entry in entries}),
        exact=match.how.exact,
        category=shelf.table.attribute("category", code),
    )


def _notes(typed: str, ref: Reference, kind: CodeKind, principal: bool) -> tuple[str, ...]:
    notes = []
    if any("！" <= ch <= "～" for ch in typed) and normalize("NFKC", typed) != typed:
        notes.append("全角字符已按半角查找")
    if principal and kind is CodeKind.DIAGNOSIS and ref.not_principal is None:
        notes.append("没有导入不得作主要诊断的代码表，不能作主诊的代码没有标灰")
    return tuple(notes)
