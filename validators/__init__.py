"""Rules over settlement lists: compiled packs, the check, and the words rules are written in."""

from dipgate.validators.metadata import CONFIDENCE, FAMILIES, RuleInfo, RulePart
from dipgate.validators.packs import Pack, PackError, RowProblem, check, compile_pack
from dipgate.validators.registry import FunctionRule, Hit, Subject, function_rules, rule

__all__ = [
    "CONFIDENCE",
    "FAMILIES",
    "FunctionRule",
    "Hit",
    "Pack",
    "PackError",
    "RowProblem",
    "RuleInfo",
    "RulePart",
    "Subject",
    "check",
    "compile_pack",
    "function_rules",
    "rule",
]
