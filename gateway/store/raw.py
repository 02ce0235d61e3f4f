"""Raw bytes as they came, in files named by their content's hash; written once, never changed."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from dipgate.core.errors import ConfigError
from dipgate.core.hashing import bytes_hash
from dipgate.store.database import sync_folder

FOLDER = "raw"
_HASH = re.compile(r"^[0-9a-f]{64}$")


def keep_raw(state: Path, data: bytes) -> str:
    """Store bytes durably (file and folder flushed) and return their SHA-256.

    After the return the bytes survive kill and power cut; the same bytes are stored once.
    """
    digest = bytes_hash(data)
    root = state / FOLDER
    folder = root / digest[:2]
    target = folder / digest[2:]
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(root)
    if not (target.is_file() and target.stat().st_size == len(data)):
        part = folder / f".part-{secrets.token_hex(8)}"
        try:
            with part.open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    sync_folder(folder)
    return digest


def read_raw(state: Path, digest: str) -> bytes:
    """The bytes of a hash. Raises ConfigError when they are missing or no longer what they were."""
    if not _HASH.match(digest):
        raise ConfigError("不是原始文件的编号（应为64位十六进制）", path="raw")
    file = state / FOLDER / digest[:2] / digest[2:]
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            "原始文件不在了；请从备份恢复 raw 目录", path=f"{FOLDER}/{digest[:2]}/{digest[2:]}"
        ) from None
    if bytes_hash(data) != digest:
        raise ConfigError(
            "原始文件内容与编号不符，已被改动或损坏；请从备份恢复",
            path=f"{FOLDER}/{digest[:2]}/{digest[2:]}",
        )
    return data


def raw_files(state: Path) -> Iterator[tuple[str, int]]:
    """Every kept file as (hash, size in bytes), in order of hash."""
    root = state / FOLDER
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            digest = folder.name + file.name
            if _HASH.match(digest):
                yield digest, file.stat().st_size
