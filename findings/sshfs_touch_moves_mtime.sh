#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# SFTP has no way to set one time alone. sshfs 3.7.3 turns a touch of the access time alone,
# utimensat(path, {UTIME_NOW, UTIME_OMIT}), into a change of both: the modification time becomes now.
#
# Expected: the modification time stays, as UTIME_OMIT asks. Observed: it becomes the present time.
set -euo pipefail
if [ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ]; then
    echo "this needs root and /dev/fuse" >&2
    exit 2
fi
scratch=$(mktemp -d)
leave() { umount "$scratch/mnt" 2> /dev/null || true; rm -rf --one-file-system "$scratch"; }
trap leave EXIT
cd "$scratch"
apt-get download -q sshfs=3.7.3-1.2~deb12u1 libfuse3-3=3.14.0-4 openssh-sftp-server > log 2>&1 || { cat log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
library=$(dirname "$(find "$PWD/root" -name 'libfuse3.so.3' | head -n 1)")
mkdir below mnt
: > below/file
# In place of ssh: the server itself, on the same machine.
printf '#!/bin/sh\nexec %s\n' "$PWD/root/usr/lib/openssh/sftp-server" > server
chmod 755 server
LD_LIBRARY_PATH=$library root/usr/bin/sshfs -f -o "ssh_command=$PWD/server,cache=no" "localhost:$PWD/below" mnt > log 2>&1 &
for _try in $(seq 100); do mountpoint -q mnt && break; sleep 0.1; done
mountpoint -q mnt || { cat log; exit 2; }
echo "sshfs 3.7.3-1.2~deb12u1"
python3 - mnt/file <<'END'
import ctypes
import os
import sys

path = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


OLD = 978307200  # 2001-01-01
os.utime(path, (OLD, OLD))
times = (Timespec * 2)(Timespec(0, (1 << 30) - 1), Timespec(0, (1 << 30) - 2))
answer = libc.utimensat(-100, os.fsencode(path), times, 0x100)
found = os.stat(path)
print("expected: returns 0, atime becomes now, mtime stays", OLD)
print("observed: returns", answer, "- atime", "now" if found.st_atime > OLD else OLD, "- mtime", "now" if found.st_mtime > OLD else OLD)
sys.exit(0 if answer == 0 and found.st_atime > OLD and found.st_mtime > OLD else 1)
END
