"""What the steps of a trace are called on a screen, and what they stand on, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from dipgate.core.grouping import Step, Zone
from dipgate.core.grouping_words import LAYER_WORDS, VALUE_WORDS, ZONE_WORDS

GROUP_STEPS: Mapping[str, str] = MappingProxyType(
    {
        "input": "主要诊断",
        "normalise": "代码规范",
        "route": "付费方式",
        "exclude": "不入组的码",
        "exclude_op": "不入组的手术",
        "operations": "手术操作",
        "tcm": "中医病种",
        **{layer.value: words for layer, words in LAYER_WORDS.items()},
        "later": "后面的层次",
        "select": "取舍",
        "ambiguous": "并列",
        "floor": "没有病种时",
        "auxiliary": "辅助分型",
        "result": "入组",
        "printed_code": "印出的编码",
    }
)
"""Steps of a grouping, in the order in which they may come."""
SCORE_STEPS: Mapping[str, str] = MappingProxyType(
    {
        "scope": "范围",
        "input": "已知的数",
        "fee": "费用口径",
        "base": VALUE_WORDS["base_score"],
        "average": VALUE_WORDS["average_fee"],
        "parameter": "参数",
        "condition": "条件",
        "case_rule": "特殊病例",
        "ratio": VALUE_WORDS["ratio"],
        "zone": VALUE_WORDS["zone"],
        "institution": VALUE_WORDS["k"],
        "auxiliary": VALUE_WORDS["a"],
        "add_on": "加成",
        "form": "计分方式",
        "score": VALUE_WORDS["score"],
        "price": "总额",
        "fund_share": "基金比例",
        "amount": "预计支付",
        "gain_fund": "与记账比",
        "gain_total": "按总费用",
        "review": "特例单议",
        "pay_cost": "按费用付",
    }
)
"""Steps of score and money. The same name may mean another thing there than in a grouping."""
PATH_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "auxiliary": "政策 · 辅助分型",
        "case": "病例",
        "catalogue.library": "政策 · 分组目录库",
        "grouping": "政策 · 分组",
        "grouping.blank_code": "政策 · 空白病组",
        "grouping.bx_tie": "政策 · 并项规则",
        "grouping.comprehensive": "政策 · 综合病种",
        "grouping.comprehensive.floor": "政策 · 没有病种时",
        "grouping.exclusions.dx_list": "不纳入分组的主要诊断",
        "grouping.exclusions.op_list": "不纳入分组的手术操作",
        "grouping.layers": "政策 · 层次先后",
        "grouping.maps.dx": "政策 · 编码版本对照",
        "grouping.normalise": "代码规范",
        "grouping.op_type": "政策 · 治疗方式",
        "grouping.select": "政策 · 选择规则",
        "grouping.unmapped_codes": "政策 · 目录外的编码",
        "input": "给出的数",
        "library": "分组目录库",
        "library.average_fee": "目录 · 平均费用",
        "library.blank_group": "目录 · 空白病组",
        "library.score": "目录 · 病种分值",
        "policy": "付费政策",
        "primary-care": "国家基层病种名单",
        "routing": "政策 · 付费方式",
        "scoring": "政策 · 计分",
        "scoring.add_ons": "政策 · 加成",
        "scoring.average_fee": "政策 · 平均费用",
        "scoring.average_fee_factor": "政策 · 平均费用系数",
        "scoring.deviation": f"政策 · {VALUE_WORDS['zone']}",
        "scoring.deviation.extreme": f"政策 · {ZONE_WORDS[Zone.EXTREME]}",
        "scoring.deviation.high": f"政策 · {ZONE_WORDS[Zone.HIGH]}",
        "scoring.deviation.low": f"政策 · {ZONE_WORDS[Zone.LOW]}",
        "scoring.fee_basis": "政策 · 费用口径",
        "scoring.institution": "政策 · 机构系数",
        "scoring.normal": "政策 · 正常病例",
        "scoring.rounding": "政策 · 舍入",
        "scoring.special_review": "政策 · 特例单议",
        "scoring.ungrouped": "政策 · 未入组病例",
        "scoring.zero_score_group": "政策 · 零分病种",
        "settlement": "政策 · 结算",
        "settlement.fund_ratio": "政策 · 基金支付比例",
        "settlement.fund_share": "政策 · 基金支付",
        "settlement.fund_share_from": "政策 · 基金支付比例的来历",
        "settlement.point_value": "政策 · 点值",
        "settlement.pools": "政策 · 险种",
        "settlement.price_keys": "政策 · 点值按什么分",
        "tcm_map": "中医病种对照",
    }
)
"""Paths of a policy, a library or a case, in words; the longest one that begins a path speaks."""
_PATH = re.compile(r"[a-z][\w-]*(?:\.[\w-]+|\[\d+\])*")


def ref_words(step: Step) -> str:
    """What a step stands on, in words: a path of the policy becomes what it means.

    A library is called one; what the sentence says already is not said again.
    """
    if step.step == "result" and step.value.startswith("第"):
        return f"目录{step.value}"
    path = step.ref.partition(" ")[0]
    words = path_words(path)
    if words == path:
        words = f"目录 {step.ref}" if "@" in path else step.ref
    return "" if words in step.text else words


def path_words(path: str) -> str:
    """`scoring.institution.table.3` → `政策 · 机构系数`; a path that nobody knows stays."""
    if _PATH.fullmatch(path) is None:
        return path
    parts = re.split(r"\.|(?=\[)", path)
    for length in range(len(parts), 0, -1):
        words = PATH_WORDS.get(".".join(parts[:length]))
        if words:
            return words
    return path


def missing_words(paths: Sequence[str]) -> str:
    """Parameters that are not there, in words and by the path where they would be written."""
    return "、".join(
        path if path_words(path) == path else f"{path_words(path)}（{path}）" for path in paths
    )
