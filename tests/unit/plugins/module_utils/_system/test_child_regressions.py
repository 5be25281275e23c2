# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child that is not ours any more: it has become the daemon's user, which may be hostile, and writes what it likes."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import child


def hostile(data: bytes, times: int = 1):
    """A task that writes these bytes past the channel."""

    def task(channel: child.Channel) -> None:
        for _each in range(times):
            view = memoryview(data)
            while view:
                view = view[os.write(channel._fd, view) :]

    return task


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000 + b"\n", b'{"part":"x","value":' + b"[" * 100_000 + b"\n", b"\n", b'"begin"\n', b"{}\n", b"\xff\n"],
)
def test_what_is_not_a_message_ends_the_child_and_not_the_parent(data):
    outcome = child.run_one(hostile(data), 60)
    assert outcome.error == "the child sent an invalid message"
    assert not outcome.finished


def test_escapes_in_words_of_the_child_are_shown_as_what_they_are():
    message = {"begin": "\x1b[31mred\nline"}
    outcome = child.run_one(hostile(json.dumps(message).encode() + b'\n{"error":"\\u202e"}\n'), 60)
    assert outcome.doing == r"\x1b[31mred\x0aline"
    assert outcome.error == r"\u202e"


@pytest.mark.parametrize("end", [b"", b'"}\n'])
def test_what_a_child_sends_is_held_up_to_a_limit(monkeypatch, end):
    """A message without end, and answers without end, each of another name."""
    monkeypatch.setattr(child, "_MESSAGE_LIMIT", 1 << 20)
    counter = iter(range(10_000))

    def task(channel: child.Channel) -> None:
        while True:
            os.write(channel._fd, (b'{"part":"%d","value":"' % next(counter) if end else b"") + b"x" * 4096 + end)

    outcome = child.run_one(task, 60)
    assert outcome.error == "the child sent too much data"
    assert len(outcome.parts) <= 256 + 16  # what one more read can hold


def test_an_answer_that_is_given_again_is_held_once(monkeypatch):
    monkeypatch.setattr(child, "_MESSAGE_LIMIT", 1 << 20)
    outcome = child.run_one(lambda channel: [channel.put("counts", "x" * 4096) for _each in range(1000)] and None, 60)
    assert outcome.finished, outcome.error
