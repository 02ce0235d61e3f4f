"""Folders, packages and what is shipped are as ARCHITECTURE.md says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SIBLINGS = ("adapters", "config", "pregrouper", "sync", "validators")
"""Folders that are the packages `dipgate.<name>`; `gateway` is `dipgate` itself."""
LONGEST_MODULE = 600
LARGEST_TABLE = 100_000
"""Bytes. Larger tables are national lists: imported, never shipped."""


@pytest.fixture(scope="module")
def settings(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def modules(checkout: Path, *tops: str) -> Iterator[Path]:
    for top in tops or ("gateway", *SIBLINGS, "tests", "packaging"):
        for path in sorted((checkout / top).rglob("*.py")):
            if "__pycache__" not in path.parts:
                yield path


def test_the_closed_list_of_packages_names_every_folder(
    checkout: Path, settings: dict[str, Any]
) -> None:
    folders = set()
    for top in ("gateway", *SIBLINGS):
        for init in (checkout / top).rglob("__init__.py"):
            parts = init.parent.relative_to(checkout).parts
            name = parts[1:] if top == "gateway" else parts
            folders.add(".".join(("dipgate", *name)))
    assert sorted(settings["tool"]["setuptools"]["packages"]) == sorted(folders)


def test_every_python_file_lies_in_a_package(checkout: Path) -> None:
    for path in modules(checkout, "gateway", *SIBLINGS):
        assert (path.parent / "__init__.py").is_file(), path.relative_to(checkout)


def test_package_folders_are_mapped(settings: dict[str, Any]) -> None:
    assert settings["tool"]["setuptools"]["package-dir"] == {
        "dipgate": "gateway",
        **{f"dipgate.{name}": name for name in SIBLINGS},
    }


def test_nothing_in_gateway_hides_a_sibling(checkout: Path) -> None:
    for name in SIBLINGS:
        assert not (checkout / "gateway" / name).exists()
        assert not (checkout / "gateway" / f"{name}.py").exists()


def test_tests_and_packaging_are_never_packages(checkout: Path) -> None:
    assert not list((checkout / "tests").rglob("__init__.py"))
    assert not list((checkout / "packaging").rglob("__init__.py"))
    import packaging

    assert checkout / "packaging" not in map(Path, packaging.__path__)


def test_every_package_has_its_layer(checkout: Path, settings: dict[str, Any]) -> None:
    contract = settings["tool"]["importlinter"]["contracts"][0]
    layers = {name.strip() for layer in contract["layers"] for name in layer.split("|")}
    folders = {path.parent.name for path in (checkout / "gateway").glob("*/__init__.py")}
    assert layers == folders | set(SIBLINGS)
    assert contract["exhaustive"] is True


def test_only_the_agreed_folders_stand_in_the_root(checkout: Path) -> None:
    agreed = {"gateway", *SIBLINGS, "packaging", "tests", "docs"}
    made = {"build", "dist", "dipgate.egg-info", "__pycache__"}
    found = {
        path.name for path in checkout.iterdir() if path.is_dir() and not path.name.startswith(".")
    }
    assert found - made <= agreed
    for name in ("README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"):
        assert (checkout / name).is_file()


def test_no_module_is_too_long(checkout: Path) -> None:
    lengths = {
        str(path.relative_to(checkout)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(checkout)
    }
    assert {name: count for name, count in lengths.items() if count > LONGEST_MODULE} == {}


def test_no_module_has_a_name_that_says_nothing(checkout: Path) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base2"}
    found = [path for path in modules(checkout) if path.stem in vague]
    assert found == []


def test_every_kind_of_test_exists(checkout: Path) -> None:
    kinds = "unit rules policies golden property contract fault arch wheel".split()
    for kind in kinds:
        assert list((checkout / "tests" / kind).rglob("test_*.py")), kind


def shipped_tables(checkout: Path) -> Iterator[Path]:
    for top in ("gateway", *SIBLINGS):
        yield from sorted((checkout / top).rglob("*.csv"))


def test_no_national_list_is_shipped(checkout: Path) -> None:
    large = [path for path in shipped_tables(checkout) if path.stat().st_size > LARGEST_TABLE]
    assert [str(path.relative_to(checkout)) for path in large] == []


def test_every_shipped_data_file_is_in_the_wheel_by_its_ending(
    checkout: Path, settings: dict[str, Any]
) -> None:
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    endings = {pattern.rpartition(".")[2] for pattern in patterns} | {"py", "typed", "md"}
    for top in ("gateway", *SIBLINGS):
        for path in (checkout / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.suffix.removeprefix(".") in endings, path.relative_to(checkout)


def test_the_continuous_run_stops_at_the_first_failure(checkout: Path) -> None:
    script = checkout / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert script.stat().st_mode & 0o111
    for command in ("make test", "make check", "git archive", "-m wheel"):
        assert command in text
