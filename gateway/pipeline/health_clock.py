"""The checks of clocks: ours does not go back, and does not leave the platform's or a server's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from dipgate.core.clock import CHINA
from dipgate.core.durations import duration_words, when_words
from dipgate.pipeline.health_facts import Check, Facts, Grade
from dipgate.store.clock_notes import OWN, PLATFORM, ClockNote, source_clock

BACK = 5.0
"""Seconds behind the last record from which a clock has gone back."""
LOOK, STOP = 120.0, 300.0
"""Seconds between two clocks: somebody looks; signatures are refused."""
OLD = timedelta(days=1)
_REMEDY = "让系统自动对时（chrony、ntpd 或 Windows 时间服务），再重新启动；两边都要对"
_BREAKS = "签到和签名会因时间被平台拒绝，截止日和等待时间会算错"
_WRITTEN = "新记录的时间会排在旧的前面，等待中的重试和租约会晚到"


def clock(facts: Facts) -> Iterator[Check]:
    """Our clock, against what was written last and against the platform's."""
    behind = _behind(facts)
    if behind > BACK:
        last = facts.now + timedelta(seconds=behind)
        said = f"本机 {_time(facts.now)}，最后一条记录 {_time(last)}：慢 {duration_words(behind)}"
        grade = Grade.LOOK if _noted_long_ago(facts) else Grade.STOP
        yield Check("clock", "时钟", grade, f"{said}，像是拨回去了；{_WRITTEN}", _REMEDY)
        return
    note = _platform(facts)
    if note is None:
        yield Check("clock", "时钟", Grade.OK, "还没有平台的时间可比")
    else:
        yield _compared("clock", "时钟", "平台", note, facts, _BREAKS)


def server_clocks(facts: Facts) -> Iterator[Check]:
    """The clocks of database servers, where they are not ours."""
    known = {note.name: note for note in facts.clocks}
    for source in facts.sources:
        note = known.get(source_clock(source.name))
        if note is not None and abs(note.ahead) >= LOOK:
            title = f"来源 {source.name} 的时钟"
            breaks = "按时间的水位和结算日会对不上"
            yield _compared(f"clock.{source.name}", title, "数据库", note, facts, breaks)


def _compared(
    key: str, title: str, other: str, note: ClockNote, facts: Facts, breaks: str
) -> Check:
    apart = abs(note.ahead)
    when = ""
    if facts.age(note.ours) > OLD:
        when = f"（{when_words(note.ours, facts.now)} 比的）"
    if apart < LOOK:
        return Check(key, title, Grade.OK, f"与{other}差 {apart:.1f} 秒{when}")
    side = "慢" if note.ahead > 0 else "快"
    said = f"本机 {_time(note.ours)}，{other} {_time(note.theirs)}：{side} {duration_words(apart)}"
    grade = Grade.STOP if apart >= STOP else Grade.LOOK
    return Check(key, title, grade, f"{said}{when}；{breaks}", _REMEDY)


def _behind(facts: Facts) -> float:
    """Seconds that we are behind the newest record, also when that was before this start."""
    known = [note.theirs for note in facts.clocks if note.name == OWN]
    known += [facts.last_recorded] if facts.last_recorded else []
    return max(((at - facts.now).total_seconds() for at in known), default=0.0)


def _noted_long_ago(facts: Facts) -> bool:
    """A clock that ran ahead and was mended is behind its own records for as long as it ran."""
    return any(note.name == OWN and facts.age(note.ours) > OLD for note in facts.clocks)


def _platform(facts: Facts) -> ClockNote | None:
    """The newest comparison: by the time in an answer, else by the header of any answer."""
    header = next((note for note in facts.clocks if note.name == PLATFORM), None)
    at = facts.link.last_answered_at
    if facts.clock_skew is None or at is None:
        return header
    ours = at + timedelta(milliseconds=facts.link.last_millis)
    if header is not None and header.ours > ours + timedelta(seconds=BACK):
        return header
    return ClockNote(PLATFORM, ours, ours + timedelta(seconds=facts.clock_skew))


def _time(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
