"""Who may do what: permissions that a route declares, and the roles that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Permission(Enum):
    """What a route needs. The value says it in words, for the page that refuses."""

    PUBLIC = "不用登录"
    """Log-in page, static files and the up/down answer only; start-up refuses any other."""
    ACCOUNT = "自己的账号"
    """Every signed-in user: the start page, own password, sign out."""
    LISTS_VIEW = "查看清单"
    LISTS_EDIT = "更正清单"
    LISTS_RELEASE = "放行清单"
    CODES_SEARCH = "查找编码"
    RESULTS_VIEW = "查看对账"
    EXPORT = "导出"
    QUEUE_DESK = "处理上传队列"
    HEALTH_VIEW = "查看运行状况"
    USERS_MANAGE = "管理用户"
    REGISTRY_VIEW = "查看科室与人员"
    """Also to propose an entry: whoever sees a gap may say what he knows."""
    REGISTRY_FIX = "登记科室与人员"
    MAPS_VIEW = "查看编码对照"
    """Also to propose a row: nothing holds before a second person has approved it."""
    MAPS_DECIDE = "批准编码对照"
    """Never one's own: the store refuses that to every role."""
    PUSH_ROWS = "推送数据"
    """Of a system with a token, never of a person: see `SERVICE`."""


SERVICE = frozenset({Permission.PUSH_ROWS})
"""Permissions that a token gives and no role holds. Their routes know neither cookie nor page."""


class Role(Enum):
    """The value is what the users table and `dipgate user add --role` say."""

    CODER = "coder"
    OFFICE = "office"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS: Mapping[Role, str] = MappingProxyType(
    {Role.CODER: "编码员", Role.OFFICE: "医保办", Role.ADMINISTRATOR: "系统管理员"}
)

HOLDS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.CODER: frozenset(
            {
                Permission.ACCOUNT,
                Permission.LISTS_VIEW,
                Permission.LISTS_EDIT,
                Permission.LISTS_RELEASE,
                Permission.CODES_SEARCH,
                Permission.RESULTS_VIEW,
                Permission.EXPORT,
                Permission.REGISTRY_VIEW,
                Permission.MAPS_VIEW,
                Permission.MAPS_DECIDE,
            }
        ),
        Role.OFFICE: frozenset(
            {
                Permission.ACCOUNT,
                Permission.LISTS_VIEW,
                Permission.LISTS_RELEASE,
                Permission.CODES_SEARCH,
                Permission.RESULTS_VIEW,
                Permission.EXPORT,
                Permission.HEALTH_VIEW,
                Permission.REGISTRY_VIEW,
                Permission.REGISTRY_FIX,
                Permission.MAPS_VIEW,
                Permission.MAPS_DECIDE,
            }
        ),
        Role.ADMINISTRATOR: frozenset(
            {
                Permission.ACCOUNT,
                Permission.HEALTH_VIEW,
                Permission.QUEUE_DESK,
                Permission.USERS_MANAGE,
                Permission.REGISTRY_VIEW,
                Permission.REGISTRY_FIX,
                Permission.MAPS_VIEW,
                Permission.MAPS_DECIDE,
            }
        ),
    }
)
"""Role → permissions. An administrator sees no list: no patient in clear."""


def role_of(name: str) -> Role | None:
    """The role with this stored name; None for a name that is no role (it holds nothing)."""
    return next((role for role in Role if role.value == name), None)


def holds(role: Role | None, needed: Permission) -> bool:
    """Does this role hold the permission? Default is no."""
    if needed is Permission.PUBLIC:
        return True
    return role is not None and needed in HOLDS[role]
