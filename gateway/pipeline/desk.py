"""What every stage works with: the store, the site, and the catalogues as of a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Lock

from dipgate.config.evidence import evidence_tables
from dipgate.config.libraries import library_named, load_library
from dipgate.config.policies import policy_in_force
from dipgate.config.references import References
from dipgate.config.settings import Site
from dipgate.core.clock import CHINA, Clock
from dipgate.core.errors import ConfigError
from dipgate.core.evidence import EvidenceTables
from dipgate.core.grouper import Grouper, MakeGrouper
from dipgate.core.hashing import content_hash
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pipeline.code_shelf import CodeShelf
from dipgate.pipeline.forms import ListForms
from dipgate.pipeline.packs import compiled_packs, default_pack_names
from dipgate.pregrouper import DipGrouper, Library, dip_grouper
from dipgate.store import Store
from dipgate.validators import Pack


@dataclass
class Desk:
    """One opened state folder with its site. Holds caches of compiled, immutable things only."""

    store: Store
    site: Site
    references: References
    clock: Clock
    actor: str
    codes: CodeShelf = field(default_factory=CodeShelf)
    """Indexes of the code search, built when first asked for."""
    forms: ListForms = field(default_factory=ListForms)
    """Chinese names of list fields and the official layout, read when first asked for."""
    home: Path | None = None
    """Folder of libraries and policies, where it is not the store's (past months)."""
    make_grouper: MakeGrouper = dip_grouper
    """What compiles an imported library; a payment other than DIP brings its own."""
    _renewing: Lock = field(default_factory=Lock)
    _packs: dict[str, tuple[Pack, ...]] = field(default_factory=dict)
    _groupers: dict[tuple[str, str], Grouper] = field(default_factory=dict)
    _policies: dict[tuple[date, str], Policy | None] = field(default_factory=dict)
    _by_digest: dict[str, Policy] = field(default_factory=dict)
    _versions: dict[tuple[object, ...], str] = field(default_factory=dict)
    _evidence: list[EvidenceTables] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The state folder that holds libraries and policies."""
        return self.home or self.store.state

    def today(self) -> date:
        return self.clock.now().astimezone(CHINA).date()

    def reference(self, day: date | None) -> Reference:
        """Catalogues as of the settlement day; of today when the list does not say its day."""
        return self.references.on(day or self.today())

    def renew(self, change: Callable[[References], References] = References.renewed) -> None:
        """See catalogues, registries and code maps as they stand now, after one has changed.

        `change` makes the new look-ups of those held; threads that renew do so one after another,
        so that none brings back what another has replaced. Raises ConfigError for a damaged file.
        """
        with self._renewing:
            self.references = change(self.references)

    def follow(self) -> bool:
        """Before a piece of work: see catalogues imported since, whoever did it; were there any?

        Raises ConfigError for a damaged file; the look-ups of before stay in use then.
        """
        if not self.references.out_of_date():
            return False
        self.renew(lambda held: held.renewed() if held.out_of_date() else held)
        return True

    def packs(self, edition: str) -> tuple[Pack, ...]:
        """The default rule packs for a library edition: `base` and `dip-<edition>`."""
        if edition not in self._packs:
            self._packs[edition] = compiled_packs(default_pack_names(edition))
        return self._packs[edition]

    def verdict_version(self, ref: Reference, day: date | None) -> str:
        """Version key of a judgement: rule packs, catalogues, and the policies with libraries."""
        policies = self._policies_on(day)
        digests = "".join(policy.digest for policy in policies)
        key = (ref.day, digests, *ref.versions.items())
        if key not in self._versions:
            packs = [pack.version for pack in self.packs(ref.edition)]
            libraries = [policy.catalogue.library or "" for policy in policies]
            parts = [packs, dict(ref.versions), ref.edition, digests, libraries]
            self._versions[key] = content_hash(parts)[:16]
        return self._versions[key]

    def _policies_on(self, day: date | None) -> tuple[Policy, ...]:
        """The own area's policy and those of the agreed areas, as far as there are any."""
        found = [self.policy(day, place) for place in ("", *self.site.policy.agreed_areas)]
        return tuple(policy for policy in found if policy is not None)

    def policy(self, day: date | None, insured_place: str = "") -> Policy | None:
        """The policy in force on the settlement day for that insured place; None for none.

        A policy named in the site file is the own area's for every day that its dates allow.
        Raises ConfigError when two policies of an area start on the same day.
        """
        on = day or self.today()
        agreed = self.site.policy.agreed_areas
        key = (on, insured_place if agreed else "")
        if key not in self._policies:
            found = policy_in_force(
                on,
                area=self.site.hospital.area_code,
                named=self.site.policy.id,
                insured_place=insured_place,
                agreed_areas=agreed,
                state=self.folder,
            )
            if found is not None:
                # Years have many days and few policies: each is held once.
                found = self._by_digest.setdefault(found.digest, found)
            self._policies[key] = found
        return self._policies[key]

    def grouper(self, policy: Policy, day: date | None) -> Grouper:
        """The policy's library ready to group by. Raises ConfigError when it is missing."""
        name, version = library_named(policy)
        key = (f"{name}@{version}@{day if not version else ''}", policy.digest)
        if key not in self._groupers:
            data = load_library(self.folder, name, version or None, day=day)
            self._groupers[key] = self.make_grouper(data, policy)
        return self._groupers[key]

    def library(self, policy: Policy, day: date | None) -> Library:
        """The DIP library behind `grouper`, for what only DIP knows; else ConfigError."""
        found = self.grouper(policy, day)
        if not isinstance(found, DipGrouper):
            raise ConfigError(f"目录 {found.label} 不是 DIP 目录", path="catalogue.library")
        return found.library

    def evidence(self) -> EvidenceTables:
        """What in a record supports a principal diagnosis or operation, of every day."""
        if not self._evidence:
            self._evidence.append(evidence_tables(self.folder))
        return self._evidence[0]

    def fill(self) -> Mapping[str, str]:
        """Fixed list fields of this site (reporting department and person, bureau names)."""
        return self.site.fill
