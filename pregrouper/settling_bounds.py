"""What a policy sets as a bound for a period and what changes no amount: it is shown and warned of.

Source: dip-settlement.md 3.1 (ceiling of special reviews, region only) and 5.2 (share of clearing).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dipgate.core.money import Fen, yuan_decimal
from dipgate.core.policy_checks import share_range
from dipgate.pregrouper.settling_ask import SettleAsk, plain

FORBIDDEN = "forbidden"
_REVIEW = "scoring.special_review"
_TARGET = "settlement.year_end.clearing_share_target"
_PERCENT = 100


def key_of_year(table: Mapping[str, str | None], year: str) -> str | None:
    """The key that holds for a year: itself, else the latest `2027+` (that year and later)."""
    if year in table:
        return year
    open_keys = [key for key in table if key.endswith("+") and year >= key.removesuffix("+")]
    return max(open_keys, default=None)


def clearing_share(ask: SettleAsk, payable: Fen | None, cleared: Fen | None) -> None:
    """Compares the pool's clearing with the share of the year's fund that it should move at most.

    A target of the region says nothing of one hospital, so a hospital's line is not compared.
    """
    table = ask.policy.settlement.year_end.clearing_share_target or {}
    key = key_of_year(table, ask.given.year)
    if key is None or cleared is None or payable is None or ask.given.hospital:
        return
    path = f"{_TARGET}.{key}"
    target = share_range(table[key] or "")
    if target is None:
        ask.lack(path)
        return
    name = next((item for item in ("year_fund", "fund") if ask.given.has(item)), "")
    fund = ask.take(name) if name else yuan_decimal(payable)
    if not fund:
        return
    share = abs(yuan_decimal(cleared)) / fund
    shown = f"{plain(share * _PERCENT)}%"
    of = "年度基金" if name else "年终应付"
    most = f"{plain(target[1] * _PERCENT)}%"
    ask.step("clearing_share", f"清算占{of}的 {shown}，目标不超过 {most}", path, share)
    if share > target[1]:
        text = f"W_CLEARING_SHARE 清算占{of}的 {shown}，超过目标 {most}（{path}）；不影响金额"
        ask.warnings.append(text)


def review_quota(ask: SettleAsk) -> None:
    """The region's ceiling of special reviews, where the line states the region's discharges."""
    discharges = ask.take("region_discharges", "统筹区 DIP 出院病例数")
    reviews = ask.take("region_special_reviews", "统筹区特例单议病例数")
    if discharges is None:
        if reviews is not None:
            ask.lack("input.region_discharges")
        return
    rules = ask.policy.scoring.special_review
    path = f"{_REVIEW}.cap_of_region_discharges"
    param = rules.cap_of_region_discharges
    if rules.exists is False or (param is not None and param.absent):
        ask.step("special_review", "政策没有特例单议的名额", path if param else f"{_REVIEW}.exists")
        return
    cap = ask.number(param, path, why="特例单议占出院病例的上限")
    if ask.given.hospital:
        _split(ask)
    if cap is None:
        return
    quota = Decimal(int(discharges * cap))
    text = f"统筹区特例单议名额 = {plain(discharges)} × {plain(cap)}，取整 {plain(quota)} 例"
    ask.step("special_review", text, path, quota)
    if reviews is not None and reviews > quota:
        ask.warnings.append(
            f"W_SPECIAL_REVIEW 统筹区特例单议 {plain(reviews)} 例，超过名额 {plain(quota)} 例"
            f"（{path}）；不影响金额"
        )


def _split(ask: SettleAsk) -> None:
    """Whether the ceiling may be split among hospitals; a hospital's line asks."""
    word, path = ask.policy.scoring.special_review.per_hospital_cap, f"{_REVIEW}.per_hospital_cap"
    if word == FORBIDDEN:
        ask.step("special_review", "特例单议名额属整个统筹区，不得分到医院", path, word)
    elif word != "n/a":
        ask.lack(path)
