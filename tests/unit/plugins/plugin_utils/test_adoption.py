# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.plugin_utils._adoption import MAX_SIZE, NotADeclaration, render

NAMES_MARKS = "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\n"


def read(text: str, path: Path) -> Any:
    """The variables as Ansible reads them, with their templates evaluated."""
    path.write_text(text)
    loader = DataLoader()
    return Templar(loader=loader).template(loader.load_from_file(str(path), trusted_as_template=True))


def test_the_file_as_people_read_it() -> None:
    declaration = {
        "pbs_datastores": [
            {
                "tuning": {"gc_atime_cutoff": 1445},
                "name": "tank",
                "path": "/mnt/datastore/tank",
                "gc_schedule": "sat 03:00",
                "verify_jobs": [{"schedule": "daily", "id": "tank-verify"}],
                "mount": {"path": "/mnt/datastore/tank", "fstype": "ext4"},
            }
        ],
        "pbs_remotes": [{"name": "offsite", "host": "pbs2.example.org", "auth_id": "sync@pbs"}],
        "pbs_notification_targets": [
            {
                "name": "chat",
                "type": "webhook",
                "url": "https://chat.example.org/{{ secrets.tok }}",
                "body": "{{ title }}\n{{ message }}",
            }
        ],
        "pbs_traffic_controls": [],
    }
    secrets = [
        {
            "variable": "pbs_remotes",
            "name": "offsite",
            "option": "password",
            "placeholder": "vault_pbs_remote_offsite_password",
        },
        {
            "variable": "pbs_notification_targets",
            "name": "chat",
            "option": "secrets.tok",
            "placeholder": "vault_pbs_notification_target_chat_tok",
        },
    ]
    notes = [{"variable": "pbs_datastores", "name": "tank", "text": "mount.source: /dev/sdb1"}]
    assert render("pbs1", declaration, secrets, notes) == (
        "# The configuration of Proxmox Backup Server on pbs1, as fleetops.pbs.adopt found it. Edit it as you like:\n"
        "# the playbook provision makes the host match this file, and preflight reports every difference.\n"
        "#\n"
        "# PBS does not show secrets, so they are not here. PBS keeps those that it has; to create an entry again, on this\n"
        "# or another host, define these variables, for example with ansible-vault:\n"
        "#   vault_pbs_notification_target_chat_tok\n"
        "#   vault_pbs_remote_offsite_password\n"
        "---\n"
        "pbs_remotes:\n"
        "  - name: offsite\n"
        "    auth_id: sync@pbs\n"
        "    host: pbs2.example.org\n"
        '    password: "{{ vault_pbs_remote_offsite_password | default(none) }}"\n'
        "\n"
        "pbs_datastores:\n"
        "  - name: tank\n"
        "    path: /mnt/datastore/tank\n"
        "    gc_schedule: sat 03:00\n"
        "    tuning:\n"
        "      gc_atime_cutoff: 1445\n"
        "    mount:\n"
        "      path: /mnt/datastore/tank\n"
        "      fstype: ext4\n"
        "    verify_jobs:\n"
        "      - id: tank-verify\n"
        "        schedule: daily\n"
        "    # mount.source: /dev/sdb1\n"
        "\n"
        "pbs_traffic_controls: []\n"
        "\n"
        "pbs_notification_targets:\n"
        "  - name: chat\n"
        "    type: webhook\n"
        "    body: !unsafe |-\n"
        "      {{ title }}\n"
        "      {{ message }}\n"
        '    url: !unsafe "https://chat.example.org/{{ secrets.tok }}"\n'
        "    secrets:\n"
        '      tok: "{{ vault_pbs_notification_target_chat_tok | default(none) }}"\n'
    )


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.sampled_from(
        ["yes", "08:00", "~", "", " x", "x ", "1e3", "0o7", "a: b", "- a", "# a", "a\nb", "a\n\n", "\n", "é\n b"]
    ),
    st.sampled_from(
        [
            "{{ 1 + 1 }}",
            "{% raw %}",
            "a {{ lookup('pipe', 'id') }}\nb",
            "{# x #}",
            "{{ x }}\n",
            "!unsafe x",
            f"{NAMES_MARKS}[% x %]",
        ]
    ),
)
OPTIONS = st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True)
ENTRIES = st.dictionaries(
    OPTIONS, st.one_of(VALUES, st.lists(VALUES, max_size=3), st.dictionaries(OPTIONS, VALUES, max_size=3)), max_size=5
)


