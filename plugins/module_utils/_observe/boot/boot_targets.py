# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether systemd starts a unit on the way to the default target.

A link in `NAME.wants` is not enough: a boot never starts rescue.target or shutdown.target, and a target without a file does
not exist. Sources: bootup(7), systemd.special(7).
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment

_AT_BOOT = frozenset(
    f"{name}.target"
    for name in (
        *(
            "default",
            "graphical",
            "multi-user",
            "basic",
            "sysinit",
            "local-fs",
            "remote-fs",
            "sockets",
            "timers",
            "paths",
        ),
    )
)
"""What every boot to a login reaches."""

_NOT_AT_BOOT = frozenset(
    f"{name}.target"
    for name in (
        *("rescue", "emergency", "shutdown", "umount", "final", "reboot", "poweroff", "halt", "kexec", "soft-reboot"),
        *("exit", "sleep", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate", "system-update"),
        *(
            "initrd",
            "initrd-fs",
            "initrd-root-fs",
            "initrd-switch-root",
            "ctrl-alt-del",
            "runlevel0",
            "runlevel1",
            "runlevel6",
        ),
    )
)


def started_at_boot(unit: str, env: MountEnvironment, _seen: frozenset[str] = frozenset()) -> t.Optional[bool]:
    """True if the boot starts the unit, False if it never does, None if that cannot be determined.

    Follows the links that enable units. A unit without a file, an instance of a template and a unit that only settings of
    other units pull in are not determined. Raises `OSError` if unit files cannot be read.
    """
    if unit in _AT_BOOT:
        return True
    if unit in _NOT_AT_BOOT:
        return False
    if unit in _seen or "@" in unit or env.units.get(unit) is None:
        return None
    parents = {link.parent for link in env.units.links_to(unit) if link.lasting}
    answers = {started_at_boot(parent, env, _seen | {unit}) for parent in parents}
    if True in answers:
        return True
    return False if answers == {False} else None
