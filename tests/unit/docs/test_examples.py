# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the documentation is one that the collection understands, or it says what it needs.

What can be run is run by tests/integration/test_documentation.py.
"""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleetops.pbs.plugins.module_utils._judge import catalog
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.tests.support import examples
from ansible_collections.fleetops.pbs.tests.support.examples import COLLECTION, ROOT, Example

LANGUAGES = {"shell", "yaml", "json", "ini", "jinja", "text", "python"}

# The words that a command may begin with, if the block has no mark of its own: the integration test runs these.
RUNNABLE = ("ansible-playbook", "ansible-galaxy", "ansible-doc", "ansible-builder", "make", "sqlite3", "read", "cd")

PLAYBOOK_KEYS = {"hosts", "import_playbook"}
TASK_KEYWORDS = {
    "name", "become", "register", "run_once", "failed_when", "changed_when", "when", "delegate_to", "vars", "loop", "tags",
}  # fmt: skip
# Not ours, and well known.
OTHER_VARIABLES = {"ansible_user", "ansible_connection", "ansible_become"}
TEMPLATED = re.compile(r"\{\{|\{%")


def ids(found: list[Example]) -> list[str]:
    return [example.where for example in found]


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_there_are_examples_everywhere() -> None:
    assert len(examples.page_examples()) > 60
    assert {path.name for path in examples.pages()} >= {"README.md", "first_run.md", "controls.md"}


def test_every_block_says_what_it_is() -> None:
    assert [f"{e}: '{e.language}'" for e in examples.page_examples() if e.language not in LANGUAGES] == []


def test_a_mark_stands_right_before_its_block(tmp_path) -> None:
    page = ROOT / "docs/first_run.md"
    found = list(examples.blocks(page))
    assert [e.mark for e in found] == [""] * len(found)
    assert examples.mark_within("a: 1\n# needs: a disk\n") == "needs"
    assert examples.mark_within("a: 1  # needs care\n") == ""
    assert examples.commands("a --b \\\n  c   # comment\n\n# only this\nd '#' e\n") == ["a --b    c", "d '#' e"]


def test_what_is_neither_run_nor_checked_says_why() -> None:
    """A block in another language is an illustration; it stands under a comment that says of what."""
    assert [str(e) for e in examples.page_examples() if e.language not in ("shell", "yaml") and not e.mark] == []


SHELL = [e for e in examples.page_examples() if e.language == "shell"]


@pytest.mark.parametrize("example", SHELL, ids=ids(SHELL))
def test_a_shell_block_is_shell_and_known(example: Example) -> None:
    done = subprocess.run(["bash", "-n"], input=example.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if not example.mark:
        for command in examples.commands(example.text):
            assert command.split()[0] in RUNNABLE, f"nothing runs `{command}`, and nothing before the block says why"


# --- YAML -------------------------------------------------------------------------------------------------------------


def test_every_module_and_role_has_examples() -> None:
    found = examples.plugin_examples()
    assert [str(e) for e in found if not yaml.safe_load(e.text)] == []
    assert len(found) == len(list((ROOT / "plugins/modules").glob("*.py"))) + len(list((ROOT / "roles").iterdir()))


def test_every_module_has_return_values() -> None:
    found = examples.modules()
    assert [name for name, doc in found.items() if not doc["return"]] == []
    for name, doc in found.items():
        for key, value in doc["return"].items():
            assert value["description"], (name, key)
            assert value["returned"], (name, key)


def tasks_of(document: Any) -> Iterator[dict[str, Any]]:
    """Every task of plays, or of a list of tasks."""
    for item in document:
        if "hosts" in item:
            for part in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                yield from tasks_of(item.get(part, []))
        elif "block" in item:
            yield from tasks_of(item["block"])
        elif "import_playbook" not in item:
            yield item


def complaints(spec: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """What the argument spec has to say; what is a template is taken for right."""
    spec, given = copy.deepcopy(spec), copy.deepcopy(given)
    _forget_templates(spec, given)
    return list(ArgumentSpecValidator(spec).validate(given).error_messages)


def _forget_templates(spec: dict[str, Any], given: dict[str, Any]) -> None:
    for key, value in list(given.items()):
        if isinstance(value, str) and TEMPLATED.search(value) and key in spec:
            del given[key]
            spec[key] = {key: value for key, value in spec[key].items() if key != "required"}
        elif isinstance(value, dict) and isinstance(spec.get(key, {}).get("options"), dict):
            _forget_templates(spec[key]["options"], value)


def check_task(task: dict[str, Any]) -> None:
    names = [key for key in task if key not in TASK_KEYWORDS]
    assert len(names) == 1, f"which of {names} is the module?"
    (name,) = names
    assert name.count(".") >= 2, f"{name} is not a full name"
    assert task.get("name"), "a task has a name"
    if name.startswith(COLLECTION + "."):
        doc = examples.modules()[name]["doc"]
        assert complaints(examples.specification(doc["options"]), task[name] or {}) == []


def check_variables(given: dict[str, Any]) -> None:
    known = examples.variables()
    ours = {name: value for name, value in given.items() if name not in OTHER_VARIABLES}
    assert set(ours) <= set(known), "no role has such a variable"
    assert complaints({name: known[name] for name in ours}, ours) == []
    Policy.from_mapping(given.get("preflight_policy", {}))
    for waiver in given.get("preflight_waivers", []):
        assert waiver["control"] in catalog.BY_ID


def check_plays(document: list[dict[str, Any]]) -> None:
    for play in document:
        if "import_playbook" in play:
            name = play["import_playbook"].removeprefix(COLLECTION + ".")
            assert (ROOT / f"playbooks/{name}.yml").exists()
        check_variables(play.get("vars", {}))
        for role in play.get("roles", []):
            assert role["role"] in examples.roles()
            check_variables(role.get("vars", {}))
    for task in tasks_of(document):
        check_task(task)


def check_inventory(document: dict[str, Any]) -> None:
    for group in document.values():
        assert set(group) <= {"hosts", "vars", "children"}
        check_variables(group.get("vars", {}))
        for host in (group.get("hosts") or {}).values():
            check_variables(host or {})
        check_inventory(group.get("children", {}))


def check_execution_environment(document: dict[str, Any]) -> None:
    from ansible_builder import ee_schema

    ee_schema.validate_schema(document)


def check_requirements(document: dict[str, Any]) -> None:
    """requirements.yml of ansible-galaxy: it asks for this collection, in a version that there is."""
    (entry,) = document["collections"]
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert entry == {"name": COLLECTION, "version": f">={version}"}


def is_inventory(document: dict[str, Any]) -> bool:
    return all(isinstance(value, dict) and {"hosts", "children"} & set(value) for value in document.values())


YAML = examples.yaml_examples()


@pytest.mark.parametrize("example", YAML, ids=ids(YAML))
def test_a_yaml_block_is_understood(example: Example) -> None:
    document = examples.load(example)
    if example.mark and not example.where.startswith("role "):
        return
    if isinstance(document, dict):
        if document.get("version") == 3:
            check_execution_environment(document)
        elif "collections" in document:
            check_requirements(document)
        elif is_inventory(document):
            check_inventory(document)
        else:
            check_variables(document)
    elif isinstance(document, list) and PLAYBOOK_KEYS & set(document[0]):
        check_plays(document)
    else:
        assert isinstance(document, list)
        for task in tasks_of(document):
            check_task(task)


def test_what_is_not_understood_is_found() -> None:
    """The checks above can fail."""
    for wrong in (
        {"name": "x", "fleetops.pbs.atime_check": {"path": "/a", "prob": "private"}},
        {"name": "x", "fleetops.pbs.atime_check": {}},
        {"name": "x", "fleetops.pbs.datastore": {"name": "a", "tuning": {"chunk_order": "inodes"}}},
        {"name": "x", "debug": {}},
    ):
        with pytest.raises(AssertionError):
            check_task(wrong)
    for wrong in (
        {"preflight_fial_on": "high"},
        {"pbs_datastores": [{"name": "a", "mount": {"option": ["rw"]}}]},
        {"preflight_waivers": [{"control": "PBS-ATIME-01"}]},
    ):
        with pytest.raises(AssertionError):
            check_variables(wrong)
    check_task({"name": "x", "fleetops.pbs.atime_check": {"path": "{{ somewhere }}"}})
