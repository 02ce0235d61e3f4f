"""A case file beside the bureau's statement: every case compared, by one policy and library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dipgate.core.case import Case
from dipgate.core.errors import RecordError
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.money import Fen
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.bulk_group_read import Position, open_source
from dipgate.pipeline.bulk_group_work import entries
from dipgate.pipeline.bureau_rows import UnreadRow, bureau_results
from dipgate.pipeline.why import Both, Sides, explain, their_money
from dipgate.pregrouper import DipGrouper
from dipgate.pregrouper.attribution import OurSide
from dipgate.pregrouper.batch import Entry, Tables, judge
from dipgate.pregrouper.differences import BureauResult, Difference, Reason, first_difference


@dataclass(frozen=True, slots=True)
class Line:
    """One case on both sides. Money in fen: the fund's part; None where a side has none."""

    case: str
    difference: Difference
    group: GroupResult | None = None
    score: ScoreResult | None = None
    theirs: BureauResult | None = None
    our_fen: Fen | None = None
    their_fen: Fen | None = None

    @property
    def change_fen(self) -> int | None:
        """Theirs less ours."""
        if self.our_fen is None or self.their_fen is None:
            return None
        return self.their_fen - self.our_fen


@dataclass
class Whole:
    """Every case of the two files, what was set aside, and the counts by reason."""

    lines: list[Line] = field(default_factory=list)
    asides: list[RecordError] = field(default_factory=list)

    def by_reason(self) -> list[tuple[Reason, int, int]]:
        """(reason, cases, theirs less ours in fen) from the most money down."""
        cases: Counter[Reason] = Counter()
        money: Counter[Reason] = Counter()
        for line in self.lines:
            cases[line.difference.reason] += 1
            money[line.difference.reason] += line.change_fen or 0
        return sorted(
            ((reason, number, money[reason]) for reason, number in cases.items()),
            key=lambda item: (item[0] is Reason.EQUAL, -abs(item[2]), -item[1], item[0].value),
        )


def compare_files(
    lists: Path, theirs: Path, names: BookNames, *, aside: Callable[[RecordError], None]
) -> Whole:
    """Compare every case of `lists` with the statement `theirs`.

    Raises ConfigError where policy, library or a file is missing, RecordError where a whole file
    cannot be read. Rows that cannot be read are told to `aside` and kept in the answer.
    """
    whole = Whole()

    def keep(error: RecordError) -> None:
        whole.asides.append(error)
        aside(error)

    book, sides = Book(names), Sides(Path(names.state))
    unread: set[str] = set()

    def keep_theirs(error: RecordError) -> None:
        keep(error)
        if isinstance(error, UnreadRow):
            unread.add(error.settlement_id)

    returned = _returned(theirs, keep_theirs)
    ours = [_ours(key, entry, book, sides, returned.get(key)) for key, entry in _cases(lists, keep)]
    differences = iter(explain([item.both for item in ours if item.both is not None]))
    seen = set()
    for item in ours:
        seen.add(item.key)
        if item.both is None:
            whole.lines.append(_not_returned(item, item.key in unread))
        else:
            whole.lines.append(_compared(item, item.both, next(differences)))
    whole.lines += [
        Line(key, Difference(Reason.NOT_OURS), theirs=row, their_fen=row.payable)
        for key, row in returned.items()
        if key not in seen
    ]
    return whole


@dataclass(frozen=True, slots=True)
class _Ours:
    key: str
    case: Case
    group: GroupResult
    score: ScoreResult
    both: Both | None
    side: OurSide | None


def _returned(file: Path, keep: Callable[[RecordError], None]) -> dict[str, BureauResult]:
    found = {}
    for item in bureau_results(file):
        if isinstance(item, RecordError):
            keep(item)
        else:
            found[item.settlement_id] = item
    return found


def _cases(file: Path, keep: Callable[[RecordError], None]) -> Iterator[tuple[str, Entry]]:
    """Every case of a file of any form that `dipgate group` reads."""
    source = open_source(file)
    for chunk in source.chunks(Position()):
        for number, item in entries(chunk, source.shape):
            if isinstance(item, RecordError):
                keep(item)
            else:
                yield item.case.case_id or str(number), item


def _ours(key: str, entry: Entry, book: Book, sides: Sides, theirs: BureauResult | None) -> _Ours:
    case = entry.case
    judged = judge(entry, book, trace=False)
    tables = book(case)
    side: OurSide | None = None
    if theirs is not None and isinstance(tables, Tables):
        differs = first_difference(judged.group, judged.score, theirs).reason is not Reason.EQUAL
        if differs and isinstance(tables.grouper, DipGrouper):
            hospital = case.hospital_code or tables.hospital
            own = not tables.hospital or hospital == tables.hospital
            side = sides.side(
                case,
                tables.grouper.library,
                tables.policy,
                tables.reference,
                level=(tables.hospital_level if own else "") or entry.level,
                hospital=hospital,
            )
    both = None if theirs is None else Both(judged.group, judged.score, theirs, side)
    return _Ours(key, case, judged.group, judged.score, both, side)


def _not_returned(item: _Ours, unread: bool) -> Line:
    return Line(
        item.key,
        Difference(Reason.UNREAD if unread else Reason.NOT_RETURNED),
        item.group,
        item.score,
        our_fen=item.score.amount,
    )


def _compared(item: _Ours, both: Both, difference: Difference) -> Line:
    case, ours = item.case, item.score.amount
    day = case.settled or (case.discharged.date() if case.discharged is not None else None)
    policy = item.side.policy if item.side is not None else None
    paid = their_money(case, ours, both.theirs, difference, policy, day)
    return Line(item.key, difference, item.group, item.score, both.theirs, ours, paid)
