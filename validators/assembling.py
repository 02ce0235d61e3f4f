"""The generated function of a pack: everything read once, each rule in its own guard.

    def run(lst, ref, day_today, out, emit):
        read single fields, rows, look-ups
        for each rule of the case: if its needs are there: evaluate, else: say not checked
        for each node: for each row: the same

A rule that raises is told as not checked; the others go on.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dipgate.core import codes
from dipgate.core.errors import ConfigError
from dipgate.validators import emitting, lookups, reading
from dipgate.validators.building import READ, RESOURCES, Build
from dipgate.validators.emitting import Emitter
from dipgate.validators.language import LOOKUPS, NODES
from dipgate.validators.reading import Missing

_WORDS = (
    (reading, ("clean raw_text number moment has_minutes closed_number closed_time lack "
               "unknown show years_old days_old days_in_hospital day_of days_between "
               "minutes_between as_midnight minutes_of duration_text compact_day "
               "id_checks id_sex all_within principal_index is_empty "
               "same_as_earlier")),
    (lookups, ("same_text targets_of only_target target_list barred barred_reason "
               "national_department staff_code staff_name practises")),
    (codes, "tidy diagnosis_code procedure_code strip_marks"),
    (emitting, "plain again"),
)  # fmt: skip
_BUILTINS = {
    "len": len,
    "abs": abs,
    "enumerate": enumerate,
    "str": str,
    "set": set,
    "Exception": Exception,
}

_ATTRIBUTES = frozenset(
    {
        *("__class__", "strip", "startswith", "get", "append", "add", "toordinal"),
        *("hit", "absent", "lack", "broke"),
        *("setlinfo", "day", "names", "attributes", "entries", "code", "name", "level"),
        *("codesets", "tables"),
        *NODES,
        *LOOKUPS,
    }
)
_FORBIDDEN = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Lambda, ast.ClassDef,
              ast.Delete, ast.With, ast.Await, ast.Yield, ast.YieldFrom, ast.Starred)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One compiled part: its code, and what must be there before it runs."""

    number: int
    node: str
    """Empty for case."""
    needs: tuple[str, ...]
    since: date
    when: str
    must: str
    shown: tuple[str, ...]
    fixes: tuple[tuple[str, str], ...]
    """(condition or empty, value code; "None"-less text code) per fix."""


def assemble(build: Build, pieces: Sequence[Piece]) -> str:
    """The source text of a pack's module."""
    lines = []
    for body, name in build.functions.items():
        lines.append(f"def {name}{body}")
    for node, slots in build.slots.items():
        lines += _reader(node, slots)
    lines.append("def run(lst, ref, day_today, out, emit):")
    indented = _preamble(build, pieces)
    guards = _Guards()
    for piece in pieces:
        if not piece.node:
            indented += guards.case(piece)
    by_node: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.node:
            by_node[piece.node].append(piece)
    for node, members in by_node.items():
        indented += guards.rows(build, node, members)
    lines += ["    " + line for line in indented] + ["    return out"]
    return "\n".join(lines) + "\n"


def namespace(build: Build) -> dict[str, Any]:
    """The globals of the generated code: our readers and its constants; no builtins but six."""
    names: dict[str, Any] = {
        "__builtins__": _BUILTINS,
        "Decimal": Decimal,
        "CENT": Decimal("0.01"),
        "ZERO": Decimal("0.00"),
        "datetime": datetime,
        "Missing": Missing,
        "NOTHING": MappingProxyType({}),
        "EMPTY": (),
    }
    for module, words in _WORDS:
        names.update({word: getattr(module, word) for word in words.split()})
    names.update(build.constants)
    return names


def load(source: str, build: Build, pack: str) -> Any:
    """Run the generated module and return its `run`."""
    names = namespace(build)
    tree = ast.parse(source)
    _inspect(tree)
    # The source holds only what `translate` wrote: whitelisted operations over our own names.
    exec(compile(tree, f"<rules {pack}>", "exec"), names)  # noqa: S102
    return names["run"]


