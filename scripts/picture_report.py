# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the pictures of the report in docs/images, of a fleet that does not exist, with Chromium.

usage: PYTHONPATH=.collections python scripts/picture_report.py [DIRECTORY]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import Run
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import Order, make
from ansible_collections.fleetops.pbs.tests.support import browser, documents

ROOT = Path(__file__).resolve().parent.parent
DAY = 86400.0
HOSTS, DAYS = 36, 14
RUN = Run(operator="backup-team", inventory=("inventory/production.yml",))
WAIVERS = (
    {
        "control": "PBS-MOUNT-06",
        "host": "pbs2*",
        "justification": "noatime is live until the move in spring.",
        "until": "2027-03-31",
    },
    {
        "control": "PBS-CONF-05",
        "host": "pbs4",
        "justification": "Read-only while it is migrated.",
        "until": "2027-01-31",
    },
)


def fleet(place: Path) -> Path:
    """The page of the last of some days on which things became better."""
    waivers = parse_waivers(WAIVERS)
    for day in range(DAYS):
        missing = {"pbs17": "unreachable: ssh: connect to host pbs17 port 22: No route to host"} if day > 10 else {}
        found = [
            _waived(
                documents.document(
                    number,
                    stores=1 + number % 3,
                    badness=0.14 - 0.008 * day,
                    when=documents.START + (day - DAYS) * DAY,
                )
            )
            for number in range(1, HOSTS + 1)
            if f"pbs{number}" not in missing
        ]
        documents.write(place / f"results{day}", found)
        hosts = {**{document["host"]: "" for document in found}, **missing}
        inputs = Inputs(documents=[str(place / f"results{day}")], hosts=hosts, waivers=waivers, run=RUN)
        made = documents.START + (day - DAYS) * DAY + 3600
        report = make(Order(inputs, str(place / "report")), made)
    return Path(report.paths["report.html"])


def _waived(document: dict) -> dict:
    waiver = {"datastore": "*", **WAIVERS[0]}
    for item in document["findings"]:
        if item["control"] == waiver["control"] and item["status"] == "warn" and document["host"].startswith("pbs2"):
            item.update(status="waived", waiver=waiver)
    return document


def main() -> None:
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images"
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-pictures-") as scratch, browser.opened() as page:
        path = fleet(Path(scratch))
        for name, width, height, scheme, fragment, script in (
            ("report-light", 1280, 860, "light", "", "scrollTo(0, 0)"),
            ("report-findings-dark", 1280, 860, "dark", "", "document.querySelector('#item-1').click(); explore()"),
            ("report-matrix-light", 1280, 860, "light", "#view=matrix", "unfold(); explore()"),
            ("report-narrow-dark", 390, 844, "dark", "", "scrollTo(0, 0)"),
        ):
            page.look_like(width, height, scheme)
            page.open(path, fragment, "document.documentElement?.dataset.readyMs")
            page.run(
                "function explore() { document.querySelector('#explore').scrollIntoView(); }"
                "function unfold() { document.querySelectorAll('.fold')[1].click(); document.activeElement.blur(); }"
            )
            page.run(script)
            page.run("new Promise((done) => setTimeout(done, 300))")
            page.picture(images / f"{name}.png")
            if page.complaints:
                sys.exit("\n".join(page.complaints))


if __name__ == "__main__":
    main()
