# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner file of a backup group: one line with the user or API token that the group belongs to.

PBS reads the first line, drops white space at its end and parses the rest on every backup to the group; where that
fails, the backup fails and the group is left out of lists. Source: PBS, `BackupGroup::get_owner`; the forms of users
and tokens: `pbs-api-types`, `Authid`.
"""

from __future__ import annotations

import re

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

_SAFE_ID = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_REALM = r"[A-Za-z0-9_][A-Za-z0-9._-]{1,31}"
_AUTH_ID = re.compile(rf"[^\s:/\x00-\x1f\x7f]+@{_REALM}(?:!{_SAFE_ID})?")

_WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""The characters that PBS drops at the end of the line: those with the Unicode property White_Space."""

SIZE_LIMIT = 4096
"""Bytes that are enough to read of an owner file; a user has 64 characters at most, a token 129."""


class OwnerError(CollectionError, ValueError):
    """The content names neither a user nor an API token."""


def parse_owner(data: bytes) -> str:
    """The owner in an owner file, such as `root@pam` or `backup@pbs!nightly`. Raises `OwnerError`."""
    try:
        text = data[:SIZE_LIMIT].split(b"\n", 1)[0].decode("utf-8").rstrip(_WHITE_SPACE)
    except UnicodeDecodeError:
        raise OwnerError("the first line is not UTF-8") from None
    if not text:
        raise OwnerError("the first line is empty")
    if not _AUTH_ID.fullmatch(text):
        raise OwnerError("the first line is not a user or API token such as root@pam or backup@pbs!nightly")
    return text
