"""Who an unknown ward or person may be: entries and national codes that look alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from dipgate.config.readings import readings_of
from dipgate.core.registry import DEPARTMENT, RegistryEntry, key_of

MOST = 8
"""Candidates shown for one item."""
_SHORTEST = 2
"""A name of one character is like too many others."""
_TAIL = re.compile(
    r"[（(].*?[)）]|第?[一二三四五六七八九十0-9]+(?:病区|区|组|科)?$|病区$|门诊$|专业$|病房$|科$"
)
_LETTERS = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to fill the form: what it would be, and why it is thought of."""

    national_code: str
    national_name: str
    name: str
    role: str
    department: str
    because: str
    rank: int


def candidates(
    kind: str,
    group: str,
    code: str,
    name: str,
    entries: Sequence[RegistryEntry],
    national: Mapping[str, str],
    day: date | None,
) -> tuple[Candidate, ...]:
    """The likeliest first, each national code once.

    `entries` are all of the kind, of any day; `national` are the departments of the code set.
    """
    found: dict[str, Candidate] = {}
    own = [entry for entry in entries if entry.key[0] == key_of(kind, "", _role(group))[0]]
    ways = [_from_entries(code, name, own, day)]
    if kind == DEPARTMENT:
        ways.append(_from_codeset(name or code, national))
    for way in ways:
        for candidate in way:
            held = found.get(candidate.national_code)
            if held is None or candidate.rank < held.rank:
                found[candidate.national_code] = candidate
    ranked = sorted(found.values(), key=lambda item: (item.rank, item.national_code))
    return tuple(
        replace(item, national_name=item.national_name or national.get(item.national_code, ""))
        for item in ranked[:MOST]
    )


def _role(group: str) -> str:
    return "nurse" if group == "nurse" else "doctor"


def _from_entries(
    code: str, name: str, entries: Iterable[RegistryEntry], day: date | None
) -> Iterator[Candidate]:
    sounds = _sound(name) if len(name) >= _SHORTEST else ()
    number = _digits(code)
    for entry in entries:
        if entry.local_code == code:
            yield _of(entry, f"同一个代码，{_when(entry)}", 0)
        elif code in (entry.national_code, entry.local_name):
            yield _of(entry, f"登记册里的 {entry.local_name}，{_when(entry)}", 1)
        elif name and entry.local_name == name:
            rank = 1 if day is None or entry.holds(day) else 2
            yield _of(entry, f"同名，代码 {entry.local_code}，{_when(entry)}", rank)
        elif sounds and _sound(entry.local_name) == sounds:
            yield _of(entry, f"读音相同：{entry.local_name}，代码 {entry.local_code}", 3)
        elif len(name) > _SHORTEST and _one_apart(name, entry.local_name):
            yield _of(entry, f"名字差一个字：{entry.local_name}，代码 {entry.local_code}", 4)
        elif len(number) >= _SHORTEST and number == _digits(entry.local_code):
            yield _of(entry, f"号码相同，写法不同：{entry.local_code}", 5)


def _of(entry: RegistryEntry, because: str, rank: int) -> Candidate:
    return Candidate(
        entry.national_code,
        entry.national_name,
        entry.local_name,
        entry.role,
        entry.department,
        because,
        rank,
    )


def _from_codeset(name: str, national: Mapping[str, str]) -> Iterator[Candidate]:
    """National departments whose name holds the ward's name without its number, or is held."""
    bare = stem(name)
    if len(bare) < _SHORTEST:
        return
    for code, label in national.items():
        other = stem(label)
        if bare == other:
            yield Candidate(code, label, "", "", "", f"国家科室名称相同：{label}", 2)
        elif len(other) >= _SHORTEST and (bare in other or other in bare):
            apart = abs(len(bare) - len(other))
            yield Candidate(code, label, "", "", "", f"国家科室名称相近：{label}", 5 + apart)


def stem(name: str) -> str:
    """A ward's name without the number of the ward and the words that every ward has."""
    before = ""
    while name != before:
        before, name = name, _TAIL.sub("", name.strip())
    return name


def _when(entry: RegistryEntry) -> str:
    first = f"{entry.first_day:%Y-%m-%d} 起" if entry.first_day else ""
    last = f"到 {entry.last_day:%Y-%m-%d}" if entry.last_day else ""
    return "，".join(filter(None, (first, last))) or "一直有效"


def _sound(name: str) -> tuple[str, ...]:
    """The first reading of each character: 张伟 and 章伟 sound alike."""
    read = readings_of(name)
    return tuple(read[ch][0] if read.get(ch) else ch for ch in name)


def _one_apart(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _digits(code: str) -> str:
    return _LETTERS.sub("", code).lstrip("0")
