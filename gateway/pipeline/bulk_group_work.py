"""One chunk of records grouped, scored and put into the form of the output: the same anywhere."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from dipgate.core.case import case_of
from dipgate.core.errors import DipgateError, Place, RecordError
from dipgate.core.grouping import GroupResult, ScoreResult, result_as_json
from dipgate.core.lists import SettlementList, read_case_object, text_of
from dipgate.pipeline.bulk_group_book import Book
from dipgate.pipeline.bulk_group_ids import SeenIds, id_entry
from dipgate.pipeline.bulk_group_read import LONGEST, Chunk, Shape, arrow, named, stream_of
from dipgate.pregrouper.batch import (
    COLUMNS,
    HEADINGS,
    LIST_RESULTS,
    RESULT_COLUMNS,
    Entry,
    EntryReader,
    Tables,
    entries_of,
    entry_of,
    judge,
    priced,
    result_values,
)

if TYPE_CHECKING:
    from dipgate.pipeline.bulk_group_fast import FastGroups

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_LISTS = tuple(RESULT_COLUMNS.index(name) for name in LIST_RESULTS)


See = Callable[[str, GroupResult, ScoreResult], None]


class Form(StrEnum):
    JSON = "json"
    """JSON Lines, each the object of `dipgate group --json`."""
    CSV = "csv"
    PARQUET = "parquet"


@dataclass
class Totals:
    """What a run came to. Adding chunks in any order gives the same."""

    cases: int = 0
    unread: int = 0
    """Rows that could not be read and have no result."""
    noted: int = 0
    """Cases with a result and something to mend."""
    repeated: int = 0
    """Cases with the id of an earlier one; they count all the same."""
    unchecked: int = 0
    """Cases of which it is not known whether their id came before."""
    statuses: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)
    score: Decimal = Decimal(0)
    amount: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    def add(self, group: GroupResult, scored: ScoreResult) -> None:
        self.cases += 1
        self.statuses[group.status.value] += 1
        self.scores[scored.status.value] += 1
        if scored.score is not None:
            self.score += scored.score
        self.amount += scored.amount or 0
        for path in scored.not_configured:
            self.missing[path] += 1

    def merge(self, other: Totals) -> None:
        self.cases += other.cases
        self.unread += other.unread
        self.noted += other.noted
        self.repeated += other.repeated
        self.unchecked += other.unchecked
        self.statuses += other.statuses
        self.scores += other.scores
        self.score += other.score
        self.amount += other.amount
        self.missing += other.missing

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "unread": self.unread,
            "noted": self.noted,
            "repeated": self.repeated,
            "unchecked": self.unchecked,
            "statuses": dict(sorted(self.statuses.items())),
            "scores": dict(sorted(self.scores.items())),
            "score": format(self.score, "f"),
            "amount_fen": self.amount,
            "not_configured": dict(sorted(self.missing.items())),
        }

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Totals:
        return cls(
            held["cases"],
            held["unread"],
            held["noted"],
            held["repeated"],
            held["unchecked"],
            Counter(held["statuses"]),
            Counter(held["scores"]),
            Decimal(held["score"]),
            held["amount_fen"],
            Counter(held["not_configured"]),
        )


@dataclass(frozen=True, slots=True)
class Aside:
    """A row to mend. `grouped`: it has a result all the same."""

    file: str
    row: int
    field: str
    what: str
    remedy: str
    grouped: bool

    def line(self) -> bytes:
        return _ENCODER.encode(self) + b"\n"

    def __str__(self) -> str:
        place = Place(self.file, self.row, self.field)
        return f"{place}：{self.what}；处理：{self.remedy}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a chunk came to: bytes of the output, rows to mend, sums, ids (`bulk_group_ids`)."""

    chunk: int
    out: bytes
    asides: tuple[Aside, ...]
    totals: Totals
    ids: bytes = b""


