# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of PBS's configuration can make root read, show and do with it."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import observe_configuration

SECRET = "geheim0815"


def account():
    return AccountFacts("backup", "backup", uid=34, gid=34, primary_gid=34, groups=[34])


def look(path, **more):
    facts, stores = observe_configuration(os.fspath(path), os.fspath(path), account(), **more)
    text = json.dumps([dataclasses.asdict(facts), *map(dataclasses.asdict, stores)])
    return {os.path.basename(file.path): file for file in facts.files}, stores, text


@pytest.mark.root
@pytest.mark.parametrize("name", ["datastore.cfg", "prune.cfg", "verification.cfg"])
@pytest.mark.parametrize(
    ("owner", "mode", "read"), [(0, 0o600, False), (0, 0o604, True), (34, 0o600, True), (34, 0, False)]
)
def test_a_file_that_the_daemon_may_not_read_is_not_read(tmp_path, name, owner, mode, read):
    path = tmp_path / name
    path.write_text(f'"{SECRET}"\n')
    os.chown(path, owner, 0)
    path.chmod(mode)
    files, _stores, text = look(tmp_path)
    assert SECRET not in text
    assert (files[name].line > 0) == read
    assert files[name].parsed is not True
    assert ("may not read it" in files[name].error) != read


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        f'{{"{SECRET}": "{SECRET}"}}',
        f"  {SECRET} x",
        f"{SECRET}: {SECRET}",
        f"datastore: tank\n{SECRET}",
        f"datastore: tank\n\tpath /x\n\t{SECRET}",
        f"datastore: tank\n\tpath /x\n\tpassword {SECRET}",
        f"datastore: tank\n\tpath /x\n\tencryption-key {SECRET}\n\tencryption-key {SECRET}",
    ],
)
@pytest.mark.parametrize("version", ["4.2.0", "9.9.9"])
def test_what_another_file_holds_is_not_shown(tmp_path, content, version):
    (tmp_path / "datastore.cfg").write_text(content + "\n")
    files, _stores, text = look(tmp_path, pbs_version=version)
    assert SECRET not in text
    facts = files["datastore.cfg"]
    assert facts.line or facts.unknown


def test_the_number_of_datastores_is_bounded_with_one_reason(tmp_path):
    text = "".join(f"datastore: store{number}\n\tpath /mnt/same\n\n" for number in range(15_000))
    (tmp_path / "datastore.cfg").write_text(text)
    files, stores, _text = look(tmp_path)
    assert [store.name for store in stores] == [f"store{number}" for number in range(256)]
    assert (files["datastore.cfg"].parsed, files["datastore.cfg"].error) == (
        False,
        "it has 15000 sections; those after the first 256 are not checked",
    )


@pytest.mark.parametrize(
    "pattern", ["x{99999999999999999999}", "(?:" * 150 + ")" * 150, "[[a]]"], ids=["repetition", "nested", "set"]
)
def test_no_pattern_of_a_matcher_stops_the_look(tmp_path, pattern, recwarn):
    (tmp_path / "notifications.cfg").write_text(f"matcher: all\n\tmatch-field regex:type={pattern}\n")
    files, _stores, _text = look(tmp_path)
    assert files["notifications.cfg"].exists
    assert not list(recwarn)
