"""Invented cases over the groups of a library, any number of them, each by its number alone.

Case 17 is the same whether one asks for a hundred cases or for ten million, and from whichever
number on. Most reach a group of the library; the rest miss an operation, carry foreign ones, or
are broken in the ways that exports break. Flat rows, as docs/whole-years.md names the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from dipgate.core.library import LibraryRow

FlatRow = dict[str, str | list[str]]

_OPERATION = re.compile(r"\d{2}\.[0-9A-Z]{1,4}(?:x\d{3})?")
_DIAGNOSIS = re.compile(r"[A-Z]\d{2}(?:\.[0-9x]{1,3})?(?:x\d{3})?")
_ANY = ("I10.x00", "E11.900", "J18.900", "K29.500", "Z51.100", "N18.900")
_FACTORS = (0.3, 0.49, 0.5, 0.8, 1.0, 1.0, 1.0, 1.2, 1.7, 2.0, 2.01, 3.5, 5.5)
_YEAR = 365


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a library row lends to a case."""

    diagnoses: tuple[str, ...]
    operations: tuple[str, ...]
    fee: Decimal


class BulkCases:
    """Cases over `rows`. `diagnoses` are codes that may be used below the keys of the rows."""

    def __init__(
        self,
        rows: Sequence[LibraryRow],
        *,
        diagnoses: Sequence[str] = (),
        first_day: date = date(2025, 1, 1),
        area: str = "990100",
        seed: int = 1,
    ) -> None:
        below: dict[str, list[str]] = {}
        for code in diagnoses:
            for length in (3, 5, 7):
                below.setdefault(code[:length], []).append(code)
        self._origins = tuple(_origin(row, below) for row in rows)
        self._noise = tuple(sorted({op for item in self._origins for op in item.operations}))
        self._others = tuple(diagnoses) or _ANY
        self._first_day = first_day
        self._area = area
        self._seed = seed

    def rows(self, count: int, *, start: int = 0) -> Iterator[FlatRow]:
        """`count` flat rows from case number `start` on."""
        for number in range(start, start + count):
            yield self.row(number)

    def row(self, number: int) -> FlatRow:
        rng = Random(self._seed * 1_000_000_007 + number)  # noqa: S311 - invented data
        origin = self._origins[rng.randrange(len(self._origins))]
        settled = self._first_day + timedelta(days=rng.randrange(_YEAR))
        stay = rng.randrange(1, 20)
        discharged = datetime.combine(settled, datetime.min.time()).replace(hour=9)
        born = settled - timedelta(days=rng.choice((3, 20, 400, 2_000, 9_000, 20_000, 29_000)))
        admitted = discharged - timedelta(days=min(stay, max(0, (settled - born).days)))
        fee = _fee(origin.fee, rng)
        row: FlatRow = {
            "setl_id": f"B{number:09d}",
            "dx": rng.choice(origin.diagnoses) if origin.diagnoses else rng.choice(self._others),
            "other_dx": [rng.choice(self._others) for _ in range(rng.choice((0, 0, 1, 3)))],
            "tcm_dx": [],
            "ops": self._operations(origin, rng),
            "medfee_sumamt": f"{fee:.2f}",
            "fund_payamt": f"{fee * Decimal('0.7'):.2f}",
            "self_paid": f"{fee * Decimal('0.1'):.2f}",
            "hi_type": rng.choice(("310", "310", "390")),
            "insuplc": self._area,
            "fixmedins_code": f"H{self._area}{rng.randrange(1, 40):05d}",
            "hi_setl_lv": rng.choice(("3", "3", "2", "1")),
            "setl_end_date": f"{settled:%Y-%m-%d}",
            "adm_time": f"{admitted:%Y-%m-%d %H:%M:%S}",
            "dscg_time": f"{discharged:%Y-%m-%d %H:%M:%S}",
            "dscg_way": rng.choice(("1", "1", "1", "1", "2", "5")),
            "gend": rng.choice("12"),
            "brdy": f"{born:%Y-%m-%d}",
            "nwb_bir_wt": "3200" if (settled - born).days < 28 else "",
            "ipt_med_type": "1",
            "hi_paymtd": "3",
            "vent_used_dura": "",
            "icu": [],
            "fees": [],
        }
        _break(row, rng)
        return row

    def _operations(self, origin: _Origin, rng: Random) -> list[str]:
        chance = rng.random()
        ops = list(origin.operations)
        if chance > 0.9:
            ops = []
        elif chance > 0.6 and len(ops) > 1:
            ops = rng.sample(ops, rng.randrange(1, len(ops)))
        if self._noise and rng.random() < 0.3:
            ops += [rng.choice(self._noise) for _ in range(rng.randrange(1, 4))]
        if len(ops) > 1 and rng.random() < 0.1:
            ops.reverse()
        return ops


def _origin(row: LibraryRow, below: dict[str, list[str]]) -> _Origin:
    found: list[str] = []
    for key in _DIAGNOSIS.findall(row.dx_code):
        found += below.get(key, [])[:8] or [key if len(key) > 5 else f"{key:.<4}900"[:7]]
    text = " ".join((row.op_expression, row.main_ops, row.other_ops))
    operations = tuple(dict.fromkeys(_OPERATION.findall(text)))
    mean = row.average_fee or (row.score * 8 if row.score else Decimal(8000))
    return _Origin(tuple(found), operations[:6], mean)


def _fee(mean: Decimal, rng: Random) -> Decimal:
    return (mean * Decimal(str(rng.choice(_FACTORS)))).quantize(Decimal("0.01"))


def _break(row: FlatRow, rng: Random) -> None:
    """One case in fifty is broken, each kind in turn."""
    chance = rng.randrange(350)
    if chance == 0:
        row["dx"] = ""
    elif chance == 1:
        row["dx"] = "T99.999x999"
    elif chance == 2:
        row["medfee_sumamt"] = "0.00"
    elif chance == 3:
        row["adm_time"], row["dscg_time"] = row["dscg_time"], row["adm_time"]
    elif chance == 4:
        row["setl_end_date"] = "2025-02-30"
    elif chance == 5:
        row["medfee_sumamt"] = "约五千"
    elif chance == 6:
        row["ops"] = [*row["ops"], "99.ZZZZ"]
