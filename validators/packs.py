"""Rule packs: rows and functions compiled once, then run over lists without further checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dipgate.core.errors import ConfigError
from dipgate.core.findings import Finding, FindingStatus
from dipgate.core.hashing import content_hash
from dipgate.core.lists import SettlementList
from dipgate.core.reference import Reference
from dipgate.core.rules import FOR_EACH, RuleRow, RuleWorld
from dipgate.validators import language
from dipgate.validators.assembling import Piece, assemble, load
from dipgate.validators.building import Build
from dipgate.validators.emitting import (
    Emitter,
    FixPlan,
    Part,
    failed,
    not_checked,
    read_fixes,
    read_message,
    too_early,
)
from dipgate.validators.metadata import RuleInfo, RulePart
from dipgate.validators.reading import Missing
from dipgate.validators.registry import FunctionRule, Hit, Subject
from dipgate.validators.terms import Refusal
from dipgate.validators.translate import Translator

SHOWN = 20
"""How many mistakes of a pack one message lists; the rest are counted."""
_EACH = re.compile(r"\beach\b")
_TODAY = re.compile(r"\btoday\b")
_Run = Callable[[SettlementList, Reference, date, list[Finding], Emitter], object]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One mistake in a pack's table: rule, file, line, column of the table, and what is wrong."""

    rule: str
    file: str
    line: int
    column: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file} 第{self.line}行" if self.file else f"第{self.line}行"
        column = f" {self.column} 列" if self.column else ""
        return f"规则 {self.rule}（{where}{column}）：{self.what}"


class PackError(ConfigError):
    """A pack does not compile. `problems` holds every mistake found, in the table's order."""

    def __init__(self, pack: str, problems: Sequence[RowProblem]) -> None:
        self.problems = tuple(problems)
        shown = "\n  ".join(str(problem) for problem in problems[:SHOWN])
        rest = f"\n  还有 {len(problems) - SHOWN} 处" if len(problems) > SHOWN else ""
        first = problems[0]
        super().__init__(
            f"规则包 {pack} 有 {len(problems)} 处错误：\n  {shown}{rest}",
            path=f"{first.file}:{first.line}" if first.file else pack,
        )


class Pack:
    """A compiled pack. Immutable; pickling carries rows and world, and compiles again."""

    __slots__ = (
        "_all_since",
        "_early",
        "_emitter",
        "_functions",
        "_infos",
        "_limits",
        "_rows",
        "_run",
        "_world",
        "id",
        "rules",
        "source",
        "suppressions",
        "version",
    )

    def __init__(
        self,
        pack: str,
        rows: Sequence[RuleRow],
        functions: Sequence[FunctionRule],
        world: RuleWorld,
        compiled: _Compiled,
    ) -> None:
        self.id = pack
        self.rules: tuple[RuleInfo, ...] = compiled.rules
        self.source = compiled.source
        """Text of the generated function, for the curious and for tests."""
        self.version = _version(rows, functions, world)
        """Content hash: same rows, functions, fields and lists, same version."""
        self.suppressions: Mapping[str, frozenset[str]] = {
            info.id: frozenset(info.suppressed_by) for info in self.rules if info.suppressed_by
        }
        self._rows = tuple(rows)
        self._functions = tuple(functions)
        self._world = world
        self._limits = {
            node: {
                name: known.length
                for name, known in members.items()
                if known.kind == "text" and known.length is not None
            }
            for node, members in world.fields.items()
        }
        self._infos = {info.id: info for info in self.rules}
        first_parts = {part.info.id: part for part in reversed(compiled.parts)}
        self._all_since = max((info.since for info in self.rules), default=date.min)
        self._early = tuple(
            (info.since, too_early(info, first_parts.get(info.id))) for info in self.rules
        )
        self._emitter = Emitter(compiled.parts)
        self._run = compiled.run

    def run(self, lst: SettlementList, ref: Reference, today: date, out: list[Finding]) -> None:
        """Append the findings of every rule in force, and *not checked* for each that is not yet.

        Suppression is the caller's (`check`).
        """
        if ref.day < self._all_since:
            out += [said for since, said in self._early if ref.day < since]
        self._run(lst, ref, today, out, self._emitter)
        if self._functions:
            subject = Subject(lst, ref, self._world, self._limits, today)
            for rule in self._functions:
                if ref.day >= rule.since:
                    self._run_function(rule, subject, out)

    @property
    def day_rules(self) -> frozenset[str]:
        """Rules whose answer on the same list can change from one day to the next."""
        return frozenset(info.id for info in self.rules if info.looks_at_today)

    def rule(self, rule_id: str) -> RuleInfo | None:
        return self._infos.get(rule_id)

    def __reduce__(self) -> tuple[Callable[..., Pack], tuple[object, ...]]:
        return compile_pack, (self._rows, self._functions, self._world, self.id)

    def _run_function(self, rule: FunctionRule, subject: Subject, out: list[Finding]) -> None:
        info = self._infos[rule.id]
        for need in rule.needs:
            if not _is_there(need, subject):
                out.append(not_checked(info, rule.fields[0], language.need_reason(need)))
                return
        found: list[Finding] = []
        try:
            found += [_found(info, hit) for hit in rule.check(subject)]
        except Missing as why:
            found.append(not_checked(info, rule.fields[0], why.reason))
        except Exception:  # one broken rule must not take the others with it; it is told below
            found.append(failed(info, rule.fields[0]))
        out += found


