"""A month of comparisons as the office reads it: heads, money, reasons, and one list in steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from dipgate.pipeline.desk import Desk
from dipgate.pregrouper.difference_steps import Mark
from dipgate.pregrouper.differences import REASON_TEXT, Reason
from dipgate.store import Connection, cases, reconciliations, results
from dipgate.store.reconciliations import Alone, ReasonSum, Side, StepRow

PAGE = 50
CAUSE = Mark.CAUSE.value


@dataclass(frozen=True, slots=True)
class Guide:
    """What a reason is called, why it comes about, and what to do about it.

    `why` may hold `{ours}` and `{theirs}`: the two values that differ.
    """

    label: str
    why: str
    how: str


GUIDES: Mapping[Reason, Guide] = MappingProxyType(
    {
        Reason.EQUAL: Guide(REASON_TEXT[Reason.EQUAL], "组、分值和应付都一样。", "不用做什么。"),
        Reason.GROUP: Guide(
            REASON_TEXT[Reason.GROUP],
            "我方入 {ours}，平台入 {theirs}。多半是清单上传后改过，或两边的目录、组规则不是一版。",
            "打开病例看分组过程；清单改过就按现在的内容再传，没改过就带着分组过程去申诉。",
        ),
        Reason.TIE: Guide(
            REASON_TEXT[Reason.TIE],
            "这份能入的组不止一个：我方取 {ours}，平台取 {theirs}。",
            "问局端同时符合几组时取哪一组；答复后在政策里写明取法。",
        ),
        Reason.NOT_GROUPED_THERE: Guide(
            REASON_TEXT[Reason.NOT_GROUPED_THERE],
            "我方入 {ours}，平台没有入组，没有应付，按 0 元比较。",
            "看平台的质控结果说了什么；编码没问题就申诉。",
        ),
        Reason.NOT_GROUPED_HERE: Guide(
            REASON_TEXT[Reason.NOT_GROUPED_HERE],
            "平台入 {theirs}，我方没有入组。",
            "看我方目录库是不是缺这一组、版本是不是旧了；导入新版本后再对一次。",
        ),
        Reason.CODESET: Guide(
            REASON_TEXT[Reason.CODESET],
            "我方的编码是 {ours}，平台像是按另一版编码 {theirs} 入的组。",
            "核对局端收的是哪一版编码、对照表是哪一版；对照有误就在编码对照里改，改后再对一次。",
        ),
        Reason.BASE_SCORE: Guide(
            REASON_TEXT[Reason.BASE_SCORE],
            "同一病种组的病种分值，我方 {ours}，平台 {theirs}：两边用的目录库不是一版。",
            "核对局端公布的目录和启用日期；是新版本就导入，不是就带着目录去申诉。",
        ),
        Reason.AUXILIARY: Guide(
            REASON_TEXT[Reason.AUXILIARY],
            "组一样，辅助分型我方是 {ours}，平台是 {theirs}。",
            "看病例里支持分型的诊断、离院方式和住院天数；我方有依据就申诉，没有就核对辅助目录。",
        ),
        Reason.ZONE: Guide(
            REASON_TEXT[Reason.ZONE],
            "费用倍率落在不同的区间，或区间的算法不同：我方 {ours}，平台 {theirs}。",
            "先核对上传之后有没有补记或冲减费用；没有就向局端核对高低倍率的界限和算法。",
        ),
        Reason.COEFFICIENT: Guide(
            REASON_TEXT[Reason.COEFFICIENT],
            "组和病种分值一样，机构系数我方用 {ours}，平台用的是 {theirs}。",
            "向局端要本院的机构系数和起用日期，写进政策后再对一次。",
        ),
        Reason.AVERAGE_FEE: Guide(
            REASON_TEXT[Reason.AVERAGE_FEE],
            "偏差病例按平均费用算分：我方用 {ours} 元，平台用的是 {theirs} 元。",
            "向局端要这一组的平均费用标准，写进政策后再对一次。",
        ),
        Reason.ROUNDING: Guide(
            REASON_TEXT[Reason.ROUNDING],
            "只差进位：我方 {ours}，平台 {theirs}。",
            "不用申诉；想完全一致，就按局端的写法改政策里的进位位数和方式。",
        ),
        Reason.PRICE: Guide(
            REASON_TEXT[Reason.PRICE],
            "分值一样，点值我方用 {ours} 元，平台用的是 {theirs} 元。",
            "核对局端公布的这个月的点值；是新公布的就写进政策，再对一次。",
        ),
        Reason.POOL: Guide(
            REASON_TEXT[Reason.POOL],
            "我方按 {ours} 算，平台按 {theirs} 算。",
            "核对结算时的险种类型；平台记错就带着参保凭证去申诉，我方记错就修订清单再传。",
        ),
        Reason.SHARE: Guide(
            REASON_TEXT[Reason.SHARE],
            "分值和点值一样，基金支付我方是 {ours}，平台是 {theirs}。",
            "向局端核对基金支付比例和付法，写进政策后再对一次。",
        ),
        Reason.AUDIT: Guide(
            REASON_TEXT[Reason.AUDIT],
            "其余都一样，应付我方 {ours} 元，平台 {theirs} 元：少的是审核扣减的钱。",
            "找这份的审核意见；扣得不对就在期限内带着依据申诉。",
        ),
        Reason.SCORE: Guide(
            REASON_TEXT[Reason.SCORE],
            "最终分值我方 {ours}，平台 {theirs}，改任何一个参数都得不出平台的数。",
            "打开病例看计分过程，带着它问局端怎么算的。",
        ),
        Reason.PAYABLE: Guide(
            REASON_TEXT[Reason.PAYABLE],
            "分值一样，应付我方 {ours} 元，平台 {theirs} 元，改任何一个参数都得不出平台的数。",
            "打开病例看应付的算法，带着它问局端怎么算的。",
        ),
        Reason.ANNULLED: Guide(
            REASON_TEXT[Reason.ANNULLED],
            "平台说这份分组结果已经作废。",
            "看这次结算有没有退费或重结；没有就拿清单流水号问局端。",
        ),
        Reason.NOT_CONFIGURED: Guide(
            REASON_TEXT[Reason.NOT_CONFIGURED],
            "我方{ours}，算不出结果；平台是 {theirs}。",
            "在政策里补上缺的参数，再对一次。",
        ),
        Reason.NOT_RETURNED: Guide(
            REASON_TEXT[Reason.NOT_RETURNED],
            "平台收下了这份清单，分组结果里还没有它。",
            "过一天再取一次结果；一直没有，就拿清单流水号问局端。",
        ),
        Reason.UNREAD: Guide(
            REASON_TEXT[Reason.UNREAD],
            "平台的结果里有这份清单，那一行有读不出来的格子。",
            "按提示改正那一行，或请局端重新导出，再对一次。",
        ),
        Reason.NOT_UPLOADED: Guide(
            REASON_TEXT[Reason.NOT_UPLOADED],
            "我方有平台的回执，平台的结果里却写着没有上传。",
            "拿清单流水号和回执问局端；不要自己重传。",
        ),
        Reason.NOT_OURS: Guide(
            REASON_TEXT[Reason.NOT_OURS],
            "平台的结果里有这份清单，我方这个月没有被收下的同一份。",
            "看是不是结算跨月、退费重结，或由别的途径上传的。",
        ),
    }
)
ALONE = (Reason.NOT_RETURNED, Reason.NOT_UPLOADED, Reason.ANNULLED, Reason.NOT_OURS)
"""Lists that stand on one side only."""
_OTHER_ROW = "我方入 {ours}，平台入 {theirs}：换一版目录，入的正是平台的组。"
"""Another edition of the library may lead to another group, not only to another score."""
UNEXPLAINED = (Reason.SCORE, Reason.PAYABLE, Reason.NOT_CONFIGURED)


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One reason. `change_fen` is theirs less ours; None where one side has no figure."""

    key: str
    label: str
    lists: int
    change_fen: int | None


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One list. `what` says what differs; `ours` and `theirs` its two values."""

    case_id: str
    record_no: str
    department: str
    group: str
    what: str
    ours: str
    theirs: str
    our_score: str
    their_score: str
    change_fen: int | None


@dataclass(frozen=True, slots=True)
class MonthView:
    """A month in figures. Money in fen, scores exact; sums over lists that both sides have.

    What has money on one side only is in `our_money_alone` or `their_money_alone`.
    """

    month: str
    made_at: datetime | None
    pulled_at: datetime | None
    compared: int
    equal: int
    different: int
    explained: int
    ours_alone: int
    theirs_alone: int
    not_uploaded: int
    not_sent: int
    """Lists of the month that the platform has not taken."""
    our_score: Decimal
    their_score: Decimal
    our_fen: int
    their_fen: int
    our_money_alone: Alone
    their_money_alone: Alone
    reasons: tuple[ReasonLine, ...]
    alone: tuple[ReasonLine, ...]

    @property
    def change_fen(self) -> int:
        return self.their_fen - self.our_fen

    @property
    def score_change(self) -> Decimal:
        return self.their_score - self.our_score


@dataclass(frozen=True, slots=True)
class CasePage:
    """Lists of one reason, the largest change of money first. `following` is the next offset."""

    reason: str
    label: str
    lists: int
    what: str
    """The step at which all lists of this page part; empty when they differ in that too."""
    lines: tuple[CaseLine, ...]
    offset: int
    following: int | None
    previous: int | None


@dataclass(frozen=True, slots=True)
class Trail:
    """One list on both sides, step by step, with what it means and what to do."""

    line: CaseLine
    reason: str
    label: str
    steps: tuple[StepRow, ...]
    why: str
    """Holds `{ours}` and `{theirs}` where the two values belong."""
    ours: str
    theirs: str
    how: str
    alike: int
    """Other lists of the month with the same reason."""
    causes: tuple[str, ...] = ()
    """What was found by computing again with one parameter changed, the likeliest first."""


def months(desk: Desk) -> tuple[str, ...]:
    """Months with lists or comparisons, the newest first."""
    with desk.store.read() as conn:
        known = {*cases.months(conn), *reconciliations.months(conn)}
    return tuple(sorted((month for month in known if month), reverse=True))


def month_view(desk: Desk, month: str) -> MonthView:
    """The figures of a month; zeros before it was first compared."""
    with desk.store.read() as conn:
        sums = {item.reason: item for item in reconciliations.sums(conn, month)}
        states = cases.counts(conn, month=month)
        made = reconciliations.made_at(conn, month)
        pulled = results.last_received(conn, "3606", month)
    alone = {reason.value for reason in ALONE}
    apart = [
        item
        for item in sums.values()
        if item.reason not in alone and item.reason != Reason.EQUAL.value
    ]

    def heads(*reasons: Reason) -> int:
        return sum(sums[reason.value].lists for reason in reasons if reason.value in sums)

    total, equal = sum(item.lists for item in sums.values()), heads(Reason.EQUAL)
    different = sum(item.lists for item in apart)
    left_out = ("accepted", "retired")
    return MonthView(
        month=month,
        made_at=made,
        pulled_at=pulled,
        compared=total,
        equal=equal,
        different=different,
        explained=different - heads(*UNEXPLAINED),
        ours_alone=heads(Reason.NOT_RETURNED),
        theirs_alone=heads(Reason.NOT_OURS),
        not_uploaded=heads(Reason.NOT_UPLOADED, Reason.ANNULLED),
        not_sent=sum(number for state, number in states.items() if state not in left_out),
        our_score=sum((item.our_score for item in sums.values()), Decimal(0)),
        their_score=sum((item.their_score for item in sums.values()), Decimal(0)),
        our_fen=sum(item.ours_fen for item in sums.values()),
        their_fen=sum(item.theirs_fen for item in sums.values()),
        our_money_alone=_together(item.ours_alone for item in sums.values()),
        their_money_alone=_together(item.theirs_alone for item in sums.values()),
        reasons=_sorted_lines(apart),
        alone=tuple(
            ReasonLine(reason.value, GUIDES[reason].label, sums[reason.value].lists, None)
            for reason in ALONE
            if reason.value in sums
        ),
    )


def case_page(desk: Desk, month: str, reason: str, *, offset: int = 0) -> CasePage | None:
    """Lists of one reason; None for a word that is no reason."""
    known = _reason(reason)
    if known is None:
        return None
    offset = max(0, offset)
    with desk.store.read() as conn:
        found = reconciliations.sides(conn, month, reason, offset=offset, limit=PAGE + 1)
        number = reconciliations.counts(conn, month).get(reason, 0)
    lines = tuple(_case_line(side) for side in found[:PAGE])
    steps = {line.what for line in lines}
    return CasePage(
        reason=reason,
        label=GUIDES[known].label,
        lists=number,
        what=steps.pop() if len(steps) == 1 else "",
        lines=lines,
        offset=offset,
        following=offset + PAGE if len(found) > PAGE else None,
        previous=max(0, offset - PAGE) if offset else None,
    )


def trail(desk: Desk, month: str, case_id: str) -> Trail | None:
    """One list step by step; None when it was not compared in this month."""
    with desk.store.read() as conn:
        side = reconciliations.side_of(conn, month, case_id)
        return None if side is None else _trail(conn, month, side)


def newest_trail(desk: Desk, case_id: str) -> Trail | None:
    """Where a case parted from the platform when it was last compared; None if it did not."""
    with desk.store.read() as conn:
        found = reconciliations.newest_side(conn, case_id)
        if found is None or found[1].line.reason == Reason.EQUAL.value:
            return None
        return _trail(conn, *found)


def differences(desk: Desk, month: str) -> tuple[tuple[str, CaseLine], ...]:
    """Every list that is not equal, with its reason in words: for an export."""
    found = []
    with desk.store.read() as conn:
        for item in reconciliations.sums(conn, month):
            known = _reason(item.reason)
            if known is None or known is Reason.EQUAL:
                continue
            for side in reconciliations.sides(conn, month, item.reason, limit=item.lists):
                found.append((GUIDES[known].label, _case_line(side)))
    return tuple(found)


def newest_compared(conn: Connection) -> str:
    """The newest month that was compared; empty before the first."""
    known = reconciliations.months(conn)
    return known[-1] if known else ""


def newest_not_alike(conn: Connection) -> int:
    """How many lists of the newest compared month are not equal: for the navigation."""
    month = newest_compared(conn)
    found = reconciliations.counts(conn, month) if month else {}
    return sum(number for reason, number in found.items() if reason != Reason.EQUAL.value)


def guide_of(word: str) -> Guide | None:
    """What a reason means; None for a word that is no reason."""
    reason = _reason(word)
    return GUIDES[reason] if reason else None


def _trail(conn: Connection, month: str, side: Side) -> Trail:
    reason = _reason(side.line.reason) or Reason.SCORE
    guide = GUIDES[reason]
    other_row = reason is Reason.BASE_SCORE and side.line.field == "group_code"
    number = reconciliations.counts(conn, month).get(side.line.reason, 1)
    return Trail(
        line=_case_line(side),
        reason=side.line.reason,
        label=guide.label,
        steps=tuple(step for step in side.line.steps if step.mark != CAUSE),
        causes=tuple(step.label for step in side.line.steps if step.mark == CAUSE),
        why=_OTHER_ROW if other_row else guide.why,
        ours=side.line.ours or "—",
        theirs=side.line.theirs or "—",
        how=guide.how,
        alike=number - 1,
    )


def _together(parts: Iterable[Alone]) -> Alone:
    whole = Alone()
    for part in parts:
        whole = whole.plus(part.lists, part.fen)
    return whole


def _sorted_lines(found: Sequence[ReasonSum]) -> tuple[ReasonLine, ...]:
    """The reason with the largest change of money first."""
    lines = []
    for item in found:
        reason = _reason(item.reason)
        label = GUIDES[reason].label if reason else item.reason
        lines.append(ReasonLine(item.reason, label, item.lists, item.theirs_fen - item.ours_fen))
    return tuple(sorted(lines, key=lambda line: (-abs(line.change_fen or 0), -line.lists)))


def _case_line(side: Side) -> CaseLine:
    line = side.line
    change = (
        line.settled_fen - line.expected_fen
        if line.settled_fen is not None and line.expected_fen is not None
        else None
    )
    step = next((item for item in line.steps if item.mark == "diff"), None)
    return CaseLine(
        case_id=side.case_id,
        record_no=side.record_no or ("" if side.case_id else line.settlement_id),
        department=side.department,
        group=line.our_group or line.their_group,
        what=step.label if step else "",
        ours=step.ours if step else "",
        theirs=step.theirs if step else "",
        our_score=line.our_score,
        their_score=line.their_score,
        change_fen=change,
    )


def _reason(word: str) -> Reason | None:
    return next((reason for reason in Reason if reason.value == word), None)
