# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the host itself (PBS-HOST-*)."""

from __future__ import annotations

import datetime
import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import ConfigFileFacts, IdRange
from ansible_collections.fleetops.pbs.plugins.module_utils._judge import known_faults
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import rank
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.known_faults import Fault
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    AS_ROOT,
    CONFIG_DIR,
    DATASTORES,
    OVERFLOW_ID,
    RESTART,
    Case,
    Evidence,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    inexpressible,
    passed,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import NEWEST_KNOWN, parse_version


def account(case: Case) -> Verdict:
    found = case.host.account
    evidence: Evidence = {"uid": found.uid, "primary_gid": found.primary_gid, "gid": found.gid}
    if found.uid is None:
        made = _made_by_debian(case, found.user) or Remedy(
            "Create the user.", (f"adduser --system --group {in_shell(found.user)}",)
        )
        return failed(f"There is no user '{found.user}'.", made, **evidence)
    if found.gid is None:
        made = _made_by_debian(case, found.group) or Remedy(
            "Create the group.", (f"groupadd --system {in_shell(found.group)}",)
        )
        return failed(f"There is no group '{found.group}'.", made, **evidence)
    if found.primary_gid != found.gid:
        return failed(
            "The primary group of user '%s' is gid %s, but group '%s' is gid %d: PBS creates with the first and requires "
            "the second." % (found.user, found.primary_gid, found.group, found.gid),
            Remedy(
                "Make the group the user's primary group, and restart the daemons when no backup is running.",
                (f"usermod -g {in_shell(found.group, found.user)}", RESTART),
            ),
            **evidence,
        )
    return passed("%s:%s is %d:%d." % (found.user, found.group, found.uid, found.gid), **evidence)


def _made_by_debian(case: Case, name: str) -> t.Optional[Remedy]:
    """Debian reserves 34:34 for `backup`; a newly made account would get another uid, and own no existing file."""
    if name != "backup":
        return None
    owners = sorted({str(store.location.uid) for store in case.stores if store.location and store.location.uid > 0})
    belong = f" The datastores of this host are owned by uid {', '.join(owners)}." if owners else ""
    return Remedy(f"Restore Debian's account backup (34:34).{belong}", ("update-passwd",))


def clock(case: Case) -> Verdict:
    found = case.host.clock
    evidence: Evidence = {"state": found.state, "status": found.status, "max_error_us": found.max_error_us}
    if found.synchronised is None:
        return unknown(f"The kernel did not say whether its clock is synchronised: {found.error}.")
    if not found.synchronised:
        return failed(
            "The kernel's clock is not synchronised.",
            Remedy(
                "Start a time service (chrony, or systemd-timesyncd) and wait until the clock is synchronised.",
                ("systemctl enable --now chrony", "timedatectl show --property NTPSynchronized"),
            ),
            **evidence,
        )
    return passed("The kernel's clock is synchronised.", **evidence)


def daemons(case: Case) -> Verdict:
    found = case.host.daemons
    if not case.host.systemd:
        return unknown("systemd does not run here, so the state of the daemons is not known.")
    if not found:
        return unknown("The state of the daemons could not be found out.")
    evidence: Evidence = {
        daemon.unit: {"active": daemon.active_state, "pid": daemon.main_pid, "replaced": daemon.replaced}
        for daemon in found
    }
    silent = [daemon for daemon in found if daemon.error and not daemon.active_state]
    if silent:
        return unknown("%s." % "; ".join("%s: %s" % (d.unit, d.error) for d in silent), **evidence)
    # systemd's other two names of a unit whose main process runs.
    down = [daemon for daemon in found if daemon.active_state not in ("active", "reloading", "refreshing")]
    if down:
        return failed(
            "%s, not active." % " and ".join("%s is %s" % (d.unit, d.active_state or "not there") for d in down),
            Remedy(
                "Start it; the journal contains why it stopped.",
                (
                    f"systemctl start {' '.join(d.unit for d in down)}",
                    f"journalctl --no-pager -n 50 -u {down[0].unit}",
                ),
            ),
            **evidence,
        )
    replaced = [daemon for daemon in found if daemon.replaced]
    if replaced:
        return failed(
            "%s still %s a program that was replaced on disk (installed: %s)."
            % (
                " and ".join(d.unit for d in replaced),
                "runs" if len(replaced) == 1 else "run",
                case.host.pbs_version or "unknown",
            ),
            Remedy(
                "Restart it when no backup is running.", (f"systemctl restart {' '.join(d.unit for d in replaced)}",)
            ),
            **evidence,
        )
    unclear = [daemon for daemon in found if daemon.replaced is None]
    if unclear:
        return unknown(
            "Whether %s runs the installed version could not be found out: %s."
            % (unclear[0].unit, unclear[0].error or "it has no main process"),
            AS_ROOT,
            **evidence,
        )
    workers = sorted(pid for daemon in found for pid in daemon.old_workers)
    if workers:
        return warned(
            "%s of a replaced program still run, for tasks that have not ended."
            % counted(len(workers), "process", "processes"),
            Remedy("Wait for the tasks to end; then restart both daemons.", (RESTART,)),
            old_workers=workers,
            **evidence,
        )
    version = f" ({case.host.pbs_version})" if case.host.pbs_version else ""
    return passed(f"Both daemons are active and run the installed version{version}.", **evidence)


