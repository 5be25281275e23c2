# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a host as YAML for `host_vars`, for people to read and to edit.

The host that tells its configuration may be hostile, and Ansible evaluates templates in variables on the controller. So only
names that are known get into the file, and text that could be a template is written as `!unsafe`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tempfile
import typing as t

import yaml

from ansible_collections.fleetops.pbs.plugins.module_utils._adopt import placeholder_base

VARIABLES = (
    "pbs_remotes",
    "pbs_s3_endpoints",
    "pbs_datastores",
    "pbs_sync_jobs",
    "pbs_traffic_controls",
    "pbs_notification_targets",
    "pbs_notification_matchers",
)
"""In the order of the file, which is the order in which they are provisioned."""

_FIRST = ("name", "id", "type", "store", "path")
_LAST = ("mount", "prune_jobs", "verify_jobs")
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_FREE = ("headers", "secrets")
"""Options whose keys are chosen by the user."""
_VARIABLE = re.compile(r"[a-z0-9_]{1,255}")
_TEMPLATE = re.compile(r"\{[{%#]|[}%#]\}|#jinja2:")
"""What makes a text a template: the marks of Jinja, or a first line of Ansible that names others."""
_BLOCK = re.compile(r"[\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\n]*[^\s]\n?")
_WIDTH = 120
_DEEPEST = 20
"""Columns by which an option may be indented: options of the modules are not nested deeper."""

MAX_SIZE = 4 * 1024 * 1024
"""Characters of a declaration as JSON. Each later play reads the file."""


class NotADeclaration(ValueError):
    """The host's answer is not a declaration of this collection; the message says where."""


def render(host: str, declaration: t.Mapping[str, t.Any], secrets: t.Any, notes: t.Any) -> str:
    """The file. `secrets` and `notes`: what to add to an entry, each with `variable`, `name`, and

    - for a secret `option` (`password`, or `secrets.NAME`) and `placeholder`, the variable that has to hold it;
    - for a note its `text`, which becomes a comment.

    Raises `NotADeclaration`.
    """
    _check_size([declaration, secrets, notes])
    unknown = set(declaration) - set(VARIABLES)
    if unknown:
        raise NotADeclaration("it has unknown variables")
    placeholders = _by_entry(secrets, ("option", "placeholder"))
    comments = _by_entry(notes, ("text",))
    parts = [
        _heading(host, sorted({item["placeholder"] for items in placeholders.values() for item in items})),
        "---\n",
    ]
    for variable in VARIABLES:
        if variable not in declaration:
            continue
        parts += [f"# {_comment(item['text'])}\n" for item in comments.get((variable, ""), [])]
        entries = declaration[variable]
        if not isinstance(entries, list):
            raise NotADeclaration(f"{variable} is not a list")
        if not entries:
            parts.append(f"{variable}: []\n\n")
            continue
        parts.append(f"{variable}:\n")
        for entry in entries:
            key = (variable, str(_mapping(entry, variable).get("name", entry.get("id", ""))))
            parts.append(_entry(entry, placeholders.get(key, []), comments.get(key, [])))
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _check_size(answer: t.Any) -> None:
    """Raises `NotADeclaration`."""
    try:
        size = len(json.dumps(answer))
    except (RecursionError, TypeError, ValueError):
        raise NotADeclaration("it is nested too deeply, or is not JSON") from None
    if size > MAX_SIZE:
        raise NotADeclaration(f"it has {size} characters, more than {MAX_SIZE}")


def _heading(host: str, placeholders: t.Sequence[str]) -> str:
    lines = [
        f"The configuration of Proxmox Backup Server on {host}, as fleetops.pbs.adopt found it. Edit it as you like:",
        "the playbook provision makes the host match this file, and preflight reports every difference.",
    ]
    if placeholders:
        lines += [
            "",
            "PBS does not show secrets, so they are not here. PBS keeps those that it has; to create an entry again, on this",
            "or another host, define these variables, for example with ansible-vault:",
            *(f"  {name}" for name in placeholders),
        ]
    return "".join(f"# {_comment(line)}".rstrip() + "\n" for line in lines)


def _by_entry(items: t.Any, keys: t.Sequence[str]) -> dict[tuple[str, str], list[dict[str, str]]]:
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for item in items if isinstance(items, list) else ():
        checked = _mapping(item, "a note")
        if not all(isinstance(checked.get(key), str) for key in ("variable", "name", *keys)):
            raise NotADeclaration("a note is incomplete")
        if checked["variable"] not in VARIABLES:
            raise NotADeclaration("a note or a secret is about an unknown variable")
        if "placeholder" in keys:
            # The host names the variable, and gets its value later: it must not get another one, such as a become password
            # or that of another entry, which several hosts may have.
            beginning = placeholder_base(checked["variable"], checked["name"]) + "_"
            if not _VARIABLE.fullmatch(checked["placeholder"]) or not checked["placeholder"].startswith(beginning):
                raise NotADeclaration(f"a placeholder is not the name of a variable that begins with {beginning}")
        found.setdefault((checked["variable"], checked["name"]), []).append(checked)
    return found


