# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated fleet on this machine: each host a Proxmox Backup Server as far as a preflight can see.

Every host has namespaces, a root directory, an ssh server and a datastore of its own, on an ext4 of its own. All of it
lives in a private network, and ends with the process that made it. Without an ssh server on this machine
the hosts have datastores only, and are reached by the connection `local`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import die_with_parent
from ansible_collections.fleetops.pbs.tests.support import mounts, namespaces
from ansible_collections.fleetops.pbs.tests.support.pbs import store as stores

CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PORT = 22
PATIENCE = 60.0
"""Seconds that an ssh server has to answer."""

# An empty directory fits into its inode, and a whole chunk store into 21 MB.
STORE_MKFS = ["-b", "1024", "-O", "inline_data,^has_journal", "-I", "256", "-N", "80000", "-m", "0"]
STORE_SIZE = 512 * mounts.MIB
CHUNKS = 64
STORE = "/mnt/datastore/tank"

CONFIGURATION = {
    "datastore.cfg": f"datastore: tank\n\tpath {STORE}\n\tgc-schedule daily\n",
    "prune.cfg": "prune: tank-daily\n\tschedule daily\n\tstore tank\n\tkeep-daily 14\n",
    "verification.cfg": "verification: tank-weekly\n\tschedule sun 05:00\n\tstore tank\n\toutdated-after 30\n",
}
PACKAGE = """
Package: proxmox-backup-server
Status: install ok installed
Priority: optional
Section: admin
Installed-Size: 1
Maintainer: nobody
Architecture: all
Version: 4.2.0-1
Description: stands for the server on a simulated host
"""


@dataclasses.dataclass
class Host:
    name: str
    address: str
    directory: Path
    image: Path
    pid: int = 0
    """The process that ends with the host, and the host with it; 0 without namespaces."""


@dataclasses.dataclass
class Fleet:
    hosts: list[Host]
    directory: Path
    connection: str
    """`ssh` or `local`."""
    python: str
    """The interpreter of the hosts."""

    def inventory(self, **variables: Any) -> Path:
        """Write the inventory, with these variables for all hosts, and return its path."""
        shared: dict[str, Any] = {"ansible_connection": self.connection, "ansible_python_interpreter": self.python}
        if self.connection == "ssh":
            shared["ansible_user"] = "root"
            shared["ansible_ssh_common_args"] = " ".join(self.ssh_options())
        shared.update(variables)
        hosts = {host.name: self._variables(host) for host in self.hosts}
        path = self.directory / "inventory.json"
        path.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}))
        return path

    def ssh_options(self) -> list[str]:
        """What ssh has to be told to reach a host, and nothing of the caller's own settings."""
        settings = {"UserKnownHostsFile": self.directory / "known_hosts", "IdentitiesOnly": "yes"}
        words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return ["-F", os.devnull, "-i", os.fspath(self.directory / "key"), *words]

    def _variables(self, host: Host) -> dict[str, Any]:
        if self.connection == "ssh":
            return {"ansible_host": host.address}
        etc = host.directory / "etc/proxmox-backup"
        return {
            "preflight_config_dir": os.fspath(etc),
            "ansible_remote_tmp": os.fspath(host.directory / "tmp"),
        }

    def processor_seconds(self) -> float:
        """What all processes of all hosts have used up to now, those that have ended included."""
        ticks = sum(_ticks(pid) for host in self.hosts if host.pid for pid in _family(host.pid))
        return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, and both of the children that were waited for


# --- making it ---------------------------------------------------------------------------------------------------------