NOT_KNOWN = "The datastores of this host are not known."
_NEW_SETTINGS = 3
"""How many settings of a newer PBS a message names."""
TUNING_READ_ON_OPEN = (4, 2, 1)
"""The first PBS that parses the tuning options whenever it opens a datastore; before, only GC did."""


def configuration(case: Case) -> Verdict:
    directory = case.host.config_dir
    wanted = case.host.account
    if directory.error:
        return unknown(f"{directory.path}: {directory.error}. {NOT_KNOWN}", AS_ROOT, severity="critical")
    if not directory.exists and directory.path != CONFIG_DIR:
        return unknown(
            f"{directory.path} does not exist, and it was named as the configuration directory. {NOT_KNOWN}",
            "Correct preflight_config_dir, or remove it for hosts that have PBS's own configuration directory.",
            severity="" if case.declares else "critical",
        )
    if not directory.exists:
        return failed(
            f"{directory.path} does not exist.",
            Remedy("Install the package again.", ("apt-get install --reinstall proxmox-backup-server",)),
        )
    files = [file for file in directory.files if file.exists]
    evidence: Evidence = {"uid": directory.uid, "gid": directory.gid, "mode": directory.mode}
    broken = [f"{_where(file)}: {file.error}" for file in files if file.parsed is False]
    if broken:
        return failed(
            f"{counted(len(broken), 'file does not parse', 'files do not parse')}: {'; '.join(broken)}.",
            "Correct the line; PBS has no comment syntax, and one wrong line hides the whole file.",
            broken=broken,
            **evidence,
        )
    closed = [file for file in files if file.readable is False and case.host.pbs_installed]
    if closed:
        decisive = any(os.path.basename(file.path) == DATASTORES for file in closed)
        return failed(
            f"User '{wanted.user}' cannot read {', '.join(file.path for file in closed)}, so PBS cannot use it."
            + (f" {NOT_KNOWN}" if decisive else ""),
            Remedy(
                "Give the files the owner and the mode that PBS gives them.",
                (
                    f"chown -h {in_shell(f'root:{wanted.group}', *(file.path for file in closed))}",
                    f"chmod 0640 {in_shell(*(file.path for file in closed))}",
                ),
            ),
            severity="critical" if decisive else "",
            unreadable=[file.path for file in closed],
            **evidence,
        )
    unread = [file for file in files if file.parsed is None]
    if unread:
        decisive = os.path.basename(unread[0].path) == DATASTORES
        return unknown(
            f"{unread[0].path} could not be read: {unread[0].error or 'no reason was given'}."
            + (f" {NOT_KNOWN}" if decisive else ""),
            AS_ROOT,
            severity="critical" if decisive else "",
            **evidence,
        )
    untuned = [
        (store.name, store.configured.tuning_error)
        for store in case.stores
        if store.configured is not None and store.configured.tuning_error
    ]
    if untuned:
        version = case.host.pbs_version
        at_once = bool(version) and parse_version(version or "") >= TUNING_READ_ON_OPEN
        return failed(
            "Tuning options do not parse: %s. %s"
            % (
                "; ".join("datastore '%s', %s" % item for item in untuned),
                f"PBS {version} cannot open the datastore: backups, lists, verify and GC fail."
                if at_once
                else "PBS keeps them as they are, and the next GC stops there.",
            ),
            Remedy(
                "Correct the option, or remove the tuning options.",
                (case.manager("datastore", "update", untuned[0][0], "--delete", "tuning"),),
            ),
            severity="critical" if at_once else "",
            broken=[error for _name, error in untuned],
            **evidence,
        )
    # Where PBS is not installed, this is the directory of a PBS somewhere else, such as a container with other ids.
    if case.host.pbs_installed and (
        directory.mode != "0700"
        or (wanted.uid is not None and (directory.uid, directory.gid) != (wanted.uid, wanted.gid))
    ):
        return failed(
            "%s is %s:%s %s; required is %s:%s 0700."
            % (directory.path, directory.uid, directory.gid, directory.mode, wanted.uid, wanted.gid),
            Remedy(
                "Give the directory the owner and the mode that the daemon demands.",
                (
                    f"chown -h {in_shell(f'{wanted.user}:{wanted.group}', directory.path)}",
                    f"chmod 0700 {in_shell(directory.path)}",
                ),
            ),
            **evidence,
        )
    parsing = counted(len(files), "file parses", "files parse")
    new = [f"{os.path.basename(file.path)}, {note}" for file in files for note in file.unknown]
    if new:
        evidence["unknown"] = new
        parsing += ", but this collection does not know %s (it knows PBS up to %s): %s%s" % (
            counted(len(new), "setting", "settings"),
            ".".join(map(str, NEWEST_KNOWN)),
            "; ".join(new[:_NEW_SETTINGS]),
            "; …" if len(new) > _NEW_SETTINGS else "",
        )
    if not case.host.pbs_installed:
        return passed(f"{directory.path}: {parsing}.", **evidence)
    return passed(f"{directory.path} is 0700, and {parsing}.", **evidence)


