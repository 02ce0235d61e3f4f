"""The sections of the site file as frozen models; each says what a value must look like."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from dipgate.config.strict_model import StrictModel
from dipgate.core.errors import ConfigError
from dipgate.core.record import (
    TABLES,
    RepeatMap,
    ServerSpec,
    SourceLimits,
    SourceSpec,
    TableMap,
)

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


def _form(pattern: str, words: str) -> AfterValidator:
    """Text of one form; what the form is, in words that a user understands."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(words)
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    if value:
        try:
            ip_address(value)
        except ValueError:
            raise ValueError("应为 IP 地址，如 127.0.0.1") from None
    return value


Name = Annotated[str, _form(r"[\w.-]{1,40}", "应为 1 到 40 个字母、数字、汉字、点或横线")]
FillSettings = Mapping[str, str]


class HospitalSettings(StrictModel):
    """Who we are. Empty until filled in; `Site.as_hospital` insists."""

    code: Annotated[str, _form(r"([A-Za-z0-9]{12})?", "应为 12 位字母和数字的编号")] = ""
    name: Annotated[str, Field(max_length=200)] = ""
    level: Annotated[str, Field(max_length=20)] = ""
    """As the policy names it: 3, 2, 1 or 三级甲等 …"""
    area_code: Annotated[str, _form(r"([0-9]{6})?", "应为 6 位数字的医保区划")] = ""


