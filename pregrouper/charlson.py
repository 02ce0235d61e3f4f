"""Charlson comorbidity index over the other diagnoses (dip-grouping.md section 12)."""

from __future__ import annotations

from dipgate.core.codes import category
from dipgate.pregrouper.aux_question import (
    DIMENSIONS,
    Answer,
    AuxQuestion,
    Fits,
    Lacks,
    spellings,
)

BANDS = ((5, "极严重"), (3, "严重"), (1, "一般"), (0, "无"))


@DIMENSIONS.add("cci")
def comorbidity(q: AuxQuestion) -> Answer:
    """无 0, 一般 1–2, 严重 3–4, 极严重 5 and more; the best weight of a category counts once."""
    weights = q.parts.cci
    if weights is None:
        return Lacks("合并症指数目录（cci）")
    best: dict[str, int] = {}
    for other in q.others:
        code = next((code for code in spellings(other) if code in weights), None)
        if code is not None:
            key = category(code)
            best[key] = max(best.get(key, 0), weights[code])
    total = sum(best.values())
    label = next(word for least, word in BANDS if total >= least)
    parts = "、".join(f"{key} {weight}" for key, weight in best.items())
    return Fits(label, f"合并症指数 {total}{f'（{parts}）' if parts else ''}")
