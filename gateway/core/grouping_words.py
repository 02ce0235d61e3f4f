"""What grouping and scoring found, in Chinese: one word for screens, commands and reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dipgate.core.grouping import GroupStatus, Layer, ScoreStatus, Zone

GROUP_WORDS: Mapping[GroupStatus, str] = MappingProxyType(
    {
        GroupStatus.GROUPED: "核心病种",
        GroupStatus.GROUPED_COMPREHENSIVE: "综合病种",
        GroupStatus.BLANK: "空白病组",
        GroupStatus.AMBIGUOUS: "几个病种并列",
        GroupStatus.UNGROUPED: "未入组",
        GroupStatus.EXCLUDED_DX: "主要诊断不入组",
        GroupStatus.ROUTED_OUT: "不按病种付费",
        GroupStatus.INVALID_INPUT: "数据不足",
    }
)
SCORE_WORDS: Mapping[ScoreStatus, str] = MappingProxyType(
    {
        ScoreStatus.SCORED: "已计分",
        ScoreStatus.NOT_CONFIGURED: "缺参数或数据",
        ScoreStatus.PAY_COST: "按实际费用",
        ScoreStatus.REVIEW: "特例单议",
        ScoreStatus.OUT_OF_SCOPE: "不计分",
    }
)
ZONE_WORDS: Mapping[Zone, str] = MappingProxyType(
    {
        Zone.LOW: "低倍率",
        Zone.NORMAL: "正常",
        Zone.HIGH: "高倍率",
        Zone.EXTREME: "超高倍率",
        Zone.NONE: "",
    }
)
LAYER_WORDS: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.PRE: "先期分组",
        Layer.MERGE: "并项规则",
        Layer.AUX_SPLIT: "诊断辅助细分",
        Layer.BASE: "基础规则",
        Layer.CORE: "核心病种",
        Layer.BASIC: "基层病种",
        Layer.COMPREHENSIVE: "综合病种",
        Layer.BLANK: "空白病组",
    }
)
VALUE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "base_score": "病种分值",
        "average_fee": "平均费用",
        "ratio": "费用倍率",
        "zone": "偏差区间",
        "auxiliary": "辅助分型",
        "a": "辅助系数",
        "k": "机构系数",
        "score": "最终分值",
        "point_value": "点值",
    }
)
"""What a case is scored with: the same word in a trace, in a comparison and in its cause."""
