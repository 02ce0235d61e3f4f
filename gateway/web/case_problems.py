"""The middle pane: what is wrong, in sentences; and what was asked of the clinician."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dipgate.core.errors import RecordError
from dipgate.core.findings import Finding, Fix
from dipgate.core.lists import FieldPath
from dipgate.core.worklist import Grade
from dipgate.mapping.fields import NAME_OF
from dipgate.pipeline.registry_stage import kind_of
from dipgate.pipeline.typed import CODE_OF, editable, typed
from dipgate.store import registry_items, unmapped
from dipgate.web.case_cells import cell_id
from dipgate.web.case_sheet import Sheet, grade_of
from dipgate.web.case_source import Source

PAGE = 60
"""Problems shown at once."""
_RANK = {Grade.STOP: 0, Grade.LOOK: 1, Grade.WAIT: 2}


@dataclass(frozen=True, slots=True)
class Way:
    """One button: a fix with the reason it is saved with."""

    text: str
    sends: str
    """JSON of the form fields: op, path, value."""
    careful: bool
    """It may change group or money: look at the strip before pressing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding as its card shows it: what · why · where from · how."""

    key: str
    rank: int
    grade: Grade
    place: str
    rule: str
    title: str
    """What must be true, in the rule's own words."""
    message: tuple[tuple[str, bool], ...]
    """Parts of the sentence; True: the value it is about."""
    remedy: str
    clause: str
    lineage: str
    path: str
    shows: str
    tokens: str
    ways: tuple[Way, ...]
    edit_path: str
    """The field that Enter opens; empty when nobody may type there."""
    reason: str
    registry: str = ""
    """Id of the ward or person to be entered once for all lists; empty when that is not it."""
    unmapped: str = ""
    """Id of the code to be mapped once for all lists; empty when that is not it."""


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Rules that could not be looked at, for one reason."""

    reason: str
    rules: str
    count: int


@dataclass(frozen=True)
class Problems:
    """All findings of a sheet; pages of them in list order, red first when there are many."""

    sheet: Sheet
    source: Source

    @cached_property
    def counts(self) -> Counter[Grade]:
        return Counter(grade_of(item) for item in self.sheet.found)

    @cached_property
    def ordered(self) -> tuple[Finding, ...]:
        found = self.sheet.found
        if len(found) <= PAGE:
            return found
        return tuple(sorted(found, key=lambda item: _RANK[grade_of(item)]))

    def page(self, first: int = 0, size: int = PAGE) -> tuple[Problem, ...]:
        part = self.ordered[first : first + size]
        return tuple(self._problem(item, first + at) for at, item in enumerate(part))

    def current(self, after: str = "") -> int:
        """Index in `ordered` of the problem to begin with: the first red one, or the next."""
        if not self.ordered:
            return -1
        here = self.sheet.order(after) if after else None
        ranked = sorted(
            range(len(self.ordered)),
            key=lambda at: (
                _RANK[grade_of(self.ordered[at])],
                here is not None and self.sheet.order(self.ordered[at].field) < here,
                at,
            ),
        )
        return ranked[0]

    @cached_property
    def unchecked(self) -> tuple[Unchecked, ...]:
        held: dict[str, list[str]] = {}
        for item in self.sheet.unchecked:
            held.setdefault(item.message.removeprefix("未检：") or "缺少数据", []).append(item.rule)
        return tuple(
            Unchecked(reason, "、".join(sorted(set(rules))[:12]), len(rules))
            for reason, rules in held.items()
        )

    def find(self, rule: str, path: str) -> Finding | None:
        return next(
            (item for item in self.sheet.found if (item.rule, item.field) == (rule, path)), None
        )

    def _problem(self, item: Finding, at: int) -> Problem:
        grade = grade_of(item)
        path = shown_path(self.sheet, item.field)
        ways = _ways(item.fixes) if self.sheet.editable else ()
        return Problem(
            key=f"p-{at}",
            rank=_RANK[grade],
            grade=grade,
            place=self.sheet.place(item.field),
            rule=item.rule,
            title=self._titles.get(item.rule, ""),
            message=_parts(_stopped(item.message), item.value),
            remedy=_stopped(item.remedy),
            clause=item.clause,
            lineage=self.source.words(item.field),
            path=item.field,
            shows=cell_id(path),
            tokens=self.source.tokens_of(item.field),
            ways=ways,
            edit_path=path if self.sheet.editable and editable(path) else "",
            reason=default_reason(item),
            registry=self._items.get(self.sheet.list.get(path), "") if kind_of(path) else "",
            unmapped=self._codes.get(self.sheet.list.get(path), ""),
        )

    @cached_property
    def _items(self) -> dict[str, str]:
        """Code as it stands in this list → the item of the registry that waits for it."""
        with self.sheet.desk.store.read() as conn:
            return registry_items.of_settlement(conn, self.sheet.case.settlement_id)

    @cached_property
    def _codes(self) -> dict[str, str]:
        """Diagnosis or procedure code of this list that no map translates → its item."""
        with self.sheet.desk.store.read() as conn:
            return unmapped.of_settlement(conn, self.sheet.case.settlement_id)

    @cached_property
    def _titles(self) -> dict[str, str]:
        return rule_titles(self.sheet)


def rule_titles(sheet: Sheet) -> dict[str, str]:
    """rule → what must be true."""
    packs = sheet.desk.packs(sheet.ref.edition)
    return {info.id: info.title for pack in packs for info in pack.rules}


def shown_path(sheet: Sheet, path: str) -> str:
    """The cell that stands for a path: a name is shown with its code, a row by its code."""
    try:
        place = FieldPath.parse(path)
    except ValueError:
        return path
    code = CODE_OF.get(place.name)
    if code and place.node != "setlinfo":
        return f"{path[: -len(place.name)]}{code}"
    if place.node == "setlinfo" and code and code in sheet.list.setlinfo:
        return f"setlinfo.{code}"
    main = {"diseinfo": "diag_code", "oprninfo": "oprn_oprt_code"}.get(place.node)
    if (
        main
        and place.index is not None
        and place.name
        in (
            "",
            "diag_type",
            "maindiag_flag",
            "oprn_oprt_type",
        )
    ):
        return f"{place.node}[{place.index}].{main}"
    return path


def default_reason(item: Finding) -> str:
    """What a fix is saved with unless the coder writes something else."""
    return f"按规则 {item.rule} 更正"


def fixes_for(sheet: Sheet, fix: Fix) -> tuple[Fix, ...]:
    """A proposed fix with what must follow it: a new code brings its name."""
    if fix.op == "set" and FieldPath.parse(fix.path).name in NAME_OF:
        try:
            return typed(sheet.desk, sheet.list, fix.path, fix.value).fixes or (fix,)
        except RecordError:
            return (fix,)
    return (fix,)


def _stopped(text: str) -> str:
    """With a full stop; empty stays empty."""
    return text if not text or text[-1] in "。！？" else f"{text}。"


def _parts(text: str, value: str) -> tuple[tuple[str, bool], ...]:
    """The sentence cut at the first place where it names the value."""
    before, found, after = text.partition(value) if len(value) > 1 else (text, "", "")
    parts = ((before, False), (found, True), (after, False))
    return tuple(part for part in parts if part[0])


def _ways(fixes: Sequence[Fix]) -> tuple[Way, ...]:
    return tuple(
        Way(
            fix.text or "按建议改",
            json.dumps({"op": fix.op, "path": fix.path, "value": fix.value}, ensure_ascii=False),
            not fix.safe,
        )
        for fix in fixes
    )
