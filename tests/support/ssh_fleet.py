# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are reached with a real ssh over a real network, which a test can cut.

Each host is an sshd in a network namespace of its own, with a wire to the controller's namespace. Both see this
machine's files, so that a test sees what happens on them. Nothing of it is seen from outside of the namespaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import die_with_parent
from ansible_collections.fleetops.pbs.tests.support import ansible_run, namespaces
from ansible_collections.fleetops.pbs.tests.support.faults import FaultyMount
from ansible_collections.fleetops.pbs.tests.support.machine import Unsupported
from ansible_collections.fleetops.pbs.tests.support.mounts import SBIN, run
from ansible_collections.fleetops.pbs.tests.support.processes import Nursery, Process, nursery
from ansible_collections.fleetops.pbs.tests.support.waiting import until

PORT = 2222
PRIVILEGE_SEPARATION = Path("/run/sshd")

# How OpenSSH names the process of a connection: since version 9.8 it is a program of its own.
_SESSIONS = ("sshd: root", "sshd-session: root")

_SSHD = """\
Port {port}
ListenAddress {address}
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


class Host:
    """One host. directory: where Ansible keeps its things there, and `jobs` among them. nursery: its processes."""

    def __init__(self, name: str, number: int, space: int, directory: Path) -> None:
        self.name = name
        self.address = f"10.99.{number}.2"
        self.directory = directory
        self.jobs = directory / "jobs"
        self.nursery: Nursery
        self._space = space

    def variables(self) -> dict[str, Any]:
        """For the inventory."""
        return {
            "ansible_host": self.address,
            "ansible_async_dir": str(self.jobs),
            "ansible_remote_tmp": str(self.directory / "tmp"),
        }

    def sessions(self) -> list[Process]:
        """The sshd processes of connections; the one that listens is not among them."""
        return [process for process in self.nursery.processes() if process.command.startswith(_SESSIONS)]

    def strangers(self) -> list[Process]:
        """Processes that are neither the sshd that listens nor a connection."""
        return [process for process in self.nursery.processes() if "sshd" not in process.command]

    def cut_wire(self) -> None:
        """From now on no packet arrives; nobody is told."""
        within(self._space, "ip", "link", "set", "eth0", "down")

    def reconnect(self) -> None:
        within(self._space, "ip", "link", "set", "eth0", "up")


class Fleet:
    """Hosts, and the machine that Ansible runs on."""

    def __init__(self, hosts: list[Host], space: int, directory: Path) -> None:
        self.hosts = hosts
        self.output = directory / "output"
        self._space = space
        self._directory = directory

    @contextlib.contextmanager
    def playbook(self, playbook: Path, variables: Mapping[str, Mapping[str, Any]]) -> Iterator[Nursery]:
        """Run a playbook for all hosts, with `variables` of each, until the end of the block at the latest."""
        common = {
            "ansible_user": "root",
            "ansible_port": PORT,
            "ansible_python_interpreter": sys.executable,
            "ansible_ssh_private_key_file": str(self._directory / "user"),
        }
        hosts = {host.name: {**common, **host.variables(), **variables[host.name]} for host in self.hosts}
        inventory = self._directory / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        (self._directory / "ansible.cfg").touch()
        self.output.unlink(missing_ok=True)
        env = ansible_run._environment(
            str(self._directory),
            {
                "ANSIBLE_STDOUT_CALLBACK": "default",
                # Output is seen when it is written, as on a terminal.
                "PYTHONUNBUFFERED": "1",
                "ANSIBLE_HOST_KEY_CHECKING": "False",
                "ANSIBLE_TIMEOUT": "3",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._directory / "cp"),
                # Nothing of this machine's ssh; a connection that is cut is noticed after three seconds.
                "ANSIBLE_SSH_ARGS": "-F /dev/null -o ControlMaster=auto -o ControlPersist=30s "
                "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
                "-o ServerAliveInterval=1 -o ServerAliveCountMax=3",
            },
        )
        argv = [*_in_space(self._space), sys.executable, "-m", "ansible", "playbook", "-i", str(inventory)]
        with nursery([*argv, str(playbook)], env, self.output) as run_of_ansible:
            yield run_of_ansible

    def said(self) -> str:
        """What ansible-playbook has said so far."""
        return self.output.read_text() if self.output.exists() else ""

    def recap(self) -> dict[str, dict[str, int]]:
        """The numbers of each host at the end of a run."""
        found = {}
        for line in self.said().partition("PLAY RECAP")[2].splitlines()[1:]:
            name, colon, numbers = line.partition(":")
            if colon:
                words = (word.split("=") for word in numbers.split())
                found[name.strip()] = {key: int(number) for key, number in words}
        return found


def ssh_clients(controller: Nursery) -> list[Process]:
    """The ssh processes of a run of Ansible, those in the background that keep connections open among them."""
    return [process for process in controller.processes() if process.command.split(" ")[0] in ("ssh", "ssh:", "sftp")]


def kill(processes: Sequence[Process]) -> None:
    """SIGKILL for each of them."""
    assert processes, "nobody to kill"
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def hold_work(hosts: Sequence[Host], links: FaultyMount) -> dict[str, int]:
    """Stop the work of a long run on each host, as if its datastore were large; its process ids, by host.

    The way to the datastores leads through `links`, which hangs (`hang:/`) from before the run began, so that no work
    can be over before it is found; it answers again afterwards.
    """

    found: dict[str, int] = {}

    def begun() -> bool:
        found.update({host.name: pid for host in hosts if (pid := _work(host))})
        return len(found) == len(hosts)

    def there() -> dict[str, list[Process]]:
        return {host.name: host.nursery.processes() for host in hosts}

    until(begun, lambda: f"the work has begun everywhere: {there()}")
    for pid in found.values():
        os.kill(pid, signal.SIGSTOP)
    links.set("ok")
    return found


def _work(host: Host) -> int | None:
    """The process that does the work of a long run on this host, if it has begun."""
    named = {process.pid: process for process in host.nursery.processes()}
    for path in host.jobs.glob("j*.pbs"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(path.read_text())["worker"].split("-")[1])
            # First the file names the module, which was begun by a shell; who minds the work is a copy of it.
            if named[named[pid].parent].command == named[pid].command:
                return pid
    return None


def _in_space(holder: int) -> list[str]:
    return ["nsenter", f"--net=/proc/{holder}/ns/net"]


def within(holder: int, *argv: str) -> None:
    """Run a program of the system in a network namespace."""
    run(*_in_space(holder), *argv)


@contextlib.contextmanager
def network_namespace() -> Iterator[int]:
    """A network namespace with nothing in it; the process that keeps it."""
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            die_with_parent(signal.SIGKILL)
            namespaces.unshare(namespaces.CLONE_NEWNET)
            os.write(writer, b"!")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    try:
        os.close(writer)
        if not os.read(reader, 1):
            raise Unsupported("kernel without network namespaces")
        within(holder, "ip", "link", "set", "lo", "up")
        yield holder
    finally:
        os.close(reader)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


@contextlib.contextmanager
def _privilege_separation() -> Iterator[None]:
    """The empty directory that sshd wants; a service makes it where sshd is one."""
    if PRIVILEGE_SEPARATION.exists():
        yield
        return
    PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            PRIVILEGE_SEPARATION.rmdir()


def _answers(holder: int, address: str) -> bool:
    """Whether somebody listens there, seen from a namespace."""
    try:
        within(holder, sys.executable, "-c", f"import socket; socket.create_connection(('{address}', {PORT}), 1)")
    except RuntimeError:
        return False
    return True


@contextlib.contextmanager
def ssh_fleet(directory: Path, count: int) -> Iterator[Fleet]:
    """`count` hosts, with everything they need in `directory`; its path must be short (ssh's sockets are in it)."""
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + SBIN)
    if sshd is None:
        raise Unsupported("sshd is not installed")
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", directory / name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_privilege_separation())
        controller = stack.enter_context(network_namespace())
        hosts = []
        for number in range(1, count + 1):
            space = stack.enter_context(network_namespace())
            host = Host(f"pbs{number}", number, space, directory / f"pbs{number}")
            host.jobs.mkdir(parents=True)
            wire = ["ip", "link", "add", f"wire{number}", "netns", str(controller), "type", "veth", "peer"]
            run(*wire, "name", "eth0", "netns", str(space))
            for holder, device, end in ((controller, f"wire{number}", 1), (space, "eth0", 2)):
                within(holder, "ip", "address", "add", f"10.99.{number}.{end}/24", "dev", device)
                within(holder, "ip", "link", "set", device, "up")
            config = host.directory / "sshd_config"
            config.write_text(_SSHD.format(port=PORT, address=host.address, keys=directory))
            argv = [*_in_space(space), sshd, "-D", "-e", "-f", str(config)]
            host.nursery = stack.enter_context(nursery(argv, output=host.directory / "sshd.log"))
            hosts.append(host)
        for host in hosts:
            until(lambda host=host: _answers(controller, host.address), f"sshd of {host.name} answers")
        yield Fleet(hosts, controller, directory)
