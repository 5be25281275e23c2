# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules remote, s3_endpoint and sync_job."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import REMOTE, S3_ENDPOINT, SYNC, Resource
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import Action, four_times, section

pytestmark = pytest.mark.root

PRINT = ":".join(["0a"] * 32)
REMOTE_FILE = (
    f"remote: pbs2\n\tauth-id sync@pbs\n\tcomment  other site \n\tfingerprint {PRINT.upper()}\n\thost pbs2.example.org\n"
    "\tpassword bmV1dHJhbA==\n\nremote: unused\n\tauth-id sync@pbs\n\thost 192.0.2.7\n\tpassword bmV1dHJhbA==\n"
)
SYNC_FILE = (
    "sync: offsite\n\tgroup-filter type:vm\n\tgroup-filter exclude:group:vm/9\n\tns \n\trate-in 10 MB\n\tremote pbs2\n"
    "\tremote-store far\n\tremove-vanished false\n\tschedule daily\n\tstore tank\n\tworker-threads 1\n"
)
S3_FILE = (
    "s3-endpoint: aws\n\taccess-key AKNEUTRAL\n\tendpoint s3.example.org\n\tput-rate-limit 10\n\trate-in 5 MB\n"
    "\tsecret-key neutral-old\n"
)
NEW_REMOTE = {"name": "pbs3", "host": "192.0.2.8", "auth_id": "sync@pbs!token", "password": "neutral-new"}
NEW_ENDPOINT = {"id": "minio", "endpoint": "minio.example.org", "access_key": "AK", "secret_key": "neutral-new"}
NEW_JOB = {"id": "copy", "store": "tank", "remote_store": "copy"}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host", version="4.2.3-1")
    host.daemons("none")  # none of this needs them
    (host.var / "jobstates").mkdir()
    (host.etc / "datastore.cfg").write_text(
        "datastore: tank\n\tpath /mnt/tank\n\ndatastore: copy\n\tpath /mnt/copy\n\n"
        "datastore: cold\n\tbackend type=s3,client=aws,bucket=cold\n\tpath /mnt/cold\n"
    )
    (host.etc / "user.cfg").write_text("user: sync@pbs\n\ntoken: sync@pbs!token\n\tenable true\n")
    (host.etc / "remote.cfg").write_text(REMOTE_FILE)
    (host.etc / "sync.cfg").write_text(SYNC_FILE)
    (host.etc / "s3.cfg").write_text(S3_FILE)
    return host


def refusal(action: Action, check: bool = False) -> str:
    with pytest.raises(CollectionError) as caught:
        action(check)
    return str(caught.value)


def words_of(host: FakeHost, *words: str) -> list[str]:
    return [str(host.manager), *words]


# --- remotes ---


def test_a_remote(host: FakeHost) -> None:
    done = four_times(
        host, section(host, REMOTE, **NEW_REMOTE, port=8008, fingerprint=PRINT, comment="third", use_node_proxy=True)
    )
    assert done["commands"] == [
        words_of(
            *(host, "remote", "create", "pbs3", "--auth-id", "sync@pbs!token", "--comment", "third"),
            *("--fingerprint", PRINT, "--host", "192.0.2.8", "--password", "********", "--port", "8008"),
            *("--use-node-proxy", "true"),
        )
    ]
    assert f"\tpassword {base64.b64encode(b'neutral-new').decode()}\n" in host.config("remote.cfg")
    four_times(host, section(host, REMOTE, name="pbs3", host="192.0.2.9", comment="", unset=["port", "use_node_proxy"]))
    assert host.config("remote.cfg").endswith(
        f"remote: pbs3\n\tauth-id sync@pbs!token\n\tfingerprint {PRINT}\n\thost 192.0.2.9\n\tpassword bmV1dHJhbC1uZXc=\n"
    )
    four_times(host, section(host, REMOTE, name="pbs3", state="absent"))
    assert "pbs3" not in host.config("remote.cfg")


def test_a_password_is_set_only_when_told(host: FakeHost) -> None:
    before = host.config("remote.cfg")
    unchanged = section(host, REMOTE, name="pbs2", password="neutral-new", host="pbs2.example.org")(False)
    assert (unchanged["changed"], host.config("remote.cfg")) == (False, before)
    told = section(host, REMOTE, name="pbs2", password="neutral-new", update_secret="always")
    assert told(True)["commands"][0][:6] == words_of(host, "remote", "update", "pbs2", "--password", "********")
    assert host.config("remote.cfg") == before
    for _again in range(2):
        done = told(False)
        assert (done["changed"], done["decision"], done["diff"]["before"]) == (True, "update", done["diff"]["after"])
    assert "\tpassword bmV1dHJhbC1uZXc=\n" in host.config("remote.cfg")


