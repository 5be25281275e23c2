# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("1024B", 1024),
        ("64GB", 64_000_000_000),
        ("64g", 64_000_000_000),
        ("64GiB", 64 << 30),
        ("1.5 MiB", 1_572_864),
        ("2Pib", 2 << 50),
        ("1e3k", 1_000_000),
    ],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert values.Size().read(text) == size


@pytest.mark.parametrize("text", ["", "-1", "B", "GiB", "64 GB extra", "64iB", "1e400", "nan", "inf", "1" * 65, "1\n"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        values.Size().read(text)


@pytest.mark.parametrize("text", ["", " 5", "5 ", "5_0", "\u0665", "0x5", "5.0", "1" * 30, "9223372036854775808"])
def test_what_is_no_integer(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number"):
        values.Integer().read(text)


@pytest.mark.parametrize("name", ["ab", "a" * 33, ".abc", "-abc", "a/b", "../etc", "a b", "abc\n", "äbc", ""])
def test_what_cannot_be_a_datastore(name: str) -> None:
    with pytest.raises(ValueError, match="3 to 32 letters"):
        values.DATASTORE_NAME.read(name)


@pytest.mark.parametrize("namespace", ["", "a", "a/b/c/d/e/f/g"])
def test_namespaces(namespace: str) -> None:
    assert values.NAMESPACE.read(namespace) == namespace


@pytest.mark.parametrize("namespace", ["/", "a/", "a//b", "a/b/c/d/e/f/g/h", "a/" + "b" * 256])
def test_what_is_no_namespace(namespace: str) -> None:
    with pytest.raises(ValueError, match="up to 7 names"):
        values.NAMESPACE.read(namespace)


@given(st.text(max_size=200))
def test_what_is_shown_fits_into_a_line(text: str) -> None:
    shown = values.shown(text)
    assert shown.isprintable()
    assert len(shown) <= 66


@pytest.mark.parametrize(("text", "number"), [("10MB", 10_000_000), ("1.5 MiB", 1572864), ("1024", 1024)])
def test_a_size_keeps_its_spelling(text: str, number: int) -> None:
    size = values.Size().read(text)
    assert (size, str(size), f"{size}") == (number, text, text)


@pytest.mark.parametrize(
    "host", ["localhost", "pbs2.example.org", "192.0.2.7", "2001:db8::1", "[2001:db8::1]", "a-b.c"]
)
def test_hosts(host: str) -> None:
    assert values.HOST.read(host) == host


@pytest.mark.parametrize(
    "host", ["", "bad host!", "https://localhost", "localhost:8007", "-a", "a..b", "a.", "{{bucket}}.s3", "a" * 257]
)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(ValueError, match="a DNS name or an IP address"):
        values.HOST.read(host)


@pytest.mark.parametrize("endpoint", ["{{bucket}}.s3.{{region}}.example.org", "s3.{{region}}.example.org", "10.1.2.3"])
def test_s3_endpoints(endpoint: str) -> None:
    assert values.S3_ENDPOINT.read(endpoint) == endpoint


@pytest.mark.parametrize("endpoint", ["", "https://localhost", "{{key}}.example.org", "{bucket}.example.org"])
def test_what_is_no_s3_endpoint(endpoint: str) -> None:
    with pytest.raises(ValueError, match="without scheme and port"):
        values.S3_ENDPOINT.read(endpoint)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("type:host", "type:host"),
        ("group:vm/100", "group:vm/100"),
        ("exclude:regex:^host/h2$", "exclude:regex:^host/h2$"),
        ("include:type:ct", "type:ct"),
        ("regex:a:b", "regex:a:b"),
    ],
)
def test_group_filters(text: str, means: str) -> None:
    assert values.GroupFilter().read(text) == means


@pytest.mark.parametrize(
    "text",
    ["", "foo:bar", "type:lxc", "type:", "group:vm", "group:vm/", "regex:", "exclude:", "exclude:exclude:type:vm"],
)
def test_what_is_no_group_filter(text: str) -> None:
    with pytest.raises(ValueError, match="type:vm, type:ct"):
        values.GroupFilter().read(text)


@pytest.mark.parametrize("text", ["sync@pbs", "sync@pbs!token", "b@pbs", "root@pam"])
def test_accounts(text: str) -> None:
    assert values.AUTH_ID.read(text) == text


@pytest.mark.parametrize("text", ["sync", "sync@", "@pbs", "sync@pbs!", "a/b@pbs", "sync@pbs!a!b"])
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(ValueError, match="a token such as"):
        values.AUTH_ID.read(text)
