"""House rules that a reader of the syntax tree can check; each with a canary that breaks it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOPS = ("gateway", "adapters", "config", "pregrouper", "sync", "validators")
BARE = {"adapters", "config", "gateway", "pregrouper", "sync", "validators", "packaging_"}
PURE = ("gateway/core", "gateway/mapping", "validators", "pregrouper")

Check = Callable[[ast.AST], str | None]


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, or empty text."""
    if not isinstance(node, ast.Call):
        return ""
    parts = []
    target: ast.AST = node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    parts.append(target.id if isinstance(target, ast.Name) else "?")
    return ".".join(reversed(parts))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


def reads_the_clock(node: ast.AST) -> str | None:
    name = called(node)
    tail = name.rpartition(".")
    if tail[2] in ("now", "today", "utcnow") and tail[0].rpartition(".")[2] in (
        "datetime",
        "date",
        "dt",
    ):
        return f"{name}(): take the time from the Clock that is passed in"
    if name in ("time.time", "time.localtime", "time.gmtime", "time.time_ns"):
        return f"{name}(): take the time from the Clock that is passed in"
    return None


def imports_a_bare_folder(node: ast.AST) -> str | None:
    for name in imported(node):
        if name.split(".")[0] in BARE:
            return f"import {name}: the package is dipgate.{name}"
    return None


def uses_a_dangerous_tool(node: ast.AST) -> str | None:
    for name in imported(node):
        if name.split(".")[0] in {"pickle", "marshal", "shelve", "dill"}:
            return f"import {name}: foreign bytes must never become objects"
    name = called(node)
    if name in ("eval", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp"):
        return f"{name}()"
    if name.endswith(".extractall") or name in ("os.system", "os.popen"):
        return f"{name}()"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg == "shell" and value is True:
                return "shell=True"
            if keyword.arg == "verify" and value is False:
                return "verify=False"
    return None


def decodes_with_losses(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    lossy = {"ignore", "replace"}
    name = called(node).rpartition(".")[2]
    if name == "decode" and len(node.args) > 1:
        second = node.args[1]
        if isinstance(second, ast.Constant) and second.value in lossy:
            return f"decode(…, {second.value!r}): decode strictly"
    for keyword in node.keywords:
        if keyword.arg == "errors" and isinstance(keyword.value, ast.Constant):
            if keyword.value.value in lossy and name in ("decode", "open", "read_text", "str"):
                return f"errors={keyword.value.value!r}: decode strictly"
    return None


def catches_everything(node: ast.AST) -> str | None:
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "bare except: catch only where you act on it"
    return None


def star_import(node: ast.AST) -> str | None:
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return f"from {node.module} import *"
    return None


def generic_yaml_or_pandas(node: ast.AST) -> str | None:
    for name in imported(node):
        if name.split(".")[0] in {"pandas", "numpy", "polars"}:
            return f"import {name}: not a dependency of the core"
    return None


def words_of_the_system(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute) and node.attr == "strerror":
        return "strerror is English: say it with core/system_words.py"
    return None


CHECKS: dict[str, tuple[Check, str]] = {
    "clock": (reads_the_clock, "datetime.now(tz)"),
    "bare folder": (imports_a_bare_folder, "from config import settings"),
    "dangerous": (uses_a_dangerous_tool, "import pickle"),
    "lossy": (decodes_with_losses, "data.decode('utf-8', errors='replace')"),
    "bare except": (catches_everything, "try:\n    pass\nexcept:\n    pass"),
    "star": (star_import, "from x import *"),
    "heavy": (generic_yaml_or_pandas, "import pandas as pd"),
    "strerror": (words_of_the_system, "f'{error.strerror}'"),
}
EXCUSED = {
    ("clock", "gateway/service"),
    ("heavy", "pregrouper/fast"),
    ("strerror", "gateway/core/system_words.py"),
}
"""The one system clock lives in the service; the extra `[fast]` computes with numpy."""


def source_files(checkout: Path) -> Iterator[Path]:
    for top in TOPS:
        for path in sorted((checkout / top).rglob("*.py")):
            if "__pycache__" not in path.parts:
                yield path


def violations(check: Check, source: str) -> list[str]:
    return [
        f"{getattr(node, 'lineno', 0)}: {text}"
        for node in ast.walk(ast.parse(source))
        if (text := check(node))
    ]


@pytest.mark.parametrize("habit", CHECKS)
def test_the_code_keeps_the_habit(checkout: Path, habit: str) -> None:
    check, _ = CHECKS[habit]
    found = []
    for path in source_files(checkout):
        where = path.relative_to(checkout).as_posix()
        if any(habit == name and where.startswith(folder) for name, folder in EXCUSED):
            continue
        found += [f"{where}:{text}" for text in violations(check, path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("habit", CHECKS)
def test_the_check_of_the_habit_finds_its_canary(habit: str) -> None:
    check, canary = CHECKS[habit]
    assert violations(check, canary)


def test_adapters_and_rules_are_pure_of_environment(checkout: Path) -> None:
    """Pure packages read no environment (the import contracts cover files and sockets)."""
    excused = {"gateway/core/faults.py"}
    found = []
    for path in source_files(checkout):
        where = path.relative_to(checkout).as_posix()
        if where.startswith(PURE) and where not in excused:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if set(imported(node)) & {"os", "sys", "subprocess", "shutil", "tempfile"}:
                    found.append(f"{where}:{getattr(node, 'lineno', 0)}")
    assert found == []


def test_every_module_begins_with_what_it_is(checkout: Path) -> None:
    empty = [
        path.relative_to(checkout).as_posix()
        for path in source_files(checkout)
        if (source := path.read_text(encoding="utf-8")).strip()
        and not ast.get_docstring(ast.parse(source))
    ]
    assert empty == []


def test_the_list_of_fault_points_is_used(checkout: Path) -> None:
    """A point that nobody passes would make its kill test pass for nothing."""
    from dipgate.core.faults import FaultPoint

    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in source_files(checkout)
        if path.name != "faults.py"
    )
    for point in FaultPoint:
        assert f"FaultPoint.{point.name}" in text, point.name