# --- S3 endpoints ---


def test_an_s3_endpoint(host: FakeHost) -> None:
    done = four_times(
        host,
        section(
            host,
            S3_ENDPOINT,
            **{**NEW_ENDPOINT, "endpoint": "{{bucket}}.s3.{{region}}.example.org"},
            region="eu-1",
            port=5443,
            path_style=False,
            provider_quirks=["skip-if-none-match-header"],
            put_rate_limit=5,
            rate_out="10MiB",
        ),
    )
    assert done["commands"] == [
        words_of(
            *(host, "s3", "endpoint", "create", "minio", "--access-key", "AK"),
            *("--endpoint", "{{bucket}}.s3.{{region}}.example.org", "--port", "5443"),
            *("--provider-quirks", "skip-if-none-match-header", "--put-rate-limit", "5", "--rate-out", "10MiB"),
            *("--region", "eu-1", "--secret-key", "********"),
        )
    ]
    four_times(
        host,
        section(host, S3_ENDPOINT, id="minio", access_key="AK9", path_style=True, provider_quirks=[], unset=["port"]),
    )
    assert host.config("s3.cfg").endswith(
        "s3-endpoint: minio\n\taccess-key AK9\n\tendpoint {{bucket}}.s3.{{region}}.example.org\n\tpath-style true\n"
        "\tput-rate-limit 5\n\trate-out 10 MiB\n\tregion eu-1\n\tsecret-key neutral-new\n"
    )
    four_times(host, section(host, S3_ENDPOINT, id="minio", state="absent"))
    assert host.config("s3.cfg") == S3_FILE


def test_a_limit_that_pbs_does_not_change(host: FakeHost) -> None:
    """PBS takes --put-rate-limit in an update, and leaves the limit as it is."""
    message = refusal(section(host, S3_ENDPOINT, id="aws", put_rate_limit=20))
    assert "S3 endpoint 'aws' has put_rate_limit 10, declared is 20" in message
    assert "remove the endpoint, and create it without this limit" in message
    assert section(host, S3_ENDPOINT, id="aws", put_rate_limit=10)(False)["changed"] is False


# --- sync jobs ---


def test_a_pull_job_with_everything(host: FakeHost) -> None:
    done = four_times(
        host,
        section(
            host,
            SYNC,
            id="all",
            store="tank",
            ns="a/b",
            remote="pbs2",
            remote_store="far",
            remote_ns="c",
            sync_direction="pull",
            owner="sync@pbs!token",
            schedule="daily",
            comment="every thing",
            group_filter=["type:host", "include:group:vm/100", "exclude:regex:^host/h2$"],
            max_depth=3,
            transfer_last=2,
            remove_vanished=True,
            resync_corrupt=True,
            encrypted_only=False,
            verified_only=True,
            run_on_mount=True,
            unmount_on_done=True,
            worker_threads=2,
            rate_in="10MB",
            burst_in="20 MiB",
            rate_out="1000",
            burst_out="2kb",
        ),
    )
    words = done["commands"][0]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--group-filter"] == [
        "type:host",
        "group:vm/100",
        "exclude:regex:^host/h2$",
    ]
    (section_text,) = (text for text in host.config("sync.cfg").split("\n\n") if text.startswith("sync: all"))
    assert (
        "\tburst-out 2 KB\n\tcomment every thing\n\tgroup-filter type:host\n\tgroup-filter group:vm/100\n"
        in section_text
    )
    assert "encrypted-only" not in section_text  # a default is not stored, so that a later default counts
    changed = section(
        host, SYNC, id="all", group_filter=["type:vm"], schedule="hourly", resync_corrupt=False, unset=["remote_ns"]
    )
    assert four_times(host, changed)["job"]["group_filter"] == ["type:vm"]
    four_times(host, section(host, SYNC, id="all", group_filter=[], owner="", schedule=""))
    four_times(host, section(host, SYNC, id="all", state="absent"))
    assert host.config("sync.cfg") == SYNC_FILE


