# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-test on this checkout, as `scripts/run_ansible_test.py sanity --test pep8`: `make sanity ansible-units`.

ansible-test wants the collection at a real path that ends in ansible_collections/fleetops/pbs, so it gets a copy of
what git knows or would add. It keeps environments for later runs under its home, which is .cache here: the user's own
is not touched. Packages come from the index that pip is configured for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_collections.fleetops.pbs.tests.support.machine import pythons

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".cache" / "ansible-test"
GET_PIP = ROOT / "scripts" / "get_pip.py"

# The units that need no root, no filesystem of their own and no package but those of tests/unit/requirements.txt. The
# others run in `make pytest` only, which runs these too: there on the controller's Python, here on the managed hosts'.
PURE = ROOT / "tests" / "unit" / "plugins" / "module_utils"
PURE_UNITS = (
    "_judge/",
    "_pbs/",
    "_observe/mounts/test_fstab.py",
    "_observe/host/test_idmap.py",
    "_observe/jobs/test_job_state.py",
    "_observe/mounts/test_mount_text.py",
    "_observe/mounts/test_mountinfo.py",
    "_observe/host/test_version.py",
    "_system/test_text.py",
)


def copy_tree(target: Path) -> None:
    """Copy what is part of the project, committed or not."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout.split(b"\0")
    for name in map(os.fsdecode, filter(None, names)):
        source = ROOT / name
        if source.is_symlink() or source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def prepare_home() -> None:
    """ansible-test's home: pip's bootstrap without its download host, and the user's configuration of pip."""
    import ansible_test

    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    versions = Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py"
    for version in set(re.findall(r"pip='([0-9.]+)'", versions.read_text())):
        shutil.copyfile(GET_PIP, cache / f"get_pip_{version.replace('.', '_')}.py")
    for name in (".config/pip", ".pip"):
        theirs, ours = Path.home() / name, HOME / name
        if theirs.is_dir() and not ours.is_symlink():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs)


def search_path(found: dict[str, Path]) -> str:
    """PATH with the directories of the interpreters themselves, and without version managers' stand-ins for them."""
    print("ansible-test: Python", ", ".join(found), flush=True)
    directories = [Path(sys.executable).parent]
    directories += [Path(name) for name in os.environ["PATH"].split(os.pathsep) if not name.endswith("/shims")]
    directories += [python.parent for python in found.values()]
    return os.pathsep.join(dict.fromkeys(map(str, directories)))


def units(found: dict[str, Path]) -> list[str]:
    """Arguments for the pure units on the oldest and the newest Python of managed hosts that is here, each by itself."""
    versions = dict.fromkeys((next(iter(found)), next(reversed(found))))
    targets = [str(PURE.relative_to(ROOT) / name) + "/" * name.endswith("/") for name in PURE_UNITS]
    return ["units", "--requirements", *(f"--target-python=venv/{version}" for version in versions), *targets]


def main() -> int:
    arguments = sys.argv[1:] or ["sanity"]
    found = pythons()
    prepare_home()
    env = {**os.environ, "HOME": str(HOME), "PATH": search_path(found)}
    if arguments == ["units"]:
        arguments = units(found)
    # It finds the collection by its place, and must not find this checkout beside it.
    for name in ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH"):
        env.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-") as scratch:
        tree = Path(scratch, "ansible_collections", "fleetops", "pbs")
        copy_tree(tree)
        argv = [str(Path(sys.executable).with_name("ansible-test")), *arguments]
        code = subprocess.run(argv, cwd=tree, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    print(f"ansible-test: {'passed' if code == 0 else f'FAILED, exit {code}'}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
