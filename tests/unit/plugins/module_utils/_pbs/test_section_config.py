# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import section_config
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import (
    DATASTORE,
    PRUNE,
    REMOTE,
    S3,
    SYNC,
    VERIFICATION,
    Schema,
    Section,
    SectionConfigError,
    digest,
    parse,
)

SCHEMAS = {
    "datastore.cfg": DATASTORE,
    "prune.cfg": PRUNE,
    "verification.cfg": VERIFICATION,
    "sync.cfg": SYNC,
    "remote.cfg": REMOTE,
    "s3.cfg": S3,
}
FILES = {
    "datastore.cfg": 69,
    "prune.cfg": 5,
    "verification.cfg": 2,
    "sync.cfg": 34,
    "remote.cfg": 11,
    "s3.cfg": 3,
}
"""How many different files were recorded."""
RECORDED = json.loads((pathlib.Path(__file__).parent / "data" / "recorded_configurations.json").read_text())

ONE = b"datastore: store1\n\tgc-schedule daily\n\tpath /backup/disk1/store1\n"
TWO = ONE + (
    b"\ndatastore: usb1\n\tbacking-device 0a1b2c3d-0000-4000-8000-000000000001\n\tpath backups/usb1\n"
    b"\ttuning gc-atime-cutoff=60,sync-level=file\n"
)


def written(sections: list[Section]) -> bytes:
    """The sections in the form in which PBS writes them."""
    blocks = [
        "".join(
            [
                f"{section.type}: {section.id}\n",
                *(f"\t{key} {value}\n" for key in section.properties for value in section.texts(key)),
            ]
        )
        for section in sections
    ]
    return "\n".join(blocks).encode()


def recorded(name: str) -> Iterator[bytes]:
    """Every file of this name that a PBS 4.2.0 or 4.2.3 wrote."""
    sections = RECORDED[name]["sections"]
    for numbers in RECORDED[name]["files"]:
        yield ("\n\n".join(sections[number] for number in numbers) + "\n" * bool(numbers)).encode()


# --- digests ---


@pytest.mark.parametrize(
    ("data", "length", "sha256"),
    [
        (b"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (ONE, 64, "9deb2bd2a49279a290a5aada49c49e9f016342949f8277502b71da82fa087982"),
        (TWO, 196, "e9e8007144e16e8168be02f51def68046504c2dd7f6224a21059b2af3342607d"),
    ],
)
def test_digest(data: bytes, length: int, sha256: str) -> None:
    assert len(data) == length
    assert digest(data) == sha256


def test_digests_that_pbs_told() -> None:
    digests = {digest(data) for data in recorded("datastore.cfg")}
    assert "97fea52cb52e7e53160545c59931ccde581d66592602284c3953411c1f3cd8b5" in digests
    assert "438ac68733e444c06c171d5ac823902542cb60d679016b636d9610ed38eedcc1" in digests


# --- files that PBS reads ---


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_what_pbs_wrote_is_read_and_written_back(name: str) -> None:
    files = list(recorded(name))
    assert len(files) == FILES[name]
    for data in files:
        sections = parse(data, SCHEMAS[name])
        again = parse(written(sections), SCHEMAS[name])
        assert [(section.id, section.properties) for section in again] == [
            (section.id, section.properties) for section in sections
        ]
        # Values are trimmed on reading, so that a comment with blanks around it is no byte-exact round trip.
        if b"padded  " not in data and b"comment  " not in data:
            assert written(sections) == data


def test_sections_in_their_order() -> None:
    store1, usb1 = parse(TWO, DATASTORE)
    assert (store1.type, store1.id, store1.line) == ("datastore", "store1", 1)
    assert store1.properties == {"gc-schedule": "daily", "path": "/backup/disk1/store1"}
    assert (usb1.id, usb1.line) == ("usb1", 5)
    assert usb1.text("tuning") == "gc-atime-cutoff=60,sync-level=file"
    assert usb1.text("comment") == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n \n\t\n",
        b"datastore: abc\n path /x",
        b"datastore:abc\n\t\tpath\t/x\n\n\n",
        b"datastore : abc \n\tpath  /x y  \n",
        b"datastore: abc\r\n\tpath /x\r\n\r\n",
        "datastore: abc\n\u00a0path /x\n".encode(),
        'datastore: abc\n\tpath /x\n\tcomment t\u00e4st: "q" #1\n'.encode(),
        b"datastore: abc\n\tpath /x\n\ttuning \n\tcomment \n",
        b"datastore: abc\n\tpath /x\n\ttuning sync-level=sometimes\n\tmaintenance-mode type=bogus\n\tnotify gc=ever\n",
        b"datastore: abc\n\tpath /x\n\tbackend s3,client=ep1,bucket=bkt,max-cache-size=64GiB\n",
        b"datastore: abc\n\tpath /x\n\tnotify-user root@pam\n\tnotification-mode legacy-sendmail\n\tverify-new yes\n",
        b"datastore: abc\n\tpath /x\n\tkeep-last 3\n\tprune-schedule daily\n\tcounter-reset-schedule monthly\n",
    ],
)
def test_what_pbs_reads(data: bytes) -> None:
    for section in parse(data, DATASTORE):
        assert section.id == "abc"
        assert section.text("path").startswith("/x")
        assert section.unknown == []


