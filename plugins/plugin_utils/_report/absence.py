# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host has no document, out of what Ansible registered for it."""

from __future__ import annotations

import typing as t

_LONGEST = 2000
"""Characters of a reason. What a host says before it accepts a connection is in it, as long as the host likes."""


def reason_of(said: t.Any) -> str:
    """A text as it is; of the registered result of the module `preflight` why it has no document (empty: it has one)."""
    if said is None:
        return ""
    if not isinstance(said, dict):
        return str(said)
    if "summary" in said or "document" in said:
        return ""
    if said.get("skipped"):
        return "the preflight was skipped for it"
    reason = " ".join(str(said.get("msg") or "")[:_LONGEST].split())
    if said.get("unreachable"):
        return "unreachable: " + (reason or "no reason given")
    # The role preflight lets such a host fail, so that it stays in the play.
    if reason.startswith("Unreachable: "):
        reason = "u" + reason[1:]
    return reason or "the preflight gave no answer"
