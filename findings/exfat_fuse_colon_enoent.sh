#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A colon is not allowed in names on exFAT. The kernel's driver answers EINVAL for such a name; exfat-fuse 1.3.0 answers
# ENOENT, as if the directory did not exist. Names of backup snapshots hold colons (2026-01-01T00:00:00Z).
#
# Expected: EINVAL. Observed: ENOENT.
set -euo pipefail
if [ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ]; then
    echo "this needs root and /dev/fuse" >&2
    exit 2
fi
scratch=$(mktemp -d)
loop=
leave() {
    umount "$scratch/mnt" 2> /dev/null || true
    [ -z "$loop" ] || losetup -d "$loop"
    rm -rf --one-file-system "$scratch"
}
trap leave EXIT
cd "$scratch"
apt-get download -q exfat-fuse=1.3.0+git20220115-2 exfatprogs=1.2.0-1+deb12u1 libfuse2=2.9.9-6+b1 > log 2>&1 || { cat log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
library=$(dirname "$(find "$PWD/root" -name 'libfuse.so.2' | head -n 1)")
truncate -s 64M image
"$(find root -name mkfs.exfat | head -n 1)" image > log 2>&1 || { cat log; exit 2; }
mkdir mnt
loop=$(losetup -f --show image)
LD_LIBRARY_PATH=$library "$(find root -name mount.exfat-fuse | head -n 1)" -d "$loop" mnt > log 2>&1 &
for _try in $(seq 100); do mountpoint -q mnt && break; sleep 0.1; done
mountpoint -q mnt || { cat log; exit 2; }
echo "exfat-fuse 1.3.0+git20220115-2"
python3 - mnt <<'END'
import errno
import os
import sys

os.mkdir(os.path.join(sys.argv[1], "2026-01-01T000000Z"))
print("expected: EINVAL for a directory named 2026-01-01T00:00:00Z")
try:
    os.mkdir(os.path.join(sys.argv[1], "2026-01-01T00:00:00Z"))
except OSError as exc:
    print("observed:", errno.errorcode[exc.errno])
    sys.exit(0 if exc.errno == errno.ENOENT else 1)
print("observed: it was made")
sys.exit(1)
END
