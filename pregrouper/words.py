"""Chinese words for the names that a policy uses, as screens and commands write them."""

from __future__ import annotations

from dipgate.pregrouper.conditions import FACT_WORDS
from dipgate.pregrouper.deviation import FORM_WORDS, form_words
from dipgate.pregrouper.settling_ask import word_of

__all__ = ["FACT_WORDS", "FORM_WORDS", "form_words", "word_of"]
