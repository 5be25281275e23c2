# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module datastore with a bucket, and with a removable disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import Action, datastore, four_times

pytestmark = pytest.mark.root

UUID = "0a1b2c3d-0000-4000-8000-0000000000aa"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host", version="4.2.3-1", prefixes=16)
    (host.etc / "s3.cfg").write_text("s3-endpoint: aws\n\taccess-key k\n\tendpoint localhost\n\tsecret-key s\n")
    (host.run / "bucket-cold").touch()
    return host


@pytest.fixture
def usb(tmp_path: Path, tmpfs: Callable[..., Path]) -> Iterator[str]:
    """A disk with a filesystem of that UUID, which PBS may mount below /mnt."""
    tmpfs("size=1m,mode=755", point=Path("/mnt"))
    image = tmp_path / "usb.ext4"
    mounts.make_image(image, "ext4", mkfs=["-U", UUID, "-m", "0"], size=32 * mounts.MIB)
    device = mounts.run("losetup", "--find", "--show", image).strip()
    yield device
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4])
        if Path("/mnt/datastore") in point.parents:
            mounts.unmount(point)
    mounts.run("losetup", "--detach", device)


def refusal(action: Action, check: bool = False) -> str:
    with pytest.raises(CollectionError) as caught:
        action(check)
    return str(caught.value)


# --- S3 ---


def s3(host: FakeHost, path: Path, bucket: str = "cold", client: str = "aws", **options: Any) -> Action:
    backend = {"type": "s3", "client": client, "bucket": bucket, "max_cache_size": None}
    return datastore(host, name="cold", path=str(path), backend=backend, probe="none", **options)


def test_a_datastore_in_a_bucket(host: FakeHost, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = four_times(host, s3(host, cache))
    assert done["commands"][0][4:] == [str(cache), "--backend", "s3,bucket=cold,client=aws"]
    four_times(host, s3(host, cache, comment="x"))
    assert "has the backend" in refusal(s3(host, cache, bucket="hot"))
    four_times(host, datastore(host, name="cold", state="absent"))
    # The cache is still there: only the user knows whether the bucket is to be adopted.
    message = refusal(s3(host, cache))
    assert f"There is a chunk store at {cache}" in message
    assert "overwrite_in_use: true" in message
    done = four_times(host, s3(host, cache, reuse=True, overwrite_in_use=True))
    assert done["commands"][0][-4:] == ["--reuse-datastore", "true", "--overwrite-in-use", "true"]


def test_what_is_wrong_with_a_bucket(host: FakeHost, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert "backend.client: there is no S3 endpoint 'nope' on this host" in refusal(s3(host, cache, client="nope"))
    check = s3(host, cache, client="nope")(True)
    assert check["changed"]
    assert "there is no S3 endpoint 'nope' yet" in check["warnings"]
    assert "bucket does not exist or no permission to access it" in refusal(s3(host, cache, bucket="other"))
    assert "missing option bucket" in refusal(
        datastore(host, name="cold", path=str(cache), backend={"type": "s3", "client": "aws"})
    )
    assert not cache.exists()
    host.daemons("none")
    assert "PBS's daemons do not answer" in refusal(s3(host, cache))
    host.configure(version="3.4.2-1")
    assert "backend requires PBS 4.0.4 or later" in refusal(s3(host, cache))


# --- removable ---


def removable(host: FakeHost, **options: Any) -> Action:
    return datastore(host, name="usb", path="store", backing_device=UUID, **options)


def test_a_removable_datastore(host: FakeHost, usb: str) -> None:
    point = Path("/mnt/datastore/usb")
    four_times(host, removable(host, gc_on_unmount=True, mounted=True))
    assert os.path.ismount(point)
    unmounted = four_times(host, datastore(host, name="usb", mounted=False))
    assert (unmounted["decision"], os.path.ismount(point)) == ("unmount", False)
    assert unmounted["commands"] == [[str(host.manager), "datastore", "unmount", "usb"]]
    assert unmounted["msg"] == "Datastore 'usb' was unmounted."
    four_times(host, datastore(host, name="usb", comment="no disk is needed for this"))
    both = four_times(host, datastore(host, name="usb", comment="both", mounted=True))
    assert (both["decision"], both["msg"]) == ("update", "Datastore 'usb' was changed. It was mounted.")
    assert any("bind mount 'usb'(store)" in line for line in both["log"])
    assert os.path.ismount(point)
    four_times(host, datastore(host, name="usb", state="absent"))
    assert not os.path.ismount(point)
    done = four_times(host, removable(host, reuse=True, mounted=False))
    assert done["commands"][-1][1:] == ["datastore", "unmount", "usb"]
    assert not os.path.ismount(point)


def test_what_is_wrong_with_a_mount(host: FakeHost, usb: str, tmp_path: Path) -> None:
    (host.etc / "datastore.cfg").write_text(
        f"datastore: tank\n\tpath {tmp_path}/tank\n\ndatastore: usb\n\tbacking-device {UUID}\n\tpath store\n\n"
        "datastore: gone\n\tbacking-device 99999999-2222-4333-8444-0000000000bb\n\tpath store\n"
    )
    assert "has no backing device" in refusal(datastore(host, name="tank", mounted=True))
    assert "only removable datastores" in refusal(datastore(host, name="new", path=str(tmp_path / "new"), mounted=True))
    assert "valid only with state: present" in refusal(datastore(host, name="usb", state="absent", mounted=False))
    assert "can't find UUID=99999999-2222-4333-8444-0000000000bb" in refusal(datastore(host, name="gone", mounted=True))
    datastore(host, name="usb", mounted=True)(False)
    in_use = [{"pid": os.getpid(), "active_operations": {"read": 1, "write": 0}}]
    (host.run / "active-operations" / "usb").write_text(json.dumps(in_use))
    assert "is in use (1 reading, 0 writing operations)" in refusal(datastore(host, name="usb", mounted=False))
    (host.run / "active-operations" / "usb").unlink()
    host.daemons("api")
    assert "PBS's daemons do not answer" in refusal(datastore(host, name="usb", mounted=False))
    assert os.path.ismount("/mnt/datastore/usb")
