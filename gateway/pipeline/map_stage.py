"""Inbox → canonical case → list, with the origin of every field, for every stay that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from dipgate.core.case import Case, case_of
from dipgate.core.errors import Place, RecordError
from dipgate.core.events import LogEvent
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.lists import text_of
from dipgate.core.progress import Progress, silent
from dipgate.core.record import Overlay, RawRow, Rejected, SourceSpec, TableMap
from dipgate.mapping import MappedCase, SourceRecord, build_case
from dipgate.pipeline import bill_life, contest, history_months, registry_stage, waiting
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.vanished import end_vanished
from dipgate.security.eventlog import log
from dipgate.store import Connection, bills, cases, inbox, life, overlays, unmapped

BATCH = 200
"""Stays per transaction: a crash repeats at most one batch, and repeating changes nothing."""


@dataclass
class MapReport:
    """What became of the stays that were new."""

    mapped: int = 0
    unchanged: int = 0
    waiting_for_bill: int = 0
    waiting_for_front_page: int = 0
    retired: int = 0
    """Lists whose settlement was cancelled since the last mapping."""
    set_aside: int = 0
    unmapped_codes: int = 0
    conflicts: int = 0
    history: int = 0
    """Bills of past months, which only `intake --history` takes."""
    notes: list[str] = field(default_factory=list)
    """What a user should know: a file that lacks too many of its bills."""


@dataclass(frozen=True, slots=True)
class StayRows:
    """One stay with its current source rows."""

    source: SourceSpec
    stay: inbox.Stay
    rows: Mapping[str, Sequence[RawRow]]

    def value(self, table: str, row: RawRow, name: str) -> str:
        """The trimmed source text of a national field in a row; empty when it is not mapped."""
        columns = self.source.tables[table].columns if table in self.source.tables else {}
        column = columns.get(name)
        return row.values.get(column, "").strip() if column else ""

    def bill(self, row: RawRow) -> str:
        """The settlement id of one of its settlement rows, as the list has it."""
        return bills.bill_id(self.value("settlement", row, "setl_id"))

    def bills(self) -> tuple[str, ...]:
        """The settlement ids that its current rows name."""
        return tuple(self.bill(row) for row in self.rows.get("settlement", ()))

    def waits_for_front_page(self) -> bool:
        """It has a bill, and the front page that this source is to give is not there yet."""
        return bool(
            "front_page" in self.source.tables
            and self.rows.get("settlement")
            and not self.rows.get("front_page")
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    stay: StayRows
    settlement_id: str
    row: RawRow
    mapped: MappedCase | None = None
    error: RecordError | None = None


def map_new_stays(desk: Desk, progress: Progress = silent) -> MapReport:
    """Map every stay whose rows are newer than its last mapping; store list and lineage.

    A row that cannot be read sets its case aside with a sentence; the rest goes on.
    """
    report = MapReport(notes=list(end_vanished(desk)))
    done = 0
    for spec in desk.site.source_specs():
        while True:
            with desk.store.read() as conn:
                due = inbox.stays_to_map(conn, BATCH, source=spec.name)
                stays = [
                    StayRows(spec, stay, inbox.stay_rows(conn, spec.name, stay.key)) for stay in due
                ]
                corrections = _corrections(conn, stays)
                contests = contest.among(conn, desk, [i for stay in stays for i in stay.bills()])
                past = history_months.kept_out(conn, desk, _days(stays))
            if not stays:
                break
            outcomes = [
                outcome
                for stay in stays
                for outcome in _map_stay(desk, stay, corrections, contests, past)
            ]
            faultpoint(FaultPoint.PIPELINE_STAGE_COMPUTED)
            _store_batch(desk, stays, outcomes, report)
            report.history += len(past)
            done += len(stays)
            progress(done, None)
    return report


def map_settlement(
    desk: Desk, stay: StayRows, settlement: RawRow, corrections: Sequence[Overlay]
) -> MappedCase:
    """Map one bill of a stay with the given corrections; pure apart from catalogue look-ups.

    Raises RecordError naming file, row, column and remedy when a cell cannot mean anything.
    """
    settlement_id = stay.value("settlement", settlement, "setl_id")
    front = stay.rows.get("front_page", ())
    return build_case(
        SourceRecord(settlement, front[-1] if front else None, _charges_of(stay, settlement_id)),
        stay.source.tables,
        desk.reference(_settled_on(stay, settlement)),
        edition=stay.source.edition,
        fill=desk.fill(),
        overlays=corrections,
        source=stay.source.name,
    )


def settlement_row(stay: StayRows, settlement_id: str) -> RawRow:
    """The bill with this id. Raises RecordError when the stay no longer has it."""
    for row in stay.rows.get("settlement", ()):
        if stay.bill(row) == settlement_id:
            return row
    raise RecordError(f"结算 {settlement_id} 的源记录已不在", remedy="检查数据源是否退费或撤销")


def stay_of(desk: Desk, conn: Connection, case: cases.CaseRow) -> StayRows:
    """The source rows behind a case. Raises RecordError when its source left the site file."""
    specs = {spec.name: spec for spec in desk.site.source_specs()}
    if case.source not in specs:
        raise RecordError(f"站点文件里已没有数据源 {case.source}", remedy="恢复该数据源的配置")
    rows = inbox.stay_rows(conn, case.source, case.stay_key)
    return StayRows(specs[case.source], inbox.Stay(case.source, case.stay_key, 0), rows)


def store_mapped(
    conn: Connection, desk: Desk, mapped: MappedCase, stay: StayRows
) -> tuple[cases.CaseRow, bool]:
    """Write a mapped list with its lineage; the case, and whether its list is new or differs."""
    case = case_of(mapped.list)
    info = mapped.list.setlinfo
    before = cases.case_by_settlement(conn, mapped.list.settlement_id)
    after = cases.put_case(
        conn,
        lst=mapped.list,
        origins=mapped.origins,
        source=stay.source.name,
        stay_key=stay.stay.key,
        person_no=text_of(info.get("psn_no")),
        settled_on=_day_of(case),
        department=text_of(info.get("dscg_caty")),
        doctor=text_of(info.get("chfpdr_code")),
        fee_fen=case.fee,
        now=desk.clock.now(),
    )
    registry_stage.note(conn, desk, mapped, _day_of(case))
    if after.state in contest.PUT_AWAY:
        after = contest.bring_back(conn, desk, after)
    return after, before is None or before.revision != after.revision


def _day_of(case: Case) -> date | None:
    return case.settled or (case.discharged.date() if case.discharged else None)


def _corrections(conn: Connection, stays: Sequence[StayRows]) -> Mapping[str, tuple[Overlay, ...]]:
    found = {}
    for stay in stays:
        for row in stay.rows.get("settlement", ()):
            settlement_id = stay.bill(row)
            active = overlays.active_for(conn, settlement_id)
            if active:
                found[settlement_id] = active
    return found


def _map_stay(
    desk: Desk,
    stay: StayRows,
    corrections: Mapping[str, tuple[Overlay, ...]],
    contests: Mapping[str, RecordError],
    past: frozenset[str],
) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    if stay.waits_for_front_page():
        return outcomes
    found = bill_life.read_bills(stay)
    for row, problem in found.problems:
        outcomes.append(_Outcome(stay, stay.bill(row), row, error=placed(problem, row)))
    for row in found.live:
        settlement_id = stay.bill(row)
        if settlement_id in past:
            continue
        try:
            if found.problems:
                raise found.problems[0][1]
            if settlement_id in contests:
                raise contests[settlement_id]
            mapped = map_settlement(desk, stay, row, corrections.get(settlement_id, ()))
            outcomes.append(_Outcome(stay, settlement_id, row, mapped=mapped))
        except RecordError as error:
            outcomes.append(_Outcome(stay, settlement_id, row, error=placed(error, row)))
    return outcomes


def placed(error: RecordError, row: RawRow) -> RecordError:
    """The error with the row's place, unless it names one."""
    if error.place.file:
        return error
    place = Place(row.object_name, row.row, error.place.field)
    return type(error)(error.what, place=place, remedy=error.remedy)