def managed_python() -> str:
    """The system's interpreter, as on a real server; else our own."""
    for candidate in ("/usr/bin/python3", sys.executable):
        done = subprocess.run([candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"], check=False)
        if done.returncode == 0:
            return candidate
    raise RuntimeError("no interpreter for the hosts was found")


def sshd() -> str | None:
    """The ssh server of this machine; None where one or the programs around it are missing."""
    path = os.environ.get("PATH", "") + mounts.SBIN
    found = [shutil.which(program, path=path) for program in ("sshd", "ssh", "ssh-keygen")]
    return os.path.realpath(found[0]) if found[0] and all(found) else None


def enclose() -> None:
    """Give this process a mount and a network namespace of its own, with nothing but a loopback in it."""
    namespaces.private_mounts()
    namespaces.unshare(CLONE_NEWNET)
    up, loopback = 0x1, b"lo"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", loopback, up))  # SIOCSIFFLAGS


def template(directory: Path) -> Path:
    """An image of an ext4 with a whole chunk store; every host gets a copy."""
    image = directory / "store.ext4"
    mounts.make_image(image, "ext4", mkfs=STORE_MKFS, size=STORE_SIZE)
    with mounts.mounted("-o", "loop", image) as path:
        stores.make_chunk_store(path, chunks=CHUNKS)
    return image


@contextlib.contextmanager
def fleet(count: int, directory: Path, connection: str) -> Iterator[Fleet]:
    """So many hosts, up and answering; gone at the end. Call `enclose` before. Needs root."""
    store = template(directory)
    made = Fleet([], directory, connection, managed_python())
    if connection == "ssh":
        _keys(directory)
    with contextlib.ExitStack() as stack:
        for number in range(1, count + 1):
            host = Host(
                name=f"pbs{number:03}",
                # Every address of 127.0.0.0/8 is this machine's own.
                address=f"127.{100 + number // 65536}.{number // 256 % 256}.{number % 256}",
                directory=directory / f"pbs{number:03}",
                image=directory / f"pbs{number:03}.ext4",
            )
            mounts.run("cp", "--sparse=always", "--reflink=auto", store, host.image)
            stack.callback(host.image.unlink)
            made.hosts.append(host)
            if connection == "ssh":
                host.pid = _boot(host)
                stack.callback(_end, host)
            else:
                stack.enter_context(_local(host))
        if connection == "ssh":
            for host in made.hosts:
                _await_answer(host)
        yield made


def _keys(directory: Path) -> None:
    for name in ("key", "host_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", directory / name], check=True
        )
    (directory / "known_hosts").write_text(f"* {(directory / 'host_key.pub').read_text()}")


def _configuration(root: Path, store: str) -> None:
    etc = root / "etc/proxmox-backup"
    etc.mkdir(parents=True, exist_ok=True)
    etc.chmod(0o700)
    uid, gid = stores.backup_ids()
    for name, text in CONFIGURATION.items():
        (etc / name).write_text(text.replace(STORE, store))
        os.chown(etc / name, 0, gid)
        (etc / name).chmod(0o640)
    os.chown(etc, uid, gid)


@contextlib.contextmanager
def _local(host: Host) -> Iterator[None]:
    host.directory.mkdir()
    store = host.directory / "tank"
    store.mkdir()
    try:
        _configuration(host.directory, os.fspath(store))
        with mounts.mounted("-o", "loop", host.image, point=store):
            yield
    finally:
        shutil.rmtree(host.directory, ignore_errors=True)


# --- a host with namespaces --------------------------------------------------------------------------------------------


def _boot(host: Host) -> int:
    """Start a host, and return the process that it depends on."""
    keeper = os.fork()
    if keeper:
        return keeper
    try:
        die_with_parent(signal.SIGKILL)
        namespaces.unshare(namespaces.CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)
        first = os.fork()
        if first == 0:
            die_with_parent(signal.SIGKILL)
            _become_host(host)
        os.waitpid(first, 0)
    except BaseException as error:
        print(f"{host.name}: {error}", file=sys.stderr)
    os._exit(1)


def _become_host(host: Host) -> NoReturn:
    """In process 1 of the host: its root directory, then its ssh server."""
    root = host.directory / "root"
    try:
        host.directory.mkdir()
        mounts.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", host.directory)
        for name in ("upper", "work", "root"):
            (host.directory / name).mkdir()
        layers = f"lowerdir=/,upperdir={host.directory / 'upper'},workdir={host.directory / 'work'}"
        mounts.run("mount", "-t", "overlay", "-o", layers, "overlay", root)
        for name, options in (("proc", "-tproc"), ("sys", "-tsysfs"), ("run", "-ttmpfs"), ("tmp", "-ttmpfs")):
            mounts.run("mount", options, name, root / name)
        mounts.run("mount", "--rbind", "/dev", root / "dev")
        (root / "run/sshd").mkdir(mode=0o755)
        store = root / STORE.lstrip("/")
        store.mkdir(parents=True)
        _configuration(root, STORE)
        _plain_root(root / "etc/passwd")
        (root / "etc/fstab").write_text(f"{host.image} {STORE} ext4 loop 0 2\n")
        with (root / "var/lib/dpkg/status").open("a") as status:
            status.write(PACKAGE)
        mounts.run("mount", "-o", "loop", host.image, store)
        for name in ("key.pub", "host_key"):
            shutil.copy(host.directory.parent / name, root / "run/sshd" / name)
        socket.sethostname(host.name)
        log = os.open(host.directory / "log", os.O_WRONLY | os.O_CREAT)
        null = os.open(os.devnull, os.O_RDONLY)
        server = sshd() or "sshd"
        os.chroot(root)
        os.chdir("/")
        for number, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(number, target)
        os.execv(server, [server, *_server_options(host)])
    except BaseException as error:
        print(f"{host.name}: {error}", file=sys.stderr)
    os._exit(1)


def _plain_root(passwd: Path) -> None:
    """A shell that reads no start-up files: those of this machine's root are no part of what is measured."""
    lines = passwd.read_text().splitlines()
    passwd.write_text(
        "\n".join("root:x:0:0:root:/root:/bin/sh" if line.startswith("root:") else line for line in lines) + "\n"
    )


def _server_options(host: Host) -> list[str]:
    settings = {
        "ListenAddress": host.address,
        "Port": str(PORT),
        "HostKey": "/run/sshd/host_key",
        "AuthorizedKeysFile": "/run/sshd/key.pub",
        "PermitRootLogin": "yes",
        "StrictModes": "no",
        "UsePAM": "no",
        "UseDNS": "no",
        "PidFile": "none",
        "MaxStartups": "200",
        "Subsystem": "sftp internal-sftp",
    }
    return ["-D", "-e", "-f", "/dev/null", *(word for item in settings.items() for word in ("-o", "=".join(item)))]


def _await_answer(host: Host) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host.address, PORT), 1) as connection:
            if select.select([connection], [], [], 1)[0] and connection.recv(4) == b"SSH-":
                return
        ended, _status = os.waitpid(host.pid, os.WNOHANG)
        if ended:
            host.pid = 0
            raise RuntimeError(f"{host.name} did not start")
        if time.monotonic() > until:
            raise RuntimeError(f"{host.name} does not answer")
        time.sleep(0.02)


def _end(host: Host) -> None:
    """The keeper takes process 1 with it, that one the whole host, and the mounts go with the last of them."""
    if host.pid:
        os.kill(host.pid, signal.SIGKILL)
        os.waitpid(host.pid, 0)
        host.pid = 0
    for _attempt in range(100):
        try:
            host.directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        time.sleep(0.02)


def close_connections(sockets: Path) -> None:
    """End the connections that ssh keeps open, so that no run finds those of another."""
    for socket_path in sockets.iterdir() if sockets.is_dir() else ():
        argv = ["ssh", "-F", os.devnull, "-O", "exit", "-o", f"ControlPath={socket_path}", "none"]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
