# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shlex

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import counted, in_shell


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["/mnt/datastore/tank"], "/mnt/datastore/tank"),
        (["backup:backup", "/a b"], "backup:backup '/a b'"),
        (["a=b,c=d"], "a=b,c=d"),
        (["$(x)", "it's"], "'$(x)' 'it'\"'\"'s'"),
        ([""], "''"),
    ],
)
def test_words_for_a_shell(words, text):
    assert in_shell(*words) == text
    assert shlex.split(text) == words


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ["chunk"], "0 chunks"),
        (1, ["chunk"], "1 chunk"),
        (1234567, ["chunk"], "1,234,567 chunks"),
        (2, ["entry", "entries"], "2 entries"),
    ],
)
def test_numbers_for_people(number, words, text):
    assert counted(number, *words) == text
