#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# utimensat(path, {UTIME_NOW, UTIME_OMIT}) touches the access time alone. Filesystems that use libfuse 2.9 answer 0, and the
# access time does not move; with both times given it does. libfuse 3 hands the same request on. Shown with unionfs-fuse 1.0;
# bindfs, encfs, exfat-fuse and s3fs of Debian 12 use the same library.
#
# Expected: success and a later access time, or an error. Observed: success, and the access time stays.
set -euo pipefail
if [ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ]; then
    echo "this needs root and /dev/fuse" >&2
    exit 2
fi
scratch=$(mktemp -d)
leave() { umount "$scratch/mnt" 2> /dev/null || true; rm -rf --one-file-system "$scratch"; }
trap leave EXIT
cd "$scratch"
chmod 755 .
apt-get download -q unionfs-fuse=1.0-1+b1 libfuse2=2.9.9-6+b1 > log 2>&1 || { cat log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
library=$(dirname "$(find root -name 'libfuse.so.2' | head -n 1)")
mkdir below mnt
: > below/file
touch -d '2001-01-01' below/file
LD_LIBRARY_PATH=$library root/usr/bin/unionfs-fuse -f -o cow,allow_other below=RW mnt > log 2>&1 &
for _try in $(seq 100); do mountpoint -q mnt && break; sleep 0.1; done
mountpoint -q mnt || { cat log; exit 2; }
echo "unionfs-fuse 1.0-1+b1, libfuse2 2.9.9-6+b1"
python3 - mnt/file <<'END'
import ctypes
import os
import sys

path = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
OMIT, NOW = (1 << 30) - 2, (1 << 30) - 1


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def touch(mtime):
    times = (Timespec * 2)(Timespec(0, NOW), Timespec(0, mtime))
    before = os.stat(path).st_atime_ns
    answer = libc.utimensat(-100, os.fsencode(path), times, 0x100)
    return answer, os.stat(path).st_atime_ns > before


both = touch(NOW)
os.utime(path, (978307200, 978307200))
alone = touch(OMIT)
print("both times to now: returns", both[0], "- the access time moves" if both[1] else "- the access time stays")
print("expected: the access time alone to now: returns 0 and moves, or returns -1")
print("observed: returns", alone[0], "- the access time moves" if alone[1] else "- the access time stays")
sys.exit(0 if both == (0, True) and alone == (0, False) else 1)
END
