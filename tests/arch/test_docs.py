"""The documentation names everything that exists and nothing that does not.

The tests walk the registries (commands, settings, adapters, rules, errors, states), so nobody
keeps lists: what is added without its paragraph fails here.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path

import click
import pydantic
import pytest

from dipgate.cli.root import dipgate
from dipgate.config import settings
from dipgate.config.dialects import Dialect
from dipgate.core import errors
from dipgate.core.exchange import State
from dipgate.core.faults import FaultPoint
from dipgate.core.findings import FindingStatus, Severity
from dipgate.core.grouping import GroupStatus, Layer, ScoreStatus, Zone

GLOBAL_OPTIONS = {"--state", "--site"}
ALWAYS = {"--help", "-h", "--version"}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ENVIRONMENT = re.compile(r"\bDIPGATE_[A-Z_]+\b")


def documents(checkout: Path) -> list[Path]:
    return [*sorted(checkout.glob("*.md")), *sorted((checkout / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def texts(checkout: Path) -> dict[str, str]:
    """Name → text of each document."""
    return {
        path.relative_to(checkout).as_posix(): path.read_text(encoding="utf-8")
        for path in documents(checkout)
    }


def commands(
    group: click.Group = dipgate, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, as (`catalogue import`, command)."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield " ".join((*prefix, name)), command
            yield from commands(command, (*prefix, name))
        else:
            yield " ".join((*prefix, name)), command


def options_of(command: click.Command) -> set[str]:
    """Long option names (and short ones) of a command, without the global ones."""
    found: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            found.update((*parameter.opts, *parameter.secondary_opts))
    return found - GLOBAL_OPTIONS - ALWAYS


def sections(text: str) -> dict[str, str]:
    """Heading (without marks) → the text below it, up to the next heading of any level."""
    found: dict[str, str] = {}
    heading = ""
    inside_fence = False
    for line in text.splitlines():
        if line.startswith("```"):
            inside_fence = not inside_fence
        if line.startswith("#") and not inside_fence:
            heading = line.lstrip("#").strip().strip("`")
            found[heading] = ""
        else:
            found[heading] = found.get(heading, "") + line + "\n"
    return found


def test_every_command_has_a_section_that_names_its_options(texts: dict[str, str]) -> None:
    parts = sections(texts["docs/commands.md"])
    for name, command in commands():
        heading = f"dipgate {name}"
        assert heading in parts, f"docs/commands.md has no section `{heading}`"
        named = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", parts[heading]))
        assert options_of(command) - named == set(), heading


def test_every_section_of_the_command_reference_is_a_command(texts: dict[str, str]) -> None:
    known = {f"dipgate {name}": command for name, command in commands()}
    for heading, body in sections(texts["docs/commands.md"]).items():
        if heading.startswith("dipgate "):
            assert heading in known, heading
            named = set(re.findall(r"`(--[a-z][\w-]*)", body))
            allowed = options_of(known[heading]) | GLOBAL_OPTIONS | ALWAYS
            assert named <= allowed, (heading, named - allowed)


def command_lines(text: str) -> Iterator[tuple[str, bool]]:
    """What a reader may type: (line, whole). A line of a fenced block is whole, inline code is a
    command's name with or without its arguments."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ").removeprefix("> ")
            line = re.sub(r"^(\S*[/\\])?dipgate(\.exe)?(?=\s)", "dipgate", line)
            if line.startswith("dipgate "):
                yield line.split(" # ")[0].split(" | ")[0].split(" > ")[0], True
    for span in INLINE.findall(FENCE.sub("", text)):
        if span.startswith("dipgate "):
            yield span.split(" > ")[0], False


def wrong_in(line: str, *, whole: bool = False) -> str | None:
    """What a typed line names that does not exist; None when it is right."""
    words = shlex.split(line.replace("…", " "))[1:]
    here: click.Command = dipgate
    given = 0
    while words:
        word = words.pop(0).strip("[]")
        if word.startswith("-"):
            option = word.split("=")[0]
            known = {name for part in here.params for name in part.opts + part.secondary_opts}
            if option not in known | GLOBAL_OPTIONS | ALWAYS:
                return f"{here.name} has no option {option}"
            if takes_value(here, option) and "=" not in word and words:
                words.pop(0)
        elif isinstance(here, click.Group):
            if word.isupper():
                return None
            inner = [here.get_command(click.Context(here), name) for name in word.split("|")]
            if None in inner:
                return f"{here.name} has no command {word}"
            assert inner[0] is not None
            here = inner[0]
        else:
            given += 1
    arguments = [part for part in here.params if isinstance(part, click.Argument)]
    most = None if any(part.nargs < 0 for part in arguments) else len(arguments)
    if most is not None and given > most:
        return f"{here.name} takes {most} arguments"
    if whole and given < sum(part.required for part in arguments):
        return f"{here.name} lacks an argument"
    return None


def takes_value(command: click.Command, option: str) -> bool:
    if option in GLOBAL_OPTIONS:
        return True
    found = next((part for part in command.params if option in part.opts), None)
    return isinstance(found, click.Option) and not found.is_flag and not found.count


@pytest.mark.parametrize(
    "line",
    [
        "dipgate fly",
        "dipgate check --fast x",
        "dipgate catalogue explode",
        "dipgate --state s check",
        "dipgate backup a b",
    ],
)
def test_the_check_of_typed_lines_finds_its_canary(line: str) -> None:
    assert wrong_in(line, whole=True)


