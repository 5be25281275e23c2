# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import IdMapFacts, IdRange
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import idmap
from ansible_collections.fleetops.pbs.tests.support.userns import call_in_user_namespace


def proc(tmp_path: Path, uid_map: str | None, gid_map: str | None) -> str:
    (tmp_path / "self").mkdir()
    for name, content in (("uid_map", uid_map), ("gid_map", gid_map)):
        if content is not None:
            (tmp_path / "self" / name).write_text(content)
    return str(tmp_path)


def inside(id_map: str) -> IdMapFacts:
    """What is observed in a real user namespace with this map."""
    return call_in_user_namespace(idmap.observe_id_map, id_map)


@pytest.mark.root
def test_an_unprivileged_container() -> None:
    found = inside("0:100000:65536")
    assert found == IdMapFacts(namespaced=True, uids=[IdRange(0, 100000, 65536)], gids=[IdRange(0, 100000, 65536)])
    assert idmap.outside_id(found.uids, 34) == 100034


@pytest.mark.root
def test_a_container_without_the_account() -> None:
    found = inside("0:100000:34,35:100035:65501")
    assert found.namespaced
    assert idmap.outside_id(found.uids, 34) is None
    assert [idmap.outside_id(found.gids, number) for number in (33, 35)] == [100033, 100035]


@pytest.mark.root
def test_a_container_that_maps_the_account_elsewhere() -> None:
    found = inside("0:0:34,34:100034:1,35:35:1000")
    assert idmap.outside_id(found.uids, 34) == 100034


def test_no_namespace(tmp_path: Path) -> None:
    line = "         0          0 4294967295\n"
    found = idmap.observe_id_map(proc(tmp_path, line, line))
    assert found == IdMapFacts(False, [IdRange(0, 0, 4294967295)], [IdRange(0, 0, 4294967295)])
    assert idmap.outside_id(found.uids, 34) == 34


def test_a_namespace_for_groups_alone(tmp_path: Path) -> None:
    assert idmap.observe_id_map(proc(tmp_path, "0 0 4294967295\n", "0 1000 1\n")).namespaced


def test_a_kernel_without_user_namespaces(tmp_path: Path) -> None:
    found = idmap.observe_id_map(proc(tmp_path, None, None))
    assert not found.namespaced
    assert not found.error
    assert idmap.outside_id(found.gids, 34) == 34


def test_a_namespace_without_a_map(tmp_path: Path) -> None:
    found = idmap.observe_id_map(proc(tmp_path, "", ""))
    assert found.namespaced
    assert idmap.outside_id(found.uids, 0) is None


@pytest.mark.parametrize("content", ["0 0\n", "0 0 x\n", "-1 0 1\n", "0 0 1 \x1b[31m\n", "0 0 99999999999\n"])
def test_what_is_no_map(tmp_path: Path, content: str) -> None:
    found = idmap.observe_id_map(proc(tmp_path, content, "0 0 4294967295\n"))
    assert re.search(r"uid_map: '.*' is not a range of ids$", found.error)
    assert found.error.isprintable()
    assert not found.namespaced


RANGES = st.builds(IdRange, st.integers(0, 99), st.integers(0, 2**31), st.integers(0, 99))


@given(st.lists(RANGES, max_size=4), st.integers(0, 250))
def test_outside(ranges: list[IdRange], number: int) -> None:
    spelt_out: dict[int, int] = {}
    for part in reversed(ranges):
        spelt_out.update({part.inside + step: part.outside + step for step in range(part.count)})
    assert idmap.outside_id(ranges, number) == spelt_out.get(number)
