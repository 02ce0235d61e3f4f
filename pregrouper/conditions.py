"""The closed vocabulary of conditions that a policy may write, read once into a tree.

`tcm_share > 0.6`, `age_years >= 66 and severity in (重度, 死亡)`, `dx in (C50*, C00-C75)`,
`not died`. Numbers are compared, words are looked up, nothing is ever evaluated as a program.
Three answers: it holds, it does not, or it cannot be decided (and by what that is missing).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType

from dipgate.core.case import Case
from dipgate.core.codes import in_range, strip_marks
from dipgate.core.errors import ConfigError
from dipgate.core.money import Fen
from dipgate.core.policy import AddOn, CaseRule, Policy
from dipgate.core.policy_parts import LabelRow

MAX_CHARACTERS = 4000
MAX_DEPTH = 30
DIED, TRANSFERRED, DAY_SURGERY = "5", ("2", "3"), "2"
_DRUGS = ("09", "10", "11")
_TREATMENT, _MATERIALS = "05", "08"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition may ask about. None: not known, so the answer may be undecided."""

    case: Case
    ops: tuple[str, ...] = ()
    """Operations as the grouper uses them, the first is principal."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Label by dimension (severity, tumour, cci, age, icu, local)."""
    group_code: str | None = None
    group_type: str | None = None
    fee_ratio: Decimal | None = None
    pool: str | None = None
    level: str | None = None
    tcm_items: tuple[str, ...] = ()
    """Beginnings of the codes of charge items that count as TCM technique."""
    given: Mapping[str, Decimal] = field(default_factory=dict)
    """Numbers that the caller knows better than the case."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`holds` None: undecided for want of `missing`."""

    holds: bool | None
    missing: tuple[str, ...] = ()


Number = Callable[[Facts], Decimal | None]
Words = Callable[[Facts], tuple[str, ...] | None]
Flag = Callable[[Facts], bool | None]


SEXES = ("1", "2")
"""Male and female; 0 (unknown), 9 (not said) and what is no code at all decide nothing."""


def _whole(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _age(value: int | None) -> Decimal | None:
    """Born after the admission is no age."""
    return None if value is None or value < 0 else Decimal(value)


def _share(part: Fen | None, case: Case) -> Decimal | None:
    return None if part is None or not case.fee else Decimal(part) / Decimal(case.fee)


def icu_days(case: Case) -> int | None:
    """Whole days (24 h) in intensive care, all stays together; None where a time is missing."""
    seconds = 0.0
    for stay in case.icu:
        if stay.entered is None or stay.left is None or stay.left < stay.entered:
            return None
        seconds += (stay.left - stay.entered).total_seconds()
    return int(seconds // 86400)


def is_malignant(dx: str) -> bool:
    """C00–C97 as principal diagnosis."""
    return in_range(dx, "C00-C97")


def _one(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,) if value else ()


def _principal(facts: Facts) -> tuple[str, ...]:
    return (facts.case.principal.code,) if facts.case.principal else ()


def _others(facts: Facts) -> tuple[str, ...]:
    return tuple(item.code for item in facts.case.others)


def _label(dimension: str) -> Words:
    return lambda facts: _one(facts.labels.get(dimension, ""))


NUMBERS: Mapping[str, Number] = MappingProxyType(
    {
        "age_days": lambda facts: _age(facts.case.age_days),
        "age_years": lambda facts: _age(facts.case.age_years),
        "stay_days": lambda facts: _whole(facts.case.stay_days),
        "icu_days": lambda facts: _whole(icu_days(facts.case)),
        "vent_hours": lambda facts: _whole(facts.case.vent_hours),
        "birth_weight": lambda facts: _whole(facts.case.birth_weight_g),
        "fee": lambda facts: None if facts.case.fee is None else Decimal(facts.case.fee).scaleb(-2),
        "fee_ratio": lambda facts: facts.fee_ratio,
        "treatment_share": lambda facts: _share(facts.case.category_fee(_TREATMENT), facts.case),
        "drug_share": lambda facts: _share(facts.case.category_fee(*_DRUGS), facts.case),
        "material_share": lambda facts: _share(facts.case.category_fee(_MATERIALS), facts.case),
        "tcm_share": lambda facts: (
            _share(facts.case.item_fee(facts.tcm_items), facts.case) if facts.tcm_items else None
        ),
    }
)
WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "dx": _principal,
        "other_dx": _others,
        "any_dx": lambda facts: (*_principal(facts), *_others(facts)),
        "op": lambda facts: facts.ops,
        "main_op": lambda facts: facts.ops[:1],
        "discharge_way": lambda facts: _one(facts.case.discharge_way or None),
        "insured_place": lambda facts: _one(facts.case.insured_place or None),
        "sex": lambda facts: _one(facts.case.sex if facts.case.sex in SEXES else None),
        "group": lambda facts: _one(facts.group_code),
        "group_type": lambda facts: _one(facts.group_type),
        "pool": lambda facts: _one(facts.pool),
        "level": lambda facts: _one(facts.level),
        **{name: _label(name) for name in ("severity", "tumour", "cci", "age", "icu", "local")},
    }
)
_DIAGNOSES = frozenset(("dx", "other_dx", "any_dx"))
FLAGS: Mapping[str, Flag] = MappingProxyType(
    {
        "died": lambda facts: (
            facts.case.discharge_way == DIED if facts.case.discharge_way else None
        ),
        "transferred": lambda facts: (
            facts.case.discharge_way in TRANSFERRED if facts.case.discharge_way else None
        ),
        "day_surgery": lambda facts: facts.case.stay_type == DAY_SURGERY,
        "malignant": lambda facts: (
            is_malignant(facts.case.principal.code) if facts.case.principal else None
        ),
        "local_list": lambda facts: None,  # noqa: ARG005
    }
)
"""`local_list`: the area keeps a list that is not part of the policy; never decided here."""
_COMPARE: Mapping[str, Callable[[Decimal, Decimal], bool]] = MappingProxyType(
    {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "=": eq, "!=": ne}
)


