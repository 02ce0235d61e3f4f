"""Tables of evidence, shipped and of a site: read strictly, mistakes with file, line and column.

A site may add rows of its own to what shows (`evidence`, `treats`, `wards`), or put one in place
of a shipped row by its id. What is needed and what an audit asks is not the site's to change.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

from dipgate.config.resources import resource_text
from dipgate.core.errors import ConfigError
from dipgate.core.evidence import (
    AGAINST,
    ANY,
    EXPOSURES,
    LEVELS,
    PROVES,
    TARGETS,
    EvidenceRow,
    EvidenceTables,
    ExposureRow,
    NeedRow,
    Span,
    TreatsRow,
    WardRow,
    pattern_of,
)
from dipgate.core.lists import ROW_NODES

T = TypeVar("T")
TESTS = (
    "given",
    "positive",
    "one_of",
    "unnamed_one_of",
    "like",
    "named",
    "same_category",
    "treats",
    "ward_of",
)
_NODES = ("this", "setlinfo", "cover", *ROW_NODES)
_SPAN = ("first_day", "last_day")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "evidence": (
        "id",
        *_SPAN,
        *("target", "codes", "class", "place", "test", "words", "not_words", "absent"),
        *("proves", "expected", "says", "hint", "source"),
    ),
    "needs": (*_SPAN, "target", "proves", "least", "lacks"),
    "treats": (*_SPAN, "ops", "dx", "source"),
    "wards": (*_SPAN, "wards", "dx", "source"),
    "exposure": ("id", *_SPAN, "target", "when", "at", "only_rise", "level", "says", "source"),
}


FOLDER = "evidence"
"""Below the state folder: a site's own tables."""
OWN = ("evidence", "treats", "wards")
"""Tables that a site may add to."""


def evidence_tables(state: Path | None = None) -> EvidenceTables:
    """Every row of every day, with those of a state folder. Costs some milliseconds: keep it.

    Raises ConfigError for the first mistake.
    """
    texts = {name: resource_text("evidence", f"{name}.csv") for name in _COLUMNS}
    shipped = _tables(texts)
    own = _own_texts(state) if state is not None else {}
    if not own:
        return shipped
    added = _tables(own, f"{state}/{FOLDER}")
    taken = {row.id for row in added.evidence}
    fixed = {row.id for row in shipped.evidence if AGAINST in row.proves}
    if taken & fixed:
        name = sorted(taken & fixed)[0]
        path = f"{state}/{FOLDER}/evidence.csv"
        raise ConfigError(f"{path}：{name} 说的是不能作主要诊断，不能改", path=path)
    kept = tuple(row for row in shipped.evidence if row.id not in taken)
    return EvidenceTables(
        (*kept, *added.evidence),
        shipped.needs,
        (*shipped.treats, *added.treats),
        (*shipped.wards, *added.wards),
        shipped.exposure,
    )


def _own_texts(state: Path) -> Mapping[str, str]:
    texts = {}
    folder = state / FOLDER
    for file in sorted(folder.glob("*.csv")) if folder.is_dir() else ():
        if file.stem not in OWN:
            raise ConfigError(
                f"{file} 不是本院可以加的表；可以加的是 {'、'.join(f'{name}.csv' for name in OWN)}",
                path=str(file),
            )
        try:
            texts[file.stem] = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"读不了 {file}，应为 UTF-8 的 CSV", path=str(file)) from None
    return texts


def _tables(texts: Mapping[str, str], folder: str = "evidence") -> EvidenceTables:
    def read(name: str, make: Callable[[_Row], T]) -> tuple[T, ...]:
        if name not in texts:
            return ()
        return tuple(make(row) for row in _rows(name, texts[name], f"{folder}/{name}.csv"))

    return EvidenceTables(
        read("evidence", _evidence),
        read("needs", _need),
        read("treats", lambda row: TreatsRow(row.span, row.words("ops"), row.words("dx"))),
        read("wards", lambda row: WardRow(row.span, row.words("wards"), row.words("dx"))),
        read("exposure", _exposure),
    )


