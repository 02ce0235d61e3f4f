"""What a row of the national 3.0 scheme asks for beside its codes, read once into a closed form.

The scheme writes its conditions as text (天龄<29天；出生体重0-999克 …). They are parsed when a
library is compiled, never while a case is grouped; a text that is not known is refused.
Source: dip-grouping.md section 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dipgate.core.codes import category, diagnosis_code, in_range, strip_marks, subcategory, tidy

EVERY_DIAGNOSIS = "所有诊断"
RESISTANT_DX = "U84.300"
"""耐抗结核药物, as another diagnosis."""
_SEPARATORS = re.compile(r"[|,，、;；]+")
_CLAUSES = re.compile(r"[;；\n]+")
_DX = re.compile(r"^[A-Z]\d{2}(\.[0-9x]{1,14})?([+*].*)?$")
_AGE = re.compile(r"^(?:天龄|日龄|年龄)(<|<=|≤|小于)(\d+)天$")
_WEIGHT = re.compile(r"^出生体重(\d+)[-~至—–](\d+)(?:克|g)$", re.IGNORECASE)
_WEIGHT_BELOW = re.compile(r"^出生体重(<|<=|≤|小于)(\d+)(?:克|g)$", re.IGNORECASE)
_RESISTANT = re.compile(r"^耐药[=:]?(是|否)(?:[:(].*)?$")
_AREA = re.compile(r"面积|[≥≤<>]\d+%")
_CLOSED = frozenset(("<=", "≤"))


@dataclass(frozen=True, slots=True)
class DxTest:
    """Diagnoses that a cell names: codes, categories and ranges (`T20.2|T20.6`, `C00-C75`)."""

    keys: frozenset[str]
    spans: tuple[str, ...]

    def meets(self, code: str) -> bool:
        """Full code, 亚目 (with its mark, then without), 类目, or inside a range."""
        bare = strip_marks(code)
        found = self.keys
        if code in found or bare in found:
            return True
        sub = subcategory(bare)
        if sub in found or category(bare) in found:
            return True
        if "+" in code and f"{sub}+" in found:
            return True
        return any(in_range(bare, span) for span in self.spans)

    def any_of(self, codes: Iterable[str]) -> bool:
        return any(self.meets(code) for code in codes)


@dataclass(frozen=True, slots=True)
class Condition:
    """The closed form. None and False: the row does not ask for it. `label` names the split."""

    any_dx: bool = False
    """The diagnosis may stand at any position."""
    any_op: bool = False
    """The operations may stand at any position."""
    max_age_days: int | None = None
    """Oldest age in completed days, inclusive."""
    weight: tuple[int, int] | None = None
    """Birth weight in whole grams, closed at both ends."""
    resistant: bool | None = None
    by_principal: bool = False
    """Resistance may also be read from the principal diagnosis (the scheme's list of codes)."""
    secondary: DxTest | None = None
    """One of the other diagnoses must be of these."""
    label: str = ""


NO_CONDITION = Condition()


def dx_test(text: str) -> DxTest:
    """A cell of diagnoses. Raises ValueError for what is neither a code nor a range."""
    keys: set[str] = set()
    spans: list[str] = []
    for part in _SEPARATORS.split(tidy(text)):
        code = diagnosis_code(part)
        if not code:
            continue
        low, dash, high = code.partition("-")
        if not _DX.match(low) or (dash and not _DX.match(high)):
            raise ValueError(f"{part!r} 不是诊断编码或范围")
        if not dash:
            keys.add(code)
        elif category(high) < category(low):
            raise ValueError(f"范围 {part!r} 前后颠倒")
        else:
            spans.append(code)
    return DxTest(frozenset(keys), tuple(spans))


def condition_of(text: str, secondary: str) -> Condition:
    """Condition text and the cell of other diagnoses. Raises ValueError for unknown words."""
    wanted = dx_test(secondary) if secondary.strip() else None
    found: dict[str, object] = {"secondary": wanted}
    labels: list[str] = []
    for clause in _CLAUSES.split(tidy(text)):
        plain = clause.replace(" ", "")
        if plain and plain != "保守治疗":
            _read(plain, found, labels)
    if not labels and wanted is not None:
        labels.append(tidy(secondary))
    return Condition(**found, label="；".join(labels))  # type: ignore[arg-type]


def _read(clause: str, found: dict[str, object], labels: list[str]) -> None:
    if age := _AGE.match(clause):
        found["max_age_days"] = int(age[2]) - (age[1] not in _CLOSED)
    elif weight := _WEIGHT.match(clause):
        found["weight"] = (int(weight[1]), int(weight[2]))
        labels.append(clause)
    elif weight := _WEIGHT_BELOW.match(clause):
        found["weight"] = (0, int(weight[2]) - (weight[1] not in _CLOSED))
        labels.append(clause)
    elif resistant := _RESISTANT.match(clause):
        found["resistant"] = resistant[1] == "是"
        found["by_principal"] = "附表" in clause or "拓展码" in clause or "主要诊断" in clause
        labels.append(f"耐药={resistant[1]}")
    elif clause.startswith("手术操作中"):
        found["any_op"] = True
    elif clause.startswith("诊断中包含"):
        found["any_dx"] = True
    elif clause.startswith("其他诊断"):
        labels.append(clause.partition(":")[2] or clause)
    elif _AREA.search(clause) or "度烧伤" in clause:
        labels.append(clause)
    else:
        raise ValueError(f"不认识的条件 {clause!r}")
