"""Planted defects: each is one way in which real lists are refused, tied to the rule that finds it.

A defect changes what the hospital's systems hold, never the truth. A stay gets at most one. The
kinds that no program can put right by itself (a bill that has not come, a wrong amount) are kept
to a small share, so that most of a month can be worked off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dipgate.demo.people import Dice
from dipgate.demo.stays import Row, Stay
from dipgate.demo.stays_stock import Stock
from dipgate.demo.stays_ward import Wards

HARD_SHARE = 0.075
"""Stays with a defect that has no mechanical remedy."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One line of the answer key: the rule that must find it, and where in the list."""

    setl_id: str
    rule: str
    field: str
    kind: str
    mechanical: bool


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a planter may look at."""

    stock: Stock
    wards: Wards


Outcome = tuple[Stay, str] | None
"""The spoilt stay and the list path of the defect; None when the stay does not suit."""
Planter = Callable[[Stay, Workshop, Dice], Outcome]


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of defects. `mechanical`: a finding of its rule carries a fix."""

    name: str
    rule: str
    mechanical: bool
    planter: Planter


class _Kinds:
    """The registry of defect classes, filled by the modules that hold them."""

    def __init__(self) -> None:
        self._kinds: list[Kind] = []

    def add(self, name: str, rule: str, *, mechanical: bool) -> Callable[[Planter], Planter]:
        def register(planter: Planter) -> Planter:
            self._kinds.append(Kind(name, rule, mechanical, planter))
            return planter

        return register

    def all(self) -> tuple[Kind, ...]:
        return tuple(self._kinds)


KINDS = _Kinds()


def front(stay: Stay, **values: str) -> Stay:
    """The stay with other front-page values."""
    return replace(stay, front={**stay.front, **values})


def settled(stay: Stay, **values: str) -> Stay:
    """The stay with other values on its bill."""
    return replace(stay, settlement={**stay.settlement, **values})


def row_changed(rows: Sequence[Row], place: int, values: Mapping[str, str]) -> tuple[Row, ...]:
    """Node rows with one of them changed."""
    return tuple({**row, **values} if at == place else row for at, row in enumerate(rows))


def plant(
    truths: Sequence[Stay],
    stock: Stock,
    wards: Wards,
    kinds: Sequence[Kind],
    *,
    seed: int,
    share: float,
) -> tuple[list[Stay], list[Planted]]:
    """Stays with defects, and the answer key in the order of the stays.

    Kinds take turns, so that every kind is there as soon as the month is large enough and has a
    stay that suits it.
    """
    dice = Dice(f"{seed}:defects")
    wanted = round(len(truths) * share)
    hard_room = min(int(len(truths) * HARD_SHARE), wanted)
    workshop = Workshop(stock, wards)
    stays = list(truths)
    free = dice.some(list(range(len(truths))), len(truths))
    found: dict[int, Planted] = {}
    hard = [kind for kind in kinds if not kind.mechanical]
    soft = [kind for kind in kinds if kind.mechanical]
    for group, count in ((hard, hard_room), (soft, wanted - hard_room)):
        turns = dice.some(group, len(group))
        idle = 0
        while count > 0 and turns and idle < len(turns):
            kind = turns.pop(0)
            turns.append(kind)
            placed = _place(kind, free, stays, workshop, dice, found)
            idle = 0 if placed else idle + 1
            count -= 1 if placed else 0
    return stays, [found[at] for at in sorted(found)]


def _place(
    kind: Kind,
    free: list[int],
    stays: list[Stay],
    workshop: Workshop,
    dice: Dice,
    found: dict[int, Planted],
) -> bool:
    for order, at in enumerate(free):
        outcome = kind.planter(stays[at], workshop, dice)
        if outcome is None:
            continue
        spoilt, field = outcome
        found[at] = Planted(spoilt.settlement_id, kind.rule, field, kind.name, kind.mechanical)
        stays[at] = spoilt
        del free[order]
        return True
    return False