def _where(file: ConfigFileFacts) -> str:
    return "%s, line %d" % (file.path, file.line) if file.line else file.path


def old_locking(case: Case) -> Verdict:
    if case.host.old_locking is None:
        return unknown("Whether an old-locking marker exists could not be found out.")
    if case.host.old_locking:
        return failed(
            "/run/proxmox-backup/old-locking exists: PBS was upgraded over 3.3.5, and the host was not rebooted since.",
            Remedy("Reboot the host in a maintenance window.", ("systemctl reboot",)),
        )
    return passed("No old-locking marker.")


def id_map(case: Case) -> Verdict:
    found = case.host.id_map
    account_facts = case.host.account
    if found.error:
        return unknown(f"The id map could not be read: {found.error}.")
    if not found.namespaced:
        return passed("No user namespace: ids are the same inside and outside.")
    if account_facts.uid is None or account_facts.gid is None:
        return unknown(f"The ids of '{account_facts.user}' are not known, so neither is their mapping.")
    outer_uid, outer_gid = _outside(found.uids, account_facts.uid), _outside(found.gids, account_facts.gid)
    evidence: Evidence = {"outer_uid": outer_uid, "outer_gid": outer_gid}
    if outer_uid is None or outer_gid is None:
        unmapped = ["uid %d" % account_facts.uid] if outer_uid is None else []
        unmapped += ["gid %d" % account_facts.gid] if outer_gid is None else []
        return failed(
            "This user namespace has no mapping for %s of %s:%s."
            % (" and ".join(unmapped), account_facts.user, account_facts.group),
            "Extend the container's id map over %s (lxc.idmap, /etc/subuid, /etc/subgid), and restart it."
            % " and ".join(unmapped),
            **evidence,
        )
    nobodys = [store.path for store in case.stores if inexpressible(case.host, store)]
    if nobodys:
        return failed(
            "%s belongs, in whole or in part, to an id that this container cannot express (shown as %d)."
            % (", ".join(nobodys), OVERFLOW_ID),
            "'%s' is %d:%d on the outer host. Run there, in the directory that the container has as its datastore: "
            "find . -xdev ! \\( -uid %d -gid %d \\) -exec chown -h %d:%d {} +"
            % (account_facts.user, outer_uid, outer_gid, outer_uid, outer_gid, outer_uid, outer_gid),
            paths=nobodys,
            **evidence,
        )
    return passed(
        "User namespace: %s:%s is %d:%d inside and %d:%d on the outer host."
        % (account_facts.user, account_facts.group, account_facts.uid, account_facts.gid, outer_uid, outer_gid),
        **evidence,
    )


def _outside(ranges: t.Sequence[IdRange], inside: int) -> t.Optional[int]:
    for item in ranges:
        if item.inside <= inside < item.inside + item.count:
            return item.outside + inside - item.inside
    return None


# --- the installed version ----------------------------------------------------------------------------------------------


