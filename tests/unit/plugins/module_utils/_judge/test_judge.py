# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import shlex

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge import judge as judging
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BY_ID, CONTROLS
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import (
    Finding,
    Question,
    judge,
    mark_fixed,
    summarise,
    worst,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import STATUSES
from ansible_collections.fleetops.pbs.tests.support import facts

HOST_CONTROLS = [control.id for control in CONTROLS if control.id.startswith("PBS-HOST-")]
STORE_CONTROLS = [control.id for control in CONTROLS if control.scope == "datastore"]


def ask(host=None, stores=None, **question):
    question = {"policy": Policy(), "now": facts.NOW, **question}
    return judge(host or facts.host(), [facts.store()] if stores is None else stores, Question(**question))


def finding(status, severity="high", control="PBS-ATIME-01", datastore="tank"):
    return Finding(control, datastore, status, severity, "message", "remedy", {})


# --- which control is asked about what --------------------------------------------------------------------------------


def test_the_host_comes_first_then_each_datastore_in_the_order_of_the_catalog():
    findings = ask(stores=[facts.store("tank"), facts.store("vault", 1)])
    expected = [(control, None) for control in HOST_CONTROLS]
    expected += [(control, name) for name in ("tank", "vault") for control in STORE_CONTROLS]
    expected += [("PBS-WAIVER-01", None)]
    assert [(finding.control, finding.datastore) for finding in findings] == expected


def test_only_the_controls_that_are_asked_for():
    findings = ask(controls=["PBS-OWNER-03", "PBS-HOST-02"])
    assert [finding.control for finding in findings] == ["PBS-HOST-02", "PBS-OWNER-03"]


def test_a_host_with_nothing_to_do_with_pbs():
    host = facts.change(facts.host(), {"pbs_installed": False, "pbs_version": None, "account.uid": None})
    host.config_dir.exists = False
    assert {finding.status for finding in ask(host, [])} == {"skip"}


def test_a_host_that_pbs_will_be_installed_on():
    """A datastore is declared: what does not need PBS is judged."""
    host = facts.change(facts.host(), {"pbs_installed": False, "account.uid": None})
    store = facts.change(facts.store(), {"configured": None})
    statuses = {f.control: f.status for f in ask(host, [store], declarations={"tank": {"name": "tank"}})}
    assert statuses["PBS-HOST-01"] == "fail"
    assert statuses["PBS-HOST-02"] == "pass"
    assert statuses["PBS-HOST-03"] == statuses["PBS-MOUNT-10"] == statuses["PBS-CONF-02"] == "skip"
    assert statuses["PBS-ATIME-01"] == "pass"


def test_a_declared_datastore_that_is_not_made_yet():
    """Nothing is there, PBS does not know it: there is nothing wrong with that but the drift."""
    store = facts.change(
        facts.store(),
        {
            **facts.not_looked_at(),
            "stuck": "",
            "configured": None,
            "location": LocationFacts(exists=False),
            "skeleton": SkeletonFacts("absent"),
        },
    )
    findings = ask(stores=[store], declarations={"tank": {"name": "tank", "path": store.path}})
    assert {f.control for f in findings if f.status in ("fail", "warn", "unknown")} == {"PBS-CONF-01"}


def test_an_unmounted_removable_datastore_is_skipped_as_pbs_does():
    store = facts.change(
        facts.store(), {"mounted": False, "configured.backing_device": "0a1b2c3d-0000-4000-8000-000000000001"}
    )
    store = facts.change(store, facts.not_looked_at() | {"stuck": "", "mount": None, "persistent": None})
    by_status = {}
    for item in ask(stores=[store]):
        if item.datastore:
            by_status.setdefault(item.status, set()).add(item.control)
    about_configuration = {control.id for control in CONTROLS if control.unmounted}
    assert set(by_status) == {"pass", "skip"}
    assert by_status["pass"] == about_configuration - {"PBS-CONF-01", "PBS-COPY-01"}


def test_a_datastore_that_never_answers_leaves_the_others_judged():
    silent = facts.change(facts.store("vault", 1), facts.not_looked_at("/mnt/datastore/vault"))
    statuses = {}
    for item in ask(stores=[silent, facts.store()]):
        statuses.setdefault(item.datastore, set()).add(item.status)
    assert statuses["vault"] == {"unknown", "pass", "skip"}
    assert statuses["tank"] == {"pass", "skip"}, "the table of mounts shows that they are on different devices"


def test_a_datastore_that_never_answers_may_share_the_directory_of_another_on_its_device():
    silent = facts.change(
        facts.store("vault", 1), facts.not_looked_at("/mnt/datastore/vault") | {"mount": facts.store().mount}
    )
    answers = [f for f in ask(stores=[silent, facts.store()]) if f.datastore == "tank"]
    assert {f.status for f in answers} == {"unknown", "pass", "skip"}
    assert {f.control for f in answers if f.status == "unknown"} == {"PBS-MOUNT-12"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (facts.not_looked_at(), "The path /mnt/datastore/tank gave no answer within 10 s."),
        (facts.not_looked_at(deadline=0.5), "The path /mnt/datastore/tank gave no answer within 0.5 s."),
        ({"atime": None, "error": "EIO: Input/output error"}, "EIO: Input/output error."),
        ({"atime": None, "location.exists": False}, "/mnt/datastore/tank: does not exist."),
        (
            {"atime": None, "location.exists": False, "location.error": "ELOOP: Too many levels of symbolic links"},
            "/mnt/datastore/tank: ELOOP: Too many levels of symbolic links.",
        ),
        ({"atime": None, "location.type": "file"}, "/mnt/datastore/tank is not a directory but a file."),
        ({"atime": None}, "It was not looked at."),
    ],
)
def test_why_something_is_not_known(changes, says):
    answer = facts.ask("PBS-ATIME-01", changes)
    assert (answer.status, answer.message) == ("unknown", says)


