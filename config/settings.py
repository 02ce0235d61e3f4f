"""The site file: one TOML file, parsed once into frozen models; unknown keys are errors.

Secrets never stand in it: the platform's secret comes from the environment.
"""

from __future__ import annotations

import codecs
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import Field, model_validator

from dipgate.config.site_sections import (
    DeskSettings,
    FillSettings,
    HistorySettings,
    HospitalSettings,
    LimitSettings,
    LogSettings,
    PlatformSettings,
    PolicySettings,
    RepeatSettings,
    ScheduleSettings,
    ServerSettings,
    SourceSettings,
    TableSettings,
    WebSettings,
)
from dipgate.config.site_template import TEMPLATE, render_template
from dipgate.config.standard import list_fields, wire_model
from dipgate.config.strict_model import StrictModel, did_you_mean, read_model
from dipgate.config.toml_lines import toml_lines
from dipgate.core.errors import ConfigError
from dipgate.core.record import SourceSpec
from dipgate.core.reference import Hospital
from dipgate.core.system_words import system_sentence
from dipgate.security.secret import Secret

__all__ = [
    "PLATFORM_SECRET",
    "TEMPLATE",
    "DeskSettings",
    "FillSettings",
    "HistorySettings",
    "HospitalSettings",
    "LimitSettings",
    "LogSettings",
    "PlatformSettings",
    "PolicySettings",
    "RepeatSettings",
    "ScheduleSettings",
    "ServerSettings",
    "Site",
    "SourceSettings",
    "TableSettings",
    "WebSettings",
    "load_site",
    "parse_site",
    "platform_secret",
    "render_template",
]

PLATFORM_SECRET = "DIPGATE_PLATFORM_SECRET"  # noqa: S105
"""Environment variable that holds the platform's secret."""

_SECRET_WORDS = frozenset({"secret", "password", "passwd", "pwd", "sk", "secret_key", "appsecret"})


class _SiteFile(StrictModel):
    hospital: HospitalSettings = HospitalSettings()
    platform: PlatformSettings = PlatformSettings()
    policy: PolicySettings = PolicySettings()
    desk: DeskSettings = DeskSettings()
    history: HistorySettings = HistorySettings()
    web: WebSettings = WebSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    log: LogSettings = LogSettings()
    fill: FillSettings = Field(default_factory=dict)
    sources: tuple[SourceSettings, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> _SiteFile:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"sources 里有同名的来源：{'、'.join(twice)}")
        return self


