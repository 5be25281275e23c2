# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import small_file
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import only_roots, read_end, read_small


@pytest.fixture
def dir_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_a_file(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "name").write_bytes(b"content")
    found = read_small("name", dir_fd, 7)
    assert (found.exists, found.data, found.error) == (True, b"content", "")
    assert found.status is not None
    assert found.status.st_size == 7


def test_no_file(dir_fd: int) -> None:
    found = read_small("name", dir_fd, 10)
    assert (found.exists, found.data, found.error) == (False, None, "")


def test_too_large(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "name").write_bytes(b"content!")
    found = read_small("name", dir_fd, 7)
    assert (found.exists, found.data) == (True, None)
    assert found.error == "it is larger than 7 bytes; it was not read"


def test_a_link_is_not_followed(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "name").symlink_to("secret")
    found = read_small("name", dir_fd, 100)
    assert (found.exists, found.data) == (True, None)
    assert found.error == "it is a link, not a regular file; it was not read"


def test_what_is_no_file_is_not_opened(tmp_path: Path, dir_fd: int) -> None:
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for a writer
    (tmp_path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket is short, so it is bound by way of the descriptor.
        server.bind(f"/proc/self/fd/{dir_fd}/socket")
        for name in ("fifo", "directory", "socket"):
            found = read_small(name, dir_fd, 100)
            assert (found.exists, found.data) == (True, None)
            assert found.error == f"it is a {name}, not a regular file; it was not read"


def test_what_was_looked_at_is_what_is_read(tmp_path: Path, dir_fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    real = os.fstat

    def swapped_at_once(fd: int) -> os.stat_result:
        with contextlib.suppress(FileExistsError):
            os.unlink("name", dir_fd=dir_fd)
            os.symlink("secret", "name", dir_fd=dir_fd)
        return real(fd)

    monkeypatch.setattr(small_file.os, "fstat", swapped_at_once)
    (tmp_path / "name").write_bytes(b"content")
    assert read_small("name", dir_fd, 100).data == b"content"
    assert read_small("name", dir_fd, 100).error == "it is a link, not a regular file; it was not read"


def test_a_name_that_cannot_be_looked_at(dir_fd: int) -> None:
    found = read_small("x" * 300, dir_fd, 100)
    assert (found.exists, found.data) == (True, None)
    assert found.error.startswith("ENAMETOOLONG: ")


@pytest.mark.root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "readable"),
    [
        (0, 0, 0o600, False),
        (0, 0, 0o640, False),
        (0, 0, 0o000, False),
        (0, 34, 0o600, False),
        (0, 34, 0o640, True),
        (0, 0, 0o644, True),
        (34, 34, 0o600, True),
    ],
)
def test_what_only_root_may_read_is_not_read_in_a_directory_of_another_user(tmp_path, uid, gid, mode, readable):
    """The daemon's user can move root's files to any name there."""
    path = tmp_path / "active"
    path.write_text("secret")
    os.chown(path, uid, gid)
    path.chmod(mode)
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = read_small("active", fd, 100, only_roots)
        assert (found.data, bool(found.error)) == ((b"secret", False) if readable else (None, True))
        if readable:
            assert read_end("active", fd, 3, only_roots) == b"ret"
        else:
            assert "only root may read it" in found.error
            with pytest.raises(OSError, match="only root may read it"):
                read_end("active", fd, 3, only_roots)
    finally:
        os.close(fd)
