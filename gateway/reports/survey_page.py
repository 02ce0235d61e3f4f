"""A survey as one HTML file that opens anywhere: no script, no other file, no outside host."""

from __future__ import annotations

from importlib.resources import files

import jinja2

from dipgate.pipeline.survey_report import FAMILY_NAMES, SurveyReport, field_name, share

_WORDS = {
    "GROUPED": "入核心或基层病种",
    "GROUPED_COMPREHENSIVE": "入综合病种",
    "BLANK": "空白病组",
    "AMBIGUOUS": "有多个可能的病种",
    "UNGROUPED": "未入组",
    "EXCLUDED_DX": "主要诊断不纳入分组",
    "ROUTED_OUT": "不按病种付费",
    "INVALID_INPUT": "数据不足",
    "SCORED": "算出金额",
    "PAY_COST": "按实际费用",
    "REVIEW": "特例单议",
    "OUT_OF_SCOPE": "不计分",
    "NOT_CONFIGURED": "缺政策参数，算不出金额",
}


def survey_page(report: SurveyReport) -> str:
    """The page as text; everything from data is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("dipgate.reports").joinpath("survey.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report,
        names=FAMILY_NAMES,
        words=_WORDS,
        share=share,
        field_name=field_name,
        mask=masked,
        emptiest=[item for item in report.fields if item.filled < item.of],
    )


def masked(code: str) -> str:
    """A staff number that may be a name: its length and its last character only."""
    return "●" * max(len(code) - 1, 1) + code[-1:] if code.isascii() else "●" * len(code)
