"""Which policy, library and catalogues a case of a whole-year run is grouped with.

Opened once per process from a few names that travel between processes; the batch function asks it
for each case. Policies, libraries and catalogues are read once per version, whatever the days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dipgate.config import catalogues, shelf
from dipgate.config.kinds import KINDS
from dipgate.config.libraries import library_named, load_library, shelf_of
from dipgate.config.policies import (
    FoundPolicy,
    area_among,
    found_policies,
    in_force_on,
    load_policy,
)
from dipgate.config.references import References
from dipgate.config.settings import load_site
from dipgate.config.shelf import Manifest
from dipgate.core.case import Case
from dipgate.core.errors import ConfigError
from dipgate.core.grouper import Grouper
from dipgate.core.hashing import content_hash
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pregrouper import dip_grouper
from dipgate.pregrouper.batch import NoTables, Tables

_NO_POLICY = NoTables("W_NO_POLICY 这一天没有适用的付费政策", "policy")


@dataclass(frozen=True, slots=True)
class BookNames:
    """What a book is opened from. Empty text: as the site file says."""

    state: str
    site_file: str
    policy: str = ""
    library: str = ""
    level: str = ""


class Book:
    """`book(case)` → the tables of the case. Raises ConfigError when it cannot be opened.

    A policy that is named holds for every case. Without one, the site's policy does, and for those
    insured in one of `policy.agreed_areas` the policy of that area on the day.
    """

    def __init__(self, names: BookNames) -> None:
        self._state = Path(names.state)
        site_file = Path(names.site_file)
        site = load_site(site_file) if site_file.is_file() else None
        self._own: Policy | None = None
        self._area = ""
        wanted = names.policy or (site.policy.id if site is not None else "")
        if wanted:
            self._own = load_policy(wanted, state=self._state)
        elif site is not None:
            self._area = site.hospital.area_code
        self._agreed_areas = (
            site.policy.agreed_areas if site is not None and not names.policy else ()
        )
        areas = {self._area, *self._agreed_areas} - {""}
        everything = found_policies(self._state) if areas else ()
        self._by_day = tuple(item for item in everything if item.policy.policy.region.code in areas)
        if self._own is None and not self._of(self._area):
            raise ConfigError("没有指定付费政策；用 --policy 编号或文件指定", path="policy.id")
        self._library = names.library
        if self._own is not None:
            library_named(self._own, self._library)
        self._level = names.level or (site.hospital.level if site is not None else "")
        self._level_for_all = bool(names.level)
        self._hospital = site.hospital.code if site is not None else ""
        self._references: dict[str, References] = {}
        self._shared: dict[tuple[str, tuple[int, ...]], Reference] = {}
        self._manifests: dict[str, tuple[Manifest, ...]] = {}
        self._groupers: dict[tuple[str, str, str], Grouper] = {}
        self._policies: dict[tuple[str, date], Policy | None] = {}
        self._found: dict[tuple[int, date | None], Tables | NoTables] = {}

    def __call__(self, case: Case) -> Tables | NoTables:
        place = area_among(case.insured_place, self._agreed_areas)
        discharged = case.discharged.date() if case.discharged else None
        policy = self._policy(case.settled or discharged, place)
        if policy is None:
            return _NO_POLICY
        if policy.policy.date_basis == "discharge":
            day = discharged or case.settled
        else:
            day = case.settled or discharged
        found = self._found.get((id(policy), day))
        if found is None:
            found = self._found[id(policy), day] = self._find(policy, day, own=not place)
        return found

    def fingerprint(self) -> str:
        """Changes when the policies, libraries or catalogues do: results before are then old."""
        policies = [self._own, *(item.policy for item in self._by_day)]
        labels = sorted({policy.label for policy in policies if policy is not None})
        folders = {self._name(policy) for policy in policies if policy is not None} - {""}
        shelves = [shelf_of(self._state, folder) for folder in sorted(folders)]
        shelves += [catalogues.shelf_of(self._state, kind) for kind in KINDS]
        versions = [
            (item.kind, item.name, item.layer, item.version, item.source_hash, f"{item.first_day}")
            for folder in shelves
            for item in shelf.manifests(folder)
        ]
        return content_hash([labels, versions, self._library, self._level, self._hospital])

    def _of(self, area: str) -> tuple[FoundPolicy, ...]:
        return tuple(item for item in self._by_day if item.policy.policy.region.code == area)

    def _find(self, policy: Policy, day: date | None, *, own: bool) -> Tables | NoTables:
        name, version = library_named(policy, self._library)
        version = version or self._version(name, day)
        try:
            grouper = self._grouper(policy, name, version)
        except ConfigError as error:
            # No version on that day is no reason to stop a whole year; no library at all is.
            if own and (version or not self._versions(name)):
                raise
            path = error.path or "catalogue.library"
            return NoTables(f"W_NO_LIBRARY {error}", path, policy.label)
        return Tables(
            policy,
            grouper,
            self._reference(policy.catalogue.edition, day),
            self._level,
            "" if self._level_for_all else self._hospital,
        )

    def _policy(self, day: date | None, place: str) -> Policy | None:
        if not place and self._own is not None:
            return self._own
        if day is None:
            return None
        key = (place or self._area, day)
        if key not in self._policies:
            held = in_force_on(day, self._by_day, key[0])
            self._policies[key] = held[0] if held else None
        return self._policies[key]

    def _name(self, policy: Policy) -> str:
        return (self._library or policy.catalogue.library or "").partition("@")[0]

    def _version(self, name: str, day: date | None) -> str:
        """The version in force on the day, or the only one there is; else empty."""
        held = self._versions(name)
        if day is None:
            return held[0].version if len(held) == 1 else ""
        chosen = shelf.in_force(held, day)
        return chosen.version if chosen is not None else ""

    def _grouper(self, policy: Policy, name: str, version: str) -> Grouper:
        if not version and self._versions(name):
            what = f"DIP 目录 {name} 在这一天还没有生效的版本，或病例没有写日期"
            raise ConfigError(what, path=f"library:{name}")
        key = (name, version, policy.label)
        if key not in self._groupers:
            data = load_library(self._state, name, version or None)
            self._groupers[key] = dip_grouper(data, policy)
        return self._groupers[key]

    def _versions(self, name: str) -> tuple[Manifest, ...]:
        if name not in self._manifests:
            self._manifests[name] = shelf.manifests(shelf_of(self._state, name))
        return self._manifests[name]

    def _reference(self, edition: str, day: date | None) -> Reference:
        # A case without any day is grouped without catalogues, and its warnings say so.
        if day is None:
            return Reference(date.min)
        if edition not in self._references:
            self._references[edition] = References(self._state, None, edition)
        found = self._references[edition].on(day)
        # Days that see the same tables share one object: the grouper prepares itself once for each.
        tables = (found.icd10, found.icd9cm3, found.icd10_map, found.icd9cm3_map)
        key = tuple(map(id, (*tables, found.not_principal, found.tables)))
        return self._shared.setdefault((edition, key), found)
