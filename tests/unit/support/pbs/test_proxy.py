# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for PBS itself: what it tells of has to be the store's doing, never its own."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.client import pbs_daemon
from ansible_collections.fleetops.pbs.tests.support.pbs.proxy import Proxy, fill
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_new_chunk_is_none_that_the_store_was_filled_with(tmp_path, seed):
    """Not even where both were told the same seed: such a chunk may belong to another user, and no task expects that."""
    store = make_chunk_store(tmp_path / "tank", prefixes=1)
    filled = set(fill(store, 100, seed=seed))
    proxy = Proxy(os.fspath(store), seed, set())
    assert not filled & {proxy.new_digest() for _each in range(1000)}


def test_the_death_of_the_daemon_is_called_by_its_name(tmp_path):
    store = make_chunk_store(tmp_path / "tank", prefixes=1)
    with pbs_daemon(store) as daemon:
        os.kill(daemon.pid, signal.SIGKILL)
        os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(AssertionError, match="the daemon has died"):
            daemon.begin(operations=1)
        with pytest.raises(AssertionError, match="the daemon has died"):
            daemon.end()
