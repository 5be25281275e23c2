# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a snapshot, `index.json.blob`: which files belong to it, with sizes and checksums, and how it fared.

The blob holds one JSON object. What a user or a job may change later lies in `unprotected`: notes, the result of the
last verify, what the upload counted. Whether a snapshot is protected says the file `.protected` beside the manifest.
Source: PBS, `manifest.rs`; `pbs-api-types`, `BackupManifest` and `SnapshotVerifyState`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.blob import decode
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import BACKUP_TYPES
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

NAME = "index.json.blob"
PROTECTED = ".protected"

CONTENT_LIMIT = 2 * 1024 * 1024
"""Bytes of JSON. PBS writes some hundred for each file of the snapshot, and notes of less than 512 KiB. What a hostile
file of that size makes of it takes about 50 MiB of memory."""
MAX_SIZE = CONTENT_LIMIT + 4096
"""Bytes of the file that are enough to read."""
FILES_LIMIT = 4096
"""Files that one snapshot may have here; PBS itself sets no limit, and a backup has less than a hundred."""

CRYPT_MODES = ("none", "encrypt", "sign-only")

DEPTH_LIMIT = 128
"""Lists and objects in each other at which PBS's parser (serde_json) gives up."""

_LARGEST = 2**64 - 1
_LAST_SECOND = 2**63 - 1
_DIGITS = 20  # of the largest
# A text without an end reaches to the end, so that this takes linear time.
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Brackets, and texts, in which these are none. One without an end goes up to the end: looking for another way to read it takes
quadratic time."""
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_HEX = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_NOTES = 2000
_SHOWN = 200
_LONGEST_NUMBER = 4096


class ManifestError(CollectionError, ValueError):
    """The content of the blob is not a manifest."""


class TooManyFiles(ManifestError):
    """PBS reads it, but it names more files than are looked at here."""


@dataclasses.dataclass(frozen=True)
class ManifestFile:
    """What a manifest says of one file beside it."""

    filename: str
    """As in the file system, not for showing: it may hold anything but a slash."""
    size: int
    """Bytes: of the backed up data for an index, of the file itself for a blob."""
    csum: str
    """In hex: the checksum of an index (SHA-256 of its entries), the SHA-256 of a blob's bytes."""
    crypt_mode: str


