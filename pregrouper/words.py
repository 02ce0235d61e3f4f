"""Chinese words for the names that a policy uses, as screens and commands write them."""

from __future__ import annotations

from dipgate.pregrouper.settling_ask import word_of

__all__ = ["word_of"]
