# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.unit_order import observe_unit_order
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer

PATH = "/mnt/tank/store"
API, PROXY = "proxmox-backup.service", "proxmox-backup-proxy.service"
NFS = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:44 / /mnt/tank rw - nfs4 nas:/export/pbs rw,hard")


@pytest.fixture
def pbs(mount_host):
    """A host with the units of PBS."""
    mount_host.unit(API, "[Unit]\nWants=network-online.target\nAfter=network.target\n[Service]\nExecStart=/x\n", "lib")
    mount_host.unit(PROXY, f"[Unit]\nWants={API}\nAfter=network.target {API}\n[Service]\nExecStart=/x\n", "lib")
    return mount_host


def drop_in(host, text, *units):
    for unit in units or (API, PROXY):
        host.unit(f"{unit}.d/mounts.conf", text)


def order(host, *mounts, path=PATH):
    found = observe_unit_order(path, host.environment(*mounts))
    assert [facts.unit for facts in found] == [API, PROXY]
    return [(facts.waits, facts.needs, facts.by) for facts in found]


def test_no_units_no_answer(mount_host):
    for facts in observe_unit_order(PATH, mount_host.environment()):
        assert (facts.waits, facts.needs, facts.error) == (None, None, "the unit does not exist")


def test_a_masked_unit_has_no_order(pbs):
    pbs.unit(API, "")
    facts = observe_unit_order(PATH, pbs.environment())[0]
    assert (facts.waits, facts.error) == (None, "the unit is masked")


def test_a_mount_that_nobody_makes_at_boot_is_not_waited_for(pbs):
    assert order(pbs) == [(False, False, "")] * 2


def test_the_root_filesystem_is_there(pbs):
    assert order(pbs, path="/srv/store") == [(True, True, "it is the root filesystem")] * 2


@pytest.mark.parametrize(
    ("setting", "waits", "needs", "by"),
    [
        ("RequiresMountsFor=/mnt/tank/store", True, True, "RequiresMountsFor=/mnt/tank/store"),
        ("RequiresMountsFor=/srv /mnt/tank", True, True, "RequiresMountsFor=/mnt/tank"),
        ("WantsMountsFor=/mnt/tank", True, False, "WantsMountsFor=/mnt/tank"),
        ("RequiresMountsFor=/mnt/tankard", False, False, ""),
        ("RequiresMountsFor=/mnt", False, False, ""),
        ("Requires=mnt-tank.mount\nAfter=mnt-tank.mount", True, True, "Requires=mnt-tank.mount After=mnt-tank.mount"),
        ("BindsTo=mnt-tank.mount\nAfter=mnt-tank.mount", True, True, "Requires=mnt-tank.mount After=mnt-tank.mount"),
        ("Wants=mnt-tank.mount\nAfter=mnt-tank.mount", True, False, "Wants=mnt-tank.mount After=mnt-tank.mount"),
        ("Requires=mnt-tank.mount", False, True, "Requires=mnt-tank.mount without After=mnt-tank.mount"),
        ("Wants=mnt-tank.mount", False, False, ""),
        ("After=mnt-tank.mount", False, False, ""),
    ],
)
def test_what_a_drop_in_can_say(pbs, setting, waits, needs, by):
    drop_in(pbs, f"[Unit]\n{setting}\n")
    assert order(pbs) == [(waits, needs, by)] * 2


def test_links_of_the_unit_and_the_mount(pbs):
    pbs.unit("mnt-tank.mount", f"[Unit]\nBefore={API}\n[Mount]\nWhat=/dev/x\nWhere=/mnt/tank\nType=nfs\n")
    pbs.link(f"{API}.requires", "mnt-tank.mount")
    first, second = order(pbs)
    assert first == (True, True, "Requires=mnt-tank.mount After=mnt-tank.mount")
    assert second == (True, False, f"After={API}")


