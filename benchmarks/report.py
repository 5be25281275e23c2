# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a report of a large fleet costs: all formats, in a process of its own.

usage: PYTHONPATH=.collections python benchmarks/report.py [--hosts 1000] [--stores 4] [--keep DIRECTORY]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS, Order, make
from ansible_collections.fleetops.pbs.tests.support import documents


def measured(source: str, dest: str) -> None:
    """The child: what it costs to import and to run, by its own clock and its own peak of memory."""
    begin = time.perf_counter()
    report = make(Order(Inputs(documents=[source]), dest), time.time())
    seconds = time.perf_counter() - begin
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        "%d findings of %d hosts, all %d formats" % (report.fleet.counts.total, len(report.fleet.hosts), len(FORMATS))
    )
    print(f"time      {seconds:6.2f} s ({usage.ru_utime + usage.ru_stime:.2f} s of processor)")
    print(f"memory    {usage.ru_maxrss / 1024:6.1f} MiB at most")
    for name, path in report.paths.items():
        print(f"{name:14} {os.path.getsize(path) / 1000000.0:8.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--stores", type=int, default=4, help="datastores of each host")
    parser.add_argument(
        "--badness", type=float, default=0.06, help="how many of the possible problems there are, 0 to 1"
    )
    parser.add_argument("--keep", type=Path, help="leave documents and report in this directory")
    parser.add_argument("--measured", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measured:
        measured(*options.measured)
        return
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-report-") as scratch:
        place = options.keep or Path(scratch)
        documents.write(
            place / "results",
            (
                documents.document(n, stores=options.stores, badness=options.badness)
                for n in range(1, options.hosts + 1)
            ),
        )
        size = sum(path.stat().st_size for path in (place / "results").iterdir())
        print(f"documents {size / 1000000.0:6.1f} MB", flush=True)
        # A process of its own: the documents were made in this one.
        child = [sys.executable, __file__, "--measured", str(place / "results"), str(place / "report")]
        sys.exit(subprocess.run(child, check=False).returncode)


if __name__ == "__main__":
    main()
