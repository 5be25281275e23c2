# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mounts something at boot, on hosts that exist in a directory; and the real generator of systemd as a referee."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.persistence import (
    boot_mounts,
    observe_persistence,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import unit_name_for
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer

PATH = "/mnt/tank/store"

UNIT = """\
[Unit]
Description=Mount datatstore 'tank' under '/mnt/tank'

[Install]
WantedBy=multi-user.target

[Mount]
What=/dev/disk/by-uuid/0a1b
Where=/mnt/tank
Type=ext4
Options=defaults,noatime
"""


def observed(env, path=PATH, removable=False):
    return observe_persistence(path, env.table.find(path), removable, env)


def summary(entries):
    return [(entry.kind, entry.where, entry.active_at_boot) for entry in entries]


# --- fstab ------------------------------------------------------------------------------------------------------------


def test_a_host_that_mounts_nothing(mount_host):
    assert observed(mount_host.environment()) == []


def test_an_entry_of_fstab(mount_host):
    mount_host.fstab.write_text("# x\nUUID=0a1b /mnt/tank/ ext4 rw,noatime 0 2\nUUID=0a1c /srv ext4 defaults 0 2\n")
    (entry,) = observed(mount_host.environment())
    assert (entry.kind, entry.where, entry.source, entry.fstype) == ("fstab", "/mnt/tank", "UUID=0a1b", "ext4")
    assert entry.options == ["rw", "noatime"]
    assert entry.file == str(mount_host.fstab)
    assert entry.detail == "line 2"
    assert entry.active_at_boot is True


@pytest.mark.parametrize(
    ("options", "active"),
    [("noauto", False), ("noauto,nofail", False), ("nofail", True), ("noauto,x-systemd.automount", True)],
)
def test_whether_it_is_mounted_at_boot(mount_host, options, active):
    mount_host.fstab.write_text(f"UUID=0a1b /mnt/tank ext4 {options}\n")
    assert summary(observed(mount_host.environment())) == [("fstab", "/mnt/tank", active)]


def test_entries_above_the_mount_do_not_matter_and_those_below_do(mount_host):
    mount_host.fstab.write_text(
        "UUID=1 / ext4 defaults\nUUID=2 /mnt ext4 defaults\nUUID=3 /mnt/tank ext4 defaults\n"
        "UUID=4 /mnt/tank/store ext4 defaults\nUUID=5 /mnt/tank/store/deeper ext4 defaults\n"
    )
    assert [entry.source for entry in observed(mount_host.environment())] == ["UUID=3", "UUID=4"]


def test_a_datastore_whose_mount_is_missing_now(mount_host):
    mount_host.fstab.write_text("UUID=1 / ext4 defaults\nUUID=3 /mnt/tank ext4 defaults\n")
    entries = observed(mount_host.environment("1 0 8:1 / / rw - ext4 /dev/sda1 rw"))
    assert [entry.where for entry in entries] == ["/", "/mnt/tank"]


def test_a_mount_point_that_is_written_through_a_link(mount_host, tmp_path):
    (tmp_path / "link").symlink_to("/mnt")
    mount_host.fstab.write_text(f"UUID=3 {tmp_path}/link/tank ext4 defaults\n")
    assert summary(observed(mount_host.environment())) == [("fstab", "/mnt/tank", True)]


def test_several_entries_for_one_mount_point(mount_host):
    mount_host.fstab.write_text("UUID=3 /mnt/tank ext4 defaults\nUUID=4 /mnt/tank xfs defaults\n")
    assert [entry.active_at_boot for entry in observed(mount_host.environment())] == [True, True]
    first, second = observed(mount_host.environment(systemd=True))
    assert (first.active_at_boot, second.active_at_boot) == (True, False)
    assert "earlier entry" in second.detail


def test_passwords_do_not_reach_the_report(mount_host):
    mount_host.fstab.write_text("//anna:geheim@nas/x /mnt/tank cifs username=a,password=geheim\n")
    (entry,) = observed(mount_host.environment())
    assert "geheim" not in repr(entry)
    # mount.cifs takes a password behind the user name, too: username=anna%geheim.
    assert entry.options == ["username=(hidden)", "password=(hidden)"]


