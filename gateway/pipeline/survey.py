"""How ready a hospital is: its newest discharges read, mapped, checked and grouped in memory.

Nothing is stored and nothing is sent; what comes out holds codes and counts, no person.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from dipgate.adapters import open_source
from dipgate.core.case import case_of
from dipgate.core.errors import DipgateError, RecordError
from dipgate.core.findings import FindingStatus, Severity
from dipgate.core.hashing import bytes_hash
from dipgate.core.lists import text_of
from dipgate.core.progress import Progress, silent
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.mapping import MappedCase
from dipgate.pipeline.contract_stage import spec_of
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.exchange_stage import dialect_of
from dipgate.pipeline.judge_stage import Judgement, judge
from dipgate.pipeline.map_stage import StayRows, map_settlement
from dipgate.pipeline.survey_report import (
    Family,
    FieldShare,
    Gap,
    RuleCount,
    SurveyReport,
    readiness,
    required_fields,
)
from dipgate.store import inbox

_INDEX = re.compile(r"\[\d+\]")
SHOWN = 20
"""Most gaps and rules named one by one, per kind."""


class _Enough(Exception):
    """The time for reading is over."""


@dataclass
class _Gather:
    """A sink that keeps the rows that are asked for, in memory."""

    wanted: Callable[[RawRow], bool]
    until: float
    rows: deque[RawRow]
    seen: int = 0
    rejected: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:  # noqa: ARG002
        return bytes_hash(data)

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:  # noqa: ARG002
        self.seen += len(rows)
        self.rows.extend(row for row in rows if self.wanted(row))
        self.rejected.update((item.table, item.field, item.what) for item in rejected)
        if time.monotonic() > self.until:
            raise _Enough


@dataclass
class _Stays:
    """The discharges of the survey with what was read on the way."""

    stays: list[StayRows]
    read: dict[str, int]
    rejected: Counter[tuple[str, str, str]]
    notes: list[str]


def survey(
    desk: Desk, name: str, *, discharges: int, seconds: float, progress: Progress = silent
) -> SurveyReport:
    """Survey the newest `discharges` of a source; `seconds` limit the reading of each table.

    Raises ConfigError for an unknown source or one that cannot be opened.
    """
    spec = spec_of(desk.site, name)
    found = _collect(desk, spec, discharges, seconds)
    tally = _Tally(desk)
    for number, stay in enumerate(found.stays, start=1):
        for row in stay.rows["settlement"]:
            tally.take(stay, row)
        progress(number, len(found.stays))
    return _report(desk, spec, found, tally)


def _collect(desk: Desk, spec: SourceSpec, discharges: int, seconds: float) -> _Stays:
    read: dict[str, int] = {}
    rejected: Counter[tuple[str, str, str]] = Counter()
    notes: list[str] = []

    def rows_of(table: str, wanted: Callable[[RawRow], bool], most: int | None) -> list[RawRow]:
        gather = _Gather(wanted, time.monotonic() + seconds, deque(maxlen=most))
        alone = replace(spec, tables={table: spec.tables[table]})
        source = open_source(alone, desk.site.source_password(spec.name))
        try:
            notes.extend(source.read(gather, None).notes)
        except _Enough:
            notes.append(f"{table} 读了 {gather.seen:,} 行时已满 {seconds:g} 秒，没有读完")
        read[table] = gather.seen
        rejected.update(gather.rejected)
        return list(gather.rows)

    settlements = rows_of("settlement", lambda _row: True, discharges)
    keys = {row.key for row in settlements}
    by_key: dict[str, dict[str, list[RawRow]]] = defaultdict(lambda: defaultdict(list))
    for row in settlements:
        by_key[row.key]["settlement"].append(row)
    for table in spec.tables:
        if table != "settlement":
            for row in rows_of(table, lambda row: row.key in keys, None):
                by_key[row.key][table].append(row)
    stays = [StayRows(spec, inbox.Stay(spec.name, key, 0), rows) for key, rows in by_key.items()]
    return _Stays(stays, read, rejected, notes)


class _Tally:
    """What the discharges came to, counted."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._required = required_fields(dialect_of(desk).upload_infno)
        self.lists = self.waiting = 0
        self.unreadable: Counter[tuple[str, str]] = Counter()
        self.filled: Counter[str] = Counter()
        self.of: Counter[str] = Counter()
        self.codes: dict[str, Counter[str]] = defaultdict(Counter)
        self.gaps: dict[str, Counter[str]] = defaultdict(Counter)
        self.names: dict[tuple[str, str], str] = {}
        self.reasons: dict[tuple[str, str], str] = {}
        self.rules: Counter[str] = Counter()
        self.sentences: dict[str, str] = {}
        self.with_errors = 0
        self.not_checked: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.scores: Counter[str] = Counter()
        self.not_configured: Counter[str] = Counter()
        self.days: list[date] = []
        self.versions: dict[str, set[str]] = defaultdict(set)

    def take(self, stay: StayRows, row: RawRow) -> None:
        if stay.waits_for_front_page():
            self.waiting += 1
            return
        try:
            mapped = map_settlement(self._desk, stay, row, ())
        except RecordError as error:
            self.unreadable[error.place.field, error.what] += 1
            return
        self.lists += 1
        self._complete(mapped)
        self._coded(mapped)
        self._judged(judge(self._desk, mapped.list))
        day = case_of(mapped.list).settled
        if day is not None:
            self.days.append(day)
            for kind, version in self._desk.reference(day).versions.items():
                self.versions[kind].add(version)

    def _complete(self, mapped: MappedCase) -> None:
        for node, name in self._required:
            for place in _rows(mapped, node):
                path = f"{node}.{name}"
                self.of[path] += 1
                self.filled[path] += bool(text_of(place.get(name)).strip())

    def _coded(self, mapped: MappedCase) -> None:
        for family, node, names in FAMILIES:
            for place in _rows(mapped, node):
                for name in names:
                    code = text_of(place.get(name)).strip()
                    if code:
                        self.codes[family][code] += 1
        reference = self._desk.reference(case_of(mapped.list).settled)
        tables = {"icd10": reference.icd10, "icd9cm3": reference.icd9cm3}
        places = {kind: {f"{node}.{name}" for name in names} for kind, node, names in FAMILIES}
        counted = [
            item
            for item in mapped.unmapped
            if _INDEX.sub("", item.path) in places.get(item.kind, ())
        ]
        lost = {(item.kind, item.code) for item in counted}
        for item in counted:
            self.gaps[item.kind][item.code] += 1
            self.reasons.setdefault((item.kind, item.code), item.reason)
            if item.kind != "staff" and item.name:
                self.names.setdefault((item.kind, item.code), item.name)
        for family, node, names in FAMILIES[:2]:
            table = tables[family]
            if table is None:
                continue
            for place in _rows(mapped, node):
                code = text_of(place.get(names[0])).strip()
                if code and code not in table and (family, code) not in lost:
                    self.gaps[family][code] += 1
                    self.reasons.setdefault((family, code), "结算日有效的目录中没有这个代码")

    def _judged(self, judged: Judgement) -> None:
        found = {
            finding.rule
            for finding in judged.findings
            if finding.status is FindingStatus.FOUND and finding.severity is Severity.ERROR
        }
        self.with_errors += bool(found)
        self.rules.update(found)
        for finding in judged.findings:
            if finding.rule in found:
                self.sentences.setdefault(finding.rule, finding.remedy)
        self.not_checked.update(
            {item.rule for item in judged.findings if item.status is FindingStatus.NOT_CHECKED}
        )
        self.groups[judged.group.status.value] += 1
        self.scores[judged.score.status.value] += 1
        self.not_configured.update(judged.score.not_configured)


FAMILIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("icd10", "diseinfo", ("diag_code",)),
    ("icd9cm3", "oprninfo", ("oprn_oprt_code",)),
    ("department", "setlinfo", ("adm_caty", "dscg_caty", "refldept_dept")),
    ("staff", "setlinfo", ("chfpdr_code", "resp_nurs_code")),
)
"""Family of codes → where in a list its codes stand."""


def _rows(mapped: MappedCase, node: str) -> Iterator[dict[str, object]]:
    if node == "setlinfo":
        yield dict(mapped.list.setlinfo)
    else:
        for row in getattr(mapped.list, node) or ():
            yield dict(row)


def _report(desk: Desk, spec: SourceSpec, found: _Stays, tally: _Tally) -> SurveyReport:
    fields = tuple(
        FieldShare(path, tally.filled[path], tally.of[path])
        for path in sorted(tally.of, key=lambda path: (tally.filled[path] / tally.of[path], path))
    )
    families = tuple(
        Family(
            family,
            len(tally.codes[family]),
            sum(tally.codes[family].values()),
            len(tally.gaps[family]),
            sum(tally.gaps[family].values()),
        )
        for family, _, _ in FAMILIES
    )
    gaps = tuple(
        Gap(
            kind,
            code,
            tally.names.get((kind, code), ""),
            number,
            tally.reasons.get((kind, code), ""),
        )
        for kind in tally.gaps
        for code, number in tally.gaps[kind].most_common(SHOWN)
    )
    rules = tuple(
        RuleCount(rule, tally.sentences.get(rule, ""), number)
        for rule, number in tally.rules.most_common(SHOWN)
    )
    report = SurveyReport(
        hospital=desk.site.hospital.name,
        source=spec.name,
        kind=spec.kind,
        charset=spec.charset,
        made_on=desk.today(),
        discharges=len(found.stays),
        bills=tally.lists + tally.waiting + sum(tally.unreadable.values()),
        lists=tally.lists,
        waiting_for_front_page=tally.waiting,
        first_day=min(tally.days, default=None),
        last_day=max(tally.days, default=None),
        read=found.read,
        rejected=tuple(
            (table, column, what, number)
            for (table, column, what), number in found.rejected.most_common(SHOWN)
        ),
        unreadable=tuple(
            (column, what, number) for (column, what), number in tally.unreadable.most_common(SHOWN)
        ),
        notes=tuple(found.notes),
        fields=fields,
        families=families,
        gaps=gaps,
        with_errors=tally.with_errors,
        rules=rules,
        not_checked=tuple(tally.not_checked.most_common(SHOWN)),
        groups=dict(tally.groups),
        scores=dict(tally.scores),
        not_configured=tuple(tally.not_configured.most_common(SHOWN)),
        versions={kind: tuple(sorted(held)) for kind, held in sorted(tally.versions.items())},
        policy=_policy(desk, max(tally.days, default=None)),
        areas=(),
    )
    return replace(report, areas=readiness(report))


def _policy(desk: Desk, day: date | None) -> str:
    try:
        policy = desk.policy(day)
    except DipgateError as error:
        return f"读不出来：{error}"
    return (
        ""
        if policy is None
        else f"{policy.policy.id}（目录库 {policy.catalogue.library or '未指定'}）"
    )
