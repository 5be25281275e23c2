# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the artefact and reads it with galaxy-importer, as a Galaxy server would. Called by `make import`.

The importer succeeds with warnings, and a server only shows them; here each of them is a failure. So is a module, role
or playbook that it did not find, or found without documentation. Nothing is fetched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / ".ci" / "galaxy-importer.cfg"
# Where the collections are that galaxy.yml depends on. A server's importer has them too.
DEPENDENCIES = ROOT / ".collections" / "ansible_collections"

# Lines above the level INFO begin with its name.
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL): ")


def ours() -> set[tuple[str, str]]:
    """What the importer has to find, as (type, name)."""
    found = {("module", path.stem) for path in ROOT.glob("plugins/modules/*.py")}
    found |= {("lookup", path.stem) for path in ROOT.glob("plugins/lookup/*.py")}
    found |= {("role", path.name) for path in ROOT.glob("roles/*")}
    found |= {("playbook", path.name) for path in ROOT.glob("playbooks/*.yml")}
    return found


def run(argv: list[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that sees neither the user's settings nor this checkout, only what ours depends on."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GALAXY_IMPORTER_"))}
    tmp = str(scratch / "tmp")
    env.update(HOME=str(scratch), ANSIBLE_HOME=tmp, ANSIBLE_LOCAL_TEMP=tmp, GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP=tmp)
    env.update(PYTHONPATH=str(scratch / "dependencies"), GALAXY_IMPORTER_CONFIG=str(CONFIG))
    argv = [sys.executable, "-m", *argv]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(argv, cwd=scratch, env=env, text=True, check=False, **streams)


def build(scratch: Path) -> Path:
    """The artefact of this checkout."""
    done = run(["ansible", "galaxy", "collection", "build", "--output-path", str(scratch), str(ROOT)], scratch)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nimport: the artefact cannot be built")
    (artefact,) = scratch.glob("*.tar.gz")
    return artefact


def missing(result: dict) -> list[str]:
    """What the importer has not found, or not with its documentation."""
    contents = result["docs_blob"]["contents"]
    found = {(content["content_type"], content["content_name"]): content for content in contents}
    lines = [f"{kind} {name} was not found" for kind, name in sorted(ours() - set(found))]
    for (kind, name), content in found.items():
        if kind == "module":
            documented = content["doc_strings"] or {}
            lines += [
                f"module {name} has no {part}" for part in ("doc", "examples", "return") if not documented.get(part)
            ]
        if kind == "role" and not content["readme_html"]:
            lines.append(f"role {name} has no README")
    return lines


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-") as name:
        scratch = Path(name)
        (scratch / "dependencies").mkdir()
        (scratch / "tmp").mkdir()
        (scratch / "dependencies" / "ansible_collections").mkdir()
        for namespace in DEPENDENCIES.iterdir():
            if namespace.name != "fleetops":
                (scratch / "dependencies" / "ansible_collections" / namespace.name).symlink_to(namespace)
        artefact = build(scratch)
        done = run(["galaxy_importer.main", artefact.name], scratch)
        complaints = [line for line in done.stdout.splitlines() if COMPLAINT.match(line)]
        if done.returncode == 0:
            complaints += missing(json.loads((scratch / "importer_result.json").read_text()))
        elif not complaints:
            complaints = [done.stdout]
    print("\n".join(complaints), end="\n" * bool(complaints))
    print(f"galaxy-importer: {artefact.name}: {'FAILED' if complaints else 'passed'}", flush=True)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
