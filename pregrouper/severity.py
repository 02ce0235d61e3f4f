"""Severity of the illness: the non-malignant and the malignant ladder, and the 1.0 style.

Source: dip-grouping.md section 12. Every ladder is walked from the gravest rung down; the first
that fits is the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dipgate.core.codes import category
from dipgate.core.library import SeverityCode
from dipgate.core.money import yuan_decimal
from dipgate.pregrouper.aux_question import (
    DIMENSIONS,
    Answer,
    AuxQuestion,
    Fits,
    Lacks,
    spellings,
)
from dipgate.pregrouper.conditions import is_malignant

LADDER = ("轻度", "中度", "重度", "死亡")
TUMOUR_LADDER = (
    "其他",
    "器官病损类",
    "功能衰竭类",
    "转移/并发",
    "高费用二",
    "高费用一",
    "死亡",
)
SPLIT_LADDER = ("轻度I-A", "轻度I-B", "中度II", "重度III", "死亡IV-A", "死亡IV-B")
SPLIT_TUMOUR_LADDER = (
    "轻度I-A",
    "轻度I-B",
    "中度II",
    "重度III",
    "转移IV",
    "放疗V-A",
    "化疗V-B",
    "死亡VI-A",
    "死亡VI-B",
)
_SEVERE = frozenset(("重度", "MCC", "severe"))
_MODERATE = frozenset(("中度", "CC", "moderate"))
SOURCES = ("cc_mcc_with_principal_exclusion", "cc_mcc_include_then_exclude")
"""Words of `auxiliary.severity_source`. With both, an entry counts only for the principal diagnoses
of its own `include` and not for those of the exclusion table, which the library must have."""
_HIGH_FEE, _HIGH_SHARE = 3, Decimal("0.5")
_TREATMENT, _DRUGS = ("05",), ("09", "10", "11")
_RADIOTHERAPY, _CHEMOTHERAPY = (("92.2",), ("Z51.0",)), (("99.25",), ("Z51.1",))
"""ICD-9-CM-3 rubric of the operation, and ICD-10 subcategory of a stay made for it."""


@dataclass(frozen=True, slots=True)
class _Hits:
    """Other diagnoses of the severity list that count with this principal diagnosis."""

    severe: str = ""
    moderate: str = ""


@DIMENSIONS.add("severity")
def severity(q: AuxQuestion) -> Answer:
    """死亡 > 重度 > 中度 > 轻度; the 1.0 style where the policy names six labels.

    Malignant cases are left to `tumour` where the policy has that dimension.
    """
    split = _split_style(q)
    if _malignant(q, split):
        if "tumour" in (q.rules.dimensions or ()):
            return None
        if split:
            return _split_tumour(q)
    return _split_severity(q) if split else _severity(q)


@DIMENSIONS.add("tumour")
def tumour(q: AuxQuestion) -> Answer:
    """死亡 > 高费用一 > 高费用二 > 转移/并发 > 功能衰竭类 > 器官病损类 > 其他, of C00–C97."""
    split = _split_style(q) or len(q.rules.tumour_labels or ()) == len(SPLIT_TUMOUR_LADDER)
    if not _malignant(q, split):
        return None
    return _split_tumour(q) if split else _tumour(q)


def _split_style(q: AuxQuestion) -> bool:
    return len(q.rules.severity_labels or ()) == len(SPLIT_LADDER)


def _malignant(q: AuxQuestion, split: bool) -> bool:
    """In the 1.0 style a stay for radiotherapy or chemotherapy is one of the tumour's too."""
    return is_malignant(q.principal) or (split and q.principal.startswith(("Z51.0", "Z51.1")))


def _words(given: tuple[str, ...] | None, standard: tuple[str, ...]) -> tuple[str, ...]:
    return given if given is not None and len(given) == len(standard) else standard


def _severity(q: AuxQuestion) -> Answer:
    light, moderate, severe, death = _words(q.rules.severity_labels, LADDER)
    died = q.died
    if died is None:
        return Lacks("离院方式")
    if died:
        return Fits(death, "离院方式为死亡")
    hits = _hits(q)
    if isinstance(hits, Lacks):
        return hits
    if not hits.severe and not hits.moderate:
        return Fits(light, "其他诊断都不在严重程度目录中")
    long = q.long_enough(">=", 3)
    if long is None:
        return Lacks("住院天数")
    if not long:
        return Fits(light, f"住院 {q.case.stay_days} 天，未到政策规定的天数")
    if hits.severe:
        return Fits(severe, f"其他诊断 {hits.severe} 属重度，住院 {q.case.stay_days} 天")
    return Fits(moderate, f"其他诊断 {hits.moderate} 属中度，住院 {q.case.stay_days} 天")


