# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and ids.

What a preflight says in a user namespace as an unprivileged container has it, and on a host whose `backup` is missing
or is not what Debian makes: the controls report what was found, and where it can be fixed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe import chunk_store as chunk_store_module
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store
from ansible_collections.fleetops.pbs.tests.support.userns import call_in_user_namespace

pytestmark = pytest.mark.root

PREFIXES = 256
ACCOUNT, MAP, ATIME, ZERO, LOCKS = "PBS-HOST-01", "PBS-HOST-06", "PBS-ATIME-01", "PBS-ATIME-03", "PBS-MOUNT-13"
OWNERS = ("PBS-OWNER-01", "PBS-OWNER-03", "PBS-OWNER-05")
UNPRIVILEGED = "0:100000:65536"
REPAIR = "ansible-playbook fleetops.pbs.repair"
OUTSIDE = "PBS-HOST-06"
HOST_CONTROLS = (ACCOUNT, MAP)


@pytest.fixture(autouse=True)
def fewer_prefixes(monkeypatch, walk_only):
    walk_only(range(PREFIXES))
    monkeypatch.setattr(chunk_store_module, "PREFIX_COUNT", PREFIXES)


def store(path: Path, uid: int, gid: int, chunks_of: int | None = None) -> Path:
    """A whole store of 256 prefix directories; `chunks_of` is who owns the chunks, if that is another user."""
    made = make_chunk_store(path, prefixes=1, zero_chunk=True, uid=uid, gid=gid)
    made.add_prefixes(range(1, PREFIXES))
    made.add_chunks(64)
    made.add_snapshot()
    if chunks_of is not None:
        for chunk in made.chunks.glob("*/*"):
            os.chown(chunk, chunks_of, chunks_of)
    return path


def look(path: Path, **more: Any) -> Mapping[str, Any]:
    options = {**PREFLIGHT_OPTIONS, "datastores": [{"name": "tank", "path": str(path)}], "stall": 10.0}
    return preflight({**options, **more}, check_mode=False).document


class Says(NamedTuple):
    control: str
    status: str
    message: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()

    def check(self, title: str, document: Mapping[str, Any]) -> None:
        found = finding(document, self.control, None if self.control in HOST_CONTROLS else "tank")
        typed = "\n".join([found["remedy"], *found["commands"]])
        told = f"{title}: {self.control} {found['status']}: {found['message']} -> {typed}"
        assert found["status"] == self.status, told
        assert all(part in found["message"] for part in self.message), told
        assert all(part in typed for part in self.remedy), told


def all_say(controls: tuple[str, ...], status: str, remedy: str = "") -> tuple[Says, ...]:
    return tuple(Says(control, status, (), (remedy,)) for control in controls)


# --- user namespaces ---------------------------------------------------------------------------------------------------


class Container(NamedTuple):
    """An id map, who owns the store outside (and the chunks, if that is another one), and what is reported inside."""

    title: str
    id_map: str
    owner: int
    says: tuple[Says, ...]
    chunks_of: int | None = None


NO_RIGHTS = (
    Says(ATIME, "fail", ("uid 34 cannot make a file", "EACCES"), (OUTSIDE,)),
    Says(LOCKS, "unknown", ("EACCES",), (ATIME,)),
    *all_say((*OWNERS, ZERO, "PBS-CONF-06"), "unknown", OUTSIDE),
)
CONTAINERS = (
    Container(
        "the container's own backup",
        UNPRIVILEGED,
        100034,
        (
            Says(MAP, "pass", ("34:34 inside and 100034:100034 on the outer host",)),
            *all_say((ATIME, ZERO, LOCKS, *OWNERS), "pass"),
        ),
    ),
    Container(
        "the outer host's backup",
        UNPRIVILEGED,
        34,
        (
            Says(
                MAP,
                "fail",
                ("cannot express", "65534"),
                ("on the outer host", "find . -xdev", "-exec chown -h 100034:100034 {} +"),
            ),
            *NO_RIGHTS,
        ),
    ),
    Container(
        "only the chunks are the outer host's",
        UNPRIVILEGED,
        100034,
        (
            Says(
                MAP,
                "fail",
                ("in whole or in part", "65534"),
                ("on the outer host", "find . -xdev", "-exec chown -h 100034:100034 {} +"),
            ),
            Says(ATIME, "pass"),
            Says(ZERO, "fail", ("EPERM", "65534:65534"), (OUTSIDE,)),
            Says("PBS-OWNER-01", "pass"),
            Says("PBS-OWNER-03", "fail", ("65534:65534",), (OUTSIDE,)),
        ),
        chunks_of=34,
    ),
    Container(
        "uid and gid 34 are not mapped",
        "0:100000:34,35:100035:65501",
        100034,
        (
            Says(MAP, "fail", ("no mapping for uid 34 and gid 34",), ("id map over uid 34 and gid 34", "/etc/subuid")),
            Says(ATIME, "unknown", ("no mapping for uid 34 of 'backup'",), (OUTSIDE,)),
            Says(LOCKS, "unknown", ("no mapping for uid 34",), (OUTSIDE,)),
            *all_say(OWNERS, "unknown", OUTSIDE),
        ),
    ),
    Container(
        "34 is handed through",
        "0:100000:34,34:34:1,35:100035:60000",
        34,
        (
            Says(MAP, "pass", ("34:34 inside and 34:34 on the outer host",)),
            *all_say((ATIME, ZERO, LOCKS, *OWNERS), "pass"),
        ),
    ),
    Container(
        "34 is mapped elsewhere",
        "0:100000:34,34:200034:1,35:100035:60000",
        100034,
        (Says(MAP, "fail", ("cannot express",), ("on the outer host", "chown -h 200034:200034 {} +")), *NO_RIGHTS),
    ),
    Container(
        "another user of the container",
        UNPRIVILEGED,
        101000,
        (
            Says(MAP, "pass", ("100034:100034",)),
            Says(ATIME, "fail", ("belongs to 1000:1000",), ("chown -h backup:backup",)),
            *all_say(OWNERS, "fail", REPAIR),
        ),
    ),
)


