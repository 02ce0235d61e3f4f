"""A source against its contract: does each mapped object hold the columns, types, widths and
codes that the site file and the national field tables promise?

Pure: it judges what `SourceAdapter.look` brought. Examples are shapes (`9999/99/99`), never
values; only short values of coded fields are shown as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from dipgate.core.record import Cell, RepeatMap, SeenColumn, SeenTable, TableMap
from dipgate.core.wire import Fault, FieldSpec, WireProblem
from dipgate.mapping import convert
from dipgate.mapping.fields import READINGS, TEXT, Kind
from dipgate.mapping.nodes import PLAIN, split_columns

CheckRow = Callable[[str, Mapping[str, str]], Sequence[WireProblem]]
"""(node, field → wire text) → what the national field table has against it."""
SHOWN = 24
_SHORT_CODE = 6
_FLOATS = ("float", "double", "real", "binary_float", "binary_double")
_LOCAL = (Kind.DEPARTMENT, Kind.DOCTOR, Kind.NURSE)
"""Read through the hospital's own tables: a source may write its own codes here."""
_TEXTS = (Kind.TEXT, Kind.IDENTIFIER, Kind.DIAGNOSIS, Kind.PROCEDURE)


class Breach(StrEnum):
    """How a source can break its contract; the value is what a user reads."""

    NO_OBJECT = "没有这个文件或视图"
    MISSING = "缺列"
    EXTRA = "多出的列"
    CHARSET = "字符集不符"
    TYPE = "类型不符"
    WIDTH = "超长"
    CODE = "代码值不在码表"
    BLANK = "必填却为空"
    KEY_BLANK = "主键为空"
    KEY_TWICE = "主键重复"
    FLOAT = "编号放在浮点列"
    CUT = "可能被截断"
    EMPTY = "没有行"


