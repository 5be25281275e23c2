# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are removed as left behind, and whose are not."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe import probe_file
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import (
    PRIVATE_PREFIX,
    new_name,
    remove_leftovers,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_CHUNK
from ansible_collections.fleetops.pbs.tests.support.processes import name_of_the_dead

OF_ELSEWHERE = PRIVATE_PREFIX + "00000000-4711-0123456789abcdef"


def clean_up(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return remove_leftovers(fd)
    finally:
        os.close(fd)


def test_what_the_dead_have_left_is_removed(tmp_path):
    (tmp_path / name_of_the_dead()).touch()
    (tmp_path / name_of_the_dead()).write_bytes(ZERO_CHUNK)
    assert clean_up(tmp_path) == 2
    assert os.listdir(tmp_path) == []


def test_what_this_process_has_left_before_is_removed(tmp_path):
    """It begins with cleaning up: a file of its own number is of an earlier process."""
    (tmp_path / new_name()).touch()
    assert clean_up(tmp_path) == 1


def test_what_the_living_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(probe_file, "LEFTOVER_AGE", 0)
    name = new_name().replace("-%d-" % os.getpid(), "-%d-" % os.getppid())
    (tmp_path / name).touch()
    assert clean_up(tmp_path) == 0
    assert os.listdir(tmp_path) == [name]


def test_where_that_cannot_be_told_age_decides(tmp_path, monkeypatch):
    (tmp_path / OF_ELSEWHERE).touch()
    assert clean_up(tmp_path) == 0
    monkeypatch.setattr(probe_file, "LEFTOVER_AGE", 0)
    assert clean_up(tmp_path) == 1


@pytest.mark.parametrize(
    "name",
    [
        PRIVATE_PREFIX,
        PRIVATE_PREFIX + "0123456789abcdef",
        OF_ELSEWHERE + "0",
        OF_ELSEWHERE + "\n",
        OF_ELSEWHERE.upper(),
        OF_ELSEWHERE + ".bak",
        PRIVATE_PREFIX + "00000000-0-0123456789abcdef",
        "x" + OF_ELSEWHERE,
        OF_ELSEWHERE.replace("4711", "47\xff11"),
    ],
)
def test_only_the_exact_form_of_a_name_is_ours(tmp_path, monkeypatch, name):
    monkeypatch.setattr(probe_file, "LEFTOVER_AGE", 0)
    (tmp_path / name).touch()
    assert clean_up(tmp_path) == 0
    assert (tmp_path / name).exists()


def test_what_has_such_a_name_and_is_no_file_of_ours_stays(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    large, link, hard, directory, pipe = (tmp_path / name_of_the_dead() for _each in range(5))
    large.write_bytes(b"x" * 160)
    link.symlink_to(elsewhere)
    hard.hardlink_to(elsewhere)
    directory.mkdir()
    os.mkfifo(pipe)
    assert clean_up(tmp_path) == 0
    assert all(os.path.lexists(path) for path in (large, link, hard, directory, pipe))
    assert elsewhere.read_bytes() == b"precious"


@pytest.mark.root
def test_a_file_of_another_user_stays(tmp_path):
    theirs = tmp_path / name_of_the_dead()
    theirs.touch()
    os.chown(theirs, 1000, 1000)
    assert clean_up(tmp_path) == 0
    assert theirs.exists()


def test_a_directory_that_cannot_be_listed_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert remove_leftovers(fd) == 0
    os.close(fd)
