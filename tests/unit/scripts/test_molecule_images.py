# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the images of molecule's hosts come from, with an engine that only writes down what it is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# An image is a file that holds its label; a registry answers where the file `registry` is.
ENGINE = """#!/bin/sh
echo "$@" >> "$STATE/calls"
for last; do :; done
file() { printf '%s/%s' "$STATE" "$(printf '%s' "$1" | tr /: __)"; }
case $1 in
    pull) [ -e "$STATE/registry" ] ;;
    image) cat "$(file "$last")" 2> /dev/null ;;
    import) echo > "$(file "$last")" ;;
    build)
        while [ $# -gt 1 ]; do
            case $1 in --label) label=${2#recipe=} ;; --tag) tag=$2 ;; esac
            shift
        done
        echo "$label" > "$(file "$tag")" ;;
esac
"""
MMDEBSTRAP = """#!/bin/sh
echo "mmdebstrap $@" >> "$STATE/calls"
"""
ID = """#!/bin/sh
echo "$WHO"
"""
APT_GET = """#!/bin/sh
echo 'Other http://other.test/'
echo 'Debian http://mirror.test/debian-security/'
echo 'Debian http://mirror.test/debian/'
"""


class Machine:
    def __init__(self, path: Path) -> None:
        self.state = path / "state"
        self.state.mkdir()
        self.programs = path / "bin"
        self.programs.mkdir()
        for name, text in (("podman", ENGINE), ("mmdebstrap", MMDEBSTRAP), ("id", ID), ("apt-get", APT_GET)):
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def make(self, *arguments: str, uid: int = 0) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.programs), os.environ["PATH"]])
        env = {"PATH": path, "STATE": str(self.state), "WHO": str(uid), "MOLECULE_ENGINE": "podman"}
        argv = [str(ROOT / "scripts/molecule_images"), *arguments]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def calls(self, *verbs: str) -> list[str]:
        """What was asked since the last time, of these verbs."""
        file = self.state / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if line.split()[0] in verbs]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def base(call: str) -> str:
    return next(word for word in call.split() if word.startswith("BASE="))


def test_the_base_comes_from_a_registry(machine: Machine) -> None:
    (machine.state / "registry").touch()
    done = machine.make("12", "13")
    assert (done.returncode, done.stdout) == (0, "")
    calls = machine.calls("pull", "import", "build", "mmdebstrap")
    assert [call.split()[0] for call in calls] == ["pull", "build"] * 2
    assert [base(call) for call in calls if call.startswith("build")] == [
        "BASE=docker.io/library/debian:12",
        "BASE=docker.io/library/debian:13",
    ]


def test_without_a_registry_it_is_made_from_packages_of_the_own_mirror(machine: Machine) -> None:
    done = machine.make("13")
    assert done.returncode == 0, done.stderr
    made, imported, built = machine.calls("import", "build", "mmdebstrap")
    assert made.split()[-1] == "http://mirror.test/debian/"
    assert " trixie " in made
    assert imported.endswith(" localhost/fleetops-pbs/base:13")
    assert base(built) == "BASE=localhost/fleetops-pbs/base:13"
    assert "--tag localhost/fleetops-pbs/host:13" in built


def test_what_is_there_is_not_made_again(machine: Machine) -> None:
    assert machine.make("12").returncode == 0
    machine.calls()
    assert machine.make("12").returncode == 0
    assert machine.calls("pull", "import", "build", "mmdebstrap") == []
    # Of an image whose recipe was another one, the base is still good.
    (machine.state / "localhost_fleetops-pbs_host_12").write_text("another\n")
    assert machine.make("--packages", "12").returncode == 0
    assert [call.split()[0] for call in machine.calls("pull", "import", "build", "mmdebstrap")] == ["build"]


def test_who_cannot_make_it_is_told_why(machine: Machine) -> None:
    done = machine.make("13", uid=1000)
    assert done.returncode == 1
    assert "no registry can be reached, and to make Debian 13 from packages takes root" in done.stderr
    machine.program("mmdebstrap", "#!/bin/sh\necho no mirror >&2\nexit 25\n")
    done = machine.make("13")
    assert done.returncode == 1
    assert "no mirror" in done.stderr
    assert machine.calls("build") == []


@pytest.mark.parametrize("arguments", [(), ("--packages",)])
def test_without_a_release_it_says_how_it_is_called(machine: Machine, arguments: tuple[str, ...]) -> None:
    done = machine.make(*arguments)
    assert done.returncode == 2
    assert "usage: scripts/molecule_images" in done.stderr
    assert machine.make("11").returncode == 1
