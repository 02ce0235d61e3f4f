"""Where a list stands for the people who work it: grade, first problem, sentence, who acts next.

Two grades and a waiting state: *stop* cannot be sent until someone here acts, *look* should be
looked at, *wait* waits for someone else; *clean* can be released, *done* is on its way or there,
*gone* was cancelled by its source and counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dipgate.core.exchange import State
from dipgate.core.lists import FieldPath

BILL_RULE = "B039"
"""The bill's numbers are missing: nobody at the desk can supply them, the cashier's office does."""
CODER = "编码员"
CASHIER = "财务"
IT = "信息科"
OFFICE = "医保办"
PLATFORM = "平台"
PROGRAM = "系统"
TAKE_DOWN = "登录医保平台的结算清单页，按结算编号找到它，撤回提交并删除；不能撤回的请经办机构退回。"
"""There is no transaction for it: 4102 may not touch a list that was submitted."""
_LONGEST = 300
RECORDS = "病案室"
MISSING = {"bill": "等结算", "front_page": "等病案首页", "charges": "等费用明细"}
"""What a stay may wait for → what the queue calls it."""
ASKED = {"bill": CASHIER, "front_page": RECORDS, "charges": IT}
"""Who has it."""
_ROWS = {
    "diseinfo": "诊断",
    "oprninfo": "手术",
    "icuinfo": "重症监护",
    "bldinfo": "输血",
    "iteminfo": "收费",
    "payinfo": "基金支付",
    "opspdiseinfo": "门慢门特诊断",
    "charges": "费用明细",
    "history": "既往住院",
}


class Grade(StrEnum):
    """`word` is what a user reads; the order is that of the tabs."""

    STOP = "stop"
    LOOK = "look"
    WAIT = "wait"
    CLEAN = "clean"
    DONE = "done"
    GONE = "gone"

    @property
    def word(self) -> str:
        return _WORDS[self]


_WORDS = {
    Grade.STOP: "不能传",
    Grade.LOOK: "请看",
    Grade.WAIT: "等人",
    Grade.CLEAN: "可放行",
    Grade.DONE: "已放行",
    Grade.GONE: "已撤销",
}
TO_DO = (Grade.STOP, Grade.LOOK, Grade.WAIT)
"""The grades somebody still has to do something about."""


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What is stored about one list, as far as its standing depends on it.

    `rule` … `clause` are of its gravest finding, `own_errors` counts errors that the desk itself
    can clear, `answer` is the platform's last word, `asked_of` and `question` of the oldest open
    question. `sent` is the state of the newest revision that the platform has, may have or is to
    get, None when there is none; `cleared`: a person saw to it that the platform has no list.
    """

    state: str
    judged: bool
    """The present content has a verdict."""
    errors: int = 0
    own_errors: int = 0
    warnings: int = 0
    rule: str = ""
    field: str = ""
    message: str = ""
    remedy: str = ""
    clause: str = ""
    hold_reason: str = ""
    outbox: State | None = None
    answer: str = ""
    asked_of: str = ""
    question: str = ""
    revision: int = 0
    sent: State | None = None
    sent_revision: int = 0
    cleared: bool = False

    @property
    def changed_since_sent(self) -> bool:
        """The list is another one now than the one that left."""
        return self.sent is not None and self.sent_revision < self.revision


@dataclass(frozen=True, slots=True)
class Standing:
    """`problem` is one short line; `sentence` goes on after it: where, why, how."""

    grade: Grade
    problem: str = ""
    sentence: str = ""
    waits_for: str = ""
    rule: str = ""


def standing(facts: ListFacts) -> Standing:
    """The one place that decides the grade of a list."""
    if facts.state == "retired":
        return _retired(facts)
    if facts.state in ("ready", "accepted"):
        word = "平台已接收" if facts.state == "accepted" else "已放行，等待进入上传队列"
        return Standing(Grade.DONE, word)
    if facts.state == "queued":
        return _queued(facts)
    if facts.question:
        return Standing(
            Grade.WAIT,
            f"已问{facts.asked_of}：{_cut(facts.question)}",
            "答复后回到队列。" + (_about(facts) if facts.message else ""),
            facts.asked_of,
            facts.rule,
        )
    if facts.state == "rejected":
        return Standing(
            Grade.STOP,
            f"平台拒收：{_cut(facts.answer) or '没有说明原因'}",
            "按平台的说明改正，重新校验后再放行。",
            CODER,
            facts.rule,
        )
    if facts.state == "set_aside":
        return Standing(Grade.STOP, "已搁置", _stop(facts.hold_reason), CODER, facts.rule)
    if not facts.judged:
        return Standing(Grade.WAIT, "还没有校验", "下一次校验后显示结果。", PROGRAM)
    return _judged(facts)


def waiting_standing(kind: str, source: str, days: int, *, overdue: bool) -> Standing:
    """A stay that is no whole list yet, `days` after the discharge: grey, amber when overdue."""
    part, who = MISSING[kind].removeprefix("等"), ASKED[kind]
    if not overdue:
        sentence = f"出院 {days} 天，来源 {source} 还没有给{part}；到了会自动重读。"
        return Standing(Grade.WAIT, MISSING[kind], sentence, who)
    return Standing(
        Grade.LOOK,
        MISSING[kind],
        f"出院 {days} 天，来源 {source} 还没有给{part}。请问{who}：没有做，还是没有导出。",
        who,
    )


