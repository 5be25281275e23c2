# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module preflight as Ansible runs it, on real filesystems. Needs root."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import machine
from ansible_collections.fleetops.pbs.tests.support.ansible_run import run_module
from ansible_collections.fleetops.pbs.tests.support.findings import failures, finding, valid
from ansible_collections.fleetops.pbs.tests.support.mounts import remount, run
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root

# What no loop mount of a test can have: it is not in /etc/fstab, and the clock is the machine's.
NOT_OF_A_TEST = {"PBS-MOUNT-02"}


@pytest.fixture
def etc(tmp_path):
    """PBS's configuration and job states of a host."""

    class Etc:
        options = {
            "config_dir": str(tmp_path / "etc"),
            "state_dir": str(tmp_path / "state"),
            "run_dir": str(tmp_path / "run"),
        }

        def write(self, name, text):
            path = tmp_path / "etc" / name
            path.write_text(text)
            return path

        def datastores(self, **paths):
            self.write(
                "datastore.cfg",
                "\n".join(f"datastore: {n}\n\tgc-schedule daily\n\tpath {p}\n" for n, p in paths.items()),
            )
            for kind, name, more in (("prune", "prune", "\tkeep-daily 7\n"), ("verification", "verification", "")):
                self.write(
                    f"{name}.cfg", "\n".join(f"{kind}: {n}-job\n{more}\tschedule daily\n\tstore {n}\n" for n in paths)
                )
            for name in paths:
                upid = f"UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:{name}:root@pam:"
                end = {"OK": {"endtime": int(time.time()) - 3600}}
                state = tmp_path / f"state/jobstates/garbage_collection-{name}.json"
                state.write_text(json.dumps({"finished": {"upid": upid, "state": end, "updated": None}}))

    (tmp_path / "etc").mkdir(mode=0o700)
    (tmp_path / "state/jobstates").mkdir(parents=True)
    return Etc()


def preflight(etc, **options):
    check = options.pop("check", False)
    python = options.pop("python", None)
    return run_module("preflight", {**etc.options, **options}, check=check, python=python)


def document(etc, **options):
    result = preflight(etc, **options)
    assert not result.get("failed"), result.get("msg")
    return valid(result["document"])


# --- what it finds ----------------------------------------------------------------------------------------------------


def test_a_healthy_datastore(etc, whole_store):
    store = whole_store("relatime")
    store.add_snapshot("vm/100")
    etc.datastores(tank=store.path)
    found = document(etc)
    assert failures(found, "tank") <= NOT_OF_A_TEST
    assert {item["control"] for item in found["findings"] if item["status"] == "unknown"} == set()
    for control in ("PBS-ATIME-01", "PBS-ATIME-03", "PBS-OWNER-01", "PBS-OWNER-03", "PBS-CONF-06"):
        assert finding(found, control, "tank")["status"] == "pass", control
    assert found["datastores"][0]["observed"]["skeleton"]["state"] == "whole"


def test_a_zero_chunk_of_roots(etc, whole_store):
    store = whole_store()
    os.chown(store.zero_chunk, 0, 0)
    etc.datastores(tank=store.path)
    found = document(etc)
    assert failures(found, "tank") - NOT_OF_A_TEST == {"PBS-ATIME-03", "PBS-OWNER-03"}
    touch = finding(found, "PBS-ATIME-03", "tank")
    assert (touch["severity"], touch["evidence"]["errno"]) == ("critical", "EPERM")
    assert touch["evidence"]["as_root"] == {"errno": None, "advanced": True}
    assert touch["commands"] == [f"chown -h backup:backup {store.zero_chunk}"]


def test_read_only(etc, whole_store):
    store = whole_store()
    remount(store.path, "ro")
    etc.datastores(tank=store.path)
    found = document(etc)
    assert {"PBS-ATIME-01", "PBS-ATIME-03", "PBS-MOUNT-04"} <= failures(found, "tank")
    assert finding(found, "PBS-ATIME-01", "tank")["evidence"]["errno"] == "EROFS"


