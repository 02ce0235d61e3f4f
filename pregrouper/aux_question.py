"""What a dimension of the auxiliary directory is asked, and its three kinds of answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from dipgate.core.case import Case
from dipgate.core.codes import strip_marks
from dipgate.core.library import LibraryParts
from dipgate.core.policy_parts import Auxiliary
from dipgate.pregrouper.conditions import DIED
from dipgate.pregrouper.deviation import compare
from dipgate.pregrouper.library import Group
from dipgate.pregrouper.registry import Registry


@dataclass(frozen=True, slots=True)
class Fits:
    """One label, and in one clause what made it fit."""

    label: str
    why: str
    lacks: tuple[str, ...] = ()
    """Paths of a policy that would say which label it is; then `label` is `UNDECIDED`."""


@dataclass(frozen=True, slots=True)
class Lacks:
    """The dimension is switched off for want of something, in words."""

    what: str


DIMENSION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "severity": "疾病严重程度",
        "tumour": "肿瘤严重程度",
        "cci": "合并症指数",
        "age": "年龄",
        "icu": "重症监护",
        "local": "本地标签",
        "secondary_dx": "次要诊断",
    }
)


LOCAL, SECONDARY = "local", "secondary_dx"
"""Dimensions whose labels are the policy's own rows."""
UNDECIDED = "未定"


def dimension_words(name: str) -> str:
    """The dimension for a sentence; a name that nobody knows stays."""
    return DIMENSION_WORDS.get(name, name)


Answer = Fits | Lacks | None
"""None: the dimension has no label for this case, and that is certain."""


@dataclass(frozen=True, slots=True)
class AuxQuestion:
    case: Case
    ops: tuple[str, ...]
    group: Group
    parts: LibraryParts
    rules: Auxiliary

    @property
    def principal(self) -> str:
        return self.case.principal.code if self.case.principal else ""

    @property
    def others(self) -> tuple[str, ...]:
        """Codes of the other diagnoses, so ordered that their place in the list has no say."""
        return tuple(sorted({item.code for item in self.case.others}))

    @property
    def died(self) -> bool | None:
        return self.case.discharge_way == DIED if self.case.discharge_way else None

    def long_enough(self, op: str, days: int) -> bool | None:
        """Whether the stay passes the policy's gate, or the given one where it has none."""
        if self.rules.los_gate is not None:
            op, days = self.rules.los_gate.op, self.rules.los_gate.days
        stay = self.case.stay_days
        return None if stay is None else compare(op, Decimal(stay), Decimal(days))


Dimension = Callable[[AuxQuestion], Answer]
DIMENSIONS: Registry[Dimension] = Registry("辅助分型维度")


def spellings(code: str) -> tuple[str, ...]:
    """The code as written, then without dagger and asterisk."""
    bare = strip_marks(code)
    return (code,) if bare == code else (code, bare)
