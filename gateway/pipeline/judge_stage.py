"""List → findings, and list → group and money, each stored under its content-and-version key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from dipgate.core.case import Case, case_of
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.grouper import Grouper
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.lists import SettlementList
from dipgate.core.policy import Policy
from dipgate.core.progress import Progress, silent
from dipgate.core.reference import Reference
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.packs import day_rules
from dipgate.pregrouper import score
from dipgate.security.eventlog import log
from dipgate.store import Connection, cases, code_usage, groupings, verdicts
from dipgate.validators import check

BATCH = 200
JUDGED_STATES = ("mapped", "checked", "ready", "held")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything we say about one list: findings (not-checked ones too), group and money."""

    findings: tuple[Finding, ...]
    version: str
    """Rule packs, catalogues, policy and library that it was made with."""
    group: GroupResult
    score: ScoreResult
    policy: str
    library: str

    def count(self, severity: Severity) -> int:
        return sum(
            item.severity is severity and item.status is FindingStatus.FOUND
            for item in self.findings
        )


@dataclass
class JudgeReport:
    """How many lists were judged, and what came out."""

    judged: int = 0
    with_errors: int = 0
    grouped: int = 0
    comprehensive: int = 0
    ungrouped: int = 0
    scored: int = 0
    expected_fen: int = 0


def judge(desk: Desk, lst: SettlementList) -> Judgement:
    """Check, group and price one list as of its settlement day; pure apart from look-ups."""
    case = case_of(lst)
    day = case.settled or (case.discharged.date() if case.discharged else None)
    ref = desk.reference(day)
    found = check(lst, ref, desk.packs(ref.edition), today=desk.today())
    priced = price(desk, case, ref)
    return Judgement(
        found,
        desk.verdict_version(ref, day),
        priced.group,
        priced.score,
        priced.policy,
        priced.library,
    )


@dataclass(frozen=True, slots=True)
class Priced:
    """Group and money of one case, with the labels of policy and library."""

    group: GroupResult
    score: ScoreResult
    policy: str
    library: str


def price(desk: Desk, case: Case, ref: Reference) -> Priced:
    """Group and score by the policy in force; what is missing is named, never assumed."""
    day = case.settled or ref.day
    policy = desk.policy(day, case.insured_place)
    if policy is None:
        return _unpriced("W_NO_POLICY", "policy", "")
    try:
        grouper = desk.grouper(policy, day)
    except ConfigError as error:
        return _unpriced("W_NO_LIBRARY", error.path or "catalogue.library", policy.label)
    return price_under(desk, case, ref, policy, grouper)


def price_under(desk: Desk, case: Case, ref: Reference, policy: Policy, grouper: Grouper) -> Priced:
    """Group and score by this policy and library, whatever is in force on the day."""
    grouped = grouper.group(case, ref)
    money = score(case, grouped, policy, hospital_level=desk.site.hospital.level)
    return Priced(grouped, money, policy.label, grouper.label)


def _unpriced(warning: str, path: str, policy: str) -> Priced:
    return Priced(
        GroupResult(GroupStatus.UNGROUPED, warnings=(warning,), policy=policy),
        ScoreResult(ScoreStatus.NOT_CONFIGURED, not_configured=(path,)),
        policy,
        "",
    )


def is_current(desk: Desk, case: cases.CaseRow, verdict: verdicts.Verdict) -> bool:
    """True when the verdict is what the rules would say now.

    It is on the list as it stands, under the present rules, catalogues and policies, and made
    today where a rule asks what day it is.
    """
    if verdict.list_hash != case.list_hash or verdict.pack_version != _version_on(desk, case):
        return False
    edition = desk.reference(case.settled_on).edition
    made_on = verdict.judged_at.astimezone(CHINA).date()
    return made_on == desk.today() or not day_rules(desk.packs(edition))


