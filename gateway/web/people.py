"""Making and changing users: one way for the command line, the page and the demo."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.store import Connection, Store, accounts
from dipgate.store.accounts import UserRow
from dipgate.web.guard import Role, role_of
from dipgate.web.passwords import Passwords, check_new_password, random_password

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class People:
    """Users of one store. Every act is audited under `actor`."""

    store: Store
    clock: Clock
    passwords: Passwords

    def add(self, *, login: str, name: str, role: str, password: str, actor: str) -> UserRow:
        """Make a user. Raises ConfigError for a bad name, role or password, or a name taken."""
        if _LOGIN.fullmatch(login) is None:
            raise ConfigError(
                "登录名要 2–40 个小写字母、数字、点、横线或下划线，以字母或数字开头", path="login"
            )
        name = name.strip()
        if not name or len(name) > _NAME_LENGTH or not name.isprintable():
            raise ConfigError(f"姓名要 1–{_NAME_LENGTH} 个字", path="name")
        self._role(role)
        check_new_password(password, login=login)
        encoded = self.passwords.hash(password)
        now = self.clock.now()
        return self.store.write(
            lambda conn: accounts.add_user(
                conn, login=login, name=name, role=role, password=encoded, now=now, actor=actor
            )
        )

    def set_password(self, login: str, password: str, *, actor: str) -> int:
        """Set a password; all sessions of the user end, a lock is lifted. How many ended."""
        check_new_password(password, login=login)
        encoded = self.passwords.hash(password)
        now = self.clock.now()
        return self.store.write(
            lambda conn: accounts.set_password(conn, login, encoded, now=now, actor=actor)
        )

    def give_new_password(self, login: str, *, actor: str) -> str:
        """Set a random password and return it, to be handed over once."""
        password = random_password()
        self.set_password(login, password, actor=actor)
        return password

    def set_role(self, login: str, role: str, *, actor: str) -> None:
        """Change a role; the user's sessions end. Raises ConfigError for the last administrator."""
        wanted, now = self._role(role), self.clock.now()

        def change(conn: Connection) -> None:
            if wanted is not Role.ADMINISTRATOR:
                _keep_an_administrator(conn, login)
            accounts.set_role(conn, login, role, now=now, actor=actor)

        self.store.write(change)

    def disable(self, login: str, *, actor: str) -> bool:
        """Shut a user out at once; False when he already was.

        Raises ConfigError for an unknown user and for the last administrator.
        """
        now = self.clock.now()

        def change(conn: Connection) -> bool:
            _keep_an_administrator(conn, login)
            return accounts.set_disabled(conn, login, True, now=now, actor=actor)

        return self.store.write(change)

    def enable(self, login: str, *, actor: str) -> bool:
        """Let a disabled user in again; False when he was not disabled."""
        now = self.clock.now()
        return self.store.write(
            lambda conn: accounts.set_disabled(conn, login, False, now=now, actor=actor)
        )

    def all(self) -> tuple[UserRow, ...]:
        with self.store.read() as conn:
            return accounts.all_users(conn)

    @staticmethod
    def _role(name: str) -> Role:
        role = role_of(name)
        if role is None:
            known = "、".join(f"{item.value}（{item.label}）" for item in Role)
            raise ConfigError(f"没有角色 {name}；可用的是 {known}", path="role")
        return role


def _keep_an_administrator(conn: Connection, login: str) -> None:
    """Refuse to take away the only administrator who can still log in."""
    active = [
        user.login
        for user in accounts.all_users(conn)
        if user.role == Role.ADMINISTRATOR.value and user.disabled_at is None
    ]
    if active == [login]:
        raise ConfigError(f"{login} 是唯一的系统管理员；先新建另一个", path="login")
