"""What is known about a rule besides how it is evaluated: the one source of its page and list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dipgate.core.findings import Severity

FAMILIES: Mapping[str, str] = {
    "B": "基本信息",
    "H": "住院过程",
    "L": "跨字段逻辑",
    "D": "诊断编码",
    "C": "合并与互斥编码",
    "P": "手术操作编码",
    "O": "收费提示漏编",
    "F": "费用",
    "M": "异常监测",
    "G": "分组就绪",
    "U": "上传与版本",
}
"""First letter of a rule id → family."""


CONFIDENCE: Mapping[str, str] = {"high": "高", "medium": "中", "low": "低", "": "未注明"}
"""How sure it is that a rule's condition is the right one → the word for people."""


@dataclass(frozen=True, slots=True)
class RulePart:
    """One row of a rule as its author wrote it."""

    for_each: str
    when: str
    must: str
    fields: tuple[str, ...]
    fix: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One rule of a pack. `parts` is empty for a rule that is a function."""

    id: str
    pack: str
    severity: Severity
    title: str
    why: str
    """More than the title says; a function's docstring after its first line."""
    fields: tuple[str, ...]
    clause: str
    message: str
    remedy: str
    since: date
    needs: tuple[str, ...]
    """Nodes and look-ups without which the rule is *not checked*; those of its helpers too."""
    suppressed_by: tuple[str, ...]
    parts: tuple[RulePart, ...] = ()
    confidence: str = ""
    """How sure it is that the condition is right: `high`, `medium`, `low`; empty: unsaid."""
    looks_at_today: bool = False
    """Its answer on the same list can change from one day to the next."""

    @property
    def family(self) -> str:
        return FAMILIES.get(self.id[:1], "其他")
