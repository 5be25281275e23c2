# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import ReferenceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.observer import (
    ReferencePlan,
    observe_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids


@pytest.fixture
def look() -> Callable[..., ReferenceFacts]:
    """`facts = look(path, scope="headers")`: walk: what the plan of the walk has beyond the path and the owner."""

    def look(path, *, walk=None, **plan):
        uid, gid = backup_ids()
        options = {"stall": 60.0, **(walk or {})}
        _owners, facts = observe_store(WalkPlan(os.fspath(path), uid, gid, (gid,), **options), ReferencePlan(**plan))
        return facts

    return look
