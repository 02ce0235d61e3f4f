"""The check of readings: a source that brought far fewer rows than usual waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from dipgate.core.durations import when_words
from dipgate.pipeline.health_facts import Check, Facts, Grade


def readings(facts: Facts) -> Iterator[Check]:
    """Nothing is held because it is far smaller than usual."""
    for item in facts.held_readings:
        yield Check(
            f"reading.{item.source}.{item.table}",
            "读取扣住",
            Grade.STOP,
            f"来源 {item.source} 的 {item.table} 只读到 {item.rows:,} 行，"
            f"平常约 {item.usual:,} 行，从 {when_words(item.held_at, facts.now)} 扣住，没有映射",
            "先看导出是否完整；系统管理员在本页上方收下或作废，下一次读取正常会自己解开",
        )