def test_a_local_mount_is_made_before_everything(pbs):
    pbs.fstab.write_text("UUID=1 /mnt/tank ext4 defaults\n")
    assert order(pbs) == [(True, True, "After=local-fs.target")] * 2


def test_one_that_may_fail_is_not(pbs):
    pbs.fstab.write_text("UUID=1 /mnt/tank ext4 nofail\n")
    assert order(pbs) == [(False, False, "")] * 2


def test_nor_is_one_that_is_not_mounted_at_boot(pbs):
    pbs.fstab.write_text("UUID=1 /mnt/tank ext4 noauto\n")
    assert order(pbs) == [(False, False, "")] * 2


@pytest.mark.parametrize("entry", ["nas:/export/pbs /mnt/tank nfs4 hard", "UUID=1 /mnt/tank ext4 _netdev"])
def test_nothing_waits_for_the_network_by_itself(pbs, entry):
    pbs.fstab.write_text(entry + "\n")
    assert order(pbs, *NFS) == [(False, False, "")] * 2
    drop_in(pbs, "[Unit]\nAfter=remote-fs.target\n", API)
    first, second = order(pbs, *NFS)
    assert first == (True, False, "After=remote-fs.target")
    assert second == (True, False, f"After={API}, which waits")


def test_order_without_a_need_counts_for_a_mount_that_is_made_at_boot(pbs):
    pbs.fstab.write_text("nas:/export/pbs /mnt/tank nfs4 hard\n")
    drop_in(pbs, "[Unit]\nAfter=mnt-tank.mount\n")
    assert order(pbs, *NFS) == [(True, False, "After=mnt-tank.mount")] * 2


def test_an_automount_lets_every_access_wait(pbs):
    pbs.fstab.write_text("nas:/export/pbs /mnt/tank nfs4 noauto,x-systemd.automount\n")
    for waits, needs, by in order(pbs, *NFS):
        assert (waits, needs) == (True, False)
        assert "automount" in by


def test_the_unit_that_pbs_writes(pbs):
    pbs.unit("mnt-tank.mount", "[Mount]\nWhat=/dev/x\nWhere=/mnt/tank\nType=ext4\nOptions=defaults\n")
    assert order(pbs) == [(False, False, "")] * 2
    pbs.link("multi-user.target.wants", "mnt-tank.mount")
    # Made before, but where it fails the boot goes on.
    assert order(pbs) == [(True, False, "After=local-fs.target")] * 2


def test_units_without_the_usual_order(pbs):
    pbs.fstab.write_text("UUID=1 /mnt/tank ext4 defaults\n")
    drop_in(pbs, "[Unit]\nDefaultDependencies=no\n")
    assert order(pbs) == [(False, False, "")] * 2


def test_a_dataset_of_zfs(pbs):
    pbs.answers["zfs"] = Answer(0, "tank/pbs\t/mnt/tank\ton\n")
    pbs.unit("zfs-mount.service", "[Unit]\nBefore=local-fs.target\n", "lib")
    pbs.link("zfs.target.wants", "zfs-mount.service")
    table = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:48 / /mnt/tank rw - zfs tank/pbs rw")
    assert order(pbs, *table) == [(True, False, "After=local-fs.target")] * 2


def test_the_mount_that_is_missing_now_is_the_one_to_wait_for(pbs):
    pbs.fstab.write_text("UUID=0 / ext4 defaults\nUUID=1 /mnt/tank ext4 nofail\n")
    assert order(pbs, "1 0 8:1 / / rw - ext4 /dev/sda1 rw") == [(False, False, "")] * 2


# --- systemd itself ---------------------------------------------------------------------------------------------------


def shown(unit, load_state="loaded", **properties):
    lines = {"Id": unit, "LoadState": load_state, "After": "basic.target sysinit.target system.slice", **properties}
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def ask(host, text, **kwargs):
    host.answers["systemctl"] = Answer(0, text, **kwargs)
    return observe_unit_order(PATH, host.environment(systemd=True))


