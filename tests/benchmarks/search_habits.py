"""Synthetic search habits: which code a coder means, in which ward, and what she types for it.

The wards use codes of their chapters of the national list, a few often and many rarely (the
number of uses falls with the rank). Three of four searches are for a code that the ward uses, as
often as it uses it; the fourth is for any other code of its chapters. What is typed depends only
on the name, the code and the habit, never on what the search would answer.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pypinyin import lazy_pinyin

from dipgate.core.reference import CodeMap, CodeTable, MapEntry, NotPrincipal, Reference

KINDS = ("icd10", "icd9cm3")
WARDS: Mapping[str, tuple[str, str]] = {
    "A03.01": ("J", "33 96"),
    "A03.02": ("K2 K5 K7 A0", "45 51"),
    "A03.03": ("G I6", "38 03"),
    "A03.04": ("I", "00 37"),
    "A03.06": ("N", "39 55"),
    "A03.07": ("E", "99"),
    "A04.01": ("K3 K8 C1 C2", "47 51 43"),
    "A04.03": ("S M", "78 79 81"),
    "A04.04": ("N C6", "57 60"),
    "A05.01": ("N8 D2", "65 68"),
    "A05.02": ("O", "74 75"),
    "A07.00": ("P A", "93 96"),
    "A10.00": ("H0 H2 H3", "13 14"),
    "A11.01": ("H6 H7 J3", "20 21"),
}
"""National code of a ward → beginnings of its diagnoses, of its procedures (for the test only)."""
USED_DIAGNOSES, USED_PROCEDURES = 200, 70
MOST_USES = 400


@dataclass(frozen=True)
class Habit:
    """One search: who looks where for what, and the text in the box."""

    ward: str
    kind: str
    wanted: str
    used: bool
    manner: str
    typed: str


@dataclass(frozen=True)
class Meant:
    """What a coder knows of the code that she means."""

    name: str
    code: str
    clinical: list[str]
    used: bool
    """Her ward uses it; a rare code is typed at greater length."""


@dataclass(frozen=True)
class World:
    """How often each ward uses each code, (kind, ward) → code → uses, and what is searched."""

    uses: Mapping[tuple[str, str], Mapping[str, int]]
    habits: tuple[Habit, ...]

    def counts(self) -> Iterator[dict[str, object]]:
        """Rows of the table of uses: each ward, and the hospital as the empty ward."""
        total: Counter[tuple[str, str]] = Counter()
        for (kind, ward), used in self.uses.items():
            for code, number in used.items():
                total[kind, code] += number
                yield {"kind": kind, "department": ward, "code": code, "uses": number}
        for (kind, code), number in total.items():
            yield {"kind": kind, "department": "", "code": code, "uses": number}


@dataclass
class Score:
    """How often the code that was meant stood first."""

    right: Counter[str]
    asked: Counter[str]

    def share(self, group: str = "all") -> float:
        return self.right[group] / max(1, self.asked[group])


def ask(world: World, search: Callable[[Habit], str]) -> Score:
    """Put every search of the world to `search`, which answers with the first code."""
    score = Score(Counter(), Counter())
    for habit in world.habits:
        right = search(habit) == habit.wanted
        for group in ("all", habit.manner, habit.kind, "used" if habit.used else "not used"):
            score.asked[group] += 1
            score.right[group] += right
    return score


def national(shared: Path) -> Reference:
    """The national lists, their maps and the codes barred as principal, read as they lie."""
    data, day = shared / "data", date(2020, 1, 1)

    def rows(file: str) -> list[dict[str, str]]:
        with (data / file).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def table(kind: str, file: str) -> CodeTable:
        names = {row["code"]: row["name"] for row in rows(file)}
        return CodeTable(kind, "2.0", day, names)

    def code_map(kind: str, file: str, source: str) -> CodeMap:
        entries: dict[str, tuple[MapEntry, ...]] = {}
        for number, row in enumerate(rows(file), start=2):
            code = row[f"{source}_code"]
            target = row["nhsa2_code"], row["nhsa2_name"]
            entry = MapEntry(code, row[f"{source}_name"], *target, "national", "2.0", number)
            entries[code] = (*entries.get(code, ()), entry)
        return CodeMap(kind, ("national:2.0",), entries)

    barred = {
        row["code"]: NotPrincipal(row["code"], True, True, "gray-parent", "D031")
        for row in rows("icd/dx_not_allowed_as_principal_dip3.csv")
    }
    return Reference(
        day=day,
        icd10=table("icd10", "icd/icd10_nhsa_v2.csv"),
        icd9cm3=table("icd9cm3", "icd/icd9cm3_nhsa_v2.csv"),
        icd10_map=code_map("icd10-map", "mapping/icd10_gl2_to_nhsa2.csv", "gl2"),
        icd9cm3_map=code_map("icd9cm3-map", "mapping/icd9cm3_gl3_to_nhsa2.csv", "gl3"),
        not_principal=barred,
    )


def plain(name: str) -> str:
    """The characters of a name that anyone would type."""
    return "".join(ch for ch in unicodedata.normalize("NFKC", name).lower() if ch.isalnum())


def initials(text: str) -> str:
    return "".join(word[0] for ch in text for word in lazy_pinyin(ch))


def spelled(text: str) -> str:
    """Character by character: the same whether the dictionary of phrases is loaded or not."""
    return "".join(word for ch in text for word in lazy_pinyin(ch))


def make_world(
    ref: Reference,
    *,
    wards: Mapping[str, tuple[str, str]] = WARDS,
    count: int = 300,
    seed: int = 20250616,
) -> World:
    """Wards, their use of codes, and `count` searches. Barred codes are not looked for."""
    rng = random.Random(seed)  # noqa: S311
    tables = {
        kind: table for kind, table in zip(KINDS, (ref.icd10, ref.icd9cm3), strict=True) if table
    }
    maps = {
        kind: table
        for kind, table in zip(KINDS, (ref.icd10_map, ref.icd9cm3_map), strict=True)
        if table
    }
    barred = {code for code, entry in (ref.not_principal or {}).items() if entry.drg11}
    uses: dict[tuple[str, str], dict[str, int]] = {}
    others: dict[tuple[str, str], list[str]] = {}
    for ward, beginnings in wards.items():
        for kind, begins, size in zip(
            KINDS, beginnings, (USED_DIAGNOSES, USED_PROCEDURES), strict=True
        ):
            wanted = tuple(begins.split())
            own = sorted(
                code
                for code in tables[kind].names
                if code.startswith(wanted) and code not in barred
            )
            rng.shuffle(own)
            size = min(size, max(1, len(own) // 2))
            uses[kind, ward] = {
                code: max(1, MOST_USES // rank) for rank, code in enumerate(own[:size], start=1)
            }
            others[kind, ward] = own[size:]
    clinical = {kind: _by_target(table) for kind, table in maps.items()}
    habits: list[Habit] = []
    while len(habits) < count:
        ward = rng.choice(tuple(wards))
        kind = "icd9cm3" if rng.random() < 0.25 else "icd10"
        manner = rng.choices(tuple(_MANNERS), weights=[w for w, _ in _MANNERS.values()])[0]
        known, unknown = uses[kind, ward], others[kind, ward]
        if manner == "clinical code":  # only what the two editions call differently
            known = {code: number for code, number in known.items() if code in clinical[kind]}
            unknown = [code for code in unknown if code in clinical[kind]]
            if not known:
                continue
        used = rng.random() < 0.75 or not unknown
        if used:
            wanted = rng.choices(tuple(known), weights=tuple(known.values()))[0]
        else:
            wanted = rng.choice(unknown)
        sources = clinical.get(kind, {}).get(wanted, [])
        meant = Meant(plain(tables[kind].names[wanted]), wanted, sources, used)
        text = _MANNERS[manner][1](rng, meant)
        if text:
            habits.append(Habit(ward, kind, wanted, used, manner, text))
    return World(uses, tuple(habits))


def _by_target(table: CodeMap) -> Mapping[str, list[str]]:
    """target → clinical codes that are not codes of the insurance edition themselves."""
    found: dict[str, list[str]] = {}
    for source, entries in table.entries.items():
        for entry in entries:
            if source != entry.target_code:
                found.setdefault(entry.target_code, []).append(source)
    return found


def _initials(_: random.Random, meant: Meant) -> str:
    """All of a short name, the first six of a longer one; of a rare one the first ten."""
    name = meant.name
    return initials(name[: 10 if not meant.used else 6 if len(name) > 7 else 7])


def _skipping(_: random.Random, meant: Meant) -> str:
    """Two words of a longer name: how it begins and how it ends."""
    begins = 2 if meant.used else 4
    return "" if len(meant.name) < 9 else initials(meant.name[:begins] + meant.name[-4:])


def _spelled(_: random.Random, meant: Meant) -> str:
    """The first syllables in full."""
    return spelled(meant.name[: 4 if meant.used else 9])


def _fragment(rng: random.Random, meant: Meant) -> str:
    """A few characters of the name that lie together; the whole of a rare one."""
    if not meant.used:
        return meant.name
    size = min(len(meant.name), rng.choice((4, 5)))
    at = rng.randrange(len(meant.name) - size + 1)
    return meant.name[at : at + size]


def _two(rng: random.Random, meant: Meant) -> str:
    """Two fragments, a blank between, in the order they come to mind."""
    if len(meant.name) < 8:
        return ""
    parts = [meant.name[: 2 if meant.used else 3], meant.name[-3 if meant.used else -4 :]]
    rng.shuffle(parts)
    return " ".join(parts)


def _mixed(_: random.Random, meant: Meant) -> str:
    """Characters, then initials; typed with the keyboard in full-width mode."""
    text = meant.name[:2] + initials(meant.name[2 : 7 if meant.used else 10])
    return "".join(chr(ord(ch) + 0xFEE0) if "!" <= ch <= "~" else ch for ch in text)


def _code(rng: random.Random, meant: Meant) -> str:
    """The code as it is remembered: lower case, often without the dot, its end left off."""
    text = meant.code.lower()
    if meant.used:
        text = text.split("+")[0]
    text = text.replace(".", "") if rng.random() < 0.5 else text
    return text[:-1] if meant.used and rng.random() < 0.5 else text


def _clinical(rng: random.Random, meant: Meant) -> str:
    """The code of the clinical edition, as the front page has it."""
    return rng.choice(sorted(meant.clinical)) if meant.clinical else ""


_MANNERS: Mapping[str, tuple[int, Callable[[random.Random, Meant], str]]] = {
    "initials": (34, _initials),
    "initials, words skipped": (10, _skipping),
    "full pinyin": (12, _spelled),
    "fragment": (16, _fragment),
    "two fragments": (5, _two),
    "mixed, full-width": (4, _mixed),
    "code": (12, _code),
    "clinical code": (7, _clinical),
}
"""habit → how common it is, and what it makes of a code."""
