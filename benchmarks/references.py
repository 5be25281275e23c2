# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what it costs to know what the backups need, against the audit alone and against a script for the same.

Makes its own chunk store with index files in a loop image, and removes it. All candidates take turns in every round.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import statistics
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.benchmarks.ownership import (
    MIB,
    MKFS,
    MOUNT,
    PYTHON,
    Candidate,
    Figures,
    first_line,
    log,
    make_store,
    take_turns,
)
from ansible_collections.fleetops.pbs.benchmarks.page import PAGE, write_section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import format_time
from ansible_collections.fleetops.pbs.tests.support import mounts, namespaces
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, blob

PROGRAM = str(Path(__file__).with_name("references_walk.py"))
CHUNK_SIZE = 4 * 2**20
MAGIC = bytes.fromhex("2f7f41ed91fd0fcd")
FIRST = 1767225600  # 2026-01-01T00:00:00Z
DAY = 86400
SETTLED = 60
"""Seconds: an index file that has changed since then is read once more by the process that has the next snapshots."""


def chunk_names(base: Path) -> Iterator[bytes]:
    for prefix in sorted(os.listdir(base / ".chunks")):
        for name in sorted(os.listdir(base / ".chunks" / prefix)):
            yield bytes.fromhex(name)


def make_snapshots(base: Path, groups: int, snapshots: int, references: int, run: int) -> int:
    """Groups with so many snapshots in all and so many references; returns how many chunks they need.

    Each group is one disk. From one snapshot to the next `run` neighbouring chunks change at a time, at random places,
    until all the chunks of the store are used up by the last snapshots.
    """
    uid, gid = backup_ids()
    names = list(chunk_names(base))
    rng = random.Random(1)
    rng.shuffle(names)
    each = snapshots // groups
    length = references // snapshots
    used = 0
    for group in range(groups):
        mine = names[len(names) * group // groups : len(names) * (group + 1) // groups]
        length = min(length, len(mine))
        disk, spare = mine[:length], mine[length:]
        where = base / "vm" / f"{100 + group}"
        where.mkdir(parents=True, mode=0o755)
        (where / "owner").write_text("root@pam\n")
        used += length
        for number in range(each):
            if number:
                share = spare[len(spare) * (number - 1) // (each - 1) : len(spare) * number // (each - 1)]
                for start in range(0, len(share), run):
                    part = share[start : start + run]
                    place = rng.randrange(length - len(part) + 1)
                    disk[place : place + len(part)] = part
                used += len(share)
            _write(where / format_time(FIRST + number * DAY), b"".join(disk))
    for path in [base / "vm", *(base / "vm").rglob("*")]:
        os.chown(path, uid, gid)
    return used


def _write(where: Path, digests: bytes) -> None:
    where.mkdir(mode=0o755)
    size = len(digests) // 32 * CHUNK_SIZE
    checksum = hashlib.sha256(digests)
    head = MAGIC + bytes(16) + struct.pack("<q", FIRST) + checksum.digest() + struct.pack("<QQ", size, CHUNK_SIZE)
    (where / "drive-scsi0.img.fidx").write_bytes(head.ljust(4096, b"\0") + digests)
    entry = {"filename": "drive-scsi0.img.fidx", "size": size, "csum": checksum.hexdigest(), "crypt-mode": "none"}
    manifest = {"backup-type": "vm", "backup-id": where.parent.name, "backup-time": FIRST, "files": [entry]}
    (where / "index.json.blob").write_bytes(blob(json.dumps(manifest).encode()))


def candidates(path: Path, chunks: int) -> list[Candidate]:
    def argv(action: str) -> list[str]:
        return [PYTHON, PROGRAM, action, str(path), str(chunks)]

    return [
        Candidate("owners and references", argv("references")),
        Candidate("owners only", argv("audit")),
        Candidate("a script: a set of all digests, `os.stat` of every chunk", argv("script")),
    ]


def benchmark(options: argparse.Namespace, chunks: int, references: int, with_script: bool) -> str:
    size = max(2048 * 2**20, options.room * chunks)
    with mounts.loopfs(options.filesystem, MOUNT[options.filesystem], mkfs=MKFS[options.filesystem], size=size) as path:
        log(f"making a store of {chunks:,} chunks and {options.snapshots} snapshots, {references:,} references")
        make_store(path, chunks)
        needed = make_snapshots(path, options.groups, options.snapshots, references, options.run)
        os.sync()
        log(f"waiting {SETTLED} seconds, as snapshots in use are older")
        time.sleep(SETTLED)
        found = candidates(path, chunks)[: 3 if with_script else 2]
        title = f"{chunks:,} chunks, {options.snapshots} snapshots, {references:,} references, warm"
        figures = take_turns(found, options.rounds, lambda: None)
        log(f"{needed:,} chunks are needed")
        return table(title, found, figures)


def table(title: str, candidates: Sequence[Candidate], found: Sequence[Figures]) -> str:
    ours = found[0].median
    lines = [
        f"### {title}",
        "",
        "| | seconds | ratio to the first line | processor seconds | peak memory |",
        "|---|---:|---:|---:|---:|",
    ]
    for candidate, figures in zip(candidates, found):
        memory = f"{figures.memory / MIB:.0f} MiB" if figures.memory else "-"
        processor = f"{statistics.median(figures.processor):.1f}" if figures.processor else "-"
        lines.append(
            f"| {candidate.name} | {figures.median:.1f} | {figures.median / ours:.2f} | {processor} | {memory} |"
        )
    return "\n".join([*lines, ""])


def preamble(options: argparse.Namespace, arguments: Sequence[str]) -> str:
    command = " ".join(["make bench-references", *([f'ARGS="{" ".join(arguments)}"'] if arguments else [])])
    return "\n".join(
        [
            "## References: what the backups need",
            "",
            "The cost of reading every index file and comparing its digests with the chunks, in the same walk as the check of",
            "owners. Made by",
            "",
            f"    {command}",
            "",
            f"It uses {options.filesystem} in a sparse loop image and runs all candidates in turn. Seconds are medians over the",
            "rounds; processor seconds are those of all processes together, and are more reliable on a machine that does other",
            "work. Memory is the peak of the proportional set sizes of all processes together, including Python itself. Each group",
            f"is one disk; from one snapshot to the next, runs of {options.run} neighbouring chunks change at random places.",
            "",
            f"- {len(os.sched_getaffinity(0))} processors, Linux {'.'.join(platform.release().split('.')[:2])}, {first_line(PYTHON, '--version')}",
            f"- load average before the run: {os.getloadavg()[0]:.1f}; other work slows two processes more than one",
            "",
        ]
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench-references ARGS=...", description=__doc__)
    parser.add_argument(
        "--chunks",
        default="1048576",
        help="chunks in the store; further numbers are measured with the first number of references, and without the script "
        "(default: %(default)s)",
    )
    parser.add_argument("--snapshots", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--groups", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--references", default="50000000,5000000", help="in all index files (default: %(default)s)")
    parser.add_argument("--run", type=int, default=8, help="neighbouring chunks that change together (default: 8)")
    parser.add_argument("--room", type=int, default=65536, help="bytes of the filesystem for each chunk")
    parser.add_argument("--rounds", type=int, default=3, help="how often each candidate has its turn (default: 3)")
    parser.add_argument("--filesystem", default="ext4", choices=sorted(MKFS))
    parser.add_argument("--no-script", action="store_true", help="without the script, which takes long and much memory")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.exit("make bench-references mounts a loop image: it needs root")
    namespaces.private_mounts()
    parts = [preamble(options, [argument for argument in arguments if argument != "--write"])]
    chunks, *more = map(int, options.chunks.split(","))
    references = list(map(int, options.references.split(",")))
    parts += [benchmark(options, chunks, number, not options.no_script) for number in references]
    parts += [benchmark(options, number, references[0], False) for number in more]
    text = "\n".join(parts).rstrip() + "\n"
    print("\n" + text)
    if options.write:
        write_section(PAGE, "references", "bench-references", text)


if __name__ == "__main__":
    main(sys.argv[1:])
