# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification: reads snapshots and their chunks, renames damaged chunks, and notes the outcome in the manifest."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from . import formats, listing, rules
from .tasks import Log, TaskFailure


class Verification:
    """One run on the store at `base`; runs as whoever may read chunks and rename them. failed: the snapshots, as logged.

    corrupt: digests of chunks that were found damaged or missing, each once in a run.
    """

    def __init__(
        self, base: str | os.PathLike[str], *, name: str = "tank", upid: str = "", log: Log | None = None
    ) -> None:
        self.base = os.fspath(base)
        self.name = name
        self.upid = upid
        self.log = log or Log()
        self.failed: list[str] = []
        self.corrupt: set[str] = set()
        self._verified: set[str] = set()

    def run(self) -> None:
        """TaskFailure: a snapshot did not pass."""
        self.log.info(f"verify datastore {self.name}")
        found = [
            (names, group) for names in listing.namespaces(self.base) for group in listing.groups(self.base, names)
        ]
        self.log.info(f"found {len(found)} groups")
        self.log.info("using 1 read and 4 verify thread(s)")
        for namespace, group in found:
            snapshots = listing.snapshots(self.base, namespace, group)
            self.log.info(f"verify group {self.name}:{group} ({len(snapshots)} snapshots)")
            for snapshot in snapshots:
                if not self._verify(snapshot):
                    self.failed.append("/".join(filter(None, [rules.namespace_path(namespace), snapshot.shown])))
        if self.failed:
            self.log.info("Failed to verify the following snapshots/groups:")
            for name in self.failed:
                self.log.info(f"\t{name}")
            raise TaskFailure("verification failed - please check the log for details")

    def _verify(self, snapshot: listing.Snapshot) -> bool:
        head = f"verify {self.name}:{snapshot.shown}"
        path = snapshot.path + "/index.json.blob"
        try:
            with open(path, "rb") as file:
                manifest = json.loads(formats.read_blob(file.read()).data or b"")
        except OSError as error:
            problem = f"unable to load blob '\"{path}\"' - {rules.library_error(error)}"
            self.log.info(f"{head} - manifest load error: {problem}")
            return False
        except (formats.Damaged, ValueError) as error:
            self.log.info(f"{head} - manifest load error: unable to load blob '\"{path}\"' - {error}")
            return False
        self.log.info(head)
        passed = True
        for listed in manifest["files"]:
            self.log.info(f"  check {listed['filename']}")
            try:
                good = self._verify_file(snapshot.path, listed)
            except (formats.Damaged, OSError) as error:
                self.log.info(f"{head}/{listed['filename']} failed: {error}")
                good = False
            passed = passed and good
        self._note(path, manifest, passed)
        return passed

    def _verify_file(self, directory: str, listed: dict[str, Any]) -> bool:
        name = listed["filename"]
        with open(f"{directory}/{name}", "rb") as file:
            content = file.read()
        if not rules.is_index(name):
            formats.read_blob(content)
            _compare(listed, len(content), hashlib.sha256(content).hexdigest())
            return True
        index = formats.read_index(name, content)
        _compare(listed, index.size, index.checksum)
        # Every chunk is looked at, also after the first that is damaged.
        checked = [self._verify_chunk(digest, length) for digest, length in zip(index.digests, index.lengths)]
        return all(checked)

    def _verify_chunk(self, digest: str, length: int) -> bool:
        if digest in self._verified:
            return True
        if digest in self.corrupt:
            self.log.info(f"chunk {digest} was marked as corrupt")
            return False
        path = rules.chunk_path(self.base, digest)
        try:
            with open(path, "rb") as file:
                self._check_content(digest, length, file.read())
        except (OSError, formats.Damaged) as error:
            text = rules.library_error(error) if isinstance(error, OSError) else str(error)
            self.log.info(f"can't verify chunk, load failed - {text}")
            self.corrupt.add(digest)
            self._rename(path)
            return False
        self._verified.add(digest)
        return True

    def _check_content(self, digest: str, length: int, content: bytes) -> None:
        data = formats.read_blob(content).data
        if data is None:
            return  # encrypted: without the key there is nothing but the checksum
        if len(data) != length:
            raise formats.Damaged(f"wrong length ({len(data)} != {length})")
        if hashlib.sha256(data).hexdigest() != digest:
            raise formats.Damaged("wrong digest")

    def _rename(self, path: str) -> None:
        """To the first of `.0.bad` to `.9.bad` that is free: what could not be read counts as damaged, too."""
        for number in range(10):
            new = f"{path}.{number}.bad"
            if not os.path.lexists(new):
                try:
                    os.rename(path, new)
                except FileNotFoundError:
                    return
                self.log.info(f'corrupted chunk renamed to "{new}"')
                return

    def _note(self, path: str, manifest: dict[str, Any], passed: bool) -> None:
        manifest["unprotected"]["verify_state"] = {"state": "ok" if passed else "failed", "upid": self.upid}
        new = path + ".tmp_AbCdEf"
        with open(new, "wb") as file:
            file.write(formats.raw_frame_blob(json.dumps(manifest, indent=2).encode()))
        os.chmod(new, rules.FILE_MODE)
        if os.geteuid() == 0:
            os.chown(new, *rules.backup_ids())
        os.replace(new, path)


def _compare(listed: dict[str, Any], size: int, checksum: str) -> None:
    if listed["size"] != size:
        raise formats.Damaged(f"wrong size ({listed['size']} != {size})")
    if listed["csum"] != checksum:
        raise formats.Damaged("wrong index checksum")
