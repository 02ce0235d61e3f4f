"""What a coder types into the search box, taken apart into what each character of a name may be.

One box takes pinyin initials, full pinyin, Chinese, Latin letters and digits, mixed as they come.
A run of letters can be read in several ways (`xian` is 先 or 西安): the likely ones are kept, the
rest is not tried, so that no input costs more than a bounded number of passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from dipgate.core.codes import tidy

LONGEST = 40
"""Characters of a query that are looked at."""
_WAYS = 6
"""Ways of reading one query that are tried."""
_PART = re.compile(r"[a-z]+|[^\W_]")
_BETWEEN = re.compile(r"(?:[^\w']|_)+")
"""Between words; an apostrophe only parts two syllables (`xi'an`)."""
_FIRST_SYMBOL = 0x3400
"""Symbols stand from here on, where no character means anything in a regular expression."""
_LETTERS = re.compile(r"[a-z]+")
_CODE = re.compile(r"[a-z]\d[0-9a-z.+*/-]*|\d[0-9a-z.]*")
_LOST_ZERO = re.compile(r"^(?=\d\.)")
"""Before `0.66`: a spreadsheet has made a number of the procedure `00.66`."""
_LONGER, _MIXED, _UNFINISHED = 0.5, 0.5, 0.5
"""What makes a reading less likely: each piece more than needed; syllables mixed with single
initials; a last syllable that is one but is taken for the beginning of another (`da` of `dao`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A set of symbols of the alphabet; one letter, syllable or character of the query."""

    members: frozenset[str]
    one: str
    """Regular expression for one of them."""
    others: str
    """Regular expression for the run of a line up to the first of them, never given back."""

    @classmethod
    def of(cls, symbols: Iterable[str]) -> Piece:
        members = frozenset(symbols)
        inside = "".join(_ranges(sorted(map(ord, members))))
        return cls(members, f"[{inside}]", f"[^\\n{inside}]*+")


Row = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to read a part of the query."""

    row: Row
    cost: float = 0.0
    spelled: bool = True


@dataclass(frozen=True, slots=True)
class _Cut:
    """A run of letters cut into pieces, as far as it is cut."""

    row: Row = ()
    initials: int = 0
    cost: float = 0.0
    spelled: bool = True

    def with_piece(self, piece: tuple[Piece, int, float, bool]) -> _Cut:
        known, initials, cost, complete = piece
        return _Cut(
            (*self.row, known),
            self.initials + initials,
            self.cost + cost,
            self.spelled and complete,
        )

    def order(self) -> tuple[float, int]:
        return len(self.row) + self.cost, self.initials

    def way(self, fewest: int) -> _Way:
        mixed = 0 < self.initials < len(self.row)
        cost = self.cost + _LONGER * (len(self.row) - fewest) + _MIXED * mixed
        return _Way(self.row, cost, self.spelled)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way of reading the query: words, each a row of pieces.

    `words[0][2]` holds all that the third letter or syllable of the first word can mean. `cost`
    is larger for unlikely readings. `spelled`: each character was typed itself or by a whole
    syllable, so that a name of the same length is meant exactly.
    """

    words: tuple[Row, ...]
    cost: float
    spelled: bool


@dataclass(frozen=True, slots=True)
class Query:
    """The folded text (half-width, lower case), the code it may be, and the ways to read it."""

    text: str
    code: str
    """Without dot and blanks (`k358`); empty when the text can not be the start of a code."""
    readings: tuple[Reading, ...]


class Alphabet:
    """Which characters of the names can be meant by a letter, a syllable or its beginning.

    Each character has a symbol, and symbols are in the order of the first readings: what a letter
    can mean is then one range of symbols and a few more, which an expression says in few words.
    """

    def __init__(self, readings: Mapping[str, tuple[str, ...]], characters: Iterable[str]) -> None:
        known = sorted(
            set(characters),
            key=lambda character: (readings.get(character, (character,)), character),
        )
        symbols = {character: chr(_FIRST_SYMBOL + at) for at, character in enumerate(known)}
        self._symbols = str.maketrans(symbols)
        self._single = {character: Piece.of(symbol) for character, symbol in symbols.items()}
        initials: dict[str, set[str]] = {}
        syllables: dict[str, set[str]] = {}
        for character, symbol in symbols.items():
            if character.isascii():
                initials.setdefault(character, set()).add(symbol)
            for form in readings.get(character, ()):
                syllables.setdefault(form, set()).add(symbol)
                initials.setdefault(form[0], set()).add(symbol)
                if form[:2] in ("zh", "ch", "sh"):
                    initials.setdefault(form[:2], set()).add(symbol)
        self._initials = {key: Piece.of(found) for key, found in initials.items()}
        self._syllables = {key: Piece.of(found) for key, found in syllables.items()}
        self._longest = max(map(len, self._syllables), default=1)

    def encode(self, text: str) -> str:
        """Text in symbols; line ends stay. All its characters must be known."""
        return text.translate(self._symbols)

    def query(self, typed: str) -> Query:
        """The query that `typed` is; without readings when no name can hold it."""
        text = tidy(typed[: 4 * LONGEST]).lower()[:LONGEST]
        code = re.sub(r"\s", "", text)
        code = bare_code(_LOST_ZERO.sub("0", code)) if _CODE.fullmatch(code) else ""
        return Query(text, code, self._readings(text))

    def _readings(self, text: str) -> tuple[Reading, ...]:
        choices = [self._word(word) for word in _BETWEEN.split(text) if word.strip("'")]
        if not choices or not all(choices):
            return ()
        return tuple(
            Reading(
                tuple(way.row for way in ways),
                sum(way.cost for way in ways),
                all(way.spelled for way in ways),
            )
            for ways in _cheapest(choices)
        )

    def _word(self, word: str) -> list[_Way]:
        """The likely rows of character sets for one word, the likeliest first."""
        parts: list[list[_Way]] = []
        for part in _PART.findall(word):
            if _LETTERS.fullmatch(part):
                parts.append(self._letters(part))
            else:
                single = self._single.get(part)
                parts.append([_Way((single,))] if single else [])
        if not parts or not all(parts):
            return []
        return [
            _Way(
                tuple(piece for way in ways for piece in way.row),
                sum(way.cost for way in ways),
                all(way.spelled for way in ways),
            )
            for ways in _cheapest(parts)
        ]

    def _letters(self, run: str) -> list[_Way]:
        """Ways to cut a run of letters into syllables and initials, the fewest pieces first."""
        best: list[list[_Cut]] = [[] for _ in range(len(run) + 1)]
        best[0] = [_Cut()]
        for at in range(len(run)):
            for end in range(at + 1, min(len(run), at + self._longest) + 1):
                if best[at]:
                    pieces = tuple(self._pieces(run[at:end], last=end == len(run)))
                    grown = [cut.with_piece(piece) for cut in best[at] for piece in pieces]
                    best[end] = sorted([*best[end], *grown], key=_Cut.order)[:_WAYS]
        cuts = best[-1]
        letters = tuple(self._initials[letter] for letter in run if letter in self._initials)
        if len(letters) == len(run) and all(cut.row != letters for cut in cuts):
            cuts = [*cuts[: _WAYS - 1], _Cut(letters, len(run), spelled=False)]
        fewest = min((len(cut.row) for cut in cuts), default=0)
        return sorted((cut.way(fewest) for cut in cuts), key=lambda way: way.cost)

    def _pieces(self, letters: str, *, last: bool) -> Iterator[tuple[Piece, int, float, bool]]:
        """What letters can be: the piece, initials in it, its cost, and whether it is complete."""
        syllable = self._syllables.get(letters) if len(letters) > 1 else None
        initial = self._initials.get(letters)
        if syllable is not None:
            yield syllable, 0, 0.0, True
        if initial is not None:
            yield initial, 1, 0.0, False
        elif last and len(letters) > 1:
            begun: set[str] = set()
            for form, piece in self._syllables.items():
                if form.startswith(letters) and form != letters:
                    begun |= piece.members
            if begun:
                yield Piece.of(begun), 0, 0.0 if syllable is None else _UNFINISHED, False


def _ranges(codes: list[int]) -> Iterator[str]:
    """The inside of a character class for ascending code points."""
    at = 0
    while at < len(codes):
        end = at
        while end + 1 < len(codes) and codes[end + 1] == codes[end] + 1:
            end += 1
        yield chr(codes[at]) if end == at else f"{chr(codes[at])}-{chr(codes[end])}"
        at = end + 1


def bare_code(code: str) -> str:
    """A code as it is compared: lower case, without dot (`K35.800x001` → `k35800x001`)."""
    return code.lower().replace(".", "")


def _cheapest(choices: list[list[_Way]]) -> list[tuple[_Way, ...]]:
    """Combinations of one way per part, the cheapest few: never all of them."""
    kept: list[tuple[_Way, ...]] = [()]
    for ways in choices:
        grown = [(*before, way) for before, way in product(kept, ways)]
        kept = sorted(grown, key=lambda row: sum(way.cost for way in row))[:_WAYS]
    return kept
