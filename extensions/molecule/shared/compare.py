# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a document against what was made: it is valid, and these controls failed, by datastore, and no others.

usage: compare.py DOCUMENT '{"host": ["PBS-HOST-03"], "tank": ["PBS-MOUNT-02"]}'

A datastore that is not named may not have unknown findings either. One with an empty list may have them, but no failures.
"""

from __future__ import annotations

import collections
import json
import sys
from pathlib import Path

from ansible_collections.fleetops.pbs.tests.support.findings import valid

NOT_MADE_HERE = ("PBS-HOST-07",)
"""How good a version is depends on the day."""


def main() -> None:
    document = valid(json.loads(Path(sys.argv[1]).read_text()))
    expected = {name: sorted(controls) for name, controls in json.loads(sys.argv[2]).items()}
    failed = collections.defaultdict(list)
    why = []
    for finding in document["findings"]:
        if finding["control"] in NOT_MADE_HERE:
            continue
        name = finding["datastore"] or "host"
        if finding["status"] == "fail":
            failed[name].append(finding["control"])
            why.append(f"{name}: {finding['control']}: {finding['message']}")
        # A healthy datastore must not have unknown findings.
        if finding["status"] == "unknown" and name not in expected:
            failed[name].append(f"{finding['control']} unknown")
            why.append(f"{name}: {finding['control']}: {finding['message']}")
    found = {name: sorted(controls) for name, controls in failed.items()}
    if found != {name: controls for name, controls in expected.items() if controls}:
        sys.exit(f"expected {json.dumps(expected)}\nfound    {json.dumps(found)}\n" + "\n".join(why))


if __name__ == "__main__":
    main()
