# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protections that matter most: the lines that are them, the lines of a careless author, and who notices."""

from __future__ import annotations

import dataclasses

OWNERSHIP = "tests/unit/plugins/module_utils/_manage/test_ownership.py"
FILES = "tests/unit/plugins/module_utils/_system/test_files.py"
TIMES = "tests/unit/plugins/module_utils/_system/test_times.py"
CHILD = "tests/unit/plugins/module_utils/_system/test_child.py"
ATTACKS = "tests/reliability/test_attacks.py"
BESIDE = "tests/reliability/test_beside_pbs.py"


@dataclasses.dataclass(frozen=True)
class Change:
    """One piece of code taken out. The old text stands in the file exactly once."""

    file: str
    """Below plugins/."""
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Protection:
    name: str
    what: str
    """For the table: what is taken out."""
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    """Node ids of pytest; each of them passes with the protection, and fails an assertion without it."""


MENDER = "module_utils/_manage/mender.py"

PROTECTIONS = (
    Protection(
        "hold-what-is-changed",
        "the repair uses names again, instead of the objects that it holds and has looked at",
        (
            Change(
                MENDER,
                "changed = change_owners(fds, case.set_uid, case.set_gid)",
                "changed = change_owners(fds, _KEEP, _KEEP)\n"
                "        for name in names:\n"
                "            os.chown(name, case.set_uid, case.set_gid, dir_fd=where.fd, follow_symlinks=False)",
            ),
        ),
        (OWNERSHIP + "::test_a_chunk_that_is_exchanged_while_it_is_held_is_not_looked_up_again",),
    ),
    Protection(
        "hard-links",
        "files with a second name are not refused",
        (
            Change(
                MENDER, "if links != 1 or device != self._device_key or not", "if device != self._device_key or not"
            ),
            Change(MENDER, "or status.st_nlink != 1 or status.st_dev != self", "or status.st_dev != self"),
        ),
        (
            OWNERSHIP + "::test_links_and_other_kinds_are_never_touched",
            OWNERSHIP + "::test_a_chunk_that_is_exchanged_between_look_and_change[hardlink]",
        ),
    ),
    Protection(
        "no-link-followed",
        "names in a store are opened through links, wherever these lead",
        (
            Change(
                "module_utils/_system/files.py",
                "self._flags = flags | os.O_NOFOLLOW | os.O_CLOEXEC",
                "self._flags = flags | os.O_CLOEXEC",
            ),
            Change("module_utils/_system/files.py", "_RESOLVE_NO_XDEV = 0x01", "_RESOLVE_NO_XDEV = 0"),
            Change("module_utils/_observe/chunk_walk.py", "if status.st_dev != self._store.device:", "if False:"),
            Change(MENDER, "if links != 1 or device != self._device_key or not", "if links != 1 or not"),
            Change(MENDER, "or status.st_nlink != 1 or status.st_dev != self._device:", "or status.st_nlink != 1:"),
        ),
        (
            FILES + "::test_a_directory_inside",
            ATTACKS + "::test_prefix_directories_change_places_with_traps",
            OWNERSHIP + "::test_a_chunk_that_is_exchanged_between_look_and_change[link]",
        ),
    ),
    Protection(
        "no-mount-entered",
        "a mount of another part of the same filesystem is entered",
        (Change("module_utils/_system/files.py", "_RESOLVE_NO_XDEV = 0x01", "_RESOLVE_NO_XDEV = 0"),),
        (FILES + "::test_a_mount_of_the_same_filesystem_is_not_entered",),
    ),
    Protection(
        "links-on-the-way",
        "links that the daemon's user can have made are followed on the way to a store that root changes",
        (
            Change(
                "module_utils/_system/files.py",
                "if where.st_uid != 0 or where.st_mode & (stat.S_IWGRP | stat.S_IWOTH):",
                "if False:",
            ),
        ),
        (
            FILES + "::test_a_link_that_somebody_else_can_have_put_there_is_not_followed",
            ATTACKS + "::test_the_configuration_names_directories_of_the_system",
        ),
    ),
    Protection(
        "no-way-back-to-root",
        "the probe becomes the daemon's user for a while only, and keeps the right to be root again",
        (
            Change(
                "module_utils/_system/identity.py",
                "    os.setresuid(identity.uid, identity.uid, identity.uid)\n",
                "    os.seteuid(identity.uid)\n",
            ),
        ),
        ("tests/unit/plugins/module_utils/_system/test_identity.py::test_all_ids_change_for_good",),
    ),
    Protection(
        "exact-touch",
        "the touch sends {NOW, NOW}, as os.utime does, instead of {NOW, OMIT}",
        (
            Change(
                "module_utils/_system/times.py",
                "Timespec(seconds, nanoseconds), Timespec(0, UTIME_OMIT)",
                "Timespec(seconds, nanoseconds), Timespec(0, UTIME_NOW)",
            ),
        ),
        (
            TIMES + "::test_only_the_access_time_moves",
            TIMES + "::test_it_takes_the_owner_and_no_right_to_write_replaces_that",
        ),
    ),
    Protection(
        "look-after-the-change",
        "a change of owner is believed without a second look",
        (
            Change(MENDER, "if changed and batch.held(fds) == [wanted] * len(fds):", "if changed:"),
            Change(MENDER, "if now.st_uid != case.new_uid or now.st_gid != case.new_gid:", "if False:"),
        ),
        (OWNERSHIP + "::test_a_filesystem_that_only_says_yes",),
    ),
    Protection(
        "deadline",
        "a child may be silent for ever",
        (Change("module_utils/_system/child.py", "self.expires = now + deadline", "self.expires = now + 1e6"),),
        (CHILD + "::test_with_renew_the_deadline_bounds_silence_only",),
    ),
    Protection(
        "words-of-a-child",
        "what a child says is shown as it comes, though the child has become the daemon's user",
        (Change("module_utils/_system/child.py", "child.outcome.doing = display(text)", "child.outcome.doing = text"),),
        (
            (
                "tests/unit/plugins/module_utils/_system/test_child_regressions.py"
                "::test_escapes_in_words_of_the_child_are_shown_as_what_they_are"
            ),
        ),
    ),
    Protection(
        "names-are-escaped",
        "names from a disk are shown as they are",
        (
            Change(
                "module_utils/_system/text.py",
                'return "".join(char if char.isprintable() else _escape(char) for char in text)',
                "return text",
            ),
        ),
        (
            (
                "tests/unit/plugins/module_utils/_system/test_text.py"
                "::test_display_is_always_fit_for_a_terminal_and_for_utf8"
            ),
        ),
    ),
    Protection(
        "lock-stays-closed",
        "the skeleton of a store is looked at with .lock opened",
        (
            Change(
                "module_utils/_observe/chunk_store.py",
                "    facts.lock = observe_file(path, LOCK, base)\n",
                "    os.close(os.open(LOCK, os.O_RDONLY, dir_fd=base))\n    facts.lock = observe_file(path, LOCK, base)\n",
            ),
        ),
        (BESIDE + "::test_the_lock_stays_with_who_has_it[backup]",),
    ),
    Protection(
        "no-atime-moved",
        "directories are listed without O_NOATIME",
        (Change("module_utils/_system/files.py", '_NOATIME = getattr(os, "O_NOATIME", 0)', "_NOATIME = 0"),),
        (FILES + "::test_listing_does_not_move_the_access_time", BESIDE + "::test_no_time_of_anything_moves"),
    ),
    Protection(
        "check-mode",
        "check mode probes as any other run",
        (Change("module_utils/_observe/store.py", "    if check_mode:\n", "    if False:\n"),),
        (
            (
                "tests/unit/plugins/module_utils/_observe/test_store.py"
                "::test_check_mode_leaves_every_byte_owner_and_timestamp"
            ),
        ),
    ),
    Protection(
        "whose-document",
        "a host may say whose document it sends",
        (Change("action/preflight.py", 'checked(dict(document, host=args["host"]))', "checked(document)"),),
        ("tests/unit/plugins/action/test_preflight.py::test_a_host_cannot_write_in_the_name_of_another",),
    ),
)