def counted(done: Done, seen: SeenIds, file: str) -> Done:
    """The chunk with the cases that came before in the file listed and counted; in file order."""
    before = seen.unchecked
    rows = seen.repeated(done.ids)
    done.totals.repeated += len(rows)
    done.totals.unchecked += seen.unchecked - before
    if not rows:
        return done
    what, remedy = "这个结算ID 在前面已有一例，两例都计入了", "核对是否重复导出，去掉多余的一例"
    asides = [*done.asides, *(Aside(file, row, "setl_id", what, remedy, True) for row in rows)]
    asides.sort(key=lambda aside: aside.row)
    return replace(done, asides=tuple(asides))


class Worker:
    """Everything that a process needs to work on chunks of one file."""

    def __init__(
        self, book: Book, shape: Shape, form: Form, *, trace: bool = False, fast: bool = False
    ) -> None:
        self._book = book
        self._shape = shape
        self._form = form
        self._trace = trace
        self._fast: FastGroups | None = None
        if fast:
            from dipgate.pipeline.bulk_group_fast import FastGroups

            self._fast = FastGroups(book)

    def work(self, chunk: Chunk, see: See | None = None) -> Done:
        """`see` takes each whole result in the place of the output.

        Raises ConfigError when policy or library cannot be used; never for a case.
        """
        totals, asides, ids = Totals(), list[Aside](), bytearray()
        writer = _Writer(self._form, self._trace)
        add = see or writer.add
        for number, entry, known in self._with_groups(entries(chunk, self._shape)):
            if isinstance(entry, RecordError):
                totals.unread += 1
                asides.append(self._aside(entry, number))
                continue
            try:
                if known is None:
                    judged = judge(entry, self._book, trace=self._trace)
                else:
                    judged = priced(entry, *known, trace=False)
            except DipgateError:
                raise
            except Exception as error:
                # A mistake of ours in one case must not cost the others of a year.
                totals.unread += 1
                asides.append(self._broken(error, number))
                continue
            totals.add(judged.group, judged.score)
            if entry.case.case_id:
                ids += id_entry(entry.case.case_id, number)
            totals.noted += bool(judged.notes)
            asides += (
                Aside(self._shape.file, number, note.field, note.what, note.remedy, True)
                for note in judged.notes
            )
            add(entry.case.case_id or str(number), judged.group, judged.score)
        return Done(chunk.index, writer.bytes(), tuple(asides), totals, bytes(ids))

    def _with_groups(
        self, items: Iterator[tuple[int, Entry | RecordError]]
    ) -> Iterator[tuple[int, Entry | RecordError, tuple[Tables, GroupResult] | None]]:
        """Each row with what the compiled loop says of it, where that is asked and answers."""
        if self._fast is None:
            for number, item in items:
                yield number, item, None
            return
        held = list(items)
        cases = [(at, item) for at, (_, item) in enumerate(held) if isinstance(item, Entry)]
        found = self._fast.groups([entry for _, entry in cases])
        known = {at: found.get(place) for place, (at, _) in enumerate(cases)}
        for at, (number, item) in enumerate(held):
            yield number, item, known.get(at)

    def _aside(self, error: RecordError, number: int) -> Aside:
        place = error.place
        row = number if place.row is None else place.row
        return Aside(self._shape.file, row, place.field, error.what, error.remedy, False)

    def _broken(self, error: Exception, number: int) -> Aside:
        what = f"程序处理这一行时出错（{type(error).__name__}）"
        return Aside(self._shape.file, number, "", what, "把这一行和程序版本告诉维护人员", False)


class _Writer:
    """Results of one chunk in the form of the output."""

    def __init__(self, form: Form, trace: bool) -> None:
        self._form = form
        self._trace = trace
        self._lines: list[bytes] = []
        self._rows: list[tuple[object, ...]] = []

    def add(self, case_id: str, group: GroupResult, scored: ScoreResult) -> None:
        if self._form is Form.JSON:
            found = result_as_json(case_id, group, scored, trace=self._trace)
            self._lines.append(_ENCODER.encode(found) + b"\n")
        else:
            self._rows.append(result_values(case_id, group, scored))

    def bytes(self) -> bytes:
        if self._form is Form.JSON:
            return b"".join(self._lines)
        return _csv_bytes(self._rows) if self._form is Form.CSV else _arrow_bytes(self._rows)


