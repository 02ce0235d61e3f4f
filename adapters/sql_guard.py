"""The one door through which a statement reaches a hospital's database.

Only what this program builds passes: the selects below, the questions about columns and rights,
and the session settings of the kind of server. A name can hold anything, so names are cut out
first; what is left must be one of a few exact forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from dipgate.adapters.sql_kinds import ServerKind
from dipgate.core.errors import ConfigError
from dipgate.core.record import Cell, SourceLimits

_LIST = r"{c}(?:, {c})*"
_PARAMETER = r"(?:%s|:p\d|\?)"
_NAME = "\x00"


def execute(kind: ServerKind, cursor: Any, statement: str, parameters: Sequence[Cell] = ()) -> None:
    """Run one statement if it is one of ours. Raises ConfigError for any other, unsent."""
    if not is_allowed(kind, statement):
        raise ConfigError(
            f"拒绝在 {kind.title} 上执行不在许可表里的语句；来源只许查询", path="sources"
        )
    if not parameters:
        cursor.execute(statement)
    elif kind.paramstyle == "named":
        cursor.execute(statement, {f"p{n}": item for n, item in enumerate(parameters, start=1)})
    elif kind.paramstyle == "pyformat":
        cursor.execute(_percent_in_names(kind, statement), tuple(parameters))
    else:
        cursor.execute(statement, tuple(parameters))


def session_statements(kind: ServerKind, limits: SourceLimits, *, raw: bool) -> tuple[str, ...]:
    """What makes a new connection read only and limits its statements; `raw`: stored bytes."""
    seconds = limits.statement_seconds
    more = (kind.raw_session,) if raw and kind.raw_session else ()
    return tuple(
        text.format(seconds=f"{seconds:g}", milliseconds=int(seconds * 1000))
        for text in (*kind.session, *more)
    )


def catalogue_statement(kind: ServerKind) -> str:
    """The question about a view's columns."""
    return kind.catalogue.replace("{schema}", kind.mark(1)).replace("{view}", kind.mark(2))


def is_allowed(kind: ServerKind, statement: str) -> bool:
    """Is a statement one that this program may send to this kind of server?"""
    if statement in (catalogue_statement(kind), kind.grants, kind.now) and statement:
        return True
    if any(form.fullmatch(statement) for form in _session_forms(kind)):
        return True
    bare = _without_names(kind, statement)
    return bare is not None and any(form.fullmatch(bare) for form in _select_forms(kind))


@cache
def _session_forms(kind: ServerKind) -> tuple[re.Pattern[str], ...]:
    number = r"\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?"
    return tuple(
        re.compile(re.sub(r"\\{\w+\\}", number, re.escape(text)))
        for text in (*kind.session, *kind.transaction, kind.raw_session)
        if text
    )


@cache
def _select_forms(kind: ServerKind) -> tuple[re.Pattern[str], ...]:
    raw = re.escape(kind.raw_text).replace(re.escape("{column}"), _NAME)
    column = f"(?:{_NAME}|{raw})" if raw else _NAME
    columns = _LIST.replace("{c}", column)
    source = f"{_NAME}(?:\\.{_NAME})?"
    where = f"(?: WHERE {_NAME} (?:IS NULL|IS NOT NULL|>= {_PARAMETER}))?(?: ORDER BY {_NAME})?"
    select = f"SELECT {columns} FROM {source}{where}"  # noqa: S608
    forms = [select]
    for text in (kind.limited, kind.looked):
        if text:
            form = re.escape(text).replace(re.escape("{select}"), select)
            forms.append(form.replace(re.escape("{rows}"), r"\d{1,9}"))
    return tuple(re.compile(form) for form in forms)


def _without_names(kind: ServerKind, statement: str) -> str | None:
    """The statement with every quoted name replaced; None when a quote stays open."""
    left, right = kind.quotes
    if _NAME in statement:
        return None
    bare = _quoted_name(kind).sub(_NAME, statement)
    return None if left in bare or right in bare else bare


def _percent_in_names(kind: ServerKind, statement: str) -> str:
    """A `%` in a name is doubled where the driver looks for places of parameters."""
    return _quoted_name(kind).sub(lambda found: found.group().replace("%", "%%"), statement)


@cache
def _quoted_name(kind: ServerKind) -> re.Pattern[str]:
    left, right = kind.quotes
    return re.compile(
        f"{re.escape(left)}(?:[^{re.escape(right)}]|{re.escape(right * 2)})+{re.escape(right)}"
    )