@dataclass(frozen=True, slots=True)
class _Compiled:
    rules: tuple[RuleInfo, ...]
    parts: tuple[Part, ...]
    source: str
    run: _Run


def compile_pack(
    rows: Sequence[RuleRow],
    functions: Sequence[FunctionRule],
    world: RuleWorld,
    pack: str = "",
) -> Pack:
    """Rows and functions → pack. Raises PackError naming every mistake by rule, file and line.

    `world` says which fields, code sets and code lists exist (`config.rules.rule_world()`).
    """
    name = pack or (rows[0].pack if rows else functions[0].pack if functions else "empty")
    if len(rows) > language.MAX_ROWS:
        problem = RowProblem(rows[0].id, rows[0].file, rows[0].line, "", "规则包的行数太多")
        raise PackError(name, [problem])
    work = _Work(world)
    for row in rows:
        work.add(row)
    for rule in functions:
        work.add_function(rule)
    work.check_suppressions()
    if work.problems:
        raise PackError(name, work.problems)
    source = assemble(work.build, work.pieces)
    run = load(source, work.build, name)
    compiled = _Compiled(tuple(work.infos.values()), work.finished_parts(), source, run)
    return Pack(name, rows, functions, world, compiled)


def check(
    lst: SettlementList, ref: Reference, packs: Sequence[Pack], *, today: date
) -> tuple[Finding, ...]:
    """Every finding of the packs on one list, *not checked* ones included.

    `ref.day` (settlement or discharge date) decides which rules are in force. A finding whose
    rule names a more particular one is dropped where that one is found: at the same row, or
    anywhere in the list when either points at the list as a whole. Never raises for bad data.
    """
    out: list[Finding] = []
    for pack in packs:
        pack.run(lst, ref, today, out)
    silenced = {rule: by for pack in packs for rule, by in pack.suppressions.items()}
    if silenced:
        out = _without_suppressed(out, silenced)
    return tuple(out)


def _without_suppressed(
    findings: list[Finding], silenced: Mapping[str, frozenset[str]]
) -> list[Finding]:
    places: dict[str, set[str]] = {}
    for finding in findings:
        if finding.status is FindingStatus.FOUND:
            places.setdefault(finding.rule, set()).add(_row_of(finding.field))
    if len(places) < 2:
        return findings

    def speaks(finding: Finding) -> bool:
        by = silenced.get(finding.rule)
        if by is None or finding.status is not FindingStatus.FOUND:
            return True
        own = _row_of(finding.field)
        for rule in by:
            for place in places.get(rule, ()):
                if place == own or "[" not in place or "[" not in own:
                    return False
        return True

    return [finding for finding in findings if speaks(finding)]


