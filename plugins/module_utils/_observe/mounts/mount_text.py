# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""What mountinfo, fstab and mount units have in common: octal escapes, comma lists of options, secrets among these."""

from __future__ import annotations

import re
import typing as t

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
# A security context may hold commas; the kernel then puts it into quotes.
_OPTION = re.compile(r'(?:"[^"]*"|[^,])+')
_SECRET_OPTION = re.compile(r"(?i)^(pass|passwd|password|password2|secret|[^=]*(?:secret_key|access_key))=.+")
_SECRET_IN_SOURCE = re.compile(r"(#|//)([^/@:]*):[^/@]*@")
_HIDDEN = "(hidden)"


def unescape(text: bytes) -> bytes:
    r"""Turn `\040` and its like back into bytes; a backslash before anything else stays one."""
    return _OCTAL.sub(lambda match: bytes((int(match.group(1), 8),)), text)


def split_options(text: str) -> list[str]:
    """The parts of a comma list, in order, without the empty ones."""
    return _OPTION.findall(text)


def hide_secrets(options: t.Iterable[str]) -> list[str]:
    """The options with passwords and keys taken out, since what is observed ends up in a report."""
    return [_SECRET_OPTION.sub(lambda match: match.group(1) + "=" + _HIDDEN, option) for option in options]


def hide_secret_in_source(source: str) -> str:
    """The source without the password that `//user:password@server/share` may hold."""
    return _SECRET_IN_SOURCE.sub(lambda match: match.group(1) + match.group(2) + ":" + _HIDDEN + "@", source)


def option_value(options: t.Iterable[str], name: str) -> t.Optional[str]:
    """The value of the last `name=value`, the empty string for a bare `name`, None where it is not there."""
    found = None
    for option in options:
        key, _equals, value = option.partition("=")
        if key == name:
            found = value
    return found
