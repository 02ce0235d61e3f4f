"""Regular expressions that cannot run away: a whitelisted grammar, checked before compiling.

A bureau may push a pattern, so it is hostile input. Allowed: literals, classes, `.`, `\\d \\w \\s`,
groups, alternatives, `? {n} {n,m} + *`. Refused: look-around, back references, flags, and any
repetition that makes backtracking explode. The whole text must match, and texts over
`MAX_SUBJECT` characters never do.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_PATTERN = 300
MAX_SUBJECT = 600
MAX_DEPTH = 8
MAX_WAYS = 1_000_000
"""How many ways of matching one text a pattern may have; bounds backtracking to a fraction of a
second."""
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\\[]|\\[dws\-\]\\.+*/^])*\]")
_ESCAPE = re.compile(r"\\[dwsDWS.\\+*?()\[\]{}|/^$\-]")
_TIMES = re.compile(r"\{(\d{1,3})(?:,(\d{1,3})?)?\}")


def compile_pattern(text: str) -> Callable[[str], bool]:
    """Pattern → a test of a whole text. Raises ValueError saying what is not allowed."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"正则超过 {MAX_PATTERN} 个字符")
    _Grammar(text.removeprefix("^").removesuffix("$")).check()
    try:
        whole = re.compile(text).fullmatch
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("不是合法的正则") from error

    def matches(value: str) -> bool:
        return len(value) <= MAX_SUBJECT and whole(value) is not None

    return matches


class _Grammar:
    """Recursive descent. Each level returns its cost: in how many ways it can match one text.

    Ways multiply along a sequence and add up over alternatives, so the product bounds the work
    that backtracking can ever do.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def check(self) -> None:
        self._alternatives()
        if self.at < len(self.text):
            raise ValueError("正则的括号不配对")

    def _alternatives(self) -> int:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"正则的括号超过 {MAX_DEPTH} 层")
        ways = self._sequence()
        while self._peek() == "|":
            self.at += 1
            ways += self._sequence()
        self.depth -= 1
        return ways

    def _sequence(self) -> int:
        ways = 1
        while self._peek() not in ("", "|", ")"):
            inner = self._atom()
            low, high = self._quantifier()
            if high > 1 and inner > 1:
                raise ValueError("正则里重复的括号内不能再有可变的重复或“|”")
            ways *= inner * (high - low + 1)
            if ways > MAX_WAYS:
                raise ValueError("正则里可变的重复太多，匹配可能没完没了；写明确切的位数")
        return ways

    def _atom(self) -> int:
        char = self._peek()
        if char == "(":
            self.at += 1
            if self.text.startswith("?:", self.at):
                self.at += 2
            elif self._peek() == "?":
                raise ValueError("正则不支持环视、命名组和标志（(?…)）")
            inner = self._alternatives()
            if self._peek() != ")":
                raise ValueError("正则的括号不配对")
            self.at += 1
            return inner
        if char == "[":
            self._take(_CLASS, "正则的方括号写法不支持")
        elif char == "\\":
            self._take(_ESCAPE, "正则不支持这个转义（反向引用、\\b 等不可用）")
        elif char in "*+?{":
            raise ValueError("正则的重复符号前面没有内容，或重复了两次")
        elif char in "^$":
            raise ValueError("正则总是匹配全文；^ 只能在开头，$ 只能在末尾")
        else:
            self.at += 1
        return 1

    def _quantifier(self) -> tuple[int, int]:
        char = self._peek()
        if char == "?":
            self.at += 1
            times = (0, 1)
        elif char in ("*", "+"):
            self.at += 1
            times = (0 if char == "*" else 1, MAX_SUBJECT)
        elif char == "{":
            found = _TIMES.match(self.text, self.at)
            if found is None:
                raise ValueError("正则的 {} 里应为次数，如 {3} 或 {1,6}")
            self.at = found.end()
            low = int(found[1])
            high = low if "," not in found[0] else int(found[2] or MAX_SUBJECT)
            if low > high:
                raise ValueError("正则的 {} 里次数前大后小")
            times = (low, high)
        else:
            return (1, 1)
        if self._peek() in ("?", "+", "*", "{"):
            raise ValueError("正则不支持懒惰或占有的重复")
        return times

    def _take(self, form: re.Pattern[str], what: str) -> None:
        found = form.match(self.text, self.at)
        if found is None:
            raise ValueError(what)
        self.at = found.end()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]
