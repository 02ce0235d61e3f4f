"""Columns of text as Parquet holds them, turned into the numbers of a `FastGrouper`.

Each different text of a batch is looked at once. What is not plainly one code or one time is left
to the plain reading of batch.py, case by case. Columns are those of `batch.COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dipgate.core.case import Case
from dipgate.core.clock import CHINA, read_time
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.grouping import GroupResult
from dipgate.core.money import fen_of
from dipgate.pregrouper.batch import COLUMNS, Entry, entry_of, is_one_code
from dipgate.pregrouper.fast import CodedCases, FastGrouper, FastResults

if TYPE_CHECKING:
    from dipgate.pregrouper.fast_layout import Ints, Longs

OPEN = -1
MOST_CONTEXTS = 1_000_000
DAY = 24 * 60 * 60
EPOCH = datetime(1970, 1, 1, tzinfo=CHINA)
LENGTHS = pa.array([10, 16, 19], pa.int32())
V = TypeVar("V")
TIME = r"^\d{4}-\d{2}-\d{2}( ([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?)?$"
_NAMES = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups of one batch: `results` in the order of its rows."""

    cases: CodedCases
    results: FastResults


def group_columns(
    fast: FastGrouper, batch: Any, plain: Callable[[Entry], GroupResult] | None = None
) -> Grouped:
    """Group an Arrow record batch. `plain` answers for what has to be read case by case.

    Without it the plain engine is asked, which does not refuse fields that hold several codes.
    """
    coded = code_columns(fast, batch)
    names = [name for name in batch.schema.names if name in _NAMES]
    held = batch.select(names)
    rows = np.flatnonzero(coded.context == OPEN)
    taken = dict(zip(rows.tolist(), held.take(pa.array(rows)).to_pylist(), strict=True))

    def entry_at(at: int) -> Entry:
        row = taken[at] if at in taken else held.slice(at, 1).to_pylist()[0]
        return entry_of([row.get(name) for name in _NAMES])

    def case_at(at: int) -> Case:
        return entry_at(at).case

    left = None if plain is None else (lambda at: plain(entry_at(at)))
    return Grouped(coded, fast.run(coded, case_at, left))


def code_columns(fast: FastGrouper, batch: Any) -> CodedCases:
    """The batch in numbers."""
    reader = _Columns(fast, batch)
    offsets, ops, doubtful = reader.operations()
    dx = reader.diagnoses()
    context = reader.contexts(doubtful | (dx < -1))
    return CodedCases(np.maximum(dx, -1), offsets, ops, reader.fees(), context)