def _row_of(field: str) -> str:
    return field.partition(".")[0]


def _is_there(need: str, subject: Subject) -> bool:
    kind, _, name = need.partition(":")
    if kind == "codeset":
        return name in subject.ref.codesets
    if kind == "table":
        return name in subject.ref.tables
    owner: object = subject.lst if need in language.NODES else subject.ref
    return getattr(owner, need) is not None


def _found(info: RuleInfo, hit: Hit) -> Finding:
    return Finding(
        info.id,
        info.severity,
        FindingStatus.FOUND,
        hit.field,
        hit.value,
        hit.message or info.message,
        hit.remedy or info.remedy,
        info.clause,
        hit.fixes,
    )


def _version(rows: Sequence[RuleRow], functions: Sequence[FunctionRule], world: RuleWorld) -> str:
    def of_row(row: RuleRow) -> list[Any]:
        return [row.id, row.pack, row.for_each, row.when, row.must, row.needs, row.severity.word,
                row.fields, row.clause, row.message, row.remedy, row.since.isoformat(), row.fix,
                row.suppressed_by, row.title, row.confidence]  # fmt: skip

    lists = {name: [sorted(listed.codes), listed.spans] for name, listed in world.lists.items()}
    fields = {
        node: {name: [f.label, f.kind, f.length, f.decimals] for name, f in members.items()}
        for node, members in world.fields.items()
    }
    return content_hash(
        {
            "rows": [of_row(row) for row in rows],
            "functions": [[rule.id, rule.revision, rule.severity.word] for rule in functions],
            "lists": lists,
            "fields": fields,
        }
    )


