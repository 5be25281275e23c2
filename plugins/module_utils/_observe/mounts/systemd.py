# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit files of systemd: names, contents with drop-ins, and what pulls a unit in."""

from __future__ import annotations

import dataclasses
import os
import string
import typing as t

_PLAIN = frozenset((string.ascii_letters + string.digits + ":_.").encode("ascii"))


@dataclasses.dataclass(frozen=True)
class UnitDirectory:
    path: str
    lasting: bool = True
    """Whether units here exist after a reboot, too (generators create theirs again)."""


UNIT_DIRECTORIES = (
    UnitDirectory("/etc/systemd/system.control"),
    UnitDirectory("/run/systemd/system.control", lasting=False),
    UnitDirectory("/run/systemd/transient", lasting=False),
    UnitDirectory("/run/systemd/generator.early"),
    UnitDirectory("/etc/systemd/system"),
    UnitDirectory("/etc/systemd/system.attached"),
    UnitDirectory("/run/systemd/system", lasting=False),
    UnitDirectory("/run/systemd/system.attached", lasting=False),
    UnitDirectory("/run/systemd/generator"),
    UnitDirectory("/usr/local/lib/systemd/system"),
    UnitDirectory("/usr/lib/systemd/system"),
    UnitDirectory("/lib/systemd/system"),
    UnitDirectory("/run/systemd/generator.late"),
)
"""The unit search path of systemd: the first unit with a name wins; see systemd.unit(5)."""


def unit_name_for(path: str, suffix: str = ".mount") -> str:
    r"""The name of the unit for a path, as from `systemd-escape --path --suffix=mount`.

    `/mnt/my-store` gives `mnt-my\x2dstore.mount`, `/` gives `-.mount`.
    """
    parts = [part for part in os.fsencode(path).split(b"/") if part not in (b"", b".")]
    escaped = "-".join("".join(map(_escaped, part)) for part in parts) or "-"
    if escaped.startswith("."):
        escaped = "\\x2e" + escaped[1:]
    return escaped + suffix


def _escaped(byte: int) -> str:
    return chr(byte) if byte in _PLAIN else f"\\x{byte:02x}"


Setting = tuple[str, str, str]
"""Section, key and value."""


def parse_unit(text: bytes) -> list[Setting]:
    """The settings of a unit file in order, without lines that systemd ignores with a warning."""
    settings: list[Setting] = []
    section = ""
    pending = ""
    for raw in text.split(b"\n"):
        line = os.fsdecode(raw).strip(" \t\r")
        # A comment between continued lines does not end them.
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        line = (pending + line).strip(" \t")
        pending = ""
        if line.startswith("["):
            section = line[1:-1] if line.endswith("]") else ""
            continue
        key, equals, value = line.partition("=")
        if section and equals:
            settings.append((section, key.strip(" \t"), value.strip(" \t")))
    return settings


def split_words(value: str, keep_backslashes: bool) -> list[str]:
    """The words of a list setting, respecting quotes; a backslash is kept (unit names) or removed (paths)."""
    words: list[str] = []
    word: t.Optional[str] = None
    quote = ""
    escaped = False
    for char in value:
        if escaped:
            word = (word or "") + char
            escaped = False
        elif char == "\\" and not keep_backslashes:
            escaped = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word = (word or "") + char
        elif char in "\"'":
            quote = char
            word = word or ""
        elif char in " \t":
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
    if word is not None:
        words.append(word)
    return words


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit as systemd assembles it from its file and its drop-ins."""

    name: str
    file: str
    """Path of the unit file."""
    lasting: bool
    masked: bool
    settings: tuple[Setting, ...]

    def value(self, section: str, key: str) -> str:
        """The last value, which is the effective one; empty if it is not set."""
        found = ""
        for where, name, value in self.settings:
            if where == section and name == key:
                found = value
        return found.replace("%%", "%")

    def units(self, key: str) -> set[str]:
        """The units that a dependency such as `After=` names; an empty value does not reset it."""
        return {word for value in self._all(key) for word in split_words(value, keep_backslashes=True)}

    def paths(self, key: str) -> list[str]:
        """The paths of `RequiresMountsFor=` or `WantsMountsFor=`."""
        words = (word for value in self._all(key) for word in split_words(value, keep_backslashes=False))
        return [word.replace("%%", "%") for word in words]

    def _all(self, key: str) -> list[str]:
        return [value for section, name, value in self.settings if section == "Unit" and name == key]

    @property
    def default_dependencies(self) -> bool:
        """Whether it has the default ordering, which only an explicit no disables."""
        return self.value("Unit", "DefaultDependencies").lower() not in ("0", "no", "n", "false", "f", "off")


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link in `PARENT.wants/` or `PARENT.requires/`: the parent pulls the unit in."""

    parent: str
    kind: str
    """`wants` or `requires`."""
    lasting: bool