def current_verdict(conn: Connection, desk: Desk, case: cases.CaseRow) -> verdicts.Verdict | None:
    """The verdict on a list as the rules stand today, judged again where the stored one is not.

    None when the list as it stands was never judged. The new verdict is stored under its key.
    """
    stored = verdicts.latest(conn, case.id)
    if stored is None or stored.list_hash != case.list_hash:
        return None
    if is_current(desk, case, stored):
        return stored
    judged = judge(desk, case.settlement_list())
    now = desk.clock.now()
    store_judgements(conn, [(case, judged)], now=now)
    return verdicts.Verdict(case.id, case.list_hash, judged.version, judged.findings, now)


def judge_new_cases(desk: Desk, progress: Progress = silent) -> JudgeReport:
    """Judge every list that has no verdict under the present rules, catalogues and policy.

    A list that something of another day was found on (a date later than today) is judged again.
    """
    report = JudgeReport()
    of_another_day = _of_another_day(desk)
    after = ""
    while True:
        with desk.store.read() as conn:
            batch = cases.cases_in(conn, states=JUDGED_STATES, after=after, limit=BATCH)
            keys = [(case.id, case.list_hash, _version_on(desk, case)) for case in batch]
            known = verdicts.known_keys(conn, keys)
        if not batch:
            return report
        after = batch[-1].settlement_id
        work = []
        for stored, key in zip(batch, keys, strict=True):
            if key in known and stored.id not in of_another_day:
                continue
            judged = judge(desk, stored.settlement_list())
            _count(report, judged)
            work.append((stored, judged))
        faultpoint(FaultPoint.PIPELINE_STAGE_COMPUTED)
        _store(desk, work)
        if work:
            with_errors = sum(judged.count(Severity.ERROR) > 0 for _, judged in work)
            ids = tuple(stored.id for stored, _ in work)
            log(LogEvent.JUDGED, cases=ids, with_errors=with_errors)
        progress(report.judged, None)


def store_judgements(
    conn: Connection, work: Sequence[tuple[cases.CaseRow, Judgement]], *, now: datetime
) -> None:
    """Write verdicts and groups under their keys, count codes, move the lists on or back."""
    verdicts.put_verdicts(
        conn,
        [
            verdicts.Verdict(stored.id, stored.list_hash, judged.version, judged.findings, now)
            for stored, judged in work
        ],
    )
    groupings.put_groupings(
        conn,
        [
            groupings.Grouping(
                stored.id,
                stored.list_hash,
                judged.policy,
                judged.library,
                judged.group,
                judged.score,
                now,
            )
            for stored, judged in work
        ],
    )
    code_usage.note_lists(conn, [stored for stored, _ in work])
    for stored, judged in work:
        errors = judged.count(Severity.ERROR)
        if stored.state == "mapped" or (stored.state == "ready" and errors):
            cases.set_state(conn, stored.id, "checked", now=now)


def _of_another_day(desk: Desk) -> frozenset[str]:
    """Cases on which a rule that asks what day it is found something before today."""
    edition = desk.reference(desk.today()).edition
    rules = day_rules(desk.packs(edition))
    midnight = datetime.combine(desk.today(), time(), tzinfo=CHINA)
    with desk.store.read() as conn:
        return verdicts.cases_found_before(conn, rules, midnight)


def _version_on(desk: Desk, case: cases.CaseRow) -> str:
    return desk.verdict_version(desk.reference(case.settled_on), case.settled_on)


def _store(desk: Desk, work: Sequence[tuple[cases.CaseRow, Judgement]]) -> None:
    if work:
        now = desk.clock.now()
        desk.store.write(lambda conn: store_judgements(conn, work, now=now))


def _count(report: JudgeReport, judged: Judgement) -> None:
    report.judged += 1
    report.with_errors += judged.count(Severity.ERROR) > 0
    report.grouped += judged.group.status is GroupStatus.GROUPED
    report.comprehensive += judged.group.status is GroupStatus.GROUPED_COMPREHENSIVE
    report.ungrouped += judged.group.status not in (
        GroupStatus.GROUPED,
        GroupStatus.GROUPED_COMPREHENSIVE,
    )
    report.scored += judged.score.status is ScoreStatus.SCORED
    report.expected_fen += judged.score.amount or 0