def test_an_immutable_zero_chunk(etc, whole_store):
    store = whole_store()
    etc.datastores(tank=store.path)
    run("chattr", "+i", store.zero_chunk)
    try:
        touch = finding(document(etc), "PBS-ATIME-03", "tank")
    finally:
        run("chattr", "-i", store.zero_chunk)
    assert touch["status"] == "fail"
    assert "immutable" in touch["message"]
    assert touch["commands"][0].startswith("chattr -i ")


def test_a_filesystem_that_ignores_the_touch(etc, faultfs):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=4)
    mount.set("ignore")
    etc.datastores(nas=store.path)
    touch = finding(document(etc), "PBS-ATIME-01", "nas")
    assert (touch["status"], touch["severity"], touch["evidence"]["errno"]) == ("fail", "critical", None)
    assert "do not switch PBS's check off" in touch["remedy"]


def test_one_that_never_answers_is_unknown_and_the_task_ends(etc, faultfs, whole_store):
    mount = faultfs()
    dead = make_chunk_store(mount.path / "dead", prefixes=1)
    os.stat(dead)
    etc.datastores(dead=dead.path, tank=whole_store().path)
    mount.set("hang:/")
    found = document(etc, deadline=6)
    assert failures(found, "tank") <= NOT_OF_A_TEST
    touch = finding(found, "PBS-ATIME-01", "dead")
    assert touch["status"] == "unknown"
    assert "no answer within 6 s" in touch["message"]
    assert found["summary"]["worst_unknown"] == "critical"


def test_thirty_two_datastores_in_one_task(etc, loopfs):
    base = loopfs("ext4", size=64 * 2**20)
    paths = {f"store{n:02}": make_chunk_store(base / f"s{n:02}", prefixes=1).path for n in range(32)}
    etc.datastores(**paths)
    found = document(etc)
    assert [finding(found, "PBS-ATIME-01", name)["status"] for name in paths] == ["pass"] * 32


def test_two_names_for_one_directory(etc, chunk_store, tmp_path):
    store = chunk_store(prefixes=1)
    (tmp_path / "link").symlink_to(store.path)
    etc.datastores(tank=store.path, alias=tmp_path / "link")
    found = document(etc)
    for name in ("tank", "alias"):
        overlap = finding(found, "PBS-MOUNT-12", name)
        assert (overlap["status"], overlap["severity"]) == ("fail", "critical")
        assert "one directory" in overlap["message"]


def test_what_is_declared_is_compared(etc, whole_store):
    store = whole_store("noatime")
    etc.datastores(tank=store.path)
    declared = {
        "name": "tank",
        "path": str(store.path),
        "gc_schedule": "sat 03:00",
        "mount": {"fstype": "ext4", "options": ["relatime"], "persistent": False},
    }
    found = document(etc, datastores=[declared])
    assert failures(found, "tank") == {"PBS-CONF-01", "PBS-MOUNT-05"}
    assert "gc_schedule" in finding(found, "PBS-CONF-01", "tank")["message"]
    assert finding(found, "PBS-MOUNT-05", "tank")["evidence"]["missing"] == ["relatime"]


def test_a_host_without_pbs_says_so(etc):
    result = preflight(etc)
    assert valid(result["document"])["datastores"] == []
    assert result["msg"].startswith("Proxmox Backup Server has no datastore")
    failed = {item["control"] for item in result["document"]["findings"] if item["status"] == "fail"}
    assert failed <= {"PBS-HOST-02"}, "the clock of the machine that runs the tests"


def test_a_configuration_that_does_not_parse_is_a_finding_with_its_line(etc):
    etc.write("datastore.cfg", "# a comment\ndatastore: tank\n\tpath /mnt/tank\n")
    found = document(etc, datastores=[{"name": "tank", "path": "/nonexistent/tank"}])
    files = {file["path"]: file for file in found["observed"]["config_dir"]["files"]}
    broken = files[os.path.join(etc.options["config_dir"], "datastore.cfg")]
    assert (broken["parsed"], broken["line"]) == (False, 1)


def test_only_the_controls_that_were_asked_for(etc, chunk_store):
    etc.datastores(tank=chunk_store(prefixes=1).path)
    found = document(etc, controls=["PBS-ATIME-01", "PBS-HOST-01"])
    assert [(item["control"], item["status"]) for item in found["findings"]] == [
        ("PBS-HOST-01", "pass"),
        ("PBS-ATIME-01", "pass"),
    ]


