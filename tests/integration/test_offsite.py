# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/offsite.md as it is written, on two hosts: a primary, its copy, and an archive in S3."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.ansible_run import Run, run_playbook
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost

pytestmark = pytest.mark.root

PAGE = Path(__file__).parents[2] / "docs" / "offsite.md"
SECRETS = {
    "vault_token": "neutral-vault",
    "archive_access_key": "AKNEUTRAL",
    "archive_secret_key": "neutral-archive",
    "pbs1_token": "neutral-pbs1",
}
NOT_DECLARED = (
    "sync-job create to-nowhere --store tank --remote vault --remote-store other --schedule monthly",
    "remote update vault --comment by-hand",
    "datastore update tank --comment by-hand",
)
"""What an administrator may do beside the declaration."""
DRIFT = {
    "remote update vault --host vault.example.com": (
        "remote 'vault' host is vault.example.com, declared is vault.example.net"
    ),
    "s3 endpoint update archive --region eu-west-1": (
        "S3 endpoint 'archive' region is eu-west-1, declared is eu-central-1"
    ),
    "sync-job update to-archive --schedule monthly": (
        "sync job 'to-archive' schedule is monthly, declared is *-*-01 01:00"
    ),
    "sync-job update to-vault --delete active-encryption-key": (
        "sync job 'to-vault' active_encryption_key is unset, declared is offsite-key"
    ),
    "datastore update tank --gc-schedule monthly": "gc_schedule is monthly, declared is sat 03:00",
    "prune-job update tank-daily --keep-daily 1": "prune_jobs.tank-daily.keep_daily is 1, declared is 14",
    "verify-job update tank-verify --outdated-after 90": (
        "verify_jobs.tank-verify.outdated_after is 90, declared is 30"
    ),
}
"""What differs from the declaration of pbs1 after each command, as the preflight reports it."""
MKFS = ("-b", "1024", "-N", "160000", "-m", "0", "-O", "^has_journal")
FILES = ("remote.cfg", "s3.cfg", "datastore.cfg", "prune.cfg", "verification.cfg", "sync.cfg")


def declaration(host: str, top: Path) -> dict[str, Any]:
    """The variables of a host in the page, with its datastores below `top`."""
    (text,) = re.findall(rf"`host_vars/{host}.yml`:\n\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return yaml.safe_load(text.replace("/mnt/datastore", str(top)))


def provision(host: FakeHost, variables: dict[str, Any], check: bool = False, playbook: str = "provision") -> Run:
    directories = {"config_dir": str(host.etc), "run_dir": str(host.run)}
    variables = {
        **variables,
        **SECRETS,
        "mounts_config_dir": str(host.etc),
        "datastore_manager": str(host.manager),
        **{f"datastore_{name}": value for name, value in directories.items()},
        **{f"preflight_{name}": value for name, value in directories.items()},
        "preflight_state_dir": str(host.var),
        "preflight_results": str(host.root / "results"),
        "preflight_scope": "skeleton",
        "preflight_fail_on": "never",
        "preflight_deadline": 120,
        "datastore_deadline": 120,
        "datastore_fail_on": "never",
    }
    return run_playbook(
        f"fleetops.pbs.{playbook}",
        variables=variables,
        check=check,
        env={"ANSIBLE_PIPELINING": "1"},
    )


def failures(run: Run) -> list[str]:
    found = []
    for name, result in run.results():
        items = result.get("results", [result])
        found += [f"{name}: {item.get('msg')}" for item in items if item.get("failed")]
    return found


def text(run: Run) -> str:
    return json.dumps([run.plays, run.stderr])


def state(host: FakeHost) -> list[str]:
    return [host.config(name) for name in FILES]


def changes(run: Run) -> list[str]:
    return [name.rpartition(" : ")[2] for name, result in run.results() if result.get("changed")]


def job_states(host: FakeHost) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((host.var / "jobstates").glob("*.json"))}


def by_hand(host: FakeHost, command: str) -> None:
    subprocess.run([host.manager, *command.split()], check=True, capture_output=True)


def findings(host: FakeHost, *controls: str) -> list[tuple[str, str | None, str, str]]:
    """Control, datastore, status and message of the last document's findings of these controls that did not pass."""
    (path,) = (host.root / "results").rglob("testhost.json")
    return [
        (item["control"], item["datastore"], item["status"], item["message"])
        for item in json.loads(path.read_text())["findings"]
        if item["control"] in controls and item["status"] != "pass"
    ]


def server(root: Path) -> FakeHost:
    # Few prefix directories are enough for what is compared here.
    host = FakeHost(root, version="4.2.3-1", prefixes=16)
    (host.var / "jobstates").mkdir()
    # What the page asks for before the first run.
    (host.run / "bucket-pbs-archive").touch()
    (host.run / "key-offsite-key").touch()
    return host


