# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about access times (PBS-ATIME-*): the heart of the question whether GC is safe."""

from __future__ import annotations

import errno
import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import TouchFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import (
    explain,
    read_only,
    read_only_cause,
    replaces_zero_chunk,
    said_elsewhere,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    OUTSIDE,
    Case,
    Evidence,
    NotObserved,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    inexpressible,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

SECOND = 1_000_000_000
CHECK_SINCE = (3, 3, 7)
"""The first PBS version that checks atime and has the two tuning options."""
DEFAULT_CUTOFF = 1445


# --- evidence and causes ------------------------------------------------------------------------------------------------


def _evidence(case: Case, touch: t.Optional[TouchFacts]) -> Evidence:
    store = case.the_store
    evidence: Evidence = {}
    if touch is not None:
        evidence.update(
            identity={"uid": touch.uid, "gid": touch.gid, "groups": touch.groups},
            path=touch.path,
            errno=touch.error.split(":")[0] if touch.errno else None,
            step=touch.step or None,
            before_ns=touch.before_ns,
            after_ns=touch.after_ns,
            elapsed_ms=round(touch.elapsed_ns / 1e6, 3),
        )
        if touch.file is not None:
            evidence["file"] = {
                "uid": touch.file.uid,
                "gid": touch.file.gid,
                "mode": touch.file.mode,
                "flags": touch.file.flags,
            }
    if store.atime is not None:
        evidence["granularity_ns"] = store.atime.granularity_ns
    if store.mount is not None:
        evidence["fstype"] = store.mount.fstype
        evidence["options"] = store.mount.options
        evidence["super_options"] = store.mount.super_options
    return evidence


def _cause(case: Case, touch: TouchFacts) -> tuple[str, Remedy]:
    """The meaning of an errno here, and the fix."""
    if touch.errno in (errno.EPERM, errno.EACCES):
        return _permission(case, touch)
    explanation, remedy = explain(case, touch.errno)
    return f"{touch.error}: {explanation}" if explanation else touch.error, remedy


def _permission(case: Case, touch: TouchFacts) -> tuple[str, Remedy]:
    file = touch.file
    account = case.host.account
    if file is not None and file.flags:
        return (
            f"{touch.error}: the {_flags(file)} set on {touch.path}, which stops root too",
            _without_flags(file, touch.path),
        )
    if file is not None and file.uid != touch.uid and touch.target == "private" and touch.created_by == "backup":
        return (
            "a file that uid %d makes in %s belongs to %d:%d. The mount or its server decides who owns files (%s)"
            % (touch.uid, case.the_store.path, file.uid, file.gid, touch.error),
            case.owners_from_mount(),
        )
    if file is not None and file.uid != touch.uid:
        return (
            "%s belongs to %d:%d mode %s, and uid %d is not the owner. Only the owner may set atime alone (%s)"
            % (touch.path, file.uid, file.gid, file.mode, touch.uid, touch.error),
            case.give(touch.path),
        )
    store = case.the_store
    if store.location is not None and store.location.reachable is False:
        return f"{touch.error}: '{account.user}' cannot enter {store.location.blocked_at}", _let_in(
            case, store.location
        )
    if touch.step in ("create", "open"):
        above = store.skeleton
        for part in (above.base, above.chunks) if above is not None else ():
            if part is not None and part.uid != touch.uid:
                given = case.give(part.path)
                return (
                    "%s: %s belongs to %d:%d mode %s" % (touch.error, part.path, part.uid, part.gid, part.mode),
                    Remedy(f"{given.text} PBS-OWNER-01 names everything that is wrong.", given.commands),
                )
    if inexpressible(case.host, store):
        return f"{touch.error} at {touch.path}", Remedy(OUTSIDE)
    return (
        f"{touch.error} at {touch.path}",
        Remedy(
            f"Check owners and modes from {store.path} downwards; a security module or an ACL may forbid it, too.",
            (f"namei -l {in_shell(touch.path)}",),
        ),
    )


def _let_in(case: Case, location: LocationFacts) -> Remedy:
    """The fix that lets the daemon's user enter a directory. The base has an exact mode; other modes are kept."""
    blocked, user = location.blocked_at, case.host.account.user
    if blocked in (location.realpath, case.the_store.path):
        return Remedy(
            f"Give the base directory the mode that PBS gives it: '{user}' must enter it.",
            (f"chmod 0755 {in_shell(blocked)}",),
        )
    # For all: whether owner, group or others is what holds for the user depends on who owns the directory.
    return Remedy(f"Let '{user}' enter the directory.", (f"chmod a+x {in_shell(blocked)}",))


def _flags(file: FileFacts) -> str:
    return f"{' and '.join(file.flags)} {'flag is' if len(file.flags) == 1 else 'flags are'}"


def _without_flags(file: FileFacts, path: str) -> Remedy:
    letters = {"immutable": "-i", "append": "-a"}
    words = " ".join(letters[flag] for flag in file.flags if flag in letters)
    return Remedy("Remove the flag; find out first who set it, and why.", (f"chattr {words} {in_shell(path)}",))


# --- the rules ----------------------------------------------------------------------------------------------------------


def explicit_touch(case: Case) -> Verdict:
    store = case.the_store
    facts = case.need("atime")
    if facts.mode == "none":
        if read_only(store.mount):
            cause, remedy = read_only_cause(case)
            return failed(f"A touch in {store.path} cannot work: {cause}.", remedy, **_evidence(case, None))
        return unknown(f"Only a probe tells, and there was none: {facts.not_tried}.", **_evidence(case, None))
    probe = facts.probe
    if probe is None:
        raise NotObserved(case.why_not_observed())
    evidence = _evidence(case, probe)
    if probe.advanced:
        return passed(
            "A touch in %s as uid %d moved atime forward (%s, %s).%s"
            % (
                store.path,
                probe.uid,
                _milliseconds(probe),
                store.mount.fstype if store.mount is not None else "unknown filesystem",
                " The next run removes a file that could not be removed: %s." % facts.left_behind
                if facts.left_behind
                else "",
            ),
            **evidence,
        )
    if probe.errno == 0:
        if probe.advanced is None:
            return unknown("The probe gave no answer: %s." % (probe.error or "no file could be made"), **evidence)
        return failed(
            "utimensat in %s answered success as uid %d, but atime did not move forward in %s: %s. GC would delete chunks "
            "that backups need." % (store.path, probe.uid, _milliseconds(probe), _before_and_after(probe)),
            "Move the datastore to a filesystem that honours access times (ext4, xfs, ZFS, btrfs, NFS); until then do not "
            "run GC, and do not switch PBS's check off.",
            **evidence,
        )
    cause, remedy = _cause(case, probe)
    if probe.step in ("create", "open"):
        chunk = facts.zero_chunk
        if chunk is not None and chunk.advanced:
            return passed(
                "The zero chunk's atime moved under a touch as uid %d; a file of our own could not be made (%s)."
                % (chunk.uid, probe.error),
                **_evidence(case, chunk),
            )
        return failed("uid %d cannot make a file in %s: %s." % (probe.uid, store.path, cause), remedy, **evidence)
    return failed("A touch in %s as uid %d was refused: %s." % (store.path, probe.uid, cause), remedy, **evidence)


def _before_and_after(touch: TouchFacts) -> str:
    return f"{touch.before_ns} ns before, {touch.after_ns} ns after; required is a later one"


def _milliseconds(touch: TouchFacts) -> str:
    return f"{touch.elapsed_ns / 1000000.0:.1f} ms"


def refreshed(case: Case) -> Verdict:
    facts = case.need("atime")
    if facts.mode == "none":
        return unknown(f"Only a probe tells, and there was none: {facts.not_tried}.")
    tried = [touch for touch in (facts.probe, facts.zero_chunk) if touch is not None]
    if not tried:
        raise NotObserved(case.why_not_observed())
    moved = [touch for touch in tried if touch.advanced]
    if not moved:
        return skipped("No atime moved in the first place (PBS-ATIME-01).")
    probe = moved[0]
    evidence: Evidence = {"before_ns": probe.before_ns, "after_ns": probe.after_ns, "refreshed_ns": probe.refreshed_ns}
    if probe.refreshed_ns is None or probe.before_ns is None:
        return unknown(
            f"The attributes of {probe.path} could not be refreshed: {probe.refresh_error or 'no answer'}.",
            **evidence,
        )
    if probe.refreshed_ns <= probe.before_ns:
        return failed(
            "atime moved from %s to %s ns, but after a forced refresh it is %s ns: what the touch showed came from a cache."
            % (probe.before_ns, probe.after_ns, probe.refreshed_ns),
            "Check how the server treats access times (noatime and relatime there do not matter, a dropped SETATTR does).",
            **evidence,
        )
    return passed("The new atime is still there after a forced refresh and in a reopened file.", **evidence)


def zero_chunk(case: Case) -> Verdict:
    store = case.the_store
    facts = case.need("atime")
    skeleton = case.need("skeleton")
    touch = facts.zero_chunk
    chunk = skeleton.zero_chunk
    if touch is None and chunk is None:
        if facts.mode == "marker":
            return unknown("The zero chunk could not be inserted.")
        if skeleton.chunks is not None and skeleton.chunks.type == "link":
            return unknown(
                f"Whether there is a zero chunk is not known: {skeleton.chunks.path} is a link (PBS-CONF-06)."
            )
        return skipped("There is no zero chunk yet; PBS inserts it with its first check.")
    if chunk is not None and replaces_zero_chunk(case):
        return warned(
            f"The zero chunk {chunk.path} belongs to uid {chunk.uid} and has {counted(chunk.size, 'byte')}. PBS's next check "
            "replaces it, because it is empty or too large.",
            case.give(chunk.path),
            severity="low",
            path=chunk.path,
            size=chunk.size,
        )
    probe = facts.probe
    if touch is None and probe is not None and probe.errno not in (0, errno.EPERM, errno.EACCES):
        cause, remedy = _cause(case, probe)
        return failed(
            "uid %d cannot reach the zero chunk %s: %s." % (probe.uid, chunk.path, cause),
            remedy,
            **_evidence(case, probe),
        )
    if touch is None:
        return _untouched_zero_chunk(case, chunk, facts.mode, facts.not_tried)
    evidence = _evidence(case, touch)
    as_root = facts.zero_chunk_as_root
    if as_root is not None:
        evidence["as_root"] = {
            "errno": as_root.error.split(":")[0] if as_root.errno else None,
            "advanced": as_root.advanced,
        }
    if touch.advanced and (
        touch.refreshed_ns is None or touch.before_ns is None or touch.refreshed_ns > touch.before_ns
    ):
        return passed("A touch of the zero chunk as uid %d moved its atime." % touch.uid, **evidence)
    if touch.errno:
        cause, remedy = _cause(case, touch)
        root_too = ""
        if as_root is not None and as_root.errno == 0:
            root_too = " Root's own touch passes, so PBS's check at creation does not notice this."
        where = "insert" if touch.step == "create" else "touch"
        return failed(
            "uid %d cannot %s the zero chunk%s: %s.%s"
            % (touch.uid, where, "" if touch.path in cause else " " + touch.path, cause, root_too),
            remedy,
            **evidence,
        )
    if touch.advanced is None:
        return failed(
            f"The zero chunk at {touch.path} cannot be used: {touch.error}.",
            Remedy("Move it out of the datastore; PBS makes a new one.", (_moved_away(case, touch.path),)),
            **evidence,
        )
    stayed = "" if not touch.advanced else f", and {touch.refreshed_ns} ns after a forced refresh"
    return failed(
        "utimensat on the zero chunk answered success as uid %d, but its atime did not move forward (%s%s)."
        % (touch.uid, _before_and_after(touch), stayed),
        f"Move the datastore in {store.path} to a filesystem that honours access times.",
        **evidence,
    )


def _moved_away(case: Case, path: str) -> str:
    """A command that moves a file out of the datastore; an existing file of that name is kept."""
    name = f"{case.the_store.name}-{os.path.basename(path)[:16]}"
    return f"mv --backup=numbered -T {in_shell(path, os.path.join('/var/tmp', name))}"


def _untouched_zero_chunk(case: Case, chunk: FileFacts, mode: str, not_tried: str) -> Verdict:
    """The verdict on a zero chunk whose touch was not tried: some failures are certain without it."""
    wanted = case.host.account
    evidence: Evidence = {
        "path": chunk.path,
        "uid": chunk.uid,
        "gid": chunk.gid,
        "mode": chunk.mode,
        "flags": chunk.flags,
    }
    if chunk.flags:
        return failed(
            f"The {_flags(chunk)} set on the zero chunk {chunk.path}: nobody can touch it.",
            _without_flags(chunk, chunk.path),
            **evidence,
        )
    if wanted.uid is not None and chunk.uid != wanted.uid:
        return failed(
            "The zero chunk %s belongs to uid %d, not to '%s' (%d): every GC will stop there with EPERM."
            % (chunk.path, chunk.uid, wanted.user, wanted.uid),
            case.give(chunk.path),
            **evidence,
        )
    if mode != "none":
        return failed(
            f"'{wanted.user}' cannot reach the zero chunk {chunk.path}.",
            "Check owners and modes of the directories above it (PBS-OWNER-01).",
            **evidence,
        )
    return unknown(f"Only a touch tells, and there was none: {not_tried}.", **evidence)


def check_enabled(case: Case) -> Verdict:
    configured = case.need("configured")
    if configured.tuning_error:
        return unknown(f"The tuning options do not parse ({configured.tuning_error}), see PBS-HOST-04.")
    value = configured.tuning.get("gc-atime-safety-check", True)
    if value is False:
        return failed(
            f"gc-atime-safety-check is off for datastore '{configured.name}'; required is on.",
            Remedy("Switch the check on again.", (_tuning_command(configured, {"gc-atime-safety-check": None}),)),
            tuning=configured.tuning,
        )
    version = case.host.pbs_version
    if version and parse_version(version) < CHECK_SINCE:
        return warned(
            f"PBS {version} has no atime check of its own (since 3.3.7); this preflight is the only one.",
            "Upgrade PBS to 3.4 or newer.",
        )
    return passed("PBS's own check is on.")


def _tuning_command(configured: DatastoreConfig, changes: t.Mapping[str, t.Optional[int]]) -> str:
    """The new tuning string: PBS replaces the whole string, so all other options are repeated; None removes one."""
    wanted = {**configured.tuning, **changes}
    text = ",".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in wanted.items()
        if value is not None
    )
    what = f"--tuning {in_shell(text)}" if text else "--delete tuning"
    return f"proxmox-backup-manager datastore update {in_shell(configured.name)} {what}"


