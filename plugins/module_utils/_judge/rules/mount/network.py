# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about network filesystems and record locks."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import said_elsewhere
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.filesystems import NETWORK
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import mount_evidence, mount_of
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Remedy,
    Verdict,
    failed,
    owners_by_mount,
    passed,
    skipped,
    unknown,
    warned,
)


def network(case: Case) -> Verdict:
    mount = mount_of(case)
    refused = case.the_store.root_refused
    if refused:
        return warned(
            "Root has no access to %s (%s), only '%s' has. PBS works there, but cannot create, adopt or mount the datastore "
            "again, because it does this as root." % (case.the_store.path, refused, case.host.account.user),
            "Give root access to the filesystem (NFS: no_root_squash on the server; FUSE: allow_other).",
            severity="medium",
            **mount_evidence(mount),
        )
    if mount.fstype not in NETWORK:
        return skipped(f"{mount.fstype} is not a network filesystem.")
    live = set(mount.options) | set(mount.super_options)
    if mount.fstype in ("nfs", "nfs4"):
        return _nfs(case, mount, live)
    return _cifs(case, mount, live)


def _nfs(case: Case, mount: MountFacts, live: set[str]) -> Verdict:
    problems, remedies = [], []
    if live & {"soft", "softerr"}:
        problems.append("soft: a slow server becomes an I/O error, and verify renames good chunks")
        remedies.append("`hard`")
    if live & {"nolock", "local_lock=all", "local_lock=posix"}:
        problems.append("locks stay on this client (nolock or local_lock), no other host sees them")
        remedies.append("`lock,local_lock=none`")
    if problems:
        return failed(
            f"{mount.mount_point}: {'; '.join(problems)}.",
            Remedy(
                f"Write {' and '.join(remedies)} where the mount is made at boot (/etc/fstab), then mount it again.",
                case.unmounted(mount),
            ),
            problems=problems,
            **mount_evidence(mount),
        )
    return passed("The NFS mount is hard, and its locks reach the server.", **mount_evidence(mount))


def _cifs(case: Case, mount: MountFacts, live: set[str]) -> Verdict:
    account = case.host.account
    problems = []
    if "nobrl" in live:
        problems.append("nobrl: locks do not reach the server")
    forced = [
        (key, option.split("=", 1)[1], wanted)
        for key, wanted in (("uid", account.uid), ("gid", account.gid))
        for option in sorted(live)
        if ("force" + key in live or owners_by_mount(mount)) and option.startswith(key + "=")
    ]
    for key, given, wanted in forced:
        if wanted is not None and given != str(wanted):
            how = "is forced to" if "force" + key in live else "of every file is (without UNIX extensions)"
            problems.append("%s %s %s, '%s' is %d" % (key, how, given, account.user, wanted))
    if problems:
        return failed(
            f"{mount.mount_point}: {'; '.join(problems)}.",
            Remedy(
                f"Write uid={account.uid},gid={account.gid},forceuid,forcegid, without nobrl, where the mount is made at boot "
                "(/etc/fstab), then mount it again.",
                case.unmounted(mount),
            ),
            problems=problems,
            **mount_evidence(mount),
        )
    if any(wanted is None for _key, _given, wanted in forced):
        return unknown(
            f"Owners are forced, and the ids of '{account.user}' are not known (PBS-HOST-01).",
            **mount_evidence(mount),
        )
    if "noserverino" in live:
        return warned(
            "noserverino: inode numbers are made up by the client and may change, which PBS's check takes for another file.",
            Remedy(
                "Replace noserverino with serverino where the mount is made at boot, then mount it again.",
                case.unmounted(mount),
            ),
            severity="medium",
            **mount_evidence(mount),
        )
    return passed(
        "The locks of the CIFS mount reach the server, and no wrong owner is forced.", **mount_evidence(mount)
    )


def locks(case: Case) -> Verdict:
    found = case.need("lock")
    if found.works is None:
        atime = case.the_store.atime
        return unknown(
            f"Locks in {case.the_store.path} were not tried: {found.not_tried or 'no answer'}.",
            said_elsewhere(atime.probe if atime is not None else None),
        )
    if not found.works:
        return failed(
            f"A POSIX record lock does not work in {case.the_store.path}: {found.error}.",
            "NFS: start rpc.statd and mount without nolock; CIFS: mount without nobrl; FUSE: use another filesystem.",
            error=found.error,
        )
    return passed("POSIX record locks work (tried on a private file).")
