# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from a disk or the kernel, made safe to show."""

from __future__ import annotations

import errno
import os
import typing as t


def display(value: t.Union[str, bytes]) -> str:
    r"""Return the text with everything that a terminal or a report could interpret written as `\xNN`.

    Escapes bytes that are not UTF-8, control characters (newlines, terminal escapes) and invisible format characters
    (bidirectional overrides); printable characters stay the same. Use the result to show text, not to open files.
    """
    text = os.fsdecode(value) if isinstance(value, bytes) else value
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how os.fsdecode represents a byte that is not UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class ExplainedError(OSError):
    """An error with an errno and a more precise text than the kernel's for that number."""


def error_name(number: int) -> str:
    """The symbolic name of an errno value, for example `EPERM`."""
    return errno.errorcode.get(number, "errno %d" % number)


def describe_error(error: t.Union[int, OSError]) -> str:
    """`EPERM: Operation not permitted`: the name as in PBS's own task log, and its meaning."""
    number = error if isinstance(error, int) else (error.errno or 0)
    if number == 0:
        return display(str(error))
    text = error.strerror if isinstance(error, ExplainedError) else os.strerror(number)
    return f"{error_name(number)}: {text}"


def meant(word: str, known: t.Iterable[str]) -> str:
    """What somebody probably meant, as a part of a sentence: ` (perhaps 'PBS-ATIME-01')`; empty if nothing is near."""
    import difflib  # only for a mistake; each run on a host would pay for it

    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, 1, 0.7)
    return f" (perhaps '{by_folded[near[0]]}')" if near else ""
