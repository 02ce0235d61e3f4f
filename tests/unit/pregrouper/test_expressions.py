"""Three grammars, one result."""

from __future__ import annotations

import pytest

from dipgate.core.errors import ConfigError
from dipgate.core.policy_parts import OpExpr
from dipgate.pregrouper.expressions import GRAMMARS, Reader


def reader(grammar: str | None, and_: str = "+", or_: str = "/") -> Reader:
    return Reader(OpExpr(grammar=grammar, and_=and_, or_=or_, main_related_separator="_"))


def sets(*parts: str) -> set[frozenset[str]]:
    return {frozenset(part.split()) for part in parts}


def test_cnf_is_and_of_choices() -> None:
    found = reader("cnf").parse("36.0700+00.4500/00.4600")
    assert set(found) == sets("36.0700 00.4500", "36.0700 00.4600")


def test_dnf_is_choice_of_ands() -> None:
    found = reader("dnf", or_="|").parse("37.5100|96.7201+39.9500x007")
    assert set(found) == sets("37.5100", "96.7201 39.9500x007")


def test_all_means_every_listed_code() -> None:
    assert set(reader("all", and_=",").parse("51.2300,54.5101")) == sets("51.2300 54.5101")


def test_extension_marker_is_written_small() -> None:
    assert reader("cnf").parse("13.4100X001") == (frozenset({"13.4100x001"}),)


def test_single_code_needs_no_grammar() -> None:
    assert reader(None).parse("51.2300") == (frozenset({"51.2300"}),)


def test_unknown_grammar_is_needed_for_combinations() -> None:
    with pytest.raises(ConfigError) as caught:
        reader(None).parse("51.2300+54.5101")
    assert caught.value.path == "grouping.op_expr.grammar"


def test_misspelt_grammar_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="dnf") as caught:
        reader("dnff").parse("51.2300+54.5101")
    assert caught.value.path == "grouping.op_expr.grammar"


@pytest.mark.parametrize("text", ["51.2300;54.5101", "51.2300+", "abc", "51.2300|54.5101", "+"])
def test_unknown_separators_and_blanks_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="不是手术操作编码"):
        reader("cnf").parse(text)


def test_explosion_is_refused() -> None:
    term = "/".join(f"51.{number:04d}" for number in range(20))
    with pytest.raises(ValueError, match="超过"):
        reader("cnf").parse("+".join([term] * 6))


def test_registry_lists_the_three() -> None:
    assert list(GRAMMARS) == ["all", "cnf", "dnf"]
