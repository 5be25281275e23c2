# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converts JSON back to facts."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

T = t.TypeVar("T")


def load(cls: type[T], data: t.Any) -> T:
    """Build one of these classes from the JSON of its `dataclasses.asdict`.

    Raises `TypeError` or `KeyError` if the data has another shape.
    """
    return t.cast(T, _load(cls, data))


_NONE = type(None)


@functools.cache
def _hints(kind: t.Any) -> dict[str, t.Any]:
    # To evaluate them takes longer than anything else here, and a datastore may have thousands of groups.
    return t.get_type_hints(kind)


def _load(kind: t.Any, data: t.Any) -> t.Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise TypeError(f"{getattr(kind, '__name__', kind)} needs an object, not {type(data).__name__}")
        hints = _hints(t.cast(t.Any, kind))
        unknown = set(data) - set(hints)
        if unknown:
            raise TypeError(f"{getattr(kind, '__name__', kind)} has no {', '.join(sorted(unknown))}")
        return t.cast(t.Any, kind)(**{name: _load(hints[name], value) for name, value in data.items()})
    origin = t.get_origin(kind)
    args = t.get_args(kind)
    if origin is t.Union:
        if data is None:
            return None
        return _load(next(arg for arg in args if arg is not _NONE), data)
    if origin is list:
        return [_load(args[0], item) for item in data]
    if origin is dict:
        return {key: _load(args[1], value) for key, value in data.items()}
    return data
