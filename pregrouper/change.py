"""Why income changed from one period to the next: volume, structure, price, and what is left.

Source: dip-settlement.md section 6. The four parts add up to the whole change to the fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from dipgate.core.money import Fen
from dipgate.pregrouper.scoring import PRECISION

PARTS = ("volume", "structure", "price", "residual")


@dataclass(frozen=True, slots=True)
class Period:
    """One pool in one period. `base_score` is the sum of base scores, `pay` the fund's payment.

    `price` is what one point of base score brought the fund by the parameters, V × g, in yuan;
    None where it is not known.
    """

    cases: int
    base_score: Decimal
    price: Decimal | None
    pay: Fen


@dataclass(frozen=True, slots=True)
class Change:
    """The change in fen and its parts; None where a period has no case or no price."""

    whole: Fen
    volume: Fen | None
    structure: Fen | None
    price: Fen | None
    residual: Fen | None
    """Deviation zones, coefficients, audit and other things that are none of the three."""

    def parts(self) -> dict[str, Fen | None]:
        """The four by name, in the order of `PARTS`."""
        return {name: getattr(self, name) for name in PARTS}


def change(before: Period, after: Period) -> Change:
    """volume = ΔN × CMI₀ × p₀; structure = N₁ × ΔCMI × p₀; price = S₁ × Δp; the rest is left.

    CMI is the mean base score of a case, p the price of a point. Each of the three is rounded to
    the fen by itself; what rounding leaves goes to the residual, so the four add up.
    """
    whole = Fen(after.pay - before.pay)
    if not before.cases or before.price is None or after.price is None:
        return Change(whole, None, None, None, None)
    with localcontext() as context:
        context.prec = PRECISION
        mean = before.base_score / before.cases
        volume = _fen((after.cases - before.cases) * mean * before.price)
        structure = _fen((after.base_score - after.cases * mean) * before.price)
        price = _fen(after.base_score * (after.price - before.price))
    return Change(whole, volume, structure, price, Fen(whole - volume - structure - price))


def _fen(yuan: Decimal) -> Fen:
    return Fen(int((yuan * 100).to_integral_value()))
