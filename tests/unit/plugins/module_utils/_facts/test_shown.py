# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, JobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts, WalkCounts
from ansible_collections.fleetops.pbs.tests.support import facts

HOSTILE = "a\x1b[2J\n\udcff\u202eb"
SAFE = r"a\x1b[2J\x0a\xff\u202eb"


def test_texts_in_every_place_are_escaped() -> None:
    store = StoreFacts(
        name=HOSTILE,
        path=HOSTILE,
        configured=DatastoreConfig(
            name=HOSTILE,
            path=HOSTILE,
            properties={HOSTILE: HOSTILE, "list": [HOSTILE]},
            prune_jobs=[JobFacts(id=HOSTILE, keeps={HOSTILE: 1})],
        ),
        ownership=OwnershipFacts(
            scope="full", chunks=WalkCounts(examples={"foreign": [PathProblem(HOSTILE, HOSTILE)]}, foreign={HOSTILE: 1})
        ),
    )
    assert shown(store) is store
    assert HOSTILE not in repr(store)
    assert store.configured is not None
    assert store.configured.properties == {SAFE: SAFE, "list": [SAFE]}
    assert store.configured.prune_jobs == [JobFacts(id=SAFE, keeps={SAFE: 1})]
    assert store.ownership is not None
    assert store.ownership.chunks.examples == {"foreign": [PathProblem(SAFE, SAFE)]}


def test_what_is_safe_stays_as_it_is() -> None:
    host, store = facts.host(), facts.store()
    assert shown([copy.deepcopy(host), copy.deepcopy(store)]) == [host, store]


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_second_time_changes_nothing(value: object) -> None:
    once = shown(copy.deepcopy([value]))
    assert shown(copy.deepcopy(once)) == once


def test_every_kind_of_facts_is_known_to_it() -> None:
    """Facts consist of dataclasses, lists, dictionaries and plain values; a tuple or a set would pass unseen."""
    for made in (facts.host(), facts.store()):
        pending: list[object] = [made]
        while pending:
            value = pending.pop()
            if dataclasses.is_dataclass(value):
                pending += [getattr(value, field.name) for field in dataclasses.fields(value)]
            elif isinstance(value, list):
                pending += value
            elif isinstance(value, dict):
                pending += [*value, *value.values()]
            else:
                assert value is None or isinstance(value, (str, int, float, bool)), value
