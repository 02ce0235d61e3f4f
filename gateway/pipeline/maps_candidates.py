"""What an unmapped code may become: codes of the insurance edition, each with why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dipgate.core.codes import strip_marks
from dipgate.core.reference import CodeMap, CodeTable, MapEntry

MOST = 12
"""Candidates shown for one code."""
_NEAR = 0.5
"""Share of characters that two names have in common, from which they are near."""
_REASONS = 3
_SUBCATEGORY, _CATEGORY = 5, 3
_LAYERS = {"national": "国家层", "area": "统筹区层", "hospital": "本院层"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One code of the insurance edition, why it is thought of, and why it may not be principal."""

    code: str
    name: str
    because: tuple[str, ...]
    rank: int
    barred: str = ""
    """Sentence of the list of codes that may not be principal; empty for all others."""


@dataclass(frozen=True, slots=True)
class _Idea:
    code: str
    because: str
    rank: int
    nearness: float = 0.0


def candidates(
    code: str,
    name: str,
    table: CodeTable,
    clinical: CodeMap | None,
    chosen: Mapping[str, int],
    barred: Mapping[str, str],
) -> tuple[Candidate, ...]:
    """The likeliest first, each code of the catalogue once, with up to three reasons.

    `chosen` is what coders put in its place on lists (code → lists), `barred` the codes that may
    not be principal (code → why).
    """
    found: dict[str, list[_Idea]] = {}
    for idea in _ideas(code, name, table, clinical, chosen):
        if idea.code in table:
            found.setdefault(idea.code, []).append(idea)
    order = []
    for target, ideas in found.items():
        ideas.sort(key=lambda idea: (idea.rank, -idea.nearness))
        best = ideas[0]
        nearness = max(max(idea.nearness for idea in ideas), _near(name, table.names[target]))
        reasons = tuple(dict.fromkeys(idea.because for idea in ideas))[:_REASONS]
        made = Candidate(target, table.names[target], reasons, best.rank, barred.get(target, ""))
        order.append(((best.rank, -nearness, len(target), target), made))
    return tuple(made for _, made in sorted(order, key=lambda item: item[0])[:MOST])


def targets_of(code: str, clinical: CodeMap | None) -> tuple[MapEntry, ...]:
    """The rows of the map for a code, one per target, as mapping would look it up."""
    if clinical is None:
        return ()
    rows = clinical.find(code) or clinical.find(strip_marks(code))
    return tuple({row.target_code: row for row in reversed(rows) if row.target_code}.values())[::-1]


def _ideas(
    code: str,
    name: str,
    table: CodeTable,
    clinical: CodeMap | None,
    chosen: Mapping[str, int],
) -> Iterator[_Idea]:
    for row in targets_of(code, clinical):
        layer = _LAYERS.get(row.layer, row.layer)
        yield _Idea(row.target_code, f"对照表给出的目标（{layer} {row.version} 第{row.row}行）", 0)
    for target, lists in chosen.items():
        yield _Idea(target, f"编码员在 {lists} 份清单上改成了它", 1, float(lists))
    yield from _same_code(code, name, table)
    if clinical is not None:
        yield from _other_rows(code, name, clinical)
    yield from _names(code, name, table)


def _same_code(code: str, name: str, table: CodeTable) -> Iterator[_Idea]:
    for spelled in dict.fromkeys((code, strip_marks(code))):
        official = table.name(spelled)
        if official is not None:
            same = "，名称也相同" if official == name else f"，名称是 {official}" if name else ""
            yield _Idea(spelled, f"医保版里有同一个代码{same}", 2 if official == name else 4)


def _other_rows(code: str, name: str, clinical: CodeMap) -> Iterator[_Idea]:
    """Rows of other codes: of the same name, or of a code that begins alike."""
    stem = code[:_SUBCATEGORY]
    for other, rows in clinical.entries.items():
        if other == code:
            continue
        alike = len(stem) == _SUBCATEGORY and other.startswith(stem)
        for row in rows:
            if name and row.source_name == name:
                yield _Idea(row.target_code, f"国临版同名的 {other} 对到它", 3)
            elif alike:
                near = _near(name, row.source_name)
                yield _Idea(row.target_code, f"同一亚目的 {other} 对到它", 6, near)


def _names(code: str, name: str, table: CodeTable) -> Iterator[_Idea]:
    stem, head = code[:_SUBCATEGORY], code[:_CATEGORY]
    letters = frozenset(name)
    for target, official in table.names.items():
        if name and official == name:
            yield _Idea(target, "名称相同", 3, 1.0)
            continue
        alike = target.startswith(stem) if len(stem) == _SUBCATEGORY else False
        near = _near(name, official) if alike or not letters.isdisjoint(official) else 0.0
        if near >= _NEAR:
            rank = 5 if target.startswith(head) else 7
            yield _Idea(target, "名称相近", rank, near)
        elif alike:
            yield _Idea(target, f"同一亚目 {stem}", 8, near)
        elif target.startswith(head) and near:
            yield _Idea(target, f"同一类目 {head}", 9, near)


def _near(one: str, other: str) -> float:
    """Share of characters in common, from 0 to 1."""
    first, second = frozenset(one), frozenset(other)
    if not first or not second:
        return 0.0
    return len(first & second) / len(first | second)
