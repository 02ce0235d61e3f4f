"""The strip at the foot: what the list is worth, before → after; and how the group came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, ScoreResult, ScoreStatus, Step
from dipgate.core.grouping_words import GROUP_WORDS, SCORE_WORDS, ZONE_WORDS
from dipgate.core.lists import text_of
from dipgate.core.worklist import Grade
from dipgate.pipeline.preview import Worth
from dipgate.store import cases
from dipgate.web.case_problems import Problems
from dipgate.web.case_sheet import Sheet
from dipgate.web.filters import MINUS, change, yuan
from dipgate.web.trace_words import (
    GROUP_STEPS,
    SCORE_STEPS,
    missing_words,
    ref_words,
)

UNKNOWN = "—"
_NAMED = 11
"""Rows named beside a step: ten and the word of how many there are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of the strip. `was` is empty when nothing would change."""

    label: str
    now: str
    was: str = ""
    change: str = ""
    title: str = ""
    code: bool = False


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of the group trace in words; who lost, and which row or parameter decided."""

    word: str
    text: str
    ref: str
    """What it stands on, in words."""
    source: str
    """The same as the policy or library file writes it."""
    dropped: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the comparison: what the list says, what it comes to."""

    word: str
    principal: str
    figures: tuple[str, ...]
    current: bool


def strip(before: Worth, after: Worth | None = None) -> tuple[Figure, ...]:
    """The figures of the strip; with `after`, each that would change says from what."""
    now = after or before
    return (
        _figure(
            "病种组", _group(before.group), _group(now.group), title=_full(now.group), code=True
        ),
        _figure(
            "分值",
            _score(before),
            _score(now),
            delta=_difference(before.score.score, now.score.score),
        ),
        _figure(
            "预计支付",
            _money(before.pay),
            _money(now.pay),
            delta=_fen_change(before.pay, now.pay),
            title="基金预计支付",
        ),
        _figure("费用", _money(before.fee), _money(now.fee), title="医疗费总额"),
        _figure(
            "差额（支付 − 记账）",
            _signed(before.gap),
            _signed(now.gap),
            title="预计支付减去已记账的基金支付；按总费用的口径看分组过程",
        ),
        _ratio_figure(before, now),
    )


def comparison(before: Worth, after: Worth) -> tuple[Variant, ...]:
    """Saved and not saved, side by side."""
    return (
        Variant("已存", before.principal, _row(before), False),
        Variant("没存", after.principal, _row(after), True),
    )


def trace(sheet: Sheet) -> tuple[TraceStep, ...]:
    """How group, score and money came about, step by step."""
    return (
        *(_step(step, GROUP_STEPS) for step in sheet.group.trace),
        *(_step(step, SCORE_STEPS) for step in sheet.score.trace),
    )


def warnings(sheet: Sheet) -> tuple[str, ...]:
    """What the result does not cover, in words; the code in front is for logs."""
    said = (*sheet.group.warnings, *sheet.score.warnings)
    texts = [_warning(text) for text in said]
    if sheet.score.not_configured:
        texts.append(f"缺参数：{missing_words(sheet.score.not_configured)}")
    return tuple(dict.fromkeys(texts))


def _warning(text: str) -> str:
    code, _, sentence = text.partition(" ")
    return sentence or _WARNING.get(code, code)


_WARNING: Mapping[str, str] = {
    "W_NO_POLICY": "这一天没有生效的付费政策",
    "W_NO_LIBRARY": "没有导入政策指定的分组目录库",
}


def not_chosen(sheet: Sheet) -> tuple[tuple[str, str, str], ...]:
    """Groups that were possible and were not taken: code, name, why."""
    return tuple(
        (item.group_code, item.group_name, item.why) for item in sheet.group.alternatives[:12]
    )


@dataclass(frozen=True, slots=True)
class Readiness:
    """May the list go, and what stands in its way."""

    can_release: bool
    can_take_back: bool
    word: str


def readiness(sheet: Sheet, problems: Problems) -> Readiness:
    """What the release button says; the reason stands under it, never in a dialog."""
    state = sheet.case.state
    if state in ("held", "checked"):
        lacks = []
        if problems.counts[Grade.STOP]:
            lacks.append(f"改 {problems.counts[Grade.STOP]} 处")
        if problems.counts[Grade.WAIT]:
            lacks.append(f"等财务 {problems.counts[Grade.WAIT]} 处")
        if sheet.open_questions:
            lacks.append(f"等答复 {len(sheet.open_questions)} 个")
        if not sheet.stored:
            lacks.append("重新校验")
        if lacks:
            return Readiness(False, state == "held", f"放行前：{'，'.join(lacks)}")
        return Readiness(
            True, state == "held", "扣留中，可以放行" if state == "held" else "可以放行"
        )
    word = cases.STATES[state]
    if state == "ready":
        return Readiness(False, True, "已放行，还没进上传队列")
    if state == "rejected":
        return Readiness(False, False, "平台拒绝，改后再放行")
    if state == "accepted":
        return Readiness(False, False, "平台已接收，改动后要再放行")
    return Readiness(False, False, word)


def group_words(group: GroupResult) -> str:
    """The group's code, or why there is none."""
    return _group(group)