def _csv_bytes(rows: list[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        cells = list(row)
        for at in _LISTS:
            held = cells[at]
            cells[at] = "|".join(map(str, held)) if isinstance(held, list) else held
        writer.writerow(cells)
    return text.getvalue().encode("utf-8")


CSV_HEAD = b"\xef\xbb\xbf" + ",".join(RESULT_COLUMNS).encode() + b"\n"
"""With the mark by which spreadsheets know UTF-8."""


def result_schema(pa: Any) -> Any:
    """Columns of a Parquet result: exact numbers as text, as in JSON."""
    kinds = dict.fromkeys(RESULT_COLUMNS, pa.string()) | {"amount_fen": pa.int64()}
    kinds |= dict.fromkeys(LIST_RESULTS, pa.list_(pa.string()))
    return pa.schema(list(kinds.items()))


def _arrow_bytes(rows: list[tuple[object, ...]]) -> bytes:
    pa = arrow()
    schema = result_schema(pa)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in RESULT_COLUMNS]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return stream_of(pa, pa.RecordBatch.from_arrays(arrays, schema=schema))


def entries(chunk: Chunk, shape: Shape) -> Iterator[tuple[int, Entry | RecordError]]:
    if shape.kind == "parquet":
        yield from _entries_of_arrow(chunk)
        return
    read: Callable[[bytes, Place], Entry | RecordError]
    read = _csv_reader(shape) if shape.kind == "csv" else _read_json
    for number, record in chunk.records:
        place = Place(shape.file, number)
        if len(record) > LONGEST:
            yield number, RecordError("一行太长，不是一个病例", place=place, remedy="检查换行")
        else:
            yield number, read(record, place)


def _read_json(record: bytes, place: Place) -> Entry | RecordError:
    found = read_case_object(record, place=place, flat=HEADINGS)
    if isinstance(found, RecordError):
        return found
    if isinstance(found, SettlementList):
        return Entry(case_of(found), text_of(found.setlinfo.get("hi_setl_lv")).strip())
    try:
        named(list(found), place, need=("dx",))
    except RecordError as error:
        return error
    values = {HEADINGS[name]: value for name, value in found.items() if name in HEADINGS}
    return entry_of([values.get(column.name) for column in COLUMNS])


def _csv_reader(shape: Shape) -> Callable[[bytes, Place], Entry | RecordError]:
    width = len(shape.header)
    places = {name: at for at, name in enumerate(shape.header) if name}
    order = [places.get(column.name) for column in COLUMNS]
    reader = EntryReader()

    def read(record: bytes, place: Place) -> Entry | RecordError:
        try:
            text = record.decode(shape.encoding).rstrip("\r\n")
            rows = list(csv.reader([text], delimiter=shape.delimiter, strict=True))
        except UnicodeDecodeError:
            remedy = "统一用 UTF-8 或 GB18030 重新导出，或用 --encoding 写明"
            return RecordError(f"不是 {shape.encoding} 编码", place=place, remedy=remedy)
        except csv.Error:
            remedy = "一格里有逗号或引号时，整格用双引号括起来，里面的引号写两个"
            return RecordError("引号没有配对", place=place, remedy=remedy)
        cells = rows[0] if rows else []
        if len(cells) != width:
            what = f"这一行有 {len(cells)} 格，表头有 {width} 格"
            return RecordError(what, place=place, remedy="检查分隔符和引号")
        return reader.entry([None if at is None else cells[at] for at in order])

    return read


def _entries_of_arrow(chunk: Chunk) -> Iterator[tuple[int, Entry | RecordError]]:
    pa = arrow()
    with pa.ipc.open_stream(pa.BufferReader(chunk.arrow)) as stream:
        batch = stream.read_next_batch()
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    yield from enumerate(entries_of(columns), start=chunk.first)