def _settled_on(stay: StayRows, settlement: RawRow) -> date | None:
    """The day whose catalogues hold, in whatever form the source writes dates."""
    return history_months.settled_on(settlement.values, stay.source.tables["settlement"])


def _days(stays: Sequence[StayRows]) -> list[tuple[str, date | None]]:
    """Settlement id and day of every bill."""
    return [
        (stay.bill(row), _settled_on(stay, row))
        for stay in stays
        for row in stay.rows.get("settlement", ())
    ]


def _charges_of(stay: StayRows, settlement_id: str) -> tuple[RawRow, ...]:
    """The charge lines of one bill: all of the stay's unless the lines name a settlement."""
    charges = tuple(stay.rows.get("charge", ()))
    table: TableMap | None = stay.source.tables.get("charge")
    if table is None or "setl_id" not in table.columns:
        return charges
    return tuple(
        row for row in charges if stay.value("charge", row, "setl_id") in ("", settlement_id)
    )


def _store_batch(
    desk: Desk, stays: Sequence[StayRows], outcomes: Sequence[_Outcome], report: MapReport
) -> None:
    now = desk.clock.now()

    def save(conn: Connection) -> MapReport:
        part = MapReport()
        for stay in stays:
            inbox.resolve_stay(conn, stay.source.name, stay.stay.key, now)
        for stay in stays:
            source, key = stay.source.name, stay.stay.key
            contest.retire_unclaimed(conn, desk, source, key, stay.bills())
            cancelled = bill_life.read_bills(stay).cancelled
            part.retired += contest.retire_cancelled(conn, desk, source, key, cancelled)
        for outcome in outcomes:
            _save_outcome(conn, desk, outcome, part)
        settled = {id(outcome.stay) for outcome in outcomes}
        for stay in stays:
            waits = waiting.note(
                conn,
                desk,
                stay.source.name,
                stay.stay.key,
                stay,
                bill_life.read_bills(stay),
                set(stay.source.tables),
            )
            unsettled = id(stay) not in settled
            part.waiting_for_front_page += unsettled and waits == waiting.FRONT_PAGE
            part.waiting_for_bill += unsettled and waits == waiting.BILL
            inbox.mark_mapped(conn, stay.source.name, stay.stay.key, now, changes=stay.stay.changes)
        return part

    part = desk.store.write(save)
    log(
        LogEvent.MAPPED,
        lists=tuple(outcome.settlement_id for outcome in outcomes),
        unchanged=part.unchanged,
        set_aside=part.set_aside,
    )
    for name, number in vars(part).items():
        setattr(report, name, getattr(report, name) + number)


