# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input of a rule, and its answer."""

from __future__ import annotations

import dataclasses
import os.path
import shlex
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts, TaskFacts
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

CONFIG_DIR = "/etc/proxmox-backup"
"""PBS's configuration directory, unless an option names another one."""

DATASTORES = "datastore.cfg"
"""PBS's file of datastores, in its configuration directory."""

Evidence = dict[str, t.Any]
"""The facts behind a verdict, for the document: names and values."""


@dataclasses.dataclass(frozen=True)
class Remedy:
    """The fix of a finding: a text, and shell commands."""

    text: str
    commands: tuple[str, ...] = ()
    """Whole shell commands in this order, each on one line; as root on the host unless the text names another place."""

    def __bool__(self) -> bool:
        return bool(self.text)

    def then(self, *commands: str) -> Remedy:
        """This remedy with further commands after its own."""
        return dataclasses.replace(self, commands=self.commands + commands)


Advice = t.Union[str, Remedy]
"""A remedy, or only its text if it has no commands."""


def remedy_of(advice: Advice) -> Remedy:
    return advice if isinstance(advice, Remedy) else Remedy(advice)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A rule's answer about one host or datastore."""

    status: str
    message: str
    remedy: str = ""
    evidence: Evidence = dataclasses.field(default_factory=dict)
    severity: str = ""
    """Empty: the severity in the catalog."""
    commands: tuple[str, ...] = ()
    """The shell commands of the remedy, in this order; for root on the host unless the text names another place."""

    def then(self, *commands: str) -> Verdict:
        """This verdict with further commands."""
        return dataclasses.replace(self, commands=self.commands + commands)


def passed(message: str, **evidence: t.Any) -> Verdict:
    return Verdict(PASS, message, evidence=evidence)


def failed(message: str, remedy: Advice, severity: str = "", **evidence: t.Any) -> Verdict:
    fix = remedy_of(remedy)
    return Verdict(FAIL, message, fix.text, evidence, severity, fix.commands)


def warned(message: str, remedy: Advice, severity: str = "", **evidence: t.Any) -> Verdict:
    fix = remedy_of(remedy)
    return Verdict(WARN, message, fix.text, evidence, severity, fix.commands)


def unknown(message: str, remedy: Advice = "", severity: str = "", **evidence: t.Any) -> Verdict:
    fix = remedy_of(remedy)
    return Verdict(UNKNOWN, message, fix.text, evidence, severity, fix.commands)


def skipped(message: str, **evidence: t.Any) -> Verdict:
    return Verdict(SKIP, message, evidence=evidence)


class NotObserved(Exception):
    """A fact that a rule needs is missing; the message says why. Only between rules and `judge`: never a module's error."""