class PlatformSettings(StrictModel):
    """The platform. `observe` sends nothing, `shadow` prepares everything, `live` sends."""

    mode: Literal["observe", "shadow", "live"] = "observe"
    url: str = ""
    dialect: str = ""
    """Empty: the hospital's area code."""
    paasid: str = ""
    opter: Annotated[str, Field(max_length=30)] = ""
    opter_name: Annotated[str, Field(max_length=50)] = ""
    mac: Annotated[str, Field(max_length=20)] = ""
    ip: Annotated[str, Field(max_length=20)] = ""
    connect_seconds: Seconds | None = None
    read_seconds: Seconds | None = None
    total_seconds: Seconds | None = None

    @field_validator("url")
    @classmethod
    def _url_is_plain(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("应为 http:// 或 https:// 开头的地址")
        if parts.username is not None or parts.password is not None or parts.query:
            raise ValueError("地址里不能带用户名、密码或参数")
        return value.rstrip("/")


class PolicySettings(StrictModel):
    id: str = ""
    """Id of the payment policy; empty: chosen by area code and settlement date."""
    agreed_areas: tuple[Annotated[str, _form(r"[0-9]{6}", "应为 6 位数字的医保区划")], ...] = ()
    """Other pooling areas that pay for their own insured by their own policy."""


class DeskSettings(StrictModel):
    """How the work queue counts."""

    upload_days: Annotated[int, Field(ge=1, le=366, strict=True)] | None = None
    """Days after the settlement by which a list must be uploaded; None: not configured."""
    correction_days: Annotated[int, Field(ge=1, le=366, strict=True)] | None = None
    """Days after the settlement by which an accepted list may be corrected; None: no limit."""
    wait_days: Annotated[int, Field(ge=1, le=90, strict=True)] = 5
    """Days after the discharge from which a missing bill, front page or charge is overdue."""


class HistorySettings(StrictModel):
    """Which months are past: read apart, judged, never worked on or sent."""

    before: Annotated[str, _form(r"(20[0-9]{2}-(0[1-9]|1[0-2]))?", "应为月份，如 2025-01")] = ""
    """Bills settled before this month are history; empty: there is none."""


class WebSettings(StrictModel):
    """Where the desk listens. Another address than loopback needs the TLS proxy before it."""

    host: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8136
    trusted_proxy: Annotated[str, AfterValidator(_address)] = ""
    """Address of the proxy whose X-Forwarded headers are believed; empty: there is none."""


DayTime = Annotated[str, _form(r"([01][0-9]|2[0-3]):[0-5][0-9]", "应为时刻，如 02:10")]


class ScheduleSettings(StrictModel):
    """What `dipgate serve` does beside the pages, and when. Times of day are Asia/Shanghai."""

    intake_minutes: Annotated[int, Field(ge=1, le=1440, strict=True)] = 10
    """Every so many minutes the sources are read and what is new is judged."""
    pull_at: DayTime = "02:10"
    """When the platform's results are fetched and compared, each night."""
    pull_minutes: Annotated[int, Field(ge=1, le=1440, strict=True)] | None = None
    """Fetch them during the day too, every so many minutes; None: at night only."""
    pull_months: Annotated[int, Field(ge=1, le=24, strict=True)] = 3
    """How many settlement months are fetched: the newest that have accepted lists."""
    backup_at: DayTime | None = None
    """When the database is copied, each night; None: somebody runs `dipgate backup`."""
    backup_folder: str = ""
    """Where the copies go, best on another disk; empty: `backups` in the state folder."""
    backup_keep: Annotated[int, Field(ge=1, le=366, strict=True)] = 7
    """How many nightly copies are kept; older ones of the schedule's own are removed."""


class LogSettings(StrictModel):
    """How much the log in the state folder may take: `files` of `megabytes` each."""

    megabytes: Annotated[int, Field(ge=1, le=1000, strict=True)] = 10
    files: Annotated[int, Field(ge=2, le=100, strict=True)] = 10


class RepeatSettings(StrictModel):
    """Columns numbered 1…count that become the rows of a node."""

    node: Literal["diseinfo", "oprninfo", "icuinfo", "bldinfo", "iteminfo", "payinfo"]
    count: Annotated[int, Field(ge=1, le=200)]
    columns: Annotated[Mapping[str, str], Field(min_length=1)]

    @field_validator("columns")
    @classmethod
    def _patterns_are_numbered(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for code, pattern in value.items():
            if "{n}" not in pattern:
                raise ValueError(f"{code} 的列名要含有 {{n}}，例如 出院诊断编码{{n}}")
        return value


class TableSettings(StrictModel):
    """How one table is read: object (file pattern or view), key column, columns."""

    model_config = ConfigDict(populate_by_name=True)

    object_name: Annotated[str, Field(alias="object", min_length=1)]
    key: Annotated[str, Field(min_length=1)]
    columns: Mapping[str, Annotated[str, Field(min_length=1)]]
    repeats: tuple[RepeatSettings, ...] = ()
    watermark: str = ""
    sheet: str = ""


class ServerSettings(StrictModel):
    """A database server of the hospital. The password comes from the environment."""

    host: Annotated[str, Field(min_length=1, max_length=200)]
    port: Annotated[int, Field(ge=0, le=65535, strict=True)] = 0
    """0: the usual one of its kind."""
    database: Annotated[str, Field(min_length=1, max_length=200)]
    user: Annotated[str, Field(min_length=1, max_length=100)]
    db_schema: Annotated[str, Field(alias="schema", max_length=100)] = ""
    password_env: Annotated[
        str, _form(r"([A-Z][A-Z0-9_]{2,60})?", "应为环境变量的名字：大写字母、数字和下划线")
    ] = ""
    """Name of the environment variable that holds the password; empty: there is none."""

    model_config = ConfigDict(populate_by_name=True)


class LimitSettings(StrictModel):
    """What reading may cost the hospital's system, and when its answer is not believed."""

    connect_seconds: Seconds = 10.0
    statement_seconds: Seconds = 60.0
    sessions: Annotated[int, Field(ge=1, le=2, strict=True)] = 1
    fewest_share: Annotated[Decimal, Field(ge=0, le=1)] | None = Decimal("0.3")
    """Fewer rows than this share of the usual number: hold and alarm. 0: believe anything."""


class SourceSettings(StrictModel):
    """One source of the hospital's own data."""

    name: Name
    kind: Name
    charset: str
    path: str = ""
    edition: Literal["nhsa", "clinical"]
    tables: Mapping[Literal["front_page", "settlement", "charge"], TableSettings]
    server: ServerSettings | None = None
    limits: LimitSettings = LimitSettings()

    @field_validator("charset")
    @classmethod
    def _charset_is_known(cls, value: str) -> str:
        try:
            found = codecs.lookup(value)
            "".encode(value)
        except (LookupError, ValueError):
            raise ValueError(f"不认识的字符集 {value!r}；常用 utf-8、gb18030") from None
        return found.name

    @model_validator(mode="after")
    def _bills_make_cases(self) -> SourceSettings:
        if "settlement" not in self.tables:
            raise ValueError("tables 里要有 settlement：一行结算就是一个病例")
        return self

    def spec(self, folder: Path) -> SourceSpec:
        """As the adapters take it; a relative path counts from the site file's folder."""
        return SourceSpec(
            name=self.name,
            kind=self.kind,
            charset=self.charset,
            path=str((folder / self.path).resolve()) if self.path else "",
            edition=self.edition,
            tables=MappingProxyType(
                {name: _table_map(name, table) for name, table in self.tables.items()}
            ),
            server=None if self.server is None else _server(self.server),
            limits=_limits(self.limits),
        )


def _server(server: ServerSettings) -> ServerSpec:
    return ServerSpec(server.host, server.port, server.database, server.user, server.db_schema)


def _limits(limits: LimitSettings) -> SourceLimits:
    return SourceLimits(
        connect_seconds=limits.connect_seconds,
        statement_seconds=limits.statement_seconds,
        sessions=limits.sessions,
        fewest_share=limits.fewest_share or None,
    )


def _table_map(name: str, table: TableSettings) -> TableMap:
    if name not in TABLES:
        raise ConfigError(f"不认识的表 {name!r}", path=name)
    return TableMap(
        table=name,
        object_name=table.object_name,
        key=table.key,
        columns=MappingProxyType(dict(table.columns)),
        repeats=tuple(
            RepeatMap(item.node, item.count, MappingProxyType(dict(item.columns)))
            for item in table.repeats
        ),
        watermark=table.watermark,
        sheet=table.sheet,
    )
