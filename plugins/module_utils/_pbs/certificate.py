# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate of PBS's web server (`proxy.pem`): its fingerprint, by which other servers know it, and its end.

The standard library of Python reads no certificates from a text; this reads only the few fields of X.509 on the way to the
validity (RFC 5280, 4.1).
"""

from __future__ import annotations

import binascii
import dataclasses
import datetime
import hashlib
import re

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


class CertificateError(CollectionError, ValueError):
    """The bytes are no certificate in PEM."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    fingerprint: str
    """SHA-256 of the certificate as in `remote.cfg`: pairs of hex digits with colons."""
    not_after: int
    """Seconds since the epoch."""


def parse_certificate(data: bytes) -> Certificate:
    """The first certificate of a PEM file, which is that of the server. Raises `CertificateError`."""
    match = _PEM.search(data)
    if match is None:
        raise CertificateError("there is no certificate in PEM")
    try:
        der = binascii.a2b_base64(match.group(1))
        digest = hashlib.sha256(der).hexdigest()
        end = _not_after(der)
    except (ValueError, IndexError, OverflowError):
        raise CertificateError("it is no valid certificate") from None
    return Certificate(":".join(digest[at : at + 2] for at in range(0, len(digest), 2)), end)


def _not_after(der: bytes) -> int:
    _tag, body, _after = _element(der, 0)
    _tag, signed, _after = _element(body, 0)
    at = 0
    tag, _content, after = _element(signed, at)
    if tag == _VERSION:
        at = after
    for _field in ("serial number", "signature algorithm", "issuer"):
        _tag, _content, at = _element(signed, at)
    tag, validity, _after = _element(signed, at)
    if tag != _SEQUENCE:
        raise ValueError("the validity is missing")
    _tag, _begin, at = _element(validity, 0)
    tag, end, _after = _element(validity, at)
    text = end.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of the year: 50 to 99 are of the last century (RFC 5280, 4.1.2.5.1).
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the end is no time")
    moment = datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp())


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag and content of the DER element at a position, and the position after it."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise ValueError("the length is wrong")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise ValueError("it is cut off")
    return tag, data[at : at + length], at + length
