# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the audit and the repair of owners against find, chown and ansible.builtin.file.

Makes its own chunk stores in loop images, and removes them. All candidates take turns in every round, so that the
ratios are right on a busy machine; the figures are the medians over the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.benchmarks.page import PAGE, write_section
from ansible_collections.fleetops.pbs.tests.support import mounts, namespaces
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

PREFIXES = 65536
MIB = 2**20
WALK = str(Path(__file__).with_name("walk.py"))
# What a managed host would take: a Proxmox Backup Server has the distribution's.
DISTRIBUTION_PYTHON = "/usr/bin/python3"
PYTHON = DISTRIBUTION_PYTHON if os.access(DISTRIBUTION_PYTHON, os.X_OK) else sys.executable
CHUNK = 2 * MIB
"""Bytes that a chunk of PBS mostly has: up to 4 MiB of data, compressed. They are not written here, but the filesystem
must be one that could hold them: mkfs makes journal and log as large as the filesystem wants, and spreads directories."""
MKFS = {
    "ext4": ["-E", "lazy_itable_init=1"],
    "xfs": [],
}
MOUNT = {
    # No inode tables may be written while something is measured.
    "ext4": "noinit_itable",
    "xfs": "",
}


@dataclasses.dataclass
class Candidate:
    """One way to do it."""

    name: str
    argv: list[str]
    slow: bool = False
    """Takes minutes: measured once, and only where the whole table is wanted."""


