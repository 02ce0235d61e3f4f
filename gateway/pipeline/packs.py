"""The rule packs that hold for a library edition, compiled."""

from __future__ import annotations

from collections.abc import Sequence

from dipgate.config.rules import load_pack, pack_ids, rule_world
from dipgate.validators import Pack, compile_pack, function_rules

FALLBACK = "dip-2.0"


def default_pack_names(edition: str) -> tuple[str, ...]:
    """`base`, and the pack of the edition of the DIP library in use.

    Edition 1.0 had no list of its own: its libraries use the principal-diagnosis list of 2.0.
    """
    own = f"dip-{edition}"
    return ("base", own if own in pack_ids() else FALLBACK)


def compiled_packs(names: Sequence[str]) -> tuple[Pack, ...]:
    """Built-in packs by name. Raises ConfigError for an unknown one."""
    world = rule_world()
    return tuple(
        compile_pack(load_pack(name), function_rules(name), world, pack=name) for name in names
    )


def day_rules(packs: Sequence[Pack]) -> frozenset[str]:
    """Rules whose answer on the same list can change from one day to the next."""
    return frozenset().union(*(pack.day_rules for pack in packs))
