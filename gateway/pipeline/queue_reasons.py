"""Why a list did not arrive, in a few classes: from the text that was stored with the row.

The text may quote the platform, and the platform may quote a patient; a class never does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dipgate.core.exchange import State
from dipgate.store.vitals import ReasonCount


@dataclass(frozen=True, slots=True)
class QueueReason:
    """One class. `starts` are the beginnings of the stored texts that belong to it."""

    key: str
    words: str
    starts: tuple[str, ...]


REASONS: tuple[QueueReason, ...] = (
    QueueReason("connect", "连不上平台", ("连不上平台", "签到")),
    QueueReason("silent", "没有等到答复", ("平台应答超过",)),
    QueueReason("cut", "连接中断", ("与平台的连接中断",)),
    QueueReason("throttled", "平台限流或没有受理", ("平台没有受理",)),
    QueueReason("http", "平台或网关出错", ("平台答复 HTTP", "网关答复")),
    QueueReason(
        "garbled",
        "答复认不出",
        ("平台应答不是", "平台应答的形状", "平台答复成功，但", "清单查询的答复", "平台的回执"),
    ),
    QueueReason("session", "要重新签到", ("平台要求重新签到",)),
    QueueReason("differs", "平台上的内容不同", ("平台上的清单与本地不同",)),
    QueueReason("absent", "平台上没有这份", ("平台两次查询",)),
    QueueReason("asked", "等着再问", ("平台尚未查到", "平台没有答复查询")),
    QueueReason(
        "waiting",
        "还没有传过",
        ("等待上传", "等待平台答复", "等待向平台核实", "恢复后先向平台核实"),
    ),
)
TOLD = QueueReason("told", "平台的话", ())
"""Everything else: the platform's own words."""
_SILENT = "秒没有应答"


def reason_of(text: str) -> QueueReason:
    """The class of a stored text; the platform's own words when it is none of ours."""
    if text.startswith("平台 ") and _SILENT in text[:40]:
        return _named("silent")
    for reason in REASONS:
        if text.startswith(reason.starts):
            return reason
    return TOLD


def grouped(found: Sequence[ReasonCount]) -> Mapping[str, int]:
    """Class key → rows, over stored texts with their counts; the largest class first."""
    counter: Counter[str] = Counter()
    for item in found:
        counter[reason_of(item.reason).key] += item.rows
    return dict(counter.most_common())


def commonest(found: Sequence[ReasonCount], state: State) -> str:
    """The commonest class of the rows of one state in words; empty when it is not ours to tell."""
    keys = grouped([item for item in found if item.state is state])
    best = next(iter(keys), "")
    return "" if best in ("", TOLD.key, "waiting") else _named(best).words


def words_of(key: str) -> str:
    """The words of a class."""
    return TOLD.words if key == TOLD.key else _named(key).words


def _named(key: str) -> QueueReason:
    return next(reason for reason in REASONS if reason.key == key)
