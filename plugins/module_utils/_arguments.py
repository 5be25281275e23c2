# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs of options that several modules share, in the order of the doc fragments."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import (
    notification_settings,
    section_config,
    settings,
    values,
)

Spec = dict[str, dict[str, t.Any]]


def account_spec() -> Spec:
    return {
        "user": {"type": "str", "default": "backup"},
        "group": {"type": "str", "default": "backup"},
    }


def property_spec() -> Spec:
    """The properties of a datastore that PBS 4.2 can set, except its path."""
    notified: Spec = {
        name: {"type": "str", "choices": ["always", "never", "error"]} for name in ("gc", "verify", "sync", "prune")
    }
    thresholds: Spec = {f"s3_{name}": {"type": "int"} for name in ("get", "put", "post", "head", "delete")}
    thresholds.update({f"s3_{name}": {"type": "str"} for name in ("upload", "download")})
    return {
        "comment": {"type": "str"},
        "gc_schedule": {"type": "str"},
        "gc_on_unmount": {"type": "bool"},
        "verify_new": {"type": "bool"},
        "notification_mode": {"type": "str", "choices": ["legacy-sendmail", "notification-system"]},
        "notify_user": {"type": "str"},
        "notify": {"type": "dict", "options": notified},
        "notification_thresholds": {"type": "dict", "options": thresholds},
        "counter_reset_schedule": {"type": "str"},
        "maintenance_mode": {
            "type": "dict",
            "options": {
                "type": {"type": "str", "choices": ["read-only", "offline"], "required": True},
                # PBS calls it message, which is a reserved name in Ansible.
                "text": {"type": "str"},
            },
        },
        "backing_device": {"type": "str"},
        "backend": {
            "type": "dict",
            "options": {
                "type": {"type": "str", "choices": ["filesystem", "s3"], "default": "filesystem"},
                "client": {"type": "str"},
                "bucket": {"type": "str"},
                "max_cache_size": {"type": "str"},
            },
        },
        "tuning": {
            "type": "dict",
            "options": {
                "chunk_order": {"type": "str", "choices": ["none", "inode"]},
                "sync_level": {"type": "str", "choices": ["none", "file", "filesystem"]},
                "gc_atime_safety_check": {"type": "bool"},
                "gc_atime_cutoff": {"type": "int"},
                "gc_cache_capacity": {"type": "int"},
                "default_verification_workers": {"type": "int"},
                "default_verification_readers": {"type": "int"},
            },
        },
    }


def settings_spec(kind: settings.Kind) -> Spec:
    """The options that set the properties of one kind of section, from the table of its properties."""
    return {option: _property_option(kind.type.properties[name]) for option, name in kind.options().items()}


def _property_option(prop: section_config.Property) -> dict[str, t.Any]:
    kind = prop.kind
    option: dict[str, t.Any] = {"type": "str"}
    if isinstance(kind, values.Boolean):
        option["type"] = "bool"
    elif isinstance(kind, values.Integer):
        option["type"] = "int"
    elif isinstance(kind, values.Choice):
        option["choices"] = list(kind.words)
    if prop.repeats:
        option = {**option, "elements": option["type"], "type": "list"}
    # Said for every property, because Ansible guesses from the name, as for active_encryption_key.
    option["no_log"] = prop.secret
    return option


