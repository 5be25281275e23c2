# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the bytes of a fuzzer into what parsers are given: texts, numbers, trees, and edits of a tree.

The same bytes always give the same values, and where the bytes are at their end everything is small and empty.
"""

from __future__ import annotations

import copy
from typing import Any

HUGE_DIGITS = 5000
"""More digits than Python turns into a number, since that takes quadratic time."""


class Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, data: bytes, deepest: int = 1200) -> None:
        """`deepest` is how many lists a value may have one inside of the other."""
        self._data = data
        self._deepest = deepest
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, limit: int) -> int:
        """From 0 to limit - 1."""
        return (self.byte() << 8 | self.byte()) % limit if limit > 256 else self.byte() % limit

    def bytes(self, limit: int = 256) -> bytes:
        size = self.number(limit)
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def rest(self) -> bytes:
        part = self._data[self._at :]
        self._at = len(self._data)
        return part

    def text(self, limit: int = 256) -> str:
        """Text as it comes from a disk: what is not UTF-8 in it is carried as surrogates."""
        return self.bytes(limit).decode("utf-8", "surrogateescape")

    def pick(self, choices: Any) -> Any:
        return choices[self.number(len(choices))]

    # Trees as JSON, YAML and Ansible have them.

    def value(self, depth: int = 3) -> Any:
        kind = self.number(14)
        if kind < 4:
            return self.text(40)
        if kind == 4:
            return self.number(65536)
        if kind == 5:
            return -self.number(65536)
        if kind == 6:
            return self.pick((0.0, -1.5, 1e308, 5e-324, float("inf"), float("-inf"), float("nan")))
        if kind == 7:
            return 10 ** self.number(4200)
        if kind == 8:
            return self.pick(("9" * HUGE_DIGITS, "0" * HUGE_DIGITS + "1", "1e999", "\ud800", "\x00", "\u202e", ""))
        if kind == 9:
            return self.pick((None, True, False))
        if kind == 10:
            deep: Any = []
            for _each in range(self.number(self._deepest)):
                deep = [deep]
            return deep
        if depth == 0:
            return None
        if kind < 13:
            return {self.text(16): self.value(depth - 1) for _each in range(self.number(4))}
        return [self.value(depth - 1) for _each in range(self.number(4))]

    def edited(self, tree: Any) -> Any:
        """A copy of the tree with a few places replaced, removed or added."""
        root = [copy.deepcopy(tree)]
        for _each in range(self.number(4) + 1):
            holder, key = self._place(root)
            action = self.number(6)
            if action == 0 and holder is not root:
                del holder[key]
            elif action == 1 and isinstance(holder, list) and holder is not root:
                holder.insert(key, holder[key])
            elif action == 2 and isinstance(holder, dict):
                holder[self.text(16)] = holder[key]
            else:
                holder[key] = self.value()
        return root[0]

    def _place(self, root: list[Any]) -> tuple[Any, Any]:
        holder: Any = root
        key: Any = 0
        while isinstance(holder[key], (dict, list)) and holder[key] and self.byte() % 8:
            holder = holder[key]
            key = self.pick(list(holder)) if isinstance(holder, dict) else self.number(len(holder))
        return holder, key
