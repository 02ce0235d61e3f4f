"""Errors of the system that people meet, in their words."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

_WORDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        errno.EACCES: ("没有权限", "检查属主和权限"),
        errno.EPERM: ("没有权限", "检查属主和权限"),
        errno.ENOSPC: ("写不下，磁盘已满", "腾出空间后重新运行"),
        errno.EDQUOT: ("写不下，磁盘配额已用完", "腾出空间后重新运行"),
        errno.EROFS: ("不能写只读的磁盘", "换一个可写的位置"),
        errno.ENOENT: ("没有这个文件或目录", "检查路径"),
        errno.ENOTDIR: ("路径里有一段不是目录", "检查路径"),
        errno.EISDIR: ("这是目录，需要一个文件", "检查路径"),
        errno.EEXIST: ("已经存在", "换一个名字"),
        errno.ENAMETOOLONG: ("名字太长", "换一个短的名字"),
        errno.ELOOP: ("符号链接绕成了圈", "检查路径"),
        errno.EFBIG: ("文件太大", "换一个位置，或调高系统限额"),
        errno.EIO: ("磁盘读写出错", "检查磁盘"),
        errno.EBUSY: ("正被占用", "等占用它的程序结束后重试"),
        errno.EMFILE: ("打开的文件太多", "调高系统限额后重新运行"),
        errno.ENFILE: ("打开的文件太多", "调高系统限额后重新运行"),
        errno.EADDRINUSE: ("端口正被占用", "换一个端口，或停掉占用它的程序"),
        errno.EADDRNOTAVAIL: ("本机没有这个地址", "改成本机的地址"),
    }
)


def system_words(error: OSError) -> tuple[str, str]:
    """What is wrong and what to do. An error that has no words here is quoted as it came."""
    known = _WORDS.get(error.errno or 0)
    return known or (f"系统拒绝了（{error.strerror or error}）", "检查路径、磁盘和权限")


def system_sentence(act: str, error: OSError) -> str:
    """`读不了文件 x.csv` → `读不了文件 x.csv：没有权限；检查属主和权限`."""
    what, remedy = system_words(error)
    return f"{act}：{what}；{remedy}"
