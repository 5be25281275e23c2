# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule sees, and what it says."""

from __future__ import annotations

import dataclasses
import os.path
import shlex
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy

PASS = "pass"
FAIL = "fail"
WARN = "warn"
UNKNOWN = "unknown"
SKIP = "skip"
WAIVED = "waived"
FIXED = "fixed"
STATUSES = (PASS, FAIL, WARN, UNKNOWN, SKIP, WAIVED, FIXED)


OVERFLOW_ID = 65534
"""What the kernel shows for an id that has no mapping in this user namespace."""

DATASTORES = "datastore.cfg"
"""PBS's file of datastores, in its configuration directory."""

Evidence = dict[str, t.Any]
"""What a verdict rests on, for the document: names of facts and their values."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A rule's answer about one host or datastore."""

    status: str
    message: str
    remedy: str = ""
    evidence: Evidence = dataclasses.field(default_factory=dict)
    severity: str = ""
    """Empty: the catalog's."""
    commands: tuple[str, ...] = ()
    """What to type for the remedy, in this order; as root on the host unless it says otherwise."""

    def then(self, *commands: str) -> Verdict:
        """The same, with these commands."""
        return dataclasses.replace(self, commands=self.commands + commands)


def passed(message: str, **evidence: t.Any) -> Verdict:
    return Verdict(PASS, message, evidence=evidence)


def failed(message: str, remedy: str, severity: str = "", **evidence: t.Any) -> Verdict:
    return Verdict(FAIL, message, remedy, evidence, severity)


def warned(message: str, remedy: str, severity: str = "", **evidence: t.Any) -> Verdict:
    return Verdict(WARN, message, remedy, evidence, severity)


def unknown(message: str, remedy: str = "", **evidence: t.Any) -> Verdict:
    return Verdict(UNKNOWN, message, remedy, evidence)


def skipped(message: str, **evidence: t.Any) -> Verdict:
    return Verdict(SKIP, message, evidence=evidence)


class NotObserved(Exception):
    """A fact that a rule needs is not there; the message says why."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Everything that a rule may look at."""

    host: HostFacts
    stores: t.Sequence[StoreFacts]
    policy: Policy
    now: float
    """Seconds since the epoch, from the observed host's clock."""
    store: t.Optional[StoreFacts] = None
    declared: t.Optional[t.Mapping[str, t.Any]] = None
    """The entry of `pbs_datastores` for this datastore."""
    declares: bool = False
    """There is a declaration for this host at all."""
    check_mode: bool = False

    @property
    def the_store(self) -> StoreFacts:
        if self.store is None:
            raise TypeError("a rule about datastores was asked about a host")
        return self.store

    def need(self, fact: str) -> t.Any:
        """A fact of the datastore. Raises `NotObserved` where it was not found out."""
        store = self.the_store
        value = getattr(store, fact)
        if value is None:
            raise NotObserved(self.why_not_observed())
        return value

    @property
    def repair(self) -> str:
        """What mends owners and modes: a command on this host, unless root has no rights there."""
        return self._not_here() or "ansible-playbook fleetops.pbs.repair --limit %s (it changes only what is wrong)" % (
            in_shell(self.host.name)
        )

    def give(self, *paths: str) -> str:
        """What gives a few files back to the daemon's user."""
        owner = f"{self.host.account.user}:{self.host.account.group}"
        return self._not_here() or f"chown {in_shell(owner, *paths)}"

    def _not_here(self) -> str:
        """Where owners can be changed, if not on this host; empty if they can."""
        if self.store is not None and inexpressible(self.host, self.store):
            return OUTSIDE
        if self.store is not None and owners_by_mount(self.store.mount):
            return self._mount_gives_owners(t.cast(MountFacts, self.store.mount))
        if self.store is not None and self.store.root_refused:
            return "Root of this host is refused (%s), so mend it where the files are: chown -hR %s:%s %s" % (
                self.store.root_refused.split(":")[0],
                self.host.account.uid,
                self.host.account.gid,
                in_shell(self.store.path),
            )
        return ""

    def _mount_gives_owners(self, mount: MountFacts) -> str:
        if mount.fstype not in CIFS:
            return (
                f"chown has no effect, {mount.fstype} keeps no owners: move the datastore to ext4, xfs, ZFS or btrfs."
            )
        return (
            "chown has no effect, owners and modes come from the mount: unmount %s, and mount it again with "
            "uid=%s,gid=%s,forceuid,forcegid,file_mode=0644,dir_mode=0750."
            % (mount.mount_point, self.host.account.uid, self.host.account.gid)
        )

    def configuration_unreadable(self) -> str:
        """Why it is not known which datastores PBS has; empty where it is known."""
        directory = self.host.config_dir
        if directory.error:
            return f"{directory.path}: {directory.error}"
        for file in directory.files:
            if os.path.basename(file.path) == DATASTORES and file.exists and not file.parsed:
                return f"{file.path}: {file.error or 'it could not be read'}"
        return ""

    def why_not_observed(self) -> str:
        store = self.the_store
        if store.stuck:
            return f"{store.stuck} gave no answer within {store.deadline:g} s"
        if store.error:
            return store.error
        if store.location is not None and not store.location.exists:
            return f"{store.path}: {store.location.error or 'does not exist'}"
        if store.location is not None and store.location.type != "directory":
            return f"{store.path} is not a directory but a {store.location.type}"
        return "it was not looked at"


Rule = t.Callable[[Case], Verdict]


OUTSIDE = "Root of this container has no rights over ids that it cannot express: PBS-HOST-06 says what to do outside."


CIFS = ("cifs", "smb3")
OWNERLESS = ("vfat", "msdos", "exfat")


def owners_by_mount(mount: t.Optional[MountFacts]) -> bool:
    """Whether owners are not kept in the filesystem, but made up from mount options."""
    if mount is None or mount.fstype in OWNERLESS:
        return mount is not None
    options = {*mount.options, *mount.super_options}
    kept = options & {"cifsacl", "idsfromsid", "modefromsid", "posix", "unix"}
    return mount.fstype in CIFS and not kept and bool(options & {"nounix", "forceuid"})


def inexpressible(host: HostFacts, store: StoreFacts) -> bool:
    """Whether something in a datastore belongs to an id that this user namespace has no number for."""
    if not host.id_map.namespaced:
        return False
    walk = store.ownership
    parts = (walk.skeleton, walk.chunks, walk.metadata) if walk is not None else ()
    seen = {number for part in parts for owner in part.owners for number in (owner.uid, owner.gid)}
    if store.location is not None and store.location.exists:
        seen.update((store.location.uid, store.location.gid))
    return OVERFLOW_ID in seen


def in_shell(*words: str) -> str:
    """Words of a command that somebody will copy into a root shell, quoted where that is needed."""
    return " ".join(shlex.quote(word) for word in words)


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 chunk`, `1,024 chunks`."""
    return f"{format(number, ',')} {singular if number == 1 else plural or singular + 's'}"
