# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole preflight of a host whose files of PBS are hostile: there is always a document, and it is a valid one.

PBS's configuration and job states belong to the daemon's user, which may have put anything there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import in_one_line
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import summary
from ansible_collections.fleetops.pbs.tests.fuzz.seeds import SEEDS
from ansible_collections.fleetops.pbs.tests.support.findings import valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS

OPTIONS: dict[str, Any] = {
    **PREFLIGHT_OPTIONS,
    "probe": "none",
    "scope": "none",
    "workers": 1,
    "deadline": 30.0,
    "stall": 30.0,
}

PATHS = (
    b"/mnt/a\0b",
    b"\0",
    b"relative/../..",
    b"/",
    b"//" + b"../" * 500,
    b"/" + b"a" * 300,
    b"/" + b"b/" * 2000,
    b"/proc/self/root",
    b"/proc/self/fd/0",
    b"/dev/null",
    b"/mnt/\xe2\x80\xae\x1b[31m",
    b"%s%n",
)


def look(config: bytes, prune: bytes, verify: bytes, state: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        etc, states = Path(scratch, "etc"), Path(scratch, "state/jobstates")
        etc.mkdir()
        states.mkdir(parents=True)
        (etc / "datastore.cfg").write_bytes(config)
        (etc / "prune.cfg").write_bytes(prune)
        (etc / "verification.cfg").write_bytes(verify)
        for name in ("garbage_collection-tank", "prunejob-tank-daily", "verificationjob-tank-v"):
            (states / f"{name}.json").write_bytes(state)
        outcome = preflight({**OPTIONS, "config_dir": str(etc), "state_dir": str(states.parent)}, check_mode=True)
    document = outcome.document
    valid(document)
    documents.checked(json.loads(json.dumps(document)))
    for line in summary(document, in_one_line(document), 100).split("\n"):
        assert line.isprintable(), ascii(line)
    return document


def test_paths_that_no_datastore_can_have() -> None:
    config = b"".join(b"datastore: store%d\n\tpath %s\n\n" % pair for pair in enumerate(PATHS))
    document = look(config, b"", b"", b"")
    assert [store["name"] for store in document["datastores"]] == [f"store{number}" for number in range(len(PATHS))]
    for store in document["datastores"]:
        told = [item for item in document["findings"] if item["datastore"] == store["name"]]
        assert any(item["status"] in ("fail", "unknown") for item in told), store["path"]


def near(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """A seed with a piece of it replaced by something short."""

    def cut(draw: st.DrawFn) -> bytes:
        seed = draw(st.sampled_from(seeds))
        start, end = sorted((draw(st.integers(0, len(seed))), draw(st.integers(0, len(seed)))))
        return seed[:start] + draw(st.binary(max_size=8)) + seed[end:]

    return st.composite(cut)() | st.sampled_from(seeds)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    near(SEEDS["section_file"][:1]),
    near(SEEDS["section_file"][1:2]),
    near(SEEDS["section_file"][2:]),
    near(SEEDS["job_state"]),
)
def test_files_that_are_almost_right(config: bytes, prune: bytes, verify: bytes, state: bytes) -> None:
    look(config, prune, verify, state)