@dataclasses.dataclass
class Figures:
    seconds: list[float] = dataclasses.field(default_factory=list)
    processor: list[float] = dataclasses.field(default_factory=list)
    """Seconds of all processors together, of user and system."""
    memory: int = 0
    """Peak of all processes together, in bytes (proportional set size)."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def log(line: str) -> None:
    print(line, flush=True)


# --- chunk stores ------------------------------------------------------------------------------------------------------


def make_store(base: Path, chunks: int) -> None:
    """A chunk store with so many chunks of one byte (a hole), by as many processes as there are processors."""
    uid, gid = backup_ids()
    base.chmod(0o755)
    top = base / ".chunks"
    top.mkdir(mode=0o750)
    (base / ".lock").touch(mode=0o644)
    workers = os.cpu_count() or 1
    children = []
    for worker in range(workers):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _fill(top, range(PREFIXES * worker // workers, PREFIXES * (worker + 1) // workers), chunks, uid, gid)
                status = 0
            except OSError as error:
                print(f"making the chunk store: {error}", file=sys.stderr)
            finally:
                os._exit(status)
        children.append(child)
    for child in children:
        if os.waitpid(child, 0)[1] != 0:
            raise RuntimeError("the chunk store could not be made")
    for path in (base, top, base / ".lock"):
        os.chown(path, uid, gid)


def _fill(top: Path, prefixes: Sequence[int], chunks: int, uid: int, gid: int) -> None:
    os.umask(0)
    names = random.Random(prefixes[0])
    parent = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for prefix in prefixes:
        name = f"{prefix:04x}"
        os.mkdir(name, 0o750, dir_fd=parent)
        directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
        os.fchown(directory, uid, gid)
        for _chunk in range(chunks * prefix // PREFIXES, chunks * (prefix + 1) // PREFIXES):
            digest = f"{name}{names.getrandbits(240):060x}"
            fd = os.open(digest, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
            os.ftruncate(fd, 1)
            os.fchown(fd, uid, gid)
            os.close(fd)
        os.close(directory)


# --- measuring ---------------------------------------------------------------------------------------------------------


def drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def measure(candidate: Candidate, figures: Figures) -> None:
    started, before = time.perf_counter(), processor_time()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(candidate.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while True:
            try:
                code = process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                figures.memory = max(figures.memory, sum(map(proportional_set_size, family(process.pid))))
        figures.seconds.append(time.perf_counter() - started)
        figures.processor.append(processor_time() - before)
        if code != 0:
            output.seek(0)
            raise RuntimeError(f"{candidate.name}: exit {code}: {output.read().decode(errors='replace')[-1000:]}")


def processor_time() -> float:
    """Seconds that the processes that have ended took of all processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def family(pid: int) -> Iterator[int]:
    """A process and everything below it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def proportional_set_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def take_turns(candidates: Sequence[Candidate], rounds: int, before: Callable[[], None]) -> list[Figures]:
    """Every candidate once in each round, each time after `before`."""
    found = [Figures() for _candidate in candidates]
    for number in range(rounds):
        for candidate, figures in zip(candidates, found):
            if candidate.slow and number > 0:
                continue
            before()
            measure(candidate, figures)
            log(f"  {candidate.name}: {figures.seconds[-1]:.2f} s")
    return found


# --- what is compared --------------------------------------------------------------------------------------------------


def auditors(path: Path, chunks: int) -> list[Candidate]:
    top = str(path / ".chunks")
    wrong = ["!", "-user", "backup", "-o", "!", "-group", "backup"]
    rest = ["-o", "-type", "f", "(", "!", "-perm", "-u=r", "-o", "-links", "+1", "-o", "-size", "0", ")"]
    rest += ["-o", "-type", "d", "!", "-perm", "750", "-o", "!", "-type", "f", "!", "-type", "d"]
    rest += ["-o", "-type", "f", "-name", "*[!0-9a-f]*"]
    return [
        Candidate("this collection: owners, modes, names, links", [PYTHON, WALK, "audit", str(path), str(chunks)]),
        Candidate("find, the same questions", ["find", top, "(", *wrong, *rest, ")"]),
        Candidate("find, owners only", ["find", top, "(", *wrong, ")"]),
        Candidate("chown -R --from, nothing to do", ["chown", "-R", "--from=root:root", "backup:backup", str(path)]),
        Candidate("chown -R, nothing to do", ["chown", "-R", "backup:backup", str(path)]),
    ]


def repairers(path: Path, chunks: int) -> list[Candidate]:
    return [
        Candidate("this collection", [PYTHON, WALK, "repair", str(path), str(chunks)]),
        Candidate("chown -R --from", ["chown", "-R", "--from=root:root", "backup:backup", str(path)]),
        Candidate("chown -R", ["chown", "-R", "backup:backup", str(path)]),
        Candidate("ansible.builtin.file recurse", _ansible_file(path), slow=True),
    ]


def _ansible_file(path: Path) -> list[str]:
    arguments = f"path={path} state=directory recurse=true owner=backup group=backup"
    argv = [sys.executable, "-m", "ansible", "adhoc", "localhost", "--inventory", "localhost,", "--connection", "local"]
    argv += ["--extra-vars", f"ansible_python_interpreter={PYTHON}"]
    return [*argv, "--module-name", "ansible.builtin.file", "--args", arguments]


# --- tables ------------------------------------------------------------------------------------------------------------


def table(title: str, candidates: Sequence[Candidate], found: Sequence[Figures]) -> str:
    ours = found[0].median
    lines = [f"#### {title}", "", "| | seconds | ratio to this collection | peak memory |", "|---|---:|---:|---:|"]
    for candidate, figures in zip(candidates, found):
        memory = f"{figures.memory / MIB:.0f} MiB" if figures.memory else "-"
        lines.append(f"| {candidate.name} | {figures.median:.2f} | {figures.median / ours:.2f} | {memory} |")
    return "\n".join([*lines, ""])


def benchmark(fstype: str, chunks: int, room: int, rounds: int, with_slow: bool) -> str:
    """`room` is how many bytes the filesystem has for each chunk."""
    size = max(2048 * MIB, room * chunks)
    text = [f"### {fstype}, {chunks:,} chunks", ""]
    with mounts.loopfs(fstype, MOUNT[fstype], mkfs=MKFS[fstype], size=size) as path:
        log(f"{fstype}: making a store of {chunks:,} chunks")
        make_store(path, chunks)
        audit = auditors(path, chunks)
        fixing = [one for one in repairers(path, chunks) if with_slow or not one.slow]

        def all_wrong() -> None:
            subprocess.run(["chown", "-R", "root:root", path], check=True)
            os.sync()

        def nothing() -> None:
            pass

        log(f"{fstype}: audit, warm")
        subprocess.run(audit[2].argv, check=True, stdout=subprocess.DEVNULL)
        text.append(table("Audit, all right, warm", audit, take_turns(audit, rounds, nothing)))
        log(f"{fstype}: audit, cold")
        text.append(table("Audit, all right, cold", audit, take_turns(audit, rounds, drop_caches)))
        log(f"{fstype}: repair, warm")
        text.append(table("Repair, all wrong, warm", fixing, take_turns(fixing, rounds, all_wrong)))
        log(f"{fstype}: repair, cold")
        quick = [one for one in fixing if not one.slow]

        def all_wrong_and_cold() -> None:
            all_wrong()
            drop_caches()

        text.append(table("Repair, all wrong, cold", quick, take_turns(quick, rounds, all_wrong_and_cold)))
        all_wrong()
        log(f"{fstype}: audit, all wrong, warm")
        quick = [audit[0], audit[2]]
        text.append(table("Audit, all wrong, warm", quick, take_turns(quick, rounds, nothing)))
    return "\n".join(text)


def first_line(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()[0]


def preamble(arguments: Sequence[str]) -> str:
    command = " ".join(["make bench-owners", *([f'ARGS="{" ".join(arguments)}"'] if arguments else [])])
    return "\n".join(
        [
            "## Owners: audit and repair",
            "",
            "Audit and repair of owners, compared with other tools for the same work. Made by",
            "",
            f"    {command}",
            "",
            "For each filesystem this makes a chunk store of 65,536 prefix directories in a loop image, runs all candidates in",
            "turn, and removes the image. The image is sparse, and large enough for chunks of 2 MiB (or of the size that `--room`",
            "gives), so that journal, log and layout are those of a filesystem that could hold such a store. Seconds are medians",
            "over the rounds; a ratio above 1 is slower than this collection. `ansible.builtin.file` is measured once. Memory is",
            "the peak of the proportional set sizes of all processes together, including Python itself.",
            "",
            f"- {len(os.sched_getaffinity(0))} processors, Linux {'.'.join(platform.release().split('.')[:2])}, {first_line(PYTHON, '--version')}",
            f"- load average before the run: {os.getloadavg()[0]:.1f}; other work slows two processes more than one",
            f"- {first_line('find', '--version')}; {first_line('chown', '--version')}",
            "- The repair checks the number of links before each change, and the result after it; `chown -R` does neither.",
            "",
        ]
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench-owners ARGS=...", description=__doc__)
    parser.add_argument("--chunks", type=int, default=1048576, help="chunks in each store (default: %(default)s)")
    parser.add_argument(
        "--room", type=int, default=CHUNK, help="bytes of the filesystem for each chunk (default: 2 MiB)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each candidate has its turn (default: 3)")
    parser.add_argument("--filesystems", default="ext4,xfs", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="without ansible.builtin.file, which takes minutes")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.exit("make bench-owners mounts loop images and changes owners: it needs root")
    for program in ("find", "chown"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed")
    namespaces.private_mounts()
    parts = [preamble([argument for argument in arguments if argument != "--write"])]
    for fstype in options.filesystems.split(","):
        parts += [benchmark(fstype, options.chunks, options.room, options.rounds, not options.quick)]
    text = "\n".join(parts).rstrip() + "\n"
    print("\n" + text)
    if options.write:
        write_section(PAGE, "owners", "bench-owners", text)


if __name__ == "__main__":
    main(sys.argv[1:])