@dataclass(frozen=True, slots=True)
class Compare:
    name: str
    op: str
    number: Decimal


@dataclass(frozen=True, slots=True)
class Member:
    """One of the words of `name` is among `items`: exact, `C50*`, or for diagnoses `C00-C75`."""

    name: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    name: str


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts (`every`), or any of them."""

    parts: tuple[Condition, ...]
    every: bool


Condition = Compare | Member | Told | Not | Both
VOCABULARY = (*NUMBERS, *WORDS, *FLAGS)
FACT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "age_days": "天龄",
        "age_years": "年龄",
        "stay_days": "住院天数",
        "icu_days": "重症监护天数",
        "vent_hours": "呼吸机小时数",
        "birth_weight": "出生体重",
        "fee": "总费用",
        "fee_ratio": "费用倍率",
        "treatment_share": "治疗费占比",
        "drug_share": "药费占比",
        "material_share": "材料费占比",
        "tcm_share": "中医治疗占比",
        "dx": "主要诊断",
        "other_dx": "其他诊断",
        "any_dx": "任一诊断",
        "op": "手术操作",
        "main_op": "主要手术",
        "discharge_way": "离院方式",
        "insured_place": "参保地",
        "sex": "性别",
        "group": "病种",
        "group_type": "病种类型",
        "pool": "险种",
        "level": "医院等级",
        "severity": "疾病严重程度",
        "tumour": "肿瘤严重程度",
        "cci": "合并症指数",
        "age": "年龄段",
        "icu": "重症监护",
        "local": "本地标签",
        "died": "死亡",
        "transferred": "转院",
        "day_surgery": "日间手术",
        "malignant": "恶性肿瘤",
        "local_list": "本地目录",
    }
)
"""What each word of the vocabulary is called in a sentence for people."""
_WORDS: Mapping[str, str] = MappingProxyType(
    {"and": "且", "or": "或", "not": "不是", "in": "属于", "not in": "不属于", **FACT_WORDS}
)
_NAME = re.compile(r"(?<![\w.@*-])(?:not in|[a-z]+(?:_[a-z]+)*)(?![\w.@*:-])")


def read_condition(text: str, path: str) -> Condition:
    """Text → tree. ConfigError names the policy path, the word and the nearest right one."""
    found = _read(text)
    if isinstance(found, str):
        raise ConfigError(f"参数 {path}：条件 {text!r} {found}", path=path)
    return found


def conditions_of(policy: Policy) -> Iterator[tuple[str, str]]:
    """Every condition that a policy writes, with its path."""
    scoring = policy.scoring
    tables: tuple[tuple[str, tuple[LabelRow | AddOn | CaseRule, ...]], ...] = (
        ("auxiliary.expressions", policy.auxiliary.expressions),
        ("auxiliary.secondary_dx", policy.auxiliary.secondary_dx or ()),
        ("scoring.add_ons", scoring.add_ons),
        ("scoring.case_rules", scoring.case_rules),
    )
    for path, rows in tables:
        for number, row in enumerate(rows):
            if row.when is not None:
                yield f"{path}[{number}].when", row.when


@lru_cache(maxsize=4096)
def condition_words(text: str) -> str:
    """`tcm_share > 0.6 and not died` → `中医治疗占比 > 0.6 且 不是 死亡`; values stay."""
    return _NAME.sub(lambda found: _WORDS.get(found[0], found[0]), text)


def fact_words(names: Iterable[str]) -> str:
    """`icu_days`, `died` → `重症监护天数、死亡`."""
    return "、".join(FACT_WORDS[name] for name in names)


def decide(condition: Condition, facts: Facts) -> Decision:
    """Whether the condition holds for a case. `and` with a part that fails is decided."""
    match condition:
        case Compare(name, op, number):
            value = facts.given.get(name)
            value = NUMBERS[name](facts) if value is None else value
            return _told(None if value is None else _COMPARE[op](value, number), name)
        case Member(name, items):
            words = WORDS[name](facts)
            if words is None:
                return Decision(None, (name,))
            ranged = name in _DIAGNOSES
            return Decision(any(_fits(word, item, ranged) for word in words for item in items))
        case Told(name):
            return _told(FLAGS[name](facts), name)
        case Not(part):
            found = decide(part, facts)
            return found if found.holds is None else Decision(not found.holds)
        case Both(parts, every):
            return _joined([decide(part, facts) for part in parts], every)


def _told(holds: bool | None, name: str) -> Decision:
    return Decision(holds, () if holds is not None else (name,))


def _joined(found: list[Decision], every: bool) -> Decision:
    if any(item.holds is (not every) for item in found):
        return Decision(not every)
    missing = tuple(dict.fromkeys(name for item in found for name in item.missing))
    return Decision(None, missing) if missing else Decision(every)


def _fits(word: str, item: str, ranged: bool) -> bool:
    if item.endswith("*") and len(item) > 1:
        return word.startswith(item[:-1])
    if word == item or (ranged and strip_marks(word) == item):
        return True
    return ranged and "-" in item and in_range(word, item)


_TOKEN = re.compile(
    r"\s*(?:(?P<sign><=|>=|==|!=|<|>|=|\(|\)|,)|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"
    r"|(?P<word>[^\s<>=!(),\"']+))"
)
_FOLDED = str.maketrans("（），、；", "(),,,")


@lru_cache(maxsize=4096)
def _read(text: str) -> Condition | str:
    """The tree, or the rest of a Chinese sentence that says what is wrong."""
    if len(text) > MAX_CHARACTERS:
        return f"超过 {MAX_CHARACTERS} 个字符"
    try:
        return _Reader(text).whole()
    except _WrongError as wrong:
        return str(wrong)


class _WrongError(Exception):
    pass


class _Reader:
    """Recursive descent over `or`, `and`, `not`, brackets, and one comparison."""

    def __init__(self, text: str) -> None:
        self.tokens = self._tokens(text.translate(_FOLDED))
        self.at = 0

    @staticmethod
    def _tokens(text: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _WrongError(f"第 {at + 1} 个字符 {text[at]!r} 看不懂")
            kind = "sign" if match["sign"] else "word" if match["word"] is not None else "text"
            found.append((kind, match[match.lastgroup or 0]))
            at = match.end()
        return found

    def whole(self) -> Condition:
        if not self.tokens:
            raise _WrongError("是空的")
        found = self._any(0)
        if self.at < len(self.tokens):
            raise _WrongError(f"在 {self.tokens[self.at][1]!r} 处多出内容")
        return found

    def _any(self, depth: int) -> Condition:
        return self._chain("or", lambda: self._every(depth), every=False)

    def _every(self, depth: int) -> Condition:
        return self._chain("and", lambda: self._single(depth), every=True)

    def _chain(self, word: str, part: Callable[[], Condition], *, every: bool) -> Condition:
        parts = [part()]
        while self._took(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), every)

    def _single(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise _WrongError(f"括号超过 {MAX_DEPTH} 层")
        if self._took("not"):
            return Not(self._single(depth + 1))
        if self._took("("):
            found = self._any(depth + 1)
            self._must(")")
            return found
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._next("条件的名称")
        if name in NUMBERS:
            op = self._next("比较符")
            if op not in _COMPARE:
                raise _WrongError(f"{name} 后面应为 <、<=、>、>=、== 或 !=，不是 {op!r}")
            return Compare(name, op, self._number(name))
        if name in WORDS:
            return self._member(name)
        if name in FLAGS:
            return Told(name)
        near = get_close_matches(name, VOCABULARY, n=1, cutoff=0.5)
        hint = f"，是不是想写 {near[0]!r}？" if near else "。"
        raise _WrongError(f"含有不认识的词 {name!r}{hint}可用的有：{'、'.join(VOCABULARY)}")

    def _member(self, name: str) -> Condition:
        if self._took("==") or self._took("="):
            return Member(name, (self._next("值"),))
        if self._took("!="):
            return Not(Member(name, (self._next("值"),)))
        inside = not self._took("not")
        self._must("in")
        self._must("(")
        items = [self._next("值")]
        while self._took(","):
            items.append(self._next("值"))
        self._must(")")
        found = Member(name, tuple(items))
        return found if inside else Not(found)

    def _number(self, name: str) -> Decimal:
        text = self._next("数字")
        if not re.fullmatch(r"-?\d+(\.\d+)?%?", text):
            raise _WrongError(f"{name} 应与数字比较，不是 {text!r}")
        number = Decimal(text.rstrip("%"))
        return number.scaleb(-2) if text.endswith("%") else number

    def _took(self, word: str) -> bool:
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind != "text" and text.lower() == word:
                self.at += 1
                return True
        return False

    def _must(self, word: str) -> None:
        if not self._took(word):
            here = self.tokens[self.at][1] if self.at < len(self.tokens) else "结尾"
            raise _WrongError(f"在 {here!r} 处应为 {word!r}")

    def _next(self, what: str) -> str:
        if self.at >= len(self.tokens):
            raise _WrongError(f"到结尾还缺少{what}")
        kind, text = self.tokens[self.at]
        if kind == "sign" and text in "(),":
            raise _WrongError(f"在 {text!r} 处应为{what}")
        self.at += 1
        return text
