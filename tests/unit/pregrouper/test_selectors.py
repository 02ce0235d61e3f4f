"""Each selector by itself: what it keeps, and that it never keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from dipgate.config.policies import load_policy
from dipgate.core.grouping import Layer
from dipgate.core.library import LibraryRow
from dipgate.core.money import fen_of
from dipgate.pregrouper.library import Group
from dipgate.pregrouper.selectors import SELECTOR_WORDS, SELECTORS, Candidate, Question

LAYERS = {"C": Layer.CORE, "B": Layer.BASIC, "Z": Layer.COMPREHENSIVE}


def candidate(
    name: str,
    rank_class: str = "CS",
    *,
    score: str | None = "100",
    mean: str | None = "1000",
    keys: tuple[str, ...] = ("51.2300",),
    unmatched: tuple[str, ...] = (),
    related: int = 0,
    order: int = 0,
) -> Candidate:
    """A candidate named `name`, whose order in the table is `order`."""
    row = LibraryRow(
        row=order,
        group_code=name,
        kind="核心",
        dx_code="K80.1",
        dx_name="",
        main_ops="",
        main_op_names="",
        other_ops="",
        other_op_names="",
        op_expression="",
        treatment_class="",
        score=None if score is None else Decimal(score),
        average_fee=None if mean is None else Decimal(mean),
        average_stay=None,
        cv=None,
        case_count=None,
    )
    wanted = (frozenset(keys[1:]),) if related else ()
    group = Group(row, LAYERS[rank_class[0]], False, "K80.1", (frozenset(keys),), wanted, "", order)
    return Candidate(group, keys, keys, unmatched, len(keys), related, rank_class[1])


def question(
    fee: str | None = None, principal: str = "51.2300", rank: tuple[str, ...] = ()
) -> Question:
    return Question(
        principal,
        fen_of(fee),
        frozenset(("47.0100",)),
        ("core", "basic", "comprehensive"),
        rank,
    )


def kept(name: str, found: Sequence[Candidate], asked: Question | None = None) -> list[str]:
    return [
        item.group.code
        for item in SELECTORS.named(name, "grouping.select")(found, asked or question())
    ]


def test_related_operations_and_rows_without_them() -> None:
    plain = candidate("plain")
    related = candidate("related", keys=("51.2300", "54.5101"), related=1)
    more = candidate("more", keys=("51.2300", "54.5101", "47.0100"), related=2)
    assert kept("max_related_matched", [plain, related, more]) == ["more"]
    assert kept("principal_only_row", [plain, related, more]) == ["plain"]
    assert kept("principal_only_row", [related, more]) == ["related", "more"]
    assert kept("max_and_terms", [plain, more]) == ["more"]
    assert kept("max_matched_ops", [plain, related]) == ["related"]


def test_scores() -> None:
    low, high, tie = (
        candidate(name, score=score) for name, score in (("a", "1"), ("b", "2"), ("c", "2"))
    )
    unknown = candidate("d", score=None)
    assert kept("max_score", [low, high, tie]) == ["b", "c"]
    assert kept("max_score", [low, unknown]) == ["a", "d"]
    therapy = candidate("t", "CT", score="9")
    assert kept("surgery_max_score", [low, high, therapy]) == ["t"]
    assert kept("surgery_max_score", [therapy, candidate("u", "CT", score="1")]) == ["t", "u"]


def test_comprehensive_candidates_wait_for_the_rank() -> None:
    core, whole = candidate("core", score="1"), candidate("whole", "ZS", score="9")
    assert kept("max_score", [core, whole]) == ["core", "whole"]
    assert kept("core_first", [core, whole]) == ["core"]
    assert kept("max_score", [whole, candidate("other", "ZS", score="10")]) == ["other"]


def test_fee_and_its_tie() -> None:
    found = [candidate("far", mean="1000"), candidate("near", mean="1999")]
    assert kept("closest_fee", found, question("2000")) == ["near"]
    even = [candidate("first", mean="1000"), candidate("second", mean="3000")]
    assert kept("closest_fee", even, question("2000")) == ["first"]
    assert kept("closest_fee", found) == ["far", "near"]
    assert kept("closest_fee", [found[0], candidate("none", mean=None)], question("1")) == [
        "far",
        "none",
    ]


def test_keys_and_cover() -> None:
    short = candidate("short", keys=("51.23",))
    full = candidate("full", keys=("51.2300",))
    assert kept("full_code_over_prefix", [short, full]) == ["full"]
    assert kept("full_code_over_prefix", [short]) == ["short"]
    open_ = candidate("open", unmatched=("47.0100",))
    assert kept("exact_cover", [open_, full]) == ["full"]
    assert kept("exact_cover", [open_]) == ["open"]
    other = candidate("other", keys=("54.5101",))
    assert kept("main_op_in_key", [other, full]) == ["full"]
    assert kept("main_op_in_key", [other]) == ["other"]


def test_unmatched_surgery_goes_to_a_comprehensive_surgery_row() -> None:
    leaves = candidate("leaves", unmatched=("47.0100",))
    whole = candidate("whole", "ZS")
    name = "comp_surgery_if_unmatched_surgery"
    assert kept(name, [leaves, whole]) == ["whole"]
    assert kept(name, [leaves, candidate("covers"), whole]) == ["leaves", "covers", "whole"]
    assert kept(name, [leaves, candidate("therapy", "ZT")]) == ["leaves", "therapy"]
    assert kept(name, [candidate("x", unmatched=("99.1500",)), whole]) == ["x", "whole"]


def test_layers_and_table_order() -> None:
    basic, core = candidate("basic", "BN", order=2), candidate("core", "CN", order=7)
    assert kept("layer_order", [basic, core]) == ["core"]
    assert kept("table_order", [core, basic]) == ["basic"]


CLASSES = [layer + letter for layer in "CBZ" for letter in "STDN"]
RANKS = {
    "jingzhou_2023": "CS BS CT BT CD BD ZS ZT ZD CN BN ZN",
    "yichang_2023": "CS BS ZS CT BT ZT CD BD ZD CN BN ZN",
    "xiaogan_2022": "CS CT CD CN B ZS ZT ZD ZN",
    "jining_2023": "CS BS CT BT CD BD ZS ZT ZD CN BN ZN",
}


@pytest.mark.parametrize("city", RANKS)
def test_rank_lists_of_the_cities(city: str) -> None:
    rank = load_policy(city).grouping.rank or ()
    left = [candidate(name, name) for name in CLASSES]
    order = []
    while left:
        best = SELECTORS.named("rank", "grouping.select")(left, question(rank=rank))
        order.append({item.rank_class for item in best})
        left = [item for item in left if item not in best]
    expected = [
        {f"{name}{letter}" for letter in "STDN"} if len(name) == 1 else {name}
        for name in RANKS[city].split()
    ]
    assert order == expected


@pytest.mark.parametrize("name", sorted(SELECTORS))
def test_no_selector_keeps_nothing_or_adds(name: str) -> None:
    found = [
        candidate("one", keys=("54.5101",), unmatched=("47.0100",), related=1),
        candidate("two", "ZN", score=None, mean=None),
    ]
    held = SELECTORS.named(name, "grouping.select")(found, question("5"))
    assert held
    assert all(any(item is other for other in found) for item in held)


def test_every_selector_has_words() -> None:
    assert set(SELECTOR_WORDS) == set(SELECTORS)
    assert not any(words.isascii() for words in SELECTOR_WORDS.values())
