# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation: every code block of every page, and those of modules, roles and the rulebook.

A block that cannot be run here says so in a comment right before it (or in it): `<!-- needs: a real PBS -->`,
`<!-- run: make bench -->` (where it is run), `<!-- checked: … -->` (as a part of what), `<!-- output -->`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "fleetops.pbs"

_FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w+-]*)\s*\Z")
_MARK = re.compile(r"\s*(?:<!--|#)\s*(?P<mark>needs:|run:|checked:|output\b)\s*(?P<text>.*?)\s*(?:-->)?\s*\Z")


@dataclasses.dataclass(frozen=True)
class Example:
    """where: file and line, for people. mark: `needs`, `run`, `checked`, `output` or nothing."""

    where: str
    language: str
    text: str
    mark: str = ""

    def __str__(self) -> str:
        return self.where


def pages() -> list[Path]:
    """Every page that people read."""
    names = ("README", "CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT", "MAINTAINERS")
    found = [ROOT / f"{name}.md" for name in names]
    for pattern in ("docs/*.md", "docs/development/*.md", "roles/*/README.md"):
        found += sorted(ROOT.glob(pattern))
    return found


def blocks(path: Path) -> Iterator[Example]:
    """The fenced code blocks of one page."""
    mark = ""
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            if line.strip():
                found = _MARK.fullmatch(line) if line.lstrip().startswith("<!--") else None
                mark = found["mark"].rstrip(":") if found else ""
            continue
        indent, body = len(fence["indent"]), []
        for _number, inside in lines:
            if inside.strip() == "```":
                break
            body.append(inside[indent:] if inside[:indent].isspace() else inside)
        text = "\n".join(body) + "\n"
        where = f"{path.relative_to(ROOT)}:{number}"
        yield Example(where, fence["language"], text, mark or mark_within(text))
        mark = ""


def mark_within(text: str) -> str:
    """What a comment in the block says of it."""
    for line in text.splitlines():
        found = _MARK.fullmatch(line)
        if found and line.lstrip().startswith("#") and found["mark"] != "output":
            return found["mark"].rstrip(":")
    return ""


@functools.cache
def page_examples() -> tuple[Example, ...]:
    return tuple(example for path in pages() for example in blocks(path))


# --- modules and roles ------------------------------------------------------------------------------------------------


@functools.cache
def _documented(kind: str) -> dict[str, Any]:
    if kind == "role":
        names = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
    else:
        names = sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "doc", "--json", "--type", kind, *(f"{COLLECTION}.{n}" for n in names)],
            check=True,
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            },
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def modules() -> dict[str, dict[str, Any]]:
    """What ansible-doc says of each module, by its full name: `doc`, `examples`, `return`."""
    return _documented("module")


def roles() -> dict[str, dict[str, Any]]:
    """What ansible-doc says of the entry point of each role, by its full name."""
    return {name: found["entry_points"]["main"] for name, found in _documented("role").items()}


def plugin_examples() -> list[Example]:
    found = [Example(f"module {name}", "yaml", doc["examples"]) for name, doc in modules().items()]
    found += [Example(f"role {name}", "yaml", doc.get("examples", "")) for name, doc in roles().items()]
    return [dataclasses.replace(example, mark=mark_within(example.text)) for example in found]


def yaml_examples() -> list[Example]:
    return [*(example for example in page_examples() if example.language == "yaml"), *plugin_examples()]


def specification(options: Mapping[str, Any]) -> dict[str, Any]:
    """The argument spec that documented options describe; sanity holds them against the modules' own."""
    found: dict[str, Any] = {}
    for name, option in options.items():
        spec = {key: option[key] for key in ("type", "elements", "choices", "required", "default") if key in option}
        inside = option.get("suboptions") or option.get("options")
        if isinstance(inside, dict):
            spec["options"] = specification(inside)
        if spec.get("required"):
            spec.pop("default", None)
        found[name] = spec
    return found


def variables() -> dict[str, Any]:
    """The argument spec of every variable of every role; that of pbs_datastores is the module preflight's."""
    found: dict[str, Any] = {}
    for role in roles().values():
        found.update(specification(role["options"]))
    options = specification(modules()[f"{COLLECTION}.preflight"]["doc"]["options"])
    found["pbs_datastores"] = options["datastores"]
    found["preflight_waivers"] = options["waivers"]
    return found


# --- commands ---------------------------------------------------------------------------------------------------------


def commands(text: str) -> list[str]:
    """The commands of a shell block: a line each, continued ones joined, comments left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [_without_comment(line).strip() for line in lines if shlex.split(line, comments=True)]


def _without_comment(line: str) -> str:
    quote = ""
    for index, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index]
    return line


def load(example: Example) -> Any:
    return yaml.safe_load(example.text)
