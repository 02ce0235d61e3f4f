"""A survey as one HTML file that opens anywhere: no script, no other file, no outside host."""

from __future__ import annotations

from importlib.resources import files

import jinja2

from dipgate.core.grouping_words import GROUP_WORDS, SCORE_WORDS
from dipgate.pipeline.survey_report import FAMILY_NAMES, SurveyReport, field_name, share


def survey_page(report: SurveyReport) -> str:
    """The page as text; everything from data is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("dipgate.reports").joinpath("survey.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report,
        names=FAMILY_NAMES,
        words={**GROUP_WORDS, **SCORE_WORDS},
        share=share,
        field_name=field_name,
        mask=masked,
        emptiest=[item for item in report.fields if item.filled < item.of],
    )


def masked(code: str) -> str:
    """A staff number that may be a name: its length and its last character only."""
    return "●" * max(len(code) - 1, 1) + code[-1:] if code.isascii() else "●" * len(code)