def _inspect(tree: ast.Module) -> None:
    """A second lock behind the translator: generated code may only do what ours does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in _ATTRIBUTES:
            raise ConfigError(f"规则生成的代码里有不允许的属性 {node.attr}", path="rules")
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            raise ConfigError(f"规则生成的代码里有不允许的名字 {node.id}", path="rules")
        if isinstance(node, _FORBIDDEN):
            raise ConfigError("规则生成的代码里有不允许的语句", path="rules")


def _reader(node: str, slots: Mapping[tuple[str, str], int]) -> list[str]:
    values = ", ".join(READ[form].format(get=f"g({name!r})") for name, form in slots)
    return [
        f"def read_{node}(rows):",
        "    got = []",
        "    for row in rows:",
        "        g = row.get",
        f"        got.append(({values}{',' if slots else ''}))",
        "    return got",
    ]


def _preamble(build: Build, pieces: Sequence[Piece]) -> list[str]:
    needs = dict.fromkeys(need for piece in pieces for need in piece.needs)
    nodes = dict.fromkeys([*build.nodes, *build.slots, *(need for need in needs if need in NODES)])
    lines = [
        "told = set()",
        "setlinfo = lst.setlinfo",
        "cover = lst.cover if lst.cover is not None else NOTHING",
        "on_day = ref.day.toordinal()",
    ]
    for (owner, name, form), local in build.singles.items():
        lines.append(f"{local} = " + READ[form].format(get=f"{owner}.get({name!r})"))
    for name, bound in RESOURCES.items():
        if bound and name in build.resources:
            lines.append(f"{name} = {bound}")
    for name, code in build.computed.items():
        lines.append(f"c_{name} = {code}")
    for name, local in build.codesets.items():
        lines.append(f"{local} = ref.codesets.get({name!r}, NOTHING)")
    for node in nodes:
        lines.append(f"R_{node} = lst.{node}")
    for node in build.slots:
        lines.append(f"V_{node} = read_{node}(R_{node}) if R_{node} is not None else EMPTY")
    if build.needs_principal:
        lines.append("principal_at = principal_index(lst.diseinfo)")
    for (name, form), local in build.principal.items():
        slot = build.slots["diseinfo"][(name, form)]
        blank = "''" if form in ("text", "raw") else "None"
        lines.append(
            f"{local} = V_diseinfo[principal_at][{slot}] if principal_at >= 0 else {blank}"
        )
    for local in build.memos.values():
        lines.append(f"{local} = None")
    for need in needs:
        lines.append(f"{_flag(need)} = {_presence(need)}")
    for number in range(build.seen_sets):
        lines.append(f"seen{number} = set()")
    return lines


def _flag(need: str) -> str:
    """A local's name; every character but ASCII letters and digits is spelt as its number."""
    return "has_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", need)


def _presence(need: str) -> str:
    if need in NODES:
        return f"R_{need} is not None" if need != "cover" else "lst.cover is not None"
    if need in LOOKUPS:
        return f"ref.{need} is not None"
    kind, _, name = need.partition(":")
    return f"{name!r} in ref.{'codesets' if kind == 'codeset' else 'tables'}"


class _Guards:
    """Writes the rules' code; gives each pair of (since, needs) one flag."""

    def __init__(self) -> None:
        self._flags: dict[tuple[date, tuple[str, ...]], str] = {}

    def case(self, piece: Piece) -> list[str]:
        in_force = f"on_day >= {piece.since.toordinal()}"
        there = " and ".join(_flag(need) for need in piece.needs)
        lines = self._group(piece.since, piece.needs)
        flag = self._flags[(piece.since, piece.needs)]
        lines.append(f"if {flag}:")
        lines += ["    " + line for line in _evaluate(piece, "-1")]
        if there:
            lines.append(f"elif {in_force}: {_absent(piece)}")
        return lines

    def rows(self, build: Build, node: str, pieces: Sequence[Piece]) -> list[str]:
        lines: list[str] = []
        groups: dict[str, list[Piece]] = {}
        for piece in pieces:
            lines += self._group(piece.since, piece.needs)
            flag = self._flags[(piece.since, piece.needs)]
            groups.setdefault(flag, []).append(piece)
            in_force = f"on_day >= {piece.since.toordinal()}"
            lines.append(f"if not {flag} and {in_force}: {_absent(piece)}")
        slots = build.slots.get(node, {})
        names = ", ".join(f"r_{node}_{slot}" for slot in slots.values())
        values = f"V_{node}" if slots else f"R_{node} or EMPTY"
        target = f"({names},)" if slots else "_"
        lines.append(f"for i, {target} in enumerate({values}):")
        for flag, members in groups.items():
            lines.append(f"    if {flag}:")
            for piece in members:
                lines += ["        " + line for line in _evaluate(piece, "i")]
        return lines

    def _group(self, since: date, needs: tuple[str, ...]) -> list[str]:
        key = (since, needs)
        if key in self._flags:
            return []
        self._flags[key] = f"go{len(self._flags)}"
        tests = [f"on_day >= {since.toordinal()}", *(_flag(need) for need in needs)]
        return [f"{self._flags[key]} = {' and '.join(tests)}"]


def _absent(piece: Piece) -> str:
    there = "".join(f"{_flag(need)}, " for need in piece.needs)
    return f"emit.absent(out, {piece.number}, ({there}))"


def _evaluate(piece: Piece, index: str) -> list[str]:
    number = piece.number
    test = (
        f"not {piece.must}" if piece.when in ("", "True") else f"{piece.when} and not {piece.must}"
    )
    lines = ["try:", f"    if {test}:", "        shown, fixes = None, []"]
    shown = "".join(f"{code}, " for code in piece.shown)
    lines += [
        f"        try: shown = ({shown})",
        "        except Exception: pass",
    ]
    for condition, value in piece.fixes:
        chosen = f"({value}) if {condition} else None" if condition else value
        lines += [
            f"        try: fixes.append({chosen})",
            "        except Exception: fixes.append(None)",
        ]
    lines += [
        f"        emit.hit(out, lst, {number}, {index}, shown, fixes)",
        f"except Missing as why: emit.lack(out, told, {number}, {index}, why)",
        f"except Exception: emit.broke(out, told, {number}, {index})",
    ]
    return lines


def bind(run: Any, emitter: Emitter) -> Any:
    """`run` with its emitter: (lst, ref, today, out) → out."""

    def check(lst: Any, ref: Any, today: date, out: list[Any]) -> None:
        run(lst, ref, today, out, emitter)

    return check
