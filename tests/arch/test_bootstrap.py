"""packaging/bootstrap.py: any Python can parse it, and what is missing is one sentence."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

YOUNG = (
    ast.JoinedStr,
    ast.AnnAssign,
    ast.NamedExpr,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.Nonlocal,
    ast.Starred,
    ast.YieldFrom,
    ast.Match,
    ast.MatMult,
)
"""Syntax that Python 2.7 or an early Python 3 cannot parse."""
GOOD = {"version": [3, 12, 1], "venv": True, "ensurepip": True, "ssl": True}


@pytest.fixture
def script(checkout: Path) -> Path:
    return checkout / "packaging" / "bootstrap.py"


@pytest.fixture
def bootstrap(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dipgate_bootstrap", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_any_python_can_parse_it(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    assert source.startswith("# -*- coding: utf-8 -*-")
    tree = ast.parse(source, feature_version=(3, 0))
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        assert not isinstance(node, YOUNG), f"line {line}: {type(node).__name__}"
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            plain = not (arguments.kwonlyargs or arguments.posonlyargs or node.returns)
            assert plain, f"line {line}: {node.name}"
            assert all(argument.annotation is None for argument in arguments.args), line
        if isinstance(node, ast.Raise):
            assert node.cause is None, f"line {line}: raise … from"


@pytest.mark.parametrize(
    ("facts", "chinese", "english"),
    [
        ({"version": [3, 9, 2]}, "需要 Python 3.11", "this is 3.9.2"),
        ({"version": [2, 7, 18]}, "需要 Python 3.11", "this is 2.7.18"),
        ({"venv": False}, "缺少 venv", "python3.12-venv"),
        ({"ensurepip": False}, "缺少 pip", "python3.12-venv"),
        ({"ssl": False}, "没有 ssl", "no ssl"),
    ],
)
def test_what_is_missing_is_one_sentence(
    bootstrap: ModuleType, facts: dict[str, object], chinese: str, english: str
) -> None:
    text = bootstrap.lack_of({**GOOD, **facts})
    assert chinese in text
    assert english in text
    assert "\n" not in text
    assert bootstrap.lack_of(GOOD) is None


def fake_python(folder: Path, name: str, facts: dict[str, object]) -> Path:
    """A program that answers the probe like an interpreter with these facts."""
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(facts)}\nEND\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.skipif(os.name == "nt", reason="the fake interpreters are shell scripts")
def test_a_newer_interpreter_beside_an_old_one_is_used(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_python(tmp_path, "python3", {**GOOD, "version": [3, 9, 2]})
    env = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    monkeypatch.setattr(bootstrap.sys, "executable", str(old))
    new = fake_python(tmp_path, "python3.13", {**GOOD, "version": [3, 13, 0]})
    assert bootstrap.choose_interpreter(env) == str(new)


@pytest.mark.skipif(os.name == "nt", reason="the fake interpreters are shell scripts")
def test_only_an_old_interpreter_is_refused_with_its_version(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_python(tmp_path, "python3", {**GOOD, "version": [3, 9, 2]})
    monkeypatch.setattr(bootstrap.sys, "executable", str(old))
    monkeypatch.setattr(bootstrap, "found_on_path", lambda _name, _env: None)
    with pytest.raises(bootstrap.Missing, match=r"3\.9\.2"):
        bootstrap.choose_interpreter({"PATH": "/usr/bin:/bin"})


def test_no_index_reached_is_told_from_other_failures(
    bootstrap: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = tmp_path / "log"
    monkeypatch.setattr(bootstrap, "LOG", str(log))
    log.write_text("WARNING: Retrying: NewConnectionError(...)\n", encoding="utf-8")
    assert "PIP_INDEX_URL" in bootstrap.why_pip_failed()
    log.write_text("error: something else broke\n", encoding="utf-8")
    assert str(log) in bootstrap.why_pip_failed()
    assert "something else broke" in capsys.readouterr().err


def test_an_active_environment_is_left_alone(bootstrap: ModuleType) -> None:
    given = {"VIRTUAL_ENV": "/elsewhere", "PYTHONPATH": "/x", "PIP_TARGET": "/y", "HOME": "/h"}
    assert bootstrap.child_environment(given) == {
        "HOME": "/h",
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }
    assert given["VIRTUAL_ENV"] == "/elsewhere"


def test_a_folder_that_is_no_environment_is_not_touched(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".venv"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    monkeypatch.setattr(bootstrap, "VENV", str(folder))
    with pytest.raises(bootstrap.Missing, match="不是虚拟环境"):
        bootstrap.make_venv(dict(os.environ), None)
    assert (folder / "mine.txt").read_text() == "keep"


def test_what_is_installed_is_current_until_something_changes(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path))
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "gateway").mkdir()
    (tmp_path / "build" / "__editable__.dipgate").mkdir(parents=True)
    python = Path(bootstrap.in_venv("python"))
    python.parent.mkdir(exist_ok=True)
    python.touch()
    assert not bootstrap.is_current(None, False)
    loose, strict = bootstrap.wanted_stamp(False), bootstrap.wanted_stamp(True)
    assert bootstrap.is_current(loose, False)
    assert not bootstrap.is_current(loose, True)
    assert bootstrap.is_current(strict, False)
    assert bootstrap.is_current(strict, True)
    (tmp_path / "build" / "__editable__.dipgate").rmdir()
    assert not bootstrap.is_current(strict, False)
    (tmp_path / "build" / "__editable__.dipgate").mkdir()
    (tmp_path / "gateway" / "new.py").touch()
    assert bootstrap.is_current(loose, False)
    assert not bootstrap.is_current(strict, False)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert not bootstrap.is_current(loose, False)


def test_an_unknown_verb_or_check_is_answered_without_installing(script: Path) -> None:
    for arguments in ([], ["fly"], ["check", "everything"]):
        done = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.strip()


def test_every_verb_has_its_make_target(checkout: Path, bootstrap: ModuleType) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    for verb in bootstrap.VERBS:
        assert verb in makefile.split(".PHONY:", 1)[1].splitlines()[0].split()
