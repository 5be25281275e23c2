# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the campaigns take out is there to be taken out, also what they take out only at full length."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.reliability.protections.table import PROTECTIONS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.name)
def test_each_protection_is_where_it_is_looked_for(protection):
    for change in protection.changes:
        text = (ROOT / "plugins" / change.file).read_text()
        assert text.count(change.old) == 1, change
        assert change.new != change.old
    for node in (*protection.tests, *protection.campaigns):
        file, _colons, test = node.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(), node
