"""What no template and no script of ours may contain; each rule with a line that breaks it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

RULES = {
    "escaping off": (r"\|\s*safe\b|\{%\s*autoescape|Markup\(", "{{ name|safe }}"),
    "inline handler": (r"<[^>]*\son[a-z]+\s*=", '<a href="/" onclick="go()">'),
    "inline style": (r"<[^>]*\sstyle\s*=|<style\b", '<p style="color:red">'),
    "htmx script": (r"hx-on\b|hx-on:|\bjs:|javascript:|hx-vars", '<p hx-on:click="go()">'),
    "trigger filter": (r'hx-trigger="[^"]*\[', '<p hx-trigger="keyup[key==1]">'),
    "another host": (r"(?:src|href|action|hx-\w+)=\"(?:https?:)?//", '<img src="//x.example/a">'),
}
SCRIPT_RULES = {
    "markup from text": (
        r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|createContextualFragment",
        "a.innerHTML = text",
    ),
    "code from text": (r"\beval\(|new Function|setTimeout\(\s*[\"']", 'eval("1")'),
}
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
TAG = re.compile(r"<[a-zA-Z][^<>]*>")
POST_FORM = re.compile(r'<form\b[^>]*method="post"[^>]*>.*?</form>', re.DOTALL)


def templates(checkout: Path) -> list[Path]:
    return sorted((checkout / "gateway" / "web" / "templates").rglob("*.html"))


def broken(text: str) -> list[str]:
    """Names of the rules that a template's text breaks."""
    found = [name for name, (pattern, _) in RULES.items() if re.search(pattern, text)]
    for attributes, body in SCRIPT.findall(text):
        data = 'type="application/json"' in attributes and "|tojson" in body
        ours = 'nonce="{{ nonce }}"' in attributes and "src=" in attributes and not body.strip()
        if not (data or ours):
            found.append("script")
    plain = re.sub(r"\{%.*?%\}|\{#.*?#\}", " ", re.sub(r"\{\{.*?\}\}", "@@", text, flags=re.DOTALL))
    outside = (re.sub(r"\"[^\"]*\"|'[^']*'", '""', tag) for tag in TAG.findall(plain))
    if any("@@" in tag for tag in outside):
        found.append("value outside quotes")
    found += ["form without token" for form in POST_FORM.findall(text) if "csrf" not in form]
    return found


def test_templates_keep_the_rules(checkout: Path) -> None:
    assert templates(checkout)
    wrong = {
        path.name: names
        for path in templates(checkout)
        if (names := broken(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_finds_its_canary(name: str) -> None:
    assert name in broken(RULES[name][1])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<script>go()</script>", "script"),
        ("<script src=\"{{ static('a.js') }}\"></script>", "script"),
        ('<script type="application/json">{{ data }}</script>', "script"),
        ("<a href={{ path }}>", "value outside quotes"),
        ('<a href="/a" {{ more }}>', "value outside quotes"),
        ('<form method="post" action="/a"><button>x</button></form>', "form without token"),
    ],
)
def test_scripts_and_forms_find_their_canaries(text: str, rule: str) -> None:
    assert rule in broken(text)


def test_scripts_make_no_markup_and_no_code(checkout: Path) -> None:
    for path in (checkout / "gateway" / "web" / "static").glob("*.js"):
        if path.name.startswith("htmx-"):
            continue
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for name, (pattern, canary) in SCRIPT_RULES.items():
            assert not re.search(pattern, text), (path.name, name)
            assert re.search(pattern, canary), name


def test_no_module_makes_markup_from_text(checkout: Path) -> None:
    """`Markup` would switch escaping off; pages hand text to templates and nothing else."""
    for path in sorted((checkout / "gateway" / "web").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used = names & {"Markup", "render_template_string", "send_file", "send_from_directory"}
        assert used == set(), path.name


def test_only_htmx_is_not_ours(checkout: Path) -> None:
    folder = checkout / "gateway" / "web" / "static"
    assert [path.name for path in folder.rglob("*.min.*")] == ["htmx-4.0.1.min.js"]