def test_a_control_that_does_not_apply_to_s3(monkeypatch):
    """Chunks of length 0 are markers there, and the chunks that backups need lie in the bucket."""
    assert {c.id for c in CONTROLS if not c.on_s3} == {"PBS-DATA-03", "PBS-DATA-05"}
    control = dataclasses.replace(BY_ID["PBS-ATIME-01"], on_s3=False)
    monkeypatch.setattr(judging, "CONTROLS", [control])
    (on_disk,) = [f for f in ask() if f.datastore]
    (on_s3,) = [f for f in ask(stores=[facts.change(facts.store(), {"configured.backend": "s3"})]) if f.datastore]
    assert (on_disk.status, on_s3.status) == ("pass", "skip")


def test_every_control_applies_to_an_s3_cache():
    store = facts.change(facts.store(), {"configured.backend": "s3", "ownership.empty_chunks": 1000})
    assert {f.status for f in ask(stores=[store])} == {"pass", "skip"}


# --- what becomes of the answer ---------------------------------------------------------------------------------------


def test_the_policy_changes_the_severity_of_a_control():
    """It has the last word, over the catalog and over the milder of two kinds of failure."""
    policy = {"severity": {"PBS-ATIME-04": "low", "PBS-MOUNT-01": "critical"}}
    off = {"configured.tuning": {"gc-atime-safety-check": False}}
    assert facts.ask("PBS-ATIME-04", off).severity == "critical"
    assert facts.ask("PBS-ATIME-04", off, policy=policy).severity == "low"
    on_root = {"mount.is_root": True, "persistent": []}
    assert facts.ask("PBS-MOUNT-01", on_root).severity == "medium"
    assert facts.ask("PBS-MOUNT-01", on_root, policy=policy).severity == "critical"


def test_a_rule_without_a_remedy_gets_that_of_the_catalog(monkeypatch):
    monkeypatch.setitem(judging.RULES, "PBS-HOST-02", lambda _case: judging.failed("It failed.", ""))
    assert facts.ask("PBS-HOST-02").remedy == BY_ID["PBS-HOST-02"].remedy


def test_commands_are_fit_to_be_shown(monkeypatch):
    """What they name cannot make lines of its own, nor steer a terminal."""
    verdict = judging.failed("It failed.", "Type this.").then("mv 'a\nb' \x1b[2J").then("ls")
    monkeypatch.setitem(judging.RULES, "PBS-HOST-02", lambda _case: verdict)
    finding = facts.ask("PBS-HOST-02")
    assert (finding.remedy, finding.commands) == ("Type this.", ["mv 'a\\x0ab' \\x1b[2J", "ls"])


