# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on targets and matchers of notifications.

Their secrets are in a file of their own, which only root may read. A target and a matcher are built in: they are there
although no file has them, and their removal brings back what they were.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import entries
from .configuration import Lock
from .entries import COMMENT, USER, Entries, Option, Values
from .environment import VERSION_NUMBERS
from .options import Failure, UsageFailure

FILE, SECRETS, LOCK = "notifications.cfg", "notifications-priv.cfg", "notifications"
_Command = Callable[[list[str]], None]


def _severities(text: str) -> str:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in ("info", "notice", "warning", "error", "unknown"):
            raise ValueError(f"invalid severity {word}")
    return ",".join(words)


def _field(text: str) -> str:
    match = re.fullmatch(r"(exact|regex):([A-Za-z0-9_][A-Za-z0-9._-]*)=(.*)", text)
    if match is None:
        raise ValueError(f"could not apply filter: invalid match-field statement: {text}")
    if match.group(1) == "exact":
        return f"exact:{match.group(2)}=" + ",".join(word.strip() for word in match.group(3).split(","))
    return text


def _calendar(text: str) -> str:
    try:
        return entries.daily_duration(text)
    except ValueError as problem:
        raise ValueError(f"could not parse schedule: {problem}") from None


_FLAG = Option(entries.flag, "<boolean>")
_MAIL = entries.matches(r"[^\x00-\x1f\x7f]*", 2, 64)
_ORIGIN = Option(entries.one_of("user-created", "builtin", "modified-builtin"), "user-created|builtin|modified-builtin")
_FIXED = Option(required=True, deletable=False)
_COMMON = {"comment": COMMENT, "disable": _FLAG, "origin": _ORIGIN}
_RECIPIENTS = {"mailto": Option(_MAIL, repeats=True), "mailto-user": Option(USER, repeats=True)}
_AUTHOR = Option(entries.matches(r"[^\x00-\x1f\x7f]*", high=128))

ENDPOINTS: dict[str, dict[str, Option]] = {
    "gotify": {"server": _FIXED, "token": Option(required=True, deletable=False, secret=True), **_COMMON},
    "sendmail": {**_RECIPIENTS, "from-address": Option(_MAIL), "author": _AUTHOR, **_COMMON},
    "smtp": {
        "server": _FIXED,
        "from-address": Option(_MAIL, required=True, deletable=False),
        "author": _AUTHOR,
        **_RECIPIENTS,
        "mode": Option(entries.one_of("insecure", "starttls", "tls"), "insecure|starttls|tls", deletable=False),
        "port": Option(entries.number(0, 65535), "<integer>"),
        "username": Option(),
        "password": Option(secret=True),
        **_COMMON,
    },
    "webhook": {
        "method": Option(entries.one_of("post", "put", "get"), "post|put|get", required=True, deletable=False),
        "url": _FIXED,
        "header": Option(repeats=True),
        "body": Option(),
        "secret": Option(repeats=True, secret=True),
        **_COMMON,
    },
}
if VERSION_NUMBERS < (3, 3):
    del ENDPOINTS["webhook"]
MATCHER: dict[str, Option] = {
    "match-field": Option(_field, repeats=True, late=True),
    "match-severity": Option(_severities, repeats=True, late=True),
    "match-calendar": Option(_calendar, repeats=True, late=True),
    "mode": Option(entries.one_of("all", "any"), "all|any"),
    "invert-match": _FLAG,
    "target": Option(entries.matches(r"[A-Za-z0-9_][A-Za-z0-9._-]*", 2, 32), repeats=True),
    **_COMMON,
}
KINDS = {**ENDPOINTS, "matcher": MATCHER}
BUILTIN: Entries = {
    "mail-to-root": (
        "sendmail",
        {"comment": ["Send mails to root@pam's email address"], "mailto-user": ["root@pam"]},
    ),
    "default-matcher": (
        "matcher",
        {
            "comment": ["Route everything but successful prune job notifications to mail-to-root"],
            "invert-match": ["true"],
            "match-field": ["exact:type=prune"],
            "match-severity": ["info"],
            "mode": ["all"],
            "target": ["mail-to-root"],
        },
    ),
}


