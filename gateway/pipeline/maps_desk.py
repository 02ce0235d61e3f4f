"""What people do to the code maps: propose, approve, reject, withdraw; and which lists it concerns.

One person proposes and another approves: the store says so itself, for pages and commands alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from dipgate.config.kinds import kind_named
from dipgate.config.references import References
from dipgate.core.codes import strip_marks
from dipgate.core.errors import RecordError
from dipgate.core.reference import CodeMap, CodeTable, MapEntry, Reference
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.remap import RemapReport, remap
from dipgate.store import Connection, audit, cases, map_proposals, unmapped
from dipgate.store.map_proposals import KINDS, Proposal, Wanted

STEP = 25
"""Lists mapped again in one step."""
_ACTS = {
    "approved": "map.approved",
    "rejected": "map.rejected",
    "withdrawn": "map.withdrawn",
}
for _name, _label in (
    ("map.proposed", "建议编码对照"),
    ("map.approved", "批准编码对照"),
    ("map.rejected", "否决编码对照"),
    ("map.withdrawn", "撤销编码对照"),
):
    audit.register(_name, _label, audit.WRITTEN_REASON)
audit.register("map.applied", "编码对照用到等着的清单", audit.IDS_ONLY)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `after` is where the next one begins; None when nothing is left."""

    report: RemapReport
    after: str | None


def read_wanted(desk: Desk, kind: str, typed: Mapping[str, str]) -> Wanted:
    """The row that a form or a command line asks for, checked as a row of an import would be.

    `typed`: source_code, source_name, target_code, first_day, last_day. Raises RecordError with a
    sentence and a way out.
    """
    if kind not in KINDS:
        raise RecordError("只能对照诊断（icd10）或手术操作（icd9cm3）", remedy="选其中一种")
    read: dict[str, str] = {}
    for cell in kind_named(f"{kind}-map").cells:
        name = cell.column.name
        if name == "target_name":
            continue
        try:
            read[name] = cell.read(typed.get(name, ""))
        except ValueError as error:
            word = cell.column.headings[-2 if name.endswith("_code") else -1]
            raise RecordError(f"{word}{error}", remedy="改正后再提交") from None
    first, last = _day(read["first_day"]), _day(read["last_day"])
    if first and last and last < first:
        raise RecordError("停用日期早于启用日期", remedy="改正两个日期中的一个")
    target = read["target_code"]
    day = max(first or desk.today(), min(desk.today(), last or date.max))
    table = table_of(desk.reference(day), kind) or table_of(desk.reference(None), kind)
    if table is None:
        raise RecordError(
            f"没有导入医保版{KINDS[kind]}目录", remedy="先用 dipgate catalogue import 导入"
        )
    if target not in table:
        raise RecordError(
            f"医保版目录 {table.version} 里没有 {target}", remedy="在候选里选，或查到后再填"
        )
    return Wanted(
        kind, read["source_code"], read["source_name"], target, table.names[target], first, last
    )


def propose(desk: Desk, wanted: Wanted, *, reason: str, author: str) -> int:
    """Keep a row for a second person to decide about; its number. Nothing changes before that.

    Raises RecordError without a reason, or when the same row waits or another holds already.
    """
    _need(reason)

    def keep(conn: Connection) -> int:
        _free(conn, wanted)
        for other in map_proposals.proposals(
            conn, states=("proposed",), kind=wanted.kind, source_code=wanted.source_code
        ):
            if other.wanted.target_code == wanted.target_code and other.wanted.meets(wanted):
                raise RecordError(
                    f"同样的建议已在等批准（第 {other.id} 号，{other.author} 提的）",
                    remedy="到“待批准”里看",
                )
        now = desk.clock.now()
        number = map_proposals.propose(conn, wanted, reason=reason, author=author, at=now)
        audit.add(conn, now, author, "map.proposed", f"map:{number}", reason)
        return number

    return desk.store.write(keep)


def decide(desk: Desk, number: int, state: str, *, reason: str, author: str) -> Proposal:
    """Approve, reject or withdraw a row; what is approved holds at once in this process.

    The lists that wait are mapped again by `apply_step`. Raises RecordError without a reason, for
    its own author, for a row not in a state for it, or one whose days another row has taken.
    """
    _need(reason)

    def act(conn: Connection) -> Proposal:
        found = map_proposals.get(conn, number)
        if found is not None and state == "approved":
            _free(conn, found.wanted)
        now = desk.clock.now()
        moved = map_proposals.decide(conn, number, state, by=author, at=now, reason=reason)
        if moved is None:
            raise RecordError("这条对照已经处理过", remedy="刷新后再看")
        audit.add(conn, now, author, _ACTS[state], f"map:{number}", reason)
        return moved

    decided = desk.store.write(act)
    renew(desk)
    return decided


