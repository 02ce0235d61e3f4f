"""DIP groups and scores: pure functions of case, policy and tables.

The rest of the program imports from here and from the modules of `PUBLIC_MODULES`; how groups are
found (keys, matching, selectors, layers) is nobody else's business.
"""

from __future__ import annotations

from dipgate.pregrouper.engine import group, group_with
from dipgate.pregrouper.grouper import DipGrouper, dip_grouper
from dipgate.pregrouper.library import Library, compile_library
from dipgate.pregrouper.paying import pay_for_score
from dipgate.pregrouper.scoring import score

PUBLIC_MODULES = (
    "alternatives",
    "attribution",
    "batch",
    "change",
    "difference_steps",
    "differences",
    "evidence",
    "fast",
    "fast_columns",
    "forecast",
    "indicators",
    "policy_needs",
    "review",
    "scoring_given",
    "settling",
    "words",
    "worked",
)
"""Modules with an interface of their own, beside the names below."""

__all__ = [
    "PUBLIC_MODULES",
    "DipGrouper",
    "Library",
    "compile_library",
    "dip_grouper",
    "group",
    "group_with",
    "pay_for_score",
    "score",
]