def test_systemd_is_asked_once_for_all_datastores(mount_host):
    mount_host.answers["systemctl"] = Answer(0, shown(API) + "\n" + shown(PROXY))
    env = mount_host.environment(systemd=True)
    for number in range(32):
        assert observe_unit_order(f"/mnt/tank/{number}", env)[0].waits is False
    assert len(mount_host.asked) == 1
    assert mount_host.asked[0][-2:] == [API, PROXY]


def test_what_systemd_says(mount_host):
    first, second = ask(
        mount_host,
        shown(API, RequiresMountsFor="/var/x /mnt/tank/store")
        + "\n"
        + shown(PROXY, Requires="sysinit.target mnt-tank.mount", After="mnt-tank.mount basic.target"),
    )
    assert (first.waits, first.needs, first.by) == (True, True, "RequiresMountsFor=/mnt/tank/store")
    assert (second.waits, second.needs) == (True, True)
    assert second.by == "Requires=mnt-tank.mount After=mnt-tank.mount"


def test_a_unit_that_systemd_does_not_know(mount_host):
    first, second = ask(mount_host, shown(API, "not-found") + "\n" + shown(PROXY))
    assert (first.waits, first.error) == (None, "the unit is not loaded (not-found)")
    assert (second.waits, second.error) == (False, "")


def test_no_answer_from_systemd(mount_host):
    mount_host.answers["systemctl"] = Answer(error="systemctl: no answer in 10 s")
    for facts in observe_unit_order(PATH, mount_host.environment(systemd=True)):
        assert (facts.waits, facts.error) == (None, "systemctl: no answer in 10 s")


def test_a_mount_point_with_a_space(mount_host):
    """As systemd 252 and 257 print it."""
    mount_host.answers["systemctl"] = Answer(
        0,
        shown(API, RequiresMountsFor='/run/x "/mnt/two words/100%" /srv')
        + "\n"
        + shown(PROXY, RequiresMountsFor='/mnt/two "/mnt/two wordsy/store"'),
    )
    table = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:17 / /mnt/two\\040words rw - ext4 /dev/sdb1 rw")
    first, second = observe_unit_order("/mnt/two words/store", mount_host.environment(*table, systemd=True))
    assert (first.waits, first.by) == (True, "RequiresMountsFor=/mnt/two words/100%")
    assert second.waits is False


def test_a_mount_point_with_a_dash(mount_host):
    """Its unit has a backslash in its name, and systemctl quotes that."""
    unit = r'"mnt-my\\x2dstore.mount"'
    mount_host.answers["systemctl"] = Answer(
        0,
        shown(API, Requires=f"{unit} x.target", After=unit) + "\n" + shown(PROXY, Wants=unit, After=f"a.target {unit}"),
    )
    table = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:17 / /mnt/my-store rw - ext4 /dev/sdb1 rw")
    first, second = observe_unit_order("/mnt/my-store", mount_host.environment(*table, systemd=True))
    assert (first.waits, first.needs) == (True, True)
    assert (second.waits, second.needs) == (True, False)


@pytest.mark.parametrize(
    ("printed", "path"),
    [
        (r'"/mnt/a\"b\$c\`d\\e/x"', '/mnt/a"b$c`d\\e'),
        (r'"/mnt/a\tb\033c/x"', "/mnt/a\tb\033c"),
        ('"/mnt/it\'s/x"', "/mnt/it's"),
    ],
)
def test_what_systemctl_quotes_is_read_back(mount_host, printed, path):
    mount_host.answers["systemctl"] = Answer(
        0, shown(API, RequiresMountsFor=printed) + "\n" + shown(PROXY, RequiresMountsFor="/srv")
    )
    point = "".join(c if c.isalnum() or c in "/'`\"$" else f"\\{ord(c):03o}" for c in path)
    table = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", f"2 1 8:17 / {point} rw - ext4 /dev/sdb1 rw")
    first, second = observe_unit_order(path, mount_host.environment(*table, systemd=True))
    assert (first.waits, second.waits) == (True, False)
