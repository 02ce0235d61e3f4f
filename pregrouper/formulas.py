"""A formula that a policy writes out: names, numbers, `+ - * /` and brackets, nothing else.

`(points * rate - patient_paid) * ratio - audit` is data: a city's own form needs no Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dipgate.core.errors import ConfigError

MAX_CHARACTERS = 400
MAX_DEPTH = 20
_REMEDY = "只能写小写的名字、数字、+ - * / 和成对的括号"
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-z_]+)|(?P<sign>[-+*/()]))")
_Value = Callable[[Mapping[str, Decimal]], Decimal]


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula: the names that it needs, in order, and how to work it out."""

    text: str
    names: tuple[str, ...]
    _value: _Value

    def value(self, values: Mapping[str, Decimal]) -> Decimal:
        """The result; ZeroDivisionError where it divides by nothing."""
        return self._value(values)


def parse_formula(text: str, path: str) -> Formula:
    """Text → formula. ConfigError names the policy path and the place in the text."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"参数 {path}：公式超过 {MAX_CHARACTERS} 个字符", path=path)
    reader = _Reader(_tokens(text, path), text, path)
    value = reader.sum(0)
    if reader.peek() != "":
        reader.refuse()
    return Formula(text, tuple(dict.fromkeys(reader.names)), value)


def _tokens(text: str, path: str) -> list[str]:
    found: list[str] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise ConfigError(f"公式 {text!r} 在 {rest!r} 处读不懂；{_REMEDY}", path=path)
        found.append(match.group().strip())
        place = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens; product binds tighter than sum."""

    def __init__(self, tokens: list[str], text: str, path: str) -> None:
        self.tokens, self.text, self.path = tokens, text, path
        self.place = 0
        self.names: list[str] = []

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.place += 1
        return token

    def refuse(self) -> None:
        where = self.peek() or "末尾"
        raise ConfigError(f"公式 {self.text!r} 在 {where!r} 处读不懂；{_REMEDY}", path=self.path)

    def sum(self, depth: int) -> _Value:
        left = self.product(depth)
        while self.peek() in ("+", "-"):
            left = _joined(self.take(), left, self.product(depth))
        return left

    def product(self, depth: int) -> _Value:
        left = self.atom(depth)
        while self.peek() in ("*", "/"):
            left = _joined(self.take(), left, self.atom(depth))
        return left

    def atom(self, depth: int) -> _Value:
        word = self.peek()
        if word == "(" and depth < MAX_DEPTH:
            self.take()
            inner = self.sum(depth + 1)
            if self.peek() != ")":
                self.refuse()
            self.take()
            return inner
        if not word or word in "+-*/()":
            self.refuse()
        self.take()
        if word[0].isdigit():
            number = Decimal(word)
            return lambda _: number
        self.names.append(word)
        return lambda values: values[word]


def _joined(sign: str, left: _Value, right: _Value) -> _Value:
    if sign == "+":
        return lambda values: left(values) + right(values)
    if sign == "-":
        return lambda values: left(values) - right(values)
    if sign == "*":
        return lambda values: left(values) * right(values)
    return lambda values: left(values) / right(values)
