# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`/etc/fstab`, as fstab(5) and systemd-fstab-generator(8) read it."""

from __future__ import annotations

import dataclasses
import os
import re

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import split_options, unescape


@dataclasses.dataclass(frozen=True)
class FstabEntry:
    """One line that mounts something. Names are as in the file (`os.fsdecode`), and not safe to show."""

    line: int
    """Counted from 1."""
    source: str
    where: str
    """Without redundant slashes; links in it are not followed."""
    fstype: str
    options: tuple[str, ...]

    @property
    def bind(self) -> bool:
        return not {"bind", "rbind"}.isdisjoint(self.options)

    @property
    def automount(self) -> bool:
        """Whether systemd mounts it at its first use; `comment=` is the old form of this option."""
        return not {"x-systemd.automount", "comment=systemd.automount"}.isdisjoint(self.options)

    @property
    def pulled_in_by(self) -> tuple[str, ...]:
        """The units that pull it in, instead of the target for filesystems; see systemd.mount(5)."""
        keys = ("x-systemd.wanted-by=", "x-systemd.required-by=")
        return tuple(option.partition("=")[2] for option in self.options if option.startswith(keys))

    @property
    def at_boot(self) -> bool:
        """Whether it is mounted automatically; systemd's automount overrides `noauto`."""
        automatic = True
        for option in self.options:
            if option in ("auto", "noauto"):
                automatic = option == "auto"
        return automatic or self.automount


def parse_fstab(text: bytes) -> tuple[list[FstabEntry], int]:
    """The entries that mount something (no swap), and the number of invalid lines."""
    entries: list[FstabEntry] = []
    skipped = 0
    for number, line in enumerate(text.split(b"\n"), 1):
        fields = re.split(rb"[ \t]+", line.strip(b" \t\r"))
        if fields[0] == b"" or fields[0].startswith(b"#"):
            continue
        if len(fields) < 2:
            skipped += 1
            continue
        # libmount and systemd take a line of two fields, too.
        source, where, fstype = (os.fsdecode(unescape(field)) for field in (*fields, b"auto")[:3])
        if fstype == "swap" or where in ("none", "swap"):
            continue
        if not where.startswith("/"):
            skipped += 1
            continue
        options = tuple(split_options(os.fsdecode(fields[3]))) if len(fields) > 3 else ()
        entries.append(
            FstabEntry(
                line=number,
                source=_unquoted(source),
                where="/" + "/".join(part for part in where.split("/") if part),
                fstype=fstype,
                options=tuple(os.fsdecode(unescape(os.fsencode(option))) for option in options),
            )
        )
    return entries, skipped


def _unquoted(source: str) -> str:
    """Remove quotes: `UUID="…"` is the same as `UUID=…`."""
    tag, equals, value = source.partition("=")
    if equals and len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return tag + "=" + value[1:-1]
    return source
