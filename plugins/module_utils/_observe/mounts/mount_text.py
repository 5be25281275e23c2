# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Syntax that mountinfo, fstab and mount units share: octal escapes, comma lists of options, and secrets in options."""

from __future__ import annotations

import re
import typing as t

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
# A security context may contain commas; the kernel then quotes it.
_OPTION = re.compile(r'(?:"[^"]*"|[^,])+')
_SECRET_OPTION = re.compile(r"(?i)^(pass|passwd|password|password2|secret|[^=]*(?:secret_key|access_key))=.+")
_SECRET_IN_SOURCE = re.compile(r"(#|//)([^/@:]*):[^/@]*@")
_HIDDEN = "(hidden)"


def unescape(text: bytes) -> bytes:
    r"""Decode octal escapes such as `\040`; other backslashes stay the same."""
    return _OCTAL.sub(lambda match: bytes((int(match.group(1), 8),)), text)


def split_options(text: str) -> list[str]:
    """The parts of a comma list, in order, without empty ones."""
    return _OPTION.findall(text)


def hide_secrets(options: t.Iterable[str]) -> list[str]:
    """The options without passwords and keys, because observations become part of reports."""
    return [_SECRET_OPTION.sub(lambda match: match.group(1) + "=" + _HIDDEN, option) for option in options]


def hide_secret_in_source(source: str) -> str:
    """The source without the password in `//user:password@server/share`."""
    return _SECRET_IN_SOURCE.sub(lambda match: match.group(1) + match.group(2) + ":" + _HIDDEN + "@", source)


def option_value(options: t.Iterable[str], name: str) -> t.Optional[str]:
    """The value of the last `name=value`; an empty string for a bare `name`, None if it is missing."""
    found = None
    for option in options:
        key, _equals, value = option.partition("=")
        if key == name:
            found = value
    return found