def test_push_and_local_jobs(host: FakeHost) -> None:
    (host.run / "key-offsite").touch()
    push = {"id": "push", "store": "tank", "remote": "pbs2", "remote_store": "far", "sync_direction": "push"}
    four_times(host, section(host, SYNC, **push, active_encryption_key="offsite", associated_key=["offsite"]))
    four_times(host, section(host, SYNC, **NEW_JOB))
    assert host.config("sync.cfg").endswith("sync: copy\n\tremote-store copy\n\tstore tank\n")


def test_a_job_is_not_put_off(host: FakeHost) -> None:
    """PBS treats an update without a schedule as a new schedule, and resets the time of the next run."""
    state = host.var / "jobstates" / "syncjob-offsite.json"
    state.write_text('{"created":{"time":1000000000}}')
    done = section(host, SYNC, id="offsite", comment="new")(False)
    assert done["commands"][0][4:8] == ["--comment", "new", "--schedule", "daily"]
    assert section(host, SYNC, id="offsite", comment="new")(False)["commands"] == []
    assert json.loads(state.read_text()) == {"created": {"time": 1000000000}}


@pytest.mark.parametrize(
    ("resource", "options"),
    [
        (
            REMOTE,
            {"name": "pbs2", "fingerprint": PRINT, "comment": "other site", "port": 8007, "use_node_proxy": False},
        ),
        (S3_ENDPOINT, {"id": "aws", "rate_in": "5000000", "path_style": False}),
        (SYNC, {"id": "offsite", "group_filter": ["exclude:group:vm/9", "include:type:vm"], "rate_in": "10000KB"}),
        (SYNC, {"id": "offsite", "ns": "", "owner": "root@pam", "worker_threads": 1, "sync_direction": "pull"}),
        (SYNC, {"id": "offsite", "remove_vanished": False, "resync_corrupt": False, "remote_ns": "", "comment": ""}),
        (SYNC, {"id": "offsite", "store": "tank", "remote": "pbs2", "remote_store": "far", "unset": ["burst_in"]}),
    ],
)
def test_what_means_the_same_is_no_change(host: FakeHost, resource: Resource, options: dict[str, Any]) -> None:
    action = section(host, resource, **options)
    assert [(result["changed"], result["commands"]) for result in (action(True), action(False))] == [(False, [])] * 2


# --- values that PBS would refuse, or fail on ---


