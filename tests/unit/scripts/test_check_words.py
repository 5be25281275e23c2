# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for words that this project does not use, and the list of these words."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_words.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_words", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_words"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


check_words = load()
CONFIG = check_words.configuration()


def word(wrong: str) -> check_words.Word:
    return check_words.Word(wrong, "the right one", "for a reason", ("", ""))


def lines(text: str, wrong: str) -> list[int]:
    return [hit.line for hit in check_words.hits("file", text, [word(wrong)])]


@pytest.mark.parametrize("entry", CONFIG.words, ids=lambda entry: entry.example[0])
def test_each_entry_finds_its_example(entry):
    wrong, right = entry.example
    assert list(check_words.hits("file", wrong, [entry]))
    assert not list(check_words.hits("file", right, CONFIG.words))


@pytest.mark.parametrize("sentence", CONFIG.ordinary)
def test_ordinary_english_is_left_alone(sentence):
    assert not list(map(str, check_words.hits("file", sentence, CONFIG.words)))


@pytest.mark.parametrize(
    "text",
    [
        "one frob",
        "Frobs.",
        "def run_frob():",
        "FROB = 1",
        "class FrobQueue:",
        "theFrob()",
        "frob_2",
        "`frob`",
        "(frobs)",
    ],
)
def test_words_and_names_are_found(text):
    assert lines(text, "frobs?") == [1]


@pytest.mark.parametrize("text", ["frobnicate", "unfrob", "Frobenius", "frobsy", "a frobx"])
def test_other_words_are_not(text):
    assert lines(text, "frobs?") == []


@pytest.mark.parametrize(
    "text",
    [
        "is odd",
        "is  odd",
        "is\nodd",
        "# what is\n# odd",
        "    // is\n    // odd",
        "     * is\n     * odd",
        "> is\n> odd",
        '    "this is "\n    f"odd"',
        "  'is '\n  'odd'",
        "def test_is_odd():",
        "a is \\\n  odd",
    ],
)
def test_phrases_are_found_over_line_breaks(text):
    assert lines(text, "is odd") == [1]


@pytest.mark.parametrize("text", ["is, odd", "is\n\n\n- not odd", "is oddly", "this odd"])
def test_what_is_no_phrase_is_not(text):
    assert lines(text, "is odd") == []


def test_lines_are_counted():
    assert lines("frob\n\nno\nfrob and frob\n", "frob") == [1, 4, 4]


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "init", "--quiet", root], check=True, capture_output=True)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def complaints(self, paths=(), *, pending=(), not_ours=()) -> list[str]:
        config = check_words.Configuration((word("frob"),), (), tuple(not_ours), tuple(pending))
        return check_words.complaints(self.root, config, paths)


@pytest.fixture
def project(tmp_path) -> Project:
    made = Project(tmp_path)
    made.write("docs/one.md", "A text.\nOne frob.\n")
    made.write("code.py", "x = 1\n")
    return made


def test_a_complaint_says_where_and_what_to_write(project):
    assert project.complaints() == ["docs/one.md:2: 'frob': write the right one (for a reason)"]


def test_texts_of_others_are_not_searched(project):
    assert project.complaints(not_ours=["docs/*"]) == []


def test_pending_files_are_not_searched_unless_they_are_named(project):
    assert project.complaints(pending=["docs/*"]) == []
    assert len(project.complaints(["docs"], pending=["docs/*"])) == 1
    assert project.complaints(["code.py"], pending=["docs/*"]) == []


def test_a_pending_entry_that_is_clean_has_to_go(project):
    (complaint,) = project.complaints(pending=["docs/*", "code.py"])
    assert complaint.startswith("scripts/words.yml: pending: code.py: ")


def test_a_pending_entry_that_excludes_no_file_has_to_go(project):
    (complaint,) = project.complaints(pending=["docs/*", "gone/*"])
    assert complaint.startswith("scripts/words.yml: pending: gone/*: ")


def test_what_git_ignores_what_was_deleted_and_what_is_no_text_is_passed_over(project):
    project.write(".gitignore", "/made/\n")
    project.write("made/frob.md", "frob")
    (project.root / "frob.png").write_bytes(b"\x89PNG frob \xff")
    (project.root / "frob.bin").write_bytes(b"frob\0")
    subprocess.run(["git", "-C", project.root, "add", "docs"], check=True)
    (project.root / "docs/one.md").unlink()
    assert project.complaints() == []


def test_as_a_program(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run([sys.executable, SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
