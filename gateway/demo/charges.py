"""Fees of an invented stay: charge lines, their sums per category, and who pays.

Everything is whole fen, and every sum is the sum of its parts by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dipgate.core.money import yuan_text
from dipgate.demo.people import Dice

CLASS_A, CLASS_B, OWN = "01", "02", "03"
"""chrgitm_lv: 甲类, 乙类, 丙类 (自费)."""
_CLASS_FIELD = {CLASS_A: "claa_sumfee", CLASS_B: "clab_amt", OWN: "fulamt_ownpay_amt"}
CLASS_FIELDS = ("claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")

_MEDICAL = {
    "01": 6,
    "02": 2,
    "03": 15,
    "04": 18,
    "05": 12,
    "07": 5,
    "08": 4,
    "09": 30,
    "11": 5,
    "14": 3,
}
_SURGICAL = {
    "01": 4, "02": 1, "03": 9, "04": 9, "05": 8, "06": 16, "07": 4, "08": 30, "09": 16, "14": 3,
}  # fmt: skip
_ITEMS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "01": (("普通病房床位费", "110900001", CLASS_A),),
    "02": (("住院诊察费", "110200005", CLASS_A),),
    "03": (
        ("彩色多普勒超声检查", "220301001", CLASS_A),
        ("X线计算机体层平扫", "210300001", CLASS_B),
        ("常规心电图检查", "310701001", CLASS_A),
    ),
    "04": (
        ("血细胞分析", "250101015", CLASS_A),
        ("肝功能组合检测", "250305000", CLASS_A),
        ("电解质测定", "250304000", CLASS_A),
        ("C反应蛋白测定", "250403025", CLASS_B),
    ),
    "05": (
        ("静脉输液", "120400006", CLASS_A),
        ("雾化吸入", "120700001", CLASS_A),
        ("换药", "120600003", CLASS_A),
        ("低流量吸氧", "120300001", CLASS_B),
    ),
    "06": (("手术费", "330000000", CLASS_A),),
    "07": (("二级护理", "120100004", CLASS_A),),
    "08": (
        ("一次性使用无菌敷料", "C0101", CLASS_A),
        ("一次性使用输液器", "C0102", CLASS_B),
        ("专用医用材料", "C0103", CLASS_B),
        ("特殊专用材料", "C0104", OWN),
    ),
    "09": (
        ("0.9%氯化钠注射液", "XB05", CLASS_A),
        ("甲类治疗药品", "XJ01", CLASS_A),
        ("乙类治疗药品", "XC09", CLASS_B),
        ("目录外治疗药品", "XN06", OWN),
    ),
    "11": (("中成药口服制剂", "ZA01", CLASS_B),),
    "14": (("病历复印和陪检服务", "E0001", OWN),),
}  # fmt: skip
_DAILY = ("01", "02", "07")
"""Categories charged once a day."""
_FUNDS = {"310": ("310100", "330100"), "390": ("390100", "390200")}
"""Insurance type → (pooled fund, fund for very high fees)."""
_HIGH_FEE = 6_000_000
"""Fen of covered fees above which the second fund pays."""


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill: lines, category rows, payments. Amounts as wire text where the wire has them."""

    lines: tuple[Mapping[str, str], ...]
    items: tuple[Mapping[str, str], ...]
    funds: tuple[tuple[str, int], ...]
    total: int
    self_paid: int
    own_paid: int
    account: int
    cash: int


def bill(
    dice: Dice,
    *,
    target: int,
    admitted: date,
    days: int,
    surgical: bool,
    operation: str,
    insurance: str,
) -> Bill:
    """A bill of about `target` fen over the days of a stay; its total is the sum of its lines."""
    lines = _lines(dice, max(target, 30_000), admitted, days, surgical, operation)
    items = sums_of(lines)
    total = sum(_fen(line["amount"]) for line in lines)
    own = sum(_fen(item["fulamt_ownpay_amt"]) for item in items)
    covered = total - own
    deductible = min(dice.one((40_000, 60_000, 80_000)), covered // 2)
    share = 82 if insurance == "310" else 66
    pooled, second = _FUNDS[insurance]
    base = covered - deductible
    high = max(0, base - _HIGH_FEE)
    funds = [(pooled, (base - high) * share // 100)]
    if high:
        funds.append((second, high * 60 // 100))
    if insurance == "390" and dice.chance(0.04):
        funds.append(("610100", (base - sum(fen for _, fen in funds)) // 2))
    funds = [(fund, fen) for fund, fen in funds if fen > 0]
    self_paid = covered - sum(fen for _, fen in funds)
    burden = self_paid + own
    account = min(burden, dice.between(0, 250_000)) if insurance == "310" else 0
    return Bill(lines, items, tuple(funds), total, self_paid, own, account, burden - account)


def sums_of(lines: Sequence[Mapping[str, str]]) -> tuple[Mapping[str, str], ...]:
    """Category rows from charge lines, in category order."""
    sums: dict[str, dict[str, int]] = {}
    for line in lines:
        held = sums.setdefault(line["category"], dict.fromkeys(CLASS_FIELDS, 0))
        held[_CLASS_FIELD[line["level"]]] += _fen(line["amount"])
    return tuple(
        {
            "med_chrgitm": category,
            "amt": yuan_text(sum(sums[category].values())),
            **{name: yuan_text(fen) for name, fen in sums[category].items()},
        }
        for category in sorted(sums)
    )


def _lines(
    dice: Dice, target: int, admitted: date, days: int, surgical: bool, operation: str
) -> tuple[Mapping[str, str], ...]:
    shares = _SURGICAL if surgical else _MEDICAL
    whole = sum(shares.values())
    lines: list[Mapping[str, str]] = []
    for category, share in shares.items():
        part = int(target * share / whole * (0.8 + 0.4 * dice.part()))
        items = _ITEMS[category]
        chosen = list(items) if len(items) < 3 else dice.some(items, dice.between(2, len(items)))
        for name, code, level in chosen:
            if category == "06" and operation:
                name = operation
            amount = max(part // len(chosen), 100)
            quantity = days if category in _DAILY else dice.one((1, 1, 2, 3, 5))
            price = max(amount // quantity, 1)
            day = admitted + timedelta(days=dice.between(0, max(days - 1, 0)))
            lines.append(
                {
                    "date": day.isoformat(),
                    "name": name,
                    "code": code,
                    "category": category,
                    "quantity": str(quantity),
                    "price": yuan_text(price),
                    "amount": yuan_text(price * quantity),
                    "level": level,
                }
            )
    return tuple(sorted(lines, key=lambda line: line["date"]))


def _fen(text: str) -> int:
    return int(text.replace(".", ""))
