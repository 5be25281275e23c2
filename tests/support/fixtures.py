# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of tests/support: what they make is gone after the test.

Where this machine cannot make something, the test that asks for it is skipped with the reason.
"""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk, work_queue
from ansible_collections.fleetops.pbs.tests.support import faults, machine, mounts
from ansible_collections.fleetops.pbs.tests.support.pbs import store as stores

T = TypeVar("T")


@contextlib.contextmanager
def _factory(make: Callable[..., contextlib.AbstractContextManager[T]]) -> Iterator[Callable[..., T]]:
    """A function that enters `make(...)` and leaves it, last first, at the end."""
    if not machine.is_capable():
        pytest.skip("needs root on Linux")
    with contextlib.ExitStack() as stack:

        @functools.wraps(make)
        def enter(*args: Any, **kwargs: Any) -> T:
            return stack.enter_context(make(*args, **kwargs))

        yield enter


@pytest.fixture
def loopfs() -> Iterator[Callable[..., Path]]:
    """See mounts.loopfs: `path = loopfs("ext4", "noatime", mkfs=["-I", "128"])`."""
    with _factory(mounts.loopfs) as make:
        yield make


@pytest.fixture
def tmpfs() -> Iterator[Callable[..., Path]]:
    """See mounts.tmpfs."""
    with _factory(mounts.tmpfs) as make:
        yield make


@pytest.fixture
def bind() -> Iterator[Callable[..., Path]]:
    """See mounts.bind."""
    with _factory(mounts.bind) as make:
        yield make


@pytest.fixture
def overlay() -> Iterator[Callable[..., Path]]:
    """See mounts.overlay."""
    with _factory(mounts.overlay) as make:
        yield make


@pytest.fixture
def faultfs() -> Iterator[Callable[..., faults.FaultyMount]]:
    """See faults.faultfs: `mount = faultfs("ignore")`, then `mount.set("errno:EIO@open")`."""
    with _factory(faults.faultfs) as make:
        yield make


@pytest.fixture
def chunk_store(tmp_path: Path) -> Callable[..., stores.ChunkStore]:
    """See chunk_store.make_chunk_store: `store = chunk_store(path, prefixes=16, chunks=100)`; path is optional."""
    if not machine.is_capable():
        pytest.skip("needs root on Linux")

    def make(path: Path | None = None, **kwargs: Any) -> stores.ChunkStore:
        if path is None:
            path = tmp_path / "store"
            machine.open_way(path.parent)
        return stores.make_chunk_store(path, **kwargs)

    return make


@pytest.fixture
def ignored_children() -> Iterator[None]:
    """As whoever starts us may have left it; the kernel then reaps children by itself, and nobody learns how they ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.fixture
def walk_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[int]], None]:
    """`walk_only(range(16))`: walks look for no other prefix directories than these.

    Each name that they look for costs a message to the daemon of a FUSE filesystem.
    """

    def only(numbers: Sequence[int]) -> None:
        monkeypatch.setattr(chunk_walk, "WorkQueue", lambda _all: work_queue.WorkQueue(numbers))
        # They are few: each worker must get some of them.
        monkeypatch.setattr(work_queue, "_BLOCK", 1)

    return only


@pytest.fixture(scope="session")
def whole_store_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext4 image with all 65536 prefix directories, made once; use the fixture whole_store."""
    if not machine.is_capable():
        pytest.skip("needs root on Linux")
    image = tmp_path_factory.mktemp("image") / "store.ext4"
    # Small blocks: a directory takes one, and it is 65536 of them that fill the disk.
    mkfs = ["-b", "1024", "-N", "80000", "-m", "0", "-O", "^has_journal"]
    mounts.make_image(image, "ext4", mkfs=mkfs, size=192 * mounts.MIB)
    with mounts.mounted("-o", "loop", image) as path:
        stores.make_chunk_store(path)
    return image


@pytest.fixture
def whole_store(whole_store_image: Path, loopfs: Callable[..., Path]) -> Callable[..., stores.ChunkStore]:
    """`store = whole_store("noatime")`: a copy of a store with its 65536 directories, mounted on its own."""

    def make(options: str = "") -> stores.ChunkStore:
        return stores.ChunkStore(loopfs("ext4", options, image=whole_store_image), *stores.backup_ids())

    return make