def test_what_people_declare_cannot_steer_a_terminal():
    for declared, part in (
        ({"path": "/mnt/\x1b[2J"}, "/mnt/\\x1b[2J"),
        ({"comment": "a\u202eb"}, "a\\u202eb"),
        ({"comment": "a\nb"}, "a\\x0ab"),
        ({"gc_schedule": "\u202edaily"}, "\\u202edaily"),
    ):
        answer = facts.ask("PBS-CONF-01", declared=declared)
        assert answer.status == "fail"
        assert part in answer.message
        assert answer.message.isprintable()


@pytest.mark.parametrize("path", ["/mnt/a b", "/mnt/$(reboot)", "/mnt/it's", "/mnt/;reboot"])
def test_commands_of_remedies_are_quoted(path):
    """They are there to be copied into a root shell."""
    answer = facts.ask("PBS-MOUNT-04", {"mount.options": ["ro"], "mount.mount_point": path})
    (command,) = answer.commands
    assert shlex.split(command) == ["mount", "-o", "remount,bind,rw", path]


@pytest.mark.parametrize("path", ["/mnt/a b", "/mnt/$(reboot)", "/mnt/it's", "/mnt/-x"])
def test_commands_about_files_are_quoted_and_change_no_link_target(path):
    changes = {"path": path, "skeleton.lock": facts.file(path + "/.lock", uid=0, gid=0)}
    (command,) = facts.ask("PBS-OWNER-01", changes).commands
    assert shlex.split(command) == ["chown", "-h", "backup:backup", path + "/.lock"]


def test_a_playbook_is_run_with_the_inventory_of_this_run():
    question = Question(Policy(), facts.NOW, inventory=("/srv/my hosts", "pbs1,pbs2,"))
    wrong = facts.change(facts.store(), {"ownership.chunks.wrong_owner": 3, "ownership.chunks.wrong_uid": 3})
    found = {finding.control: finding for finding in judge(facts.host(), [wrong], question)}
    (command,) = found["PBS-OWNER-03"].commands
    assert shlex.split(command) == [
        *("ansible-playbook", "-i", "/srv/my hosts", "-i", "pbs1,pbs2,"),
        *("fleetops.pbs.repair", "--limit", "pbs1"),
    ]


def test_judging_changes_no_fact():
    host, stores = facts.host(), [facts.store(), facts.store("vault", 1)]
    before = [dataclasses.asdict(item) for item in (host, *stores)]
    ask(host, stores)
    assert [dataclasses.asdict(item) for item in (host, *stores)] == before


# --- totals -----------------------------------------------------------------------------------------------------------


def test_a_summary_counts_every_status():
    findings = [finding(status) for status in STATUSES] + [finding("pass")]
    summary = summarise(findings)
    assert summary == {**dict.fromkeys(STATUSES, 1), "pass": 2, "worst": "high", "worst_unknown": "high"}


def test_a_summary_of_nothing():
    assert summarise([]) == {**dict.fromkeys(STATUSES, 0), "worst": None, "worst_unknown": None}


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([finding("fail", "low"), finding("fail", "high"), finding("fail", "medium")], "high"),
        ([finding("fail", "info")], "info"),
        ([finding("warn", "critical"), finding("waived", "critical"), finding("unknown", "critical")], None),
        ([finding("fixed", "critical"), finding("fail", "low")], "low"),
    ],
)
def test_only_failures_make_the_worst(findings, expected):
    assert worst(findings, "fail") == expected


# --- after a repair ---------------------------------------------------------------------------------------------------


def test_what_failed_and_passes_now_was_fixed():
    before = [dataclasses.asdict(finding("fail")), dataclasses.asdict(finding("fail", datastore="vault"))]
    after = [finding("pass"), finding("fail", datastore="vault"), finding("pass", datastore="other")]
    mark_fixed(before, after)
    assert [item.status for item in after] == ["fixed", "fail", "pass"]


@pytest.mark.parametrize("was", [status for status in STATUSES if status != "fail"])
def test_what_did_not_fail_was_not_fixed(was):
    after = [finding("pass")]
    mark_fixed([dataclasses.asdict(finding(was))], after)
    assert after[0].status == "pass"


@pytest.mark.parametrize("now", [status for status in STATUSES if status != "pass"])
def test_what_does_not_pass_was_not_fixed(now):
    after = [finding(now)]
    mark_fixed([dataclasses.asdict(finding("fail"))], after)
    assert after[0].status == now
