"""What expressions are made of while they are translated: terms, scopes, and refusals."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from dipgate.core.rules import ListField
from dipgate.validators import language
from dipgate.validators.language import Kind


class Refusal(Exception):
    """One expression does not compile; `what` is a Chinese sentence for its author."""

    def __init__(self, what: str, node: ast.AST | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.column = getattr(node, "col_offset", None)


@dataclass(frozen=True, slots=True)
class Source:
    """Where fields are read from: a single node, the row of a loop, of a helper, or the principal.

    `how` is `single`, `loop`, `inner` or `principal`.
    """

    node: str
    how: str


@dataclass(frozen=True, slots=True)
class Term:
    """A translated expression. `loose`: may be None or unreadable, so close it to compute."""

    code: str
    kind: Kind
    loose: bool = False
    label: str = ""
    field: ListField | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What bare names mean. `loop` is the node of `for_each`, if any; `inner` that of a helper."""

    loop: str
    inner: str = ""

    @property
    def rows(self) -> Source:
        if self.inner:
            return Source(self.inner, "inner")
        return Source(self.loop, "loop") if self.loop else Source("setlinfo", "single")


def parse(text: str) -> ast.expr:
    """Text → syntax tree, within the limits. Raises Refusal."""
    if len(text) > language.MAX_EXPRESSION:
        raise Refusal(f"表达式超过 {language.MAX_EXPRESSION} 个字符")
    try:
        with warnings.catch_warnings():
            # An escape such as "\d" outside r"…" is only warned about today; refuse it always.
            warnings.simplefilter("error")
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        column = f"，第{error.offset}字附近" if error.offset else ""
        hint = '；反斜杠写在 r"…" 里' if "\\" in text else ""
        raise Refusal(f"不是合法的表达式{column}{hint}") from None
    except (ValueError, RecursionError, MemoryError):
        raise Refusal("不是合法的表达式（含有不允许的字符，或嵌套太深）") from None
    level: list[ast.AST] = [tree]
    count = depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > language.MAX_DEPTH or count > language.MAX_SYNTAX_NODES:
            raise Refusal("表达式太长或嵌套太深，拆成几条规则")
        level = [child for item in level for child in ast.iter_child_nodes(item)]
    return tree


def nearest(word: str, words: Iterable[str]) -> str:
    found = get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"，是不是想写 {found[0]}？" if found else ""