def test_typed_lines_name_only_what_exists(texts: dict[str, str]) -> None:
    wrong = [
        f"{name}: {line}: {problem}"
        for name, text in texts.items()
        for line, whole in command_lines(text)
        if (problem := wrong_in(line, whole=whole))
    ]
    assert wrong == []


SAID = re.compile(r"dipgate (?:(?:--?)?[a-z][a-z0-9_-]*)(?: (?:--?)?[a-z][a-z0-9_|-]*)*")


def test_messages_name_only_what_exists(checkout: Path) -> None:
    """Chinese sentences in the code that tell a user what to type."""
    wrong = []
    for top in ("gateway", "adapters", "config", "pregrouper", "sync", "validators"):
        for path in sorted((checkout / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    if not re.search(r"[\u4e00-\u9fff]", node.value):
                        continue
                    for line in SAID.findall(node.value):
                        if problem := wrong_in(line):
                            wrong.append(f"{path.name}:{node.lineno}: {line}: {problem}")
    assert wrong == []


def test_links_between_documents_lead_somewhere(checkout: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        for target in LINK.findall(FENCE.sub("", text)):
            if "://" not in target:
                assert (checkout / name).parent.joinpath(target).exists(), (name, target)


def model_of(annotation: object) -> type[pydantic.BaseModel] | None:
    """The model inside `Model`, `Model | None`, `tuple[Model, …]` or `Mapping[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if found := model_of(inner):
            return found
    return None


def setting_keys(model: type[pydantic.BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = model_of(field.annotation)
        if inner is None:
            yield prefix + key
        else:
            yield from setting_keys(inner, f"{prefix}{key}.")


def test_every_setting_is_documented_and_no_other(texts: dict[str, str]) -> None:
    known = set(setting_keys(settings._SiteFile))
    keys = sections(texts["docs/settings.md"])["Keys"]
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", keys, re.MULTILINE))
    assert sorted(known - named) == []
    assert sorted(named - known) == []


def test_every_key_of_a_dialect_is_documented(texts: dict[str, str]) -> None:
    body = sections(texts["docs/settings.md"])["Dialects"]
    named = set(re.findall(r"`([a-z_]+)`", body))
    assert sorted(set(Dialect.model_fields) - named) == []


def variables_read(checkout: Path) -> set[str]:
    """Environment variables that the product and its tests read."""
    found: set[str] = set()
    for top in ("gateway", "adapters", "config", "pregrouper", "sync", "validators", "tests"):
        for path in (checkout / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.update(ENVIRONMENT.findall(node.value))
    return found


def test_environment_variables_are_documented(checkout: Path, texts: dict[str, str]) -> None:
    named = set(ENVIRONMENT.findall("\n".join(texts.values())))
    read = variables_read(checkout)
    product = {name for name in read if name in texts["docs/settings.md"]}
    internal = {"DIPGATE_PACKAGED_FILES", "DIPGATE_NO_SKIPS"}
    assert sorted(read - named - internal) == []
    assert sorted(named - read) == []
    assert {"DIPGATE_STATE", "DIPGATE_SITE", "DIPGATE_PLATFORM_SECRET"} <= product


def test_every_adapter_is_documented(texts: dict[str, str]) -> None:
    from dipgate.adapters.registry import adapter_kinds

    for kind in adapter_kinds():
        assert f'kind = "{kind}"' in texts["docs/settings.md"], kind


def test_every_error_is_documented(texts: dict[str, str]) -> None:
    kinds = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DipgateError)
    ]
    for name in kinds:
        assert f"`{name}`" in texts["ARCHITECTURE.md"], name


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("docs/recovery.md", State),
        ("docs/formats.md", GroupStatus),
        ("docs/formats.md", ScoreStatus),
        ("docs/formats.md", Zone),
        ("docs/formats.md", Layer),
        ("docs/formats.md", FindingStatus),
        ("docs/recovery.md", FaultPoint),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_every_word_of_an_answer_is_explained(
    texts: dict[str, str], document: str, words: EnumType
) -> None:
    for member in words:
        if member.value:
            assert f"`{member.value}`" in texts[document], (document, member.value)


def test_severities_are_explained(texts: dict[str, str]) -> None:
    for severity in Severity:
        assert f"`{severity.word}`" in texts["docs/rules.md"]


def test_every_rule_family_and_pack_is_explained(checkout: Path, texts: dict[str, str]) -> None:
    packs = [path.parent.name for path in (checkout / "config" / "rules").glob("*/examples")]
    assert packs
    for pack in packs:
        assert f"`{pack}`" in texts["docs/rules.md"], pack
    examples = (checkout / "config" / "rules").rglob("examples/*.yaml")
    families = {path.stem.rstrip("0123456789") for path in examples}
    assert families
    for family in families:
        assert re.search(rf"^\| `{family}` \|", texts["docs/rules.md"], re.MULTILINE), family
    named = set(re.findall(r"\b[A-Z]\d{3}\b", texts["docs/rules.md"]))
    known = {path.stem for path in (checkout / "config" / "rules").rglob("examples/*.yaml")}
    assert sorted(named - known) == []


def test_every_catalogue_kind_is_documented(texts: dict[str, str]) -> None:
    kinds = "icd10 icd9cm3 icd10-map icd9cm3-map not-principal dx-mdc op-mdc department staff"
    for kind in kinds.split():
        assert f"`{kind}`" in texts["docs/formats.md"], kind


def test_the_readmes_name_the_two_commands(texts: dict[str, str]) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        assert "make demo" in texts[name]
        assert "make test" in texts[name]
        assert "py packaging\\bootstrap.py demo" in texts[name]
