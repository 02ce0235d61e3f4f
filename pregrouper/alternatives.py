"""What else a list could honestly be: other principal diagnoses and operations of the record.

Pure: which changes there are, how each is made, what an audit would ask, and in which order they
are shown. Groups, money and findings are brought by the caller. Options are ordered by what the
record says for them, never by money; what it does not support is locked and has no way of being
made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from dipgate.core.codes import diagnosis_code, has_prefix, procedure_code
from dipgate.core.evidence import (
    DX,
    LEVELS,
    OP,
    Evidence,
    EvidenceTables,
    ExposureFacts,
    ExposureRow,
    Number,
    Support,
)
from dipgate.core.findings import Finding, Fix, Severity
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult
from dipgate.core.line_order import TCM_KINDS, exchanged, line_above, lines
from dipgate.core.lists import SettlementList, text_of
from dipgate.core.money import Fen
from dipgate.pregrouper.evidence import (
    CODE_OF,
    NAME_OF,
    NODE_OF,
    SURGICAL,
    Missing,
    Record,
    support_of,
)

MOST = 40
"""Single changes that are tried; a list seldom has as many lines."""
MOST_BOTH = 12
"""Changes of diagnosis and operation together that are tried."""
_NOT_PRINCIPAL: Mapping[GroupStatus, str] = {
    GroupStatus.EXCLUDED_DX: "不纳入分组的主要诊断，不能作主要诊断",
    GroupStatus.INVALID_INPUT: "编码不在目录里，不能作主要诊断",
}


@dataclass(frozen=True, slots=True)
class Change:
    """The rows that become principal; None where it stays as it is."""

    diagnosis: int | None = None
    operation: int | None = None

    @property
    def key(self) -> str:
        """`diseinfo[2]`, `oprninfo[1]`, `diseinfo[2]+oprninfo[1]`; empty for no change."""
        parts = [
            f"{NODE_OF[target]}[{index}]"
            for target, index in ((DX, self.diagnosis), (OP, self.operation))
            if index is not None
        ]
        return "+".join(parts)

    @property
    def target(self) -> str:
        """What an audit takes it for: a change of diagnosis comes first."""
        return DX if self.diagnosis is not None else OP


@dataclass(frozen=True, slots=True)
class Coded:
    """One line of the list: where, code and name."""

    path: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an audit would ask about a choice: the worst level, and each point in words."""

    level: str
    notes: tuple[tuple[str, str], ...]
    """(level, sentence), the worst first."""


