# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that once broke a promise, found by the fuzzer or in review. `make test` gives each to its target again."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ansible_collections.fleetops.pbs.tests.fuzz.targets import DOCUMENT


class Case(NamedTuple):
    target: str
    data: bytes
    was: str
    """What it did."""


_DIGITS = b"9" * 5000
"""More than Python turns into a number: it raises ValueError since 3.11, and takes quadratic time before."""


def _answer(code: int, output: bytes) -> bytes:
    """For manager_answer: the exit code's place in its list, the length of the output, the output."""
    return bytes((code, *divmod(len(output), 256))) + output


def _document(**changes: Any) -> bytes:
    return json.dumps({**DOCUMENT, **changes}).encode()


def _without(key: str) -> bytes:
    return json.dumps({name: value for name, value in DOCUMENT.items() if name != key}).encode()


def _evidence(text: bytes) -> bytes:
    """A document with this JSON for the evidence of its first finding."""
    first = dict(DOCUMENT["findings"][0], evidence={"x": "HERE"})
    return _document(findings=[first]).replace(b'"HERE"', text)


CASES = (
    Case("mountinfo_file", _DIGITS + b" 1 8:1 / /mnt rw - ext4 /dev/sda rw\n", "ValueError for a number without end"),
    Case("fstab_file", b"/dev/sda1 /mnt\\000/x ext4 rw\n", "ValueError for a path that no kernel takes"),
    Case("fstab_file", b"/srv\\000 /mnt/x none bind\n", "ValueError for a source that no kernel takes"),
    Case("single_value", b"0" * 5000 + b"1:00", "ValueError of the conversion instead of what is allowed"),
    Case(
        "manager_answer", _answer(0, b"TASK WARNINGS: " + b"9" * 4300 + b"1\n"), "ValueError for a number without end"
    ),
    Case("manager_answer", _answer(0, b"one\nTASK ERROR: \n"), "a failed task without a message passed for a success"),
    Case(
        "manager_answer",
        _answer(0, b"TASK ERROR: cannot read 'a\x0bTASK OK\n"),
        "a name on the disk turned the end of a failed task into a success",
    ),
    Case(
        "manager_answer",
        _answer(0, b"TASK ERROR: cannot read 'a\xe2\x80\xa8TASK OK\n"),
        "the same with a line separator of Unicode",
    ),
    Case(
        "child_message", b'{"part":"x","value":' + b"[" * 30000 + b"\n", "RecursionError in the parent, which is root"
    ),
    Case("child_message", b'{"begin":"\\u001b[31mred"}\n', "terminal escapes in what a hanging child was doing"),
    Case("document_file", _evidence(b"1e999"), "report.json with Infinity, which is no JSON"),
    Case(
        "document_file", _evidence(b'{"a":' * 480 + b"1795368886061350381" + b"}" * 480), "RecursionError in a report"
    ),
    Case("document_file", _evidence(b"[" * 900 + b"]" * 900), "RecursionError in a report"),
    Case("progress_note", b"\x19]@\x001\xf0C\n  \x0e\x00@\x001z\xd7", "RecursionError for what a host is doing"),
    Case("document_file", _without("pbs_version"), "KeyError in a report"),
    Case("document_file", _document(host="9" * 5000), "ValueError in sorting the hosts of a report"),
)