@pytest.mark.parametrize(
    ("resource", "options", "words"),
    [
        (REMOTE, {"name": "r!"}, "name: 'r!' is not a valid name of a remote"),
        (REMOTE, {**NEW_REMOTE, "host": "bad host!"}, "host: 'bad host!' is not allowed; allowed: a DNS name"),
        (REMOTE, {**NEW_REMOTE, "host": "https://pbs"}, "host: 'https://pbs'"),
        (
            REMOTE,
            {**NEW_REMOTE, "port": 99999},
            "port: '99999' is not allowed; allowed: a whole number from 0 to 65535",
        ),
        (REMOTE, {**NEW_REMOTE, "auth_id": "sync"}, "auth_id: 'sync' is not allowed; allowed: a user such as"),
        (REMOTE, {**NEW_REMOTE, "fingerprint": "zz:11"}, "fingerprint: 'zz:11'"),
        (REMOTE, {**NEW_REMOTE, "password": "hush\x01"}, "password: this value is not allowed; allowed: one line"),
        (REMOTE, {**NEW_REMOTE, "password": ""}, "password: this value is not allowed"),
        (REMOTE, {**NEW_REMOTE, "comment": "a\nb"}, "comment: 'a\\x0ab'"),
        (REMOTE, {"name": "pbs3", "host": "h"}, "does not exist yet, and a new one needs: auth_id, password"),
        (REMOTE, {"name": "pbs2", "host": ""}, "host: must not be empty, because a remote requires it"),
        (REMOTE, {"name": "pbs2", "unset": ["host"]}, "unset: host is required for a remote"),
        (REMOTE, {"name": "pbs2", "unset": ["password"]}, "unset: password is required for a remote"),
        (REMOTE, {"name": "pbs2", "unset": ["userid"]}, "unset: 'userid' is not a property of a remote"),
        (REMOTE, {"name": "pbs2", "state": "absent"}, "Remote 'pbs2' is used by sync job 'offsite'"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "id": "x"}, "id: 'x' is not a valid name of a S3 endpoint"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "endpoint": "https://localhost"}, "without scheme and port"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "region": "US EAST"}, "region: 'US EAST'"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "provider_quirks": ["nosuch"]}, "provider_quirks: 'nosuch'"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "rate_in": "fast"}, "rate_in: 'fast' is not allowed; allowed: a size"),
        (S3_ENDPOINT, {"id": "minio", "endpoint": "x"}, "a new one needs: access_key, secret_key"),
        (S3_ENDPOINT, {"id": "aws", "unset": ["put_rate_limit"]}, "PBS cannot unset put_rate_limit; instead, remove"),
        (S3_ENDPOINT, {"id": "aws", "state": "absent"}, "S3 endpoint 'aws' is used by datastore 'cold'"),
        (SYNC, {**NEW_JOB, "id": "q1"}, "id: 'q1' is not a valid name of a sync job"),
        (SYNC, {"id": "copy"}, "does not exist yet, and a new one needs: store, remote_store"),
        (SYNC, {**NEW_JOB, "schedule": "nonsense"}, "schedule: 'nonsense'"),
        (SYNC, {**NEW_JOB, "max_depth": 8}, "max_depth: '8'"),
        (SYNC, {**NEW_JOB, "max_depth": -1}, "max_depth: '-1'"),
        (SYNC, {**NEW_JOB, "transfer_last": 0}, "transfer_last: '0'"),
        (SYNC, {**NEW_JOB, "worker_threads": 33}, "worker_threads: '33'"),
        (SYNC, {**NEW_JOB, "rate_in": "abc"}, "rate_in: 'abc'"),
        (SYNC, {**NEW_JOB, "group_filter": ["foo:bar"]}, "group_filter: 'foo:bar' is not allowed; allowed: type:vm"),
        (SYNC, {**NEW_JOB, "ns": "a//b"}, "ns: 'a//b'"),
        (SYNC, {**NEW_JOB, "ns": "a/b/c/d/e/f/g/h"}, "ns: 'a/b/c/d/e/f/g/h' is not allowed; allowed: up to 7 names"),
        (SYNC, {**NEW_JOB, "ns": "a/b/c", "max_depth": 7}, "max_depth: 7 levels below the 3 of ns are more than 7"),
        (
            SYNC,
            {**NEW_JOB, "remote_store": "tank"},
            "both 'tank' on this host, and PBS cannot sync a datastore with itself",
        ),
        (SYNC, {**NEW_JOB, "sync_direction": "push"}, "sync_direction: push needs a remote"),
        (SYNC, {**NEW_JOB, "unmount_on_done": True}, "unmount_on_done: it needs run_on_mount: true"),
        (SYNC, {**NEW_JOB, "store": "nostore"}, "store: there is no datastore 'nostore' on this host"),
        (SYNC, {**NEW_JOB, "remote_store": "nostore"}, "remote_store: there is no datastore 'nostore' on this host"),
        (SYNC, {**NEW_JOB, "remote": "noremote"}, "remote: there is no remote 'noremote' on this host"),
        (SYNC, {**NEW_JOB, "owner": "ghost@pbs"}, "owner: there is no user or API token 'ghost@pbs'"),
        (SYNC, {"id": "offsite", "sync_direction": "push", "resync_corrupt": True}, "supports it only with"),
        # An update, of which PBS checks nothing:
        (SYNC, {"id": "offsite", "remote": "", "remote_store": "tank"}, "cannot sync a datastore with itself"),
        (SYNC, {"id": "offsite", "remote": ""}, "remote_store: there is no datastore 'far' on this host"),
        (
            SYNC,
            {"id": "offsite", "unset": ["resync_corrupt"]},
            "PBS cannot unset resync_corrupt; instead, set it to false",
        ),
        (SYNC, {"id": "offsite", "store": ""}, "store: must not be empty, because a sync job requires it"),
        (
            SYNC,
            {"id": "offsite", "remote": "pbs2", "unset": ["remote"]},
            "remote: has a value and is also listed in unset",
        ),
    ],
)
def test_bad_options(host: FakeHost, resource: Resource, options: dict[str, Any], words: str) -> None:
    before = [host.config(name) for name in ("sync.cfg", "remote.cfg", "s3.cfg")]
    (host.root / "bin" / "proxmox-backup-manager").chmod(0o644)  # PBS is not asked
    message = refusal(section(host, resource, **options))
    assert words in message
    assert "hush" not in message
    assert [host.config(name) for name in ("sync.cfg", "remote.cfg", "s3.cfg")] == before


