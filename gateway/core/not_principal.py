"""Why a diagnosis may not be principal, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "gray-parent": "选细码",
        "gray-other": "选更具体的代码",
        "external-cause": "是外因编码",
        "history-or-status": "是家族史、个人史或状态",
        "maternal-factor": "是影响新生儿的母体因素",
        "maternal-noxious": "是母体用药或有害物质的影响",
        "gestation-gravidity-parity": "只记孕周、孕次、产次",
        "resistance-additional": "是耐药的附加编码",
        "organism-additional": "是病原体的附加编码",
        "sirs-additional": "是全身炎症反应的附加编码",
        "old-mi": "是陈旧性心肌梗死",
        "delivery-outcome": "只记分娩结局",
        "burn-extent": "只记烧伤面积",
        "incidental-pregnancy-or-not-carried-out": "是附带妊娠或未做的操作",
        "cardiac-function-class": "只记心功能分级",
        "liveborn-status": "是健康新生儿",
    }
)
"""Word of the catalogue → what follows “不能作主要诊断”; a Chinese word stands for itself."""


def reason_words(word: str) -> str:
    """The catalogue's word for why a code is barred, in Chinese; empty for one nobody knows."""
    return _REASONS.get(word, "" if word.isascii() else word)


def barred_sentence(word: str) -> str:
    """The catalogue's word as a sentence."""
    reason = reason_words(word)
    return f"不能作主要诊断，{reason}" if reason else "不能作主要诊断"
