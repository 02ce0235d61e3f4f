"""Wards and people of the invented hospital, from the active catalogues or invented as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dipgate.core.reference import Department, Reference, Staff
from dipgate.demo.people import Dice
from dipgate.demo.stays_limits import within

_BY_CHAPTER: tuple[tuple[str, str, str], ...] = (
    ("Z51", "A19", "A19"),
    ("Z47", "A04.03", "A04.03"),
    ("Z49", "A03.06", "A03.06"),
    ("O00-O99", "A05.02", "A05.02"),
    ("P00-P96", "A07.01", "A07.01"),
    ("N70-N98 C51-C58 D25-D28", "A05.01", "A05.01"),
    ("N17-N19", "A03.06", "A03.06"),
    ("N20-N51 C60-C68", "A04.04", "A04.04"),
    ("N00-N39", "A03.06", "A04.04"),
    ("C30-C39", "A19", "A04.05"),
    ("C73 E00-E90", "A03.07", "A04.01"),
    ("C00-D48", "A19", "A04.01"),
    ("S06 S02 I60-I69", "A03.03", "A04.02"),
    ("G00-G99", "A03.03", "A04.02"),
    ("I00-I79 R07", "A03.04", "A03.04"),
    ("I80-I99", "A04.01", "A04.01"),
    ("J30-J39", "A11", "A11"),
    ("J90-J94", "A03.01", "A04.05"),
    ("J00-J99 A15-A16", "A03.01", "A03.01"),
    ("K00-K93 A00-A09 R10", "A03.02", "A04.01"),
    ("H00-H59", "A10", "A10"),
    ("H60-H95", "A11", "A11"),
    ("M00-M99 S00-T35", "A04.03", "A04.03"),
)
"""Diagnosis spans → national department: without surgery, with surgery."""
_INVENTED = (
    ("A03", "内科"), ("A03.01", "呼吸内科"), ("A03.02", "消化内科"), ("A03.03", "神经内科"),
    ("A03.04", "心血管内科"), ("A03.06", "肾内科"), ("A03.07", "内分泌科"), ("A04.01", "普通外科"),
    ("A04.02", "神经外科"), ("A04.03", "骨科"), ("A04.04", "泌尿外科"), ("A04.05", "胸外科"),
    ("A05.01", "妇科"), ("A05.02", "产科"), ("A07.01", "新生儿科"), ("A10", "眼科"),
    ("A11", "耳鼻咽喉科"), ("A19", "肿瘤科"),
)  # fmt: skip
_NAMES = (
    "柏青禾 楚南溪 邓知微 樊星澜 顾言初 韩雨桐 江屿白 柯望舒 陆明川 孟清和 宁远舟 裴书砚".split()
)


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member of staff as the hospital's own system writes it: local code and name."""

    code: str
    name: str
    national_code: str


@dataclass(frozen=True, slots=True)
class Ward:
    code: str
    name: str
    doctors: tuple[Colleague, ...]
    nurses: tuple[Colleague, ...]


class Wards:
    """Who treats what."""

    def __init__(self, ref: Reference) -> None:
        found = _departments(ref)
        doctors = _people(ref, "doctor", "D", 1)
        nurses = _people(ref, "nurse", "N", 1)
        self.anaesthetists = _people(ref, "anaesthetist", "D", 101)
        self.nurses = nurses
        self._wards: dict[str, Ward] = {}
        for place, (national, code, name) in enumerate(found):
            self._wards.setdefault(
                national,
                Ward(
                    code,
                    name,
                    _share(doctors, place, len(found)),
                    _share(nurses, place, len(found)),
                ),
            )

    def ward_for(self, diagnosis: str, *, surgical: bool) -> Ward:
        """The ward that treats a diagnosis."""
        national = "A03"
        for spans, medical, operated in _BY_CHAPTER:
            if within(diagnosis, spans.split()):
                national = operated if surgical else medical
                break
        for key in (national, national.split(".")[0], "A03", "A03.02"):
            if key in self._wards:
                return self._wards[key]
        return next(iter(self._wards.values()))

    def another(self, dice: Dice, ward: Ward) -> Ward:
        """Some other ward, for a transfer; the same one when there is only one."""
        others = [other for other in self._wards.values() if other.code != ward.code]
        return dice.one(others) if others else ward


def _share(people: tuple[Colleague, ...], place: int, count: int) -> tuple[Colleague, ...]:
    mine = people[place::count]
    return mine or (people[place % len(people)],)


def _departments(ref: Reference) -> list[tuple[str, str, str]]:
    """(national code, own code, own name)."""
    known = _distinct((ref.departments or {}).values())
    if known:
        return [(item.national_code, item.local_code, item.local_name) for item in known]
    return [(national, national, name) for national, name in _INVENTED]


def _distinct(departments: Iterable[Department]) -> list[Department]:
    return sorted(set(departments), key=lambda item: item.local_code)


def _people(ref: Reference, role: str, letter: str, first: int) -> tuple[Colleague, ...]:
    everyone: set[Staff] = {person for group in (ref.staff or {}).values() for person in group}
    named: dict[str, set[str]] = {}
    for person in everyone:
        named.setdefault(person.name, set()).add(person.national_code)
    known = [
        Colleague(person.local_code or person.national_code, person.name, person.national_code)
        for person in sorted(everyone, key=lambda item: item.national_code)
        if person.role == role
        and len(named[person.name]) == 1
        and (person.first_day is None or person.first_day <= ref.day)
        and (person.last_day is None or ref.day <= person.last_day)
    ]
    if known:
        return tuple(known)
    invented = []
    for number, name in enumerate(_NAMES, start=first):
        code = f"{letter}990100{number:06d}"
        invented.append(Colleague(code, name, code))
    return tuple(invented)
