# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules traffic_control, notification_target and notification_matcher."""

from __future__ import annotations

import base64
import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import MATCHER, TRAFFIC_CONTROL
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import (
    Action,
    four_times,
    section,
    target,
)

pytestmark = pytest.mark.root

PUBLIC, PRIVATE = "notifications.cfg", "notifications-priv.cfg"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host")
    host.daemons("none")  # neither rules nor notifications need them
    return host


def rule(host: FakeHost, **options: Any) -> Action:
    return section(host, TRAFFIC_CONTROL, **options)


def matcher(host: FakeHost, **options: Any) -> Action:
    return section(host, MATCHER, **options)


def refusal(action: Action, check: bool = False) -> str:
    with pytest.raises(CollectionError) as caught:
        action(check)
    return str(caught.value)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SMTP = {"type": "smtp", "server": "mail.example.org", "from_address": "pbs@example.org", "mailto": ["a@example.org"]}


# --- traffic control ---


def test_a_rule(host: FakeHost) -> None:
    done = four_times(
        host,
        rule(
            host,
            name="office",
            network=["192.0.2.0/24", "2001:db8::/32"],
            rate_in="10MB",
            burst_in="20MB",
            timeframe=["mon..fri 8-17", "sat 10:00-12:30"],
            users=["alice@pbs"],
            comment="two words",
        ),
    )
    assert done["commands"] == [
        [
            *(str(host.manager), "traffic-control", "create", "office", "--burst-in", "20MB", "--comment", "two words"),
            *("--network", "192.0.2.0/24", "--network", "2001:db8::/32", "--rate-in", "10MB"),
            *("--timeframe", "mon..fri 8-17", "--timeframe", "sat 10:00-12:30", "--users", "alice@pbs"),
        ]
    ]
    # The same amounts in another spelling, and the same networks in another order, are no change.
    same = rule(host, name="office", network=["2001:db8::/32", "192.0.2.0/24"], rate_in="10000000", burst_in="0.02 GB")
    assert (same(False)["changed"], same(False)["commands"]) == (False, [])
    four_times(
        host, rule(host, name="office", network=["198.51.100.0/24"], rate_in="1.5MiB", timeframe=[], unset=["users"])
    )
    assert host.config("traffic-control.cfg") == (
        "rule: office\n\tburst-in 20 MB\n\tcomment two words\n\tnetwork 198.51.100.0/24\n\trate-in 1.5 MiB\n"
    )
    four_times(host, rule(host, name="office", comment="", unset=["burst_in", "rate_in"]))
    four_times(host, rule(host, name="office", state="absent"))
    assert host.config("traffic-control.cfg") == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "x"}, "name: 'x' is not a valid name of a traffic control rule"),
        ({"network": ["192.0.2.1"]}, "network: '192.0.2.1' is not allowed; allowed: a network such as"),
        ({"network": []}, "network: must not be empty, because a traffic control rule requires it"),
        ({"unset": ["network"]}, "unset: network is required for a traffic control rule and cannot be unset"),
        ({"rate_in": "fast"}, "rate_in: 'fast' is not allowed; allowed: a size such as"),
        ({"timeframe": ["foo"]}, "timeframe: 'foo' is not allowed; allowed: times of a day"),
        ({"users": ["alice"]}, "users: 'alice' is not allowed; allowed: a user such as"),
        ({"unset": ["colour"]}, "unset: 'colour' is not a property"),
        ({"network": None}, "Traffic control rule 'office' does not exist yet, and a new one needs: network"),
    ],
)
def test_wrong_rules(host: FakeHost, options: dict[str, Any], message: str) -> None:
    given = {"name": "office", "network": ["192.0.2.0/24"], **options}
    assert refusal(rule(host, **given)).startswith(message)
    assert host.config("traffic-control.cfg") == ""


def test_a_version_without_users(host: FakeHost) -> None:
    host.configure(version="4.0.4-1")
    action = rule(host, name="office", network=["192.0.2.0/24"], users=["alice@pbs"])
    assert "users requires PBS 4.1 or later, this host has 4.0.4-1" in refusal(action)


# --- targets ---


def test_a_sendmail_target(host: FakeHost) -> None:
    four_times(host, target(host, name="sm1", type="sendmail", mailto_user=["root@pam"], comment="c", author="PBS"))
    four_times(host, target(host, name="sm1", mailto=["a@example.org", "b@example.org"], mailto_user=[]))
    four_times(host, target(host, name="sm1", disable=True, unset=["author"]))
    four_times(host, target(host, name="sm1", state="absent"))


