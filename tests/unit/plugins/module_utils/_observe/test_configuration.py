# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    DatastoreConfig,
    JobFacts,
    JobRunFacts,
    ServerEntryFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import (
    AccountFacts,
    CertificateFacts,
    ConfigDirFacts,
    ConfigFileFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import (
    effective_path,
    observe_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import digest
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils._pbs.test_certificate import FINGERPRINT, PEM

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UPID = "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:tank:root@pam:"
FILES = ("datastore.cfg", "prune.cfg", "verification.cfg", "sync.cfg", "remote.cfg", "s3.cfg")
FILES += ("traffic-control.cfg", "notifications.cfg")
NEWER, KNOWN = "4.3.0-1", "4.2.1-1"


class Host:
    """The directories of one PBS."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "etc"
        self.state = directory / "var"
        self.config.mkdir(mode=0o700)
        (self.state / "jobstates").mkdir(parents=True)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.config / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o640)
        return path

    def finish(self, job: str, result: object) -> None:
        state = {"finished": {"upid": UPID, "state": result, "updated": None}}
        (self.state / "jobstates" / f"{job}.json").write_text(json.dumps(state))

    def observe(
        self, account: AccountFacts | None = None, version: str | None = None
    ) -> tuple[ConfigDirFacts, list[DatastoreConfig]]:
        return observe_configuration(str(self.config), str(self.state), account, version)

    def store(self, content: str) -> DatastoreConfig:
        """The one datastore that this section describes."""
        self.write("datastore.cfg", content)
        (found,) = self.observe()[1]
        return found

    def file(self, name: str, version: str | None = None, account: AccountFacts | None = None) -> ConfigFileFacts:
        (found,) = (file for file in self.observe(account, version)[0].files if file.path.endswith("/" + name))
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# --- the directory and its files ---


def test_no_directory(tmp_path: Path) -> None:
    directory, stores = observe_configuration(str(tmp_path / "missing"))
    assert (directory.exists, directory.uid, directory.mode, directory.error, stores) == (False, None, None, "", [])
    assert [(file.exists, file.parsed, file.digest) for file in directory.files] == [(False, True, EMPTY)] * len(FILES)


def test_an_empty_directory(host: Host) -> None:
    directory, stores = host.observe()
    assert stores == []
    assert (directory.exists, directory.path) == (True, str(host.config))
    assert (directory.uid, directory.gid, directory.mode) == (os.geteuid(), os.getegid(), "0700")
    assert [file.path for file in directory.files] == [str(host.config / name) for name in FILES]
    assert [(file.exists, file.parsed, file.digest) for file in directory.files] == [(False, True, EMPTY)] * len(FILES)


def test_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory, stores = observe_configuration(str(tmp_path / "file"))
    assert (directory.exists, directory.error, directory.files, stores) == (True, "ENOTDIR: Not a directory", [], [])


def test_a_path_that_cannot_be() -> None:
    directory, stores = shown(list(observe_configuration("/etc/\x00\x1b[31m")))
    assert (directory.path, directory.files, stores) == (r"/etc/\x00\x1b[31m", [], [])
    assert directory.error == "EINVAL: no path can hold a NUL byte"


def test_a_file(host: Host) -> None:
    path = host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n")
    file = host.file("datastore.cfg")
    assert file == ConfigFileFacts(
        path=str(path),
        exists=True,
        uid=os.geteuid(),
        gid=os.getegid(),
        mode="0640",
        digest=digest(path.read_bytes()),
        parsed=True,
    )


def test_a_file_that_pbs_cannot_read(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n# comment\n")
    file = host.file("datastore.cfg")
    assert (file.parsed, file.line) == (False, 3)
    assert file.error.startswith("expected an indented 'key value' of section 'tank'")
    assert host.observe()[1] == []


def test_one_unreadable_file_leaves_the_others(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n")
    host.write("prune.cfg", "prune: daily\n\tstore tank\n\tschedule daily\n")
    host.write("verification.cfg", "garbage\n")
    directory, (store,) = host.observe()
    assert [file.parsed for file in directory.files] == [True, True, False, True, True, True, True, True]
    assert [job.id for job in store.prune_jobs] == ["daily"]


def test_a_link_is_not_followed(host: Host) -> None:
    secret = host.write("secret", "root:secret\n")
    (host.config / "datastore.cfg").symlink_to(secret)
    file = host.file("datastore.cfg")
    assert (file.exists, file.parsed, file.digest) == (True, None, "")
    assert file.error == "it is a link, not a regular file; it was not read"


def test_a_pipe_is_not_waited_for(host: Host) -> None:
    os.mkfifo(host.config / "prune.cfg")
    assert host.file("prune.cfg").error == "it is a fifo, not a regular file; it was not read"


def test_a_file_without_end_is_not_read(host: Host) -> None:
    path = host.write("prune.cfg", "")
    os.truncate(path, 1 << 40)
    file = host.file("prune.cfg")
    assert (file.parsed, file.error) == (None, "it is larger than 1048576 bytes; it was not read")


ACCOUNT = AccountFacts("backup", "backup", uid=34, primary_gid=34, gid=34, groups=[34, 26])


@pytest.mark.root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "readable"),
    [
        (0, 34, 0o640, True),
        (0, 26, 0o640, True),
        (0, 0, 0o640, False),
        (0, 0, 0o644, True),
        (34, 34, 0o600, True),
        (34, 34, 0o040, False),
        (0, 34, 0o604, False),
    ],
)
def test_whether_the_daemon_may_read(host: Host, uid: int, gid: int, mode: int, readable: bool) -> None:
    path = host.write("datastore.cfg", "")
    os.chown(path, uid, gid)
    path.chmod(mode)
    file = host.file("datastore.cfg", account=ACCOUNT)
    assert (file.uid, file.gid, file.mode, file.readable) == (uid, gid, f"{mode:04o}", readable)


def test_without_an_account_nobody_can_tell(host: Host) -> None:
    host.write("datastore.cfg", "")
    assert host.file("datastore.cfg", account=AccountFacts("backup", "backup")).readable is None


# --- versions ---


@pytest.mark.parametrize("version", [KNOWN, None])
def test_an_unknown_property_is_an_error_for_a_known_pbs(host: Host, version: str | None) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n\tnew-thing 1\n")
    file = host.file("datastore.cfg", version)
    assert (file.parsed, file.line, file.error, file.unknown) == (False, 3, "unknown property 'new-thing'", [])


def test_datastores_of_a_file_that_pbs_cannot_read_are_looked_at_all_the_same(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n\tnew-thing 1\n")
    directory, (store,) = host.observe(version=KNOWN)
    assert directory.files[0].parsed is False
    assert (store.name, store.path, store.properties) == ("tank", "/tank", {})


def test_an_unknown_property_is_no_error_for_a_newer_pbs(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n\tnew-thing 1\n\tnew-thing 2\n\nthing: x\n\ta b\n")
    file = host.file("datastore.cfg", NEWER)
    assert (file.parsed, file.error) == (True, "")
    assert file.unknown == [
        "line 3: unknown property 'new-thing'",
        "line 4: unknown property 'new-thing'",
        "line 6: unknown section type; known: datastore",
    ]
    (store,) = host.observe(version=NEWER)[1]
    assert store.properties == {}


def test_a_file_full_of_unknown_properties_stays_a_file(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n" + " a b\n" * 150_000)
    file = host.file("datastore.cfg", NEWER)
    assert file.parsed is True
    assert len(file.unknown) == 20


def test_garbage_is_an_error_for_a_newer_pbs_too(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tnew-thing 1\n")
    file = host.file("datastore.cfg", NEWER)
    assert (file.parsed, file.line, file.error) == (False, 1, "section 'tank' has no path")


# --- datastores ---


def test_a_plain_datastore(host: Host) -> None:
    assert host.store("datastore: tank\n\tpath /tank\n") == DatastoreConfig(
        name="tank", path="/tank", gc_last_run=JobRunFacts("created")
    )


def test_every_property(host: Host) -> None:
    store = host.store(
        'datastore: tank\n\tcomment t\u00e4st, "q"\n\tgc-schedule sat 03:00\n\tpath /tank\n\tverify-new yes\n'
        "\ttuning gc-atime-safety-check=off,gc-atime-cutoff=60,chunk-order=none\n"
        "\tnotify gc=error\n\tbackend s3,client=ep1,bucket=bkt\n"
    )
    assert store.properties == {
        "comment": 't\u00e4st, "q"',
        "gc-schedule": "sat 03:00",
        "notify": "gc=error",
        "verify-new": "yes",
        "tuning": "gc-atime-safety-check=off,gc-atime-cutoff=60,chunk-order=none",
        "backend": "s3,client=ep1,bucket=bkt",
    }
    assert store.tuning == {"gc-atime-safety-check": False, "gc-atime-cutoff": 60, "chunk-order": "none"}
    assert (store.tuning_error, store.backend, store.gc_schedule) == ("", "s3", "sat 03:00")


def test_a_tuning_that_breaks_the_next_gc(host: Host) -> None:
    store = host.store("datastore: tank\n\tpath /tank\n\ttuning sync-level=sometimes\n")
    assert store.tuning == {}
    assert store.tuning_error == "tuning: sync-level is 'sometimes'; allowed: none, file or filesystem"
    assert host.file("datastore.cfg").parsed is True


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("read-only", "read-only", ""),
        ('type=offline,message="a, b \\"c\\""', "offline", 'a, b "c"'),
        ('offline,message="50%25"', "offline", "50%"),
        ("offline,message=%1B[31m%FF", "offline", ""),
        ("offline,message=%1B[31m", "offline", r"\x1b[31m"),
        ("type=bogus", "bogus", ""),
        ("delete", "delete", ""),
    ],
)
def test_maintenance(host: Host, text: str, kind: str, message: str) -> None:
    store = shown(host.store(f"datastore: tank\n\tpath /tank\n\tmaintenance-mode {text}\n"))
    assert (store.maintenance_type, store.maintenance_message) == (kind, message)


def test_a_removable_datastore(host: Host) -> None:
    uuid = "0a1b2c3d-0000-4000-8000-000000000001"
    store = host.store(f"datastore: usb1\n\tbacking-device {uuid}\n\tpath backups/usb1\n")
    assert (store.path, store.backing_device) == ("backups/usb1", uuid)
    assert effective_path(store) == "/mnt/datastore/usb1"


def test_the_path_of_any_other_datastore() -> None:
    assert effective_path(DatastoreConfig("tank", "/srv/tank/")) == "/srv/tank/"


def test_what_is_shown_is_fit_for_people(host: Host) -> None:
    store = shown(host.store("datastore: tank\n\tpath /tank\x1b[31m\n"))
    assert store.path == r"/tank\x1b[31m"


# --- jobs ---


def test_jobs_belong_to_their_datastore(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n\ndatastore: other\n\tpath /other\n")
    host.write(
        "prune.cfg",
        "prune: daily\n\tdisable 1\n\tkeep-daily 7\n\tkeep-last 3\n\tmax-depth 2\n\tns a/b\n\tschedule daily\n"
        "\tstore tank\n\nprune: lost\n\tschedule daily\n\tstore gone\n",
    )
    host.write("verification.cfg", "verification: weekly\n\tschedule weekly\n\tstore tank\n\tignore-verified no\n")
    host.finish("prunejob-daily", {"Warning": {"count": 3, "endtime": 1735689700}})
    host.finish("garbage_collection-tank", {"Error": {"message": "atime safety check failed: …", "endtime": 7}})
    tank, other = host.observe()[1]
    assert tank.prune_jobs == [
        JobFacts(
            id="daily",
            schedule="daily",
            namespace="a/b",
            max_depth=2,
            disabled=True,
            keeps={"keep-daily": 7, "keep-last": 3},
            last_run=JobRunFacts("warning", 1735689700, warnings=3, upid=UPID, start=1735689600),
            properties={
                "disable": "1",
                "keep-daily": "7",
                "keep-last": "3",
                "max-depth": "2",
                "ns": "a/b",
                "schedule": "daily",
                "store": "tank",
            },
        )
    ]
    weekly = {"schedule": "weekly", "store": "tank", "ignore-verified": "no"}
    assert tank.verify_jobs == [
        JobFacts(id="weekly", schedule="weekly", last_run=JobRunFacts("created"), properties=weekly)
    ]
    assert tank.gc_last_run == JobRunFacts("error", 7, "atime safety check failed: …", upid=UPID, start=1735689600)
    assert (other.prune_jobs, other.verify_jobs, other.gc_last_run) == ([], [], JobRunFacts("created"))


def test_a_corrupt_state_is_unreadable(host: Host) -> None:
    (host.state / "jobstates" / "garbage_collection-tank.json").write_text('{"finis')
    run = host.store("datastore: tank\n\tpath /tank\n").gc_last_run
    assert run is not None
    assert (run.state, run.end) == ("unreadable", None)


def test_no_states_at_all(host: Host) -> None:
    (host.state / "jobstates").rmdir()
    assert host.store("datastore: tank\n\tpath /tank\n").gc_last_run == JobRunFacts("created")


def test_a_directory_of_states_that_is_a_link_is_not_followed(host: Host, tmp_path: Path) -> None:
    host.finish("garbage_collection-tank", {"OK": {"endtime": 7}})
    (host.state / "jobstates").rename(tmp_path / "elsewhere")
    (host.state / "jobstates").symlink_to(tmp_path / "elsewhere")
    run = host.store("datastore: tank\n\tpath /tank\n").gc_last_run
    assert run is not None
    assert (run.state, run.message) == ("unreadable", "ENOTDIR: Not a directory")


def test_facts_survive_the_way_through_json(host: Host) -> None:
    host.write("prune.cfg", "prune: daily\n\tschedule daily\n\tstore tank\n")
    host.finish("prunejob-daily", {"OK": {"endtime": 7}})
    store = host.store("datastore: tank\n\tpath /tank\n\ttuning gc-atime-safety-check=0\n")
    directory, _stores = host.observe()
    assert load(DatastoreConfig, json.loads(json.dumps(dataclasses.asdict(store)))) == store
    assert load(ConfigDirFacts, json.loads(json.dumps(dataclasses.asdict(directory)))) == directory


def test_no_descriptor_is_left_open(host: Host) -> None:
    host.write("datastore.cfg", "datastore: tank\n\tpath /tank\n")
    host.observe()
    before = os.listdir("/proc/self/fd")
    host.observe()
    assert os.listdir("/proc/self/fd") == before


# --- sync jobs, remotes, S3 endpoints ---

SYNC = """\
sync: offsite
\tencrypted-only true
\tgroup-filter type:vm
\tgroup-filter exclude:group:vm/9
\tmax-depth 3
\tns a/b
\towner sync@pbs
\trate-in 10 MB
\tremote pbs2
\tremote-ns c
\tremote-store tank2
\trun-on-mount true
\tschedule daily
\tstore tank
\tsync-direction push

sync: local
\tremote-store tank
\tstore copy
"""
REMOTE = """\
remote: pbs2
\tauth-id sync@pbs!token
\tfingerprint 38:25:b0
\thost 192.0.2.7
\tpassword bmV1dHJhbA==
\tport 8008
"""
S3 = """\
s3-endpoint: aws
\taccess-key AKNEUTRAL
\tendpoint {{bucket}}.s3.{{region}}.example.org
\tport 5443
\tprovider-quirks skip-if-none-match-header
\tregion us-east-1
\tsecret-key neutral
"""


def test_sync_jobs(host: Host) -> None:
    host.write("sync.cfg", SYNC)
    host.finish("syncjob-offsite", {"OK": {"endtime": 1767225600}})
    jobs = host.observe()[0].sync_jobs
    assert jobs is not None
    offsite, local = jobs
    assert (offsite.id, offsite.store, offsite.remote, offsite.remote_store) == ("offsite", "tank", "pbs2", "tank2")
    assert (offsite.direction, offsite.namespace, offsite.remote_namespace) == ("push", "a/b", "c")
    assert (offsite.max_depth, offsite.schedule, offsite.owner) == (3, "daily", "sync@pbs")
    assert (offsite.group_filters, offsite.run_on_mount) == (["type:vm", "exclude:group:vm/9"], True)
    assert offsite.properties["rate-in"] == "10 MB"
    assert offsite.properties["group-filter"] == ["type:vm", "exclude:group:vm/9"]
    assert offsite.last_run is not None
    assert (offsite.last_run.state, offsite.last_run.end) == ("ok", 1767225600)
    assert (local.remote, local.direction, local.max_depth, local.run_on_mount) == ("", "pull", None, False)
    assert local.last_run == JobRunFacts(state="created")


def test_remotes_and_s3_endpoints_without_their_secrets(host: Host) -> None:
    host.write("remote.cfg", REMOTE)
    host.write("s3.cfg", S3)
    directory = host.observe()[0]
    assert directory.remotes is not None
    (remote,) = directory.remotes
    assert (remote.name, remote.host, remote.port, remote.auth_id) == ("pbs2", "192.0.2.7", 8008, "sync@pbs!token")
    assert directory.s3_endpoints is not None
    (endpoint,) = directory.s3_endpoints
    assert (endpoint.id, endpoint.port, endpoint.region) == ("aws", 5443, "us-east-1")
    assert endpoint.endpoint == "{{bucket}}.s3.{{region}}.example.org"
    assert endpoint.properties["provider-quirks"] == ["skip-if-none-match-header"]
    assert not {"password", "secret-key", "access-key"} & {*remote.properties, *endpoint.properties}
    everything = json.dumps(dataclasses.asdict(directory))
    assert not any(secret in everything for secret in ("bmV1dHJhbA", "neutral", "AKNEUTRAL"))
    # The wrong fingerprint is an error of the file.
    assert [file.line for file in directory.files if file.parsed is False] == [3]


def test_what_could_not_be_read_is_not_known(host: Host) -> None:
    host.write("sync.cfg", "garbage\n")
    directory = host.observe()[0]
    assert (directory.sync_jobs, directory.remotes, directory.s3_endpoints) == (None, [], [])


def test_a_secret_in_an_unknown_property_stays_out(host: Host) -> None:
    host.write("remote.cfg", REMOTE + "\ttoken-secret hush\n")
    directory = host.observe(version=NEWER)[0]
    assert directory.remotes is not None
    assert "hush" not in json.dumps(dataclasses.asdict(directory))


def test_the_certificate_is_known_by_its_fingerprint(host: Host) -> None:
    assert host.observe()[0].certificate is None
    host.write("proxy.pem", PEM.decode())
    assert host.observe()[0].certificate == CertificateFacts(FINGERPRINT, 2111301520)
    host.write("proxy.pem", "garbage")
    assert host.observe()[0].certificate == CertificateFacts(error="there is no certificate in PEM")


# --- traffic control and notifications ---


def test_traffic_control_and_notifications_without_what_may_be_secret(host: Host) -> None:
    host.write("traffic-control.cfg", "rule: office\n\tnetwork 192.0.2.0/24\n\trate-in 10 MB\n")
    host.write(
        "notifications.cfg",
        "webhook: web1\n\tbody YQ==\n\theader name=X-A,value=bmV1dHJhbA==\n\tmethod post\n\turl https://192.0.2.9/neutral\n"
        "\nmatcher: mat1\n\ttarget web1\n",
    )
    directory, _stores = host.observe()
    assert directory.traffic_controls == [
        ServerEntryFacts("office", "rule", {"network": ["192.0.2.0/24"], "rate-in": "10 MB"})
    ]
    assert directory.notification_targets is not None
    targets = {target.name: target for target in directory.notification_targets}
    assert sorted(targets) == ["mail-to-root", "web1"]
    assert targets["web1"].properties == {"method": "post"}
    assert sorted(targets["web1"].digests) == ["body", "header", "url"]
    assert not any(word in str(directory) for word in ("neutral", "bmV1dHJhbA"))
    assert directory.notification_matchers is not None
    assert [matcher.name for matcher in directory.notification_matchers] == ["default-matcher", "mat1"]
    # The same headers in another order, or encoded in another way, have the same digest.
    host.write(
        "notifications.cfg",
        "webhook: web1\n\theader value=bmV1dHJhbA==,name=X-A\n\tmethod post\n\turl https://192.0.2.9/other\n",
    )
    directory, _stores = host.observe()
    (_builtin, again) = directory.notification_targets or ()
    assert again.digests["header"] == targets["web1"].digests["header"]
    assert again.digests["url"] != targets["web1"].digests["url"]


def test_notifications_that_pbs_cannot_read(host: Host) -> None:
    host.write("notifications.cfg", "nonsense\n")
    directory, _stores = host.observe()
    assert (directory.notification_targets, directory.notification_matchers) == (None, None)
    assert directory.traffic_controls == []
