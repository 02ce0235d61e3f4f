"""Catalogues loaded into frozen look-ups, as of the day that a case asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from dipgate.config import map_rows, registry, shelf
from dipgate.config.catalogues import LAYERS, shelf_of
from dipgate.config.kinds import KINDS
from dipgate.config.shelf import Manifest
from dipgate.config.standard import codesets
from dipgate.core.reference import (
    CodeMap,
    CodeTable,
    Hospital,
    MapEntry,
    NotPrincipal,
    Reference,
)
from dipgate.core.registry import RegistryEntry, joined, on_day

T = TypeVar("T")
MAP_KINDS = ("icd10-map", "icd9cm3-map")
_Row = tuple[int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Span:
    """Row validity; either end may be open."""

    first_day: date | None
    last_day: date | None

    def holds(self, day: date) -> bool:
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )


class References:
    """The catalogues of one state folder as they stood when this was made.

    `on(day)` loads what is in force on that day and keeps it: days that see the same versions
    (and the same dated rows) share their look-ups. What is imported later is seen by `renewed()`.
    `tables` are small built-in rule tables that go into every `Reference` as they are; `desk` are
    the entries of the registry made at the desk, which win over the imported tables; `maps` are
    the rows of `icd10-map` and `icd9cm3-map` approved there: they lie on the hospital's layer and
    win on their days.
    """

    def __init__(
        self,
        state: Path,
        hospital: Hospital | None,
        edition: str = "2.0",
        *,
        tables: Mapping[str, tuple[Mapping[str, str], ...]] | None = None,
        desk: Sequence[RegistryEntry] = (),
        maps: Mapping[str, Sequence[MapEntry]] = MappingProxyType({}),
        before: References | None = None,
    ) -> None:
        self._state = state
        self._base = Reference(
            day=date.min,
            hospital=hospital,
            codesets=codesets(),
            tables=tables or MappingProxyType({}),
            edition=edition,
        )
        self._desk = tuple(desk)
        self._maps = {kind: tuple(rows) for kind, rows in maps.items()}
        # Taken before the versions are read: what is placed in between is seen as a change.
        self._marks = {kind: shelf.marks(shelf_of(state, kind)) for kind in KINDS}
        self._held = {kind: shelf.manifests(shelf_of(state, kind)) for kind in KINDS}
        # By hash of the file too: what an earlier instance has read is read once.
        self._rows: dict[tuple[str, str, str], tuple[_Row, ...]] = before._rows if before else {}
        self._code_tables: dict[tuple[str, str, str], CodeTable] = (
            before._code_tables if before else {}
        )
        self._loaded: dict[tuple[tuple[str, ...], date | None], Reference] = {}
        self._registries: dict[str, tuple[RegistryEntry, ...]] = {}
        self._turns = sorted(self._turning_days())

    def on(self, day: date) -> Reference:
        """All look-ups as of `day`; kinds without a version in force are None.

        Raises ConfigError when a catalogue file is missing or damaged.
        """
        chosen = self._chosen(day)
        labels = tuple(f"{item.kind}/{item.version}" for item in chosen)
        # Rows with days of their own: between two turning days nothing changes.
        turn = max((turning for turning in self._turns if turning <= day), default=None)
        key = (labels, turn)
        reference = self._loaded.get(key)
        if reference is None:
            reference = self._loaded[key] = self._load(chosen, day)
        return reference if reference.day == day else replace(reference, day=day)

    def renewed(
        self,
        desk: Sequence[RegistryEntry] | None = None,
        *,
        maps: Mapping[str, Sequence[MapEntry]] | None = None,
    ) -> References:
        """The look-ups as the catalogues stand now; files that did not change are not read again.

        `desk` are all entries of the registry that the desk holds now, `maps` all approved rows of
        the code maps; None for those of before.
        Raises ConfigError when a catalogue file is missing or damaged.
        """
        base = self._base
        return References(
            self._state,
            base.hospital,
            base.edition,
            tables=base.tables,
            desk=self._desk if desk is None else desk,
            maps=self._maps if maps is None else maps,
            before=self,
        )

    def out_of_date(self) -> bool:
        """Has a catalogue been imported since? Not said while an import is under way."""
        now = {kind: shelf.marks(shelf_of(self._state, kind)) for kind in KINDS}
        return None not in now.values() and now != self._marks

    def holds(self, manifest: Manifest) -> bool:
        """Is a version one of those that these look-ups choose from?"""
        return manifest in self._held.get(manifest.kind, ())

    def registry(self, kind: str) -> tuple[RegistryEntry, ...]:
        """Every ward (`department`) or person (`staff`) of any day, with the days that count.

        Raises ConfigError when a catalogue file is missing or damaged.
        """
        if kind not in self._registries:
            table = registry.history(kind, self._held[kind], self._read)
            own = [entry for entry in self._desk if entry.kind == kind]
            self._registries[kind] = tuple(joined(table, own))
        return self._registries[kind]

    def _chosen(self, day: date) -> tuple[Manifest, ...]:
        """The versions in force: one per kind, for maps one per layer."""
        chosen: list[Manifest] = []
        for kind, versions in self._held.items():
            for layer in LAYERS if KINDS[kind].layered else ("",):
                found = shelf.in_force((item for item in versions if item.layer == layer), day)
                if found is not None:
                    chosen.append(found)
        return tuple(chosen)

    def _turning_days(self) -> Iterator[date]:
        """Days on which some row begins to hold or has just ceased to."""
        yield from registry.turning_days(self._desk)
        for kind in registry.kinds():
            for manifest in self._held[kind]:
                entries = registry.table_entries(kind, manifest, self._read)
                yield from registry.turning_days(entries)
        for kind in MAP_KINDS:
            yield from map_rows.turning_days(self._maps.get(kind, ()))
            for manifest in self._held[kind]:
                folder = shelf_of(self._state, kind)
                for text in shelf.distinct(folder, manifest, ("first_day",)):
                    yield date.fromisoformat(text)
                for text in shelf.distinct(folder, manifest, ("last_day",)):
                    yield date.fromisoformat(text) + timedelta(days=1)

    def _read(self, manifest: Manifest) -> tuple[_Row, ...]:
        """Rows of a version by column name, read once (maps and small tables only)."""
        key = (manifest.kind, manifest.version, manifest.source_hash)
        if key not in self._rows:
            columns = KINDS[manifest.kind].columns
            self._rows[key] = tuple(
                # A file of an earlier form lacks the columns that were added at the end since.
                (
                    int(str(row)),
                    dict.fromkeys(columns, "") | dict(zip(columns, map(str, cells), strict=False)),
                )
                for row, *cells in shelf.rows_of(shelf_of(self._state, manifest.kind), manifest)
            )
        return self._rows[key]

    def _load(self, chosen: tuple[Manifest, ...], day: date) -> Reference:
        by_kind: dict[str, list[Manifest]] = {}
        for manifest in chosen:
            by_kind.setdefault(manifest.kind, []).append(manifest)

        def one(kind: str) -> Manifest | None:
            return by_kind[kind][0] if kind in by_kind else None

        gray = one("not-principal")
        labels = {kind: _label(items) for kind, items in by_kind.items()}
        held: dict[str, list[RegistryEntry] | None] = {}
        for kind in registry.kinds():
            version, desk = one(kind), [entry for entry in self._desk if entry.kind == kind]
            table = [] if version is None else registry.table_entries(kind, version, self._read)
            known = on_day(table, desk, day)
            held[kind] = known if version or known else None
            said = registry.desk_label(kind, desk, day)
            if said:
                labels[kind] = "+".join(filter(None, (labels.get(kind, ""), said)))
        for kind in MAP_KINDS:
            said = map_rows.label(self._maps.get(kind, ()), day)
            if said:
                labels[kind] = "+".join(filter(None, (labels.get(kind, ""), said)))
        departments, staff = (held[kind] for kind in registry.kinds())
        dx_mdc, op_mdc = one("dx-mdc"), one("op-mdc")
        return replace(
            self._base,
            day=day,
            icd10=self._code_table(one("icd10")),
            icd9cm3=self._code_table(one("icd9cm3")),
            icd10_map=self._code_map("icd10-map", by_kind.get("icd10-map", []), day),
            icd9cm3_map=self._code_map("icd9cm3-map", by_kind.get("icd9cm3-map", []), day),
            not_principal=None if gray is None else self._not_principal(gray),
            dx_mdc=None if dx_mdc is None else self._mdcs(dx_mdc),
            op_mdc=None if op_mdc is None else self._mdcs(op_mdc),
            departments=None if departments is None else registry.departments_of(departments),
            staff=None if staff is None else registry.staff_of(staff),
            versions=MappingProxyType(labels),
        )

    def _code_table(self, manifest: Manifest | None) -> CodeTable | None:
        if manifest is None:
            return None
        key = (manifest.kind, manifest.version, manifest.source_hash)
        if key not in self._code_tables:
            self._code_tables[key] = self._read_code_table(manifest)
        table = self._code_tables[key]
        # A version may begin on another day than it did when its file was read.
        return replace(table, first_day=manifest.first_day)

    def _read_code_table(self, manifest: Manifest) -> CodeTable:
        columns = KINDS[manifest.kind].columns
        rows = list(shelf.rows_of(shelf_of(self._state, manifest.kind), manifest))
        attributes: dict[str, Mapping[str, str]] = {}
        for at, name in enumerate(columns[2:], start=3):
            found = {row[1]: row[at] for row in rows if row[at]}
            if found:
                attributes[name] = MappingProxyType(found)  # type: ignore[arg-type]
        return CodeTable(
            kind=manifest.kind,
            version=manifest.version,
            first_day=manifest.first_day,
            names=MappingProxyType({str(row[1]): str(row[2]) for row in rows}),
            attributes=MappingProxyType(attributes),
        )

    def _code_map(self, kind: str, manifests: list[Manifest], day: date) -> CodeMap | None:
        """Per source code the entries of the narrowest layer that knows it on `day`."""
        desk = map_rows.on_day(self._maps.get(kind, ()), day)
        if not manifests and not desk:
            return None
        entries: dict[str, tuple[MapEntry, ...]] = {}
        for manifest in manifests:  # the widest layer first, so that the narrower overwrites
            layer: dict[str, tuple[MapEntry, ...]] = {}
            for number, row in self._read(manifest):
                span = _span(row)
                if not span.holds(day):
                    continue
                entry = MapEntry(
                    source_code=row["source_code"],
                    source_name=row["source_name"],
                    target_code=row["target_code"],
                    target_name=row["target_name"],
                    layer=manifest.layer,
                    version=manifest.version,
                    row=number,
                    author=manifest.author,
                    first_day=span.first_day or manifest.first_day,
                    last_day=span.last_day,
                )
                layer[entry.source_code] = (*layer.get(entry.source_code, ()), entry)
            entries.update(layer)
        entries.update(desk)
        versions = tuple(f"{item.layer}:{item.version}" for item in manifests)
        return CodeMap(kind, versions, MappingProxyType(entries))

    def _not_principal(self, manifest: Manifest) -> Mapping[str, NotPrincipal]:
        return MappingProxyType(
            {
                row["code"]: NotPrincipal(
                    row["code"], row["dip3"] == "1", row["drg11"] == "1", row["reason"], row["rule"]
                )
                for _, row in self._read(manifest)
            }
        )

    def _mdcs(self, manifest: Manifest) -> Mapping[str, frozenset[str]]:
        """Letters written together (`FVZ`) or set apart by blanks, commas or `|`."""
        return MappingProxyType(
            {
                row["code"]: frozenset(ch for ch in row["mdcs"] if ch.isalnum())
                for _, row in self._read(manifest)
            }
        )


def _span(row: Mapping[str, str]) -> _Span:
    first, last = row["first_day"], row["last_day"]
    return _Span(
        date.fromisoformat(first) if first else None, date.fromisoformat(last) if last else None
    )


def _label(manifests: list[Manifest]) -> str:
    return "+".join(
        f"{item.layer}:{item.version}" if item.layer else item.version for item in manifests
    )