def test_an_smtp_target_and_its_password(host: FakeHost) -> None:
    secret = "s3cret-Passw0rd"
    options = {"name": "smt1", **SMTP, "username": "pbs", "password": secret, "mode": "starttls", "port": 2525}
    done = four_times(host, target(host, **options))
    assert secret not in json.dumps(done)
    assert host.config(PRIVATE) == f"smtp: smt1\n\tpassword {secret}\n"
    # Nobody can see that the password differs, so it is set only when told.
    other = {**options, "password": "other"}
    assert target(host, **other)(False)["changed"] is False
    assert target(host, **other, update_secret="always")(True)["commands"][0][-4:-2] == ["--password", "********"]
    done = target(host, **other, update_secret="always")(False)
    assert (done["changed"], host.config(PRIVATE)) == (True, "smtp: smt1\n\tpassword other\n")
    assert done["diff"]["before"] == done["diff"]["after"]
    four_times_without_diff(host, target(host, name="smt1", unset=["password"]))
    assert host.config(PRIVATE) == "smtp: smt1\n"
    # One that PBS does not have is set.
    assert target(host, **options)(False)["changed"] is True
    four_times(host, target(host, name="smt1", mode="tls", unset=["port", "username"]))
    four_times(host, target(host, name="smt1", state="absent"))
    assert (PRIVATE, host.config(PRIVATE)) == (PRIVATE, "")


def four_times_without_diff(host: FakeHost, action: Action) -> None:
    """As `four_times`, for a change of nothing that may be shown."""
    results = [action(check) for check in (True, False, False, True)]
    assert [result["changed"] for result in results] == [True, True, False, False]
    assert results[0]["commands"] == results[1]["commands"]


def test_a_gotify_target(host: FakeHost) -> None:
    done = four_times(
        host, target(host, name="got1", type="gotify", server="https://push.example.org", token="neutral-gotify-tok")
    )
    assert done["commands"] == [
        [
            *(str(host.manager), "notification", "endpoint", "gotify", "create", "got1"),
            *("--server", "https://push.example.org", "--token", "********"),
        ]
    ]
    four_times(host, target(host, name="got1", server="https://push2.example.org"))
    four_times(host, target(host, name="got1", state="absent"))


