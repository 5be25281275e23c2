# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on the controller."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
import urllib.parse


def document_path(directory: str, host: str) -> str:
    """The path of a host's document; characters that are impossible or misleading in a file name are percent-encoded."""
    name = urllib.parse.quote(host, safe=" :@[]=,+~")
    return os.path.join(directory, ("%2E" + name[1:] if name.startswith(".") else name) + ".json")


def write_document(directory: str, document: t.Mapping[str, t.Any]) -> str:
    """Write a document, completely or not at all, and return its path. Raises `OSError`."""
    os.makedirs(directory, exist_ok=True)
    path = document_path(directory, document["host"])
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, sort_keys=True)
            file.write("\n")
        os.chmod(temporary, 0o640)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
