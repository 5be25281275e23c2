# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a source names what is mounted: with real device nodes, which need not lead to a device."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_source import source_matches
from ansible_collections.fleetops.pbs.tests.support import mounts


@pytest.fixture
def disks(mount_host):
    """sda1 and sdb1 with all links; sdb1 is mounted on /mnt/tank."""
    for name, number, tag in (("sda1", "8:1", "a"), ("sdb1", "8:17", "b")):
        mount_host.device(name, number)
        for by in ("uuid", "label", "partuuid", "partlabel", "id"):
            directory = mount_host.dev / "disk" / f"by-{by}"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"{by}-{tag}").symlink_to(f"../../{name}")
    (mount_host.dev / "disk" / "by-label" / "two\\x20w\\x2fö").symlink_to("../../sdb1")
    (mount_host.dev / "vg").mkdir()
    (mount_host.dev / "vg" / "tank").symlink_to("../sdb1")
    return mount_host


def matches(host, source, fstype="ext4", options=(), mount="/mnt/tank", env=None):
    env = env or host.environment()
    return source_matches(source.replace("/dev/", f"{host.dev}/"), fstype, options, env.table.find(mount), env)


@pytest.mark.root
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("UUID=uuid-b", True),
        ("UUID=uuid-a", False),
        ("UUID=uuid-of-a-disk-that-is-not-there", False),
        ("LABEL=label-b", True),
        ("LABEL=two w/ö", True),
        ("LABEL=label-a", False),
        ("PARTUUID=partuuid-b", True),
        ("PARTLABEL=partlabel-b", True),
        ("ID=id-b", True),
        ("/dev/sdb1", True),
        ("/dev/sda1", False),
        ("/dev/vg/tank", True),
        ("/dev/disk/by-uuid/uuid-b", True),
        ("/dev/disk/by-uuid/uuid-a", False),
        ("/dev/disk/by-uuid/not-there", False),
        ("/dev/not-there", None),
        ("nas:/export", False),
        ("tank/pbs", False),
    ],
)
def test_sources_of_a_disk(disks, source, expected):
    assert matches(disks, source) is expected


def test_without_links_nobody_can_tell(mount_host):
    assert matches(mount_host, "UUID=uuid-b") is None
    assert matches(mount_host, "/dev/sdb1") is None


@pytest.mark.root
def test_links_that_say_nothing_about_our_device(mount_host):
    mount_host.device("sdb1", "8:17")
    (mount_host.dev / "disk" / "by-uuid").mkdir(parents=True)
    assert matches(mount_host, "UUID=x") is None


@pytest.mark.root
def test_every_device_of_a_btrfs_stands_for_it(disks):
    env = disks.environment("1 0 0:30 / / rw - btrfs /dev/sda1 rw,subvol=/")
    assert matches(disks, "UUID=uuid-b", mount="/", env=env) is False
    for name, number in (("sda1", "8:1"), ("sdb1", "8:17")):
        directory = disks.directory / "sys" / "fs" / "btrfs" / "0a1b" / "devices" / name
        directory.mkdir(parents=True)
        (directory / "dev").write_text(number + "\n")
    assert matches(disks, "UUID=uuid-b", mount="/", env=env) is True
    assert matches(disks, "/dev/sda1", mount="/", env=env) is True


NFS = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:44 / /mnt/tank rw - nfs4 nas:/export/pbs rw,hard")
CIFS = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:45 / /mnt/tank rw - cifs //nas/share rw")
FUSE = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:46 / /mnt/tank rw - fuse.s3fs s3fs rw")
TMPFS = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:47 / /mnt/tank rw - tmpfs tmpfs rw")
ZFS = ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:48 / /mnt/tank rw - zfs tank/pbs rw")


@pytest.mark.parametrize(
    ("table", "source", "fstype", "expected"),
    [
        (NFS, "nas:/export/pbs", "nfs", True),
        (NFS, "nas:/export/pbs/", "nfs4", True),
        (NFS, "nas:/export/other", "nfs", False),
        (NFS, "10.0.0.1:/export/pbs", "nfs", None),
        (CIFS, "//nas/share", "cifs", True),
        (CIFS, "\\\\nas\\share", "cifs", True),
        (CIFS, "//nas/other", "cifs", None),
        (FUSE, "s3fs", "fuse.s3fs", True),
        (FUSE, "bucket", "fuse.s3fs", None),
        (TMPFS, "none", "tmpfs", True),
        (ZFS, "tank/pbs", "zfs", True),
        (ZFS, "tank/other", "zfs", False),
    ],
)
def test_sources_that_are_text(mount_host, table, source, fstype, expected):
    assert matches(mount_host, source, fstype, env=mount_host.environment(*table)) is expected


@pytest.mark.parametrize(
    ("source", "expected"), [("/srv/pbs", True), ("/srv/other", False), ("/mnt/tank", False), ("relative", None)]
)
def test_bind_entries(mount_host, source, expected):
    env = mount_host.environment(*mount_host.MOUNTS, "3 1 8:1 /srv/pbs /mnt/bound rw - ext4 /dev/sda1 rw")
    assert matches(mount_host, source, "none", ["bind"], "/mnt/bound", env) is expected


def test_a_bind_of_something_mounted(mount_host):
    env = mount_host.environment(*mount_host.MOUNTS, "3 1 8:17 /store /mnt/bound rw - ext4 /dev/sdb1 rw")
    assert matches(mount_host, "/mnt/tank/store", "none", ["rbind"], "/mnt/bound", env) is True


# --- real ones --------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_a_real_loop_device_and_its_file(tmp_path, loopfs):
    image = tmp_path / "image"
    mounts.make_image(image, "ext4")
    with mounts.mounted("-o", "loop", image) as path:
        other = loopfs("ext4")
        env = MountEnvironment(systemd=False)
        mount = env.table.find(str(path))
        assert source_matches(mount.source, "ext4", [], mount, env) is True
        assert source_matches(str(image), "ext4", ["loop"], mount, env) is True
        assert source_matches(str(tmp_path / "other"), "ext4", ["loop"], mount, env) is False
        assert source_matches(mount.source, "ext4", [], env.table.find(str(other)), env) is False


@pytest.mark.root
def test_real_btrfs_and_bind(loopfs, bind):
    path = loopfs("btrfs")
    (path / "store").mkdir()
    bound = bind(path / "store")
    env = MountEnvironment(systemd=False)
    mount = env.table.find(str(bound))
    assert source_matches(mount.source, "btrfs", [], mount, env) is True
    assert source_matches(str(path / "store"), "none", ["bind"], mount, env) is True
    assert source_matches(str(path), "none", ["bind"], mount, env) is False
