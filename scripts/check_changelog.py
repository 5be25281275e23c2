# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What antsibull-changelog does not check: that the changelog covers this version, and what was changed.

usage: check_changelog.py [DIRECTORY]

The form of the fragments is checked by `antsibull-changelog lint`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from packaging.version import Version

# A change to these is one that users notice, or may want to know of.
PRODUCT = ("plugins", "roles", "playbooks", "meta", "extensions/eda", "galaxy.yml")


def git(root: Path, *arguments: str) -> list[str]:
    """The lines that git answers; none if it fails, as outside of a repository."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def fragments(root: Path) -> list[Path]:
    """What waits for the next release."""
    directory = root / "changelogs" / "fragments"
    return sorted(path for path in directory.glob("*.y*ml") if not path.name.startswith("."))


def complaints(root: Path) -> list[str]:
    """What is wrong, a line each."""
    version = str(yaml.safe_load((root / "galaxy.yml").read_text())["version"])
    changelog = yaml.safe_load((root / "changelogs" / "changelog.yaml").read_text())
    releases = sorted(changelog["releases"] or {}, key=Version)
    waiting = fragments(root)
    if not releases:
        return [] if waiting else ["changelogs/changelog.yaml has no release, and changelogs/fragments has no fragment"]
    newest = releases[-1]
    found = []
    if Version(newest) > Version(version) or (newest != version and not waiting):
        found.append(f"galaxy.yml: version {version}, but the newest of changelogs/changelog.yaml is {newest}")
    # Markdown's punctuation is escaped there.
    if f"\n## v{newest}\n" not in (root / "CHANGELOG.md").read_text().replace("\\", ""):
        found.append(f"CHANGELOG.md has no section v{newest}: run antsibull-changelog generate")
    tag = next(iter(git(root, "tag", "--list", newest, f"v{newest}")), None)
    if tag and not waiting:
        changed = git(root, "diff", "--name-only", tag, "--", *PRODUCT)
        if changed:
            found.append(f"changed since {tag}, and no fragment in changelogs/fragments: {', '.join(changed)}")
    return found


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
    found = complaints(root)
    print("\n".join(found), end="\n" * bool(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
