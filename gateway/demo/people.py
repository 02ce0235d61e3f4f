"""Invented people: names, dates of birth, identity numbers that no real person can have.

The region part of the identity numbers (`990100`) is not a Chinese division, so that the numbers
pass the check digit and belong to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from dipgate.core.idcard import check_character

T = TypeVar("T")

REGION = "990100"
MALE = "1"
FEMALE = "2"
_SURNAMES = (
    "安白岑车戴丁樊方高顾韩何江金孔林柳陆孟宁潘齐秦任沈苏汤陶温吴夏谢徐许严杨叶尹余俞袁章郑周朱庄"
)
_MALE = "安川风海恒景峻朗明沐然瑞山硕松庭为文羽舟"
_FEMALE = "霭冰采澄芳禾嘉静蓝岚宁晴雯汐昕妍瑶音月芷"
_MIDDLE = "长初春冬丰广和吉可乐连木南平清秋如少时思天望小星雪一以元云知子"
_STREETS = ("云岭路", "望江街", "青禾巷", "北辰大道", "杏林路", "南屏街", "澄湖路")
_JOBS = ("13", "17", "24", "27", "27", "51", "70")


class Dice:
    """Seeded chance; the same seed gives the same hospital on every Python."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 - invented data, nothing secret

    def part(self) -> float:
        """A number from 0 (inclusive) to 1."""
        return self._random.random()

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.part() * (high - low + 1))

    def chance(self, share: float) -> bool:
        return self.part() < share

    def one(self, items: Sequence[T]) -> T:
        return items[self.between(0, len(items) - 1)]

    def weighted(self, items: Sequence[T], running: Sequence[float]) -> T:
        """One item by running sums of weights."""
        target = self.part() * running[-1]
        low, high = 0, len(items) - 1
        while low < high:
            middle = (low + high) // 2
            if running[middle] > target:
                high = middle
            else:
                low = middle + 1
        return items[low]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Up to `count` different items, in the order drawn."""
        rest = list(items)
        return [rest.pop(self.between(0, len(rest) - 1)) for _ in range(min(count, len(rest)))]

    def spread(self) -> float:
        """A factor around 1: mostly 0.6 to 1.7, now and then far off, as fees are."""
        draw = self.part()
        if draw < 0.05:
            return 0.25 + 0.25 * self.part()
        if draw < 0.10:
            return 2.0 + 2.2 * self.part()
        if draw < 0.11:
            return 5.0 + 2.0 * self.part()
        return 0.55 + (self.part() + self.part() + self.part()) * 0.32


@dataclass(frozen=True, slots=True)
class Person:
    """One invented patient."""

    name: str
    sex: str
    born: date
    certificate_type: str
    certificate: str
    job: str
    address: str
    telephone: str
    contact: str
    relation: str
    number: str
    """`psn_no`."""
    record: str
    """`medcasno`."""


def identity_number(born: date, sequence: int, sex: str) -> str:
    """18 digits by GB 11643: region, birth date, a sequence whose parity is the sex, check mark."""
    third = (sequence % 500) * 2 + (1 if sex == MALE else 0)
    head = f"{REGION}{born:%Y%m%d}{third % 1000:03d}"
    return head + check_character(head)


def person(dice: Dice, *, sex: str, born: date, newborn: bool, index: int, tag: str) -> Person:
    """A patient of this sex and birth date; a newborn has a birth certificate instead of an id.

    `tag` makes the person's numbers unique.
    """
    surname = dice.one(_SURNAMES)
    given = dice.one(_MIDDLE) + dice.one(_MALE if sex == MALE else _FEMALE)
    name = f"{surname}{given}" if not newborn else f"{surname}{dice.one(_MIDDLE)}宝"
    if newborn:
        kind, number, relation = "99", f"X{tag}", "50"
    else:
        kind, number = "01", identity_number(born, index * 7 + dice.between(0, 6), sex)
        relation = dice.one(("10", "20", "30", "50", "99"))
        relation = "10" if relation == "99" else relation
    contact = surname + dice.one(_MIDDLE) + dice.one(_MALE + _FEMALE)
    street = dice.one(_STREETS)
    return Person(
        name=name,
        sex=sex,
        born=born,
        certificate_type=kind,
        certificate=number,
        job="90" if newborn else dice.one(_JOBS),
        address=f"虚构市示例区{street}{dice.between(1, 299)}号",
        telephone=f"000-{dice.between(1000000, 9999999)}",
        contact=contact if contact != name else f"{contact[:-1]}乙",
        relation=relation,
        number=f"{REGION}P{tag}",
        record=f"BA{tag}",
    )


def birthday(dice: Dice, on: date, low_days: int, high_days: int) -> date:
    """A birth date so that the age on a day lies between the two, in days."""
    return on - timedelta(days=dice.between(low_days, high_days))
