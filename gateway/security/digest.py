"""SM3 digests (GB/T 32905), for what the platform and our receipts compare."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3, Hash

from dipgate.core.errors import ConfigError


def sm3_hex(data: bytes) -> str:
    """SM3 of `data`, 64 hexadecimal digits, lower case.

    Raises ConfigError when the machine's cryptography was built without SM3.
    """
    try:
        digest = Hash(SM3())
    except UnsupportedAlgorithm as error:
        raise ConfigError(
            "本机的 cryptography 不支持 SM3；请安装官方发布的 cryptography 轮子",
            path="cryptography",
        ) from error
    digest.update(data)
    return digest.finalize().hex()
