# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A demonstration fleet on this machine: made, looked at, and removed.

As root: real ext4 and xfs filesystems on loop devices, and one in user space that ignores access times, all in a private
mount namespace that ends with this process. As an ordinary user: what can be shown without root.

Exit code 0 if the preflight said of every host what it should.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.tests.support import faults, mounts, namespaces
from ansible_collections.fleetops.pbs.tests.support.pbs import store as stores

ROOT = Path(__file__).resolve().parent.parent
RESULTS = "results/demo"
DAY = 86400


@dataclasses.dataclass
class Host:
    """One host of the fleet, and what the preflight has to find there."""

    name: str
    shows: str
    stores: dict[str, Path] = dataclasses.field(default_factory=dict)
    fails: tuple[str, ...] = ()
    """The controls that fail, and no others."""
    variables: dict[str, Any] = dataclasses.field(default_factory=dict)
    answers: bool = True


# --- the fleet --------------------------------------------------------------------------------------------------------


def fleet_of_root(scratch: Path, stack: contextlib.ExitStack) -> Iterator[Host]:
    """Hosts with filesystems of their own."""
    say("making filesystems with 65,536 directories each; this takes a few seconds")
    template = scratch / "store.ext4"
    # Small blocks: it is the directories that fill the disk.
    mounts.make_image(template, "ext4", mkfs=["-b", "1024", "-N", "80000", "-m", "0"], size=224 * mounts.MIB)
    with mounts.mounted("-o", "loop", template) as path:
        fill(stores.make_chunk_store(path, chunks=64))

    def point(host: str, name: str) -> Path:
        path = scratch / host / name
        path.mkdir(parents=True)
        return path

    tank = stack.enter_context(mounts.loopfs("ext4", "relatime", image=template, point=point("pbs1", "tank")))
    vault = stack.enter_context(mounts.loopfs("xfs", "noatime", size=512 * mounts.MIB, point=point("pbs1", "vault")))
    fill(stores.make_chunk_store(vault, chunks=64))
    yield Host("pbs1", "healthy: ext4 with relatime, xfs with noatime", {"tank": tank, "vault": vault})

    stolen = stack.enter_context(mounts.loopfs("ext4", image=template, point=point("pbs2", "tank")))
    os.chown(stores.ChunkStore(stolen, 0, 0).zero_chunk, 0, 0)
    yield Host(
        "pbs2",
        "a zero chunk that belongs to root",
        {"tank": stolen},
        ("PBS-ATIME-03", "PBS-OWNER-03"),
    )

    below = stack.enter_context(mounts.loopfs("ext4", image=template))
    ignoring = stack.enter_context(
        faults.faultfs("ignore", source=below, attr_timeout=10, point=point("pbs3", "nas"))
    ).path
    yield Host(
        "pbs3",
        "a filesystem that ignores access times",
        {"nas": ignoring},
        ("PBS-ATIME-01", "PBS-ATIME-03"),
        # Every look costs two trips through user space there.
        {"preflight_scope": "sample"},
    )

    readonly = stack.enter_context(mounts.loopfs("ext4", image=template, point=point("pbs4", "tank")))
    mounts.remount(readonly, "ro")
    yield Host(
        "pbs4",
        "a filesystem that is mounted read-only",
        {"tank": readonly},
        ("PBS-ATIME-01", "PBS-ATIME-03", "PBS-MOUNT-04"),
    )


def fleet_of_user(scratch: Path, _stack: contextlib.ExitStack) -> Iterator[Host]:
    """What can be shown without root: datastores that belong to the user."""
    say(
        "you are not root, so there are no filesystems of their own, no other owners and no read-only mount in this fleet:"
    )
    say("left out are the root-owned chunk, the filesystem that ignores access times, and the read-only one")
    me = pwd.getpwuid(os.getuid())
    own = {"uid": me.pw_uid, "gid": me.pw_gid}
    variables = {
        "preflight_user": me.pw_name,
        "preflight_group": group_name(me.pw_gid),
    }
    whole = scratch / "tank"
    fill(stores.make_chunk_store(whole, chunks=64, **own))
    yield Host("pbs1", "healthy", {"tank": whole}, (), dict(variables))

    incomplete = scratch / "incomplete"
    fill(stores.make_chunk_store(incomplete, prefixes=60000, chunks=64, **own))
    yield Host(
        "pbs2", "a datastore whose creation stopped half way", {"tank": incomplete}, ("PBS-CONF-06",), dict(variables)
    )

    closed = scratch / "closed"
    store = stores.make_chunk_store(closed, chunks=64, **own)
    fill(store)
    store.chunk_path(sorted(path.name for path in store.chunks.glob("*/*"))[0]).chmod(0)
    yield Host("pbs3", "a chunk that the daemon may not read", {"tank": closed}, ("PBS-OWNER-04",), dict(variables))


def fill(store: stores.ChunkStore) -> None:
    """A backup of yesterday: too young to need a verification, so that a healthy host has no warning."""
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    store.add_snapshot("vm/100", yesterday.strftime("%Y-%m-%dT%H:%M:%SZ"))


