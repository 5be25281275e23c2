# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts pip into an empty virtual environment, in the place of the get-pip script that ansible-test would download.

ansible-test runs it by that script's name and with pip's own arguments. The pip of this interpreter's
ensurepip fetches the requested version from the index that pip is configured for.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys
from pathlib import Path

# CPython's own place, and where Debian puts it, for its own interpreter only.
PLACES = (Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels"))
# Options of get-pip that pip does not have.
FOREIGN = ("--no-setuptools", "--no-wheel")


def main() -> int:
    wheels = [wheel for place in PLACES for wheel in sorted(place.glob("pip-*.whl"))]
    if not wheels:
        sys.exit(f"{sys.executable} carries no pip (Debian: apt-get install python3-venv)")
    env = dict(os.environ, PYTHONPATH=str(wheels[0]))
    env.pop("GET_PIP", None)  # ansible-test's sign that this file is to be run
    arguments = [argument for argument in sys.argv[1:] if argument not in FOREIGN]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--force-reinstall", *arguments]
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
