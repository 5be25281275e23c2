# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge between what was read from a host and what people see: every text in facts passes here once.

Observers keep names and values as the kernel or a file gave them, so that they can be compared and opened. Whoever hands
facts on to rules, documents or messages passes them through `shown` first: a single place that no observer can forget.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

T = t.TypeVar("T")


def shown(facts: T) -> T:
    """Escape, in place, what a terminal or a report could take for more than text; see `_system.text.display`.

    `facts` is a dataclass of `_facts`, or a list or dictionary of such values; the same object is returned. A second call
    changes nothing more.
    """
    return t.cast(T, _shown(facts))


def _shown(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return display(value)
    if isinstance(value, list):
        value[:] = map(_shown, value)
    elif isinstance(value, dict):
        items = [(_shown(key), _shown(item)) for key, item in value.items()]
        value.clear()
        value.update(items)
    elif dataclasses.is_dataclass(value):
        for name in value.__dataclass_fields__:
            setattr(value, name, _shown(getattr(value, name)))
    return value
