"""DIP's insides stay inside `pregrouper/`: the rest imports its public names only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dipgate import pregrouper

PACKAGE = "dipgate.pregrouper"
TOPS = ("gateway", "adapters", "config", "sync", "validators")


def offences(source: str) -> list[str]:
    """Imports of `dipgate.pregrouper` that are not of a public name or of a public module."""
    return [text for node in ast.walk(ast.parse(source)) for text in _imports(node)]


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith(PACKAGE))
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(PACKAGE):
        return
    module, names = (node.module or "")[len(PACKAGE) + 1 :], [alias.name for alias in node.names]
    if not module:
        public = (*pregrouper.__all__, *pregrouper.PUBLIC_MODULES)
        yield from (name for name in names if name not in public)
    elif module not in pregrouper.PUBLIC_MODULES:
        yield module
    else:
        yield from (f"{module}.{name}" for name in names if name.startswith("_"))


def test_the_rest_of_the_program_imports_public_names_only(checkout: Path) -> None:
    found = [
        f"{path.relative_to(checkout)}: {text}"
        for top in TOPS
        for path in sorted((checkout / top).rglob("*.py"))
        for text in offences(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "pregrouper/__init__.py says what is public"


@pytest.mark.parametrize(
    "source",
    [
        "from dipgate.pregrouper.engine import group",
        "from dipgate.pregrouper import keys",
        "from dipgate.pregrouper.differences import _text",
        "import dipgate.pregrouper.matching",
    ],
)
def test_an_import_of_the_insides_is_found(source: str) -> None:
    assert offences(source)