def group_name(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


# --- what each host says of itself ------------------------------------------------------------------------------------


def configure(host: Host, directory: Path) -> None:
    """PBS's own files, as a well-kept server has them."""
    config, state = directory / "etc", directory / "state"
    (state / "jobstates").mkdir(parents=True)
    config.mkdir(mode=0o700)
    datastores, prune, verify = [], [], []
    for name, path in host.stores.items():
        datastores.append(f"datastore: {name}\n\tgc-schedule daily\n\tpath {path}\n")
        prune.append(f"prune: {name}-daily\n\tkeep-daily 14\n\tschedule daily\n\tstore {name}\n")
        verify.append(f"verification: {name}-weekly\n\toutdated-after 30\n\tschedule weekly\n\tstore {name}\n")
        upid = f"UPID:{host.name}:00000A1B:0000C3D4:00000005:67748580:garbage_collection:{name}:root@pam:"
        run = {"upid": upid, "state": {"OK": {"endtime": int(time.time()) - DAY}}, "updated": None}
        (state / f"jobstates/garbage_collection-{name}.json").write_text(json.dumps({"finished": run}))
    (config / "datastore.cfg").write_text("\n".join(datastores))
    (config / "prune.cfg").write_text("\n".join(prune))
    (config / "verification.cfg").write_text("\n".join(verify))
    host.variables.update(preflight_config_dir=str(config), preflight_state_dir=str(state))


def inventory(hosts: list[Host], scratch: Path) -> dict[str, Any]:
    everybody = {
        "ansible_connection": "local",
        # Some accounts have no home directory.
        "ansible_remote_tmp": str(scratch / "tmp"),
        "preflight_become": os.geteuid() == 0,
        "ansible_python_interpreter": sys.executable,
        "preflight_results": RESULTS,
        "preflight_waivers": [waiver(control, why) for control, why in NOT_OF_THE_DEMONSTRATION],
        # All of them are one machine, which may be busy with other things.
        "preflight_deadline": 60,
        # It may be nearly full, too.
        "preflight_policy": {
            "space_fail_percent": 0,
            "space_warn_percent": 0,
            "inodes_fail_percent": 0,
            "inodes_warn_percent": 0,
        },
    }
    return {"all": {"vars": everybody, "hosts": {host.name: host.variables for host in hosts}}}


NOT_OF_THE_DEMONSTRATION = (
    ("PBS-HOST-02", "The clock is the one of the machine that shows this."),
    ("PBS-MOUNT-01", "What an ordinary user shows lies wherever there is room."),
    ("PBS-MOUNT-02", "What is mounted for a demonstration need not come back."),
    ("PBS-MOUNT-03", "The filesystem without access times is in user space on purpose."),
)


def waiver(control: str, why: str) -> dict[str, str]:
    return {
        "control": control,
        "justification": why,
        "until": time.strftime("%Y-%m-%d", time.gmtime(time.time() + DAY)),
    }


# --- the run ----------------------------------------------------------------------------------------------------------


def main() -> int:
    os.chdir(ROOT)
    as_root = os.geteuid() == 0
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleetops-pbs-demo-")))
        scratch.chmod(0o711)
        if as_root:
            namespaces.private_mounts()
        try:
            hosts = list((fleet_of_root if as_root else fleet_of_user)(scratch, stack))
        except (mounts.Unsupported, RuntimeError, OSError, KeyError) as error:
            say(f"the demonstration fleet cannot be made on this machine: {error}")
            return 1
        for host in hosts:
            configure(host, scratch / "hosts" / host.name)
        hosts.append(
            Host("web1", "no Proxmox Backup Server", variables={"preflight_config_dir": str(scratch / "none")})
        )
        down = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        hosts.append(Host("pbs9", "unreachable", variables=down, answers=False))
        file = scratch / "inventory.json"
        file.write_text(json.dumps(inventory(hosts, scratch)))
        shutil.rmtree(RESULTS, ignore_errors=True)
        argv = ["ansible-playbook", "-i", str(file), "fleetops.pbs.preflight", *os.environ.get("ARGS", "").split()]
        subprocess.run(argv, check=False)
        return compare(hosts)


def compare(hosts: list[Host]) -> int:
    """Hold what was found against what was made; a demonstration that shows something else is a failure."""
    say("")
    say("What was shown:")
    wrong = 0
    for host in hosts:
        found = controls(host.name, "fail")
        right = found is None if not host.answers else found is not None and set(found) == set(host.fails)
        wrong += not right
        verdict = "unreachable" if found is None else ", ".join(sorted(found)) or no_failure(host.name)
        say(f"  {host.name}: {host.shows} -> {verdict}{'' if right else '   (expected something else)'}")
    say("")
    if wrong:
        say(f"{wrong} of {len(hosts)} hosts did not show what they should.")
        return 1
    say(f"The documents are in {RESULTS}. The failures above are what the demonstration is for.")
    say("On your own fleet: make preflight INVENTORY=hosts.yml")
    return 0


def no_failure(name: str) -> str:
    """What to show for a host on which nothing failed, although some controls may have had no answer."""
    unknown = controls(name, "unknown")
    return "unknown: " + ", ".join(sorted(unknown)) if unknown else "nothing wrong"


def controls(name: str, status: str) -> list[str] | None:
    """The controls with that status on a host; None where there is no document of it."""
    try:
        document = json.loads(Path(RESULTS, f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    return [finding["control"] for finding in document["findings"] if finding["status"] == status]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
