"""Errors of the system that people meet, in their words."""

from __future__ import annotations

import errno

_WORDS = {
    errno.EACCES: ("没有权限", "检查属主和权限"),
    errno.EPERM: ("没有权限", "检查属主和权限"),
    errno.ENOSPC: ("写不下，磁盘已满", "腾出空间后重新运行"),
    errno.EDQUOT: ("写不下，磁盘配额已用完", "腾出空间后重新运行"),
    errno.EROFS: ("不能写只读的磁盘", "换一个可写的位置"),
    errno.ENOENT: ("没有这个文件或目录", "检查路径"),
    errno.ENOTDIR: ("路径里有一段不是目录", "检查路径"),
    errno.EISDIR: ("这是目录，需要一个文件", "检查路径"),
    errno.EEXIST: ("已经存在", "换一个名字"),
    errno.EMFILE: ("打开的文件太多", "调高系统限额后重新运行"),
}


def system_words(error: OSError) -> tuple[str, str] | None:
    """What is wrong and what to do; None for an error that has no words here."""
    return _WORDS.get(error.errno or 0)
