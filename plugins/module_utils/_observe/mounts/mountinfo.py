# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parser of `/proc/PID/mountinfo`; see proc(5)."""

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
"""Maximum digits of a mount id or of a part of a device number; Python needs quadratic time to parse longer numbers."""


@dataclasses.dataclass(frozen=True)
class MountEntry:
    """One mount. Names are as in the kernel (`os.fsdecode`): use them to open files, not to show them."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    """The directory of the filesystem that is mounted here, without the kernel's mark for a deleted one."""
    deleted: bool
    """Whether that directory was removed."""
    mount_point: str
    options: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def shows_part(self) -> bool:
        """Whether it shows another directory than a plain mount of its source."""
        return self.root != self._plain_root()

    def _plain_root(self) -> str:
        if self.fstype in ("nfs", "nfs4"):
            return self.root
        if self.fstype == "btrfs":
            return option_value(self.super_options, "subvol") or "/"
        if self.fstype in ("cifs", "smb3"):
            # The source may name a directory of a share: //server/share/directory.
            below_share = self.source.replace("\\", "/").lstrip("/").split("/")[2:]
            return "/" + "/".join(part for part in below_share if part)
        return "/"

    def inside(self, path: str) -> str:
        """The path within the filesystem for an absolute path on this mount."""
        rest = path[len(self.mount_point.rstrip("/")) :].strip("/")
        return (self.root.rstrip("/") + "/" + rest).rstrip("/") or "/"


def parse_mountinfo(text: bytes) -> tuple[list[MountEntry], int]:
    """The mounts in the order of the file, and the number of invalid lines."""
    entries: list[MountEntry] = []
    skipped = 0
    # Not splitlines(): names may contain any other line separator.
    for line in text.split(b"\n"):
        if line:
            entry = parse_line(line)
            if entry is None:
                skipped += 1
            else:
                entries.append(entry)
    return entries, skipped


def parse_line(line: bytes) -> t.Optional[MountEntry]:
    """One line of mountinfo, or None if it is invalid."""
    fields = line.split(b" ")
    try:
        end_of_optional = fields.index(b"-", _FIXED_FIELDS)
    except ValueError:
        return None
    mount_id, parent_id, device, root, mount_point, options = fields[:_FIXED_FIELDS]
    # An empty source is an empty field; some filesystems do not escape spaces in their options.
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
        # For NFS the kernel writes `/` as the root of every mount, and the directory in the source (server:/directory).
        # Several exports of one filesystem of a server have the same device number here.
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
    """The directory in `server:/directory`; the server may also be an address such as `[::1]`."""
    _server, colon, directory = source.partition(":/")
    return ("/" + directory).rstrip("/") or "/" if colon else ""


def _text(field: bytes) -> str:
    return os.fsdecode(unescape(field))


def _options(field: bytes) -> tuple[str, ...]:
    # Escaped commas are no separators, so split before unescaping.
    return tuple(_text(os.fsencode(option)) for option in split_options(os.fsdecode(field)))