def score_words(score: ScoreResult) -> str:
    """The score, or why there is none."""
    if score.score is not None:
        return _decimal(score.score)
    return UNKNOWN if score.status is ScoreStatus.SCORED else SCORE_WORDS[score.status]


def money_words(fen: int | None) -> str:
    """Money, or the sign for what is not known."""
    return _money(fen)


def policy_words(sheet: Sheet) -> str:
    """The policy of the group by its area and first day; by its id where it holds no longer."""
    label = sheet.group.policy
    place = text_of(sheet.list.setlinfo.get("insuplc")).strip()
    try:
        held = sheet.desk.policy(sheet.day, place)
    except ConfigError:
        held = None
    if held is None or held.label != label:
        return label.partition("@")[0]
    header = held.policy
    since = f"，{header.effective_from} 起" if header.effective_from else ""
    return f"{header.region.name or header.id}付费政策{since}"


def _step(step: Step, names: Mapping[str, str]) -> TraceStep:
    word, dropped = names.get(step.step, step.step), "；".join(step.dropped[:_NAMED])
    return TraceStep(word, step.text, ref_words(step), step.ref, dropped)


def _row(worth: Worth) -> tuple[str, ...]:
    return (
        _group(worth.group),
        _score(worth),
        _money(worth.pay),
        _money(worth.fee),
        _signed(worth.gap),
        f"{_ratio(worth)} {ZONE_WORDS[worth.score.zone]}".strip(),
    )


def _figure(
    label: str, was: str, now: str, *, delta: str = "", title: str = "", code: bool = False
) -> Figure:
    if was == now:
        return Figure(label, now, title=title, code=code)
    return Figure(label, now, was, delta, title, code)


def _group(group: GroupResult) -> str:
    return group.group_code or GROUP_WORDS[group.status]


def _full(group: GroupResult) -> str:
    return f"{GROUP_WORDS[group.status]} {group.group_name}".strip()


def _score(worth: Worth) -> str:
    return score_words(worth.score)


def _decimal(number: Decimal) -> str:
    return f"{number:,f}".replace("-", MINUS)


def _difference(was: Decimal | None, now: Decimal | None) -> str:
    if was is None or now is None or was == now:
        return ""
    return ("+" if now > was else "") + _decimal(now - was)


def _fen_change(was: int | None, now: int | None) -> str:
    return "" if was is None or now is None or was == now else change(now - was)


def _money(fen: int | None) -> str:
    return UNKNOWN if fen is None else yuan(fen)


def _signed(fen: int | None) -> str:
    return UNKNOWN if fen is None else change(fen)


def _ratio(worth: Worth) -> str:
    return UNKNOWN if worth.score.ratio is None else f"{worth.score.ratio:.2f}"


def _ratio_figure(before: Worth, now: Worth) -> Figure:
    was, ratio = _ratio(before), _ratio(now)
    zone = ZONE_WORDS[now.score.zone]
    title = "费用 ÷ 病种平均费用"
    return Figure("费用倍率", ratio, was if was != ratio else "", zone, title)