def test_the_later_of_two_sections_counts() -> None:
    sections = parse(
        b"datastore: abc\n\tpath /1\n\ndatastore: def\n\tpath /2\n\ndatastore: abc\n\tpath /3\n", DATASTORE
    )
    assert [(section.id, section.text("path"), section.line) for section in sections] == [
        ("def", "/2", 4),
        ("abc", "/3", 7),
    ]


def test_a_repeated_property_is_a_list_in_its_order() -> None:
    job, other = parse(
        b"sync: one\n\tgroup-filter type:vm\n\tremote-store a01\n\tstore b01\n\tgroup-filter exclude:regex:^vm/1$\n\n"
        b"sync: two\n\tremote-store a01\n\tstore b01\n\tassociated-key key1\n",
        SYNC,
    )
    assert job.properties["group-filter"] == job.texts("group-filter") == ["type:vm", "exclude:regex:^vm/1$"]
    assert job.text("group-filter") == "exclude:regex:^vm/1$"
    assert other.properties["associated-key"] == ["key1"]
    assert (other.texts("group-filter"), other.texts("store")) == ([], ["b01"])


def test_an_error_in_a_secret_does_not_show_it() -> None:
    data = b"s3-endpoint: aws\n\taccess-key k\n\tendpoint localhost\n\tsecret-key hush\x01hush\n"
    with pytest.raises(SectionConfigError) as caught:
        parse(data, S3)
    assert str(caught.value) == "line 4: secret-key is invalid; allowed: one line that is not empty"
    (section,) = parse(data, S3, strict=False)
    assert "hush" not in str(section.unknown)


