# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is below the base of a datastore, as PBS's tasks list it: namespaces, groups, snapshots, and every index file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from . import rules
from .tasks import TaskFailure


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """namespace: its parts, outermost first. group: as `vm/100`. path: of its directory."""

    namespace: tuple[str, ...]
    group: str
    name: str
    path: str

    @property
    def shown(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def is_protected(self) -> bool:
        return os.path.exists(self.path + "/.protected")

    @property
    def is_finished(self) -> bool:
        return os.path.exists(self.path + "/index.json.blob")

    def files(self) -> list[str]:
        """The names of its backup files, hidden ones too: regular files only."""
        with os.scandir(self.path) as entries:
            return sorted(
                entry.name
                for entry in entries
                if rules.is_backup_file(entry.name) and entry.is_file(follow_symlinks=False)
            )


def _directories(path: str) -> list[str]:
    """Names of directories, links to directories left out; none where there is no such directory."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def namespaces(base: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every namespace from `above` on, which comes first. TaskFailure: one has a name that PBS does not allow."""
    yield above
    path = f"{base}/{rules.namespace_path(above)}".rstrip("/")
    for name in _directories(path + "/ns"):
        if name.startswith("."):
            continue
        if not rules.is_namespace(name):
            raise TaskFailure(f"iterating namespaces failed: not a valid namespace component: {name}")
        if len(above) < rules.MAX_NAMESPACE_DEPTH:
            yield from namespaces(base, (*above, name))


def groups(base: str, namespace: tuple[str, ...]) -> Iterator[str]:
    """The groups of a namespace, as `vm/100`."""
    path = f"{base}/{rules.namespace_path(namespace)}".rstrip("/")
    for kind in rules.GROUP_TYPES:
        for name in _directories(f"{path}/{kind}"):
            if rules.is_group(kind, name):
                yield f"{kind}/{name}"


def snapshots(base: str, namespace: tuple[str, ...], group: str) -> list[Snapshot]:
    """The snapshots of a group, newest first."""
    path = os.path.join(base, rules.namespace_path(namespace), group)
    names = sorted(filter(rules.is_snapshot, _directories(path)), reverse=True)
    return [Snapshot(namespace, group, name, f"{path}/{name}") for name in names]


def index_files(base: str) -> Iterator[str]:
    """Every name that ends as an index does, wherever it is visible: no hidden directory is entered, and no link.

    TaskFailure: a directory cannot be read, unless it is a `lost+found` at the top.
    """
    yield from _index_files(base, base, 0)


def _index_files(base: str, path: str, depth: int) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return  # pruned meanwhile
    except PermissionError:
        if depth <= 1 and os.path.basename(path) == "lost+found":
            return
        raise TaskFailure(f'cannot continue garbage-collection safely, permission denied on: "{path}"') from None
    except OSError as error:
        raise TaskFailure(f'unexpected error on datastore traversal: {rules.library_error(error)} - "{path}"') from None
    for entry in found:
        if entry.name.startswith("."):
            continue
        if rules.is_index(entry.name):
            yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _index_files(base, entry.path, depth + 1)