def _load() -> Entries:
    """The file, and behind it whatever is built in and not in it."""
    read = entries.read_entries(FILE, KINDS)
    return {**read, **{name: (kind, dict(values)) for name, (kind, values) in BUILTIN.items() if name not in read}}


def _load_secrets() -> Entries:
    return entries.read_entries(SECRETS, KINDS)


def _save(config: Entries, secrets: Entries) -> None:
    entries.write_entries(FILE, config)
    entries.write_entries(SECRETS, secrets, 0o600)


def _origin(name: str, entry: tuple[str, Values]) -> str:
    if name not in BUILTIN:
        return "user-created"
    return "builtin" if BUILTIN[name] == entry else "modified-builtin"


def _named(line: str) -> tuple[str, str | None]:
    """Name and value of a header or a secret."""
    keys = dict(part.partition("=")[::2] for part in line.split(","))
    return keys["name"], keys.get("value")


def _row(name: str, entry: tuple[str, Values], secrets: Entries) -> dict[str, Any]:
    kind, values = entry
    row = {"name": name, "origin": _origin(name, entry), **entries.typed(values, KINDS[kind])}
    if kind == "webhook" and name in secrets and secrets[name][1].get("secret"):
        row["secret"] = ["name=" + _named(line)[0] for line in secrets[name][1]["secret"]]
    return row


def _split(kind: str, given: Values) -> tuple[Values, Values]:
    """What goes to each of the two files."""
    public = {key: value for key, value in given.items() if not KINDS[kind][key].secret and key != "origin"}
    return public, {key: value for key, value in given.items() if KINDS[kind][key].secret}


def _check_recipients(kind: str, values: Values) -> None:
    if kind in ("sendmail", "smtp") and not values.get("mailto") and not values.get("mailto-user"):
        raise Failure("must at least provide one recipient, either in mailto or in mailto-user")


def _check_targets(config: Entries, values: Values) -> None:
    for target in values.get("target", []):
        if target not in config or config[target][0] == "matcher":
            raise Failure(f"endpoint '{target}' does not exist")


def _kept_secrets(given: Values, before: Values) -> Values:
    """The secrets of a webhook after an update: a name without a value keeps the one it has, others go."""
    have = dict(_named(line) for line in before.get("secret", []))
    kept = []
    for line in given.get("secret", []):
        name, value = _named(line)
        if value is None and name not in have:
            raise Failure(f"secret '{name}' not known")
        kept.append(line if value is not None else f"name={name},value={have[name]}")
    return {"secret": kept}