def test_a_webhook_target_and_its_secrets(host: FakeHost) -> None:
    hook = {"name": "web1", "type": "webhook", "method": "post", "url": "https://192.0.2.9/h?t={{ secrets.tok }}"}
    done = four_times(
        host,
        target(
            host,
            **hook,
            headers={"X-A": "{{ secrets.hd }}", "X-B": 7},
            body="b {{ title }}\n",
            secrets={"tok": "neutral-web-tok", "hd": "neutral-web-hd"},
        ),
    )
    text = json.dumps(done)
    assert not any(word in text for word in ("neutral-web-tok", encoded("neutral-web-tok"), encoded("neutral-web-hd")))
    assert (done["target"]["secret"], done["commands"][0].count("********")) == (["name=tok", "name=hd"], 2)
    assert host.config(PRIVATE) == (
        f"webhook: web1\n\tsecret name=tok,value={encoded('neutral-web-tok')}\n"
        f"\tsecret name=hd,value={encoded('neutral-web-hd')}\n"
    )
    assert f"\theader name=X-B,value={encoded('7')}\n" in host.config(PUBLIC)
    # Values are not compared; names are, and a name without a value keeps the value that PBS has.
    assert target(host, **hook, secrets={"tok": "other", "hd": None})(False)["changed"] is False
    done = four_times(host, target(host, **hook, secrets={"tok": None, "new": "n"}, headers={"X-A": "a"}, body="c"))
    assert [word for word in done["commands"][0] if word in ("name=tok", "********")] == ["name=tok", "********"]
    assert host.config(PRIVATE) == (
        f"webhook: web1\n\tsecret name=tok,value={encoded('neutral-web-tok')}\n\tsecret name=new,value={encoded('n')}\n"
    )
    done = target(host, **hook, secrets={"tok": "second", "new": None}, update_secret="always")(False)
    assert host.config(PRIVATE) == (
        f"webhook: web1\n\tsecret name=tok,value={encoded('second')}\n\tsecret name=new,value={encoded('n')}\n"
    )
    assert encoded("second") not in json.dumps(done)
    assert refusal(target(host, **hook, secrets={"tok": None, "third": None})) == (
        "Webhook target 'web1': PBS does not have these secrets yet, so they need a value: secrets.third"
    )
    four_times(host, target(host, name="web1", secrets={}, headers={}, body=""))
    assert (host.config(PRIVATE), "header" in host.config(PUBLIC)) == ("webhook: web1\n", False)
    four_times(host, target(host, name="web1", state="absent"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "x"}, "name: 'x' is not a valid name of a target of notifications"),
        ({"type": None}, "type: PBS has no target 'tgt1' yet, and a new one needs a type: gotify"),
        ({"token": "x"}, "token: a target of type smtp has no such option; it has author,"),
        ({"server": None}, "SMTP target 'tgt1' does not exist yet, and a new one needs: server"),
        ({"server": ""}, "server: must not be empty, because an SMTP target requires it"),
        ({"mailto": ["x"]}, "mailto: 'x' is not allowed; allowed: a mail address"),
        ({"mailto_user": ["root"]}, "mailto_user: 'root' is not allowed; allowed: a user such as"),
        ({"mailto": None}, "SMTP target 'tgt1': it needs at least one recipient, in mailto or in mailto_user."),
        ({"port": 70000}, "port: '70000' is not allowed; allowed: a whole number from 0 to 65535"),
        ({"unset": ["mode"]}, "unset: PBS cannot unset mode; instead, set it to tls"),
        ({"comment": "a\nb"}, "comment: 'a\\x0ab' is not allowed; allowed: one line"),
        ({"password": "a\nb"}, "password: this value is not allowed; allowed: one line that is not empty"),
    ],
)
def test_wrong_targets(host: FakeHost, options: dict[str, Any], message: str) -> None:
    assert refusal(target(host, **{"name": "tgt1", **SMTP, **options})).startswith(message)
    assert (host.config(PUBLIC), host.config(PRIVATE)) == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": None}, "Webhook target 'web1' does not exist yet, and a new one needs: method"),
        ({"headers": {"X A": "b"}}, "headers: 'X A' is not a valid name; allowed: letters"),
        ({"headers": {"X-A": ["b"]}}, "headers.X-A: must be a text"),
        ({"secrets": {"a,b": "c"}}, "secrets: 'a,b' is not a valid name; allowed: letters"),
        ({"secrets": {"tok": None}}, "Webhook target 'web1': PBS does not have these secrets yet"),
    ],
)
def test_wrong_webhooks(host: FakeHost, options: dict[str, Any], message: str) -> None:
    hook = {"name": "web1", "type": "webhook", "method": "post", "url": "https://192.0.2.9/"}
    assert refusal(target(host, **{**hook, **options})).startswith(message)
    assert host.config(PUBLIC) == ""


def test_the_type_of_a_target_cannot_change(host: FakeHost) -> None:
    target(host, name="tgt1", **SMTP)(False)
    assert refusal(target(host, name="tgt1", type="sendmail", mailto=["a@example.org"])).startswith(
        "'tgt1' already exists, but it is of type smtp."
    )
    assert refusal(target(host, name="default-matcher", type="sendmail", mailto=["a@example.org"])).startswith(
        "'default-matcher' already exists, but it is of type matcher."
    )


def test_the_last_recipient_cannot_go(host: FakeHost) -> None:
    target(host, name="tgt1", **SMTP)(False)
    assert "needs at least one recipient" in refusal(target(host, name="tgt1", mailto=[]))


@pytest.mark.parametrize(
    ("version", "options", "message"),
    [
        ("3.1.5-1", SMTP, "SMTP target 'tgt1' requires PBS 3.2 or later, this host has 3.1.5-1"),
        (
            "3.2.4-1",
            {"type": "webhook", "method": "post", "url": "https://192.0.2.9/"},
            "webhook target 'tgt1' requires PBS 3.3 or later, this host has 3.2.4-1",
        ),
    ],
)
def test_versions_without_notifications(host: FakeHost, version: str, options: dict[str, Any], message: str) -> None:
    host.configure(version=version)
    assert message in refusal(target(host, name="tgt1", **options))


# --- matchers ---


