"""Words of a policy's grouping section that must be known before a library is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from dipgate.core.errors import ConfigError
from dipgate.core.policy import Policy
from dipgate.pregrouper.conditions import conditions_of, read_condition
from dipgate.pregrouper.keys import COMPREHENSIVE_KEYS, DIAGNOSIS_KEYS
from dipgate.pregrouper.registry import unknown_word
from dipgate.pregrouper.selectors import SELECTORS

ABSENT = "n/a"
LAYERS = ("pre", "merge", "aux_split", "base", "core", "basic", "comprehensive", "blank")
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("exclusions.dx_list", ("exact", ABSENT)),
    ("exclusions.op_list", ("exact", "drop", ABSENT)),
    ("exclusions.on_conservative_main", ("conservative", "promote_next", ABSENT)),
    ("op_type.interventional_as", ("手术", "治疗性操作", "诊断性操作")),
    ("op_type.case_type_from", ("principal", "max_of_all")),
    ("op_type.simple_op", ("no_attribute", "incision0_and_level_lt3")),
    ("comprehensive.floor", ("none", ABSENT, "blank", "chapter_first")),
    ("bx_tie", ("ambiguous", "first", "max_score", "closest_fee")),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a policy, the words that stand there, and those that it may have."""

    path: str
    words: tuple[str | None, ...]
    known: tuple[str, ...]
    what: str = "写法"


def strange_words(keys: Iterable[Key]) -> Iterator[tuple[str, str]]:
    """Path and sentence for each word that nobody knows; a key that is not written has none."""
    for key in keys:
        for word in key.words:
            if word is not None and word not in key.known:
                yield key.path, unknown_word(key.what, word, key.known)


def grouping_keys(policy: Policy) -> Iterator[Key]:
    """Every key of the grouping section that takes words."""
    rules = policy.grouping
    for path, words, registry in (
        ("grouping.select", rules.select, SELECTORS),
        ("grouping.dx_keys", rules.dx_keys, DIAGNOSIS_KEYS),
        ("grouping.comprehensive.keys", rules.comprehensive.keys, COMPREHENSIVE_KEYS),
    ):
        yield Key(path, words or (), tuple(registry), registry.what)
    yield Key("grouping.layers", rules.layers or (), LAYERS, "层次")
    for path, known in _WORDS:
        yield Key(f"grouping.{path}", (attrgetter(path)(rules),), known)


def check_policy(policy: Policy) -> None:
    """Raises ConfigError that names the path of the first word that nobody knows."""
    for path, text in strange_words(grouping_keys(policy)):
        raise ConfigError(f"参数 {path}：{text}", path=path)
    if policy.grouping.dx_keys is None:
        raise ConfigError("政策没有写 grouping.dx_keys，不能入组", path="grouping.dx_keys")
    if policy.grouping.layers is None:
        raise ConfigError("政策没有写 grouping.layers，不能入组", path="grouping.layers")
    for path, text in strange_positions(policy):
        raise ConfigError(f"参数 {path}：{text}", path=path)
    for path, text in conditions_of(policy):
        if path.startswith("auxiliary."):
            read_condition(text, path)


def strange_positions(policy: Policy) -> Iterator[tuple[str, str]]:
    """What is no number of a pre-group, where groups may match at any position."""
    wanted = policy.grouping.pre_any_position or ()
    strange = [item for item in wanted if not item.isdigit()]
    if strange and wanted != ("all",):
        text = f"{strange[0]!r} 应为 all，或先期分组的序号列表"
        yield "grouping.pre_any_position", text
