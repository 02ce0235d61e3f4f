"""Every key of a policy either acts or is marked as recorded; what is recorded changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from dipgate.config.policies import builtin_policies, worked_cases
from dipgate.config.policy_set import with_settings
from dipgate.core.policy import Policy
from dipgate.core.policy_records import RECORDED, is_recorded, recorded_in
from dipgate.core.reference import Reference
from dipgate.pregrouper import compile_library
from dipgate.pregrouper.worked import run_example, run_money_example

DESCRIBES = ("schema_", "policy", "evidence")
READERS = ("pregrouper", "gateway/core/policy.py", "gateway/core/policy_parts.py")
BENCHES = [
    name for name in (one.policy.id for one in builtin_policies()) if worked_cases(name).library
]


def models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from models(inner)


def keys(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """(path, attribute) of every key below a section that is not recorded and no section."""
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}"
        below = list(models(field.annotation))
        if name in ("src", "note") or is_recorded(here):
            continue
        for section in below:
            yield from keys(section, here)
        if not below:
            yield here, name


def test_every_key_that_is_not_recorded_is_read(checkout: Path) -> None:
    code = ""
    for place in READERS:
        path = checkout / place
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            code += file.read_text(encoding="utf-8")
    unread = [
        path
        for section, field in Policy.model_fields.items()
        if section not in DESCRIBES
        for kind in models(field.annotation)
        for path, name in keys(kind, section)
        if not re.search(rf"\.{name}\b|[\"\'.]{name}[\"\']", code)
    ]
    assert unread == []


def without_records(policy: Policy) -> Policy:
    value = policy.model_dump(by_alias=True)
    for path in RECORDED:
        *way, last = path.split(".")
        here: Any = value
        for name in way:
            here = here.get(name) if isinstance(here, dict) else None
        if isinstance(here, dict):
            here.pop(last, None)
    return Policy.model_validate(value)


@pytest.mark.parametrize("policy_id", BENCHES)
def test_a_policy_without_its_records_comes_to_the_same(policy_id: str) -> None:
    worked = worked_cases(policy_id)
    policy = without_records(with_settings(policy_id, worked.settings))
    assert recorded_in(policy) == ()
    assert worked.library is not None
    library = compile_library(worked.library.data(policy_id), policy)
    for example in worked.cases:
        assert run_example(example, library, policy, Reference(example.settled_on)) == ()
    for line in worked.money:
        assert run_money_example(line, policy) == ()


def test_keys_below_a_recorded_one_are_recorded() -> None:
    assert is_recorded("catalogue.counts.core")
    assert is_recorded("settlement.report_split")
    assert not is_recorded("catalogue.library")
    assert not is_recorded("grouping.floor_rowsx")
