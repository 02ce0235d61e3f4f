"""Finding a code by what a coder types: built once from a code table and its map, then read only.

Names stand in one text, a line each, the shorter first. A query becomes a row of pieces (which
characters a letter or syllable can mean) and that becomes one regular expression run over the
whole text: no candidate is looked at in Python before it has matched. Sets, not products: a
character with three readings is a member of three pieces.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from dipgate.config.code_query import Alphabet, Query, Reading, Row, bare_code
from dipgate.config.readings import readings_of
from dipgate.core.reference import CodeMap, CodeTable, MapEntry

_NEAREST = 300
"""Matches of codes nobody here has used that are kept per pass, the shortest names first."""
_ENOUGH = 30
"""With so many names that hold the query in one piece, names that hold it in several are only
looked at where the code is used here: the others could not come before."""
_UNLIKELY = 1.0
"""Readings of this cost are only tried when no likelier one has found anything."""
_CLINICAL_FROM = 3
"""Characters of a clinical code from which its beginning finds."""

# The fit of a name: higher is nearer. One step of usage (twice as often) weighs 1.
_WHOLE, _PREFIX, _INSIDE = 3.0, 1.5, 0.5
_FIRST, _GAP, _WORD_START, _ASIDE = 0.5, 2.0, 0.5, 0.3
_FARTHEST = 5.0
"""A match that costs more is none: in three pieces always, in four if they begin words."""
_NEVER = float("inf")


class How(IntEnum):
    """What a match rests on; the larger, the surer."""

    NAME = 0
    CODE_PREFIX = 1
    CLINICAL_PREFIX = 2
    EXACT_CLINICAL_NAME = 3
    EXACT_NAME = 4
    EXACT_CLINICAL_CODE = 5
    EXACT_CODE = 6

    @property
    def exact(self) -> bool:
        return self >= How.EXACT_CLINICAL_NAME


@dataclass(frozen=True, slots=True)
class Match:
    """One code that fits. `fit` compares matches of one kind: larger is better.

    `clinical` is the map row when the clinical code or name was what matched.
    """

    code: str
    how: How
    fit: float
    length: int
    """Characters of the text that matched: the shorter one is the nearer."""
    clinical: MapEntry | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The codes that are used here, and the lines of an index on which they stand, in order."""

    codes: Collection[str] = frozenset()
    lines: Sequence[int] = ()


NOBODY = Known()


@dataclass(frozen=True, slots=True)
class _Line:
    """What one line of the text stands for, while the index is built."""

    code: str
    clinical: MapEntry | None = None
    official: bool = True