HINTS = frozenset((Breach.EXTRA, Breach.FLOAT, Breach.CUT, Breach.EMPTY))
"""These deserve a look; all others break the contract."""
_BREACHES = {
    Fault.MISSING: Breach.BLANK,
    Fault.LENGTH: Breach.WIDTH,
    Fault.CODESET: Breach.CODE,
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One breach at one column: how often among the rows looked at, and one masked example."""

    table: str
    object_name: str
    breach: Breach
    column: str
    target: str
    """National field (`setlinfo.adm_time`), empty where none is concerned."""
    count: int
    rows: int
    first_row: int | None
    example: str
    what: str
    remedy: str

    @property
    def breaks(self) -> bool:
        return self.breach not in HINTS


@dataclass(slots=True)
class _Found:
    """Breaches of one table as they are counted."""

    table: TableMap
    seen: SeenTable
    counts: Counter[tuple[Breach, str, str]] = field(default_factory=Counter)
    first: dict[tuple[Breach, str, str], tuple[int | None, str, str, str]] = field(
        default_factory=dict
    )

    def add(
        self,
        breach: Breach,
        column: str,
        target: str,
        what: str,
        remedy: str,
        *,
        row: int | None = None,
        example: str = "",
    ) -> None:
        key = (breach, column, target)
        self.counts[key] += 1
        self.first.setdefault(key, (row, example, what, remedy))

    def clauses(self) -> Iterator[Clause]:
        for (breach, column, target), count in self.counts.items():
            row, example, what, remedy = self.first[breach, column, target]
            yield Clause(
                self.table.table,
                self.seen.object_name,
                breach,
                column,
                target,
                count,
                len(self.seen.rows),
                row,
                example,
                what,
                remedy,
            )


def check_contract(
    tables: Mapping[str, TableMap],
    seen: Sequence[SeenTable],
    *,
    codec: str,
    codesets: Mapping[str, Mapping[str, str]],
    specs: Mapping[tuple[str, str], FieldSpec],
    check_row: CheckRow,
    filled: Container[str] = frozenset(),
) -> tuple[Clause, ...]:
    """`filled`: setlinfo fields that the site fills in where the source leaves them blank.

    Every breach, worst kinds first as `Breach` lists them, per object in the given order."""
    clauses: list[Clause] = []
    for item in seen:
        found = _Found(tables[item.table], item)
        if item.problem:
            found.add(Breach.NO_OBJECT, "", "", item.problem, item.remedy)
        else:
            _Judge(found, codec, codesets, specs, check_row, filled).run()
        order = list(Breach)
        clauses += sorted(found.clauses(), key=lambda clause: order.index(clause.breach))
    return tuple(clauses)


@dataclass(slots=True)
class _Judge:
    found: _Found
    codec: str
    codesets: Mapping[str, Mapping[str, str]]
    specs: Mapping[tuple[str, str], FieldSpec]
    check_row: CheckRow
    filled: Container[str]

    def run(self) -> None:
        table, seen = self.found.table, self.found.seen
        there = {column.name: column for column in seen.columns}
        self._columns(there)
        if not seen.rows:
            self.found.add(
                Breach.EMPTY, "", "", "对象里没有行，只能核对列", "导出或放开几行样例后再核对"
            )
        groups = tuple(_groups(table))
        keys: Counter[str] = Counter()
        for number, row in enumerate(seen.rows, start=1):
            texts = {name: self._text(name, cell, number) for name, cell in row.items()}
            self._key(texts.get(table.key) or "", number, keys)
            for node, columns in groups:
                self._node(node, {f: c for f, c in columns.items() if c in there}, texts, number)
        self._cut(there)

    def _columns(self, there: Mapping[str, SeenColumn]) -> None:
        targets = dict(targets_of(self.found.table))
        for column in self.found.table.source_columns():
            if column not in there:
                target = targets.get(column, "")
                self.found.add(
                    Breach.MISSING,
                    column,
                    target,
                    f"没有映射用到的列 {column}{self._named(target)}",
                    "在视图或导出里补上这一列，或按现有列名改站点文件的映射",
                )
        for name, seen in there.items():
            if name not in targets and name not in (
                self.found.table.key,
                self.found.table.watermark,
            ):
                self.found.add(
                    Breach.EXTRA,
                    name,
                    "",
                    f"列 {name} 没有映射，不会读取",
                    "用得上就在站点文件里映射；用不上可以不理",
                )
            node, _, code = targets.get(name, "").partition(".")
            kind = READINGS.get(node, {}).get(code, TEXT).kind
            if kind in _TEXTS and seen.type_name.lower().startswith(_FLOATS):
                self.found.add(
                    Breach.FLOAT,
                    name,
                    targets.get(name, ""),
                    f"列 {name} 的类型是 {seen.type_name}，编号的前导零和末几位会丢",
                    "把这一列改成字符类型",
                )

    def _named(self, target: str) -> str:
        node, _, code = target.partition(".")
        spec = self.specs.get((node, code))
        return f"（{spec.name}）" if spec is not None else ""

    def _text(self, column: str, cell: Cell, number: int) -> str | None:
        """The cell as text; None where its bytes are not of the declared charset."""
        if not isinstance(cell, bytes):
            return plain_text(cell)
        try:
            return cell.decode(self.codec)
        except UnicodeDecodeError:
            self.found.add(
                Breach.CHARSET,
                column,
                "",
                f"列 {column} 有不属于 {self.codec} 的字节",
                "核对站点文件里声明的 charset；按来源真正的字符集写",
                row=number,
                example=cell[:8].hex(" "),
            )
            return None

    def _key(self, text: str, number: int, keys: Counter[str]) -> None:
        key, table = text.strip(), self.found.table
        if not key:
            self.found.add(
                Breach.KEY_BLANK,
                table.key,
                "",
                f"主键列 {table.key} 为空，这一行连不到任何一次住院",
                "补上住院流水号",
                row=number,
            )
            return
        keys[key] += 1
        if table.table == "front_page" and keys[key] == 2:
            self.found.add(
                Breach.KEY_TWICE,
                table.key,
                "",
                f"主键列 {table.key} 重复，一次住院只能有一份首页",
                "让视图每次住院只出一行；重复的行取后读到的一份",
                row=number,
                example=shape(key),
            )

    def _node(
        self,
        node: str,
        columns: Mapping[str, str],
        texts: Mapping[str, str | None],
        number: int,
    ) -> None:
        given = {name: texts.get(column) for name, column in columns.items()}
        if not any(given.values()) and node not in ("setlinfo", "charges"):
            return
        fields: dict[str, str] = {}
        for name, text in given.items():
            if text is None:
                continue
            value = self._converted(node, name, columns[name], text, number)
            if value is not None:
                fields[name] = value
        for problem in self.check_row(node, fields):
            name = problem.path.rpartition(".")[2]
            supplied = problem.code is Fault.MISSING and node == "setlinfo" and name in self.filled
            if name in columns and name in fields and not supplied:
                self._wire(node, name, columns[name], fields[name], problem, number)

    def _converted(self, node: str, name: str, column: str, text: str, number: int) -> str | None:
        reading = READINGS.get(node, {}).get(name, TEXT)
        try:
            if reading.kind in PLAIN:
                return PLAIN[reading.kind](text)[0]
            if reading.kind is Kind.CODE:
                codes = self.codesets.get(reading.codeset)
                return convert.code_text(text, reading.codeset, codes)[0]
        except ValueError as error:
            self.found.add(
                Breach.TYPE,
                column,
                f"{node}.{name}",
                f"列 {column}{self._named(f'{node}.{name}')}：{error}",
                "按字段的类型导出；看看是否串列",
                row=number,
                example=shape(text),
            )
            return None
        return convert.trimmed(text)[0]

    def _wire(
        self, node: str, name: str, column: str, value: str, problem: WireProblem, number: int
    ) -> None:
        target = f"{node}.{name}"
        breach = _BREACHES.get(problem.code, Breach.TYPE)
        kind = READINGS.get(node, {}).get(name, TEXT).kind
        if breach is Breach.CODE and kind in _LOCAL:
            return
        coded = kind is Kind.CODE
        example = value if coded and len(value) <= _SHORT_CODE else shape(value)
        self.found.add(
            breach,
            column,
            target,
            f"列 {column}{self._named(target)}：{problem.what}",
            problem.remedy,
            row=number,
            example=example,
        )

    def _cut(self, there: Mapping[str, SeenColumn]) -> None:
        """Texts that fill their column to the last place, more than once and unlike in length."""
        for name, column in there.items():
            if not column.width or column.width < 8:
                continue
            lengths = Counter(
                len(text)
                for row in self.found.seen.rows
                if isinstance(text := row.get(name), str) and text
            )
            full = lengths.get(column.width, 0)
            if full >= 2 and len(lengths) > 2 and not any(n > column.width for n in lengths):
                self.found.add(
                    Breach.CUT,
                    name,
                    "",
                    f"列 {name} 有 {full} 个值正好占满 {column.width} 个字符，像是被截断了",
                    "核对源系统里的原值，必要时加宽这一列",
                )


def targets_of(table: TableMap) -> Iterator[tuple[str, str]]:
    """Source column → national field, `charges.` for charge lines."""
    for node, columns in _groups(table):
        for name, column in columns.items():
            yield column, f"{node}.{name}"
    _, dotted = split_columns(table)
    for node in ("payinfo", "iteminfo"):
        for target, column in dotted.get(node, {}).items():
            yield column, f"{node}.{'fund_payamt' if node == 'payinfo' else _amount(target)}"


def _amount(target: str) -> str:
    return target.partition(".")[2] or "amt"


def _groups(table: TableMap) -> Iterator[tuple[str, Mapping[str, str]]]:
    """(node, field → column) for every row that one source row can fill."""
    flat, dotted = split_columns(table)
    if table.table == "charge":
        yield "charges", {**flat, **dotted.get("charges", {})}
        return
    yield "setlinfo", flat
    for node, columns in dotted.items():
        if node not in ("payinfo", "iteminfo", "charges"):
            yield node, columns
    for target, column in dotted.get("payinfo", {}).items():
        yield "payinfo", {"fund_payamt": column} if target else {}
    for target, column in dotted.get("iteminfo", {}).items():
        yield "iteminfo", {_amount(target): column}
    for repeat in table.repeats:
        yield from _numbered(repeat)


def _numbered(repeat: RepeatMap) -> Iterator[tuple[str, Mapping[str, str]]]:
    for number in range(1, repeat.count + 1):
        yield (
            repeat.node,
            {name: pattern.replace("{n}", str(number)) for name, pattern in repeat.columns.items()},
        )


def plain_text(cell: Cell) -> str:
    """A typed cell as the adapters hand it over."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return repr(cell) if isinstance(cell, float) else str(cell)


def shape(text: str) -> str:
    """What a value looks like without saying it: digits 9, letters a, Chinese 字."""
    marks = []
    for char in text[:SHOWN]:
        if char.isdigit():
            marks.append("9")
        elif char.isascii() and char.isalpha():
            marks.append("a")
        elif char.isalpha():
            marks.append("字")
        else:
            marks.append(char if char.isprintable() else "·")
    return "".join(marks) + ("…" if len(text) > SHOWN else "")