def test_a_matcher(host: FakeHost) -> None:
    target(host, name="tgt1", **SMTP)(False)
    four_times(
        host,
        matcher(
            host,
            name="mat1",
            target=["tgt1", "mail-to-root"],
            match_severity=["error,warning"],
            match_field=["exact:type=gc, verify", "regex:hostname=^a.*$"],
            match_calendar=["mon..fri 8-17"],
            mode="any",
            invert_match=True,
            comment="m",
        ),
    )
    assert "\tmatch-field exact:type=gc,verify\n" in host.config(PUBLIC)
    four_times(host, matcher(host, name="mat1", target=["tgt1"], match_calendar=[], invert_match=False, unset=["mode"]))
    assert refusal(target(host, name="tgt1", state="absent")) == (
        "SMTP target 'tgt1' is used by notification matcher 'mat1', so PBS does not remove it. Remove what uses it first."
    )
    four_times(host, matcher(host, name="mat1", state="absent"))
    four_times(host, target(host, name="tgt1", state="absent"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "m"}, "name: 'm' is not a valid name of a notification matcher"),
        ({"match_severity": ["bogus"]}, "match_severity: 'bogus' is not allowed; allowed: one or more of info"),
        ({"match_field": ["foo"]}, "match_field: 'foo' is not allowed; allowed: exact:FIELD=VALUE"),
        ({"match_field": ["regex:type=("]}, "match_field: 'regex:type=(' is not allowed"),
        ({"match_calendar": ["noon"]}, "match_calendar: 'noon' is not allowed; allowed: times of a day"),
        ({"target": ["nosuch"]}, "target: there is no target of notifications 'nosuch' on this host; create it first"),
        ({"target": ["default-matcher"]}, "target: there is no target of notifications 'default-matcher'"),
        ({"name": "mail-to-root"}, "'mail-to-root' already exists, but it is of type sendmail."),
    ],
)
def test_wrong_matchers(host: FakeHost, options: dict[str, Any], message: str) -> None:
    assert refusal(matcher(host, **{"name": "mat1", **options})).startswith(message)
    assert host.config(PUBLIC) == ""


def test_a_target_that_an_earlier_task_would_create(host: FakeHost) -> None:
    done = matcher(host, name="mat1", target=["nosuch"])(True)
    assert (done["changed"], done["warnings"]) == (True, ["there is no target of notifications 'nosuch' yet"])


# --- what PBS brings ---


def test_what_pbs_brings_is_there_and_cannot_go(host: FakeHost) -> None:
    for action in (matcher(host, name="default-matcher"), target(host, name="mail-to-root", mailto_user=["root@pam"])):
        assert action(False)["changed"] is False
    absent = matcher(host, name="default-matcher", state="absent")(False)
    assert (absent["changed"], absent["msg"]) == (
        False,
        "Notification matcher 'default-matcher' is as PBS ships it; PBS always has it, and disable: true switches it off.",
    )
    assert host.config(PUBLIC) == ""


def test_what_pbs_brings_is_changed_and_reset(host: FakeHost) -> None:
    done = four_times(host, matcher(host, name="default-matcher", disable=True, comment="own"))
    assert done["commands"][0][1:5] == ["notification", "matcher", "update", "default-matcher"]
    done = four_times(host, matcher(host, name="default-matcher", state="absent"))
    assert (done["msg"], done["commands"][0][1:]) == (
        "Notification matcher 'default-matcher' was reset to what PBS ships, because PBS always has it.",
        ["notification", "matcher", "delete", "default-matcher"],
    )
    # Its matcher uses it, and PBS resets it all the same.
    four_times(host, target(host, name="mail-to-root", disable=True))
    four_times(host, target(host, name="mail-to-root", state="absent"))


# --- locks, and files that change meanwhile ---


@pytest.mark.parametrize(("lock", "kind"), [("traffic-control", "rule"), ("notifications", "matcher")])
def test_a_held_lock(host: FakeHost, lock: str, kind: str) -> None:
    action = (
        rule(host, name="office", network=["192.0.2.0/24"], lock_timeout=0.5)
        if kind == "rule"
        else matcher(host, name="mat1", lock_timeout=0.5)
    )
    with open(host.etc / f".{lock}.lck", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another process has locked PBS's configuration" in refusal(action)
    assert action(False)["changed"] is True


@pytest.mark.parametrize("file", [PUBLIC, PRIVATE, "traffic-control.cfg"])
def test_a_file_that_cannot_be_read(host: FakeHost, file: str) -> None:
    (host.etc / file).write_text("nonsense\n")
    action = rule(host, name="office") if file.startswith("traffic") else target(host, name="tgt1", **SMTP)
    assert f"PBS cannot read {host.etc}/{file}: line 1" in refusal(action)