@example(entries=[{"no": False, "null": 1}])
@given(entries=st.lists(ENTRIES.filter(bool), max_size=3))
def test_every_value_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
    declaration = {"pbs_datastores": entries}
    path = tmp_path_factory.getbasetemp() / "adopted.yml"
    assert read(render("pbs1", declaration, [], []), path) == declaration


def test_a_placeholder_without_its_variable_is_none(tmp_path: Path) -> None:
    secret = {
        "variable": "pbs_remotes",
        "name": "offsite",
        "option": "password",
        "placeholder": "vault_pbs_remote_offsite_pw",
    }
    text = render("pbs1", {"pbs_remotes": [{"name": "offsite"}]}, [secret], [])
    assert read(text, tmp_path / "vars.yml") == {"pbs_remotes": [{"name": "offsite", "password": None}]}


def test_a_first_line_that_names_other_marks_makes_no_template(tmp_path: Path) -> None:
    """Ansible takes the marks of a template from a first line that begins with `#jinja2:`."""
    text = NAMES_MARKS + "[% lookup('ansible.builtin.pipe', 'id') %]"
    declaration = {"pbs_remotes": [{"name": "a", "comment": text}]}
    assert read(render("pbs1", declaration, [], []), tmp_path / "vars.yml") == declaration


def nested(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {"name": "a"}
    for _level in range(levels):
        made = {"a": made}
    return made


@pytest.mark.parametrize(
    ("declaration", "secrets", "notes"),
    [
        ({"ansible_connection": "local"}, [], []),
        ({"pbs_remotes": {"a": 1}}, [], []),
        ({"pbs_remotes": ["a"]}, [], []),
        ({"pbs_remotes": [{"{{ 1 }}": "a"}]}, [], []),
        ({"pbs_remotes": [{"a\nansible_connection": "a"}]}, [], []),
        ({"pbs_remotes": [{"a": None}]}, [], []),
        ({"pbs_remotes": [{"a": 1.5}]}, [], []),
        ({}, [{"variable": "pbs_remotes", "name": "a", "option": "b", "placeholder": "x | lookup('pipe', 'id')"}], []),
        (
            {"pbs_remotes": [{"name": "a"}]},
            [{"variable": "pbs_remotes", "name": "a", "option": "b\nc", "placeholder": "x"}],
            [],
        ),
        ({}, [], [{"variable": "pbs_remotes", "name": "a"}]),
        *(
            ({}, [{"variable": "pbs_remotes", "name": "a", "option": "password", "placeholder": placeholder}], [])
            for placeholder in (
                "ansible_become_password",
                "vault_pbs_s3_endpoint_secret_key",
                "vault_root_password",
                "vault_pbs_remote_offsite_password",
            )
        ),
        ({}, [{"variable": "roots", "name": "a", "option": "b", "placeholder": "vault_root_a_b"}], []),
        ({}, [], [{"variable": "roots", "name": "a", "text": "x"}]),
        ({"pbs_remotes": [nested(30)]}, [], []),
        ({"pbs_remotes": [nested(5000)]}, [], []),
        ({"pbs_remotes": [{"name": "a" * (MAX_SIZE + 1)}]}, [], []),
        ({"pbs_remotes": [{"name": 10**5000}]}, [], []),
    ],
)
def test_what_no_host_may_write(declaration: Any, secrets: Any, notes: Any) -> None:
    with pytest.raises(NotADeclaration):
        render("pbs1", declaration, secrets, notes)


def test_a_note_ends_no_comment(tmp_path: Path) -> None:
    note = {"variable": "pbs_remotes", "name": "a", "text": "x\nansible_connection: local\u2028pbs_x: 1\x85y: 1"}
    text = render("a\nb: 1", {"pbs_remotes": [{"name": "a"}]}, [], [note])
    assert read(text, tmp_path / "vars.yml") == {"pbs_remotes": [{"name": "a"}]}


@pytest.mark.parametrize("text", ["a\u202eb", "a\nb\u202ec\n", "a\x1b[2Jb", "\u2066x", "a\x85b\n"])
def test_nothing_in_the_file_is_shown_as_something_else(tmp_path: Path, text: str) -> None:
    """People read it, and Ansible shows the difference."""
    made = render("pbs1", {"pbs_remotes": [{"name": "a", "comment": text}]}, [], [])
    assert all(char.isprintable() or char == "\n" for char in made)
    assert read(made, tmp_path / "vars.yml") == {"pbs_remotes": [{"name": "a", "comment": text}]}
