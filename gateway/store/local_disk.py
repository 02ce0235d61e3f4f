"""Is a folder on a disk of this machine? Locks and flushed writes hold nowhere else."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from dipgate.core.errors import ConfigError

_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "ncpfs",
    "afs",
    "ceph",
    "lustre",
    "glusterfs",
    "beegfs",
    "gpfs",
    "davfs",
    "curlftpfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.juicefs",
    "fuse.gvfsd-fuse",
    "fuse.vmhgfs-fuse",
    "vboxsf",
    "prl_fs",
)
"""Beginnings of the names of file systems that another machine (or a host) keeps."""
_REMOTE = 4
"""DRIVE_REMOTE of GetDriveTypeW."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a file system is mounted, of what kind, from where."""

    point: str
    kind: str
    device: str


def refuse_network_path(
    state: Path,
    *,
    mounts: Callable[[], tuple[Mount, ...]] | None = None,
    drive_type: Callable[[str], int] | None = None,
) -> None:
    """Raises ConfigError when the folder is not on a disk of this machine, saying where it is.

    A link is followed. `mounts` and `drive_type` stand for what the system says.
    """
    found = _where(state, mounts or system_mounts, drive_type or _drive_type)
    if found:
        raise ConfigError(
            f"状态目录 {state} 在网络磁盘上（{found}）：那里的锁和断电保护不可靠，数据会损坏；"
            "请改用本机磁盘上的目录，备份可以放到网络磁盘",
            path=str(state),
        )


def _where(
    state: Path, mounts: Callable[[], tuple[Mount, ...]], drive_type: Callable[[str], int]
) -> str:
    """In words which network disk holds the folder; empty for a local one."""
    try:
        real = state.resolve()
    except (OSError, RuntimeError):
        real = state.absolute()
    for text in (str(state), str(real)):
        if _is_unc(text):
            return "UNC 路径"
        drive = PureWindowsPath(text).drive
        if re.fullmatch("[A-Za-z]:", drive) and drive_type(f"{drive}\\") == _REMOTE:
            return f"映射的网络驱动器 {drive}"
    mount = mount_of(real, mounts())
    if mount is None or not mount.kind.startswith(_NETWORK):
        return ""
    return f"{mount.kind}，{mount.device} 挂在 {mount.point}"


def _is_unc(text: str) -> bool:
    r"""`\\server\share`, also in its long form; `\\?\C:\…` is a local path."""
    plain = text.replace("/", "\\")
    if plain.upper().startswith("\\\\?\\UNC\\"):
        return True
    return plain.startswith("\\\\") and not plain.startswith(("\\\\?\\", "\\\\.\\"))


def mount_of(folder: Path, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that holds an absolute folder: the deepest, of equals the last."""
    found: Mount | None = None
    for mount in mounts:
        point = Path(mount.point)
        inside = folder == point or point in folder.parents
        if inside and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def system_mounts() -> tuple[Mount, ...]:
    """What is mounted here as this process sees it; nothing where the system does not say."""
    for name, read in (("mountinfo", read_mountinfo), ("mounts", read_mounts)):
        try:
            text = Path("/proc/self", name).read_text("utf-8", errors="surrogateescape")
        except OSError:
            continue
        return tuple(read(text))
    return ()


def read_mountinfo(text: str) -> Iterator[Mount]:
    """The mounts in a `/proc/self/mountinfo`; a line of another form is passed over."""
    for line in text.splitlines():
        head, separator, tail = line.partition(" - ")
        left, right = head.split(" "), tail.split(" ")
        if separator and len(left) >= 5 and len(right) >= 2:
            yield Mount(_plain(left[4]), right[0], _plain(right[1]))


def read_mounts(text: str) -> Iterator[Mount]:
    """The mounts in a `/proc/mounts`."""
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) >= 3:
            yield Mount(_plain(parts[1]), parts[2], _plain(parts[0]))


def _plain(word: str) -> str:
    """Blanks and backslashes stand as octal numbers in these files."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 8)), word)


def _drive_type(root: str) -> int:
    """GetDriveTypeW of `Z:\\`; 0 (unknown) where there are no drives."""
    if sys.platform != "win32" or os.name != "nt":
        return 0
    return int(ctypes.windll.kernel32.GetDriveTypeW(root))
