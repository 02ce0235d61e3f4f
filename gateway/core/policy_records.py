"""Keys that a policy keeps from its text and that no calculation reads (`Recorded`).

Nobody should believe that such a key acts: `dipgate policy check` and `show` say that it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dipgate.core.policy import Policy
from dipgate.core.policy_parts import Recorded


def recorded_in(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Paths of such keys that this policy states, each with what it is."""
    return tuple((path, why) for path, why in RECORDED.items() if _stated(policy, path))


def is_recorded(path: str) -> bool:
    """Whether the value at a path (`catalogue.counts.core`) is only kept."""
    return any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in RECORDED)


def _marks(model: type[BaseModel], start: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        path = f"{start}{field.alias or name}"
        mark = next((item for item in field.metadata if isinstance(item, Recorded)), None)
        if mark is not None:
            yield path, mark.why
        for section in _sections(field) if mark is None else ():
            yield from _marks(section, f"{path}.")


def _sections(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """The section that a field holds, whether it may be left out or not."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _stated(policy: Policy, path: str) -> bool:
    value: object = policy
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, BaseModel):
        return bool(value.model_dump(exclude_none=True))
    return value is not None


RECORDED: Mapping[str, str] = MappingProxyType(dict(_marks(Policy, "")))
"""Path of every such key → what it is, in the order of the format."""
