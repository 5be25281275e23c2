# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprint and end of a certificate. The certificate was made with OpenSSL for this test, and its key was never kept."""

from __future__ import annotations

import base64
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.certificate import CertificateError, parse_certificate

PEM = b"""-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgICEjQwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAwwQcGJzMS5l
eGFtcGxlLmNvbTAeFw0yNjExMjkwODM4NDBaFw0zNjExMjYwODM4NDBaMBsxGTAX
BgNVBAMMEHBiczEuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATe5h1p+XBa+aMK0hH783tHpKGvhbx6//LrYuJ/iPPBwR4yurzvla5abqKhG9i1
feq5rUoxCSDM1xYNkf6YoO/Uo1MwUTAdBgNVHQ4EFgQU90HDWB8TJF7eQW42rW+1
ZKEJznIwHwYDVR0jBBgwFoAU90HDWB8TJF7eQW42rW+1ZKEJznIwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBFWEJUQkw8+Z02u1QpL92tHK1ZUymF
UdU1Cw3dltYSYgIgbfUneFkRFHIo9sN7aM84z4Q8n++8RFnR0aihesHp1gk=
-----END CERTIFICATE-----
"""
FINGERPRINT = "e5:97:fc:17:92:4b:94:7a:28:f9:52:9c:39:89:d2:e3:40:98:93:91:50:f5:19:44:c7:6f:d8:64:aa:8d:36:f0"


def test_fingerprint_and_end_as_openssl_prints_them():
    found = parse_certificate(PEM)
    assert found.fingerprint == FINGERPRINT
    end = datetime.datetime.fromtimestamp(found.not_after, datetime.timezone.utc)
    assert end.strftime("%b %d %H:%M:%S %Y") == "Nov 26 08:38:40 2036"


def test_the_first_of_a_chain_is_that_of_the_server():
    assert parse_certificate(b"text before\n" + PEM + PEM.replace(b"MIIBeDCC", b"MIIBeDCD")).fingerprint == FINGERPRINT


def test_years_of_two_and_of_four_digits():
    body = PEM.replace(b"\n", b"")
    der = base64.b64decode(body.partition(b"CERTIFICATE-----")[2].partition(b"-----END")[0])
    old = der.replace(b"361126083840Z", b"961126083840Z")
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(old) + b"\n-----END CERTIFICATE-----"
    assert datetime.datetime.fromtimestamp(parse_certificate(pem).not_after, datetime.timezone.utc).year == 1996


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMIIBeDCCAR+g\n-----END CERTIFICATE-----",
        PEM.replace(b"0zNjExMjYwODM4NDBa", b"0zNjEzMjYwODM4NDBa"),
    ],
)
def test_what_is_no_certificate(data):
    with pytest.raises(CertificateError):
        parse_certificate(data)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_certificate_or_an_error(data):
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(data) + b"\n-----END CERTIFICATE-----"
    with pytest.raises(CertificateError):
        parse_certificate(pem)
