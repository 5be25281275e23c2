# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of layers, and that no import runs upwards.

A file imports from its own room and from the rooms that the table names for it. docs/development/architecture.md shows
the same table to people.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
ENGINE = ROOT / "plugins" / "module_utils"
PREFIX = "ansible_collections.fleetops.pbs.plugins."

GROUND = ("_system", "_version")
FACTS = (*GROUND, "_pbs", "_facts")
OBSERVERS = tuple(f"_observe.{room}" for room in ("host", "jobs", "mounts", "boot", "probe", "walk", "references"))

ALLOWED: dict[str, tuple[str, ...]] = {
    "_version": (),
    "_system": (),
    "_pbs": GROUND,
    "_facts": (*GROUND, "_pbs"),
    # The rooms of the observers; `_observe` itself is what stands on top of them.
    "_observe.host": (*FACTS, "_observe.shared"),
    "_observe.jobs": (*FACTS, "_observe.shared"),
    "_observe.mounts": (*FACTS, "_observe.shared"),
    "_observe.boot": (*FACTS, "_observe.shared", "_observe.mounts"),
    "_observe.probe": (*FACTS, "_observe.shared"),
    "_observe.walk": (*FACTS, "_observe.shared", "_observe.mounts"),
    # Indexes are read before the walk, whose directories are joined with what they need.
    "_observe.references": (*FACTS, "_observe.shared", "_observe.mounts", "_observe.walk"),
    "_observe.shared": FACTS,
    "_observe": (*FACTS, "_observe.shared", *OBSERVERS),
    # Rules are pure: facts in, findings out. Of the ground they need only safe text and the base class of errors.
    "_judge": ("_version", "_pbs", "_facts", "_system.text", "_system.errors"),
    "_manage": (*FACTS, "_observe.shared", "_observe", *OBSERVERS),
    "_options": (*FACTS, "_observe.shared", "_observe", *OBSERVERS, "_judge", "_manage"),
    # What joins them for the modules.
    "": (*FACTS, "_observe.shared", "_observe", *OBSERVERS, "_judge", "_manage", "_options"),
}
SHARED = ("_observe.file",)
"""Modules of `_observe` that its rooms use."""


def room(module: str) -> str:
    """The room of a module of the engine, by its name below module_utils."""
    if module in SHARED:
        return "_observe.shared"
    parts = module.split(".")
    for length in (2, 1):
        name = ".".join(parts[:length])
        if name in ALLOWED:
            return name
    return ""


def modules() -> list[Path]:
    return sorted(path for path in ENGINE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ENGINE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ENGINE.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and module of everything of this collection that a source imports, wherever in it; `..` where not of the engine."""
    engine = PREFIX + "module_utils"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == engine or name.startswith(engine + "."):
                inner = name[len(engine) + 1 :]
                yield node.lineno, inner if is_module(inner) else inner.rpartition(".")[0]
            elif name.startswith("ansible_collections.fleetops.pbs."):
                yield node.lineno, ".."


def upward(module: str, source: str) -> list[str]:
    """The imports of a module that its room does not allow."""
    own = room(module)
    allowed = (*ALLOWED[own], own) if own else ALLOWED[own]
    found = []
    for line, name in imports(source):
        # A top-level module may use another one: they are all of one floor.
        fine = room(name) in allowed or name in allowed or (own == "" and room(name) == "" and name != "..")
        if not fine:
            found.append(f"{module}:{line} imports {name}")
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_import_runs_upwards(path: Path) -> None:
    assert upward(name_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("_system.text", "_pbs.values"),
        ("_pbs.values", "_facts.host"),
        ("_facts.host", "_observe.file"),
        ("_observe.file", "_observe.store"),
        ("_observe.mounts.table", "_observe.boot.persistence"),
        ("_observe.store", "_judge.judge"),
        ("_judge.judge", "_observe.store"),
        ("_judge.judge", "_system.files"),
        ("_judge.judge", "_manage.manager"),
        ("_manage.manager", "_judge.judge"),
        ("_observe.store", "_preflight"),
        ("_pbs.values", "_arguments"),
    ],
)
def test_an_upward_import_is_found(module: str, imported: str) -> None:
    engine = PREFIX + "module_utils."
    package, _dot, last = imported.rpartition(".")
    for source in (
        f"import {engine}{imported}",
        f"from {engine}{imported} import anything",
        f"from {(engine + package).rstrip('.')} import {last}",
        f"def late():\n    from {engine}{imported} import anything",
    ):
        assert len(upward(module, source)) == 1, source


def test_the_controller_side_is_out_of_reach() -> None:
    source = f"from {PREFIX}plugin_utils._report import model"
    assert upward("_preflight", source) == ["_preflight:1 imports .."]


def test_every_room_is_in_the_table() -> None:
    rooms = {name_of(path.parent / "__init__.py") for path in modules() if path.name == "__init__.py"}
    tabled = {room(name) for name in rooms if name}
    assert {name for name in rooms if name and room(name) != name and not name.startswith("_judge.")} == set()
    assert tabled <= set(ALLOWED)


def test_floors_have_no_circle() -> None:
    """Each room's floor is above all those that it may import, so that there is an order from the ground up."""
    height: dict[str, int] = {}

    def floor(name: str, way: tuple[str, ...] = ()) -> int:
        assert name not in way, " -> ".join((*way, name))
        if name not in height:
            below = [
                floor(other, (*way, name)) for other in ALLOWED.get(name, ()) if other in ALLOWED and other != name
            ]
            height[name] = 1 + max(below, default=0)
        return height[name]

    for name in ALLOWED:
        floor(name)


def test_only_the_standard_library_on_managed_hosts() -> None:
    """What runs on a PBS needs no package: everything else that is imported comes with Python, or with the module itself."""
    outside = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                outside |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                outside.add(node.module.split(".")[0])
    assert outside - set(sys.stdlib_module_names) - {"ansible", "ansible_collections"} == set()