class _Columns:
    """One batch; lives for one call."""

    def __init__(self, fast: FastGrouper, batch: Any) -> None:
        self._fast, self._batch = fast, batch
        self._size = batch.num_rows
        self._moments: dict[str, tuple[Longs, Any] | None] = {}

    def diagnoses(self) -> Ints:
        """Numbers of the principal diagnoses; -1 without one, -2 for a text of several codes."""

        def number(text: str) -> int:
            if not is_one_code(text):
                return -2
            return self._fast.dx_number(diagnosis_code(text))

        codes, texts = self._texts("dx")
        return np.array(self._learned("dx", texts, number), np.int32)[codes]

    def operations(self) -> tuple[Longs, Ints, Any]:
        """Where each case's operations begin, their numbers, and which cases are doubtful."""
        column = self._column("ops")
        doubtful = np.zeros(self._size, bool)
        if column is None:
            return np.zeros(self._size + 1, np.int64), np.empty(0, np.int32), doubtful
        if not str(column.type).startswith(("list", "large_list")):
            column = pc.split_pattern(pc.fill_null(column.cast("string"), ""), "|")
        offsets = np.zeros(self._size + 1, np.int64)
        np.cumsum(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), out=offsets[1:])
        codes, texts = _distinct(column.flatten())

        def number(text: str) -> int:
            whole = is_one_code(text) and "+" not in text
            return self._fast.op_number(procedure_code(text)) if whole else OPEN

        table = np.array(self._learned("ops", texts, number), np.int32)
        ops: Ints = table[codes]
        bad = np.flatnonzero(ops == OPEN)
        if len(bad):
            doubtful[np.searchsorted(offsets, bad, side="right") - 1] = True
            ops[bad] = self._fast.op_number("")
        return offsets, ops, doubtful

    def _learned(self, name: str, texts: list[str], number: Callable[[str], int]) -> list[int]:
        """The numbers of texts; what an earlier batch has asked for is remembered."""
        known = self._fast.texts.setdefault(name, {})
        for text in texts:
            if text not in known:
                known[text] = number(text)
        return [known[text] for text in texts]

    def fees(self) -> Longs:
        none = self._fast.no_fee
        if not self._fast.needs_fee:
            return np.full(self._size, none, np.int64)

        def fen(text: str) -> int:
            try:
                amount = fen_of(text)
            except ValueError:
                return none
            return none if amount is None else amount

        codes, texts = self._texts("medfee_sumamt")
        return np.array([fen(text) for text in texts], np.int64)[codes]

    def contexts(self, doubtful: Any) -> Ints:
        """Numbers of the contexts, OPEN where the case has to be read whole."""
        settled, settled_days = self._settled(doubtful)
        discharged, discharged_days = self._days("dscg_time", doubtful)
        self._order(doubtful)
        stays, stay_texts = self._texts("ipt_med_type")
        payments, payment_texts = self._texts("hi_paymtd")
        tcm = self._column("tcm_dx")
        if tcm is not None:
            listed = str(tcm.type).startswith(("list", "large_list"))
            length = pc.list_value_length(tcm) if listed else pc.utf8_length(tcm.cast("string"))
            doubtful |= pc.fill_null(length, 0).to_numpy(zero_copy_only=False) > 0
        settled, settled_days = self._alike(settled, settled_days, lambda item: item[0])
        discharged, discharged_days = self._alike(discharged, discharged_days, lambda item: item)
        parts: tuple[tuple[Ints, list[Any]], ...] = (
            (settled, settled_days),
            (discharged, discharged_days),
            (stays, stay_texts),
            (payments, payment_texts),
        )
        keys, width = np.zeros(self._size, np.int64), 1
        for codes, values in parts:
            keys, width = keys * len(values) + codes, width * len(values)
        if width > MOST_CONTEXTS:
            return np.full(self._size, OPEN, np.int32)
        first = np.full(width, -1, np.int64)
        first[keys[::-1]] = np.arange(self._size - 1, -1, -1)
        numbers = np.full(width, OPEN, np.int32)
        for key in np.flatnonzero(first >= 0).tolist():
            row = int(first[key])
            day, broken = settled_days[settled[row]]
            numbers[key] = self._fast.context_of(
                day,
                broken,
                discharged_days[discharged[row]],
                stay_texts[stays[row]],
                payment_texts[payments[row]],
            )
        found: Ints = numbers[keys]
        found[doubtful] = OPEN
        return found

    def _alike(
        self, codes: Ints, values: list[V], day_of: Callable[[V], datetime | None]
    ) -> tuple[Ints, list[V]]:
        """Values between which no result can differ, under the first of them."""
        kept: dict[object, int] = {}
        held: list[V] = []
        places = []
        for value in values:
            day = day_of(value)
            key = (None if day is None else self._fast.day_key(day.date()), value == (None, True))
            if key not in kept:
                kept[key] = len(held)
                held.append(value)
            places.append(kept[key])
        return np.array(places, np.int32)[codes], held

    def _days(self, name: str, doubtful: Any) -> tuple[Ints, list[datetime | None]]:
        """The day of a time column by number; a text that is no time makes the case doubtful."""
        found = self._seconds(name)
        if found is not None:
            return _days_of(*found)
        column = self._text_column(name)
        if column is None:
            return np.zeros(self._size, np.int32), [None]
        doubtful |= self._no_time(column)
        codes, texts = _distinct(pc.utf8_slice_codeunits(column, 0, 10))
        days = [_day(text) for text in texts]
        bad = [day is None and text != "" for day, text in zip(days, texts, strict=True)]
        doubtful |= np.array(bad)[codes]
        return codes, days

    def _settled(self, doubtful: Any) -> tuple[Ints, list[tuple[datetime | None, bool]]]:
        """The day of settlement by number, and whether a text stood there that is no day."""
        column = self._column("setl_end_date")
        if column is None:
            return np.zeros(self._size, np.int32), [(None, False)]
        codes, texts = _distinct(column)
        odd = [len(text) > 10 for text in texts]
        doubtful |= np.array(odd)[codes]
        days = [_day(text) for text in texts]
        return codes, [
            (day, day is None and text != "") for day, text in zip(days, texts, strict=True)
        ]

    def _order(self, doubtful: Any) -> None:
        """A case that left before it came is looked at whole."""
        came, left = self._seconds("adm_time"), self._seconds("dscg_time")
        if came is not None and left is not None:
            doubtful |= came[1] & left[1] & (left[0] < came[0])
            return
        admitted, discharged = self._text_column("adm_time"), self._text_column("dscg_time")
        if admitted is None or discharged is None:
            return
        doubtful |= self._no_time(admitted)
        both = pc.and_(pc.not_equal(admitted, ""), pc.not_equal(discharged, ""))
        early = pc.and_(both, pc.less(discharged, admitted))
        doubtful |= early.to_numpy(zero_copy_only=False)

    def _seconds(self, name: str) -> tuple[Longs, Any] | None:
        """A whole column of times as seconds, and where there are any; None if one is odd."""
        if name not in self._moments:
            self._moments[name] = self._read_seconds(self._column(name))
        return self._moments[name]

    def _read_seconds(self, column: Any) -> tuple[Longs, Any] | None:
        if column is None or str(column.type) != "string":
            return None
        lengths = pc.fill_null(pc.utf8_length(column), 19)
        if (
            not pc.all(pc.is_in(lengths, LENGTHS)).as_py()
            or pc.any(pc.match_substring(column, "T")).as_py()
        ):
            return None
        try:
            moments = column.cast("timestamp[s]")
        except pa.ArrowInvalid:
            return None
        there = moments.is_valid().to_numpy(zero_copy_only=False)
        return pc.fill_null(moments.cast("int64"), 0).to_numpy(zero_copy_only=False), there

    def _no_time(self, column: Any) -> Any:
        good = pc.or_(pc.match_substring_regex(column, TIME), pc.equal(column, ""))
        return ~good.to_numpy(zero_copy_only=False)

    def _column(self, name: str) -> Any:
        return self._batch.column(name) if name in self._batch.schema.names else None

    def _text_column(self, name: str) -> Any:
        column = self._column(name)
        return None if column is None else pc.fill_null(column.cast("string"), "")

    def _texts(self, name: str) -> tuple[Ints, list[str]]:
        column = self._column(name)
        if column is None:
            return np.zeros(self._size, np.int32), [""]
        return _distinct(column)


