"""A whole month of an invented hospital: its stays, and the defects planted in them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from dipgate.core.library import LibraryData
from dipgate.core.reference import Reference
from dipgate.demo import defects_codes, defects_fees, defects_gaps
from dipgate.demo.defects import KINDS, Kind, Planted, plant
from dipgate.demo.people import Dice
from dipgate.demo.stays import Stay, make_stay
from dipgate.demo.stays_stock import stock_of
from dipgate.demo.stays_ward import Wards


@dataclass(frozen=True, slots=True)
class Hospital:
    """Stays as the hospital's systems hold them, and what is true.

    `stays[n]` and `truths[n]` are the same stay; they differ only where a defect was planted.
    """

    month: date
    seed: int
    stays: tuple[Stay, ...]
    truths: tuple[Stay, ...]
    planted: tuple[Planted, ...]
    """The answer key."""

    def part(self, start: int, stop: int) -> Hospital:
        """The stays from `start` up to `stop`, with their defects: for a second source."""
        ids = {stay.settlement_id for stay in self.stays[start:stop]}
        return replace(
            self,
            stays=self.stays[start:stop],
            truths=self.truths[start:stop],
            planted=tuple(item for item in self.planted if item.setl_id in ids),
        )


def generate(
    ref: Reference,
    library: LibraryData,
    *,
    seed: int,
    month: date,
    size: int,
    defect_share: float = 0.3,
) -> Hospital:
    """`size` discharges of one month from the groups of a library; the same seed, the same month.

    About `defect_share` of the stays get one defect each. Raises ConfigError when the catalogues
    cannot yield a stay.
    """
    stock = stock_of(ref, library)
    wards = Wards(ref)
    last = monthrange(month.year, month.month)[1]
    truths: list[Stay] = []
    for index in range(1, size + 1):
        dice = Dice(f"{seed}:{month:%Y-%m}:{index}")
        treatment = dice.weighted(stock.treatments, stock.running)
        day = date(month.year, month.month, dice.between(1, last))
        truths.append(make_stay(dice, stock, wards, treatment, day, index))
    kinds = defect_kinds()
    stays, planted = plant(truths, stock, wards, kinds, seed=seed, share=defect_share)
    return Hospital(month, seed, tuple(stays), tuple(truths), tuple(planted))


def defect_kinds() -> tuple[Kind, ...]:
    """Every class of defects there is, from the modules that declare them."""
    _ = (defects_codes, defects_fees, defects_gaps)
    return KINDS.all()


def defect_free(hospital: Hospital) -> Sequence[Stay]:
    """The stays nobody touched."""
    touched = {item.setl_id for item in hospital.planted}
    return [stay for stay in hospital.stays if stay.settlement_id not in touched]
