"""Whose diagnosis can it be: sex and age that a code allows, as far as invention needs it."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.demo.people import FEMALE, MALE

YEAR = 366
NEWBORN_DAYS = 28
"""Day 28 is still a newborn's, day 29 is not."""
_FEMALE_DX = (
    "A34 B37.3 C51-C58 C79.6 D06 D07.0-D07.3 D25-D28 D39 E28 E89.4 F52.5 F53 I86.3 L29.2 M80.0 "
    "M80.1 M81.0 M81.1 M83.0 N70-N98 N99.2 N99.3 O00-O99 P54.6 Q50-Q52 R87 S31.4 S37.4-S37.6 "
    "T19.2 T19.3 T83.3 Z01.4 Z12.4 Z30.1 Z30.3 Z30.5 Z31.1 Z31.2 Z32-Z37 Z39 Z87.5 Z97.5 C50 D24"
).split()
"""C50 and D24 are no female codes, but an invented hospital need not look for the rare man."""
_MALE_DX = (
    "B26.0 C60-C63 D07.4-D07.6 D17.6 D29 D40 E29 E89.5 F52.4 I86.1 L29.1 N40-N51 Q53-Q55 R86 "
    "S31.2 S31.3 Z12.5"
).split()
_CHILD = "A08 B08 J06 J12 J15.7 J18.0 J20.9".split()
_OLD = "F01-F03 H25 I69 J44 M15-M19 M80 M81 N40 N95 I48 I50 I61 I63 I65 I67".split()
_GROWN = "A41 C D1-D4 E04-E14 E78 H26 I J41-J43 J90-J96 K80-K87 K74 M4-M5 N18 N20 Z49 Z51".split()


@dataclass(frozen=True, slots=True)
class Limits:
    """Sex ("" for both) and age on admission in days."""

    sex: str = ""
    low: int = 18 * YEAR
    high: int = 85 * YEAR

    def meet(self, other: Limits) -> Limits | None:
        """Both at once; None when nobody fits."""
        if self.sex and other.sex and self.sex != other.sex:
            return None
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Limits(self.sex or other.sex, low, high) if low <= high else None

    def fits(self, sex: str, age_days: int) -> bool:
        return (not self.sex or self.sex == sex) and self.low <= age_days <= self.high


ANYONE = Limits(low=0, high=120 * YEAR)


def within(code: str, spans: list[str]) -> bool:
    """True when a code begins with one of the prefixes, or lies in a prefix range."""
    for span in spans:
        low, dash, high = span.partition("-")
        if dash and low <= code[: len(low)] <= high:
            return True
        if not dash and code.startswith(span):
            return True
    return False


def diagnosis_limits(code: str, name: str, *, principal: bool) -> Limits:
    """Who may have this diagnosis. As another diagnosis the ages of plausible cases are wider."""
    sex = FEMALE if within(code, _FEMALE_DX) else MALE if within(code, _MALE_DX) else ""
    if "男性" in name:
        sex = MALE
    elif "女性" in name:
        sex = FEMALE
    if code[0] == "P" or "新生儿" in name:
        return Limits(sex, 0, NEWBORN_DAYS - 1)
    if code[0] == "O" or code[:3] in ("Z37", "Z35", "Z34", "Z39"):
        return Limits(FEMALE, 20 * YEAR, 42 * YEAR)
    if "婴儿" in name:
        return Limits(sex, 60, 2 * 365)
    if any(word in name for word in ("幼年", "儿童", "小儿", "少年", "青少年")):
        return Limits(sex, 4 * YEAR, 14 * YEAR)
    if "老年" in name or "绝经" in name:
        return Limits(sex, 66 * YEAR, 88 * YEAR)
    if within(code, _CHILD) and principal:
        return Limits(sex, 400, 60 * YEAR)
    if within(code, _OLD):
        return Limits(sex, 52 * YEAR, 88 * YEAR)
    if sex and code[0] in "CDN":
        return Limits(sex, 28 * YEAR, 78 * YEAR)
    if within(code, _GROWN):
        return Limits(sex, 36 * YEAR, 84 * YEAR)
    return Limits(sex, 16 * YEAR, 84 * YEAR) if principal else Limits(sex, 14 * YEAR, 90 * YEAR)


def procedure_limits(code: str, name: str) -> Limits:
    """Who may have this procedure: chapters 60–64 men, 65–75 women."""
    chapter = code[:2]
    if "60" <= chapter <= "64" and not code.startswith("64.5"):
        return Limits(MALE, 0, 120 * YEAR)
    if "65" <= chapter <= "75":
        return Limits(FEMALE, 0, 120 * YEAR)
    if any(word in name for word in ("子宫", "卵巢", "输卵管", "阴道", "会阴", "胎儿", "剖宫")):
        return Limits(FEMALE, 0, 120 * YEAR)
    if any(word in name for word in ("前列腺", "阴茎", "睾丸", "阴囊", "精囊", "精索")):
        return Limits(MALE, 0, 120 * YEAR)
    return ANYONE
