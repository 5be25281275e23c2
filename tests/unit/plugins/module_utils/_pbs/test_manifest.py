# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import blob
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.manifest import (
    CONTENT_LIMIT,
    FILES_LIMIT,
    Manifest,
    ManifestError,
    ManifestFile,
    VerifyState,
    parse_content,
    parse_manifest,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.store import blob as plain_blob

CSUM = "07102273d2a491ad877bfbb5afe417d2c346b3bd76592be0c0019a72e5dc28e9"
UPID = "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:verify:tank:root@pam:"
FILE = {"crypt-mode": "none", "csum": CSUM, "filename": "drive-scsi0.img.fidx", "size": 9388608}
TOP = {
    "backup-id": "100",
    "backup-time": 1735689600,
    "backup-type": "vm",
    "files": [FILE],
    "signature": None,
    "unprotected": {},
}


def with_(**changes):
    return json.dumps({**TOP, **{key.replace("_", "-"): value for key, value in changes.items()}}).encode()


def with_file(**changes):
    return with_(files=[{**FILE, **{key.replace("_", "-"): value for key, value in changes.items()}}])


def loose(**members):
    return parse_content(with_(unprotected=members))


def nested(depth, opening, closing):
    """`depth` lists or objects in each other, the manifest itself included."""
    inner = opening * (depth - 2) + "1" + closing * (depth - 2)
    return with_(unprotected={"x": 0}).replace(b'{"x": 0}', b'{"x": ' + inner.encode() + b"}")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"]}":', "}]")])
@pytest.mark.parametrize("depth", [128, 130, 500, 990, 1000, 5000])
def test_what_the_parser_of_pbs_does_not_go_down_to(depth, opening, closing):
    """serde_json gives up at 128 lists and objects in each other."""
    levels = depth if opening != '[{"]}":' else depth // 2 + 2
    with pytest.raises(ManifestError, match="nested 128 levels deep or deeper"):
        parse_content(nested(levels, opening, closing))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_as_deep_as_the_parser_of_pbs_goes(opening, closing):
    assert parse_content(nested(127, opening, closing)).id == "100"


def test_brackets_in_a_text_are_no_depth():
    assert loose(notes='[{\\"' * 1000).notes.startswith("[{")
    assert loose(notes="[" * 1000, other='"' * 1000).notes == "[" * 1000
    many = parse_content(with_(unprotected={"x": [[]] * 1000}))
    assert many.id == "100"


def test_a_text_without_an_end_takes_no_time():
    data = b"[" * 127 + b'"' + b'\\"' * 500_000
    with pytest.raises(ManifestError, match="not JSON"):
        parse_content(data)


def test_whole_characters_in_two_halves():
    assert parse_content(with_(unprotected={"notes": "\U0001f600 \\\\ud800 \\ud83d"})).notes
    assert b"\\ud83d" in with_(unprotected={"notes": "\U0001f600"})


def test_the_vector():
    content = json.dumps(TOP, indent=2, sort_keys=True).encode()
    assert hashlib.sha256(content).hexdigest() == "fdd4aa51cdef4cebdd4e8d169e881030961716cbaa13be50ee6813afa6cb8e66"
    data = plain_blob(content)
    assert hashlib.sha256(data).hexdigest() == "6c9833025d0854d356601fec244c4e6091787452498c839ba56416e4c915aa66"
    assert parse_manifest(data) == Manifest(
        "vm", "100", 1735689600, (ManifestFile("drive-scsi0.img.fidx", 9388608, CSUM, "none"),)
    )


def test_every_truncated_manifest_is_an_error():
    data = plain_blob(with_())
    for length in range(len(data)):
        with pytest.raises(blob.BlobError):
            parse_manifest(data[:length])
        with pytest.raises((blob.BlobError, ManifestError)):
            parse_manifest(plain_blob(data[12 : max(12, length)]))


def test_what_lies_unprotected():
    found = loose(
        verify_state={"state": "failed", "upid": UPID},
        chunk_upload_stats={"count": 3, "size": 12582912, "compressed_size": 477, "duplicates": 2, "other": 1},
        notes="weekly\nfull",
    )
    assert found.verify_state == VerifyState("failed", UPID, 1735689600)
    assert found.upload == {"count": 3, "size": 12582912, "compressed_size": 477, "duplicates": 2}
    assert found.notes == "weekly\\x0afull"


@pytest.mark.parametrize(
    "state",
    [
        None,
        "ok",
        {},
        {"state": "good", "upid": UPID},
        {"state": "ok"},
        {"upid": UPID},
        {"state": "ok", "upid": "UPID:pbs1"},
        [],
    ],
)
def test_a_verify_state_that_pbs_cannot_read_is_none(state):
    assert loose(verify_state=state).verify_state is None


@pytest.mark.parametrize("unprotected", [None, [], "x", 1])
def test_nothing_unprotected(unprotected):
    assert parse_content(with_(unprotected=unprotected)).verify_state is None


def test_a_signed_manifest():
    assert parse_content(with_(signature=CSUM)).signed
    assert not parse_content(with_()).signed


@pytest.mark.parametrize("mode", ["none", "encrypt", "sign-only"])
def test_crypt_modes(mode):
    assert parse_content(with_file(crypt_mode=mode)).files[0].crypt_mode == mode


def test_members_that_nobody_knows_are_left_alone():
    assert parse_content(with_(next_version=[1.5, {}])).id == "100"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested 128 levels deep"),
        (b'{"a":' * 100_000, "nested 128 levels deep"),
        (with_(files=None), "'files' is not a list"),
        (with_(files={}), "'files' is not a list"),
        (with_(files=["x"]), "an entry of 'files' is not an object"),
        (with_(files=[FILE] * (FILES_LIMIT + 1)), "more than 4096"),
        (with_(backup_type="qemu"), "an unknown 'backup-type'"),
        (with_(backup_time=2**63), "'backup-time' is missing or not a number"),
        (with_(backup_time=-(2**63) - 1), "'backup-time' is missing or not a number"),
        (with_file(size=1).replace(b'"size": 1', b'"size": -0'), "'size' is missing or not a number"),
        (with_(signature=7), "'signature' is not a text"),
        (with_(unprotected={"notes": "\ud800"}), "half a character"),
        (with_(unprotected={"\udc00\ud800": 1}), "half a character"),
        (with_(unprotected=[["\ud800x"]]), "half a character"),
        (with_(backup_type=1), "'backup-type'"),
        (with_(backup_id=None), "'backup-id'"),
        (with_(backup_time="now"), "'backup-time'"),
        (with_(backup_time=True), "'backup-time'"),
        (with_(backup_time=1e400), "not JSON: Infinity"),
        (with_file(filename=""), "not the name of a file"),
        (with_file(filename="../owner"), "not the name of a file"),
        (with_file(filename=".."), "not the name of a file"),
        (with_file(filename="a\0b"), "not the name of a file"),
        (with_file(filename="\ud800"), "half a character"),
        (with_file(size=-1), "'size'"),
        (with_file(size=2**64), "'size'"),
        (with_file(size=1.0), "'size'"),
        (with_file(csum="12"), "'csum'"),
        (with_file(csum=None), "'csum'"),
        (with_file(crypt_mode="rot13"), "'crypt-mode'"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:20].decode("latin-1"),
)
def test_what_is_no_manifest(content, says):
    with pytest.raises(ManifestError, match=says) as caught:
        parse_content(content)
    assert str(caught.value).isprintable()


