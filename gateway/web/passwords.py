"""Passwords: what is accepted, and argon2id hashes checked at most four at a time."""

from __future__ import annotations

import secrets
import string
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dipgate.core.errors import ConfigError

SHORTEST, LONGEST = 10, 128
_KINDS = 2
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


class Passwords:
    """Hashes and checks. Each check takes 19 MB, so four run at once and the rest wait."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._room = threading.BoundedSemaphore(4)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """The encoded argon2id hash of a password."""
        with self._room:
            return self._hasher.hash(_folded(password))

    def matches(self, encoded: str | None, password: str) -> bool:
        """Is this the password? For an unknown user (None) the same work is done in vain."""
        if len(password) > LONGEST:
            return False
        with self._room:
            try:
                self._hasher.verify(encoded or self._nobody, _folded(password))
            except (VerificationError, InvalidHashError):
                return False
        return encoded is not None


def check_new_password(password: str, *, login: str) -> None:
    """Refuse a weak new password. Raises ConfigError that says what is missing."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(f"密码要 {SHORTEST}–{LONGEST} 个字符", path="password")
    if any(not char.isprintable() for char in password):
        raise ConfigError("密码里有看不见的字符，请重新输入", path="password")
    kinds = {
        "letter" if char.isalpha() else "digit" if char.isdigit() else "sign" for char in password
    }
    if len(kinds) < _KINDS or len(set(password)) < SHORTEST // 2:
        raise ConfigError(
            "密码太简单；字母、数字、符号至少用两种，不要重复同几个字", path="password"
        )
    if login and login.lower() in password.lower():
        raise ConfigError("密码里不要含有登录名", path="password")


def random_password() -> str:
    """A password to hand over once: 16 characters that are not mistaken for one another."""
    while True:
        found = "".join(secrets.choice(_ALPHABET) for _ in range(16))
        if any(char.isdigit() for char in found) and any(char.isalpha() for char in found):
            return found


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