class _Row:
    """One line of a table, with what its mistakes are told by."""

    def __init__(self, file: str, line: int, cells: Mapping[str, str]) -> None:
        self._file, self._line, self._cells = file, line, cells

    def text(self, column: str) -> str:
        return self._cells[column].strip()

    def given(self, column: str) -> str:
        return self.text(column) or self.refuse(column, "不能为空")

    def words(self, column: str) -> tuple[str, ...]:
        """Texts set apart by blanks; at least one."""
        return tuple(self.given(column).split())

    def one_of(self, column: str, choices: tuple[str, ...], *, empty: bool = False) -> str:
        word = self.text(column)
        if word not in choices and not (empty and not word):
            self.refuse(column, f"只能是 {'、'.join(choices)}")
        return word

    @property
    def span(self) -> Span:
        first, last = self._day("first_day"), self._day("last_day")
        if first is None:
            self.refuse("first_day", "不能为空")
            raise AssertionError
        return Span(first, last)

    def _day(self, column: str) -> date | None:
        try:
            return date.fromisoformat(self.text(column)) if self.text(column) else None
        except ValueError:
            self.refuse(column, "应为 yyyy-MM-dd 的日期")
            return None

    def refuse(self, column: str, what: str) -> str:
        raise ConfigError(f"{self._file} 第{self._line}行 {column} 列：{what}", path=self._file)


def _rows(name: str, text: str, file: str) -> Iterator[_Row]:
    columns = _COLUMNS[name]
    reader = csv.reader(text.splitlines())
    if next(reader, None) != list(columns):
        raise ConfigError(f"{file} 的列应为 {','.join(columns)}", path=file)
    seen: set[str] = set()
    for number, cells in enumerate(reader, start=2):
        if len(cells) != len(columns):
            raise ConfigError(f"{file} 第{number}行：列数不对", path=file)
        row = _Row(file, number, dict(zip(columns, cells, strict=True)))
        if columns[0] == "id":
            if row.given("id") in seen:
                row.refuse("id", "编号重复")
            seen.add(row.text("id"))
        yield row


def _evidence(row: _Row) -> EvidenceRow:
    node, _, field = row.given("place").partition(".")
    if node not in _NODES:
        row.refuse("place", f"没有节点 {node}")
    proves = tuple(row.text("proves").split())
    if set(proves) - set(PROVES):
        row.refuse("proves", f"只能是 {'、'.join(PROVES)}")
    test = row.one_of("test", TESTS)
    words = row.text("words")
    if test in ("one_of", "unnamed_one_of", "like") and not words:
        row.refuse("words", "不能为空")
    return EvidenceRow(
        id=row.given("id"),
        span=row.span,
        target=row.one_of("target", TARGETS),
        codes=tuple(row.text("codes").split()),
        treatment=row.text("class"),
        node=node,
        field=field,
        test=test,
        words=tuple(words.split("|")) if words else (),
        like=pattern_of(words) if test == "like" else None,
        unlike=pattern_of(row.text("not_words")),
        absent=row.text("absent"),
        proves=proves,
        expected=row.one_of("expected", ("1",), empty=True) == "1",
        says=row.given("says"),
        hint=row.text("hint"),
        source=row.given("source"),
    )


def _need(row: _Row) -> NeedRow:
    least = row.given("least")
    if not (least.isascii() and least.isdigit() and int(least)):
        row.refuse("least", "应为正整数")
    return NeedRow(
        row.span,
        row.one_of("target", TARGETS),
        row.one_of("proves", (ANY, *PROVES)),
        int(least),
        row.given("lacks"),
    )


def _exposure(row: _Row) -> ExposureRow:
    at: Decimal | None = None
    if row.text("at"):
        try:
            at = Decimal(row.text("at"))
        except InvalidOperation:
            row.refuse("at", "应为数字")
    return ExposureRow(
        id=row.given("id"),
        span=row.span,
        target=row.one_of("target", TARGETS, empty=True),
        when=row.one_of("when", EXPOSURES),
        at=at,
        only_rise=row.one_of("only_rise", ("0", "1")) == "1",
        level=row.one_of("level", LEVELS),
        says=row.given("says"),
        source=row.given("source"),
    )
