# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that are handed out to several processes."""

from __future__ import annotations

import itertools
import os
import signal

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.work_queue import WorkQueue
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import run


@pytest.fixture
def queue(request):
    queue = WorkQueue(range(request.param))
    yield queue
    queue.close()


def taken_by(queue, tasks):
    """What each of these processes has taken, by name."""
    outcomes = run(tasks, 60, keep=(queue.fd,))
    assert [outcome.error for outcome in outcomes.values() if not outcome.finished] == []
    return {name: outcome.parts["taken"] for name, outcome in outcomes.items()}


@pytest.mark.parametrize(("queue", "count"), [(n, n) for n in (0, 1, 63, 64, 65, 1000, 65536)], indirect=["queue"])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_each_number_is_taken_once_whoever_asks(queue, count, workers):
    taken = taken_by(
        queue, {str(worker): lambda channel: channel.put("taken", list(queue)) for worker in range(workers)}
    )
    assert sorted(itertools.chain(*taken.values())) == list(range(count))


def test_no_standard_stream_takes_the_place_of_the_queue():
    """Whoever starts us may have closed them, and children put the null device there."""

    def without_streams(channel):
        os.closerange(0, 3)
        queue = WorkQueue(range(100))
        channel.put("taken", taken_by(queue, {"all": lambda inner: inner.put("taken", list(queue))}))

    outcome = run({"": without_streams}, 60)[""]
    assert outcome.error == ""
    assert outcome.parts["taken"] == {"all": list(range(100))}


@pytest.mark.parametrize("queue", [1000], indirect=True)
def test_the_order_that_one_process_makes_holds_for_the_others(queue):
    run({"order": lambda channel: queue.arrange(lambda number: -number)}, 60)
    taken = taken_by(queue, {"all": lambda channel: channel.put("taken", list(queue))})
    assert taken == {"all": list(range(999, -1, -1))}


@pytest.mark.parametrize("queue", [65536], indirect=True)
def test_who_is_slow_takes_less(queue):
    begun, begin = os.pipe()
    done, finish = os.pipe()

    def slow(channel):
        numbers = iter(queue)
        taken = [next(numbers)]
        os.write(begin, b".")
        os.read(done, 1)
        channel.put("taken", [*taken, *numbers])

    def quick(channel):
        os.read(begun, 1)
        channel.put("taken", list(queue))
        os.write(finish, b".")

    outcomes = run({"slow": slow, "quick": quick}, 60, keep=(queue.fd, begun, begin, done, finish))
    for fd in (begun, begin, done, finish):
        os.close(fd)
    assert outcomes["slow"].parts["taken"] == list(range(64))
    assert outcomes["quick"].parts["taken"] == list(range(64, 65536))


@pytest.mark.parametrize("queue", [1000], indirect=True)
def test_who_dies_takes_along_what_it_had_and_no_more(queue):
    def dies(channel):
        channel.put("taken", [next(iter(queue))])
        os.kill(os.getpid(), signal.SIGKILL)

    outcome = run({"dies": dies}, 60, keep=(queue.fd,))["dies"]
    assert (outcome.parts["taken"], outcome.finished) == ([0], False)
    assert taken_by(queue, {"all": lambda channel: channel.put("taken", list(queue))}) == {"all": list(range(64, 1000))}


@pytest.mark.parametrize("queue", [1000], indirect=True)
def test_no_descriptor_is_left(queue):
    before = os.listdir("/proc/self/fd")
    other = WorkQueue(range(1000))
    other.close()
    assert os.listdir("/proc/self/fd") == before