@dataclasses.dataclass(frozen=True)
class VerifyState:
    """The result of the last verify."""

    state: str
    """`ok` or `failed`."""
    upid: str
    """Of the task, fit for showing."""
    started: int
    """When that task began, in seconds since the epoch."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    type: str
    id: str
    time: int
    """Seconds since the epoch."""
    files: tuple[ManifestFile, ...]
    verify_state: t.Optional[VerifyState] = None
    """None where no verify has left a result that can be read; PBS verifies such a snapshot again, too."""
    upload: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    """`chunk_upload_stats`: what the upload counted, such as `count`, `size`, `compressed_size` and `duplicates`."""
    notes: str = ""
    """Fit for showing, and cut where it is long."""
    signed: bool = False


def parse_manifest(data: bytes) -> Manifest:
    """Read the file `index.json.blob`.

    Raises `_pbs.blob.BlobError` for what is wrong with the blob, and `ManifestError` for what is wrong in it.
    """
    return parse_content(decode(data, CONTENT_LIMIT))


def parse_content(content: bytes) -> Manifest:
    """Read the JSON inside of the blob. Raises `ManifestError`."""
    try:
        text = content.decode("utf-8")
        if _is_deep(text):
            raise _Wrong(f"it is nested {DEPTH_LIMIT} levels deep or deeper")
        if any(found["half"] for found in _ESCAPES.finditer(text)):
            raise _Wrong("a text in it holds half a character")
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_no_constant)
        return _manifest(value)
    except UnicodeDecodeError:
        raise ManifestError("it is not UTF-8") from None
    except ManifestError:
        raise
    except _Wrong as exc:
        raise ManifestError(str(exc)) from None
    except ValueError as exc:
        raise ManifestError(f"it is not JSON: {display(str(exc))[:_SHOWN]}") from None


class _Wrong(Exception):
    """The JSON does not have the form that PBS reads; internal, becomes a `ManifestError`."""


def _manifest(value: t.Any) -> Manifest:
    top = _object(value, "the manifest")
    files = top.get("files")
    if not isinstance(files, list):
        raise _Wrong("'files' is not a list")
    if len(files) > FILES_LIMIT:
        raise TooManyFiles(f"'files' has more than {FILES_LIMIT} entries")
    kind, signature = _text(top, "backup-type"), top.get("signature")
    if kind not in BACKUP_TYPES:
        raise _Wrong("an unknown 'backup-type'")
    if signature is not None and not isinstance(signature, str):
        raise _Wrong("'signature' is not a text")
    unprotected = top.get("unprotected")
    loose = unprotected if isinstance(unprotected, dict) else {}
    notes = loose.get("notes")
    return Manifest(
        type=kind,
        id=_text(top, "backup-id"),
        time=_number(top, "backup-time", -_LAST_SECOND - 1, _LAST_SECOND),
        files=tuple(_file(entry) for entry in files),
        verify_state=_verify(loose.get("verify_state")),
        upload=_upload(loose.get("chunk_upload_stats")),
        notes=_cut(display(notes)) if isinstance(notes, str) else "",
        signed=signature is not None,
    )


def _file(value: t.Any) -> ManifestFile:
    entry = _object(value, "an entry of 'files'")
    name = _text(entry, "filename")
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise _Wrong(f"{_cut(display(name))!r} is not the name of a file")
    csum = _text(entry, "csum")
    if not _HEX.fullmatch(csum):
        raise _Wrong("a 'csum' is not 64 hexadecimal digits")
    crypt_mode = entry.get("crypt-mode", "none")
    if crypt_mode not in CRYPT_MODES:
        raise _Wrong("an unknown 'crypt-mode'")
    return ManifestFile(name, _number(entry, "size"), csum.lower(), crypt_mode)


def _verify(value: t.Any) -> t.Optional[VerifyState]:
    """PBS takes what it cannot read here for a snapshot that was not verified."""
    if not isinstance(value, dict):
        return None
    state, upid = value.get("state"), value.get("upid")
    if state not in ("ok", "failed") or not isinstance(upid, str):
        return None
    task = parse_upid(upid)
    return None if task is None else VerifyState(state, _cut(display(upid)), task.start)


def _upload(value: t.Any) -> t.Mapping[str, int]:
    if not isinstance(value, dict):
        return {}
    return {
        key: number
        for key, number in value.items()
        if key in ("count", "size", "compressed_size", "duplicates", "known_chunks")
        and isinstance(number, int)
        and not isinstance(number, bool)
        and 0 <= number <= _LARGEST
    }


def _object(value: t.Any, what: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{what} is not an object")
    return value


def _text(owner: t.Mapping[str, t.Any], key: str) -> str:
    value = owner.get(key)
    if not isinstance(value, str):
        raise _Wrong(f"'{key}' is missing or not a text")
    return value


def _number(owner: t.Mapping[str, t.Any], key: str, least: int = 0, most: int = _LARGEST) -> int:
    value = owner.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _Wrong(f"'{key}' is missing or not a number of bytes or seconds")
    return value


def _is_deep(text: str) -> bool:
    """Whether lists and objects lie in each other as deep as PBS's parser refuses."""
    if text.count("[") + text.count("{") < DEPTH_LIMIT:
        return False
    depth = 0
    for found in _BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth >= DEPTH_LIMIT:
                return True
        elif found[0] in "]}":
            depth -= 1
    return False


def _cut(text: str) -> str:
    return text if len(text) <= _NOTES else text[: _NOTES - 1] + "…"


def _integer(text: str) -> t.Union[int, float]:
    """As PBS's parser: one that no 64 bits hold becomes a float, and so no size or time. Python, besides, takes quadratic
    time for a long one."""
    value = int(text) if len(text) <= _DIGITS + 1 else _LARGEST + 1
    return value if -_LAST_SECOND - 1 <= value <= _LARGEST and text != "-0" else _float(text)


def _float(text: str) -> float:
    """Nothing that is read is one; more digits than that are too many for any float."""
    value = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if math.isinf(value):
        raise _Wrong("it holds a number that is too large")
    return value


def _no_constant(name: str) -> t.NoReturn:
    raise _Wrong(f"it is not JSON: {name} is no number")