def test_the_largest_sizes():
    assert parse_content(with_file(size=2**64 - 1)).files[0].size == 2**64 - 1


def test_a_number_without_end_takes_no_time():
    started = time.process_time()
    with pytest.raises(ManifestError, match="too large"):
        parse_content(b'{"x": ' + b"9" * (CONTENT_LIMIT - 100) + b"}")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("number", "reads"), [("9" * 30, True), ("-" + "9" * 300, True), ("9" * 400, False), ("1e400", False)]
)
def test_a_large_number_where_none_is_read(number, reads):
    content = with_file().replace(b'"unprotected"', b'"unread": %s, "unprotected"' % number.encode())
    assert number.encode() in content
    if reads:
        assert parse_content(content).files
    else:
        with pytest.raises(ManifestError, match="too large"):
            parse_content(content)


@pytest.mark.parametrize("size", [10**30, 1.5])
def test_a_size_that_64_bits_do_not_hold(size):
    with pytest.raises(ManifestError, match="'size'"):
        parse_content(with_file(size=size))


def test_a_manifest_is_not_read_beyond_the_limit():
    with pytest.raises(blob.TooLarge):
        parse_manifest(plain_blob(b" " * (CONTENT_LIMIT + 1)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from([*TOP, "x"]), json_values, max_size=4),
    st.dictionaries(st.sampled_from([*FILE]), json_values),
)
def test_any_members_make_a_manifest_or_an_error(top, file):
    content = json.dumps({**TOP, "files": [{**FILE, **file}], **top}).encode()
    try:
        found = parse_content(content)
    except ManifestError:
        return
    assert found.notes.isprintable()
    for entry in found.files:
        assert entry.filename.encode("utf-8")
        assert 0 <= entry.size < 2**64


@given(st.text(max_size=200).map(str.encode) | st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_an_error(content):
    with pytest.raises((ManifestError, blob.BlobError)):
        parse_manifest(plain_blob(content))