def _commands(kind: str) -> dict[str, _Command]:
    options = KINDS[kind]
    word = "matcher" if kind == "matcher" else "endpoint"

    def find(config: Entries, name: str) -> Values:
        if name not in config or config[name][0] != kind:
            raise Failure(f"{word} '{name}' not found")
        return config[name][1]

    def create(words: list[str]) -> None:
        name, given = entries.take(words, options, low=2)
        entries.require(given, options)
        with Lock(LOCK):
            config, secrets = _load(), _load_secrets()
            if name in config:
                raise Failure(f"Cannot create '{name}', an entity with the same name already exists")
            public, private = _split(kind, given)
            _check_recipients(kind, public)
            _check_targets(config, public)
            config[name] = (kind, public)
            if any(option.secret for option in options.values()):
                secrets[name] = (kind, private)
            _save(config, secrets)

    def update(words: list[str]) -> None:
        name, given = entries.take(words, options, ("delete", "digest"), low=2)
        for key in given.get("delete", []):
            if key not in options or not options[key].deletable:
                raise entries.parameter("delete", f"value '{key}' is not defined in the enumeration.")
        with Lock(LOCK):
            config, secrets = _load(), _load_secrets()
            entries.digest_of(given, FILE)
            values = find(config, name)
            deleted = given.get("delete", [])
            public, private = _split(kind, {key: value for key, value in given.items() if key in options})
            entries.apply(values, {**public, "delete": deleted}, options)
            _check_recipients(kind, values)
            _check_targets(config, public)
            if name in secrets:
                before = secrets[name][1]
                if "secret" in private:
                    private = _kept_secrets(private, before)
                left = {key: value for key, value in before.items() if key not in deleted}
                secrets[name] = (kind, {**left, **private})
            _save(config, secrets)

    def delete(words: list[str]) -> None:
        name, _given = entries.take(words, {}, low=2)
        with Lock(LOCK):
            config, secrets = _load(), _load_secrets()
            find(config, name)
            users = sorted(other for other, (_kind, values) in config.items() if name in values.get("target", []))
            if users and name not in BUILTIN:
                raise Failure(f"cannot delete '{name}', referenced by: {', '.join(users)}")
            del config[name]
            secrets.pop(name, None)
            _save(config, secrets)

    def show(words: list[str]) -> None:
        rest, style = entries.output_format(words)
        name, _given = entries.take(rest, {}, low=2)
        config = _load()
        values = find(config, name)
        entries.emit_one(_row(name, (kind, values), _load_secrets()), style, ["name"])

    def show_list(words: list[str]) -> None:
        _rest, style = entries.output_format(words)
        config = _load()
        secrets = _load_secrets() if kind == "webhook" else {}
        rows = [_row(name, entry, secrets) for name, entry in config.items() if entry[0] == kind]
        entries.emit_list(rows, style, ["name", "origin", "comment"])

    return {"create": create, "delete": delete, "list": show_list, "show": show, "update": update}


def _list_targets(words: list[str]) -> None:
    _rest, style = entries.output_format(words)
    rows = []
    for name, entry in _load().items():
        if entry[0] != "matcher":
            row = _row(name, entry, {})
            rows.append({key: row[key] for key in ("comment", "disable", "name", "origin") if key in row})
            rows[-1]["type"] = entry[0]
    entries.emit_list(rows, style, ["disable", "name", "type", "origin", "comment"])


def _test_target(words: list[str]) -> None:
    name, _given = entries.take(words, {}, low=2)
    config = _load()
    if name not in config or config[name][0] == "matcher":
        raise Failure(f"endpoint '{name}' does not exist")
    # As on the recorded machine, which had no templates; nothing is ever sent.
    raise Failure(
        "Could not test target: failed to render notification template, all template candidates are erroneous or missing"
    )


TREE: dict[str, dict[str, _Command]] = {
    **{f"endpoint {kind}": _commands(kind) for kind in ENDPOINTS},
    "matcher": _commands("matcher"),
    "target": {"list": _list_targets, "test": _test_target},
}


def notification(words: list[str]) -> None:
    """`notification endpoint TYPE VERB …`, `notification matcher VERB …` and `notification target VERB …`."""
    length = 2 if words[:1] == ["endpoint"] else 1
    verbs = TREE.get(" ".join(words[:length]))
    wanted = words[length - 1 : length + 1] if verbs is None else words[length : length + 1]
    if verbs is None or not wanted or wanted[0] not in verbs:
        raise UsageFailure(f"no such command '{(wanted or [''])[0]}'\n")
    verbs[wanted[0]](words[length + 1 :])


def usage() -> str:
    """What `help notification` prints."""
    lines = []
    for prefix, verbs in TREE.items():
        options = KINDS.get(prefix.rpartition(" ")[2], {})
        for verb in sorted(verbs):
            words = [f"notification {prefix} {verb}"]
            if verb != "list":
                words.append("<name>")
            if verb == "create":
                words += [f"--{key} {options[key].kind}" for key in sorted(options) if options[key].required]
            if verb not in ("delete", "test"):
                words.append("[OPTIONS]")
            lines.append(" ".join(words))
    return "Usage:\n\n" + "\n".join(lines) + "\n"