def section_spec(kind: settings.Kind, key: str) -> Spec:
    """All options of a module that manages one section of this kind; `key` is the option with its name."""
    spec: Spec = {
        **manager_spec(),
        **settings_spec(kind),
        **{name.replace("-", "_"): _property_option(kind.type.properties[name]) for name in sorted(kind.fixed)},
        key: {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "unset": {"type": "list", "elements": "str", "default": []},
    }
    if kind.secrets:
        spec["update_secret"] = {
            "type": "str",
            "choices": ["on_create", "always"],
            "default": "on_create",
            "no_log": False,
        }
    return spec


def declared_spec(kind: settings.Kind, key: str) -> Spec:
    """One entry of a list that declares sections of this kind."""
    spec = section_spec(kind, key)
    for option in (*manager_spec(), "state", "unset"):
        del spec[option]
    return spec


def sections_spec() -> Spec:
    """The declared remotes, S3 endpoints, sync jobs, traffic control rules, targets and matchers of notifications."""
    target = notification_target_spec()
    for option in (*manager_spec(), "state", "unset"):
        del target[option]
    entries = {
        "remotes": declared_spec(settings.REMOTE, "name"),
        "s3_endpoints": declared_spec(settings.S3_ENDPOINT, "id"),
        "sync_jobs": declared_spec(settings.SYNC_JOB, "id"),
        "traffic_controls": declared_spec(notification_settings.TRAFFIC_CONTROL, "name"),
        "notification_targets": target,
        "notification_matchers": declared_spec(notification_settings.MATCHER, "name"),
    }
    return {
        # The lists have secrets in them, but are none: their values may be part of a message.
        name: {"type": "list", "elements": "dict", "no_log": False, "options": spec}
        for name, spec in entries.items()
    }


def prune_job_spec() -> Spec:
    """The options of a prune job."""
    return settings_spec(settings.PRUNE_JOB)


def verify_job_spec() -> Spec:
    """The options of a verify job."""
    return settings_spec(settings.VERIFY_JOB)


def notification_target_spec() -> Spec:
    """The options of a target of notifications, of all types; each is of one type or of several."""
    spec: Spec = {"type": {"type": "str", "choices": list(notification_settings.TARGETS)}}
    for kind in notification_settings.TARGETS.values():
        spec.update(section_spec(kind, "name"))
    # By name, with their values.
    spec["headers"] = {"type": "dict", "no_log": False}
    spec["secrets"] = {"type": "dict", "no_log": True}
    return spec


def manager_spec() -> Spec:
    """The options for access to PBS on the host."""
    return {
        "manager": {"type": "path", "default": "/usr/sbin/proxmox-backup-manager"},
        "config_dir": {"type": "path", "default": "/etc/proxmox-backup"},
        "lock_timeout": {"type": "float", "default": 120},
    }


def datastore_spec() -> Spec:
    """One entry of `pbs_datastores`: a declared datastore."""
    return {
        "name": {"type": "str", "required": True},
        "path": {"type": "str"},
        **property_spec(),
        "mount": {
            "type": "dict",
            "options": {
                "path": {"type": "str"},
                "source": {"type": "str"},
                "fstype": {"type": "str"},
                "options": {"type": "list", "elements": "str"},
                "options_forbidden": {"type": "list", "elements": "str"},
                "persistent": {"type": "bool"},
                "severity": {"type": "str", "choices": ["info", "low", "medium", "high", "critical"]},
            },
        },
        "prune_jobs": {
            "type": "list",
            "elements": "dict",
            "options": {"id": {"type": "str", "required": True}, **prune_job_spec()},
        },
        "verify_jobs": {
            "type": "list",
            "elements": "dict",
            "options": {"id": {"type": "str", "required": True}, **verify_job_spec()},
        },
    }


def waivers_spec() -> Spec:
    """Accepted failures."""
    return {
        "waivers": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "control": {"type": "str", "required": True},
                "host": {"type": "str", "default": "*"},
                "datastore": {"type": "str", "default": "*"},
                "justification": {"type": "str", "required": True},
                "until": {"type": "str", "required": True},
            },
        }
    }


SEVERITIES_AND_NEVER = ["info", "low", "medium", "high", "critical", "never"]


def show_spec() -> Spec:
    """Where a task shows what people read."""
    return {"show": {"type": "str", "choices": ["auto", "stdout", "stderr", "none"], "default": "auto"}}


def preflight_spec() -> Spec:
    """The options of the module preflight; the last ones are for the controller, see `CONTROLLER_ONLY`."""
    return {
        **account_spec(),
        **waivers_spec(),
        "host": {"type": "str"},
        "datastores": {"type": "list", "elements": "dict", "options": datastore_spec()},
        **sections_spec(),
        "probe": {"type": "str", "choices": ["private", "marker", "none"], "default": "private"},
        "scope": {"type": "str", "choices": ["full", "sample", "skeleton", "none"], "default": "full"},
        "references": {"type": "str", "choices": ["full", "headers", "none"], "default": "full"},
        "sample_prefixes": {"type": "int", "default": 256},
        "workers": {"type": "int", "default": 0},
        "max_paths": {"type": "int", "default": 20},
        "deadline": {"type": "float", "default": 10},
        "stall": {"type": "float", "default": 60},
        "timeout": {"type": "float", "default": 43200},
        "controls": {"type": "list", "elements": "str", "default": []},
        "policy": {"type": "dict", "default": {}},
        "config_dir": {"type": "path", "default": "/etc/proxmox-backup"},
        "state_dir": {"type": "path", "default": "/var/lib/proxmox-backup"},
        "run_dir": {"type": "path", "default": "/run/proxmox-backup"},
        "before": {"type": "list", "elements": "dict", "default": []},
        "inventory": {"type": "list", "elements": "str", "default": []},
        "dest": {"type": "path"},
        "fail_on": {"type": "str", "choices": SEVERITIES_AND_NEVER, "default": "never"},
        "fail_on_unknown": {"type": "str", "choices": SEVERITIES_AND_NEVER, "default": "never"},
        "fail_unreachable": {"type": "bool", "default": False},
        **show_spec(),
    }


CONTROLLER_ONLY = ("dest", "fail_on", "fail_on_unknown", "fail_unreachable", "show")
"""Options of the module preflight that its action handles; the host does not get them."""
