#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# fuse2fs 1.47.0 mounts ext4 in user space. With inodes of 256 bytes ext4 keeps nanoseconds. fuse2fs writes them, but its
# stat() returns whole seconds, so a file looks older through the mount than it is on the disk.
#
# Expected: stat() returns what the disk holds. Observed: the nanoseconds are 0.
set -euo pipefail
if [ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ]; then
    echo "this needs root and /dev/fuse" >&2
    exit 2
fi
scratch=$(mktemp -d)
leave() { umount "$scratch/mnt" 2> /dev/null || true; rm -rf --one-file-system "$scratch"; }
trap leave EXIT
cd "$scratch"
apt-get download -q fuse2fs=1.47.0-2+b2 libfuse2=2.9.9-6+b1 > log 2>&1 || { cat log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
library=$(dirname "$(find "$PWD/root" -name 'libfuse.so.2' | head -n 1)")
truncate -s 64M image
mkfs.ext4 -q -I 256 image
mkdir mnt
LD_LIBRARY_PATH=$library "$(find root -name fuse2fs -type f | head -n 1)" -f -o rw image mnt > log 2>&1 &
for _try in $(seq 100); do mountpoint -q mnt && break; sleep 0.1; done
mountpoint -q mnt || { cat log; exit 2; }
: > mnt/file
touch -d '2001-01-01T00:00:00.123456789Z' mnt/file
seen=$(stat -c %X.%x mnt/file | sed 's/.*\.\([0-9]\{9\}\).*/\1/')
umount mnt
wait
disk=$(debugfs -R 'stat /file' image 2> /dev/null | sed -n 's/.*atime: 0x[0-9a-f]*:\([0-9a-f]*\).*/\1/p')
echo "fuse2fs 1.47.0-2+b2"
echo "expected: the nanoseconds of stat() are 123456789, as set"
echo "observed: stat() $seen, on the disk $((0x$disk >> 2))"
[ "$seen" = 000000000 ] && [ "$((0x$disk >> 2))" -eq 123456789 ]
