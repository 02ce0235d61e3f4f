"""A policy keeps every key and value of its file: nothing is dropped on the way to the model."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.policies import load_policy
from dipgate.config.resources import resource
from dipgate.config.strict_yaml import load_yaml
from dipgate.core.policy import Policy


def files() -> Iterator[Traversable]:
    for area in resource("policies").iterdir():
        if area.is_dir():
            yield from (item for item in area.iterdir() if item.name.endswith(".yaml"))


BUILT_IN = sorted(files(), key=lambda item: item.name)


def same(written: object, kept: object) -> bool:
    """The YAML's text and the model's value mean the same."""
    if written is None:
        return kept is None
    if isinstance(kept, bool):
        return written == ("true" if kept else "false")
    if isinstance(kept, int):
        return written == str(kept)
    if written == kept:
        return True
    try:
        return Decimal(str(written)) == Decimal(str(kept))
    except InvalidOperation:
        return False


def lost(written: object, kept: Any, path: str = "") -> Iterator[str]:
    """Paths of the file whose key or value is not in the model."""
    if path.endswith(".pay") and isinstance(kept, dict):
        written = long_pay(written)
    if isinstance(written, dict):
        if not isinstance(kept, dict):
            yield f"{path}: {kept!r}"
            return
        if "values" in written:
            yield from lost_of_series(written["values"], kept, path)
            return
        for key, value in written.items():
            here = f"{path}.{key}"
            if key not in kept:
                yield f"{here}: gone"
            else:
                yield from lost(value, kept[key], here)
        return
    if isinstance(written, list):
        items = list(kept or ())
        if len(items) != len(written):
            yield f"{path}: {len(written)} became {len(items)}"
            return
        for place, (one, two) in enumerate(zip(written, items, strict=True)):
            yield from lost(one, two, f"{path}[{place}]")
        return
    if isinstance(kept, tuple | list) and len(kept) == 1:
        kept = kept[0]  # a word where a list may stand
    if isinstance(kept, dict) and set(SHORT) & kept.keys():
        kept = next(
            (
                SHORT[key] if SHORT[key] and kept[key] else kept[key]
                for key in SHORT
                if kept.get(key)
            ),
            None,
        )
    if written is None and kept == EMPTY.get(path.removeprefix(".")):
        return  # a section written as null is a section of unknowns
    if not same(written, kept):
        yield f"{path}: {written!r} became {kept!r}"


def long_pay(written: object) -> object:
    """What a band pays, written out: a form, and perhaps its share and cap."""
    if isinstance(written, dict) and len(written) == 1 and "form" not in written:
        (name, inner), *_ = written.items()
        return {"form": name, **(inner if isinstance(inner, dict) else {"share": inner})}
    return written if isinstance(written, dict) else {"form": written}


def lost_of_series(written: dict[str, Any], kept: dict[str, Any], path: str) -> Iterator[str]:
    """Days, values and clauses of a dated number; its unit and description are for the reader."""
    if sorted(written) != sorted(kept):
        yield f"{path}: {sorted(written)} became {sorted(kept)}"
        return
    for day, item in written.items():
        value, source = kept[day]
        wanted = item if isinstance(item, dict) else {"value": item}
        if not same(wanted["value"], value) or wanted.get("source", "") != source:
            yield f"{path}.{day}: {item!r} became {kept[day]!r}"


SHORT = {"exact": "exact", "text": ""}
"""Words that stand for a section: the model keeps them under this key."""


EMPTY: dict[str, Any] = Policy.model_validate(
    {
        "schema": "dip-policy/1",
        "policy": {"id": "x", "region": {"code": "990300"}, "date_basis": "settlement"},
    }
).model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize("source", BUILT_IN, ids=[item.name for item in BUILT_IN])
def test_every_key_and_value_is_found_again(source: Traversable) -> None:
    written = load_yaml(source.read_text(encoding="utf-8"), file=source.name)
    kept = load_policy(source.name.removesuffix(".yaml")).model_dump(mode="json", by_alias=True)
    assert list(lost(written, kept)) == []


def test_the_comparison_sees_what_is_lost() -> None:
    written = {"a": {"b": "0.90", "c": ["1", "2"], "d": "n/a", "e": "false"}, "f": "1"}
    kept = {"a": {"b": "0.9", "c": ["1"], "d": False, "e": True}}
    assert list(lost(written, kept)) == [
        ".a.c: 2 became 1",
        ".a.d: 'n/a' became False",
        ".a.e: 'false' became True",
        ".f: gone",
    ]


@pytest.mark.shared_data
def test_the_records_are_those_of_the_standards(shared: Path) -> None:
    ours = {item.name: item.read_bytes() for item in BUILT_IN}
    found = sorted((shared / "standards" / "dip-policies").glob("[a-z]*.yaml"))
    assert len(found) == 15
    for path in found:
        assert ours[path.name] == path.read_bytes(), path.name
