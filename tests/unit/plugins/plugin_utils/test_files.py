# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils import _files
from ansible_collections.fleetops.pbs.plugins.plugin_utils._files import document_path, write_document


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("pbs1", "pbs1.json"),
        ("pbs1.example.org", "pbs1.example.org.json"),
        ("root@10.0.0.1:22", "root@10.0.0.1:22.json"),
        ("[fe80::1]", "[fe80::1].json"),
        ("a b", "a b.json"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.json"),
        ("..", "%2E..json"),
        (".hidden", "%2Ehidden.json"),
        ("a/b", "a%2Fb.json"),
        ("a%2Fb", "a%252Fb.json"),
        ("a\nb\0", "a%0Ab%00.json"),
        ("ü", "%C3%BC.json"),
    ],
)
def test_a_host_has_a_file_of_its_own_in_the_directory(tmp_path, host, name):
    path = document_path(str(tmp_path), host)
    assert path == str(tmp_path / name)
    write_document(str(tmp_path), {"host": host})
    assert os.listdir(tmp_path) == [name]


def test_a_document_is_written_whole_and_read_back(tmp_path):
    document = {"host": "pbs1", "findings": [{"message": "ü\x1b"}], "b": 1, "a": None}
    directory = tmp_path / "results" / "run 1"
    path = write_document(str(directory), document)
    assert path == str(directory / "pbs1.json")
    text = (directory / "pbs1.json").read_text(encoding="utf-8")
    assert json.loads(text) == document
    assert text.index('"a"') < text.index('"b"'), "sorted, so that two runs can be compared"
    assert text.endswith("}\n")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640


def test_an_earlier_document_is_replaced(tmp_path):
    write_document(str(tmp_path), {"host": "pbs1", "run": 1})
    write_document(str(tmp_path), {"host": "pbs1", "run": 2})
    assert os.listdir(tmp_path) == ["pbs1.json"]
    assert json.loads((tmp_path / "pbs1.json").read_text(encoding="utf-8"))["run"] == 2


@pytest.mark.parametrize("failing", ["dump", "rename"])
def test_a_failed_write_leaves_the_earlier_document_and_no_temporary_file(tmp_path, monkeypatch, failing):
    write_document(str(tmp_path), {"host": "pbs1", "run": 1})

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.json if failing == "dump" else _files.os, failing, full)
    with pytest.raises(OSError, match="No space"):
        write_document(str(tmp_path), {"host": "pbs1", "run": 2})
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["pbs1.json"]
    assert json.loads((tmp_path / "pbs1.json").read_text(encoding="utf-8"))["run"] == 1


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_document(str(tmp_path / "file" / "results"), {"host": "pbs1"})