def test_names_are_fit_for_showing(mount_host):
    mount_host.fstab.write_bytes(b"LABEL=\x1b[2J /mnt/a\\012\xff ext4 defaults\n")
    env = mount_host.environment("1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    (entry,) = shown(observed(env, "/mnt/a\n\udcff"))
    assert (entry.where, entry.source) == ("/mnt/a\\x0a\\xff", "LABEL=\\x1b[2J")


def test_a_file_that_cannot_be_read_is_an_error(mount_host):
    mount_host.fstab.mkdir()
    with pytest.raises(IsADirectoryError):
        observed(mount_host.environment())


# --- mount units ------------------------------------------------------------------------------------------------------


def test_a_unit_as_pbs_writes_it(mount_host):
    path = mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert (entry.kind, entry.where, entry.file) == ("systemd", "/mnt/tank", str(path))
    assert (entry.source, entry.fstype, entry.options) == ("/dev/disk/by-uuid/0a1b", "ext4", ["defaults", "noatime"])
    assert entry.active_at_boot is True
    assert entry.detail == "pulled in by multi-user.target"


def test_a_unit_that_is_not_enabled(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is False
    assert "not enabled" in entry.detail


def test_a_unit_that_is_enabled_until_the_next_boot(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.link("multi-user.target.wants", "mnt-tank.mount", place="run")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is False
    assert "next reboot" in entry.detail


@pytest.mark.parametrize(
    ("parent", "active", "detail"),
    [
        ("rescue.target", False, "pulled in only by rescue.target, which a boot does not start"),
        ("shutdown.target", False, "pulled in only by shutdown.target, which a boot does not start"),
        ("nosuch.target", None, "whether a boot starts it could not be determined"),
        ("backup@tank.service", None, "whether a boot starts it could not be determined"),
        ("remote-fs.target", True, "pulled in by remote-fs.target"),
        ("graphical.target", True, "pulled in by graphical.target"),
    ],
)
def test_a_unit_is_mounted_if_the_boot_starts_what_pulls_it_in(mount_host, parent, active, detail):
    mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.link(f"{parent}.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is active
    assert detail in entry.detail


def test_a_target_of_the_administrator_is_followed_to_the_boot(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.unit("storage.target", "[Unit]\nDescription=x\n")
    mount_host.link("storage.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is None
    mount_host.link("multi-user.target.wants", "storage.target")
    (entry,) = observed(mount_host.environment())
    assert (entry.active_at_boot, entry.detail) == (True, "pulled in by storage.target")


def test_targets_that_pull_in_each_other_end(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    for one, other in (("a.target", "b.target"), ("b.target", "a.target")):
        mount_host.unit(one, "[Unit]\nDescription=x\n")
        mount_host.link(f"{one}.wants", other)
    mount_host.link("a.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is None


def test_a_condition_is_not_known_before_the_boot(mount_host):
    mount_host.unit("mnt-tank.mount", "[Unit]\nConditionPathExists=/nonexistent\n" + UNIT)
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is None
    assert "if ConditionPathExists holds at boot" in entry.detail


@pytest.mark.parametrize(
    ("line", "active"),
    [
        ("UUID=3 /mnt/tank ext4 defaults,x-systemd.wanted-by=rescue.target", False),
        ("UUID=3 /mnt/tank ext4 defaults,x-systemd.required-by=multi-user.target", True),
        ("UUID=3 /mnt/tank ext4 defaults,x-systemd.wanted-by=nosuch.target", None),
        ("UUID=3 /mnt/x/../tank ext4 defaults", False),
        ("auto.tank /mnt/tank autofs defaults", None),
        ("UUID=3 /mnt/tank ext4 defaults", True),
    ],
)
def test_a_line_of_fstab_that_systemd_reads_otherwise(mount_host, line, active):
    mount_host.fstab.write_text(line + "\n")
    (entry,) = observed(mount_host.environment(systemd=True))
    assert (entry.where, entry.active_at_boot) == ("/mnt/tank", active)


def test_a_unit_that_does_not_last(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT, place="run")
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is False
    assert "does not survive a reboot" in entry.detail


def test_an_automount_unit(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.unit("mnt-tank.automount", "[Automount]\nWhere=/mnt/tank\n")
    mount_host.link("local-fs.target.wants", "mnt-tank.automount")
    assert summary(observed(mount_host.environment())) == [("systemd", "/mnt/tank", True)]


def test_a_unit_that_only_the_daemons_pull_in(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.unit(
        "proxmox-backup.service", "[Unit]\nRequiresMountsFor=/mnt/tank/store\n[Service]\nExecStart=/x\n", "lib"
    )
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is True
    assert entry.detail == "pulled in by proxmox-backup.service (RequiresMountsFor=/mnt/tank/store)"


def test_a_masked_unit(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT, "lib")
    mount_host.unit("mnt-tank.mount", "")
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert (entry.active_at_boot, entry.detail) == (False, "the unit is masked")


def test_a_unit_that_systemd_refuses(mount_host):
    mount_host.unit("mnt-tank.mount", UNIT.replace("Where=/mnt/tank", "Where=/mnt/other"))
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    (entry,) = observed(mount_host.environment())
    assert entry.active_at_boot is False
    assert "Where=/mnt/other" in entry.detail


def test_what_the_generator_made_of_fstab_is_not_said_twice(mount_host):
    mount_host.fstab.write_text("UUID=3 /mnt/tank ext4 defaults\n")
    mount_host.unit("mnt-tank.mount", f"[Unit]\nSourcePath={mount_host.fstab}\n[Mount]\nWhere=/mnt/tank\n", "generator")
    mount_host.link("local-fs.target.requires", "mnt-tank.mount", "generator")
    assert summary(observed(mount_host.environment(systemd=True))) == [("fstab", "/mnt/tank", True)]


def test_a_unit_file_wins_over_fstab(mount_host):
    mount_host.fstab.write_text("UUID=3 /mnt/tank ext4 defaults\n")
    path = mount_host.unit("mnt-tank.mount", UNIT)
    mount_host.link("multi-user.target.wants", "mnt-tank.mount")
    entries = observed(mount_host.environment(systemd=True))
    assert summary(entries) == [("fstab", "/mnt/tank", False), ("systemd", "/mnt/tank", True)]
    assert f"systemd uses {path} instead" in entries[0].detail


# --- ZFS and PBS ------------------------------------------------------------------------------------------------------

ZFS_TANK = (
    "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
    "2 1 0:50 / /mnt/tank rw,noatime - zfs tank/pbs rw,xattr,noacl",
)


def datasets(mount_host, text):
    mount_host.answers["zfs"] = Answer(0, text)


def test_a_dataset(mount_host):
    datasets(mount_host, "tank\tnone\toff\ntank/pbs\t/mnt/tank\ton\ntank/other\t/srv\ton\n")
    (entry,) = observed(mount_host.environment(*ZFS_TANK))
    assert (entry.kind, entry.where, entry.source, entry.fstype) == ("zfs", "/mnt/tank", "tank/pbs", "zfs")
    assert (entry.active_at_boot, entry.source_matches) == (True, True)


@pytest.mark.parametrize("canmount", ["off", "noauto"])
def test_a_dataset_that_is_not_mounted_by_itself(mount_host, canmount):
    datasets(mount_host, f"tank/pbs\t/mnt/tank\t{canmount}\n")
    assert summary(observed(mount_host.environment(*ZFS_TANK))) == [("zfs", "/mnt/tank", False)]


def test_a_dataset_that_will_be_mounted_elsewhere(mount_host):
    datasets(mount_host, "tank/pbs\t/srv/elsewhere\ton\n")
    (entry,) = observed(mount_host.environment(*ZFS_TANK))
    assert (entry.where, entry.source_matches) == ("/srv/elsewhere", True)


def test_another_dataset_for_the_same_mount_point(mount_host):
    datasets(mount_host, "tank/new\t/mnt/tank\ton\n")
    (entry,) = observed(mount_host.environment(*ZFS_TANK))
    assert (entry.source, entry.source_matches) == ("tank/new", False)


def test_a_legacy_dataset_is_mounted_by_fstab(mount_host):
    datasets(mount_host, "tank/pbs\tlegacy\ton\n")
    mount_host.fstab.write_text("tank/pbs /mnt/tank zfs defaults\n")
    (entry,) = observed(mount_host.environment(*ZFS_TANK))
    assert (entry.kind, entry.source_matches) == ("fstab", True)


def test_a_dataset_that_is_not_mounted_now(mount_host):
    datasets(mount_host, "tank/pbs\t/mnt/tank\ton\n")
    (entry,) = observed(mount_host.environment("1 0 8:1 / / rw - ext4 /dev/sda1 rw"))
    assert (entry.kind, entry.where, entry.source_matches) == ("zfs", "/mnt/tank", False)


@pytest.mark.parametrize(("enabled", "active"), [(True, True), (False, None)])
def test_the_service_that_mounts_datasets(mount_host, enabled, active):
    datasets(mount_host, "tank/pbs\t/mnt/tank\ton\n")
    mount_host.unit("zfs-mount.service", "[Unit]\nBefore=local-fs.target\n", "lib")
    if enabled:
        mount_host.link("zfs.target.wants", "zfs-mount.service")
    assert summary(observed(mount_host.environment(*ZFS_TANK))) == [("zfs", "/mnt/tank", active)]


def test_zfs_is_asked_once_and_only_where_it_matters(mount_host):
    env = mount_host.environment()
    observed(env)
    assert mount_host.asked == []
    env = mount_host.environment(*ZFS_TANK)
    for number in range(32):
        observed(env, f"/mnt/tank/{number}")
    assert len(mount_host.asked) == 1


def test_a_removable_datastore(mount_host):
    (entry,) = observed(mount_host.environment(), "/mnt/datastore/usb", removable=True)
    assert (entry.kind, entry.where, entry.active_at_boot) == ("pbs", "/mnt/datastore/usb", None)
    mount_host.unit("removable-device-attach@.service", "[Unit]\n", "lib")
    (entry,) = observed(mount_host.environment(), "/mnt/datastore/usb", removable=True)
    assert entry.active_at_boot is True


# --- a path of two thousand parts -------------------------------------------------------------------------------------


TWO_ON_THE_WAY = b"""\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:9 / /b rw - tmpfs x rw
31 30 0:10 / /b/b rw - tmpfs y rw
"""


def test_no_unit_is_looked_for_that_cannot_have_a_file(monkeypatch):
    environment = MountEnvironment(
        fstab="/nonexistent",
        unit_directories=(),
        systemd=False,
        table=MountTable.parse(TWO_ON_THE_WAY),
        run_command=no_zfs,
    )
    asked = []
    monkeypatch.setattr(environment.units, "_load", asked.append)
    assert boot_mounts("/b" * 2000, None, False, environment) == []
    assert "b-b.mount" in asked
    assert max(map(len, asked)) <= 255


def no_zfs(_argv, _timeout):
    return Answer(missing=True)


# --- the real generator -----------------------------------------------------------------------------------------------

ENTRIES = {
    "/mnt/plain": "ext4 defaults",
    "/mnt/auto": "ext4 noauto,x-systemd.automount",
    "/mnt/asleep": "ext4 noauto",
    "/mnt/may-fail": "ext4 nofail",
    "/mnt/net": "nfs defaults",
    "/mnt/netdev": "ext4 defaults,_netdev",
    "/mnt/two\\040words": "ext4",
    "/mnt/fuse": "fuse.sshfs nofail,_netdev",
}


def generator() -> str:
    for directory in ("/usr/lib/systemd", "/lib/systemd"):
        path = f"{directory}/system-generators/systemd-fstab-generator"
        if os.access(path, os.X_OK):
            return path
    raise AssertionError("systemd is not installed; `make venv` installs it")


def test_systemd_makes_the_same_of_fstab(mount_host):
    mount_host.fstab.write_text("".join(f"/dev/x {where} {rest}\n" for where, rest in ENTRIES.items()))
    places = [mount_host.directory / name for name in ("generator", "early", "late")]
    for place in places:
        place.mkdir()
    environment = dict(os.environ, SYSTEMD_FSTAB=str(mount_host.fstab))
    subprocess.run([generator(), *places], env=environment, check=True, capture_output=True)
    made = places[0]
    pulled_in = {link.name for link in made.glob("*.[rw]*/*")}
    env = mount_host.environment("1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    for where in [written.replace("\\040", " ") for written in ENTRIES]:
        (entry,) = observed(env, where)
        name = unit_name_for(where)
        assert (made / name).is_file(), where
        assert entry.active_at_boot is bool({name, unit_name_for(where, ".automount")} & pulled_in), where
        assert entry.file == str(mount_host.fstab)