def test_unprivileged_containers(campaign, loopfs):
    trial = campaign(
        f"{len(CONTAINERS)} user namespaces: uid 34 mapped, handed through, mapped elsewhere or not at all; stores, or "
        "only their chunks, that belong to ids outside of the map",
        "PBS-HOST-06 says the number that the outer host must use, and nothing sends to a command that root of the "
        "container may not run",
    )
    disk = loopfs("ext4")
    for number in trial.rounds(len(CONTAINERS), 10 * len(CONTAINERS)):
        container = CONTAINERS[number % len(CONTAINERS)]
        path = disk / f"store{number}"
        store(path, container.owner, container.owner, container.chunks_of)
        document = valid(call_in_user_namespace(lambda path=path: look(path), container.id_map))
        for says in container.says:
            says.check(container.title, document)
        owned = (container.owner, container.owner)
        assert (path.stat().st_uid, path.stat().st_gid) == owned
        assert not [name for name in os.listdir(path / ".chunks/bb9f") if name.startswith(".")]
        trial.saw("told as it is")
        shutil.rmtree(path)


# --- the account -------------------------------------------------------------------------------------------------------


PASSWD = "backup:x:{}:{}:backup:/var/backups:/usr/sbin/nologin\n"
GROUP = "backup:x:{}:\n"
NO_ACCOUNT = all_say((ATIME, ZERO, LOCKS, *OWNERS), "unknown", ACCOUNT)


class Account(NamedTuple):
    """The lines of `backup` in passwd and group, who owns the store, and what is reported."""

    title: str
    passwd: str
    group: str
    owner: int
    says: tuple[Says, ...]


ACCOUNTS = (
    Account(
        "no user",
        "",
        GROUP.format(34),
        34,
        (Says(ACCOUNT, "fail", ("no user 'backup'",), ("update-passwd", "34:34", "owned by uid 34")), *NO_ACCOUNT),
    ),
    Account(
        "no group",
        PASSWD.format(34, 34),
        "",
        34,
        (Says(ACCOUNT, "fail", ("no group 'backup'",), ("update-passwd", "34:34")), *NO_ACCOUNT),
    ),
    Account(
        "neither",
        "",
        "",
        1034,
        (Says(ACCOUNT, "fail", ("no user 'backup'",), ("update-passwd", "owned by uid 1034")), *NO_ACCOUNT),
    ),
    Account(
        "another primary group",
        PASSWD.format(34, 65534),
        GROUP.format(34),
        34,
        (
            Says(ACCOUNT, "fail", ("is gid 65534", "group 'backup' is gid 34"), ("usermod -g backup backup",)),
            *all_say((ATIME, ZERO, LOCKS, *OWNERS), "pass"),
        ),
    ),
    Account(
        "other numbers",
        PASSWD.format(134, 135),
        GROUP.format(135),
        134,
        (
            Says(ACCOUNT, "pass", ("134:135",)),
            Says(ATIME, "pass", ("as uid 134",)),
            *all_say((ZERO, LOCKS, *OWNERS), "pass"),
        ),
    ),
    Account(
        "other numbers than the store has",
        PASSWD.format(134, 135),
        GROUP.format(135),
        34,
        (
            Says(ACCOUNT, "pass", ("134:135",)),
            Says(
                ATIME, "fail", ("uid 134 cannot make a file", "belongs to 34:34"), ("chown -h backup:backup", OWNERS[0])
            ),
            Says(LOCKS, "unknown", ("EACCES",), (ATIME,)),
            Says(ZERO, "fail", ("belongs to uid 34, not to 'backup' (134)",), ("chown -h backup:backup",)),
            *all_say(OWNERS, "fail", REPAIR),
        ),
    ),
)


@contextlib.contextmanager
def account(scratch: Path, passwd: str, group: str) -> Iterator[None]:
    """For this process and its children, `backup` is what these lines say."""
    with contextlib.ExitStack() as stack:
        for name, line in (("passwd", passwd), ("group", group)):
            others = [text for text in Path("/etc", name).read_text().splitlines() if not text.startswith("backup:")]
            changed = scratch / f"{name}-{time.monotonic_ns()}"
            changed.write_text("\n".join(others) + "\n" + line)
            changed.chmod(0o644)
            stack.enter_context(mounts.mounted("--bind", changed, point=Path("/etc", name)))
        yield


def test_a_backup_user_that_is_not_debians(campaign, loopfs, tmp_path):
    trial = campaign(
        f"{len(ACCOUNTS)} hosts whose user or group `backup` is missing, has another primary group or other numbers",
        "PBS-HOST-01 says so with what brings it back, everything goes by the name, and nothing passes that could not "
        "be tried as that user",
    )
    disk = loopfs("ext4")
    for number in trial.rounds(len(ACCOUNTS), 10 * len(ACCOUNTS)):
        case = ACCOUNTS[number % len(ACCOUNTS)]
        group = int(case.group.split(":")[2]) if case.owner == 134 else case.owner
        path = store(disk / f"store{number}", case.owner, group)
        with account(tmp_path, case.passwd, case.group):
            document = valid(look(path))
        for says in case.says:
            says.check(case.title, document)
        trial.saw("told as it is")
        shutil.rmtree(path)
