"""The two-sided examples of the rules, the base case they change, and their small catalogues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import msgspec

from dipgate.config.resources import resource, resource_text
from dipgate.config.standard import codesets
from dipgate.config.strict_model import did_you_mean
from dipgate.config.strict_yaml import load_yaml
from dipgate.core.errors import ConfigError
from dipgate.core.lists import SettlementList, list_of, read_list
from dipgate.core.reference import (
    CodeMap,
    CodeTable,
    Department,
    Hospital,
    MapEntry,
    NotPrincipal,
    Reference,
    Staff,
)

_SIDES = ("passes", "fails", "not_checked")


@dataclass(frozen=True, slots=True)
class RuleExample:
    """One case of a rule's example file: the base case with changes, and what must come of it."""

    rule: str
    pack: str
    side: str
    """`passes`, `fails` or `not_checked`."""
    note: str
    set_: Mapping[str, str]
    add: Mapping[str, tuple[Mapping[str, str], ...]]
    remove: tuple[str, ...]
    """Paths of fields, rows (`diseinfo[1]`) or whole nodes; absent afterwards."""
    without: tuple[str, ...]
    """Look-ups taken out of the reference (`icd10`)."""
    field: str
    """Where the finding must point; empty: anywhere."""
    fixes: tuple[str, ...] | None
    """`path=value` or `remove path` of the expected fixes; None: not asked."""
    file: str

    def case(self, base: SettlementList) -> SettlementList:
        """The base case with this example's changes. ConfigError for a path that is not there."""
        obj: dict[str, Any] = msgspec.json.decode(base.as_json())
        try:
            for path, value in self.set_.items():
                _assign(obj, path, value)
            for node, rows in self.add.items():
                obj.setdefault(node, []).extend(dict(row) for row in rows)
            for path in sorted(self.remove, reverse=True):
                _drop(obj, path)
        except (KeyError, IndexError, TypeError, ValueError):
            raise ConfigError(
                f"{self.file} 的 {self.side} 指向不存在的位置", path=self.file
            ) from None
        return list_of(obj)

    def reference(self, base: Reference) -> Reference:
        """The reference without the look-ups that this example takes away."""
        sets = {word.removeprefix("codeset:") for word in self.without}
        kept = {name: codes for name, codes in base.codesets.items() if name not in sets}
        gone: dict[str, Any] = {word: None for word in self.without if ":" not in word}
        return replace(base, codesets=kept, **gone)


def load_examples(pack_id: str) -> tuple[RuleExample, ...]:
    """Every example of a pack, by rule id. ConfigError for an unknown key or side."""
    folder = resource("rules", pack_id, "examples")
    found: list[RuleExample] = []
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        if item.name.endswith(".yaml"):
            file = f"rules/{pack_id}/examples/{item.name}"
            found += _examples(item.read_text("utf-8"), pack_id, item.name[:-5], file)
    return tuple(found)


def base_case() -> SettlementList:
    """The complete, faultless list that every example changes."""
    return read_list(resource_text("rules", "base", "base_case.json").encode())


def example_reference() -> Reference:
    """The small catalogues that examples are checked against; built-in code sets."""
    raw: Any = msgspec.json.decode(resource_text("rules", "base", "reference.json"))
    day = date.fromisoformat(raw["day"])
    attributes = {"icd10": {}, "icd9cm3": {"category": raw["op_category"]}}
    tables = {
        kind: CodeTable(kind, "example", day, raw[kind], more) for kind, more in attributes.items()
    }
    maps = {}
    for kind in ("icd10_map", "icd9cm3_map"):
        entries = {
            code: tuple(
                MapEntry(code, "", target, name, "national", "example", number)
                for number, (target, name) in enumerate(targets.items(), start=1)
            )
            for code, targets in raw[kind].items()
        }
        maps[kind] = CodeMap(kind, ("example",), entries)
    departments = {}
    for number, (code, name, national, title) in enumerate(raw["departments"], start=1):
        entry = Department(code, name, national, title, "example", number)
        departments[code] = departments[name] = entry
    staff: dict[str, tuple[Staff, ...]] = {}
    for number, (code, name, national, role) in enumerate(raw["staff"], start=1):
        person = Staff(code, name, national, role, "example", number)
        for key in (code, name, national):
            staff[key] = (*staff.get(key, ()), person)
    return Reference(
        day=day,
        hospital=Hospital(*raw["hospital"]),
        icd10=tables["icd10"],
        icd9cm3=tables["icd9cm3"],
        icd10_map=maps["icd10_map"],
        icd9cm3_map=maps["icd9cm3_map"],
        not_principal={
            code: NotPrincipal(code, dip3, drg11, reason, rule)
            for code, dip3, drg11, reason, rule in raw["not_principal"]
        },
        departments=departments,
        staff=staff,
        codesets=codesets(),
    )


def _examples(text: str, pack: str, rule: str, file: str) -> Iterator[RuleExample]:
    content = load_yaml(text, file=file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file} 应有 {'、'.join(_SIDES)}", path=file)
    for side, cases in content.items():
        if side not in _SIDES:
            raise ConfigError(f"{file} 有不认识的键 {side}{did_you_mean(side, _SIDES)}", path=file)
        if not isinstance(cases, list):
            raise ConfigError(f"{file} 的 {side} 应为列表", path=file)
        for case in cases:
            yield _example(case or {}, pack, rule, side, file)


def _example(case: Any, pack: str, rule: str, side: str, file: str) -> RuleExample:
    known = ("note", "set", "add", "remove", "without", "field", "fixes")
    if not isinstance(case, dict):
        raise ConfigError(f"{file} 的 {side} 的每一项应为一组键和值", path=file)
    for key in case:
        if key not in known:
            raise ConfigError(f"{file} 有不认识的键 {key}{did_you_mean(key, known)}", path=file)
    return RuleExample(
        rule=rule,
        pack=pack,
        side=side,
        note=case.get("note") or "",
        set_={path: value or "" for path, value in (case.get("set") or {}).items()},
        add={
            node: tuple({k: v or "" for k, v in row.items()} for row in rows)
            for node, rows in (case.get("add") or {}).items()
        },
        remove=tuple(case.get("remove") or ()),
        without=tuple(case.get("without") or ()),
        field=case.get("field") or "",
        fixes=tuple(case["fixes"] or ()) if "fixes" in case else None,
        file=file,
    )


def _assign(obj: dict[str, Any], path: str, value: str) -> None:
    owner, name = _owner(obj, path)
    owner[name] = value


def _drop(obj: dict[str, Any], path: str) -> None:
    if "." not in path and "[" not in path:
        del obj[path]
        return
    if "." not in path:
        node, _, index = path.partition("[")
        del obj[node][int(index.rstrip("]"))]
        return
    owner, name = _owner(obj, path)
    del owner[name]


def _owner(obj: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    head, _, name = path.partition(".")
    node, _, index = head.partition("[")
    found = obj[node]
    return (found[int(index.rstrip("]"))] if index else found), name