def test_a_pair_of_servers(tmp_path: Path, loopfs: Callable[..., Path]) -> None:
    primary, copy = server(tmp_path / "pbs1"), server(tmp_path / "pbs2")
    for name, host in (("pbs1", primary), ("pbs2", copy)):
        declared = declaration(name, loopfs("ext4", mkfs=MKFS, size=480 * mounts.MIB))
        before = state(host)
        check = provision(host, declared, check=True)
        assert (failures(check), check.rc, state(host)) == ([], 0, before)
        do = provision(host, declared)
        assert (failures(do), do.rc) == ([], 0)
        after = state(host)
        again = provision(host, declared)
        assert (failures(again), again.rc, changes(again), state(host)) == ([], 0, [], after)
        assert changes(check) == changes(do)
        everything = text(check) + text(do) + text(again)
        assert not [secret for secret in SECRETS.values() if secret.startswith("neutral") and secret in everything]

    assert re.findall(r"(?m)^\S+: \S+", "\n".join(state(primary))) == [
        "remote: vault",
        "s3-endpoint: archive",
        "datastore: tank",
        "datastore: archive",
        "prune: tank-daily",
        "prune: archive-monthly",
        "verification: tank-verify",
        "verification: archive-verify",
        "sync: to-archive",
        "sync: to-vault",
    ]
    assert "\tactive-encryption-key offsite-key\n" in primary.config("sync.cfg")
    assert "secret-key neutral-archive" in primary.config("s3.cfg")
    assert re.findall(r"(?m)^\S+: \S+", "\n".join(state(copy))) == [
        "remote: pbs1",
        "datastore: copy",
        "prune: copy-daily",
        "verification: copy-verify",
        "sync: from-pbs1",
    ]


def test_what_was_changed_by_hand_is_reported(tmp_path: Path) -> None:
    host = FakeHost(tmp_path / "pbs2", version="4.2.3-1", prefixes=16)
    declared = declaration("pbs2", tmp_path)
    del declared["pbs_datastores"]
    (remote,) = declared["pbs_remotes"]
    (host.etc / "remote.cfg").write_text(
        f"remote: pbs1\n\tauth-id {remote['auth_id']}\n\tfingerprint {remote['fingerprint']}\n\thost {remote['host']}\n"
        "\tpassword bmV1dHJhbA==\n"
    )
    (host.etc / "sync.cfg").write_text(
        "sync: from-pbs1\n\tremote pbs1\n\tremote-store tank\n\tschedule monthly\n\tstore copy\n"
    )
    run = provision(host, {**declared, "preflight_require_datastores": False}, playbook="preflight")
    assert "neutral" not in text(run)
    (document,) = (host.root / "results").rglob("testhost.json")
    (finding,) = (item for item in json.loads(document.read_text())["findings"] if item["control"] == "PBS-HOST-08")
    assert finding["status"] == "fail"
    assert "sync job 'from-pbs1' schedule is monthly, declared is 02:30." in finding["message"]


def test_provision_corrects_what_was_changed_by_hand_and_nothing_else(
    tmp_path: Path, loopfs: Callable[..., Path]
) -> None:
    host = server(tmp_path / "pbs1")
    declared = declaration("pbs1", loopfs("ext4", mkfs=MKFS, size=480 * mounts.MIB))
    do = provision(host, declared)
    assert (failures(do), do.rc) == ([], 0)
    for command in NOT_DECLARED:
        by_hand(host, command)
    right = state(host)
    for command in DRIFT:
        by_hand(host, command)
    wrong, states = state(host), job_states(host)
    assert not [name for name, before, after in zip(FILES, right, wrong, strict=True) if before == after]

    found = provision(host, declared, playbook="preflight")
    assert (failures(found), found.rc, state(host)) == ([], 0, wrong)
    server_wide, of_tank = "; ".join(list(DRIFT.values())[:4]), "; ".join(list(DRIFT.values())[4:])
    assert findings(host, "PBS-HOST-08", "PBS-CONF-01") == [
        ("PBS-HOST-08", None, "fail", f"What is configured differs from its declaration: {server_wide}."),
        ("PBS-CONF-01", "tank", "fail", f"Datastore 'tank' differs from its declaration: {of_tank}."),
    ]

    check = provision(host, declared, check=True)
    assert (failures(check), check.rc, state(host)) == ([], 0, wrong)
    correct = provision(host, declared)
    assert (failures(correct), correct.rc) == ([], 0)
    assert state(host) == right
    assert changes(check) == changes(correct)
    assert findings(host, "PBS-HOST-08", "PBS-CONF-01") == [
        ("PBS-HOST-08", None, "warn", "These are configured, but not declared: sync job 'to-nowhere'.")
    ]
    # Only a job with another schedule counts from now; for the others PBS still knows when they ran.
    after = job_states(host)
    assert [name for name in after if after[name] != states.get(name)] == ["syncjob-to-archive.json"]
