# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create a disk image on a host: empty, or with a datastore as PBS creates it.

usage: make_disk.py IMAGE FSTYPE [CHUNKS]      (ext4 or xfs; with CHUNKS a whole chunk store and a snapshot)

A chunk store has 65,536 directories, so it is created once for all hosts, in /srv/shared, and then copied.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, "/opt/support")
from pbs import store as stores

SHARED = Path("/srv/shared")
# Small blocks, because mostly directories fill the disk.
MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-b", "1024", "-N", "80000", "-m", "0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
SIZE = 512 * 2**20


def make(image: Path, fstype: str) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run([*MKFS[fstype], os.fspath(image)], check=True)


def fill(image: Path, chunks: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["mount", "-o", "loop", os.fspath(image), name], check=True)
        try:
            store = stores.make_chunk_store(Path(name), chunks=chunks)
            store.add_snapshot("vm/100")
        finally:
            subprocess.run(["umount", name], check=True)


def main() -> None:
    if len(sys.argv) not in (3, 4) or sys.argv[2] not in MKFS:
        sys.exit(__doc__)
    image, fstype = Path(sys.argv[1]), sys.argv[2]
    if image.exists():
        return
    if len(sys.argv) == 3:
        make(image, fstype)
        return
    chunks = int(sys.argv[3])
    template = SHARED / f"{fstype}-{chunks}.img"
    with (SHARED / f"{template.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            scratch = template.with_suffix(".part")
            make(scratch, fstype)
            fill(scratch, chunks)
            scratch.rename(template)
    image.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--sparse=always", os.fspath(template), os.fspath(image)], check=True)
    if fstype == "xfs":
        # All hosts share one kernel, which refuses to mount two xfs filesystems with the same UUID.
        subprocess.run(["xfs_admin", "-U", "generate", os.fspath(image)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
