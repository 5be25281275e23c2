# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protections that matter most: the lines that are them, the lines of a careless author, and who notices."""

from __future__ import annotations

import dataclasses

UNIT = "tests/unit/plugins/module_utils/"
OWNERSHIP = UNIT + "_manage/test_ownership.py"
FILES = UNIT + "_system/test_files.py"
SMALL = UNIT + "_system/test_small_file.py"
TIMES = UNIT + "_system/test_times.py"
CHILD = UNIT + "_system/test_child.py"
PROBE = UNIT + "_observe/probe/test_atime.py"
WALK = UNIT + "_observe/walk/test_ownership.py"
ATTACKS = "tests/reliability/test_attacks.py"
BESIDE = "tests/reliability/test_beside_pbs.py"
FILESYSTEMS = "tests/reliability/test_filesystems.py"
KILLS = "tests/reliability/test_kills.py"


@dataclasses.dataclass(frozen=True)
class Change:
    """One piece of code taken out. The file has the old text exactly once."""

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
    campaigns: tuple[str, ...] = ()
    """The same of campaigns, which take longer; run by `make reliability`."""
    always: bool = False
    """It is one of the few that `make test` takes out, too."""


ACTION = "tests/unit/plugins/action/test_preflight.py"
HISTORY = "tests/unit/plugins/plugin_utils/_report/test_history.py"
BOUNDS = "tests/unit/plugins/plugin_utils/_report/test_bounds.py"
CONFIGURATION = UNIT + "_observe/test_hostile_configuration.py"
DOCUMENTS = "plugin_utils/_report/documents.py"
CHILDREN = "module_utils/_system/child.py"
DIRECTORIES = "module_utils/_system/files.py"
HANDLES = "module_utils/_system/owner.py"
REPAIRER = "module_utils/_manage/repairer.py"
STATX = "module_utils/_system/statx.py"
TOUCH = "module_utils/_observe/probe/touch.py"