def place_words(path: str) -> str:
    """The row a finding points at: `oprninfo[1].oprn_oprt_code` → `手术第 2 行`; else empty."""
    try:
        place = FieldPath.parse(path)
    except ValueError:
        return ""
    if place.index is None or place.node not in _ROWS:
        return ""
    return f"{_ROWS[place.node]}第 {place.index + 1} 行"


def _queued(facts: ListFacts) -> Standing:
    if facts.outbox is State.UNKNOWN:
        return Standing(Grade.WAIT, "上传结果不明", "正在向平台核实，核实前不会重传。", PLATFORM)
    if facts.outbox in (State.HELD, State.CONFLICT):
        what = "平台上的清单与本院不同" if facts.outbox is State.CONFLICT else "多次上传没有成功"
        return Standing(
            Grade.STOP,
            f"{what}，等待人工处理",
            _stop(_cut(facts.answer)) + "由信息科在上传队列里裁定。",
            IT,
        )
    return Standing(Grade.DONE, "排队上传")


def _judged(facts: ListFacts) -> Standing:
    if facts.errors and not facts.own_errors:
        return Standing(Grade.WAIT, facts.message, _about(facts), CASHIER, facts.rule)
    if facts.errors:
        more = _held(facts) if facts.state == "held" else ""
        more += f"{_changed(facts)}。" if facts.changed_since_sent else ""
        return Standing(Grade.STOP, facts.message, _about(facts) + more, CODER, facts.rule)
    if facts.state == "held":
        return Standing(
            Grade.STOP,
            f"扣留：{_cut(facts.hold_reason)}",
            "没有错误，处理后可以放行。",
            CODER,
            facts.rule,
        )
    if facts.changed_since_sent:
        about = _about(facts) if facts.message else ""
        return Standing(Grade.LOOK, _changed(facts), _behind(facts) + about, CODER, facts.rule)
    if facts.warnings:
        return Standing(Grade.LOOK, facts.message, _about(facts), CODER, facts.rule)
    return Standing(Grade.CLEAN)


def _changed(facts: ListFacts) -> str:
    number = facts.sent_revision
    if facts.sent is State.ACCEPTED:
        return f"平台收下第 {number} 版以后，清单变了"
    if facts.sent in (State.HELD, State.CONFLICT):
        return f"第 {number} 版在上传队列里等人裁定，清单后来变了"
    return f"第 {number} 版正在上传，清单后来变了"


def _behind(facts: ListFacts) -> str:
    """What becomes of the new revision."""
    if facts.sent is State.ACCEPTED:
        return "病例页列出前后差别。放行就作为更正上传；不该改的，请来源改回。"
    if facts.sent in (State.HELD, State.CONFLICT):
        return "先由信息科在上传队列里裁定；新版放行后排在它后面。"
    return "平台答复以前不会传第二份；新版放行后排在它后面。"


def _retired(facts: ListFacts) -> Standing:
    """Cancelled by its source: what is still to be done depends on what may have left."""
    why = _cut(facts.hold_reason) or "来源里已没有这个结算"
    if facts.sent is None or facts.cleared:
        sentence = "人已核实：平台上没有它。" if facts.cleared else "平台上没有它，不用再做什么。"
        return Standing(Grade.GONE, f"已撤销：{why}", f"{sentence}不上传，不计金额。")
    if facts.sent is State.ACCEPTED:
        return Standing(
            Grade.STOP,
            "结算已撤销，平台上还有这份清单",
            f"{_stop(why)}{TAKE_DOWN}做完在病例页记下“平台上已没有”。",
            OFFICE,
        )
    if facts.sent in (State.HELD, State.CONFLICT):
        return Standing(
            Grade.STOP,
            "结算已撤销，平台上有没有它要由人核实",
            f"{_stop(why)}在平台上按结算编号查：没有，在病例页记下；有，{TAKE_DOWN}",
            OFFICE,
        )
    return Standing(
        Grade.WAIT,
        "结算已撤销，等平台答复上一次上传",
        f"{_stop(why)}不会再传。平台没有收下就此了结；收下了，要由人在平台上撤下。",
        PLATFORM,
    )


def _held(facts: ListFacts) -> str:
    """That it is held, and why where the finding does not say so already."""
    same = facts.message and facts.message in facts.hold_reason
    return "已扣留。" if same else f"已扣留：{_stop(_cut(facts.hold_reason))}"


def _about(facts: ListFacts) -> str:
    """Where, how, and the rule with its basis: what follows the message itself."""
    basis = f"，依据 {facts.clause}" if facts.clause else ""
    return f"{_stop(place_words(facts.field))}{_stop(facts.remedy)}（规则 {facts.rule}{basis}）"


def _stop(text: str) -> str:
    """With a full stop; empty stays empty."""
    text = text.strip()
    return text if not text or text.endswith(("。", "！", "？")) else f"{text}。"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
