"""A policy examined as a whole: what it lacks, where it jumps, whether its worked cases hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from dipgate.config.libraries import load_library
from dipgate.config.policies import (
    FoundPolicy,
    PolicyLayer,
    listed_policies,
    load_policy,
    not_replaced,
    overlap,
    policy_layers,
    worked_cases,
)
from dipgate.config.policy_set import with_settings
from dipgate.config.policy_show import unsourced
from dipgate.config.references import References
from dipgate.core.errors import ConfigError
from dipgate.core.policy import Policy
from dipgate.core.policy_records import recorded_in
from dipgate.core.reference import Reference
from dipgate.pregrouper import Library, compile_library
from dipgate.pregrouper.policy_needs import Need, missing_parameters
from dipgate.pregrouper.review import ERROR, WARNING, Edge, PolicyNote, edges, review
from dipgate.pregrouper.worked import run_example, run_money_example

_PERIOD = "policy.effective_from"
_PART = re.compile(r"\[\d+\]|[^.\[\]]+")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One worked case: its differences; empty when it holds."""

    name: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyReport:
    policy: Policy
    files: tuple[str, ...]
    day: date
    notes: tuple[PolicyNote, ...]
    places: Mapping[str, str]
    """File and line of a note's path, as far as it stands in a file."""
    missing: tuple[Need, ...]
    recorded: tuple[tuple[str, str], ...]
    """Paths that the policy states and nothing reads, each with what it is."""
    edges: tuple[Edge, ...]
    cases: tuple[CaseRun, ...]
    not_run: int
    """Worked cases that need a library that is not there."""

    @property
    def refused(self) -> bool:
        """Something is wrong, not merely missing: the policy must not be used as it is."""
        wrong = any(note.level == ERROR for note in self.notes)
        return wrong or any(case.differences for case in self.cases)


def examine(
    id_or_path: str, *, state: Path | None, today: date, day: date | None = None
) -> PolicyReport:
    """Everything about one policy as it stands on `day`; by default a day on which it holds."""
    policy = load_policy(id_or_path, state=state)
    day = day or _day_of(policy, today)
    library, problem = _library(policy, state, day)
    layers = policy_layers(id_or_path, state=state)
    notes = [*review(policy, day, library), *problem, *_periods(policy, layers, state)]
    notes += _bare_overlay(id_or_path, state, {note.path for note in notes})
    runs, not_run = _run_cases(id_or_path, library, state)
    return PolicyReport(
        policy=policy,
        files=tuple(layer.document.file for layer in layers),
        places={note.path: place for note in notes if (place := _place(note.path, layers))},
        day=day,
        notes=tuple(sorted(notes, key=lambda note: note.level != ERROR)),
        missing=missing_parameters(policy, day),
        recorded=recorded_in(policy),
        edges=edges(policy, day),
        cases=runs,
        not_run=not_run,
    )


def _bare_overlay(id_or_path: str, state: Path | None, told: set[str]) -> Iterator[PolicyNote]:
    """Numbers of an overlay in a section whose `src` is only the base's."""
    rows = unsourced(id_or_path, state=state)
    for section in dict.fromkeys(row.path.partition(".")[0] for row in rows):
        bare = [row for row in rows if row.path.startswith(f"{section}.")]
        if f"{section}.src" in told:
            continue
        more = f" 等 {len(bare)} 处" if len(bare) > _SHOWN else ""
        shown = "、".join(f"{row.path}（{row.file}:{row.line}）" for row in bare[:_SHOWN])
        text = f"叠加文件里有数字没有写依据，底下文件的 src 不算它的依据：{shown}{more}"
        yield PolicyNote(WARNING, f"{section}.src", text)


def _place(path: str, layers: Sequence[PolicyLayer]) -> str:
    """The file that says something at the path, or nearest above it, and the line.

    A period is the policy's own to change, wherever it is inherited from.
    """
    if path == _PERIOD:
        own = layers[0].document
        line = own.line_of(("policy", "effective_from"))
        return own.file if line is None else f"{own.file} 第{line}行"
    parts = tuple(
        int(part) if part.isdigit() and bracket else part
        for bracket, part in ((item[0] == "[", item.strip("[]")) for item in _PART.findall(path))
    )
    for length in range(len(parts), 1, -1):
        for layer in layers:
            line = layer.document.lines.get(parts[:length])
            if line is not None:
                return f"{layer.document.file} 第{line}行"
    return ""


