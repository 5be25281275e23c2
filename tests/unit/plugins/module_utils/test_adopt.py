# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is adopted is provisioned without a change, and gives a second host the same configuration."""

from __future__ import annotations

import copy
import itertools
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._adopt import Declaration, adopt
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import (
    MATCHER,
    PRUNE,
    REMOTE,
    S3_ENDPOINT,
    SYNC,
    TRAFFIC_CONTROL,
    VERIFY,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import (
    FILES,
    Action,
    datastore,
    section,
    target,
)

pytestmark = pytest.mark.root

HERE = pathlib.Path(__file__).parent
RECORDED = json.loads((HERE / "_pbs" / "data" / "recorded_configurations.json").read_text())
NOTIFICATIONS = json.loads((HERE.parents[1] / "data" / "notification_recordings.json").read_text())
STORE = {"prune.cfg": "prune_jobs", "verification.cfg": "verify_jobs"}


def recorded() -> Iterator[Any]:
    """Every configuration that a real PBS wrote: its files."""
    for name, known in RECORDED.items():
        if name not in FILES:
            continue
        for number, numbers in enumerate(known["files"]):
            text = "\n\n".join(known["sections"][part] for part in numbers) + "\n" * bool(numbers)
            files = {name: text}
            if name in STORE:
                stores = sorted({line.split()[1] for line in text.splitlines() if line.startswith("\tstore ")})
                files["datastore.cfg"] = "\n".join(f"datastore: {store}\n\tpath /mnt/{store}\n" for store in stores)
            yield pytest.param(files, id=f"{name}-{number}")
    for number, texts in enumerate(NOTIFICATIONS["configurations"]):
        yield pytest.param(dict(zip(NOTIFICATIONS["files"], texts)), id=f"notifications-{number}")


def adopted(host: FakeHost) -> Declaration:
    return adopt(
        {
            "config_dir": str(host.etc),
            "state_dir": str(host.var),
            "user": "backup",
            "group": "backup",
            "deadline": 30.0,
        }
    )


def filled(found: Declaration, secrets: bool) -> dict[str, Any]:
    """The variables as Ansible reads them from the file: a placeholder without its variable is None."""
    variables = copy.deepcopy(found.variables)
    for item in found.secrets:
        entry = next(
            entry for entry in variables[item["variable"]] if item["name"] in (entry.get("name"), entry.get("id"))
        )
        option, _dot, key = item["option"].partition(".")
        value = f"neutral-{item['placeholder']}" if secrets else None
        if key:
            entry.setdefault(option, {})[key] = value
        else:
            entry[option] = value
    return variables


def actions(host: FakeHost, variables: dict[str, Any]) -> Iterator[Action]:
    """What the playbook provision does, in its order."""
    resources = {
        "pbs_remotes": REMOTE,
        "pbs_s3_endpoints": S3_ENDPOINT,
        "pbs_sync_jobs": SYNC,
        "pbs_traffic_controls": TRAFFIC_CONTROL,
        "pbs_notification_matchers": MATCHER,
    }
    for name in ("pbs_remotes", "pbs_s3_endpoints"):
        yield from (section(host, resources[name], **entry) for entry in variables[name])
    for entry in variables["pbs_datastores"]:
        options = {key: value for key, value in entry.items() if key not in ("mount", "prune_jobs", "verify_jobs")}
        yield datastore(host, **options)
    for entry in variables["pbs_datastores"]:
        for jobs, resource in (("prune_jobs", PRUNE), ("verify_jobs", VERIFY)):
            yield from (section(host, resource, **job, store=entry["name"]) for job in entry.get(jobs, []))
    for name in ("pbs_sync_jobs", "pbs_traffic_controls"):
        yield from (section(host, resources[name], **entry) for entry in variables[name])
    yield from (target(host, **entry) for entry in variables["pbs_notification_targets"])
    yield from (section(host, MATCHER, **entry) for entry in variables["pbs_notification_matchers"])


def put(host: FakeHost, files: dict[str, str]) -> None:
    for name, text in files.items():
        (host.etc / name).write_text(text)


@pytest.mark.parametrize("files", list(recorded()))
def test_provision_changes_nothing_of_what_was_recorded(tmp_path: pathlib.Path, files: dict[str, str]) -> None:
    host = FakeHost(tmp_path / "host")
    put(host, files)
    before = [host.config(name) for name in FILES]
    results = [action(False) for action in actions(host, filled(adopted(host), secrets=False))]
    assert [result["msg"] for result in results if result["changed"] or result["warnings"]] == []
    assert [host.config(name) for name in FILES] == before


# --- a second host ----------------------------------------------------------------------------------------------------

_TEXT = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_categories=("Cc", "Cs", "Zs", "Zl")), max_size=20
)
_MAIL = st.from_regex(r"[a-z]{1,8}@example\.org", fullmatch=True)
_TIME = st.sampled_from(["8-17", "mon..fri 8-17", "sat 10:00-12:30", "mon,wed 0:30-23"])
_SIZE = st.sampled_from(["10 MB", "1.5 MiB", "1024 B", "3 GiB"])
_FLAG = st.sampled_from(["true", "false"])


