"""Operation categories (手术, 介入治疗, 治疗性操作, 诊断性操作) as a catalogue gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dipgate.core.reference import Reference


def categories_of(ref: Reference) -> Mapping[str, str] | None:
    """Every code of the operation catalogue with its category; None without a catalogue."""
    ops = ref.icd9cm3
    if ops is None:
        return None
    found = ops.attributes.get("category", {})
    return found if len(found) == len(ops.names) else _Categories(ops.names, found)


class _Categories(Mapping[str, str]):
    """Codes of a catalogue with their category, empty where the catalogue gives none."""

    def __init__(self, names: Mapping[str, str], found: Mapping[str, str]) -> None:
        self._names, self._found = names, found

    def __getitem__(self, code: str) -> str:
        if code not in self._names:
            raise KeyError(code)
        return self._found.get(code, "")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