def installed_version(case: Case) -> Verdict:
    """Hold the installed version against the table of known faults and lifetimes."""
    installed = case.host.pbs_version or ""
    numbers = parse_version(installed)
    if not numbers:
        return unknown(
            "Which version of PBS is installed is not known: %s."
            % (f"dpkg names it '{installed}'" if installed else "there is no package proxmox-backup-server"),
            Remedy(
                "Ask the package manager; a PBS that no package installed gets no updates.",
                ("proxmox-backup-manager versions",),
            ),
            severity="medium",
        )
    today = datetime.datetime.fromtimestamp(case.now, datetime.timezone.utc).date()
    support = known_faults.support_of(numbers)
    concerned = [(fault, _concerned(fault, case)) for fault in known_faults.FAULTS if fault.fixed_in(numbers)]
    faults = [fault for fault, concerns in concerned if concerns]
    possible = [fault for fault, concerns in concerned if concerns is None]
    evidence: Evidence = {
        "version": installed,
        "sources_until": str(known_faults.SOURCES_UNTIL),
        "support_ends": support.ends if support else "",
        "faults": [_as_evidence(fault, numbers) for fault in faults],
        "possible_faults": [_as_evidence(fault, numbers) for fault in possible],
        "sources": sorted({known_faults.SUPPORT_TABLE, *(fault.url for fault in (*faults, *possible))}),
    }
    last_day = support.last_day() if support else None
    ended = last_day is not None and today > last_day
    if faults or ended:
        parts = [f"{fault.what} (fixed in {fault.fixed_in(numbers)}; {fault.source})" for fault in faults]
        if ended and support:
            parts.append(
                f"PBS {support.major} gets no updates since the end of {support.ends}, and Debian {support.debian} since "
                f"{support.debian_ends} (table of supported versions in PBS's documentation)"
            )
        worst = max((fault.severity for fault in faults), key=rank, default="medium")
        return failed(f"PBS {installed}: {'; '.join(parts)}.", _upgrade(numbers), severity=worst, **evidence)
    if support is None:
        return unknown(
            f"PBS {installed}: nothing is known about major version {numbers[0]}; the sources of this collection end on "
            f"{known_faults.SOURCES_UNTIL} with {max(known_faults.NEWEST.values(), key=parse_version)}.",
            "Upgrade this collection.",
            severity="medium",
            **evidence,
        )
    if possible:
        return unknown(
            "PBS %s: %s (fixed in %s; %s), if this host is concerned; its configuration could not be read."
            % (installed, possible[0].what, possible[0].fixed_in(numbers), possible[0].source),
            _upgrade(numbers),
            severity=possible[0].severity,
            **evidence,
        )
    age = (today - known_faults.SOURCES_UNTIL).days
    if age > known_faults.TABLE_MAX_AGE_DAYS:
        return unknown(
            f"PBS {installed}: no fault is known, but the sources of this collection end on {known_faults.SOURCES_UNTIL}, "
            f"{age} days ago.",
            "Upgrade this collection.",
            severity="low",
            **evidence,
        )
    if last_day is not None and (last_day - today).days <= known_faults.END_NOTICE_DAYS:
        return warned(
            f"PBS {installed}: support of PBS {numbers[0]} ends on {last_day} (table of supported versions in PBS's "
            "documentation).",
            _upgrade(numbers),
            severity="low",
            **evidence,
        )
    newer = (
        f" It is newer than {known_faults.NEWEST[numbers[0]]}, the newest one in the sources."
        if known_faults.is_newer_than_sources(numbers)
        else ""
    )
    return passed(
        f"PBS {installed} is supported, and no loss of data and no hole is known (sources until "
        f"{known_faults.SOURCES_UNTIL}).{newer}",
        **evidence,
    )


def _as_evidence(fault: Fault, version: tuple[int, ...]) -> Evidence:
    return {
        "severity": fault.severity,
        "what": fault.what,
        "fixed_in": fault.fixed_in(version),
        "source": f"{fault.source}: {fault.url}",
    }


def _concerned(fault: Fault, case: Case) -> t.Optional[bool]:
    """Whether a fault of this version can show on this host; None if its configuration is not known."""
    if not fault.concerns:
        return True
    if fault.concerns == "pull":
        jobs = case.host.config_dir.sync_jobs
        return None if jobs is None else any(job.direction == "pull" for job in jobs)
    if case.configuration_unreadable():
        return None
    found = [store.configured for store in case.stores if store.configured is not None]
    if fault.concerns == "s3":
        return any(store.backend == "s3" for store in found)
    if fault.concerns == "sync-level":
        return any("sync-level" in store.tuning for store in found)
    if fault.concerns == "hidden":
        return any(os.path.basename(store.path.rstrip("/")).startswith(".") for store in found)
    raise ValueError(f"a fault concerns '{fault.concerns}', which is not known")


def _upgrade(version: tuple[int, ...]) -> Remedy:
    """Within a major version first, because that is what PBS's guide for the next one demands."""
    newest = known_faults.NEWEST.get(version[0] if version else 0)
    target = f"{newest} or newer" if newest else "the newest release of its major version"
    steps = ("apt-get update", "apt-get dist-upgrade")
    if version[0] == max(known_faults.NEWEST):
        return Remedy(f"Upgrade PBS to {target}, in a maintenance window.", steps)
    return Remedy(
        f"Upgrade PBS to {target}; then to the next major version, with the guide of Proxmox (Upgrade from {version[0]} to "
        f"{version[0] + 1}) and the checklist of the program pbs{version[0]}to{version[0] + 1}.",
        steps,
    )


RULES: dict[str, Rule] = {
    "PBS-HOST-01": account,
    "PBS-HOST-02": clock,
    "PBS-HOST-03": daemons,
    "PBS-HOST-04": configuration,
    "PBS-HOST-05": old_locking,
    "PBS-HOST-06": id_map,
    "PBS-HOST-07": installed_version,
}
