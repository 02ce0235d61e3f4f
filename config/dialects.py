"""How a local platform speaks: one data file per area, each extending the national one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dipgate.config.resources import resource
from dipgate.config.strict_model import StrictModel, did_you_mean, read_model
from dipgate.config.strict_yaml import YamlDocument, parse_yaml
from dipgate.core.errors import ConfigError

NATIONAL = "national"
_NAME = re.compile(r"[0-9A-Za-z_-]{1,40}")

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False, le=86_400)]
Text = Annotated[str, Field(min_length=1)]
Renames = Mapping[str, Mapping[str, Text]]


class NotTaken(StrictModel):
    """An answer by which the platform surely has taken nothing."""

    status: Annotated[int, Field(ge=400, le=599)]
    contains: str = ""
    """Text that the body must hold; empty: the status alone is enough."""


class Backoff(StrictModel):
    """Full jitter over `base·2ⁿ`, at most `cap` seconds."""

    base_seconds: Seconds
    cap_seconds: Seconds


class Breaker(StrictModel):
    """`failures` in a row open it; then one probe per `probe_seconds`."""

    failures: Annotated[int, Field(ge=1)]
    probe_seconds: Seconds


class Dialect(StrictModel):
    """One platform's way of speaking. Times in seconds unless the name says otherwise."""

    id: Text
    title: str = ""
    shape: Literal["A", "B"]
    """A: all transactions to `entry_path`; B: one path per transaction (`paths`)."""
    entry_path: str = ""
    paths: Mapping[str, Text]
    content_type: Text
    sign: Literal["x-tif", "none"]
    infver: Text
    recer_sys_code: Text
    opter_type: Literal["1", "2", "3"]
    session_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    upload_infno: Literal["4101", "4101A"]
    submit_status: Literal["0", "1"]
    empty_number: Literal["", "0"]
    upload_renames: Renames
    """node → our field → the field as this platform writes it."""
    answer_renames: Renames
    """node → field of the 4103 answer → our field."""
    list_no_at: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Dotted places in `output` where the list number may stand, tried in order."""
    compare_fields: Annotated[tuple[Text, ...], Field(min_length=1)]
    """`node.field`: a stored list and a 4103 answer are the same when all of these are equal."""
    honours_key: bool
    echoes_digest: bool
    has_query: bool
    takes_corrections: bool = True
    """May an accepted list be followed by another revision of it?"""
    not_taken: tuple[NotTaken, ...]
    duplicate_markers: tuple[Text, ...]
    session_markers: tuple[Text, ...] = ()
    """Texts of a refusal that means: sign in again, nothing was taken."""
    not_found_markers: tuple[Text, ...] = ()
    """Texts of a refused 4103 that means: there is no such list."""
    settle_seconds: Seconds
    lease_seconds: Seconds
    connect_seconds: Seconds
    read_seconds: Seconds
    total_seconds: Seconds
    backoff: Backoff
    breaker: Breaker
    max_tries: Annotated[int, Field(ge=1)]
    poison_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    person_after_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    attempts_per_hour: Annotated[int, Field(ge=1)]
    page_size: Annotated[int, Field(ge=1, le=10_000)]
    max_answer_bytes: Annotated[int, Field(ge=1024)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Dialect:
        if self.shape == "A" and not self.entry_path.startswith("/"):
            raise ValueError("shape 为 A 时 entry_path 应以 / 开头")
        if self.lease_seconds <= self.total_seconds:
            raise ValueError("lease_seconds 应大于 total_seconds，否则会有两个发送者")
        if self.backoff.cap_seconds < self.backoff.base_seconds:
            raise ValueError("backoff.cap_seconds 应不小于 base_seconds")
        for field in self.compare_fields:
            if field.count(".") != 1:
                raise ValueError(f"compare_fields 应写成 节点.字段，不是 {field!r}")
        return self

    def path_of(self, infno: str) -> str:
        """The HTTP path of a transaction. ConfigError when shape B names none."""
        if self.shape == "A":
            return self.entry_path
        if infno not in self.paths:
            raise ConfigError(
                f"地方接口 {self.id} 没有交易 {infno} 的地址；在 paths 里补上",
                path=f"paths.{infno}",
            )
        return self.paths[infno]

    def is_not_taken(self, status: int, body: str) -> bool:
        """True when the platform surely has taken nothing: the request may be sent again."""
        return any(rule.status == status and rule.contains in body for rule in self.not_taken)


def load_dialect(name: str, *, state: Path | None = None) -> Dialect:
    """The dialect of an area code, or by its own name (`national`).

    An area without a file of its own speaks as its city (`990102` → `990100`), its province
    (`990000`), else the national one. The site's own files in `state/dialects/` win over shipped
    ones. ConfigError for a name that is neither.
    """
    for candidate in _candidates(name):
        document = _document(candidate, state)
        if document is not None:
            merged, lines = _extended(document, state, (candidate,))
            return read_model(Dialect, merged, file=document.file, line_of=lines.line_of)
    raise ConfigError(
        f"没有地方接口 {name!r}{did_you_mean(name, dialect_names(state=state))}",
        path="platform.dialect",
    )


def dialect_names(*, state: Path | None = None) -> tuple[str, ...]:
    """Names of all dialects, shipped and the site's own."""
    names = {item.name for item in resource("dialects").iterdir()}
    if state is not None and (state / "dialects").is_dir():
        names |= {item.name for item in (state / "dialects").iterdir()}
    return tuple(sorted(name[:-5] for name in names if name.endswith(".yaml")))


def _candidates(name: str) -> tuple[str, ...]:
    if not re.fullmatch(r"[0-9]{6}", name):
        return (name,)
    return tuple(dict.fromkeys((name, f"{name[:4]}00", f"{name[:2]}0000", NATIONAL)))


def _document(name: str, state: Path | None) -> YamlDocument | None:
    if not _NAME.fullmatch(name):
        return None
    if state is not None:
        own = state / "dialects" / f"{name}.yaml"
        if own.is_file():
            try:
                text = own.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ConfigError(f"{own} 不是 UTF-8 编码；另存为 UTF-8", path=str(own)) from error
            return parse_yaml(text, file=str(own))
    shipped = resource("dialects", f"{name}.yaml")
    if not shipped.is_file():
        return None
    return parse_yaml(shipped.read_text(encoding="utf-8"), file=f"dialects/{name}.yaml")


def _extended(
    document: YamlDocument, state: Path | None, seen: tuple[str, ...]
) -> tuple[dict[str, object], YamlDocument]:
    if not isinstance(document.value, dict):
        raise ConfigError(f"{document.file} 应为一组键和值", path=document.file)
    own = dict(document.value)
    parent_name = own.pop("extends", None)
    if parent_name is None:
        return own, document
    line = document.line_of(("extends",))
    if not isinstance(parent_name, str) or parent_name in seen:
        raise ConfigError(
            f"{document.file} 第{line}行：extends 绕成了圈或不是一个名称", path=document.file
        )
    parent = _document(parent_name, state)
    if parent is None:
        raise ConfigError(
            f"{document.file} 第{line}行：extends 的 {parent_name!r} 不存在"
            f"{did_you_mean(parent_name, dialect_names(state=state))}",
            path=document.file,
        )
    base, _ = _extended(parent, state, (*seen, parent_name))
    return _merged(base, own), document


def _merged(base: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Mappings are merged key by key, everything else is replaced."""
    out = dict(base)
    for key, value in own.items():
        below = out.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            out[key] = _merged(below, value)
        else:
            out[key] = value
    return out