def _tumour(q: AuxQuestion) -> Answer:
    other, organ, failure, spread, drugs, treatment, death = _words(
        q.rules.tumour_labels, TUMOUR_LADDER
    )
    died = q.died
    if died is None:
        return Lacks("离院方式")
    if died:
        return Fits(death, "离院方式为死亡")
    costly = _high_fee(q, treatment, drugs)
    if costly is not None:
        return costly
    second = _second_tumour(q)
    hits = _hits(q)
    may_matter = second or isinstance(hits, Lacks) or hits.severe or hits.moderate
    if not may_matter:
        return Fits(other, "没有更重的情形")
    long = q.long_enough(">=", 3)
    if long is None:
        return Lacks("住院天数")
    if not long:
        return Fits(other, f"住院 {q.case.stay_days} 天，未到政策规定的天数")
    if second:
        return Fits(spread, f"其他诊断 {second} 是另一类目的恶性肿瘤")
    if isinstance(hits, Lacks):
        return hits
    if hits.severe:
        return Fits(failure, f"其他诊断 {hits.severe} 属功能衰竭、休克、脓毒症")
    return Fits(organ, f"其他诊断 {hits.moderate} 属重要器官病损或感染")


def _high_fee(q: AuxQuestion, treatment: str, drugs: str) -> Answer:
    """Fee of at least 3 × the group's mean, and half of it for treatment, or for drugs."""
    fee, mean = q.case.fee, q.group.row.average_fee
    if fee is None:
        return Lacks("总费用")
    if mean is None or mean <= 0:
        return Lacks("病种平均费用")
    if yuan_decimal(fee) < _HIGH_FEE * mean:
        return None
    for label, word, categories in (
        (treatment, "治疗费", _TREATMENT),
        (drugs, "药品费", _DRUGS),
    ):
        part = q.case.category_fee(*categories)
        if part is None:
            return Lacks("按类别的费用")
        if part >= _HIGH_SHARE * fee:
            return Fits(label, f"费用达到病种平均费用的 3 倍，{word}占一半以上")
    return None


def _second_tumour(q: AuxQuestion) -> str:
    for code in q.others:
        if is_malignant(code) and category(code) != category(q.principal):
            return code
    return ""


def _split_severity(q: AuxQuestion) -> Answer:
    words = _words(q.rules.severity_labels, SPLIT_LADDER)
    return _split(q, words[:4], words[4:])


def _split_tumour(q: AuxQuestion) -> Answer:
    words = _words(q.rules.tumour_labels, SPLIT_TUMOUR_LADDER)
    spread, radio, chemo = words[4:7]
    if not q.died:
        if what := _treated(q, *_RADIOTHERAPY):
            return Fits(radio, f"放疗 {what}")
        if what := _treated(q, *_CHEMOTHERAPY):
            return Fits(chemo, f"化疗 {what}")
        if what := _second_tumour(q):
            return Fits(spread, f"其他诊断 {what} 是另一类目的恶性肿瘤")
    return _split(q, words[:4], words[7:])


def _treated(q: AuxQuestion, ops: tuple[str, ...], stays: tuple[str, ...]) -> str:
    if q.died is None:
        return ""
    codes = [code for code in q.ops if code.startswith(ops)]
    every = (q.principal, *q.others)
    return next(iter([*codes, *(code for code in every if code.startswith(stays))]), "")


def _split(q: AuxQuestion, light: tuple[str, ...], death: tuple[str, ...]) -> Answer:
    """The 1.0 ladder: light and death are split by the stay, MCC and CC are not gated."""
    short, long, moderate, severe = light
    if q.died is None:
        return Lacks("离院方式")
    stayed = q.long_enough(">", 3)
    if q.died:
        if stayed is None:
            return Lacks("住院天数")
        return Fits(death[stayed], f"离院方式为死亡，住院 {q.case.stay_days} 天")
    hits = _hits(q)
    if isinstance(hits, Lacks):
        return hits
    if hits.severe:
        return Fits(severe, f"其他诊断 {hits.severe} 是严重并发症（MCC）")
    if hits.moderate:
        return Fits(moderate, f"其他诊断 {hits.moderate} 是一般并发症（CC）")
    if stayed is None:
        return Lacks("住院天数")
    return Fits(long if stayed else short, f"没有并发症，住院 {q.case.stay_days} 天")


def _hits(q: AuxQuestion) -> _Hits | Lacks:
    codes = q.parts.severity
    if codes is None:
        return Lacks("严重程度目录（severity）")
    source = q.rules.severity_source
    if source is not None and source not in SOURCES:
        return Lacks(f"本版本认识的严重程度口径（auxiliary.severity_source: {source}）")
    found = {"severe": "", "moderate": ""}
    for other in q.others:
        entry = next((codes[code] for code in spellings(other) if code in codes), None)
        if entry is None:
            continue
        if source is not None and q.parts.severity_exclusions is None:
            return Lacks("主要诊断排除表（severity-exclusions；auxiliary.severity_source）")
        counts = _counts(entry, q)
        if isinstance(counts, Lacks):
            return counts
        rung = (
            "severe" if entry.level in _SEVERE else "moderate" if entry.level in _MODERATE else ""
        )
        if counts and rung and not found[rung]:
            found[rung] = other
    return _Hits(**found)


def _counts(entry: SeverityCode, q: AuxQuestion) -> bool | Lacks:
    """Include is tested before exclude (dip-grouping.md 12)."""
    if entry.include and not q.principal.startswith(entry.include):
        return False
    if not entry.exclusion:
        return True
    excluded = (q.parts.severity_exclusions or {}).get(entry.exclusion)
    if excluded is None:
        return Lacks(f"严重程度排除表（severity-exclusions）的 {entry.exclusion}")
    return not any(code in excluded for code in spellings(q.principal))
