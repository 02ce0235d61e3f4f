"""The check of past months: how far they are read, and whether somebody has to go on."""

from __future__ import annotations

from collections.abc import Iterator

from dipgate.core.durations import duration_words, when_words
from dipgate.pipeline.health_facts import Check, Facts, Grade
from dipgate.pipeline.history_card import SILENT, HistoryFact

KEY, TITLE = "history", "历史月份"
AGAIN = "运行 dipgate intake --history，它从断的地方接着做"


def history(facts: Facts) -> Iterator[Check]:
    """Past months stand apart from live lists and are counted apart."""
    found = facts.history
    if found is None:
        return
    if found.problem:
        yield Check(KEY, TITLE, Grade.LOOK, f"读不了：{found.problem}", AGAIN)
        return
    said = _numbers(found)
    card = found.card
    if card is None or card.ended == "failed" or (not card.ended and _silent(facts, found)):
        yield Check(KEY, TITLE, Grade.LOOK, f"上次没有做完；{said}", AGAIN)
    elif not card.ended:
        left = "" if card.seconds_left is None else f"，还要约 {duration_words(card.seconds_left)}"
        yield Check(KEY, TITLE, Grade.OK, f"正在读入 {card.month or card.source}{left}；{said}")
    else:
        yield Check(KEY, TITLE, Grade.OK, f"{said}；{when_words(card.at, facts.now)}")


def _silent(facts: Facts, found: HistoryFact) -> bool:
    return found.card is not None and facts.age(found.card.at) > SILENT


def _numbers(found: HistoryFact) -> str:
    parts = [f"已判定 {found.judged:,} 份"]
    parts += [f"待处理 {found.waiting:,} 份"] if found.waiting else []
    parts += [f"搁置 {found.aside:,} 份"] if found.aside else []
    return "，".join([*parts, "不在队列，不上传"])