@pytest.mark.parametrize(
    ("resource", "options", "warning"),
    [
        (SYNC, {**NEW_JOB, "store": "later"}, "there is no datastore 'later' yet"),
        (SYNC, {**NEW_JOB, "remote": "later"}, "there is no remote 'later' yet"),
        (REMOTE, {"name": "pbs2", "state": "absent"}, "is used by sync job 'offsite' now"),
    ],
)
def test_check_mode_expects_what_earlier_tasks_announced(
    host: FakeHost, resource: Resource, options: dict[str, Any], warning: str
) -> None:
    result = section(host, resource, **options)(True)
    assert result["changed"]
    assert any(warning in text for text in result["warnings"])


# --- a busy, an old, an unreadable PBS ---


@pytest.mark.parametrize(
    ("resource", "options", "lock"),
    [(REMOTE, NEW_REMOTE, ".remote.lck"), (S3_ENDPOINT, NEW_ENDPOINT, ".s3.lck"), (SYNC, NEW_JOB, ".sync.lck")],
)
def test_a_held_lock(host: FakeHost, resource: Resource, options: dict[str, Any], lock: str) -> None:
    descriptor = os.open(host.etc / lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        message = refusal(section(host, resource, **options, lock_timeout=0.5))
    finally:
        os.close(descriptor)
    assert "another process has locked PBS's configuration" in message
    assert "neutral" not in message


@pytest.mark.parametrize(
    ("resource", "options", "lacks"),
    [
        (SYNC, {**NEW_JOB, "worker_threads": 4, "verified_only": True}, "worker-threads,verified-only"),
        (REMOTE, {**NEW_REMOTE, "use_node_proxy": True}, "use-node-proxy"),
        (S3_ENDPOINT, {**NEW_ENDPOINT, "put_rate_limit": 3}, "put-rate-limit"),
    ],
)
def test_what_this_version_lacks(host: FakeHost, resource: Resource, options: dict[str, Any], lacks: str) -> None:
    host.configure(lacks=lacks, version="4.1.0-1")
    for name in ("sync.cfg", "s3.cfg"):
        (host.etc / name).unlink()  # an older PBS cannot read them
    names = sorted(lacks.split(","))
    for check in (True, False):
        message = refusal(section(host, resource, **options), check)
        assert message.startswith("This PBS (4.1.0-1) is too old: its command ")
        assert f"has no {', '.join('--' + name for name in names)}." in message
        assert f"omit {', '.join(name.replace('-', '_') for name in names)}." in message
    four_times(
        host,
        section(host, resource, **{key: value for key, value in options.items() if key.replace("_", "-") not in names}),
    )


def test_a_pbs_without_s3(host: FakeHost) -> None:
    host.configure(version="3.4.2-1")
    message = refusal(section(host, S3_ENDPOINT, **NEW_ENDPOINT))
    assert "S3 endpoint 'minio' requires PBS 4.0.4 or later, this host has 3.4.2-1" in message


def test_a_removal_that_has_happened(host: FakeHost) -> None:
    """PBS removes a running job from its configuration, waits for the job's lock until it gives up, and exits with 255."""
    (host.run / "running-offsite").touch()
    result = section(host, SYNC, id="offsite", state="absent")(False)
    assert (result["changed"], result["decision"], host.config("sync.cfg")) == (True, "remove", "")
    assert "PBS removed sync job 'offsite', and then reported: Unable to acquire lock" in result["warnings"][0]


def test_no_secret_gets_out(host: FakeHost) -> None:
    results = [
        section(host, REMOTE, **NEW_REMOTE)(False),
        section(host, S3_ENDPOINT, **NEW_ENDPOINT)(False),
        section(host, REMOTE, name="pbs2", comment="x", password="neutral-new", update_secret="always")(False),
        section(host, S3_ENDPOINT, id="aws", secret_key="neutral-new", update_secret="always")(False),
        section(host, REMOTE, name="unused", state="absent")(False),
    ]
    shown = json.dumps(results)
    assert "neutral" not in shown
    assert "bmV1dHJhb" not in shown
    assert "secret-key neutral-new" in host.config("s3.cfg")
