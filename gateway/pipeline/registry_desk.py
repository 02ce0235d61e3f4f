"""What a person does to the registry: enter, propose, decide, withdraw; and who it concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from dipgate.config.kinds import kind_named
from dipgate.config.references import References
from dipgate.core.errors import RecordError
from dipgate.core.registry import DEPARTMENT, KINDS, ROLES, STAFF, RegistryEntry, key_of, overlaps
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.registry_candidates import Candidate, candidates
from dipgate.pipeline.remap import RemapReport, remap
from dipgate.store import Connection, audit, cases, registries, registry_items
from dipgate.store.registries import DeskEntry
from dipgate.store.registry_items import Item, Use

STEP = 25
"""Lists mapped again in one step."""
for _name, _label in (
    ("registry.entered", "登记科室或人员"),
    ("registry.proposed", "建议登记科室或人员"),
    ("registry.approved", "批准登记"),
    ("registry.refused", "不批准登记"),
    ("registry.withdrawn", "撤销登记"),
):
    audit.register(_name, _label, audit.WRITTEN_REASON)
audit.register("registry.applied", "登记用到等着的清单", audit.IDS_ONLY)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `after` is where the next one begins; None when nothing is left."""

    report: RemapReport
    after: str | None


def read_entry(desk: Desk, kind: str, typed: Mapping[str, str]) -> RegistryEntry:
    """The entry that a form or a command line asks for, checked as a row of an import would be.

    `typed`: local_code, name, national_code, role, department, first_day, last_day. Raises
    RecordError with a sentence and a way out.
    """
    if kind not in KINDS:
        raise RecordError("只能登记科室（department）或人员（staff）", remedy="选其中一种")
    names = {"name": "local_name"} if kind == DEPARTMENT else {}
    read: dict[str, str] = {}
    for name in ("local_code", "name", "national_code", "role", "first_day", "last_day"):
        cell = next(
            (c for c in kind_named(kind).cells if c.column.name == names.get(name, name)), None
        )
        if cell is None:
            continue
        try:
            read[name] = cell.read(typed.get(name, ""))
        except ValueError as error:
            word = cell.column.headings[-1]
            raise RecordError(f"{word}{error}", remedy="改正后再登记") from None
    if not read["national_code"]:
        raise RecordError("没有填国家编码", remedy="向医保信息业务编码系统查到后再登记")
    known = desk.forms.codesets.get("dept", {})
    national = read["national_code"]
    role = read.get("role", "")
    if kind == DEPARTMENT and national not in known:
        raise RecordError(f"国家科室代码里没有 {national}", remedy="在国家科室代码表里选一个")
    if kind == STAFF:
        role = role or ("nurse" if national.startswith("N") else "doctor")
        if (role == "nurse") != national.startswith("N"):
            raise RecordError(
                f"{ROLES[role]}的国家编码不能以 {national[0]} 开头",
                remedy="护士是 N，医师是 D；核对是不是抄了别人的代码",
            )
    entry = RegistryEntry(
        kind,
        read["local_code"],
        read["name"],
        national,
        known.get(national, "") if kind == DEPARTMENT else "",
        role,
        typed.get("department", "").strip(),
        _day(read["first_day"]),
        _day(read["last_day"]),
    )
    if entry.first_day and entry.last_day and entry.last_day < entry.first_day:
        raise RecordError("停用日期早于启用日期", remedy="改正两个日期中的一个")
    return entry


def enter(desk: Desk, entry: RegistryEntry, *, reason: str, author: str) -> int:
    """Make an entry that holds at once, for this process and the next; its number.

    The lists that wait are mapped again by `apply_step`. Raises RecordError without a reason, or
    when an entry of the same code already holds on one of its days.
    """
    number = _keep(desk, entry, "active", "registry.entered", reason=reason, author=author)
    renew(desk)
    return number


def propose(desk: Desk, entry: RegistryEntry, *, reason: str, author: str) -> int:
    """Keep an entry for others to decide about; nothing changes before that."""
    return _keep(desk, entry, "proposed", "registry.proposed", reason=reason, author=author)


def decide(desk: Desk, number: int, state: str, *, reason: str, author: str) -> DeskEntry:
    """Approve (`active`), refuse (`refused`) or withdraw (`withdrawn`) an entry.

    Raises RecordError without a reason, for an entry that is not in a state for it, or one whose
    days another entry has taken meanwhile.
    """
    _need(reason)
    acts = {
        "active": "registry.approved",
        "refused": "registry.refused",
        "withdrawn": "registry.withdrawn",
    }

    def act(conn: Connection) -> DeskEntry:
        found = registries.get(conn, number)
        if found is not None and state == "active":
            _free(conn, found.entry())
        now = desk.clock.now()
        moved = registries.move(conn, number, state, by=author, at=now, decision=reason)
        if moved is None:
            raise RecordError("这条登记已经处理过", remedy="刷新后再看")
        audit.add(conn, now, author, acts[state], f"registry:{number}", reason)
        return moved

    decided = desk.store.write(act)
    renew(desk)
    return decided


def renew(desk: Desk) -> None:
    """Let this process look codes up in the registry as it stands now."""

    def now(held: References) -> References:
        with desk.store.read() as conn:
            return held.renewed(registries.in_force(conn))

    desk.renew(now)


def concerned(
    conn: Connection, desk: Desk, entry: RegistryEntry, *, withdrawn: bool = False
) -> tuple[str, ...]:
    """Waiting settlements that an entry, made or withdrawn, may change; in order of id.

    Those that have the code as unknown, and those whose list says what it stood for so far.
    """
    group, _ = entry.key
    names = (entry.local_code, entry.local_name, entry.national_code)
    unknown = registry_items.waiting_for(conn, entry.kind, group, names)
    codes = {
        other.national_code
        for other in desk.references.registry(entry.kind)
        if other.key == entry.key and other.national_code != entry.national_code
    }
    if withdrawn:
        codes.add(entry.national_code)
    known = cases.waiting_with(conn, sorted(codes), states=registry_items.WAITING)
    return tuple(sorted({*unknown, *known}))


