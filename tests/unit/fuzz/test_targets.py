# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of foreign text against its promise, without a fuzzer: seeds, regressions, and what hypothesis makes up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.tests.fuzz import regressions, targets
from ansible_collections.fleetops.pbs.tests.fuzz.seeds import SEEDS


@pytest.fixture(autouse=True, scope="module")
def _clean() -> Iterator[None]:
    yield
    targets.clean()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_what_is_right_passes(name: str) -> None:
    for seed in SEEDS[name]:
        targets.TARGETS[name].run(seed)


@pytest.mark.parametrize("case", regressions.CASES, ids=lambda case: f"{case.target}: {case.was}")
def test_what_was_wrong_once_stays_fixed(case: regressions.Case) -> None:
    targets.TARGETS[case.target].run(case.data)


@st.composite
def near_seeds(draw: st.DrawFn, name: str) -> bytes:
    """A seed with a part of it cut out, doubled, or replaced by a word of the format or by anything."""
    seed = draw(st.sampled_from(SEEDS[name]))
    words = st.sampled_from((*targets.TARGETS[name].words, b"\n", b"\0", b"\xff", b'"', b"9" * 40))
    for _each in range(draw(st.integers(0, 4))):
        start, end = sorted((draw(st.integers(0, len(seed))), draw(st.integers(0, len(seed)))))
        middle = draw(words | st.binary(max_size=8) | st.just(seed[start:end] * 2))
        seed = seed[:start] + middle + seed[end:]
    return seed


@pytest.mark.parametrize("name", targets.TARGETS)
def test_nothing_breaks_the_promise(name: str) -> None:
    slow = name in ("report_of_document", "document_file")

    @settings(max_examples=30 if slow else 200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(near_seeds(name) | st.binary(max_size=200))
    def holds(data: bytes) -> None:
        targets.TARGETS[name].run(data)

    holds()
