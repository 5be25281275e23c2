# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes single collections out of the `ansible` package, without installing it.

usage: unpack_collections.py REQUIREMENTS DIRECTORY

REQUIREMENTS holds lines as `ansible==12.3.0  # ansible.posix other.collection`; they are put under
DIRECTORY/ansible_collections. pip does the download, so its configuration applies.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def unpack(requirement: str, names: list[str], target: Path) -> None:
    """Put the collections `names` of the wheel `requirement` into `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", scratch, requirement]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = archive.namelist()
            for name in names:
                prefix = f"ansible_collections/{name.replace('.', '/')}/"
                chosen = [member for member in members if member.startswith(prefix)]
                if not chosen:
                    sys.exit(f"{requirement} holds no collection {name}")
                archive.extractall(target, chosen)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for line in Path(sys.argv[1]).read_text().splitlines():
        requirement, names = line.partition("#")[::2]
        if requirement.strip():
            unpack(requirement.strip(), names.split(), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