@dataclasses.dataclass(frozen=True)
class Case:
    """The complete input of a rule."""

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
    inventory: t.Sequence[str] = ()
    """The inventory sources of this run, for commands that run on the controller."""
    sections: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]] = dataclasses.field(default_factory=dict)
    """The entries of `pbs_remotes`, `pbs_s3_endpoints` and `pbs_sync_jobs`, as far as they are declared."""

    @property
    def the_store(self) -> StoreFacts:
        if self.store is None:
            raise TypeError("a rule about datastores was asked about a host")
        return self.store

    def running(self, *kinds: str) -> t.Optional[TaskFacts]:
        """A task of one of these types that works on this datastore now; None if there is none, or if that is not known."""
        name = self.the_store.name
        return next((task for task in self.host.running_tasks or () if task.type in kinds and task.id == name), None)

    def need(self, fact: str) -> t.Any:
        """A fact of the datastore. Raises `NotObserved` if it is missing."""
        store = self.the_store
        value = getattr(store, fact)
        if value is None:
            raise NotObserved(self.why_not_observed())
        return value

    def playbook(self, name: str, *options: str) -> str:
        """The command that runs a playbook of this collection for this host, with the inventory of this run."""
        sources = [word for source in self.inventory for word in ("-i", source)]
        return in_shell("ansible-playbook", *sources, f"fleetops.pbs.{name}", "--limit", self.host.name, *options)

    def manager(self, *words: str) -> str:
        """A command of PBS's own administration."""
        return in_shell("proxmox-backup-manager", *words)

    @property
    def repair(self) -> Remedy:
        """The fix for owners and modes: the repair playbook, unless root on this host may not change them."""
        return self._not_here() or Remedy(
            "Run the repair playbook on the controller; it changes only what is wrong.", (self.playbook("repair"),)
        )

    def give(self, *paths: str) -> Remedy:
        """Commands that make the daemon's user the owner of a few files; of a link they change the link, not its target."""
        owner = f"{self.host.account.user}:{self.host.account.group}"
        return self._not_here() or Remedy(
            f"Return {'it' if len(paths) == 1 else 'them'} to {owner}.", (f"chown -h {in_shell(owner, *paths)}",)
        )

    def unmounted(self, mount: MountFacts, *commands: str) -> tuple[str, ...]:
        """Commands around others that need the filesystem unmounted.

        PBS keeps `.lock` of a datastore open, so that `umount` fails until the datastore is offline (PBS 4.2.3).
        """
        name = self.store.name if self.store is not None and self.store.configured is not None else ""
        return (
            *((self.manager("datastore", "update", name, "--maintenance-mode", "type=offline"),) if name else ()),
            f"umount {in_shell(mount.mount_point)}",
            *commands,
            f"mount {in_shell(mount.mount_point)}",
            *((self.manager("datastore", "update", name, "--delete", "maintenance-mode"),) if name else ()),
        )

    def _not_here(self) -> t.Optional[Remedy]:
        """The fix on the machine where owners can be changed; None if this host can change them."""
        store = self.store
        if store is None:
            return None
        if inexpressible(self.host, store):
            return Remedy(OUTSIDE)
        if owners_by_mount(store.mount):
            return self._mount_gives_owners(t.cast(MountFacts, store.mount))
        if store.root_refused:
            ids = "%s:%s" % (self.host.account.uid, self.host.account.gid)
            return Remedy(
                "Root of this host is refused (%s). Run on the machine that has the files, in the directory that is %s "
                "here: find . -xdev ! \\( -uid %s -gid %s \\) -exec chown -h %s {} +"
                % (store.root_refused.split(":")[0], store.path, *ids.split(":"), ids)
            )
        return None

    def owners_from_mount(self) -> Remedy:
        """The fix if even a new file is not owned by the user that made it."""
        mount = self.store.mount if self.store is not None else None
        return self._not_here() or (Remedy("") if mount is None else self._mount_gives_owners(mount))

    def _mount_gives_owners(self, mount: MountFacts) -> Remedy:
        account = self.host.account
        if mount.fstype in CIFS:
            options = f"uid={account.uid},gid={account.gid},forceuid,forcegid,file_mode=0644,dir_mode=0750"
            return Remedy(
                f"chown has no effect, because owners and modes come from the mount. Write {options} where the mount is made "
                "at boot (/etc/fstab), then mount it again. PBS then works, but cannot add the datastore again, because all "
                "directories have one mode (PBS-OWNER-02).",
                self.unmounted(mount),
            )
        if mount.fstype.startswith("fuse"):
            return Remedy(
                f"chown has no effect here, because the mount decides who owns a file. Mount {mount.mount_point} with options "
                f"that give every file to uid {account.uid} and gid {account.gid} (sshfs: uid={account.uid},"
                f"gid={account.gid}; bindfs: --force-user={account.user} --force-group={account.group})."
            )
        if mount.fstype in ("nfs", "nfs4"):
            return Remedy(
                "chown has no effect here, because the server decides who owns a file. On the server, export the directory "
                f"with no_root_squash and without all_squash, or with all_squash,anonuid={account.uid},anongid={account.gid}."
            )
        return Remedy(
            f"chown has no effect, because {mount.fstype} keeps no owners. Move the datastore to ext4, xfs, ZFS or btrfs."
        )

    @property
    def configuration_expected(self) -> bool:
        """Whether PBS's configuration should exist: PBS is installed, its directory exists, or an option names a directory."""
        directory = self.host.config_dir
        return self.host.pbs_installed or directory.exists or bool(directory.error) or directory.path != CONFIG_DIR

    def configuration_unreadable(self) -> str:
        """Why the datastores of PBS are unknown; empty if they are known."""
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


AS_ROOT = "Run preflight as root (preflight_become: true)."
RESTART = "systemctl restart proxmox-backup proxmox-backup-proxy"
OUTSIDE = "Root of this container has no rights over ids that it cannot express: PBS-HOST-06 says what to do outside."


CIFS = ("cifs", "smb3")
OWNERLESS = ("vfat", "msdos", "exfat")


def owners_by_mount(mount: t.Optional[MountFacts]) -> bool:
    """Whether the mount options set the owners, instead of the filesystem."""
    if mount is None or mount.fstype in OWNERLESS:
        return mount is not None
    options = {*mount.options, *mount.super_options}
    kept = options & {"cifsacl", "idsfromsid", "modefromsid", "posix", "unix"}
    return mount.fstype in CIFS and not kept and bool(options & {"nounix", "forceuid"})


def inexpressible(host: HostFacts, store: StoreFacts) -> bool:
    """Whether an owner in a datastore has no id in this user namespace."""
    if not host.id_map.namespaced:
        return False
    walk = store.ownership
    parts = (walk.skeleton, walk.chunks, walk.metadata) if walk is not None else ()
    seen = {number for part in parts for owner in part.owners for number in (owner.uid, owner.gid)}
    if store.location is not None and store.location.exists:
        seen.update((store.location.uid, store.location.gid))
    return OVERFLOW_ID in seen


def in_shell(*words: str) -> str:
    """Words of a shell command, quoted if needed: they are meant to be copied into a root shell."""
    return " ".join(shlex.quote(word) for word in words)


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 chunk`, `1,024 chunks`."""
    return f"{format(number, ',')} {singular if number == 1 else plural or singular + 's'}"