def _some(required: dict[str, Any], optional: dict[str, Any]) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


def _lines(item: Any) -> Any:
    return st.lists(item, min_size=1, max_size=3, unique=True)


_COMMON = {"comment": _TEXT.filter(bool), "disable": _FLAG}
_RECIPIENTS = {"mailto": _lines(_MAIL), "mailto-user": _lines(st.just("root@pam"))}
_RULES = _some(
    {"network": _lines(st.sampled_from(["192.0.2.0/24", "192.0.2.9/24", "2001:db8::/32", "0.0.0.0/0"]))},
    {
        **dict.fromkeys(("rate-in", "rate-out", "burst-in", "burst-out"), _SIZE),
        "timeframe": _lines(_TIME),
        "users": _lines(st.sampled_from(["a@pbs", "root@pam"])),
        "comment": _COMMON["comment"],
    },
)
_TARGETS = {
    "sendmail": _some({"mailto": _RECIPIENTS["mailto"]}, {"mailto-user": _RECIPIENTS["mailto-user"], **_COMMON}),
    "smtp": _some(
        {"server": st.just("mail.example.org"), "from-address": _MAIL, "mailto": _RECIPIENTS["mailto"]},
        {
            "mode": st.sampled_from(["tls", "starttls", "insecure"]),
            "port": st.integers(0, 65535).map(str),
            "username": _TEXT.filter(bool),
            "author": _TEXT.filter(bool),
            **_COMMON,
        },
    ),
    "gotify": _some({"server": st.just("https://push.example.org")}, _COMMON),
    "webhook": _some(
        {"url": st.just("https://192.0.2.9/{{ secrets.a }}"), "method": st.sampled_from(["post", "put", "get"])},
        {
            "header": _lines(st.sampled_from(["name=X-A,value=YQ==", "name=X-B,value=e3sgYSB9fQ=="])),
            "body": st.sampled_from(["YiB7eyB0aXRsZSB9fQ==", "YQpiCg=="]),
            **_COMMON,
        },
    ),
}
_PRIVATE = {
    "smtp": st.sampled_from([{}, {"password": ["pw"]}]),
    "gotify": st.just({"token": ["tok"]}),
    "webhook": st.sampled_from(
        [{}, {"secret": ["name=a,value=YQ=="]}, {"secret": ["name=a,value=YQ==", "name=b,value=Yg=="]}]
    ),
}
_MATCHERS = _some(
    {},
    {
        "match-field": _lines(st.sampled_from(["exact:type=gc", "exact:type=gc,prune", r"regex:hostname=^a.*$"])),
        "match-severity": _lines(st.sampled_from(["info", "error,warning"])),
        "match-calendar": _lines(_TIME),
        "mode": st.sampled_from(["all", "any"]),
        "invert-match": _FLAG,
        "target": _lines(st.just("mail-to-root")),
        **_COMMON,
    },
)
_JOBS = _some(
    {"schedule": st.sampled_from(["daily", "sat 03:00", "mon..fri 21:30"])},
    {"comment": _COMMON["comment"], "ns": st.sampled_from(["a", "a/b"]), "max-depth": st.integers(0, 5).map(str)},
)


