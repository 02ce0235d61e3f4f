"""Policies as files: built-in, the site's own, or any path; read strictly, with overlays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path

from dipgate.config.policy_tables import TableFile, Where, check_headings, filled_tables
from dipgate.config.resources import resource
from dipgate.config.strict_model import SHOWN, LineOf, did_you_mean, path_text, read_model
from dipgate.config.strict_yaml import YamlDocument, parse_yaml
from dipgate.core.errors import ConfigError
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import PolicyCases
from dipgate.core.policy_checks import problems


@dataclass(frozen=True, slots=True)
class PolicyLayer:
    """One file of a policy: its own part of the value, and the id that it extends (or none)."""

    document: YamlDocument
    value: Mapping[str, object]
    extends: str
    tables: Mapping[Where, TableFile] = field(default_factory=dict)
    """Its CSV files by the path of the table that each fills."""


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """A policy that a site has: its own or built in, and every id that it is laid over."""

    policy: Policy
    own: bool
    extends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokenPolicy:
    """A policy file of the site that cannot be read, and the sentence that says why."""

    file: str
    text: str


MAX_BYTES = 2_000_000
MAX_OVERLAYS = 8
_AREA_DIGITS = 6
_ENDINGS = (".yaml", ".yml")


def load_policy(id_or_path: str, *, state: Path | None = None) -> Policy:
    """A policy by id (the site's own before the built-in one) or by path of a YAML file.

    `extends: ID` lays the file over another policy: sections merge, values replace, and the file
    has an id of its own. Raises ConfigError naming file, line, parameter and the nearest right
    word.
    """
    return _policy(*_merged(id_or_path, state, ()))


def merged_policy(
    id_or_path: str, *, state: Path | None = None
) -> tuple[YamlDocument, Mapping[str, object]]:
    """The policy's own file, and its plain value with all overlays laid over each other."""
    return _merged(id_or_path, state, ())


def policy_file(id_or_path: str, *, state: Path | None = None) -> str:
    """The name of a policy's own file. ConfigError where there is no such policy."""
    return _find(id_or_path, state).name


def policy_layers(id_or_path: str, *, state: Path | None = None) -> tuple[PolicyLayer, ...]:
    """The files of a policy, the topmost first: what an overlay says goes before its base."""
    return _layers(_find(id_or_path, state), state)


def worked_cases(id_or_path: str, *, state: Path | None = None) -> PolicyCases:
    """The worked cases beside a policy (`cases/<id>.yaml`), with settings and library if any."""
    source = _find(id_or_path, state)
    beside = _beside(source)
    if beside is None:
        return PolicyCases(cases=())
    document = parse_yaml(_text(beside), file=f"cases/{beside.name}")
    if isinstance(document.value, Mapping):
        return read_model(PolicyCases, document.value, file=document.file, line_of=document.line_of)
    return _listed_cases(document)


def _listed_cases(document: YamlDocument) -> PolicyCases:
    """Examples written as one list: a row with `settle` is a month or a year, any other a stay."""
    rows = document.value
    if not isinstance(rows, list):
        raise ConfigError(f"{document.file}：应为一列例子（- name: …）", path=document.file)
    places: dict[str, list[int]] = {"cases": [], "money": []}
    for place, row in enumerate(rows):
        places["money" if isinstance(row, dict) and "settle" in row else "cases"].append(place)
    whole = {kind: [rows[place] for place in found] for kind, found in places.items()}

    def line_of(path: tuple[str | int, ...]) -> int | None:
        known = places.get(str(path[0]), []) if path else []
        number = path[1] if len(path) > 1 else None
        if not isinstance(number, int) or number >= len(known):
            return None
        return document.line_of((known[number], *path[2:]))

    return read_model(PolicyCases, whole, file=document.file, line_of=line_of)


def builtin_policies() -> tuple[Policy, ...]:
    """Every policy that ships with the product, by area code and id."""
    return tuple(_policy(*_merged_document(source, None)) for source in _builtin_files())


def found_policies(state: Path | None = None) -> tuple[FoundPolicy, ...]:
    """Every policy there is, the site's own before a built-in of the same id."""
    return _unique(
        (
            *(_found(path, state, own=True) for path in _own_files(state)),
            *(_found(item, None, own=False) for item in _builtin_files()),
        )
    )


def listed_policies(
    state: Path | None = None,
) -> tuple[tuple[FoundPolicy, ...], tuple[BrokenPolicy, ...]]:
    """`found_policies` for a person: one broken file does not hide the others."""
    found: list[FoundPolicy] = []
    broken: list[BrokenPolicy] = []
    for path in _own_files(state):
        try:
            found.append(_found(path, state, own=True))
        except ConfigError as error:
            broken.append(BrokenPolicy(path.name, str(error)))
    broken += [BrokenPolicy(path.name, _misnamed(path)) for path in _own_files(state, ".yml")]
    built_in = (_found(item, None, own=False) for item in _builtin_files())
    return _unique((*found, *built_in)), tuple(broken)


def _found(source: Traversable, state: Path | None, *, own: bool) -> FoundPolicy:
    layers = _layers(source, state)
    policy = _policy(*_laid_together(layers))
    return FoundPolicy(policy, own, tuple(layer.extends for layer in layers if layer.extends))


def _unique(found: Sequence[FoundPolicy]) -> tuple[FoundPolicy, ...]:
    by_id: dict[str, FoundPolicy] = {}
    for item in found:
        by_id.setdefault(item.policy.policy.id, item)
    return tuple(by_id.values())


def policies_of(area: str, *, state: Path | None = None) -> tuple[Policy, ...]:
    """Every policy of an area, whatever its dates; the site's own before a built-in of its id."""
    return tuple(
        item.policy for item in found_policies(state) if item.policy.policy.region.code == area
    )


def policies_for(area: str, day: date, *, state: Path | None = None) -> tuple[Policy, ...]:
    """Policies of an area whose period contains the day, the latest start first.

    A policy that does not say when it starts is never found by date, only by id. An overlay goes
    before what it extends; one without an end is followed by the next. Raises ConfigError where
    two hold on the day and neither says which goes first.
    """
    return in_force_on(day, found_policies(state), area)


def in_force_on(day: date, found: Iterable[FoundPolicy], area: str) -> tuple[Policy, ...]:
    """`policies_for` among policies that are read already."""
    covering = [
        item for item in found if item.policy.policy.region.code == area and item.policy.covers(day)
    ]
    ordered = sorted(
        not_replaced(covering),
        key=lambda item: item.policy.policy.effective_from or date.min,
        reverse=True,
    )
    for later, earlier in pairwise(ordered):
        problem = overlap(later, earlier)
        if problem:
            raise ConfigError(f"地区 {area} {problem}", path="policy.effective_from")
    return tuple(item.policy for item in ordered)


def overlap(later: FoundPolicy, earlier: FoundPolicy) -> str:
    """Why two policies of an area must not stand side by side; empty where they may."""
    one, two = later.policy.policy, earlier.policy.policy
    if one.effective_from is None or two.effective_from is None:
        return ""
    if one.effective_from == two.effective_from:
        return f"有两份同日生效的政策：{one.id} 和 {two.id}"
    if two.effective_to is None or two.effective_to < one.effective_from:
        return ""
    if one.supersedes == two.id or two.id in later.extends:
        return ""
    return (
        f"的政策 {two.id} 到 {two.effective_to:%Y-%m-%d} 为止，{one.id} 从 "
        f"{one.effective_from:%Y-%m-%d} 起，有效期重叠；改 effective_to，"
        f"或在 {one.id} 写 supersedes: {two.id}"
    )


def not_replaced(found: Sequence[FoundPolicy]) -> tuple[FoundPolicy, ...]:
    """Without those in whose place an overlay stands: one that starts on the same day."""
    taken = {(base, item.policy.policy.effective_from) for item in found for base in item.extends}
    return tuple(
        item
        for item in found
        if (item.policy.policy.id, item.policy.policy.effective_from) not in taken
    )


def policy_in_force(
    day: date,
    *,
    area: str,
    named: str = "",
    insured_place: str = "",
    agreed_areas: Sequence[str] = (),
    state: Path | None = None,
) -> Policy | None:
    """The policy by which a stay is paid: by the settlement day and the insured place.

    `area` is the hospital's own, whose policy may be `named`. A stay insured in one of the
    `agreed_areas`, or in a county of one (`990203` in `990200`), is paid by that area's policy;
    where that area has none on the day the answer is None, never the hospital's own.
    """
    agreed = area_among(insured_place, agreed_areas)
    if agreed:
        found = policies_for(agreed, day, state=state)
        return found[0] if found else None
    if named:
        policy = load_policy(named, state=state)
        return policy if policy.holds_on(day) else None
    found = policies_for(area, day, state=state)
    return found[0] if found else None


def area_among(place: str, areas: Sequence[str]) -> str:
    """The area that a place is or lies in: itself first, then its city; empty for none."""
    for code in (place, f"{place[:4]}00"):
        if len(place) == _AREA_DIGITS and code in areas:
            return code
    return ""


def _merged(
    id_or_path: str, state: Path | None, seen: tuple[str, ...]
) -> tuple[YamlDocument, Mapping[str, object]]:
    return _merged_document(_find(id_or_path, state), state, seen)


def _merged_document(
    source: Traversable, state: Path | None, seen: tuple[str, ...] = ()
) -> tuple[YamlDocument, Mapping[str, object]]:
    return _laid_together(_layers(source, state, seen))


def _laid_together(
    layers: Sequence[PolicyLayer],
) -> tuple[YamlDocument, Mapping[str, object]]:
    value: Mapping[str, object] = {}
    for layer in reversed(layers):
        value = _laid_over(value, layer.value)
    for layer in layers:
        if layer.tables:
            check_headings(layer.tables, _price_keys(value))
    return layers[0].document, value


def _price_keys(value: Mapping[str, object]) -> list[str] | None:
    """The columns of the point values, as `point_value` of pregrouper.price reads them."""
    money = value.get("settlement")
    spec = money.get("point_value") if isinstance(money, Mapping) else None
    for keys in (
        money.get("price_keys") if isinstance(money, Mapping) else None,
        spec.get("keys") if isinstance(spec, Mapping) else None,
    ):
        if isinstance(keys, list):
            return [str(key) for key in keys]
    return None


def _layers(
    source: Traversable, state: Path | None, seen: tuple[str, ...] = ()
) -> tuple[PolicyLayer, ...]:
    """The file itself, then what it extends, and so on down."""
    name = str(source)
    if name in seen or len(seen) >= MAX_OVERLAYS:
        raise ConfigError(f"{source.name}：extends 绕成了圈或层数过多", path="extends")
    document = parse_yaml(_text(source), file=source.name)
    if not isinstance(document.value, dict):
        raise ConfigError(f"{source.name}：政策文件应为一组键和值", path=source.name)
    value: dict[str, object] = dict(document.value)
    header = value.get("policy")
    said = header.get("id") if isinstance(header, Mapping) else None
    if said is not None:
        _check_name(source, said, state)
    base = value.pop("extends", None)
    tables: dict[Where, TableFile] = {}
    filled = filled_tables(value, source, document, tables)
    if base is None:
        return (PolicyLayer(document, filled, "", tables),)
    if not isinstance(base, str):
        raise ConfigError(f"{source.name}：extends 应写一个政策编号", path="extends")
    below = _layers(_find(base, state), state, (*seen, name))
    if said is None:
        raise ConfigError(
            f"{source.name}：叠加文件要有自己的编号，否则结果上写的是 {base} 的；"
            f"写 policy: {{id: {Path(source.name).stem}}}",
            path="policy.id",
        )
    return (PolicyLayer(document, filled, base, tables), *below)


def _check_name(source: Traversable, said: object, state: Path | None) -> None:
    """A site's policy is found by its file name, so the id in it must be the same."""
    if state is None or not isinstance(source, Path) or source.parent != state / "policies":
        return
    if said != source.stem:
        raise ConfigError(
            f"{source.name}：policy.id 是 {said!r}，应与文件名相同；写 id: {source.stem}，"
            f"或把文件改名为 {said}.yaml",
            path="policy.id",
        )


def _laid_over(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _laid_over(below, value)
        else:
            merged[key] = value
    return merged


def read_policy(value: object, *, file: str, line_of: LineOf | None = None) -> Policy:
    """Plain value → policy whose words, shapes and sums are checked; all mistakes in one error."""
    policy = read_model(Policy, value, file=file, line_of=line_of)
    found = list(problems(policy))
    if found:
        sentences = []
        for path, text in found[:SHOWN]:
            line = line_of(path) if line_of is not None else None
            place = f"第{line}行 " if line is not None else ""
            sentences.append(f"{place}{path_text(path)} {text}")
        if len(found) > SHOWN:
            sentences.append(f"另有 {len(found) - SHOWN} 处")
        raise ConfigError(f"{file}：" + "；".join(sentences), path=path_text(found[0][0]))
    return policy


def _policy(document: YamlDocument, value: Mapping[str, object]) -> Policy:
    return read_policy(value, file=document.file, line_of=document.line_of)


def _find(id_or_path: str, state: Path | None) -> Traversable:
    if _is_path(id_or_path):
        path = Path(id_or_path)
        if not path.is_file():
            raise ConfigError(f"没有政策文件 {id_or_path}", path=id_or_path)
        _check_ending(path)
        return path
    if state is not None:
        own = state / "policies" / f"{id_or_path}.yaml"
        if own.is_file():
            return own
    known = {source.name.removesuffix(".yaml"): source for source in _builtin_files()}
    if id_or_path in known:
        return known[id_or_path]
    misnamed = {path.stem: path for path in _own_files(state, ".yml")}
    if id_or_path in misnamed:
        raise ConfigError(_misnamed(misnamed[id_or_path]), path="policy.id")
    if Path(id_or_path).is_file():
        _check_ending(Path(id_or_path))
    known |= {path.stem: path for path in _own_files(state)}
    raise ConfigError(f"没有政策 {id_or_path!r}{did_you_mean(id_or_path, known)}", path="policy.id")


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(_ENDINGS)


def _check_ending(path: Path) -> None:
    if not path.name.endswith(_ENDINGS):
        raise ConfigError(
            f"{path} 是一个文件，但不是政策文件；政策文件是 YAML，以 .yaml 结尾", path=str(path)
        )


def _builtin_files() -> Iterator[Traversable]:
    root = resource("policies")
    if not root.is_dir():
        return
    for area in sorted(root.iterdir(), key=lambda item: item.name):
        if not area.is_dir():
            continue
        for item in sorted(area.iterdir(), key=lambda item: item.name):
            if item.name.endswith(".yaml"):
                yield item


def _own_files(state: Path | None, ending: str = ".yaml") -> Iterator[Path]:
    folder = state / "policies" if state is not None else None
    if folder is not None and folder.is_dir():
        yield from sorted(folder.glob(f"*{ending}"))


def _misnamed(path: Path) -> str:
    return f"找到 {path.name}，政策文件要以 .yaml 结尾；把文件改名为 {path.stem}.yaml"


def _beside(source: Traversable) -> Traversable | None:
    if isinstance(source, Path):
        path = source.parent / "cases" / source.name
        return path if path.is_file() else None
    for area in resource("policies").iterdir():
        if area.is_dir() and area.joinpath(source.name).is_file():
            found = area.joinpath("cases", source.name)
            return found if found.is_file() else None
    return None


def _text(source: Traversable) -> str:
    data = source.read_bytes()
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{source.name} 太大（超过 {MAX_BYTES} 字节）", path=source.name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{source.name} 不是 UTF-8 编码；用编辑器另存为 UTF-8", path=source.name
        ) from error