def _save_outcome(conn: Connection, desk: Desk, outcome: _Outcome, report: MapReport) -> None:
    now = desk.clock.now()
    stay, mapped = outcome.stay, outcome.mapped
    if mapped is None:
        error = outcome.error or RecordError("映射失败")
        place = error.place
        raw_hash = next(
            (row.raw_hash for row in stay.rows.get("settlement", ()) if row.row == place.row), ""
        )
        aside = Rejected(
            "settlement", place.file, place.row, place.field, error.what, error.remedy, raw_hash
        )
        inbox.add_rejected(conn, stay.source.name, [aside], now, stay_key=stay.stay.key)
        if isinstance(error, contest.Contested):
            contest.set_aside(conn, desk, outcome.settlement_id, error.what)
        elif isinstance(error, bill_life.Unclear):
            why = "退费不明"
            contest.set_aside(conn, desk, outcome.settlement_id, error.what, why=why)
        report.set_aside += 1
        return
    before = cases.case_by_settlement(conn, outcome.settlement_id)
    if before is None:
        mapped = _carried(conn, desk, outcome, mapped)
    after, changed = store_mapped(conn, desk, mapped, stay)
    bill_life.note_change(conn, desk, before, after)
    report.mapped += 1
    report.unchanged += not changed
    report.conflicts += len(mapped.conflicts)
    report.unmapped_codes += len(mapped.unmapped)
    unmapped.replace_for(
        conn,
        mapped.list.settlement_id,
        [(item.kind, item.code, item.name) for item in mapped.unmapped],
        now,
    )


def _carried(conn: Connection, desk: Desk, outcome: _Outcome, mapped: MappedCase) -> MappedCase:
    """A new settlement of a stay takes the corrections of the cancelled one before it."""
    stay, new = outcome.stay, outcome.settlement_id
    named = bills.bill_id(stay.value("settlement", outcome.row, bill_life.FIRST_ID))
    old = bill_life.predecessor(conn, stay.source.name, stay.stay.key, new, named)
    if not old:
        return mapped
    active = overlays.active_for(conn, old)
    conflicts = map_settlement(desk, stay, outcome.row, active).conflicts
    drifted = {conflict.number: conflict for conflict in conflicts}
    bill_life.carry(
        conn,
        desk,
        old=old,
        new=new,
        taken=[overlay for overlay in active if overlay.number not in drifted],
        left=[
            life.Change(overlay.path, drifted[overlay.number].found, overlay.value)
            for overlay in active
            if overlay.number in drifted
        ],
    )
    return map_settlement(desk, stay, outcome.row, overlays.active_for(conn, new))