class Units:
    """The unit files of a host, read on demand and each once."""

    def __init__(self, directories: t.Sequence[UnitDirectory] = UNIT_DIRECTORIES) -> None:
        self._directories = _different(directories)
        self._links: t.Optional[dict[str, list[Link]]] = None
        self._units: dict[str, t.Optional[Unit]] = {}

    def get(self, name: str) -> t.Optional[Unit]:
        """The unit with this name; None if there is no such file. Raises `OSError` if it cannot be read."""
        if name not in self._units:
            self._units[name] = self._load(name)
        return self._units[name]

    def links_to(self, name: str) -> list[Link]:
        """What pulls the unit in. Raises `OSError`."""
        if self._links is None:
            self._links = self._read_links()
        return self._links.get(name, [])

    def _load(self, name: str) -> t.Optional[Unit]:
        for directory in self._directories:
            path = os.path.join(directory.path, name)
            if not os.path.lexists(path):
                continue
            # A unit is masked by a link to /dev/null or by an empty file.
            text = b"" if os.path.realpath(path) == os.devnull else _read(path)
            if text is None:
                continue
            settings = parse_unit(text)
            for drop_in in self._drop_ins(name):
                settings += parse_unit(_read(drop_in) or b"")
            return Unit(name, path, directory.lasting, not text, tuple(settings))
        return None

    def _drop_ins(self, name: str) -> list[str]:
        """Drop-ins in the order in which systemd applies them; the first one with a name hides the others."""
        found: dict[str, str] = {}
        for holder in _drop_in_directories(name):
            for directory in self._directories:
                path = os.path.join(directory.path, holder)
                for entry in _listing(path):
                    if entry.endswith(".conf"):
                        found.setdefault(entry, os.path.join(path, entry))
        return [found[entry] for entry in sorted(found)]

    def _read_links(self) -> dict[str, list[Link]]:
        links: dict[str, list[Link]] = {}
        for directory in self._directories:
            for holder in _listing(directory.path):
                parent, _dot, kind = holder.rpartition(".")
                if kind in ("wants", "requires"):
                    for name in _listing(os.path.join(directory.path, holder)):
                        links.setdefault(name, []).append(Link(parent, kind, directory.lasting))
        return links


def _drop_in_directories(name: str) -> t.Iterator[str]:
    """`a-b.mount.d`, `a-.mount.d`, `mount.d`: from the most specific to the most general."""
    stem, _dot, kind = name.rpartition(".")
    yield name + ".d"
    parts = stem.split("-")
    for count in range(len(parts) - 1, 0, -1):
        yield f"{'-'.join(parts[:count])}-.{kind}.d"
    yield kind + ".d"


def _different(directories: t.Sequence[UnitDirectory]) -> list[UnitDirectory]:
    """Remove directories that are the same under a second name, for example /lib as a link to /usr/lib."""
    different: dict[str, UnitDirectory] = {}
    for directory in directories:
        different.setdefault(os.path.realpath(directory.path), directory)
    return list(different.values())


def _listing(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: str) -> t.Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        return None
