# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`/proc/PID/mountinfo`, line by line; see proc(5)."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import (
    option_value,
    split_options,
    unescape,
)

_DELETED = "//deleted"
_FIXED_FIELDS = 6
_DIGITS = 10
"""That an id of a mount or a part of a device's number has at most; Python takes quadratic time to read longer ones."""


@dataclasses.dataclass(frozen=True)
class MountEntry:
    """One mount. Names are as the kernel has them (`os.fsdecode`), fit for opening files, not for showing."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    """The directory of the filesystem that is shown here, without the kernel's mark for a deleted one."""
    deleted: bool
    """That directory has been removed since."""
    mount_point: str
    options: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def shows_part(self) -> bool:
        """It shows another directory than a plain mount of its source does."""
        return self.root != self._plain_root()

    def _plain_root(self) -> str:
        if self.fstype in ("nfs", "nfs4"):
            return self.root
        if self.fstype == "btrfs":
            return option_value(self.super_options, "subvol") or "/"
        if self.fstype in ("cifs", "smb3"):
            # A share may be mounted from a directory on: //server/share/directory.
            below_share = self.source.replace("\\", "/").lstrip("/").split("/")[2:]
            return "/" + "/".join(part for part in below_share if part)
        return "/"

    def inside(self, path: str) -> str:
        """Where an absolute path on this mount lies within the filesystem."""
        rest = path[len(self.mount_point.rstrip("/")) :].strip("/")
        return (self.root.rstrip("/") + "/" + rest).rstrip("/") or "/"


def parse_mountinfo(text: bytes) -> tuple[list[MountEntry], int]:
    """The mounts in the order of the file, and how many lines were no mounts."""
    entries: list[MountEntry] = []
    skipped = 0
    # Not splitlines(): names may hold every other kind of line end as it is.
    for line in text.split(b"\n"):
        if line:
            entry = parse_line(line)
            if entry is None:
                skipped += 1
            else:
                entries.append(entry)
    return entries, skipped


def parse_line(line: bytes) -> t.Optional[MountEntry]:
    """One line of mountinfo, or None where it is not of that form."""
    fields = line.split(b" ")
    try:
        end_of_optional = fields.index(b"-", _FIXED_FIELDS)
    except ValueError:
        return None
    mount_id, parent_id, device, root, mount_point, options = fields[:_FIXED_FIELDS]
    # An empty source is an empty field; some filesystems leave spaces in their options as they are.
    about_filesystem = fields[end_of_optional + 1 :]
    if len(about_filesystem) < 3:
        return None
    fstype, source = about_filesystem[:2]
    super_options = b" ".join(about_filesystem[2:])
    major, _colon, minor = device.partition(b":")
    if not all(number.isdigit() and len(number) <= _DIGITS for number in (mount_id, parent_id, major, minor)):
        return None
    if not mount_point.startswith(b"/"):
        return None
    shown = _text(root)
    if fstype in (b"nfs", b"nfs4"):
        # The kernel writes `/` for every mount of NFS, and the directory into the source (server:/directory); several
        # exports of one filesystem of a server have one device number here.
        shown = _exported(_text(source)) or shown
    return MountEntry(
        mount_id=int(mount_id),
        parent_id=int(parent_id),
        device=device.decode("ascii"),
        root=(shown[: -len(_DELETED)] or "/") if shown.endswith(_DELETED) else shown,
        deleted=shown.endswith(_DELETED),
        mount_point=_text(mount_point),
        options=_options(options),
        fstype=_text(fstype),
        source=_text(source),
        super_options=_options(super_options),
    )


def _exported(source: str) -> str:
    """The directory in `server:/directory`; the server may be `[::1]`."""
    _server, colon, directory = source.partition(":/")
    return ("/" + directory).rstrip("/") or "/" if colon else ""


def _text(field: bytes) -> str:
    return os.fsdecode(unescape(field))


def _options(field: bytes) -> tuple[str, ...]:
    # Escaped commas are no separators, so the list is taken apart first.
    return tuple(_text(os.fsencode(option)) for option in split_options(os.fsdecode(field)))
