# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hosts of a running play have registered so far: who was asked, who was not, and whether all had their turn."""

from __future__ import annotations

import typing as t

from ansible import constants

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.absence import reason_of

Variables = t.Mapping[str, t.Any]
FleetOf = t.Callable[[t.Sequence[str], Variables], t.Iterable[str]]


_FREE = ("free", "host_pinned")
"""Strategies with which hosts do not wait for each other."""


class PlaySoFar:
    """The play of a task.

    hosts: those that were asked, and why they have no document (empty: they have one).
    not_asked: the other hosts of the play's pattern, because of `when`, `serial`, `--limit` or a failure before.
    is_asked: at least one host was asked; not so if the options were wrong for all of them.
    is_over: there is nothing more to wait for.
    is_failed: no host of the batch is left.
    is_free: hosts do not wait for each other, so that several of them may be the last one.
    """

    def __init__(self, task: t.Any, variables: Variables, registered: str, fleet_of: FleetOf) -> None:
        """`registered`: the variable with the result of the module preflight. `fleet_of`: all hosts of a list of patterns."""
        self._task = task
        self._play = task.get_play()
        self.is_free = str(self._play.strategy or constants.DEFAULT_STRATEGY).rpartition(".")[2] in _FREE
        hostvars = variables["hostvars"]
        everybody = list(variables.get("ansible_play_hosts_all") or ())
        # Hosts that failed are in neither of these two.
        self._batch = frozenset(variables.get("ansible_play_batch") or ())
        self._left = frozenset(variables.get("ansible_play_hosts") or ())
        said = {host: hostvars.raw_get(host).get(registered) for host in everybody}
        self._waiting = {host for host in self._left if said.get(host) is None}
        self.hosts: dict[str, str] = {}
        self.not_asked: list[str] = []
        asked = [value for value in said.values() if value is not None and not value.get("skipped")]
        self.is_asked = not all(value.get("wrong_options") for value in asked)
        self.is_failed = not self._batch
        self.is_over = not self._is_busy() and self._is_last_batch()
        if not self.is_over:
            return
        for host in everybody:
            if said[host] is None or said[host].get("skipped"):
                self.not_asked.append(host)
            else:
                self.hosts[host] = reason_of(said[host])
        if variables.get("ansible_limit"):
            known = frozenset(everybody)
            self.not_asked += [name for name in map(str, fleet_of(self._play.hosts, variables)) if name not in known]

    def _is_busy(self) -> bool:
        """Whether a host of this batch is still to be asked, which is possible where hosts do not wait for each other.

        A role that is included while the play runs may be for some of the hosts only; nobody can wait for the others.
        """
        return self.is_free and self._task.all_parents_static() and not self._waiting.isdisjoint(self._batch)

    def _is_last_batch(self) -> bool:
        """Ansible ends a play with a batch of which every host failed. Where it may end it for another reason, there is a
        report after each batch."""
        may_end = self._play.max_fail_percentage is not None or self._play.any_errors_fatal
        return not self._batch or bool(may_end) or self._waiting <= self._batch
