# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find words and phrases that this project does not use: scripts/words.yml lists them with what to write instead.

usage: scripts/check_words.py [PATH...]

Without a path every text file of the repository is searched, except for those that `pending` in scripts/words.yml
excludes; an entry of `pending` that excludes nothing any more is an error, so that the list can only shrink. With
paths (files or directories), these are searched, pending or not.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORDS = ROOT / "scripts" / "words.yml"

# Between two words of a phrase: blanks or an underscore, or a line break with what may surround it in code (the end and
# the begin of a string literal, a comment mark, the mark of a quotation).
GAP = r"""(?:_|[ \t]|["'`]?\\?[ \t]*\n[ \t]*(?:\#+|//|\*|>)?[ \t]*[rbfRBF]{0,2}["'`]?)+"""
# A word begins after anything but a letter, or where a name of several words goes on (nameList, theName).
BEGIN = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
END = r"(?-i:(?![a-z])(?<=[a-z])|(?![A-Za-z]))"


@dataclasses.dataclass(frozen=True)
class Word:
    """A word or phrase that is not used. example: a sentence with it, and the same without it."""

    wrong: str
    instead: str
    why: str
    example: tuple[str, str]

    def pattern(self) -> re.Pattern[str]:
        """What finds it in a text, over line breaks. Raises `re.error`."""
        return re.compile(BEGIN + "(?:" + self.wrong.replace(" ", GAP) + ")" + END, re.IGNORECASE | re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Configuration:
    """scripts/words.yml. The last two are patterns of `fnmatch` on paths from the root."""

    words: tuple[Word, ...]
    ordinary: tuple[str, ...]
    not_ours: tuple[str, ...]
    pending: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Hit:
    """Where a word was found; lines count from 1."""

    path: str
    line: int
    found: str
    word: Word

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}: write {self.word.instead} ({self.word.why})"


def configuration(path: Path = WORDS) -> Configuration:
    """Raises `OSError`, `KeyError`, `TypeError`, and `yaml.YAMLError`."""
    read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = tuple(Word(**{**entry, "example": tuple(entry["example"])}) for entry in read["words"])
    lists = (tuple(read.get(name) or ()) for name in ("ordinary", "not_ours", "pending"))
    return Configuration(words, *lists)


def hits(path: str, text: str, words: Iterable[Word]) -> Iterator[Hit]:
    """What is found in a text, in the order of the words."""
    for word in words:
        for match in word.pattern().finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Hit(path, line, " ".join(match[0].split()), word)


def matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def project_files(root: Path, paths: Iterable[str] = ()) -> list[str]:
    """Files below `root` that git has or would add, without those that were deleted. Raises `CalledProcessError`."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return sorted({name for name in listed.split("\0") if name and (root / name).is_file()})


def text_of(path: Path) -> str:
    """The text of a file; nothing if it is not a text."""
    content = path.read_bytes()
    try:
        return "" if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return ""


def complaints(root: Path, config: Configuration, paths: Iterable[str] = ()) -> list[str]:
    """What is wrong, a line each. paths: search only these, pending or not."""
    paths = list(paths)
    found: list[str] = []
    needed = set()
    for name in project_files(root, paths):
        if matches(name, config.not_ours):
            continue
        excluded = [] if paths else [pattern for pattern in config.pending if matches(name, [pattern])]
        if excluded and needed.issuperset(excluded):
            continue
        here = sorted(hits(name, text_of(root / name), config.words), key=lambda hit: hit.line)
        if excluded:
            needed.update(excluded if here else ())
        else:
            found += [str(hit) for hit in here]
    if not paths:
        found += [
            f"scripts/words.yml: pending: {pattern}: nothing is found there any more: remove this entry"
            for pattern in config.pending
            if pattern not in needed
        ]
    return found


def main() -> int:
    found = complaints(ROOT, configuration(), [str(Path(path).resolve()) for path in sys.argv[1:]])
    print("\n".join(found), end="\n" * bool(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