def cutoff(case: Case) -> Verdict:
    configured = case.need("configured")
    if configured.tuning_error:
        return unknown(f"The tuning options do not parse ({configured.tuning_error}), see PBS-HOST-04.")
    minutes = configured.tuning.get("gc-atime-cutoff", DEFAULT_CUTOFF)
    low, high = case.policy.gc_atime_cutoff_min, case.policy.gc_atime_cutoff_max
    evidence: Evidence = {
        "minutes": minutes,
        "min": low,
        "max": high,
        "explicit": "gc-atime-cutoff" in configured.tuning,
    }
    if low <= minutes <= high:
        return passed("The cutoff is %d minutes." % minutes, **evidence)
    # Unset is PBS's default; where the policy does not allow that one, the nearest that it does.
    wanted = None if low <= DEFAULT_CUTOFF <= high else max(low, min(DEFAULT_CUTOFF, high))
    return failed(
        "The GC cutoff (gc-atime-cutoff) is %d minutes; the policy wants %d to %d." % (minutes, low, high),
        Remedy("Set the cutoff inside the policy.", (_tuning_command(configured, {"gc-atime-cutoff": wanted}),)),
        **evidence,
    )


def timestamps(case: Case) -> Verdict:
    facts = case.need("atime")
    if facts.mode == "none":
        return unknown(f"Only a probe tells, and there was none: {facts.not_tried}.")
    step, offset = facts.granularity_ns, facts.clock_offset_ns
    evidence: Evidence = {
        "granularity_ns": step,
        "clock_offset_ns": offset,
        "clock_resolution_ns": facts.clock_resolution_ns,
    }
    if step is not None and step > SECOND:
        return failed(
            f"Timestamps are cut to {step / SECOND:g} s; PBS compares over one second.",
            "Move the datastore to a filesystem with timestamps of a second or finer.",
            **evidence,
        )
    if offset is not None:
        # A stamp is cut down to the step, so a difference of up to a step is none.
        slack = (step or SECOND) + (facts.clock_resolution_ns or 0)
        limit = case.policy.clock_offset_max
        if abs(offset) > limit * SECOND + slack:
            word = "ahead of" if offset > 0 else "behind"
            return failed(
                "The filesystem's clock is %s the host's by %.0f s; allowed are %g s. GC compares the host's time with "
                "the filesystem's stamps." % (word, abs(offset) / SECOND, limit),
                "Synchronise the clock of the file server.",
                **evidence,
            )
    if step is None or offset is None:
        probe = facts.probe
        why = "it did not keep a time that was set" if step is None else "no stamp of its own clock could be had"
        reason = probe.error if probe is not None and probe.error else why
        return unknown(
            f"The timestamps in {case.the_store.path} could not be measured: {reason}.",
            said_elsewhere(probe),
            **evidence,
        )
    return passed(f"Timestamps are kept to {_step_name(step)}, and the clocks agree.", **evidence)


def _step_name(step: int) -> str:
    for size, name in ((SECOND, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if step >= size:
            return f"{step / size:g} {name}"
    return "%d ns" % step


RULES: dict[str, Rule] = {
    "PBS-ATIME-01": explicit_touch,
    "PBS-ATIME-02": refreshed,
    "PBS-ATIME-03": zero_chunk,
    "PBS-ATIME-04": check_enabled,
    "PBS-ATIME-05": cutoff,
    "PBS-ATIME-06": timestamps,
}