def renew(desk: Desk) -> None:
    """Let this process map by the rows that are approved now."""

    def now(held: References) -> References:
        with desk.store.read() as conn:
            return held.renewed(maps=map_proposals.in_force(conn))

    desk.renew(now)


def with_row(desk: Desk, conn: Connection, wanted: Wanted) -> Desk:
    """The desk as it would be with one more row in force; nothing is stored."""
    rows: dict[str, tuple[MapEntry, ...]] = map_proposals.in_force(conn)
    kind = f"{wanted.kind}-map"
    rows[kind] = (*rows[kind], wanted.entry())
    return replace(desk, references=desk.references.renewed(maps=rows))


def concerned(
    conn: Connection, desk: Desk, wanted: Wanted, *, withdrawn: bool = False
) -> tuple[str, ...]:
    """Waiting settlements that a row, approved or withdrawn, may change; in order of id.

    Those that have the code unmapped, and those whose list says what it stood for so far.
    """
    unknown = {
        use.settlement_id
        for use in unmapped.uses(conn, wanted.kind, spellings(conn, wanted))
        if not use.is_sent
    }
    days = {desk.today(), wanted.first_day, wanted.last_day} - {None}
    targets = {
        row.target_code
        for day in days
        for row in _rows(map_of(desk.reference(day), wanted.kind), wanted.source_code)
        if row.target_code != wanted.target_code
    }
    if withdrawn:
        targets.add(wanted.target_code)
    known = cases.waiting_with(conn, sorted(targets), states=unmapped.WAITING)
    return tuple(sorted({*unknown, *known}))


def spellings(conn: Connection, wanted: Wanted) -> tuple[str, ...]:
    """The code of a row, and the unmapped codes that are read as it without their marks."""
    marked = (
        item.code
        for item in unmapped.codes(conn, kind=wanted.kind, limit=100_000)
        if strip_marks(item.code) == wanted.source_code
    )
    return tuple(dict.fromkeys((wanted.source_code, *marked)))


def sent_with(conn: Connection, wanted: Wanted) -> int:
    """How many lists with the code unmapped have left; they are named and stay as they are."""
    return sum(use.is_sent for use in unmapped.uses(conn, wanted.kind, spellings(conn, wanted)))


def apply_step(desk: Desk, number: int, *, after: str = "", author: str) -> Step:
    """Map the next waiting lists that a row concerns again. Raises RecordError for no such row."""
    with desk.store.read() as conn:
        found = map_proposals.get(conn, number)
        if found is None or found.state not in ("approved", "withdrawn"):
            raise RecordError("没有这条在用或撤销的对照", remedy="刷新后再看")
        withdrawn = found.state == "withdrawn"
        wanted = concerned(conn, desk, found.wanted, withdrawn=withdrawn)
    left = [settlement_id for settlement_id in wanted if settlement_id > after]
    batch = left[:STEP]
    report = remap(desk, batch)
    detail: dict[str, str | int | None] = {
        "lists": report.remapped,
        "changed": report.changed,
        "before": report.problems_before,
        "after": report.problems_after,
    }
    if batch:
        now = desk.clock.now()
        desk.store.write(
            lambda conn: audit.add(conn, now, author, "map.applied", f"map:{number}", detail=detail)
        )
    return Step(report, batch[-1] if len(left) > STEP else None)


def apply_all(desk: Desk, number: int, *, author: str) -> list[RemapReport]:
    """`apply_step` until nothing is left."""
    reports: list[RemapReport] = []
    after: str | None = ""
    while after is not None:
        step = apply_step(desk, number, after=after, author=author)
        reports.append(step.report)
        after = step.after
    return reports


def table_of(ref: Reference, kind: str) -> CodeTable | None:
    """The insurance edition of a kind."""
    return ref.icd10 if kind == "icd10" else ref.icd9cm3


def map_of(ref: Reference, kind: str) -> CodeMap | None:
    """The map of a kind, the narrower layer first."""
    return ref.icd10_map if kind == "icd10" else ref.icd9cm3_map


def _rows(table: CodeMap | None, code: str) -> tuple[MapEntry, ...]:
    return () if table is None else table.find(code)


def _free(conn: Connection, wanted: Wanted) -> None:
    for other in map_proposals.proposals(
        conn, states=("approved",), kind=wanted.kind, source_code=wanted.source_code
    ):
        if other.wanted.meets(wanted):
            raise RecordError(
                f"{wanted.source_code} 在这些日子里已有在用的对照（第 {other.id} 号，"
                f"对到 {other.wanted.target_code}）",
                remedy="先撤销那一条，或把日期错开",
            )


def _need(reason: str) -> None:
    if not reason.strip():
        raise RecordError(
            "没有填写依据", remedy="写明为什么这样对照，例如“病历描述与医保版名称一致”"
        )
    if len(reason) > 200:
        raise RecordError("依据超过 200 字", remedy="写短一些")


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
