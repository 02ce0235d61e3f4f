"""Every rule's own examples: it passes, fails and is not checked as its file says."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from dipgate.config.rules import (
    RuleExample,
    base_case,
    example_reference,
    load_examples,
    load_pack,
    pack_ids,
    rule_world,
)
from dipgate.core.findings import FindingStatus, Fix
from dipgate.validators import Pack, check, compile_pack, function_rules

TODAY = date(2025, 4, 1)
EXAMPLES = [example for pack in pack_ids() for example in load_examples(pack)]


@cache
def compiled(name: str) -> Pack:
    return compile_pack(load_pack(name), function_rules(name), rule_world(), name)


BASE = base_case()
REFERENCE = example_reference()


def name_of(example: RuleExample) -> str:
    return f"{example.pack}-{example.rule}-{example.side}-{example.note or 'plain'}"


def fix_text(fix: Fix) -> str:
    return f"remove {fix.path}" if fix.op == "remove_row" else f"{fix.path}={fix.value}"


def test_the_base_case_is_faultless_and_wholly_checked() -> None:
    packs = [compiled(name) for name in ("base", "dip-2.0")]
    assert check(BASE, REFERENCE, packs, today=TODAY) == ()


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_example(example: RuleExample) -> None:
    packs = [compiled(name) for name in dict.fromkeys(("base", example.pack))]
    lst = example.case(BASE)
    ref = example.reference(REFERENCE)
    own = [f for f in check(lst, ref, packs, today=TODAY) if f.rule == example.rule]
    found = [finding for finding in own if finding.status is FindingStatus.FOUND]
    skipped = [finding for finding in own if finding.status is FindingStatus.NOT_CHECKED]
    if example.side == "passes":
        assert own == []
        return
    if example.side == "not_checked":
        assert found == []
        assert skipped, "the rule was checked"
        assert skipped[0].message.startswith("未检：")
        assert "执行失败" not in skipped[0].message
        return
    assert found, "the rule did not find it"
    finding = found[0]
    if example.field:
        assert example.field in [each.field for each in found]
        finding = next(each for each in found if each.field == example.field)
    assert "…" not in finding.message, "a placeholder of the message failed"
    if example.fixes is not None:
        assert [fix_text(fix) for fix in finding.fixes] == list(example.fixes)


@pytest.mark.parametrize("pack", pack_ids())
def test_every_rule_has_both_sides_and_no_example_is_an_orphan(pack: str) -> None:
    rules = {info.id: info for info in compiled(pack).rules}
    sides: dict[str, set[str]] = {}
    for example in load_examples(pack):
        sides.setdefault(example.rule, set()).add(example.side)
    assert sorted(sides) == sorted(rules)
    for rule, info in rules.items():
        wanted = {"passes", "fails"} | ({"not_checked"} if info.needs else set())
        assert wanted <= sides[rule], f"{rule} lacks {wanted - sides[rule]}"


@pytest.mark.parametrize("pack", pack_ids())
def test_mechanical_fixes_end_the_finding(pack: str) -> None:
    """Applying a fix that an example names makes that finding go, and never adds an error."""
    packs = [compiled(name) for name in dict.fromkeys(("base", pack))]
    for example in load_examples(pack):
        if example.side != "fails" or not example.fixes:
            continue
        lst, ref = example.case(BASE), example.reference(REFERENCE)
        before = check(lst, ref, packs, today=TODAY)
        found = next(f for f in before if f.rule == example.rule and f.fixes)
        fix = found.fixes[0]
        if fix.op == "remove_row":
            fixed = lst.without_row(fix.path)
        else:
            fixed = lst.with_value(fix.path, fix.value)
        after = check(fixed, ref, packs, today=TODAY)
        gone = (found.rule, found.field, found.message)
        assert gone not in [(f.rule, f.field, f.message) for f in after], name_of(example)
        new = {f.rule for f in after if f.status is FindingStatus.FOUND} - {f.rule for f in before}
        assert new <= {"D002", "P002", "H033"}, (name_of(example), new)
