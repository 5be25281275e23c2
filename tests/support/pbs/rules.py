# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PBS knows of names, modes, times and errors: restated from its documentation, its source and its answers.

Used by every part of the imitation. Versions are those of PBS since which a rule holds; without one, all that are
supported.
"""

from __future__ import annotations

import calendar
import ctypes
import errno
import grp
import os
import pwd
import re
import time
from collections.abc import Iterator

CHUNK_SIZE = 4 * 2**20
PREFIXES = 65536

# Modes that PBS gives, and wants to see again where it adopts a store.
BASE_MODE = 0o755
CHUNKS_MODE = 0o750
LOCK_MODE = 0o644
FILE_MODE = 0o644
DIRECTORY_MODE = 0o755

GROUP_TYPES = ("vm", "ct", "host")
MAX_NAMESPACE_DEPTH = 7

CUTOFF_MINUTES = 1445
WRITER_SLACK = 300
"""Seconds before the oldest writer that chunks are kept, too, where that writer is older than the cutoff."""

_ID = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_is_id = re.compile(_ID).fullmatch
_is_snapshot = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z").fullmatch
_is_prefix = re.compile(r"[0-9a-f]{4}").fullmatch
_is_chunk = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_is_bad_chunk = re.compile(r"[0-9a-fA-F]{64}\.[0-9]\.bad").fullmatch
_is_marker = re.compile(r"[0-9a-fA-F]{64}\.using").fullmatch
_is_backup_file = re.compile(r".*\.(fidx|didx|blob)").fullmatch


# --- names ------------------------------------------------------------------------------------------------------------


def is_prefix(name: str) -> bool:
    """Whether it is a directory of `.chunks` that PBS looks into."""
    return _is_prefix(name) is not None


def chunk_kind(name: str) -> str:
    """`chunk`, `bad` (renamed by a verification) or `using` (a marker of S3 stores), as since 4.1.2; empty: not PBS's.

    Upper-case digits count for garbage collection, though PBS never makes such a name.
    """
    if _is_chunk(name):
        return "chunk"
    if _is_bad_chunk(name):
        return "bad"
    return "using" if _is_marker(name) else ""


def is_snapshot(name: str) -> bool:
    return _is_snapshot(name) is not None


def is_group(kind: str, name: str) -> bool:
    return kind in GROUP_TYPES and _is_id(name) is not None


def is_namespace(name: str) -> bool:
    return _is_id(name) is not None


def is_backup_file(name: str) -> bool:
    """A file of a snapshot that belongs to the backup, hidden or not."""
    return _is_backup_file(name) is not None


def is_index(name: str) -> bool:
    return name.endswith((".fidx", ".didx"))


def snapshot_time(name: str) -> int:
    """The backup time of a snapshot's directory, in seconds since 1970."""
    # Not strptime: it imports a module at its first call, which `backup` may not read.
    return calendar.timegm(tuple(map(int, re.findall("[0-9]+", name))))


def snapshot_name(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def chunk_path(base: str | os.PathLike[str], digest: str) -> str:
    return f"{os.fspath(base)}/.chunks/{digest[:4]}/{digest}"


def namespace_path(names: list[str] | tuple[str, ...]) -> str:
    """Where a namespace is below the base: `ns/a/ns/b`, empty for the root."""
    return "/".join(part for name in names for part in ("ns", name))


# --- users ------------------------------------------------------------------------------------------------------------


def backup_ids() -> tuple[int, int]:
    """uid and gid of `backup`; KeyError where the system has no such user."""
    return pwd.getpwnam("backup").pw_uid, grp.getgrnam("backup").gr_gid


# --- system calls and their errors ------------------------------------------------------------------------------------


def touch_atime(path: str | os.PathLike[str]) -> None:
    """The touch of garbage collection: `utimensat(path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW)`. OSError."""
    now, omit = (1 << 30) - 1, (1 << 30) - 2
    times = (ctypes.c_long * 4)(0, now, 0, omit)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.utimensat(-100, os.fsencode(path), ctypes.byref(times), 0x100) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(path))


def system_error(error: OSError) -> str:
    """An error as PBS's own calls of libc give it: `EPERM: Operation not permitted`."""
    number = error.errno or 0
    return f"{errno.errorcode.get(number, '?')}: {os.strerror(number)}"


def library_error(error: OSError) -> str:
    """An error as the standard library of Rust gives it: `Permission denied (os error 13)`."""
    number = error.errno or 0
    return f"{os.strerror(number)} (os error {number})"


# --- garbage collection -----------------------------------------------------------------------------------------------


def min_atime(
    start: int, cutoff: int = CUTOFF_MINUTES * 60, oldest_writer: int | None = None, slack: int = WRITER_SLACK
) -> int:
    """Chunks whose access time is before this second are removed. start: of phase 1; cutoff, slack: seconds.

    Since 3.3.7; before, the cutoff was `min(start - 86400, oldest_writer) - 300` and could not be set.
    """
    limit = start - cutoff
    if oldest_writer is not None and oldest_writer < limit:
        return oldest_writer - slack
    return limit


# --- texts ------------------------------------------------------------------------------------------------------------


def human_size(size: int) -> str:
    """Bytes as logs show them: `159 B`, `1.953 KiB`, `4 MiB`."""
    if size < 1024:
        return f"{size} B"
    units = ("KiB", "MiB", "GiB", "TiB", "PiB")
    power = min((size.bit_length() - 1) // 10, len(units))
    value, unit = size / 1024**power, units[power - 1]
    return f"{round(value, 3):.3f}".rstrip("0").rstrip(".") + f" {unit}"


def human_time(seconds: int) -> str:
    """A span as logs show it: `1d 5m`. A month has 30.44 days, a year 365.25."""
    units = (("y", 31557600), ("M", 2630016), ("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))

    def parts() -> Iterator[str]:
        rest = seconds
        for unit, length in units:
            if rest >= length:
                yield f"{rest // length}{unit}"
                rest %= length

    return " ".join(parts()) or "0s"


def utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def escape_id(text: str) -> str:
    """A worker's id inside a UPID: what is no letter, digit, `_` or `.` is written as `\\x3a`; `/` as `-`."""
    return "".join(
        letter if letter.isalnum() or letter in "_." else "-" if letter == "/" else f"\\x{ord(letter):02x}"
        for letter in text
    )
