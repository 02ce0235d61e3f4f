"""Every answer of grouping and scoring has its word, and no two answers share one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from dipgate.core.grouping import GroupStatus, Layer, ScoreStatus, Zone
from dipgate.core.grouping_words import GROUP_WORDS, LAYER_WORDS, SCORE_WORDS, ZONE_WORDS


@pytest.mark.parametrize(
    ("words", "of"),
    [
        (GROUP_WORDS, GroupStatus),
        (SCORE_WORDS, ScoreStatus),
        (ZONE_WORDS, Zone),
        (LAYER_WORDS, Layer),
    ],
)
def test_every_answer_has_a_word_of_its_own(
    words: Mapping[StrEnum, str], of: type[StrEnum]
) -> None:
    assert {item for item in words if item} == {item for item in of if item}
    assert len(set(words.values())) == len(words)
    assert not any(word.isascii() for item, word in words.items() if item)