def _run_cases(
    id_or_path: str, library: Library | None, state: Path | None
) -> tuple[tuple[CaseRun, ...], int]:
    """The worked cases that can run here, by the policy with the settings that they bring."""
    worked = worked_cases(id_or_path, state=state)
    policy = with_settings(id_or_path, worked.settings, state)
    runs = [CaseRun(item.name, run_money_example(item, policy)) for item in worked.money]
    bench = worked.library
    if bench is not None:
        library = compile_library(bench.data(policy.policy.id), policy)
    if library is None:
        return tuple(runs), len(worked.cases)
    references = References(state, None) if bench is None and state is not None else None
    for item in worked.cases:
        day = item.settled_on
        # A bench brings codes and dictionary of its own; a site's catalogues know others.
        reference = references.on(day) if references is not None else Reference(day)
        runs.append(CaseRun(item.name, run_example(item, library, policy, reference)))
    return tuple(runs), 0


def _day_of(policy: Policy, today: date) -> date:
    first = policy.policy.effective_from
    return today if policy.holds_on(today) or first is None else first


def _library(
    policy: Policy, state: Path | None, day: date
) -> tuple[Library | None, tuple[PolicyNote, ...]]:
    path, named = "catalogue.library", policy.catalogue.library
    if named is None:
        return None, ()
    if state is None:
        text = f"没有指定状态目录，没有对照目录 {named}；用 --state 指定"
        return None, (PolicyNote(WARNING, path, text),)
    name, _, version = named.partition("@")
    try:
        data = load_library(state, name, version or None, day)
        return compile_library(data, policy), ()
    except ConfigError as error:
        return None, (PolicyNote(WARNING, path, f"用不了目录 {named}：{error}"),)


def _periods(
    policy: Policy, layers: Sequence[PolicyLayer], state: Path | None
) -> Iterator[PolicyNote]:
    """How the policy stands beside the other policies of its area."""
    area, name = policy.policy.region.code, policy.policy.id
    if policy.policy.effective_from is None:
        yield PolicyNote(WARNING, _PERIOD, "没有生效日期：只能用 --policy 或站点文件指名使用")
        return
    readable, broken = listed_policies(state)
    for file in broken:
        text = f"政策文件 {file.file} 读不出来，没有核对与它的有效期：{file.text}"
        yield PolicyNote(WARNING, _PERIOD, text)
    others = [
        item
        for item in readable
        if item.policy.policy.region.code == area and item.policy.policy.id != name
    ]
    below = tuple(layer.extends for layer in layers if layer.extends)
    here = FoundPolicy(policy, own=True, extends=below)
    placed = [item for item in (*others, here) if item.policy.policy.effective_from is not None]
    placed.sort(key=lambda item: item.policy.policy.effective_from or date.min)
    for earlier, later in pairwise(not_replaced(placed)):
        if here not in (earlier, later):
            continue
        problem = overlap(later, earlier)
        if problem:
            yield PolicyNote(ERROR, _PERIOD, f"地区 {area} {problem}")
            continue
        end, start = earlier.policy.policy.effective_to, later.policy.policy.effective_from
        if end is not None and start is not None and start - end > timedelta(days=1):
            between = _covering(placed, end + timedelta(days=1))
            yield PolicyNote(
                WARNING if between else ERROR,
                _PERIOD,
                f"有效期有空档：{earlier.policy.policy.id} 到 {end:%Y-%m-%d}，"
                f"{later.policy.policy.id} 从 {start:%Y-%m-%d} 起，中间"
                + (f"按 {between} 执行，请确认" if between else "没有政策"),
            )


def _covering(placed: Sequence[FoundPolicy], day: date) -> str:
    """The policy that holds on a day behind another's end: perhaps what that one extends."""
    found = [item.policy.policy.id for item in placed if item.policy.covers(day)]
    return found[-1] if found else ""
