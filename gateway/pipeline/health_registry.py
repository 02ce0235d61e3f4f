"""The check of wards and people: somebody new works here, or somebody who left is still named."""

from __future__ import annotations

from collections.abc import Iterator

from dipgate.pipeline.health_facts import Check, Facts, Grade


def registry(facts: Facts) -> Iterator[Check]:
    """The registry knows every ward and person of the lists that have not left."""
    found = facts.registry
    if found.items:
        yield Check(
            "registry",
            "科室与人员",
            Grade.LOOK,
            f"{found.items} 个科室或人员登记册不认识，牵涉 {found.lists} 份没传的清单",
            "到“科室与人员”登记一次，等着的清单一起改",
        )
    elif found.proposed:
        yield Check(
            "registry",
            "科室与人员",
            Grade.LOOK,
            f"{found.proposed} 条登记建议等批准",
            "到“科室与人员”的“待批准”里决定",
        )
    else:
        yield Check("registry", "科室与人员", Grade.OK, "清单里的科室和人员登记册都认识")
