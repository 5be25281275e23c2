# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import typing as t

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge import document
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge, mark_fixed
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._version import VERSION
from ansible_collections.fleetops.pbs.tests.support import facts

NONE = type(None)


ROOT = pathlib.Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs/document.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def judged(host, stores, check_mode=False, **question):
    question = Question(**{"policy": Policy(), "now": facts.NOW, **question})
    findings = judge(host, stores, question)
    return document.build(host, stores, findings, facts.NOW, facts.NOW + 1.5, check_mode, document.Asked())


# --- facts as nobody has ever seen them -------------------------------------------------------------------------------

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(["", "ok", "rw", "ro"])
)
PATH = st.lists(st.sampled_from(["mnt", "a", "b", "tank", ".x", "it's", "\x1b[2J", "\n"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
WORDS = {
    "state": ["absent", "empty", "foreign", "half-made", "whole", "ok", "warning", "error", "running", "created"],
    "fstype": ["ext4", "ext3", "xfs", "nfs4", "cifs", "vfat", "fuse.s3fs", "autofs", "fuse"],
    "options": ["rw", "ro", "noatime", "relatime", "hard", "soft", "nolock", "uid=0", "gid=0", "forceuid", "forcegid"],
    "scope": ["full", "sample", "skeleton", "none"],
    "type": ["file", "directory", "link"],
    "flags": ["immutable", "append"],
    "kind": ["fstab", "systemd", "zfs", "pbs"],
    "maintenance_type": ["", "read-only", "offline", "delete"],
    "active_state": ["", "active", "failed"],
    "mode": ["private", "marker", "none", "0700", "0755"],
    "step": ["", "create", "open", "stat", "utimensat"],
    "backend": ["filesystem", "s3"],
}
WORDS["super_options"] = WORDS["options"]
PATHS = ("path", "realpath", "mount_point", "where", "root", "blocked_at", "file")
TUNING = st.fixed_dictionaries(
    {},
    optional={
        "gc-atime-safety-check": st.booleans(),
        "gc-atime-cutoff": st.integers(1, 2880),
        "chunk-order": st.sampled_from(["none", "inode"]),
    },
)
ERRNO = st.sampled_from([0, 1, 2, 5, 13, 28, 30, 38, 95, 116, 122])


def values(name: str, kind: t.Any) -> st.SearchStrategy[t.Any]:
    """Anything that the type of a fact allows, near enough to the real thing to reach every branch."""
    origin, args = t.get_origin(kind), t.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return anything(kind)
    if origin is t.Union:
        return st.none() | values(name, next(arg for arg in args if arg is not NONE))
    if origin is list:
        return st.lists(values(name, args[0]), max_size=3)
    if name == "tuning":
        return TUNING
    if origin is dict:
        return st.dictionaries(TEXT, TEXT if args[1] is t.Any else values(name, args[1]), max_size=2)
    if kind is str:
        return st.sampled_from(WORDS[name]) if name in WORDS else PATH if name in PATHS else TEXT
    if name == "errno":
        return ERRNO
    return {
        bool: st.booleans(),
        int: st.integers(0, 70_000) | st.integers(-(2**70), 2**70),
        float: st.floats(0, 1e6),
    }[kind]


def anything(cls: t.Any) -> st.SearchStrategy[t.Any]:
    hints = t.get_type_hints(cls)
    return st.builds(cls, **{name: values(name, hint) for name, hint in hints.items()})


HOSTS = anything(HostFacts).map(lambda host: dataclasses.replace(host, name=host.name or "pbs1"))
STORES = st.lists(anything(StoreFacts), max_size=3)
QUESTIONS = st.fixed_dictionaries(
    {
        "declarations": st.none()
        | st.just({})
        | st.just({"tank": {"name": "tank", "path": "/mnt/x", "mount": {"source": "UUID=1", "options": ["ro"]}}}),
        "waivers": st.sampled_from(["2020-01-01", "2099-01-01"]).map(
            lambda until: parse_waivers([{"control": "PBS-HOST-01", "justification": "x", "until": until}])
        ),
    }
)
MANY = hypothesis.settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)


@MANY
@hypothesis.given(HOSTS, STORES, QUESTIONS, st.booleans())
def test_whatever_was_observed_becomes_a_valid_document(host, stores, question, check_mode):
    made = judged(host, stores, check_mode, **question)
    VALIDATOR.validate(made)
    again = json.loads(json.dumps(made))
    assert again == made
    assert load(HostFacts, again["observed"]) == host
    assert [load(StoreFacts, store["observed"]) for store in again["datastores"]] == stores
    for finding in made["findings"]:
        assert finding["message"].strip()
        assert finding["message"].isprintable()
        assert finding["remedy"].isprintable()
        if finding["status"] in ("fail", "warn"):
            assert finding["remedy"].strip()


# --- one that is known ------------------------------------------------------------------------------------------------


def test_a_document_says_what_was_asked():
    asked = document.Asked(scope="sample", controls=["PBS-ATIME-01"], policy=Policy(gc_max_age_days=3))
    made = document.build(facts.host(), [], [], facts.NOW, facts.NOW, False, asked)["asked"]
    assert (made["scope"], made["controls"], made["declared"]) == ("sample", ["PBS-ATIME-01"], False)
    assert made["policy"]["gc_max_age_days"] == 3
    assert set(made["policy"]) == set(Policy.__dataclass_fields__)
    assert made == json.loads(json.dumps(made))


def test_a_document_says_what_run_made_it():
    host, stores = facts.host(), [facts.store(), facts.store("vault", 1)]
    made = judged(host, stores, check_mode=True)
    assert {
        key: made[key] for key in made if key not in ("asked", "observed", "datastores", "findings", "summary")
    } == {
        "schema": "fleetops.pbs/preflight",
        "schema_version": 1,
        "host": "pbs1",
        "started": document.timestamp(facts.NOW),
        "finished": document.timestamp(facts.NOW + 1.5),
        "collection_version": VERSION,
        "pbs_version": "4.2.5-1",
        "check_mode": True,
    }
    assert [(store["name"], store["path"]) for store in made["datastores"]] == [
        ("tank", "/mnt/datastore/tank"),
        ("vault", "/mnt/datastore/vault"),
    ]
    assert made["observed"] == dataclasses.asdict(host)
    assert made["summary"]["pass"] == sum(finding["status"] == "pass" for finding in made["findings"])


def test_waived_and_fixed_findings_are_valid_too():
    host = facts.change(facts.host(), {"old_locking": True})
    waivers = parse_waivers([{"control": "PBS-HOST-05", "justification": "x", "until": "2099-01-01"}])
    findings = judge(host, [facts.store()], Question(Policy(), facts.NOW, waivers=waivers))
    mark_fixed([{"control": "PBS-OWNER-03", "datastore": "tank", "status": "fail"}], findings)
    made = document.build(host, [facts.store()], findings, facts.NOW, facts.NOW, False, document.Asked())
    VALIDATOR.validate(made)
    assert (made["summary"]["waived"], made["summary"]["fixed"]) == (1, 1)


def test_a_host_without_anything():
    host = facts.change(facts.host(), {"pbs_installed": False, "pbs_version": None})
    made = judged(host, [])
    VALIDATOR.validate(made)
    assert made["datastores"] == []
    assert made["summary"]["worst"] is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1735689600.0, "2025-01-01T00:00:00.000Z"),
        (1735689600.0625, "2025-01-01T00:00:00.062Z"),
        (1735689600.9999, "2025-01-01T00:00:00.999Z"),
    ],
)
def test_timestamps(seconds, text):
    assert document.timestamp(seconds) == text
    assert re.fullmatch(SCHEMA["properties"]["started"]["pattern"], text)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("findings", 0, "status"), "maybe"),
        (("findings", 0, "severity"), "urgent"),
        (("findings", 0, "control"), "PBS-HOST-99"),
        (("summary", "pass"), -1),
        (("schema_version",), 2),
        (("started",), "yesterday"),
        (("host",), ""),
        (("more",), 1),
        (("observed", "account", "uid"), "34"),
        (("datastores", 0, "observed", "extra"), None),
    ],
)
def test_the_schema_refuses(place, value):
    made = json.loads(json.dumps(judged(facts.host(), [facts.store()])))
    VALIDATOR.validate(made)
    *way, last = place
    inner = made
    for part in way:
        inner = inner[part]
    inner[last] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(made)