def test_a_waived_failure_stays_in_the_document(etc, whole_store):
    store = whole_store()
    os.chown(store.zero_chunk, 0, 0)
    etc.datastores(tank=store.path)
    waiver = {"control": "PBS-ATIME-03", "justification": "until Monday", "until": "2999-12-31", "datastore": "t*"}
    touch = finding(document(etc, waivers=[waiver]), "PBS-ATIME-03", "tank")
    assert (touch["status"], touch["waiver"]["justification"]) == ("waived", "until Monday")


@pytest.mark.parametrize("version", ["3.9", "3.11", "3.13"])
def test_every_python_of_a_managed_host_gives_the_same_answer(etc, chunk_store, version):
    python = machine.python(version)
    etc.datastores(tank=chunk_store(prefixes=2).path)
    found = document(etc, python=python)
    assert finding(found, "PBS-ATIME-01", "tank")["status"] == "pass"


# --- four times -------------------------------------------------------------------------------------------------------


def picture(base):
    found = {}
    for directory, directories, files in os.walk(base):
        for path in [directory, *(os.path.join(directory, name) for name in [*directories, *files])]:
            status = os.lstat(path)
            content = Path(path).read_bytes() if os.path.isfile(path) else b""
            found[path] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_ctime_ns,
                content,
            )
    return found


def test_check_do_again_and_again_in_check_mode(etc, loopfs):
    store = make_chunk_store(loopfs("ext4", "noatime"), prefixes=8, chunks=32)
    etc.datastores(tank=store.path)
    pictures, results = [picture(store.path)], []
    for check in (True, False, False, True):
        results.append(preflight(etc, check=check))
        pictures.append(picture(store.path))
    # Looking is no change: not of the store, save the touch of the zero chunk, and not in the result.
    assert [result["changed"] for result in results] == [False] * 4
    touched = {str(store.zero_chunk), str(store.zero_chunk.parent)}
    quiet = [{path: facts for path, facts in found.items() if path not in touched} for found in pictures]
    assert quiet == [quiet[0]] * 5
    assert pictures[1] == pictures[0]
    assert pictures[4] == pictures[3]
    statuses = [finding(valid(result["document"]), "PBS-ATIME-01", "tank")["status"] for result in results]
    assert statuses == ["unknown", "pass", "pass", "unknown"]
    assert [result["document"]["check_mode"] for result in results] == [True, False, False, True]


def test_the_marker_four_times(etc, chunk_store):
    store = chunk_store(prefixes=16, zero_chunk=False)
    store.directory(store.zero_chunk.parent, 0o750)
    etc.datastores(tank=store.path)
    results, there = [], []
    for check in (True, False, False, True):
        results.append(preflight(etc, probe="marker", check=check))
        there.append(store.zero_chunk.exists())
    assert ([result["changed"] for result in results], there) == ([True, True, False, False], [False, True, True, True])


# --- what makes no sense ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        # Caught by the engine (all of those are in the unit tests), by Ansible, and by Ansible inside of a list.
        ({"datastores": [{"name": "tank", "path": "mnt/tank"}]}, ["datastores[0].path", "'mnt/tank'", "absolute"]),
        ({"probe": "perhaps"}, ["probe", "perhaps"]),
        ({"datastores": [{"name": "tank", "path": "/a", "colour": "red"}]}, ["datastores", "colour"]),
    ],
)
def test_an_option_without_sense_is_named_with_its_value(etc, options, words):
    result = preflight(etc, **options)
    assert result["failed"]
    assert all(word in result["msg"] for word in words), result["msg"]
    assert "Traceback" not in json.dumps(result)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_configured_path_that_is_no_directory_is_a_finding(etc, tmp_path, kind):
    path = tmp_path / kind
    if kind == "file":
        path.touch()
    etc.datastores(tank=path)
    found = document(etc)
    whole = finding(found, "PBS-CONF-06", "tank")
    assert whole["status"] == "fail"
    assert str(path) in whole["message"]
    assert finding(found, "PBS-ATIME-01", "tank")["status"] == "unknown"