class CodeIndex:
    """Index over one code table; safe to share between threads."""

    def __init__(
        self,
        table: CodeTable,
        clinical: CodeMap | None = None,
        spoken: Sequence[tuple[str, str]] = (),
    ) -> None:
        lines = sorted(
            _lines(table, clinical, spoken), key=lambda item: (len(item[0]), item[1].code, item[0])
        )
        # Parallel rows instead of an object per line: 40,000 objects fewer to collect and keep.
        self._line_codes = [line.code for _, line in lines]
        self._line_clinical = {
            at: line.clinical for at, (_, line) in enumerate(lines) if line.clinical
        }
        self._official = bytes(line.official for _, line in lines)
        text_of_lines = "\n".join(text for text, _ in lines)
        characters = set(text_of_lines) - {"\n"}
        self._alphabet = Alphabet(readings_of(characters), characters)
        self._text = f"\n{self._alphabet.encode(text_of_lines)}\n"
        self._starts = array("l")
        at = 1
        for text, _ in lines:
            self._starts.append(at)
            at += len(text) + 1
        self._starts.append(at)
        self._beginnings = frozenset(
            self._alphabet.encode(text[:2]) for text, line in lines if line.official
        )
        self._codes = sorted((bare_code(code), code) for code in table.names)
        self._clinical = sorted(
            (
                (bare_code(source), entry)
                for source, entries in (clinical.entries.items() if clinical else ())
                for entry in entries
                if entry.target_code in table and source != entry.target_code
            ),
            key=lambda item: item[0],
        )

    def query(self, typed: str) -> Query:
        """What was typed, folded and taken apart."""
        return self._alphabet.query(typed)

    def known(self, codes: Collection[str]) -> Known:
        """The lines on which the codes stand; worth keeping as long as the codes stay the same."""
        lines = array("l", (at for at, code in enumerate(self._line_codes) if code in codes))
        return Known(codes, lines)

    def find(self, query: Query, known: Known = NOBODY) -> dict[str, Match]:
        """The best match per code. Codes in `known` are all found; of the others the nearest."""
        best: dict[str, Match] = {}
        for match in (*self._by_code(query.code, known), *self._by_name(query, known)):
            old = best.get(match.code)
            if old is None or (match.how, match.fit) > (old.how, old.fit):
                best[match.code] = match
        return best

    # --- codes -----------------------------------------------------------------------------

    def _by_code(self, code: str, known: Known) -> Iterator[Match]:
        if not code:
            return
        room = _NEAREST
        first = bisect_left(self._codes, (code,))
        for bare, full in islice(self._codes, first, None):
            if not bare.startswith(code):
                break
            exact = bare == code
            room -= not exact and full not in known.codes
            if exact or room >= 0 or full in known.codes:
                how = How.EXACT_CODE if exact else How.CODE_PREFIX
                yield Match(full, how, 0.0, len(bare))
        first = bisect_left(self._clinical, code, key=lambda item: item[0])
        for bare, entry in islice(self._clinical, first, first + _NEAREST):
            if not bare.startswith(code):
                break
            if bare == code:
                yield Match(entry.target_code, How.EXACT_CLINICAL_CODE, 0.0, len(bare), entry)
            elif len(code) >= _CLINICAL_FROM:
                yield Match(entry.target_code, How.CLINICAL_PREFIX, 0.0, len(bare), entry)

    # --- names -----------------------------------------------------------------------------

    def _by_name(self, query: Query, known: Known) -> Iterator[Match]:
        """Names that fit, by the likely readings first; the unlikely only if those find nothing."""
        found: set[int] = set()
        for reading in query.readings:
            if found and reading.cost >= _UNLIKELY:
                return
            if len(reading.words) == 1:
                for number, fit, whole in self._in_one_piece(reading.words[0], known):
                    found.add(number)
                    how = How.NAME
                    if whole and reading.spelled:
                        clinical = number in self._line_clinical
                        how = How.EXACT_CLINICAL_NAME if clinical else How.EXACT_NAME
                    yield self._match(number, how, fit - reading.cost)
            if query.code or sum(map(len, reading.words)) < 2:
                continue
            room = 0 if len(found) >= _ENOUGH else _NEAREST
            for number, fit in self._in_pieces(reading, known, found, room):
                found.add(number)
                yield self._match(number, How.NAME, fit - reading.cost)

    def _match(self, number: int, how: How, fit: float) -> Match:
        aside = 0.0 if self._official[number] else _ASIDE
        return Match(
            self._line_codes[number],
            how,
            fit - aside,
            self._length(number),
            self._line_clinical.get(number),
        )

    def _in_one_piece(self, row: Row, known: Known) -> Iterator[tuple[int, float, bool]]:
        """Lines that hold the row without a gap: number, fit, and whether nothing else is there."""
        pattern = re.compile("".join(piece.one for piece in row) + r"[^\n]*+")
        for number, start in self._scan(pattern, known, _NEAREST):
            if start > self._starts[number]:
                yield number, _INSIDE + self._begins(start) * _WORD_START, False
            elif self._length(number) == len(row):
                yield number, _WHOLE, True
            else:
                yield number, _PREFIX, False

    def _in_pieces(
        self, reading: Reading, known: Known, but: Collection[int], room: int
    ) -> Iterator[tuple[int, float]]:
        """Lines that hold the words in any order, or the characters in order with gaps."""
        met = set(but)
        if len(reading.words) > 1:
            inside = "".join(
                f"(?=[^\\n]*?{''.join(piece.one for piece in word)})" for word in reading.words
            )
            fit = _INSIDE - _GAP * (len(reading.words) - 1)
            for number, _ in self._scan(re.compile(rf"\n{inside}[^\n]*+"), known, _NEAREST):
                met.add(number)
                yield number, fit
        row = tuple(piece for word in reading.words for piece in word)
        gapped = "".join(piece.others + piece.one for piece in row)
        for number, _ in self._scan(re.compile(rf"\n{gapped}[^\n]*+"), known, room):
            if number not in met:
                cost = self._pieces(number, row)
                if cost <= _FARTHEST:
                    yield number, -cost

    def _scan(self, pattern: re.Pattern[str], known: Known, room: int) -> Iterator[tuple[int, int]]:
        """Lines that match: number, and where. The pattern takes the rest of its line.

        The first `room` with codes unknown here come in order, then only what is known.
        """
        starts, lines, codes = self._starts, self._line_codes, known.codes
        number = -1
        if room:
            for found in pattern.finditer(self._text):
                start = found.start()
                number = bisect_right(starts, start) - 1
                if start == starts[number + 1] - 1:  # the pattern begins with the line's end
                    number, start = number + 1, start + 1
                yield number, start
                if lines[number] not in codes:
                    room -= 1
                    if not room:
                        break
            else:
                return
        for later in islice(known.lines, bisect_right(known.lines, number), None):
            end = starts[later + 1] - 1
            hit = pattern.search(self._text, starts[later] - 1, end)
            if hit is not None:
                yield later, max(hit.start(), starts[later])

    def _length(self, number: int) -> int:
        return self._starts[number + 1] - 1 - self._starts[number]

    def _begins(self, start: int) -> bool:
        """Whether a word seems to begin there: some official name begins with the same two."""
        return self._text[start : start + 2] in self._beginnings

    def _pieces(self, number: int, row: Row) -> float:
        """What it costs, at the least, to lay the row over the line in pieces with gaps."""
        start = self._starts[number]
        text = self._text[start : start + self._length(number)]
        begins = [_WORD_START * self._begins(start + at) for at in range(len(text))]
        ended: list[float] = []
        for step, piece in enumerate(row):
            before, ended = ended, [_NEVER] * len(text)
            cheapest = _NEVER if step else 0.0
            for at, character in enumerate(text):
                joined = before[at - 1] if step and at else _NEVER
                cheapest = min(cheapest, joined)
                if character in piece.members:
                    fresh = cheapest + (_GAP if at else _FIRST) - begins[at]
                    ended[at] = min(fresh, joined)
        return min(ended)


def folded(name: str) -> str:
    """A name as it is compared: half-width, lower case, letters and digits only."""
    text = unicodedata.normalize("NFKC", name).lower()
    return text if text.isalnum() else "".join(ch for ch in text if ch.isalnum())


def _lines(
    table: CodeTable, clinical: CodeMap | None, spoken: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, _Line]]:
    """Every text by which a code is known: its name, how it is spoken, its clinical names."""
    official = {code: folded(name) for code, name in table.names.items()}
    words = [(folded(long), folded(short)) for long, short in spoken]
    any_long = re.compile("|".join(re.escape(long) for long, _ in words) or "(?!)")
    for code, text in official.items():
        if text:
            yield text, _Line(code)
        if any_long.search(text):
            for long, short in words:
                if long in text:
                    yield text.replace(long, short), _Line(code, official=False)
    for entries in clinical.entries.values() if clinical else ():
        for entry in entries:
            text = folded(entry.source_name)
            if text and entry.target_code in official and text != official[entry.target_code]:
                yield text, _Line(entry.target_code, entry, official=False)