def _text(kind: str, name: str, values: dict[str, Any]) -> str:
    lines = [
        f"\t{key} {item}\n"
        for key in sorted(values)
        for item in ([values[key]] if isinstance(values[key], str) else values[key])
    ]
    return f"{kind}: {name}\n" + "".join(lines)


@st.composite
def configurations(draw: Any) -> dict[str, str]:
    """Files as PBS writes them, with everything that a second host can be given without a disk."""
    rules = [_text("rule", f"rule{number}", draw(_RULES)) for number in range(draw(st.integers(0, 2)))]
    public, private = [], []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(sorted(_TARGETS)), max_size=3))):
        public.append(_text(kind, f"tgt{number}", draw(_TARGETS[kind])))
        if kind in _PRIVATE:
            private.append(_text(kind, f"tgt{number}", draw(_PRIVATE[kind])))
    public += [_text("matcher", f"mat{number}", draw(_MATCHERS)) for number in range(draw(st.integers(0, 2)))]
    prune = [_text("prune", "tank-prune", {"store": "tank", "keep-daily": "7", **draw(_JOBS)})]
    verify = [_text("verification", "tank-verify", {"store": "tank", **draw(_JOBS)})]
    return {
        "traffic-control.cfg": "\n".join(rules),
        "notifications.cfg": "\n".join(public),
        "notifications-priv.cfg": "\n".join(private),
        "prune.cfg": "\n".join(prune),
        "verification.cfg": "\n".join(verify),
    }


_NUMBERS = itertools.count()


