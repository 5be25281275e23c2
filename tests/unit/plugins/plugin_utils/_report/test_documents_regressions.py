# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies where documents lie, and would have stopped a report."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import LeftOut, NotADocument, Read
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import natural
from ansible_collections.fleetops.pbs.tests.support import documents as made
from ansible_collections.fleetops.pbs.tests.support import reports


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pbs1.json")
    assert list(documents.scan(str(tmp_path / "pbs1.json"))) == [
        LeftOut(str(tmp_path / "pbs1.json"), "it is no regular file")
    ]


def test_a_line_without_end_in_an_earlier_report_is_not_held(tmp_path, monkeypatch):
    source = tmp_path / "in"
    made.write(source, [made.document(1)])
    path = reports.report(tmp_path / "out", merge=[str(source)]).paths["report.json"]
    with open(path, encoding="utf-8") as stream:
        head, document, end = stream.read().splitlines(keepends=True)
    longer = json.loads(document)
    longer["padding"] = "x" * 2 * len(document)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(head + document.replace("\n", ",\n") + json.dumps(longer) + "\n" + end)
    monkeypatch.setattr(documents, "MAX_BYTES", len(head) + len(document))
    first, second = documents.scan(path)
    assert isinstance(first, Read)
    assert second.reason == "line 3 has more than 0 MiB, which no document has"


@pytest.mark.parametrize("text", ["1e999", "-1e999", '[1.0, {"a": 1e400}]'])
def test_numbers_that_no_json_can_hold_are_refused(text):
    with pytest.raises(NotADocument, match="is too large"):
        documents.parse(text.encode())


def test_depth_has_a_limit_far_above_what_documents_have():
    def nested(depth):
        value = []
        for _each in range(depth):
            value = {"a": [value]}
        return dict(made.document(1), observed=value)

    assert documents.checked(nested(40))
    with pytest.raises(NotADocument, match="nested too deeply"):
        documents.checked(nested(60))
    with pytest.raises(NotADocument, match="nested too deeply"):
        documents.checked(nested(600))


def test_hosts_sort_by_their_numbers_however_long():
    names = ["pbs10", "pbs2", "pbs", "pbs" + "9" * 5000, "pbs02", "10", "9a", "b"]
    assert sorted(names, key=lambda name: (natural(name), name)) == [
        "9a",
        "10",
        "b",
        "pbs",
        "pbs02",
        "pbs2",
        "pbs10",
        "pbs" + "9" * 5000,
    ]
