# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about mounts after a reboot, and units that wait for them."""

from __future__ import annotations

import os.path
import re

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import PersistentMount
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import (
    contract_of,
    drop_in,
    mount_evidence,
    mount_of,
    own_persistent,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    Remedy,
    Verdict,
    failed,
    in_shell,
    passed,
    skipped,
    unknown,
    warned,
)

_MOVING = re.compile(r"/dev/(sd|hd|vd|xvd)[a-z]+\d*\Z|/dev/nvme\d+n\d+(p\d+)?\Z|/dev/mmcblk\d+(p\d+)?\Z")


def persistent(case: Case) -> Verdict:
    if contract_of(case).get("persistent") is False:
        return skipped("The declaration does not want this mount to be persistent.")
    mount = mount_of(case)
    entries = own_persistent(case, mount)
    if mount.is_root:
        return skipped("The root filesystem always comes back.")
    evidence: Evidence = {
        "entries": [
            {"kind": e.kind, "where": e.where, "source": e.source, "file": e.file, "active_at_boot": e.active_at_boot}
            for e in entries
        ],
        **mount_evidence(mount),
    }
    if mount.deleted:
        return failed(
            "The directory that is mounted at %s was removed from its filesystem: nothing can mount it again."
            % mount.mount_point,
            "Copy what is needed while it is still mounted (cp -a), then make the directory and the mount again.",
            **evidence,
        )
    if not entries and case.host.container:
        return warned(
            "%s is mounted from outside of this container (%s); whether it comes back is decided there."
            % (mount.mount_point, case.host.container),
            "Look at the container's configuration on the outer host (a mount point of LXC, a bind of systemd-nspawn).",
            severity="low",
            **evidence,
        )
    if not entries:
        return failed(
            f"Nothing mounts {mount.mount_point} at boot: no line in /etc/fstab, no .mount unit, no ZFS dataset.",
            Remedy(
                "Add a line to /etc/fstab (by UUID) or enable a .mount unit; the role mounts does it for a declared datastore.",
                (f"findmnt --noheadings --output UUID,FSTYPE,OPTIONS {in_shell(mount.mount_point)}",),
            ),
            **evidence,
        )
    good = [entry for entry in entries if entry.active_at_boot and entry.source_matches is not False]
    good.sort(key=lambda entry: entry.source_matches is None)
    if good:
        first = good[0]
        if first.source_matches is None and first.kind in ("fstab", "systemd"):
            return warned(
                "%s mounts %s at boot; whether that is what is mounted now (%s) could not be found out."
                % (first.file, first.source, mount.source),
                "Write the source as UUID=….",
                severity="low",
                **evidence,
            )
        if first.kind in ("fstab", "systemd") and _MOVING.match(first.source):
            return warned(
                f"{first.file} mounts {first.source} at boot. Such names follow the order in which disks are found, and may "
                "name another disk after the next reboot.",
                Remedy(
                    f"Write the source as UUID=… in {first.file}; the command shows the UUID.",
                    (f"findmnt --noheadings --output UUID {in_shell(mount.mount_point)}",),
                ),
                severity="low",
                **evidence,
            )
        return passed(f"{mount.mount_point} comes back after a reboot ({first.kind}: {first.file}).", **evidence)
    other = [entry for entry in entries if entry.source_matches is False]
    if other:
        return failed(
            f"At boot {other[0].file} mounts {other[0].source} at {mount.mount_point}; mounted now is {mount.source}.",
            f"Correct {other[0].file}, or mount what it names.",
            **evidence,
        )
    undecided = [entry for entry in entries if entry.active_at_boot is None]
    if undecided:
        return unknown(
            "Whether %s is active at boot could not be found out: %s."
            % (undecided[0].file, undecided[0].detail or "no answer"),
            **evidence,
        )
    return failed(
        "%s knows %s, but does not mount it at boot (%s)."
        % (entries[0].file, mount.mount_point, entries[0].detail or "not active at boot"),
        _activate(entries[0]),
        **evidence,
    )


def _activate(entry: PersistentMount) -> Remedy:
    """The fix that makes an entry effective at boot."""
    if entry.kind == "zfs":
        return Remedy("Let ZFS mount the dataset at boot.", (f"zfs set canmount=on {in_shell(entry.file)}",))
    if entry.kind == "systemd":
        return Remedy("Enable the unit.", (f"systemctl enable {in_shell(os.path.basename(entry.file))}",))
    if entry.kind == "fstab":
        return Remedy(f"Remove `noauto` from the line for {entry.where} in {entry.file}, or what overrides it.")
    return Remedy("Unmask the unit.", (f"systemctl unmask {in_shell(os.path.basename(entry.file))}",))


def unit_order(case: Case) -> Verdict:
    store = case.the_store
    mount = mount_of(case)
    if mount.is_root:
        return skipped("The root filesystem is always there first.")
    if store.configured is not None and store.configured.backing_device:
        return skipped("PBS mounts removable datastores itself.")
    if case.host.container and store.persistent is not None and not own_persistent(case, mount):
        return skipped("It is mounted from outside of this container before anything starts here.")
    orders = store.unit_order
    if not orders:
        return unknown("The order of the units could not be found out.")
    evidence: Evidence = {
        "units": [{"unit": order.unit, "waits": order.waits, "by": order.by, "needs": order.needs} for order in orders]
    }
    idle = [order for order in orders if order.waits is False]
    if idle:
        return failed(
            "%s not wait for %s at boot."
            % (" and ".join(order.unit for order in idle) + (" does" if len(idle) == 1 else " do"), mount.mount_point),
            Remedy(
                "Add a drop-in to the units; the role mounts writes the same.",
                drop_in([order.unit for order in idle], "Unit", "RequiresMountsFor", store.path),
            ),
            **evidence,
        )
    unclear = [order for order in orders if order.waits is None]
    if unclear:
        return unknown(f"Whether {unclear[0].unit} waits could not be found out: {unclear[0].error}.", **evidence)
    return passed(f"Both units wait for {mount.mount_point} ({orders[0].by}).", **evidence)