@given(files=configurations())
@example(files={"notifications.cfg": "matcher: default-matcher\n\tdisable true\n\tmode all\n"})
@hypothesis_settings(
    max_examples=int(os.environ.get("FLEETOPS_ADOPT_EXAMPLES", "6")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_second_host_ends_with_the_same_configuration(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]
) -> None:
    base = tmp_path_factory.mktemp(f"pair{next(_NUMBERS)}")
    tank = (
        f"datastore: tank\n\tcomment as before\n\tgc-schedule daily\n\tpath {base}/tank\n\ttuning gc-atime-cutoff=60\n"
    )
    first, second = FakeHost(base / "first"), FakeHost(base / "second", prefixes=2)
    put(first, {**files, "datastore.cfg": tank})
    before = [first.config(name) for name in FILES]
    found = adopted(first)
    unchanged = [action(False) for action in actions(first, filled(found, secrets=False))]
    assert [result["msg"] for result in unchanged if result["changed"]] == []
    assert [first.config(name) for name in FILES] == before
    for action in actions(second, filled(found, secrets=True)):
        action(False)
    again = adopted(second)
    assert (meaning(again.variables), again.secrets) == (meaning(found.variables), found.secrets)
    repeated = [action(False)["changed"] for action in actions(second, filled(found, secrets=True))]
    assert not any(repeated)


def meaning(variables: dict[str, Any]) -> dict[str, Any]:
    """Without values that PBS uses anyway, which it does not store for a new entry, and without an order that has none."""
    default = {"disable": False, "mode": ("all", "tls"), "invert_match": False}

    def entry(given: dict[str, Any]) -> dict[str, Any]:
        kept = {}
        for option, value in given.items():
            usual = default.get(option, ())
            if value is usual or (isinstance(usual, tuple) and value in usual):
                continue
            kept[option] = (
                sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value
            )
        return kept

    return {
        name: sorted(map(entry, entries), key=lambda item: str(item.get("name", item.get("id"))))
        for name, entries in variables.items()
    }


# --- what is left out -------------------------------------------------------------------------------------------------


def test_secrets_are_named_and_left_out(tmp_path: pathlib.Path) -> None:
    host = FakeHost(tmp_path / "host")
    put(
        host,
        {
            "remote.cfg": "remote: off-site\n\tauth-id sync@pbs\n\thost pbs2\n\tpassword bmV1dHJhbC1wdw==\n",
            "notifications.cfg": "webhook: web1\n\tmethod post\n\turl https://192.0.2.9/\n\nsmtp: off_site\n\tfrom-address "
            "a@example.org\n\tmailto b@example.org\n\tserver mail\n",
            "notifications-priv.cfg": "webhook: web1\n\tsecret name=tok,value=bmV1dHJhbC13ZWI=\n\nsmtp: off_site\n\tpassword x9\n",
        },
    )
    found = adopted(host)
    assert {item["placeholder"]: (item["name"], item["option"]) for item in found.secrets} == {
        "vault_pbs_remote_off_site_password": ("off-site", "password"),
        "vault_pbs_notification_target_web1_tok": ("web1", "secrets.tok"),
        "vault_pbs_notification_target_off_site_password": ("off_site", "password"),
    }
    text = json.dumps([found.variables, found.secrets, found.notes])
    assert not any(secret in text for secret in ("bmV1dHJhbC1wdw", "neutral-pw", "bmV1dHJhbC13ZWI", "x9"))


def test_placeholders_have_different_names(tmp_path: pathlib.Path) -> None:
    host = FakeHost(tmp_path / "host")
    sections = [f"remote: {name}\n\tauth-id sync@pbs\n\thost pbs2\n\tpassword eA==\n" for name in ("a-b", "a_b", "a.b")]
    put(host, {"remote.cfg": "\n".join(sections)})
    names = [item["placeholder"] for item in adopted(host).secrets]
    assert names == [f"vault_pbs_remote_a_b_password{end}" for end in ("", "_2", "_3")]


def test_what_cannot_be_declared_is_a_note(tmp_path: pathlib.Path) -> None:
    host = FakeHost(tmp_path / "host")
    put(
        host,
        {
            "datastore.cfg": "datastore: tank\n\tkeep-last 3\n\tpath /mnt/tank\n"
            "\ttuning sync-level=sometimes,gc-atime-cutoff=60\n"
            "\ndatastore: going\n\tmaintenance-mode delete\n\tpath /mnt/going\n"
            "\ndatastore: busy\n\tmaintenance-mode unmount\n\tpath /mnt/busy\n"
            "\ndatastore: asleep\n\tmaintenance-mode type=offline,message=back%20soon\n\tpath /mnt/asleep\n",
            "prune.cfg": "prune: lost\n\tschedule daily\n\tstore nosuch\n",
            "notifications.cfg": "webhook: web1\n\theader name=A,value=%\n\tmethod post\n\turl https://192.0.2.9/\n",
        },
    )
    found = adopted(host)
    stores = {store["name"]: store for store in found.variables["pbs_datastores"]}
    assert stores["tank"] == {"name": "tank", "path": "/mnt/tank", "tuning": {"gc_atime_cutoff": 60}}
    assert stores["busy"] == {"name": "busy", "path": "/mnt/busy"}
    assert stores["asleep"]["maintenance_mode"] == {"type": "offline", "text": "back soon"}
    assert [note["name"] + ": " + note["text"][:55] for note in found.notes] == [
        "tank: keep-last cannot be declared, so it is left out",
        "tank: tuning.sync_level is 'sometimes', which PBS cannot use,",
        ": datastore 'going' cannot be declared: it is being delet",
        "busy: maintenance mode unmount: set by PBS, so it is left out",
        ": prune job 'lost' is for datastore 'nosuch', which is no",
        "web1: headers is what it is, which cannot be declared, so it ",
    ]


def test_what_pbs_brings_is_declared_only_if_changed(tmp_path: pathlib.Path) -> None:
    host = FakeHost(tmp_path / "host")
    assert adopted(host).variables["pbs_notification_matchers"] == []
    section(host, MATCHER, name="default-matcher", disable=True)(False)
    assert [entry["name"] for entry in adopted(host).variables["pbs_notification_matchers"]] == ["default-matcher"]