class _Work:
    """The state of one compilation."""

    def __init__(self, world: RuleWorld) -> None:
        self.world = world
        self.build = Build()
        self.problems: list[RowProblem] = []
        self.infos: dict[str, RuleInfo] = {}
        self.pieces: list[Piece] = []
        self.parts: list[Part] = []
        self._first: dict[str, RuleRow] = {}

    def add(self, row: RuleRow) -> None:
        before = len(self.problems)
        self._check_head(row)
        if len(self.problems) > before:
            return
        self._remember(row)
        uses_each = any(_EACH.search(text) for text in (row.when, row.must, row.message, row.fix))
        targets = row.fields if uses_each else row.fields[:1]
        for target in targets:
            if not self._compile(row, target, target if uses_each else ""):
                return

    def add_function(self, rule: FunctionRule) -> None:
        if rule.id in self.infos:
            self._wrong(rule.id, "", 0, "", "同一编号既有表行又有函数")
            return
        self.infos[rule.id] = RuleInfo(
            rule.id, rule.pack, rule.severity, rule.title, rule.why, rule.fields, rule.clause,
            rule.message, rule.remedy, rule.since, rule.needs, rule.suppressed_by,
            confidence=rule.confidence, looks_at_today=rule.looks_at_today,
        )  # fmt: skip

    def check_suppressions(self) -> None:
        """A rule may not silence itself, not even by way of others."""
        by = {info.id: info.suppressed_by for info in self.infos.values()}
        for rule in by:
            seen: set[str] = set()
            ahead = list(by[rule])
            while ahead:
                other = ahead.pop()
                if other == rule:
                    row = self._first.get(rule)
                    where = (row.file, row.line) if row else ("", 0)
                    self._wrong(rule, *where, "suppressed_by", "规则相互压制，成了一个圈")
                    break
                if other not in seen:
                    seen.add(other)
                    ahead += by.get(other, ())

    def finished_parts(self) -> tuple[Part, ...]:
        """Parts with the needs of their whole rule known."""
        return tuple(replace(part, info=self.infos[part.info.id]) for part in self.parts)

    def _wrong(self, rule: str, file: str, line: int, column: str, what: str) -> None:
        self.problems.append(RowProblem(rule, file, line, column, what))

    def _refuse(self, row: RuleRow, column: str, what: str) -> None:
        self._wrong(row.id, row.file, row.line, column, what)

    def _check_head(self, row: RuleRow) -> None:
        if row.for_each not in FOR_EACH:
            self._refuse(row, "for_each", f"应为 {'、'.join(FOR_EACH)} 之一")
        if not row.must.strip():
            self._refuse(row, "must", "不能为空；写必须成立的条件")
        if not row.fields:
            self._refuse(row, "fields", "至少写一个字段")
        for column in ("clause", "message", "remedy"):
            if not getattr(row, column).strip():
                self._refuse(row, column, "不能为空")
        for need in row.needs:
            if not language.is_need(need):
                self._refuse(row, "needs", f"不认识 {need}")
        first = self._first.get(row.id)
        if first is not None:
            for column in ("severity", "since", "pack", "suppressed_by", "confidence"):
                if getattr(first, column) != getattr(row, column):
                    self._refuse(row, column, f"与第{first.line}行同一编号的不一致")

    def _remember(self, row: RuleRow) -> None:
        looks_at_today = any(_TODAY.search(text) for text in (row.when, row.must))
        part = RulePart(row.for_each, row.when, row.must, row.fields, row.fix, row.file, row.line)
        known = self.infos.get(row.id)
        if known is None:
            self._first[row.id] = row
            self.infos[row.id] = RuleInfo(
                row.id, row.pack, row.severity, row.title or row.message, "", row.fields,
                row.clause, row.message, row.remedy, row.since, row.needs, row.suppressed_by,
                (part,), row.confidence, looks_at_today,
            )  # fmt: skip
        else:
            fields = tuple(dict.fromkeys((*known.fields, *row.fields)))
            self.infos[row.id] = replace(
                known,
                fields=fields,
                parts=(*known.parts, part),
                looks_at_today=known.looks_at_today or looks_at_today,
            )

    def _compile(self, row: RuleRow, target: str, each: str) -> bool:
        translator = Translator(self.build, self.world, row.for_each, each)
        node = "" if row.for_each == "case" else row.for_each
        column = "fields"
        try:
            for field in row.fields:
                translator.known_field(field)
            column = "when"
            when = translator.condition(row.when) if row.when.strip() else ""
            column = "must"
            must = translator.condition(row.must)
            column = "message"
            literals, placeholders = read_message(row.message)
            shown = tuple(translator.shown(text) for text in placeholders)
            column = "fix"
            plans: list[FixPlan] = []
            fixes: list[tuple[str, str]] = []
            for plan in read_fixes(row.fix):
                fixes.append(translator.fix(plan.target, plan.value, plan.when))
                goal = each if plan.target == "each" else plan.target
                label = translator.known_field(goal).label if goal else ""
                plans.append(replace(plan, target=goal, label=label))
        except Refusal as refusal:
            place = f"（第{refusal.column + 1}字起）" if refusal.column is not None else ""
            self._refuse(row, column, refusal.what + place)
            return False
        except ValueError as error:
            self._refuse(row, column, str(error))
            return False
        for need in (*row.needs, *((node,) if node else ())):
            translator.needs.setdefault(need)
            if need in language.NODES:
                self.build.node(need)
        needs = tuple(translator.needs)
        info = self.infos[row.id]
        known = tuple(dict.fromkeys((*info.needs, *needs)))
        self.infos[row.id] = replace(info, needs=known)
        number = len(self.parts)
        self.parts.append(Part(info, node, target, literals, tuple(plans), needs))
        self.pieces.append(Piece(number, node, needs, row.since, when, must, shown, tuple(fixes)))
        return True