@dataclass(frozen=True, slots=True)
class Site:
    """The parsed site file."""

    file: Path
    hospital: HospitalSettings
    platform: PlatformSettings
    policy: PolicySettings
    fill: FillSettings
    sources: tuple[SourceSettings, ...]
    desk: DeskSettings = field(default_factory=DeskSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    web: WebSettings = field(default_factory=WebSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def dialect_name(self) -> str:
        """The dialect as set, else the area code, else the national one."""
        return self.platform.dialect or self.hospital.area_code or "national"

    def source_specs(self) -> tuple[SourceSpec, ...]:
        """All sources, in the file's order, as the adapters take them."""
        return tuple(source.spec(self.file.parent) for source in self.sources)

    def source_password(
        self, name: str, environ: Mapping[str, str] | None = None
    ) -> Secret[str] | None:
        """The password of a source's server from its environment variable; None without one."""
        named = {
            source.name: source.server.password_env for source in self.sources if source.server
        }
        variable = named.get(name, "")
        value = (os.environ if environ is None else environ).get(variable, "") if variable else ""
        return Secret(value) if value else None

    def missing(self) -> tuple[str, ...]:
        """Keys that still have to be filled in for the mode in use (`hospital.code`)."""
        wanted = {
            "hospital.code": self.hospital.code,
            "hospital.name": self.hospital.name,
            "hospital.level": self.hospital.level,
            "hospital.area_code": self.hospital.area_code,
        }
        if self.platform.mode != "observe":
            wanted |= {
                "platform.url": self.platform.url,
                "platform.paasid": self.platform.paasid,
                "platform.opter": self.platform.opter,
                "platform.opter_name": self.platform.opter_name,
                "platform.mac": self.platform.mac,
                "platform.ip": self.platform.ip,
            }
        return tuple(key for key, value in wanted.items() if not value)

    def require(self, *keys: str) -> None:
        """ConfigError unless all these keys (`platform.url`) are filled in."""
        for key in keys:
            section, _, name = key.partition(".")
            if not getattr(getattr(self, section), name):
                raise ConfigError(f"{self.file} 里还没有填写 {key}", path=key)

    def as_hospital(self) -> Hospital:
        """The hospital, complete. ConfigError naming the first key that is still empty."""
        self.require("hospital.code", "hospital.name", "hospital.level", "hospital.area_code")
        own = self.hospital
        return Hospital(own.code, own.name, own.level, own.area_code)


def load_site(path: Path) -> Site:
    """Read the site file. ConfigError names file, line, key and the nearest right word."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"没有站点文件 {path}；先运行 dipgate init，或用 --site 指定", path=str(path)
        ) from None
    except OSError as error:
        sentence = system_sentence(f"读不了站点文件 {path}", error)
        raise ConfigError(sentence, path=str(path)) from error
    return parse_site(data, file=path)


def parse_site(data: bytes, *, file: Path) -> Site:
    """The bytes of a site file (UTF-8, a byte-order mark is allowed) → Site. ConfigError."""
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{file} 第{line}行不是 UTF-8 编码；用编辑器另存为 UTF-8", path=f"{file}:{line}"
        ) from error
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{file} 不是合法的 TOML：{_toml_place(str(error))}；检查引号、等号和方括号",
            path=str(file),
        ) from error
    lines = toml_lines(text)
    _refuse_secrets(value, file)
    parsed = read_model(_SiteFile, value, file=str(file), line_of=lines.line_of)
    _check_fill(parsed.fill, file, lines.line_of)
    return Site(
        file=file,
        hospital=parsed.hospital,
        platform=parsed.platform,
        policy=parsed.policy,
        fill=MappingProxyType(dict(parsed.fill)),
        sources=parsed.sources,
        desk=parsed.desk,
        history=parsed.history,
        web=parsed.web,
        schedule=parsed.schedule,
        log=parsed.log,
    )


def platform_secret(environ: Mapping[str, str] | None = None) -> Secret[str] | None:
    """The platform's secret from the environment; None when it is not set."""
    value = (os.environ if environ is None else environ).get(PLATFORM_SECRET, "")
    return Secret(value) if value else None


def _refuse_secrets(value: Mapping[str, object], file: Path) -> None:
    for section, entries in value.items():
        for path, instead in _secret_keys(section, entries):
            raise ConfigError(
                f"{file}：{path} 是密钥，不能写在站点文件里；删掉它，改用环境变量{instead}",
                path=path,
            )


def _secret_keys(section: str, entries: object) -> Iterator[tuple[str, str]]:
    if isinstance(entries, dict):
        for key in entries:
            if key.lower() in _SECRET_WORDS:
                yield f"{section}.{key}", f" {PLATFORM_SECRET}"
    elif section == "sources" and isinstance(entries, list):
        for source in entries:
            for part in (source, source.get("server")) if isinstance(source, dict) else ():
                for key in part if isinstance(part, dict) else ():
                    if key.lower() in _SECRET_WORDS:
                        name = f"sources.{source.get('name', '')}.{key}"
                        yield name, "，并在 server.password_env 写下它的名字"


def _check_fill(fill: FillSettings, file: Path, line_of: object) -> None:
    if not fill:
        return
    known = list_fields()
    problems = {
        problem.path.partition(".")[2]: problem
        for infno in ("4101", "4101A")
        for problem in wire_model(infno).check_row("setlinfo", dict(fill), "setlinfo")
    }
    for key in fill:
        line = line_of(("fill", key)) if callable(line_of) else None
        place = f"{file}：" + (f"第{line}行 " if line else "") + f"fill.{key}"
        if key not in known:
            raise ConfigError(
                f"{place} 不是清单信息的字段{did_you_mean(key, known)}", path=f"fill.{key}"
            )
        if fill[key] and key in problems:
            problem = problems[key]
            raise ConfigError(f"{place} {problem.what}；处理：{problem.remedy}", path=f"fill.{key}")


def _toml_place(message: str) -> str:
    """`… (at line 3, column 5)` → `第3行第5列`."""
    _, _, tail = message.rpartition("(at ")
    if not tail.startswith("line "):
        return "文件没有写完"
    line, _, column = tail.rstrip(")").removeprefix("line ").partition(", column ")
    return f"第{line}行第{column}列"