@dataclass(frozen=True, slots=True)
class Worked:
    """One list as judged: what the caller brings for each change."""

    group: GroupResult
    score: ScoreResult
    findings: tuple[Finding, ...]
    """Only what was found."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to see the case. `fixes` make it; a locked option has none."""

    key: str
    diagnosis: Coded | None
    operation: Coded | None
    group: GroupResult
    score: ScoreResult
    gap: Fen | None
    """Expected pay less that of the present choice; None where one of them is not known."""
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...]
    """Why it is locked; empty for an option that may be taken."""
    raised: tuple[Finding, ...]
    cleared: tuple[Finding, ...]
    exposure: Exposure
    fixes: tuple[Fix, ...]

    @property
    def locked(self) -> bool:
        return bool(self.reasons)

    @property
    def strength(self) -> int:
        return sum(bool(item.proves) for item in self.evidence)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The present choice, the others, and what only the bill knows of."""

    present: Option
    options: tuple[Option, ...]
    billed: tuple[Missing, ...]
    left_out: int
    """Lines that were not tried."""

    def find(self, key: str) -> Option | None:
        return next((item for item in self.options if item.key == key), None)


def present_change(lst: SettlementList) -> Change:
    """The principal rows as they are, as far as there are any."""
    return Change(_first(lst, DX), _first(lst, OP))


def single_changes(lst: SettlementList) -> tuple[Change, ...]:
    """Each other coded line of the list as principal, in reading order; a code counts once."""
    found: list[Change] = []
    for target in (DX, OP):
        first = _first(lst, target)
        if first is None:
            continue
        seen = {_code(lst, target, first)}
        for index in lines(lst, NODE_OF[target]):
            code = _code(lst, target, index)
            if not code or code in seen or _is_tcm(lst, target, index):
                continue
            seen.add(code)
            found.append(Change(diagnosis=index) if target == DX else Change(operation=index))
    return tuple(found)


def joint_changes(record: Record, open_: Sequence[Option]) -> tuple[Change, ...]:
    """A supported diagnosis with a supported operation that treats it."""
    found = [
        Change(_index(one.diagnosis), _index(other.operation))
        for one in open_
        if one.operation is None and one.diagnosis is not None
        for other in open_
        if other.diagnosis is None
        and other.operation is not None
        and record.treats(other.operation.code, diagnosis_code(one.diagnosis.code))
    ]
    return tuple(found[:MOST_BOTH])


def fixes_of(lst: SettlementList, change: Change) -> tuple[Fix, ...]:
    """The corrections that make a change: the row moves up, line by line, to the first."""
    fixes: list[Fix] = []
    for target, index in ((DX, change.diagnosis), (OP, change.operation)):
        node, at = NODE_OF[target], index
        while at is not None and (above := line_above(lst, node, at)) is not None:
            fixes.append(Fix("move_up", f"{node}[{at}]"))
            lst = exchanged(lst, node, above, at)
            at = above
    return tuple(fixes)


def support(record: Record, change: Change) -> Support:
    """What speaks for the rows that a change makes principal, taken together."""
    parts = [
        support_of(record, target, index)
        for target, index in ((DX, change.diagnosis), (OP, change.operation))
        if index is not None
    ]
    return Support(
        tuple(item for part in parts for item in part.evidence),
        tuple(item for part in parts for item in part.lacks),
    )


def option_of(
    record: Record, change: Change, after: SettlementList, was: Worked, now: Worked
) -> Option:
    """A change with everything that is to be said of it. `after`: the list it makes."""
    held = support(record, change)
    old, new = ({_told(item) for item in each} for each in (was.findings, now.findings))
    raised = tuple(item for item in now.findings if _told(item) not in old)
    reasons = [*held.lacks, *_refusals(was, now, raised)]
    return Option(
        key=change.key,
        diagnosis=_coded(record.lst, DX, change.diagnosis),
        operation=_coded(record.lst, OP, change.operation),
        group=now.group,
        score=now.score,
        gap=_gap(was.score, now.score),
        evidence=held.evidence,
        reasons=tuple(dict.fromkeys(reasons)),
        raised=raised,
        cleared=tuple(item for item in was.findings if _told(item) not in new),
        exposure=exposure(
            change.target,
            _facts(record, change, after, was, now, raised),
            record.tables,
            rises=_rises(was, now),
        ),
        fixes=() if reasons else fixes_of(record.lst, change),
    )


def present_of(record: Record, was: Worked) -> Option:
    """The choice as it stands, with what speaks for it. It is no change: nothing locks it."""
    change = present_change(record.lst)
    held = support(record, change)
    facts = _facts(record, change, record.lst, was, was, ())
    return Option(
        key="",
        diagnosis=_coded(record.lst, DX, change.diagnosis),
        operation=_coded(record.lst, OP, change.operation),
        group=was.group,
        score=was.score,
        gap=None if was.score.amount is None else Fen(0),
        evidence=held.evidence,
        reasons=(),
        raised=(),
        cleared=(),
        exposure=exposure(DX, facts, record.tables, rises=True),
        fixes=(),
    )


def in_order(options: Sequence[Option]) -> tuple[Option, ...]:
    """What may be taken before what is locked; then the better supported; money plays no part."""
    place = {id(item): at for at, item in enumerate(options)}
    return tuple(
        sorted(
            options,
            key=lambda item: (item.locked, -item.strength, len(item.raised), place[id(item)]),
        )
    )


def exposure(target: str, facts: ExposureFacts, tables: EvidenceTables, *, rises: bool) -> Exposure:
    """The points of the table that apply; of several thresholds of one point, the furthest."""
    chosen: dict[str, ExposureRow] = {}
    for row in tables.exposure:
        fact = facts.get(row.when)
        if fact is None or row.target not in ("", target) or (row.only_rise and not rises):
            continue
        if not _reached(row, fact[0]):
            continue
        held = chosen.get(row.when)
        if held is None or LEVELS.index(row.level) > LEVELS.index(held.level):
            chosen[row.when] = row
    notes = [
        (row.level, row.says.replace("{value}", facts[row.when][1])) for row in chosen.values()
    ]
    notes.sort(key=lambda note: -LEVELS.index(note[0]))
    return Exposure(notes[0][0] if notes else LEVELS[0], tuple(notes))


def _reached(row: ExposureRow, number: Number | None) -> bool:
    if row.at is None:
        return True
    if number is None:
        return False
    return number < row.at if row.when == "cost_under" else number >= row.at


def _facts(
    record: Record,
    change: Change,
    after: SettlementList,
    was: Worked,
    now: Worked,
    raised: Sequence[Finding],
) -> ExposureFacts:
    """What is so in the changed case, under the names of the table."""
    facts: dict[str, tuple[Number | None, str]] = {}
    percent = _percent(was, now)
    if percent is not None and percent > 0:
        facts["score_up_pct"] = (percent, f"{percent:f}")
    elif percent is not None and percent < 0:
        facts["score_down_pct"] = (-percent, f"{-percent:f}")
    if now.score.ratio is not None:
        ratio = now.score.ratio.quantize(Decimal("0.01"), ROUND_HALF_UP)
        facts["cost_under"] = (now.score.ratio, f"{ratio:f}")
    facts |= _places(record, after)
    asked = ((DX, change.diagnosis, "no_charge"), (OP, change.operation, "no_bill"))
    for target, index, name in asked:
        if index is not None and _without_bill(record, target, index):
            facts[name] = (None, "")
    levels = ((Severity.ERROR, "raises_error"), (Severity.WARNING, "raises_warning"))
    for severity, name in levels:
        number = sum(item.severity is severity for item in raised)
        if number:
            facts[name] = (number, str(number))
    return facts


def _places(record: Record, after: SettlementList) -> ExposureFacts:
    """Where principal diagnosis, principal operation and outpatient diagnosis do not agree."""
    facts: dict[str, tuple[Number | None, str]] = {}
    first, operation = _first(after, DX), _first(after, OP)
    if first is None:
        return facts
    dx = _code(after, DX, first)
    if operation is not None:
        op = _code(after, OP, operation)
        surgical = record.categories.get(op, "") in SURGICAL
        if surgical and record.treats(op, dx) is False:
            facts["other_system"] = (None, f"{dx} 与 {op}")
    if after.get(f"diseinfo[{first}].adm_cond_type") == "4":
        facts["late"] = (None, "")
    seen = diagnosis_code(after.get("setlinfo.wm_dise_code"))
    if seen and seen[0] != dx[:1] and not {seen[0], dx[:1]} & set("RZ") and dx[:1] not in "ST":
        facts["other_outpatient"] = (None, seen)
    return facts


def _without_bill(record: Record, target: str, index: int) -> bool:
    """No charge line speaks for a row that charge lines ought to speak for."""
    held = support_of(record, target, index)
    if target == OP:
        return not any("bill" in item.proves for item in held.evidence)
    expected = any(
        row.expected and row.target == DX and has_prefix(record.code(DX, index), row.codes)
        for row in record.tables.evidence
    )
    return (
        expected
        and record.charges is not None
        and not any(item.path.startswith("charges") for item in held.evidence)
    )


def _refusals(was: Worked, now: Worked, raised: Sequence[Finding]) -> list[str]:
    """Why the rules do not let a list be this at all."""
    reasons = []
    said = _NOT_PRINCIPAL.get(now.group.status)
    if said and now.group.status is not was.group.status:
        reasons.append(said)
    errors = [item for item in raised if item.severity is Severity.ERROR]
    reasons += [f"改后有错误 {item.rule}：{item.message}" for item in errors]
    return reasons


def _percent(was: Worked, now: Worked) -> Decimal | None:
    """Change of the score in percent, one decimal; None where one of them is not known."""
    old, new = _points(was), _points(now)
    if old is None or new is None or old <= 0:
        return None
    return ((new - old) * 100 / old).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _points(worked: Worked) -> Decimal | None:
    if worked.score.score is not None:
        return worked.score.score
    return worked.group.base_score


def _rises(was: Worked, now: Worked) -> bool:
    """More score or more money; what cannot be compared is taken for more."""
    old, new = _points(was), _points(now)
    if old is None or new is None:
        return new is not None
    pays = was.score.amount is not None and now.score.amount is not None
    return new > old or (pays and (now.score.amount or 0) > (was.score.amount or 0))


def _gap(was: ScoreResult, now: ScoreResult) -> Fen | None:
    if was.amount is None or now.amount is None:
        return None
    return Fen(now.amount - was.amount)


def _told(finding: Finding) -> tuple[str, str]:
    """What makes two findings the same one although a row has moved."""
    return (finding.rule, finding.message)


def _first(lst: SettlementList, target: str) -> int | None:
    """The principal row; None where no western or coded row is there."""
    for index in lines(lst, NODE_OF[target]):
        if _code(lst, target, index) and not _is_tcm(lst, target, index):
            return index
    return None


def _code(lst: SettlementList, target: str, index: int) -> str:
    text = lst.get(f"{NODE_OF[target]}[{index}].{CODE_OF[target]}")
    return diagnosis_code(text) if target == DX else procedure_code(text)


def _is_tcm(lst: SettlementList, target: str, index: int) -> bool:
    return target == DX and lst.get(f"diseinfo[{index}].diag_type") in TCM_KINDS


def _coded(lst: SettlementList, target: str, index: int | None) -> Coded | None:
    if index is None:
        return None
    path = f"{NODE_OF[target]}[{index}]"
    return Coded(path, _code(lst, target, index), text_of(lst.get(f"{path}.{NAME_OF[target]}")))


def _index(coded: Coded | None) -> int | None:
    return None if coded is None else int(coded.path.rpartition("[")[2].rstrip("]"))
