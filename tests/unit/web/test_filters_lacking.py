"""Parameters that are missing, in a coder's words."""

from __future__ import annotations

import pytest

from dipgate.web.filters import lacking


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("缺 settlement.fund_share", "缺 政策 · 基金支付（settlement.fund_share）"),
        ("缺 scoring.rounding、case.fee", "缺 政策 · 舍入（scoring.rounding）、病例（case.fee）"),
        ("1.04", "1.04"),
        ("", ""),
        ("—", "—"),
    ],
)
def test_paths_become_words(text: str, said: str) -> None:
    assert lacking(text) == said
