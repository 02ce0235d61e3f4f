"""Defects of money: sums that are off by a few fen."""

from __future__ import annotations

from dataclasses import replace

from dipgate.core.money import yuan_text
from dipgate.demo.defects import KINDS, Outcome, Workshop, row_changed, settled
from dipgate.demo.people import Dice
from dipgate.demo.stays import Stay

OFF = 1
"""Fen by which a sum is off: one is enough."""


def _moved(text: str, fen: int) -> str:
    return yuan_text(int(text.replace(".", "")) + fen)


@KINDS.add("收费合计与总费用不等", "F001", mechanical=False)
def total_is_off(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    total = _moved(stay.settlement["medfee_sumamt"], OFF)
    return settled(stay, medfee_sumamt=total), "setlinfo.medfee_sumamt"


@KINDS.add("类别金额与甲乙丙不等", "F002", mechanical=False)
def category_classes_are_off(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    for at, item in enumerate(stay.items):
        if item["claa_sumfee"] != "0.00":
            moved = _moved(item["claa_sumfee"], OFF)
            items = row_changed(stay.items, at, {"claa_sumfee": moved})
            return replace(stay, items=items), f"iteminfo[{at}].amt"
    return None


@KINDS.add("基金加个人与总费用不等", "F003", mechanical=False)
def payments_are_off(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    changed = settled(
        stay,
        psn_selfpay=_moved(stay.settlement["psn_selfpay"], OFF),
        psn_cashpay=_moved(stay.settlement["psn_cashpay"], OFF),
    )
    return changed, "setlinfo.psn_selfpay"


@KINDS.add("个人负担与账户现金不等", "F004", mechanical=False)
def burden_is_off(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    cash = _moved(stay.settlement["psn_cashpay"], OFF)
    return settled(stay, psn_cashpay=cash), "setlinfo.psn_cashpay"


@KINDS.add("明细与类别合计不符", "F008", mechanical=False)
def lines_are_off(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    """A few fen stand in another category; every total still agrees."""
    places = [at for at, item in enumerate(stay.items) if item["claa_sumfee"] > "0.10"]
    if len(places) < 2:
        return None
    items = stay.items
    for at, fen in ((places[0], OFF), (places[1], -OFF)):
        item = items[at]
        values = {name: _moved(item[name], fen) for name in ("amt", "claa_sumfee")}
        items = row_changed(items, at, values)
    return replace(stay, items=items), f"iteminfo[{places[0]}].amt"
