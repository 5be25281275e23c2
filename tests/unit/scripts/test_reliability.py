# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was tried: rows come from campaigns, and stay until theirs ran again."""

from __future__ import annotations

import signal
import subprocess

import pytest

from ansible_collections.fleetops.pbs.scripts import reliability

EMPTY = f"before\n{reliability.BEGIN}\n{reliability.END}\nafter\n"


def row(test, tried=1, thorough=True, section="Attacks"):
    return {
        "section": section,
        "test": test,
        "attack": "a | b",
        "promise": "nothing",
        "tried": tried,
        "thorough": thorough,
        "outcomes": {"refused": tried},
    }


def lines(text):
    return [line for line in text.splitlines() if line.startswith(("### ", "| a"))]


def test_a_row_says_what_how_often_and_how_to_repeat_it():
    text = reliability.page(EMPTY, [row("test_one", 1500)], whole=True)
    again = '`make reliability ARGS="-k test_one"`'
    assert lines(text) == ["### Attacks", f"| a \\| b | nothing | 1,500 | refused: 1,500 | {again} |"]
    assert (text.startswith("before\n"), text.endswith("\nafter\n")) == (True, True)


def test_a_choice_renews_its_rows_and_leaves_the_others():
    text = reliability.page(EMPTY, [row("test_one"), row("test_two"), row("test_one", section="Faults")], whole=True)
    text = reliability.page(text, [row("test_one", 7, thorough=False)], whole=False)
    assert [line.split(" | ")[2] for line in lines(text) if line.startswith("| a")] == ["1", "7 (short)", "1"]
    assert lines(reliability.page(text, [row("test_two")], whole=True))[1:] == [reliability.new_row(row("test_two"))]


def test_a_parameter_with_a_blank_is_no_word_for_pytest():
    assert reliability.command("test_one[big-store]").endswith('-k test_one[big-store]"`')
    assert reliability.command("test_one[a b]").endswith('-k test_one"`')


# --- a run of all of them ----------------------------------------------------------------------------------------------

TREE = {
    "docs/reliability.md": EMPTY,
    "tests/reliability/conftest.py": """
import json, os, pytest

@pytest.fixture
def campaign(request):
    yield
    if request.node.stash.get("passed", False):
        row = {"section": "Attacks", "test": request.node.name, "node": request.node.nodeid, "attack": "a", "promise": "b"}
        row.update(tried=3, thorough=os.environ["RELIABILITY"] == "thorough", outcomes={"refused": 3})
        with open(os.environ["RELIABILITY_RESULTS"], "a") as results:
            results.write(json.dumps(row) + "\\n")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.when == "call":
        item.stash["passed"] = report.passed
    return report
""",
    "tests/reliability/test_one.py": """
import os, pytest

def test_one(campaign):
    pass

@pytest.mark.parametrize("kind", ["a b", "c"])
def test_two(campaign, kind):
    assert kind == "c" or os.path.exists(os.environ["GOOD"])
""",
    "pytest.ini": "[pytest]\n",
    ".gitignore": ".cache\n__pycache__\n",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with three campaigns, one of which fails as long as there is no file `good` beside it."""
    root = tmp_path / "tree"
    for name, text in TREE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    commit(root, "first")
    monkeypatch.setenv("GOOD", str(tmp_path / "good"))
    monkeypatch.setattr(reliability, "ROOT", root)
    monkeypatch.setattr(reliability, "PAGE", root / "docs/reliability.md")
    monkeypatch.chdir(root)  # and back again
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p pytest_timeout")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield root
    for number, handler in before.items():
        signal.signal(number, handler)


def commit(root, message):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(root)]
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "--no-gpg-sign", "-m", message], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_the_page_names_the_state_of_the_tree_on_which_all_of_them_passed(tree, tmp_path):
    (tmp_path / "good").touch()
    head = reliability.commit_of_tree()
    assert reliability.main(["--jobs", "2"]) == 0
    text = (tree / "docs/reliability.md").read_text()
    assert f"All 3 campaigns ran at full length on one state of the tree, commit {head}: from " in text
    assert "2 at a time" in text
    assert len([line for line in text.splitlines() if line.startswith("| a |")]) == 3
    # A row that is renewed may be of another state, so the page says no more that all are of one.
    assert reliability.main(["-k", "test_one"]) == 0
    text = (tree / "docs/reliability.md").read_text()
    assert reliability.MIXED in text
    assert "one state of the tree, commit" not in text
    assert len([line for line in text.splitlines() if line.startswith("| a |")]) == 3


def test_a_campaign_that_fails_is_named_also_when_it_passes_later(tree, tmp_path, capsys):
    assert reliability.main(["--jobs", "2"]) == 1
    assert "tests/reliability/test_one.py::test_two[a b]" in capsys.readouterr().out
    assert (tree / "docs/reliability.md").read_text() == EMPTY
    (tmp_path / "good").touch()
    assert reliability.main(["--continue"]) == 0
    text = (tree / "docs/reliability.md").read_text()
    assert "All 3 campaigns ran at full length" in text
    assert "At first these failed, and were run again: test_two[a b]." in text


def test_another_state_of_the_tree_is_no_continuation(tree, tmp_path):
    assert reliability.main([]) == 1
    (tree / "tests/reliability/test_one.py").write_text("def test_one(campaign):\n    pass\n")
    with pytest.raises(SystemExit, match="the tree is not the commit of that run"):
        reliability.main(["--continue"])
    (tmp_path / "good").touch()
    assert reliability.main([]) == 0
    assert reliability.MIXED in (tree / "docs/reliability.md").read_text()
    commit(tree, "second")
    with pytest.raises(SystemExit, match="the tree is not the commit of that run"):
        reliability.main(["--continue"])


def test_a_tree_that_changed_meanwhile_is_no_single_state():
    run = reliability.Run("abc", 0.0, 2)
    assert "commit abc: from 1970-01-01 00:00 to 1970-01-01 01:01 UTC (61 min 40 s)" in run.told(3, 3700.0, "abc")
    assert run.told(3, 3700.0, "def") == run.told(3, 3700.0, "") == reliability.MIXED
    assert reliability.Run("", 0.0, 2).told(3, 3700.0, "") == reliability.MIXED


def test_many_campaigns_of_one_function_share_processes_and_the_longest_come_first():
    nodes = [f"tests/reliability/t.py::test_a[{n}]" for n in range(3)]
    nodes += [f"tests/reliability/p.py::test_without[{n}]" for n in range(17)]
    found = list(reliability.units(nodes).items())
    assert [(name, len(some)) for name, some in found] == [
        ("03-test_without", 8),
        ("04-test_without", 8),
        ("05-test_without", 1),
        ("00-test_a", 1),
        ("01-test_a", 1),
        ("02-test_a", 1),
    ]
    assert sorted(node for _name, some in found for node in some) == sorted(nodes)
