# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display, error_name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/mnt/datastore/tank", "/mnt/datastore/tank"),
        ("Müller und Söhne", "Müller und Söhne"),
        (b"not utf-8: \xff\xfe", r"not utf-8: \xff\xfe"),
        ("line\nbreak", r"line\x0abreak"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bidi\u202eoverride", r"bidi\u202eoverride"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("", ""),
    ],
)
def test_display_shows_what_is_printable_and_escapes_the_rest(value, shown):
    assert display(value) == shown


@given(st.one_of(st.text(), st.binary()))
def test_display_is_always_fit_for_a_terminal_and_for_utf8(value):
    shown = display(value)
    assert shown.isprintable()
    shown.encode("utf-8")


def test_errors_carry_the_name_that_pbs_shows():
    assert describe_error(errno.EPERM) == "EPERM: Operation not permitted"
    assert describe_error(OSError(errno.EROFS, "whatever")) == "EROFS: Read-only file system"
    assert describe_error(OSError("no number\n")) == r"no number\x0a"
    assert error_name(9999) == "errno 9999"