PROTECTIONS = (
    Protection(
        "hold-what-is-changed",
        "the repair uses names again, instead of the objects that it holds and has looked at",
        (
            Change(
                "module_utils/_manage/handles.py",
                "        return cls(batch, open_handles(where.fd, names), where.status.st_dev)\n",
                "        files = cls(batch, open_handles(where.fd, names), where.status.st_dev)\n"
                "        files.again = lambda: open_handles(where.fd, names)\n"
                "        return files\n",
            ),
            Change(
                "module_utils/_manage/handles.py",
                "return change_owners(self._fds, uid, gid)",
                "return change_owners(self._fds[:1], uid, gid) and change_owners(self.again(), uid, gid)",
            ),
        ),
        (OWNERSHIP + "::test_a_chunk_that_is_exchanged_while_it_is_held_is_not_looked_up_again",),
        always=True,
    ),
    Protection(
        "no-stranger-is-given-away",
        "a file that only root can read is given away without a look at its content",
        (Change(REPAIRER, "if prove or (case.closed and not case.left):", "if False:"),),
        (OWNERSHIP + "::test_a_file_that_only_root_can_read_proves_that_it_is_of_pbs",),
        always=True,
    ),
    Protection(
        "no-locked-directory-is-opened",
        "a directory that only root can enter is given away, whatever it holds",
        (Change(REPAIRER, "if case.closed:", "if False:"),),
        (
            OWNERSHIP
            + "::test_a_directory_that_only_root_can_enter_is_given_away_only_with_content_of_pbs[prefix-full]",
        ),
    ),
    Protection(
        "no-directory-of-pbs-itself",
        "PBS's own configuration directory is taken for a datastore",
        (Change("module_utils/_manage/base.py", "        if relation:\n", "        if False:\n"),),
        (OWNERSHIP + "::test_a_directory_of_pbs_itself_is_no_datastore",),
    ),
    Protection(
        "no-locked-base",
        "a base that the daemon's user cannot enter is given away",
        (
            Change(
                "module_utils/_manage/base.py",
                "if not allows(identity, status, SEARCH) or not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):",
                "if False:",
            ),
        ),
        (OWNERSHIP + "::test_a_locked_base_is_no_datastore",),
    ),
    Protection(
        "no-set-user-id",
        "a file keeps the bits for set-user-id and set-group-id under its new owner",
        (Change(REPAIRER, "            new_mode &= ~_SPECIAL_BITS\n", "            pass\n"),),
        (OWNERSHIP + "::test_a_file_loses_set_user_id_and_a_directory_keeps_set_group_id",),
    ),
    Protection(
        "no-stray-is-a-chunk",
        "any file in a prefix directory is repaired as a chunk",
        (Change("module_utils/_observe/walk/chunk_walk.py", 'STRAY_FILE if kind == "other" else CHUNK', "CHUNK"),),
        (OWNERSHIP + "::test_a_stray_name_in_a_prefix_directory_is_no_chunk",),
    ),
    Protection(
        "known-keys-only",
        "the answer of a host is taken as it is",
        (
            Change(
                "action/preflight.py",
                '            changed=answer.get("changed") is True, document=document, summary=document["summary"], msg=headline\n',
                '            {**answer, "document": document, "summary": document["summary"], "msg": headline}\n',
            ),
        ),
        (ACTION + "::test_nothing_but_what_the_module_documents_is_taken_from_a_host",),
    ),
    Protection(
        "counted-by-the-controller",
        "a host says itself how many of its controls failed",
        (Change("action/preflight.py", '        document["summary"] = counted(document)\n', ""),),
        (ACTION + "::test_summary_and_headline_are_those_of_the_findings[claimed0]",),
    ),
    Protection(
        "bounded-documents",
        "a document may have as many datastores and controls as it likes",
        (
            Change(DOCUMENTS, "if len(unknown) > MAX_UNKNOWN_CONTROLS:", "if False:"),
            Change(DOCUMENTS, "if len(names) > MAX_DATASTORES:", "if False:"),
            Change(DOCUMENTS, 'if len(data["datastores"]) > MAX_DATASTORES:', "if False:"),
        ),
        (BOUNDS + "::test_what_a_writer_multiplies_is_bounded",),
    ),
    Protection(
        "time-of-the-controller",
        "a host says what time it is",
        (
            Change("plugin_utils/_report/fleet.py", 'if document["finished"] > self._latest:', "if False:"),
            Change(
                "plugin_utils/_report/fleet.py",
                "min(newest or timestamp(now), timestamp(now))",
                "newest or timestamp(now)",
            ),
        ),
        (BOUNDS + "::test_no_other_host_is_forgotten_because_of_it",),
    ),
    Protection(
        "not-read-for-others",
        "root reads a configuration file that the daemon's user may not read",
        (
            Change(
                "module_utils/_observe/configuration.py",
                "found = read_small(os.path.basename(path), dir_fd, _SIZE_LIMIT, _refuse(account))",
                "found = read_small(os.path.basename(path), dir_fd, _SIZE_LIMIT)",
            ),
        ),
        (CONFIGURATION + "::test_a_file_that_the_daemon_may_not_read_is_not_read",),
    ),
    Protection(
        "some-datastores-only",
        "a configuration may have as many datastores as it likes",
        (Change("module_utils/_observe/configuration.py", "if len(sections) > _MAX_SECTIONS:", "if False:"),),
        (CONFIGURATION + "::test_the_number_of_datastores_is_bounded_with_one_reason",),
    ),
    Protection(
        "an-end-of-each-walk",
        "a child that is never silent goes on for ever",
        (Change(CHILDREN, "min(time.monotonic() + deadline, child.started + total)", "time.monotonic() + deadline"),),
        (CHILD + "::test_a_child_that_always_answers_has_an_end_all_the_same",),
    ),
    Protection(
        "an-end-for-all-datastores",
        "each datastore of a host may take its whole time, however many there are",
        (
            Change(
                "module_utils/_observe/observation.py",
                "limit=limit.part(plan.timeout)",
                "limit=TimeLimit(plan.timeout)",
            ),
            Change("module_utils/_observe/observation.py", 'if reason == "" and not limit.left():', "if False:"),
        ),
        (UNIT + "_observe/test_observation.py::test_the_datastores_of_a_host_have_a_limit_together",),
    ),
    Protection(
        "tasks-of-the-daemon",
        "root reads a list or log of tasks, or the state of a job, that only root may read",
        (Change("module_utils/_system/small_file.py", "if status.st_uid == 0 and not readable else", "if False else"),),
        (
            SMALL + "::test_what_only_root_may_read_is_not_read_in_a_directory_of_another_user",
            UNIT + "_observe/jobs/test_job_state.py::test_a_state_that_only_root_may_read_is_not_read",
        ),
    ),
    Protection(
        "adopted-results",
        "whatever a host answers without a declaration becomes the result of adopt",
        (
            Change(
                "action/adopt.py", "            result.update(failure(answer))\n", "            result.update(answer)\n"
            ),
        ),
        ("tests/unit/plugins/action/test_adopt.py::test_nothing_else_is_taken_from_a_host",),
    ),
    Protection(
        "adopted-variables",
        "a host chooses the variable whose value it gets",
        (Change("plugin_utils/_adoption.py", ' or not checked["placeholder"].startswith(beginning)', ""),),
        ("tests/unit/plugins/plugin_utils/test_adoption.py::test_what_no_host_may_write",),
    ),
    Protection(
        "room-for-all",
        "a host has as many rows as it likes where there is not room for all",
        (
            Change(
                "plugin_utils/_report/model.py",
                "    return [rows[place] for place in sorted(place for _turn, place in sorted(turns)[:most])]\n",
                "    return list(rows[:most])\n",
            ),
            Change("plugin_utils/_report/formats/sarif.py", "number >= share", "False"),
        ),
        ("tests/unit/plugins/plugin_utils/_report/test_bounds.py::test_one_host_leaves_room_for_the_others",),
    ),
    Protection(
        "room-on-the-terminal",
        "a host writes as many lines to the terminal as it likes",
        (Change("plugin_utils/_summary.py", "MAX_LINES = 500", "MAX_LINES = 10**9"),),
        ("tests/unit/plugins/plugin_utils/test_summary.py::test_a_host_does_not_fill_the_terminal",),
    ),
    Protection(
        "history-of-the-past",
        "what a host had as its time stays in the history",
        (
            Change(
                "plugin_utils/_report/report.py", "healed = history.heal(latest)", 'healed = history.heal("9999-99")'
            ),
        ),
        (HISTORY + "::test_what_cannot_be_true_is_removed_named_and_changes_no_row",),
    ),
    Protection(
        "no-answer-at-all",
        "the controller waits for ever for a host that accepts the connection and never answers",
        (Change("plugin_utils/_long_run.py", "signal.setitimer(signal.ITIMER_REAL, seconds)", "pass"),),
        ("tests/unit/plugins/plugin_utils/test_long_run.py::test_a_host_that_never_answers_at_all_is_given_up",),
    ),
    Protection(
        "values-by-allow-list",
        "the value of any mount option is shown",
        (
            Change(
                "module_utils/_observe/mounts/mount_text.py",
                "after_hidden = not (name in _SHOWN or name.startswith(_SYSTEM_PREFIX))",
                "after_hidden = False",
            ),
        ),
        (UNIT + "_observe/mounts/test_mount_text.py::test_secrets_do_not_reach_the_report",),
    ),
    Protection(
        "an-end-of-waiting",
        "the controller waits for as long as there is progress",
        (Change("plugin_utils/_long_run.py", "if now - began > total:", "if False:"),),
        ("tests/unit/plugins/plugin_utils/test_long_run.py::test_a_host_whose_progress_never_ends_is_given_up",),
    ),
    Protection(
        "one-store-for-all-workers",
        "each worker takes what it finds at the path, also where another one has found something else there",
        (Change("module_utils/_observe/walk/workers.py", "if found - {mine, (0, 0)}:", "if False:"),),
        (OWNERSHIP + "::test_what_comes_to_the_path_while_it_is_worked_on_is_not_touched",),
    ),
    Protection(
        "hard-links",
        "files with a second name are not refused",
        (
            Change(REPAIRER, "common = links == 1 and case.regular", "common = case.regular"),
            Change(REPAIRER, "or status.st_nlink != 1 or status.st_dev not in self", "or status.st_dev not in self"),
        ),
        (
            OWNERSHIP + "::test_links_and_other_kinds_are_never_touched",
            OWNERSHIP + "::test_a_chunk_that_is_exchanged_between_look_and_change[hardlink]",
        ),
        (ATTACKS + "::test_chunks_change_places_with_traps",),
        always=True,
    ),
    Protection(
        "no-link-followed",
        "names in a store are opened through links, wherever these lead",
        (
            Change(
                DIRECTORIES,
                "self._flags = flags | os.O_NOFOLLOW | os.O_CLOEXEC",
                "self._flags = flags & ~os.O_NOFOLLOW | os.O_CLOEXEC",
            ),
            Change(DIRECTORIES, "_RESOLVE_NO_XDEV = 0x01", "_RESOLVE_NO_XDEV = 0"),
            Change(
                "module_utils/_observe/walk/chunk_walk.py",
                "if status.st_dev != self._store.chunks_device:",
                "if False:",
            ),
            Change(HANDLES, '_FLAGS = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW', '_FLAGS = getattr(os, "O_PATH", 0)'),
            Change(STATX, "if self._every(self._DEVICES, len(fds)).count(device) != len(fds):", "if False:"),
            Change(
                REPAIRER, "or status.st_nlink != 1 or status.st_dev not in self._devices:", "or status.st_nlink != 1:"
            ),
        ),
        (
            FILES + "::test_a_directory_inside",
            OWNERSHIP + "::test_a_chunk_that_is_exchanged_between_look_and_change[link]",
        ),
        (ATTACKS + "::test_prefix_directories_change_places_with_traps",),
        always=True,
    ),
    Protection(
        "no-mount-entered",
        "a mount of another part of the same filesystem is entered",
        (Change(DIRECTORIES, "_RESOLVE_NO_XDEV = 0x01", "_RESOLVE_NO_XDEV = 0"),),
        (FILES + "::test_a_mount_of_the_same_filesystem_is_not_entered",),
        (ATTACKS + "::test_bind_mounts_come_and_go",),
        always=True,
    ),
    Protection(
        "links-on-the-way",
        "links that the daemon's user can have made are followed on the way to a store that root changes",
        (Change(DIRECTORIES, "if where.st_uid != 0 or where.st_mode & (stat.S_IWGRP | stat.S_IWOTH):", "if False:"),),
        (FILES + "::test_a_link_that_another_user_can_have_created_is_not_followed",),
        (ATTACKS + "::test_the_way_to_the_store_is_exchanged",),
        always=True,
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
        (UNIT + "_system/test_identity.py::test_all_ids_change_for_good",),
        always=True,
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
            TIMES + "::test_only_the_owner_may_touch_and_a_right_to_write_is_not_enough",
        ),
        always=True,
    ),
    Protection(
        "strictly-later",
        "a touch counts whether or not the access time has moved",
        (Change(TOUCH, "facts.advanced = after.st_atime_ns > before.st_atime_ns", "facts.advanced = True"),),
        (
            UNIT + "_observe/probe/test_touch.py::test_only_a_strictly_later_time_counts",
            PROBE + "::test_a_filesystem_that_ignores_the_touch",
        ),
        (FILESYSTEMS + "::test_any_error_at_any_operation[by chance]",),
        always=True,
    ),
    Protection(
        "all-or-unknown",
        "owners are called right although a part of the store was not seen",
        (
            Change(
                "module_utils/_observe/walk/ownership.py", "facts.complete = not facts.stuck", "facts.complete = True"
            ),
        ),
        (WALK + "::test_a_walk_that_gets_no_answer_is_given_up_and_says_where",),
    ),
    Protection(
        "look-after-the-change",
        "a change of owner is believed without a second look",
        (
            Change(REPAIRER, " and files.look() == wanted * len(names)):", "):"),
            Change(REPAIRER, "if now.st_uid != case.new_uid or now.st_gid != case.new_gid:", "if False:"),
        ),
        (OWNERSHIP + "::test_a_filesystem_that_only_says_yes",),
        (FILESYSTEMS + "::test_any_error_in_the_middle_of_a_repair",),
        always=True,
    ),
    Protection(
        "give-away-before-creation",
        "PBS is asked to create a datastore where root cannot give files away",
        (
            Change(
                "module_utils/_creation.py",
                "        _require_chown(store, account, deadline)\n",
                "        pass\n",
            ),
        ),
        (FILESYSTEMS + "::test_no_datastore_is_created_on_a_filesystem_that_fails",),
    ),
    Protection(
        "deadline",
        "a child may be silent for ever",
        (Change(CHILDREN, "self.expires = now + deadline", "self.expires = now + 1e6"),),
        (CHILD + "::test_with_renew_the_deadline_bounds_silence_only",),
        always=True,
    ),
    Protection(
        "die-with-the-parent",
        "children go on when the process that watches over them is killed",
        (Change(CHILDREN, "    die_with_parent(signal.SIGKILL, parent)\n", ""),),
        (CHILD + "::test_no_child_outlives_its_parent",),
    ),
    Protection(
        "words-of-a-child",
        "what a child says is shown as it comes, though the child has become the daemon's user",
        (Change(CHILDREN, "child.outcome.doing = display(text)", "child.outcome.doing = text"),),
        (UNIT + "_system/test_child.py::test_escapes_in_words_of_the_child_are_shown_as_what_they_are",),
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
        (UNIT + "_system/test_text.py::test_display_is_always_fit_for_a_terminal_and_for_utf8",),
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
        always=True,
    ),
    Protection(
        "lock-tried-elsewhere",
        "whether locks work is tried on .lock itself",
        (
            Change(
                "module_utils/_observe/probe/atime.py",
                "self._try_lock(name, directory, fd)\n                finally",
                'self._try_lock(name, directory, os.open(os.path.join(self._path, ".lock"), os.O_RDWR))\n'
                "                finally",
            ),
        ),
        (BESIDE + "::test_audit_and_preflight_beside_a_working_pbs",),
    ),
    Protection(
        "no-atime-moved",
        "directories are listed without O_NOATIME",
        (Change(DIRECTORIES, '_NOATIME = getattr(os, "O_NOATIME", 0)', "_NOATIME = 0"),),
        (FILES + "::test_listing_does_not_move_the_access_time",),
        (BESIDE + "::test_no_time_of_anything_moves",),
    ),
    Protection(
        "leftovers",
        "what a killed probe has left stays",
        (
            Change(
                "module_utils/_observe/probe/atime.py", "        self._clean_up()\n        started", "        started"
            ),
        ),
        (PROBE + "::test_files_of_a_killed_run_are_removed_by_the_next",),
        (KILLS + "::test_the_probe_is_killed[datastore]",),
    ),
    Protection(
        "check-mode",
        "check mode probes as any other run",
        (Change("module_utils/_observe/store.py", "    if check_mode:\n", "    if False:\n"),),
        (UNIT + "_observe/test_store.py::test_check_mode_leaves_every_byte_owner_and_timestamp",),
        always=True,
    ),
    Protection(
        "whose-document",
        "a host may say whose document it sends",
        (Change("action/preflight.py", 'checked(dict(answer["document"], host=host))', 'checked(answer["document"])'),),
        ("tests/unit/plugins/action/test_preflight.py::test_a_host_cannot_write_in_the_name_of_another",),
    ),
    Protection(
        "mounted-files",
        "a file that is mounted on a chunk is given away",
        (Change(REPAIRER, " and not Batch.mounted(signature)", ""),),
        (OWNERSHIP + "::test_files_and_directories_that_are_mounted_in_the_store_are_refused",),
    ),
    Protection(
        "directories-of-everybody",
        "a directory in which everybody makes files is taken for a store",
        (Change(DIRECTORIES, "if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH:", "if False:"),),
        (ATTACKS + "::test_the_configuration_names_directories_of_the_system",),
    ),
    Protection(
        "no-file-by-configuration",
        "root makes its probe file where PBS's configuration says so",
        (Change("module_utils/_observe/probe/atime.py", "        if self._unknown_to_pbs:\n", "        if True:\n"),),
        (ATTACKS + "::test_the_configuration_names_directories_of_the_system",),
    ),
    Protection(
        "one-name-for-a-touch",
        "root touches a zero chunk that has a second name",
        (Change(TOUCH, "if before.st_nlink > 1 and facts.uid == 0:", "if False:"),),
        (ATTACKS + "::test_the_zero_chunk_changes_places_with_traps",),
    ),
    Protection(
        "touch-what-is-held",
        "root touches the zero chunk by its name, and not the file that it holds",
        (
            Change(
                "module_utils/_observe/probe/atime.py",
                "target = HeldFile(os.path.join(path, ZERO_CHUNK_DIGEST), prefix, ZERO_CHUNK_DIGEST)\n"
                "                stack.callback(target.close)\n",
                "target = NamedFile(os.path.join(path, ZERO_CHUNK_DIGEST), prefix, ZERO_CHUNK_DIGEST)\n",
            ),
        ),
        (ATTACKS + "::test_the_zero_chunk_changes_places_with_traps",),
    ),
    Protection(
        "lock-is-made-new",
        "completing a store opens a .lock that is there",
        (
            Change(
                "module_utils/_manage/completion.py",
                "flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC",
                "flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC",
            ),
        ),
        (ATTACKS + "::test_a_store_is_completed_among_traps",),
    ),
    Protection(
        "configuration-is-no-link",
        "a link in place of a configuration file or job state is read",
        (Change("module_utils/_system/small_file.py", "| os.O_NOFOLLOW | os.O_CLOEXEC", "| os.O_CLOEXEC"),),
        (UNIT + "_system/test_small_file.py::test_a_link_is_not_followed",),
        (ATTACKS + "::test_configuration_and_job_states_change_places_with_traps",),
    ),
)