# --- files that PBS does not read ---


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (
            b"# comment\n" + ONE,
            1,
            "expected a section header 'type: id'; PBS's files have no comments",
        ),
        (ONE + b"# comment\n", 4, "expected an indented 'key value' of section 'store1'"),
        (ONE + b"this is not valid\n", 4, "expected an indented 'key value'"),
        (ONE + b"\nthis is not valid\n", 5, "expected a section header"),
        (b"datastore: abc\n\tfoo bar\n\tpath /x\n", 2, "unknown property 'foo'"),
        (b"datastore: abc\n\tpath /x\n\tpath /x\n", 3, "property 'path' is repeated"),
        (b"datastore: abc\n\tcomment x\n", 1, "section 'abc' has no path"),
        (b"datastore: abc\n\ndatastore: def\n\tpath /x\n", 1, "section 'abc' has no path"),
        (b"datastore: ab\n\tpath /x\n", 1, "'ab' cannot be the name of a datastore; allowed: 3 to 32 letters"),
        (b"datastore: ../../etc\n\tpath /x\n", 1, "cannot be the name of a datastore"),
        (b"datastor: abc\n\tpath /x\n", 1, "unknown section type; known: datastore"),
        (b"datastore abc\n\tpath /x\n", 1, "expected a section header"),
        (b"\tpath /x\n", 1, "expected a section header"),
        (b"\xef\xbb\xbf" + ONE, 1, r"expected a section header 'type: id'"),
        (b"datastore: abc\n\tpath\n", 2, "expected an indented 'key value'"),
        (b"datastore: abc\n\tpath \n", 2, "path is ''; allowed: 1 to 4096 characters"),
        (b"datastore: abc\npath /x\n", 2, "expected an indented 'key value'"),
        (b"datastore: abc\n\tpath /x\n\tcomment \xe4\n", 3, "the byte 0xe4 is not UTF-8"),
        (b"datastore: abc\n\tpath /x\n\tcomment a\x1b[31mb\n", 3, r"comment is 'a\x1b[31mb'; allowed: one line"),
        (b"datastore: abc\n\tpath /x\n\tgc-schedule bogus\n", 3, "gc-schedule is 'bogus'; allowed: a calendar event"),
        (b"datastore: abc\n\tpath /x\n\tverify-new maybe\n", 3, "verify-new is 'maybe'; allowed: 1, on, yes or true"),
        (b"datastore: abc\n\tpath /x\n\ttuning gc-atime-cutoff=0\n", 3, "tuning: gc-atime-cutoff is '0'"),
        (b"datastore: abc\n\tpath /x\n\ttuning bogus=1\n", 3, "tuning has no key 'bogus'"),
        (b"datastore: abc\n\tpath /x\n\tnotification-mode foo\n", 3, "notification-mode is 'foo'"),
        (b"datastore: abc\n\tpath /x\n\tbacking-device ABCD-1234\n", 3, "backing-device is 'ABCD-1234'"),
        (b"datastore: abc\n\tpath /x\n\tbackend s3\n", 3, "missing option client"),
        (b"datastore: abc\n\tpath /x\n\tbackend swift\n", 3, "backend: type is 'swift'"),
        (b"datastore: abc\n\tpath /x\n\tkeep-last 0\n", 3, "keep-last is '0'; allowed: a whole number from 1"),
    ],
)
def test_what_pbs_does_not_read(data: bytes, line: int, message: str) -> None:
    with pytest.raises(SectionConfigError) as error:
        parse(data, DATASTORE)
    assert error.value.line == line
    assert message in error.value.message
    assert str(error.value) == f"line {line}: {error.value.message}"


@pytest.mark.parametrize(
    ("data", "schema", "message"),
    [
        (b"prune: abc\n\tstore abc\n", PRUNE, "section 'abc' has no schedule"),
        (b"prune: abc\n\tschedule daily\n", PRUNE, "section 'abc' has no store"),
        (b"prune: abc\n\tstore abc\n\tschedule daily\n\tmax-depth 8\n", PRUNE, "max-depth is '8'"),
        (b"verification: abc\n\tschedule daily\n", VERIFICATION, "section 'abc' has no store"),
        (b"verification: abc\n\tstore abc\n\tread-threads 33\n", VERIFICATION, "read-threads is '33'"),
    ],
)
def test_jobs_that_pbs_does_not_read(data: bytes, schema: Schema, message: str) -> None:
    with pytest.raises(SectionConfigError, match=message):
        parse(data, schema)


def test_a_long_line_is_not_repeated_whole() -> None:
    with pytest.raises(SectionConfigError) as error:
        parse(b"root:$6$" + b"x" * 5000, DATASTORE)
    assert len(str(error.value)) < 200


# --- what a newer PBS may have written ---