def apply_step(desk: Desk, number: int, *, after: str = "", author: str) -> Step:
    """Map the next waiting lists that an entry concerns again. Raises RecordError for no entry."""
    with desk.store.read() as conn:
        found = registries.get(conn, number)
        if found is None:
            raise RecordError("没有这条登记", remedy="刷新后再看")
        withdrawn = found.state == "withdrawn"
        wanted = concerned(conn, desk, found.entry(), withdrawn=withdrawn)
    left = [settlement_id for settlement_id in wanted if settlement_id > after]
    batch = left[:STEP]
    report = remap(desk, batch)
    detail: dict[str, str | int | None] = {
        "lists": report.remapped,
        "changed": report.changed,
        "before": report.problems_before,
        "after": report.problems_after,
    }
    now, last = desk.clock.now(), batch[-1] if len(left) > STEP else None

    def note(conn: Connection) -> None:
        if batch:
            audit.add(conn, now, author, "registry.applied", f"registry:{number}", detail=detail)
        if last is None:
            _forget_sent(conn, desk, found.entry())

    desk.store.write(note)
    return Step(report, last)


def apply_all(desk: Desk, number: int, *, author: str) -> list[RemapReport]:
    """`apply_step` until nothing is left."""
    reports: list[RemapReport] = []
    after: str | None = ""
    while after is not None:
        step = apply_step(desk, number, after=after, author=author)
        reports.append(step.report)
        after = step.after
    return reports


def refresh_step(desk: Desk, *, after: str = "", author: str) -> Step:
    """After an import: map the next lists with something unknown again, by the tables of now."""
    if not after:
        renew(desk)
    with desk.store.read() as conn:
        wanted = registry_items.all_waiting(conn)
    left = [settlement_id for settlement_id in wanted if settlement_id > after]
    batch = left[:STEP]
    report = remap(desk, batch)
    if batch:
        now = desk.clock.now()
        detail: dict[str, str | int | None] = {"lists": report.remapped, "changed": report.changed}
        desk.store.write(
            lambda conn: audit.add(conn, now, author, "registry.applied", "registry", detail=detail)
        )
    return Step(report, batch[-1] if len(left) > STEP else None)


def uses_of(conn: Connection, item: Item) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
    """(lists that wait, lists that were sent or are on their way) with an item."""
    found = registry_items.uses(conn, item)
    sent = tuple(use for use in found if use.state in registry_items.SENT)
    return tuple(use for use in found if use.state not in registry_items.SENT), sent


def ideas(desk: Desk, item: Item) -> tuple[Candidate, ...]:
    """Candidates for an item, the likeliest first."""
    return candidates(
        item.kind,
        item.group,
        item.local_code,
        item.local_name,
        desk.references.registry(item.kind),
        desk.forms.codesets.get("dept", {}),
        item.last_used,
    )


def _keep(
    desk: Desk, entry: RegistryEntry, state: str, act: str, *, reason: str, author: str
) -> int:
    _need(reason)

    def keep(conn: Connection) -> int:
        _free(conn, entry)
        now = desk.clock.now()
        number = registries.add(conn, entry, state=state, reason=reason, author=author, at=now)
        audit.add(conn, now, author, act, f"registry:{number}", reason, {"kind": entry.kind})
        return number

    return desk.store.write(keep)


def _free(conn: Connection, entry: RegistryEntry) -> None:
    held = registries.in_force(conn)
    other = overlaps(entry, [item for item in held if item.kind == entry.kind])
    if other is not None:
        raise RecordError(
            f"{entry.local_code} 在这些日子里已有登记（第 {other.number} 号，"
            f"{other.local_name} {other.national_code}）",
            remedy="先撤销那一条，或把日期错开",
        )


def _forget_sent(conn: Connection, desk: Desk, entry: RegistryEntry) -> None:
    """What the registry knows by now is no item any more, also where the list has left."""
    for item in registry_items.items(conn, kind=entry.kind):
        if (item.group, item.local_code) not in (
            entry.key,
            key_of(entry.kind, entry.national_code, entry.role),
            key_of(entry.kind, entry.local_name, entry.role),
        ):
            continue
        gone = [
            use.settlement_id
            for use in registry_items.uses(conn, item)
            if use.state in registry_items.SENT
            and knows(desk, item.kind, item.group, item.local_code, use.used_on)
        ]
        registry_items.clear(conn, item, gone)


def knows(desk: Desk, kind: str, group: str, code: str, day: date | None) -> bool:
    """Does the registry lead this code to one national code on this day?"""
    ref = desk.reference(day)
    if kind == DEPARTMENT:
        return code in (ref.departments or {})
    people = (ref.staff or {}).get(code, ())
    fit = {p.national_code for p in people if (p.role == "nurse") == (group == "nurse")}
    return len(fit) == 1


def _need(reason: str) -> None:
    if not reason.strip():
        raise RecordError("没有填写依据", remedy="写明从哪里查到的，例如“编码系统查询 6 月 16 日”")
    if len(reason) > 200:
        raise RecordError("依据超过 200 字", remedy="写短一些")


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def with_entry(desk: Desk, entry: RegistryEntry, held: Sequence[RegistryEntry]) -> Desk:
    """The desk as it would be with one more entry; nothing is stored."""
    return replace(desk, references=desk.references.renewed([*held, entry]))