def _mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise NotADeclaration(f"{where} is not a mapping")
    return value


def _comment(text: str) -> str:
    """One line that ends a comment nowhere."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _entry(entry: dict[str, t.Any], secrets: list[dict[str, str]], notes: list[dict[str, str]]) -> str:
    lines = _options(entry, 4)
    nested: dict[str, list[str]] = {}
    for item in secrets:
        option, _dot, key = item["option"].partition(".")
        if not _OPTION.fullmatch(option) or (key and not _KEY.fullmatch(key)):
            raise NotADeclaration("a secret is not named as an option")
        value = '"{{ %s | default(none) }}"' % item["placeholder"]
        if key:
            nested.setdefault(option, []).append(f"      {_scalar(key, 6)}: {value}\n")
        else:
            lines.append(f"    {_scalar(option, 4)}: {value}\n")
    for option, values in nested.items():
        lines += [f"    {_scalar(option, 4)}:\n", *values]
    lines += [f"    # {_comment(item['text'])}\n" for item in notes]
    return "  - " + "".join(lines)[4:]


def _options(entry: dict[str, t.Any], indent: int, free: bool = False) -> list[str]:
    lines = []
    if indent > _DEEPEST:
        raise NotADeclaration("an option is nested too deeply")
    for option in sorted(entry, key=_rank):
        if not isinstance(option, str) or not (_KEY if free else _OPTION).fullmatch(option):
            raise NotADeclaration("an option has an impossible name")
        lines += _value(" " * indent + _scalar(option, indent) + ":", entry[option], indent, option in _FREE)
    return lines


def _rank(option: t.Any) -> tuple[int, int, str]:
    if option in _FIRST:
        return 0, _FIRST.index(option), ""
    if option in _LAST:
        return 2, _LAST.index(option), ""
    return 1, 0, str(option)


def _value(head: str, value: t.Any, indent: int, free: bool) -> list[str]:
    if isinstance(value, dict):
        if not value:
            return [f"{head} {{}}\n"]
        return [head + "\n", *_options(value, indent + 2, free)]
    if not isinstance(value, list):
        return [f"{head} {_scalar(value, indent)}\n"]
    if not value:
        return [f"{head} []\n"]
    lines = [head + "\n"]
    for item in value:
        if isinstance(item, dict):
            inner = "".join(_options(item, indent + 4))
            lines.append(" " * (indent + 2) + "- " + inner[indent + 4 :])
        else:
            lines.append(" " * (indent + 2) + f"- {_scalar(item, indent + 2)}\n")
    return lines


def _scalar(value: t.Any, indent: int) -> str:
    """One value. Several lines become a block where YAML can have them in one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise NotADeclaration("a value is neither a text, a number, a truth value, a list nor a mapping")
    tag = "!unsafe " if _TEMPLATE.search(value) else ""
    readable = all(char.isprintable() or char in "\n\t" for char in value)
    if "\n" in value and readable and _BLOCK.fullmatch(value) and not value.startswith((" ", "\t", "\n")):
        head = "|" if value.endswith("\n") else "|-"
        lines = value.rstrip("\n").split("\n")
        return tag + head + "".join("\n" + (" " * (indent + 2) + line if line else "") for line in lines)
    style = '"' if tag or any(not char.isprintable() for char in value) else None
    # Marks that change the direction of a text, for example, would show it as something else.
    text = yaml.safe_dump(value, default_style=style, width=10**6, allow_unicode=readable)
    return tag + text.removesuffix("\n").removesuffix("\n...")


# --- the file ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Kept:
    """What happened to the file, or in check mode would happen."""

    changed: bool
    written: bool
    """Whether the file has the declaration now; false if it was there with other content and had to stay."""
    message: str
    diff: dict[str, str]


def keep(path: str, text: str, mode: int, overwrite: bool, write: bool) -> Kept:
    """Write the file, completely or not at all; one that is there stays as it is, unless `overwrite`. Raises `OSError`."""
    before = _present(path)
    diff = {"before_header": path, "after_header": path, "before": before or "", "after": text}
    if before == text:
        return Kept(False, True, f"{path} has the configuration of this host.", {**diff, "before": text})
    if before is not None and not overwrite:
        message = (
            f"{path} exists and differs from the configuration of this host; it stays as it is (overwrite: false)."
        )
        return Kept(False, False, message, diff)
    if write:
        _replace(path, text, mode)
    verb = "was" if write else "would be"
    return Kept(True, write, f"{path} {verb} {'written' if before is None else 'overwritten'}.", diff)


def _present(path: str) -> t.Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _replace(path: str, text: str, mode: int) -> None:
    directory = os.path.dirname(os.path.abspath(path))
    os.makedirs(directory, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