def test_tolerated_and_said() -> None:
    data = (
        b"datastore: abc\n\tpath /x\n\tnew-thing 1\n\tnew-thing 2\n\tgc-schedule at dawn\n\ttuning new-key=1\n"
        b"\nbucket: b1\n\tanything goes\n"
    )
    store, bucket = parse(data, DATASTORE, strict=False)
    assert store.properties["new-thing"] == ["1", "2"]
    assert store.text("new-thing") == "2"
    assert store.text("gc-schedule") == "at dawn"
    assert [note.split(";")[0] for note in store.unknown] == [
        "line 3: unknown property 'new-thing'",
        "line 4: unknown property 'new-thing'",
        "line 5: gc-schedule is 'at dawn'",
        "line 6: tuning has no key 'new-key'",
    ]
    assert (bucket.type, bucket.properties) == ("bucket", {"anything": "goes"})
    assert bucket.unknown == ["line 8: unknown section type; known: datastore"]


@pytest.mark.parametrize(
    "data",
    [
        b"# comment\n",
        b"datastore: abc\n\tcomment x\n",
        b"datastore: abc\n\tpath /x\n\tpath /y\n",
        b"datastore: a/../b\n\tpath /x\n",
        b"datastore: abc\n\tpath /x\ngarbage\n",
        b"datastore: abc\n\tpath \xff\n",
    ],
)
def test_garbage_is_an_error_in_every_version(data: bytes) -> None:
    with pytest.raises(SectionConfigError):
        parse(data, DATASTORE, strict=False)


# --- properties ---

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{2,31}", fullmatch=True)
COMMENTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=128)
SECTIONS = st.builds(
    lambda name, path, comment: Section("datastore", name, 0, {"comment": comment, "path": "/" + path}),
    NAMES,
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), max_size=100),
    COMMENTS,
)


@given(st.lists(SECTIONS, unique_by=lambda section: section.id))
def test_what_pbs_would_write_is_read(sections: list[Section]) -> None:
    assert [(section.id, section.properties) for section in parse(written(sections), DATASTORE)] == [
        (section.id, section.properties) for section in sections
    ]


PIECES = st.lists(
    st.sampled_from(
        [
            b"datastore: abc",
            b"prune: abc",
            b"\tpath /x",
            b"\ttuning a=",
            b'\tmaintenance-mode "',
            b"\tgc-schedule *:*/",
            b"\tbackend s3",
            b"\n",
            b":",
            b"\x00",
            b"\x1b[2J",
            b"\x85",
            b"\xc2\x85",
            b"\x1c",
            b"\r",
            b"\xff",
            b"#",
        ]
    )
).map(b"".join)


def read_or_refused(data: bytes, schema: Schema, strict: bool) -> tuple[list[str], int]:
    """The notes about the data, and the line of the error; any other exception is a failure of the test."""
    try:
        return [note for section in parse(data, schema, strict) for note in section.unknown], 1
    except SectionConfigError as error:
        return [str(error)], error.line


@given(st.binary() | PIECES | st.text().map(str.encode), st.sampled_from(list(SCHEMAS.values())), st.booleans())
def test_garbage_is_read_or_refused(data: bytes, schema: Schema, strict: bool) -> None:
    said, line = read_or_refused(data, schema, strict)
    assert all(message.isprintable() for message in said)
    assert 1 <= line <= data.count(b"\n") + 1


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (section_config.DATASTORE, "datastore: tank\n\tname other\n\tpath /tank\n"),
        (section_config.PRUNE, "prune: daily\n\tid other\n\tschedule daily\n\tstore tank\n"),
        (section_config.VERIFICATION, "verification: weekly\n\tid other\n\tstore tank\n"),
    ],
)
def test_the_name_of_a_section_may_be_repeated_in_it(schema, text):
    """PBS replaces the value by the name of the section."""
    (section,) = section_config.parse(text.encode(), schema)
    assert "other" not in section.properties.values()
    assert section.id == text.split()[1]


@pytest.mark.parametrize("lines", ["\tname other\n\tname other\n", "\tname /x\n"])
def test_the_repeated_name_must_be_one_valid_name(lines):
    with pytest.raises(section_config.SectionConfigError, match="name"):
        section_config.parse(f"datastore: tank\n{lines}\tpath /tank\n".encode(), section_config.DATASTORE)
