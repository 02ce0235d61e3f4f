"""A policy's values one by one: what holds after all overlays, from which file, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dipgate.config.policies import PolicyLayer, load_policy, merged_policy, policy_layers
from dipgate.config.strict_model import did_you_mean, path_text
from dipgate.core.errors import ConfigError
from dipgate.core.money import decimal_of
from dipgate.core.policy_records import is_recorded

Path_ = tuple[str | int, ...]
_SECTIONS = ("catalogue.", "grouping.", "auxiliary.", "scoring.", "settlement.")


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One value. `value` is None for null; `evidence` holds keys of the policy's `evidence`.

    Only the `src` of the file that says the value counts: an overlay's number does not stand on
    the papers of what it is laid over.
    """

    path: str
    value: str | None
    file: str
    line: int | None
    evidence: tuple[str, ...]
    overlay: bool = False
    """The file is laid over another."""
    recorded: bool = False
    """Kept from the text of the policy; no calculation reads it."""


def shown_values(
    id_or_path: str, under: str = "", *, state: Path | None = None
) -> tuple[ShownValue, ...]:
    """Every value at or below a path, in the file's order. ConfigError for a path without any."""
    load_policy(id_or_path, state=state)
    layers = policy_layers(id_or_path, state=state)
    _, merged = merged_policy(id_or_path, state=state)
    found = tuple(_leaves(merged, (), layers))
    if not under:
        return found
    chosen = tuple(
        item
        for item in found
        if item.path == under or item.path.startswith((f"{under}.", f"{under}["))
    )
    if not chosen:
        known = {known for item in found for known in _prefixes(item.path)}
        raise ConfigError(
            f"政策里没有写 {under!r}（没有写的参数就是未知）{did_you_mean(under, known)}",
            path=under,
        )
    return chosen


def _prefixes(path: str) -> Iterator[str]:
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _leaves(value: object, path: Path_, layers: tuple[PolicyLayer, ...]) -> Iterator[ShownValue]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != "src":
                yield from _leaves(item, (*path, key), layers)
        return
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for place, item in enumerate(value):
            yield from _leaves(item, (*path, place), layers)
        return
    layer = next((item for item in layers if _has(item.value, path)), layers[-1])
    text = "、".join(map(str, value)) if isinstance(value, list) else value
    file, line = _place(layer, path)
    yield ShownValue(
        path=path_text(path),
        value=None if text is None else str(text),
        file=file,
        line=line,
        evidence=_evidence(layer.value, path),
        overlay=bool(layer.extends),
        recorded=path[-1] == "note" or is_recorded(path_text(path)),
    )


def _place(layer: PolicyLayer, path: Path_) -> tuple[str, int | None]:
    """File and line of a value: the row of a CSV file where one fills the table."""
    for where, table in layer.tables.items():
        if path[: len(where)] != where:
            continue
        keys = tuple(map(str, path[len(where) :]))
        for length in range(len(keys), 0, -1):
            if keys[:length] in table.lines:
                return table.name, table.lines[keys[:length]]
        return table.name, None
    return layer.document.file, layer.document.line_of(path)


def _evidence(value: object, path: Path_) -> tuple[str, ...]:
    """The innermost `src` on the way to the path."""
    found: tuple[str, ...] = ()
    for part in path:
        if isinstance(value, Mapping):
            src = value.get("src")
            found = tuple(map(str, src)) if isinstance(src, list) else found
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
    return found


def unsourced(id_or_path: str, *, state: Path | None = None) -> tuple[ShownValue, ...]:
    """Numbers that an overlay states without evidence of its own, neither `src` nor a clause."""
    rows = shown_values(id_or_path, state=state)
    quoted = {row.path for row in rows if row.value and row.path.endswith(".source")}
    return tuple(
        row
        for row in rows
        if row.overlay
        and not row.evidence
        and row.path.startswith(_SECTIONS)
        and _is_number(row.value)
        and f"{row.path.removesuffix('.value')}.source" not in quoted
    )


def _is_number(text: str | None) -> bool:
    try:
        return decimal_of(text) is not None
    except ValueError:
        return False


def _has(value: object, path: Path_) -> bool:
    """Whether a file itself says something at the path."""
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False
    return True
