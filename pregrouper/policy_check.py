"""Words of a policy's grouping section that must be known before a library is compiled."""

from __future__ import annotations

from dipgate.core.errors import ConfigError
from dipgate.core.policy import Policy
from dipgate.pregrouper.conditions import conditions_of, read_condition
from dipgate.pregrouper.keys import COMPREHENSIVE_KEYS, DIAGNOSIS_KEYS
from dipgate.pregrouper.selectors import SELECTORS

LAYERS = ("pre", "merge", "aux_split", "base", "core", "basic", "comprehensive", "blank")
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("exclusions.dx_list", ("exact", "n/a")),
    ("exclusions.op_list", ("exact", "drop", "n/a")),
    ("exclusions.on_conservative_main", ("conservative", "promote_next", "n/a")),
    ("op_type.interventional_as", ("手术", "治疗性操作", "诊断性操作")),
    ("op_type.case_type_from", ("principal", "max_of_all")),
    ("op_type.simple_op", ("no_attribute", "incision0_and_level_lt3")),
    ("comprehensive.floor", ("none", "n/a", "blank", "chapter_first")),
    ("bx_tie", ("ambiguous", "first", "max_score", "closest_fee")),
)


def check_policy(policy: Policy) -> None:
    """Raises ConfigError that names the path of the first word that nobody knows."""
    rules = policy.grouping
    for name in rules.select or ():
        SELECTORS.named(name, "grouping.select")
    for key in rules.dx_keys or ():
        DIAGNOSIS_KEYS.named(key, "grouping.dx_keys")
    for key in rules.comprehensive.keys or ():
        COMPREHENSIVE_KEYS.named(key, "grouping.comprehensive.keys")
    if rules.dx_keys is None:
        raise ConfigError("政策没有写 grouping.dx_keys，不能入组", path="grouping.dx_keys")
    strange = [layer for layer in rules.layers or () if layer not in LAYERS]
    if strange:
        raise ConfigError(
            f"grouping.layers 含有 {strange[0]!r}；可用的层：{'、'.join(LAYERS)}",
            path="grouping.layers",
        )
    if rules.layers is None:
        raise ConfigError("政策没有写 grouping.layers，不能入组", path="grouping.layers")
    for path, known in _WORDS:
        value: object = rules
        for name in path.split("."):
            value = getattr(value, name)
        if value is not None and value not in known:
            raise ConfigError(
                f"参数 grouping.{path}：{value!r} 不认识；可用：{'、'.join(known)}",
                path=f"grouping.{path}",
            )
    _check_positions(policy)
    for path, text in conditions_of(policy):
        if path.startswith("auxiliary."):
            read_condition(text, path)


def _check_positions(policy: Policy) -> None:
    wanted = policy.grouping.pre_any_position
    if wanted is None or wanted == ("all",):
        return
    strange = [item for item in wanted if not item.isdigit()]
    if strange:
        raise ConfigError(
            f"参数 grouping.pre_any_position：{strange[0]!r} 应为 all，或先期分组的序号列表",
            path="grouping.pre_any_position",
        )
