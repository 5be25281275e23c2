# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe import facts, idmap
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import IdMapFacts, IdRange
from ansible_collections.fleetops.pbs.tests.support import namespaces


def proc(tmp_path: Path, uid_map: str | None, gid_map: str | None) -> str:
    (tmp_path / "self").mkdir()
    for name, content in (("uid_map", uid_map), ("gid_map", gid_map)):
        if content is not None:
            (tmp_path / "self" / name).write_text(content)
    return str(tmp_path)


def inside(id_map: str) -> IdMapFacts:
    """What is observed in a real user namespace with this map.

    A fork of this process does it, since other ids may not be able to reach its interpreter and its modules.
    """
    ready, tell_ready = os.pipe()
    mapped, tell_mapped = os.pipe()
    result, tell_result = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for end in (ready, tell_mapped, result):
                os.close(end)
            namespaces.unshare(namespaces.CLONE_NEWUSER)
            os.write(tell_ready, b"x")
            if os.read(mapped, 1):
                os.write(tell_result, json.dumps(dataclasses.asdict(idmap.observe_id_map())).encode())
                status = 0
        finally:
            os._exit(status)
    for end in (tell_ready, mapped, tell_result):
        os.close(end)
    try:
        assert os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{name}").write_text(id_map)
        os.write(tell_mapped, b"x")
        return facts.load(IdMapFacts, json.loads(os.read(result, 1 << 16)))
    finally:
        for end in (ready, tell_mapped, result):
            os.close(end)
        os.waitpid(child, 0)


@pytest.mark.root
def test_an_unprivileged_container() -> None:
    found = inside("0 100000 65536\n")
    assert found == IdMapFacts(namespaced=True, uids=[IdRange(0, 100000, 65536)], gids=[IdRange(0, 100000, 65536)])
    assert idmap.outside_id(found.uids, 34) == 100034


@pytest.mark.root
def test_a_container_without_the_account() -> None:
    found = inside("0 100000 34\n35 100035 65501\n")
    assert found.namespaced
    assert idmap.outside_id(found.uids, 34) is None
    assert [idmap.outside_id(found.gids, number) for number in (33, 35)] == [100033, 100035]


@pytest.mark.root
def test_a_container_that_maps_the_account_elsewhere() -> None:
    found = inside("0 0 34\n34 100034 1\n35 35 1000\n")
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
    assert "uid_map: not a range of ids: " in found.error
    assert found.error.isprintable()
    assert not found.namespaced


RANGES = st.builds(IdRange, st.integers(0, 99), st.integers(0, 2**31), st.integers(0, 99))


@given(st.lists(RANGES, max_size=4), st.integers(0, 250))
def test_outside(ranges: list[IdRange], number: int) -> None:
    spelt_out: dict[int, int] = {}
    for part in reversed(ranges):
        spelt_out.update({part.inside + step: part.outside + step for step in range(part.count)})
    assert idmap.outside_id(ranges, number) == spelt_out.get(number)
