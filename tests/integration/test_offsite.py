# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/offsite.md as it is written, on two hosts: a primary, its copy, and an archive in S3."""

from __future__ import annotations

import json
import re
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


def test_a_pair_of_servers(tmp_path: Path, loopfs: Callable[..., Path]) -> None:
    # The primary makes two datastores; few prefix directories are enough for what is compared here.
    primary = FakeHost(tmp_path / "pbs1", version="4.2.3-1", prefixes=16)
    copy = FakeHost(tmp_path / "pbs2", version="4.2.3-1", prefixes=16)
    for host in (primary, copy):
        (host.var / "jobstates").mkdir()
    (primary.run / "bucket-pbs-archive").touch()
    (primary.run / "key-offsite-key").touch()
    for name, host in (("pbs1", primary), ("pbs2", copy)):
        mkfs = ["-b", "1024", "-N", "160000", "-m", "0", "-O", "^has_journal"]
        declared = declaration(name, loopfs("ext4", mkfs=mkfs, size=480 * mounts.MIB))
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
        "verification: tank-verify",
        "sync: to-archive",
        "sync: to-vault",
    ]
    assert "\tactive-encryption-key offsite-key\n" in primary.config("sync.cfg")
    assert "secret-key neutral-archive" in primary.config("s3.cfg")
    assert re.findall(r"(?m)^\S+: \S+", "\n".join(state(copy))) == [
        "remote: pbs1",
        "datastore: copy",
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
