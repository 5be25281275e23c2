# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared against configured: the properties of one datastore that differ in meaning."""

from __future__ import annotations

import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, JobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

Difference = tuple[str, str, str]
"""Property, declared value, configured value."""

TEXT = {
    "comment": "comment",
    "gc_schedule": "gc-schedule",
    "notification_mode": "notification-mode",
    "notify_user": "notify-user",
    "counter_reset_schedule": "counter-reset-schedule",
}
PROPERTY_STRINGS = {
    "notify": property_string.NOTIFY,
    "notification_thresholds": property_string.THRESHOLDS,
}
BOOLEANS = {"verify_new": "verify-new", "gc_on_unmount": "gc-on-unmount"}

TUNING_DEFAULTS: dict[str, t.Any] = {
    "chunk-order": "inode",
    "sync-level": "filesystem",
    "gc-atime-safety-check": True,
    "gc-atime-cutoff": 1445,
    "gc-cache-capacity": 1048576,
    "default-verification-workers": 4,
    "default-verification-readers": 1,
}
"""What PBS uses where a key is not set; a declared default is the same as an unset key."""

DEEPEST = 7
"""Levels of namespaces that a job without a depth covers."""

TRUE = ("1", "on", "yes", "true")


def differences(
    declared: t.Mapping[str, t.Any], configured: DatastoreConfig, pbs_version: t.Optional[str]
) -> list[Difference]:
    """Compare what is declared with what is configured; what is not declared does not count."""
    found: list[Difference] = []
    device = str(declared.get("backing_device") or "")
    if device and device != configured.backing_device:
        found.append(("backing_device", device, configured.backing_device or "unset"))
    path = str(declared.get("path") or "")
    if path and not configured.backing_device and os.path.normpath(path) != os.path.normpath(configured.path):
        found.append(("path", path, configured.path))
    for option, name in TEXT.items():
        if declared.get(option) is not None:
            have = str(configured.properties.get(name, _default(name, configured, pbs_version))).strip()
            if str(declared[option]).strip() != have:
                found.append((option, str(declared[option]).strip() or "unset", have or "unset"))
    for option, name in BOOLEANS.items():
        if declared.get(option) is not None:
            have_bool = str(configured.properties.get(name, "false")).lower() in TRUE
            if bool(declared[option]) != have_bool:
                found.append((option, _show(bool(declared[option])), _show(have_bool)))
    for option, schema in PROPERTY_STRINGS.items():
        found += _property_string(option, schema, declared.get(option) or {}, configured)
    mode = declared.get("maintenance_mode") or {}
    backend = declared.get("backend") or {}
    for option, want, have in (
        ("maintenance_mode.type", mode.get("type"), configured.maintenance_type),
        ("maintenance_mode.text", mode.get("text"), configured.maintenance_message),
        ("backend.type", backend.get("type"), configured.backend),
    ):
        if want is not None and want != have:
            found.append((option, _show(want), _show(have)))
    found += _tuning(declared.get("tuning") or {}, configured)
    found += _jobs("prune_jobs", declared.get("prune_jobs") or [], configured.prune_jobs)
    found += _jobs("verify_jobs", declared.get("verify_jobs") or [], configured.verify_jobs)
    return found


def _default(name: str, configured: DatastoreConfig, pbs_version: t.Optional[str]) -> str:
    """What PBS does where a property is not set."""
    if name == "gc-schedule":
        return configured.gc_schedule
    if name == "notification-mode" and pbs_version:
        return "notification-system" if parse_version(pbs_version) >= (4,) else "legacy-sendmail"
    return ""


def _property_string(
    option: str, schema: property_string.Schema, declared: t.Mapping[str, t.Any], configured: DatastoreConfig
) -> list[Difference]:
    found = []
    text = str(configured.properties.get(schema.name, ""))
    for key, want in declared.items():
        name = f"{option}.{key}"
        known = schema.keys.get(key.replace("_", "-"))
        if want is None or known is None:
            continue
        try:
            have = property_string.parse_typed(text, schema, []).get(key.replace("_", "-"), known.default)
            same = known.kind.read(str(want)) == have
        except ValueError as exc:
            found.append((name, _show(want), f"unreadable ({exc})"))
            continue
        if not same:
            found.append((name, _show(want), _show(have)))
    return found


def _tuning(declared: t.Mapping[str, t.Any], configured: DatastoreConfig) -> list[Difference]:
    found = []
    for option, want in declared.items():
        if want is None:
            continue
        if configured.tuning_error:
            found.append((f"tuning.{option}", _show(want), f"unreadable ({configured.tuning_error})"))
            continue
        name = option.replace("_", "-")
        have = configured.tuning.get(name, TUNING_DEFAULTS.get(name))
        if want != have:
            found.append((f"tuning.{option}", _show(want), _show(have)))
    return found


def _jobs(kind: str, declared: t.Sequence[t.Mapping[str, t.Any]], configured: t.Sequence[JobFacts]) -> list[Difference]:
    found = []
    by_id = {job.id: job for job in configured}
    for want in declared:
        name = f"{kind}.{want['id']}"
        job = by_id.get(want["id"])
        if job is None:
            found.append((name, "present", "absent"))
            continue
        for option, have_now in (
            ("schedule", job.schedule or "unset"),
            ("ns", job.namespace or "unset"),
            ("max_depth", DEEPEST if job.max_depth is None else job.max_depth),
            ("disable", job.disabled),
        ):
            wanted = want.get(option)
            if wanted is not None and (wanted or "unset" if isinstance(wanted, str) else wanted) != have_now:
                found.append((f"{name}.{option}", _show(wanted), _show(have_now)))
        for option, value in want.items():
            if option.startswith("keep_") and value is not None:
                have = job.keeps.get(option.replace("_", "-"))
                if have != value:
                    found.append((f"{name}.{option}", _show(value), _show(have)))
    return found


def _show(value: t.Any) -> str:
    if value is None or value == "":
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