def _days_of(seconds: Longs, there: Any) -> tuple[Ints, list[datetime | None]]:
    """Which of the different days each moment falls on."""
    numbers = seconds // DAY
    low = int(numbers.min()) if len(numbers) else 0
    span = int(numbers.max()) - low + 1 if len(numbers) else 1
    if span > MOST_CONTEXTS:
        different, places = np.unique(np.where(there, numbers, low - 1), return_inverse=True)
    else:
        dense = np.where(there, numbers - low + 1, 0)
        present = np.bincount(dense, minlength=span + 1) > 0
        different = np.flatnonzero(present) + low - 1
        places = (np.cumsum(present) - 1)[dense]
    days = [None if day < low else EPOCH + timedelta(days=day) for day in different.tolist()]
    return places.astype(np.int32), days


@lru_cache(maxsize=4096)
def _day(text: str) -> datetime | None:
    """The day that a text stands for; None for none and for what is no day."""
    try:
        return read_time(text) if text else None
    except ValueError:
        return None


def _distinct(column: Any) -> tuple[Ints, list[str]]:
    """Which of the different texts each value is; trimmed, a null is empty."""
    if not str(column.type).startswith("dictionary"):
        column = column.cast("string").dictionary_encode()
    texts: Sequence[str | None] = column.dictionary.to_pylist()
    held = [str(text or "").strip() for text in texts]
    codes = pc.fill_null(column.indices, len(held)).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32, copy=False), [*held, ""]
