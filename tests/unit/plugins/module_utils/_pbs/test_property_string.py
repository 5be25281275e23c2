# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import (
    BACKEND,
    MAINTENANCE,
    NOTIFY,
    THRESHOLDS,
    TUNING,
    PropertyStringError,
    Schema,
    compare_equal,
    parse,
    parse_bool,
    parse_typed,
    percent_decoded,
    render,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Bytes

SCHEMAS = [TUNING, NOTIFY, MAINTENANCE, BACKEND, THRESHOLDS]

# --- text and its parts ---


@pytest.mark.parametrize(
    ("text", "default_key", "parsed"),
    [
        ("", None, {}),
        ("a=1", None, {"a": "1"}),
        ("a=1,b=2", None, {"a": "1", "b": "2"}),
        ("a=", None, {"a": ""}),
        ("a=1,", None, {"a": "1"}),
        ("a=b=c", None, {"a": "b=c"}),
        (" a= 1 ", None, {" a": " 1 "}),
        ("x", "k", {"k": "x"}),
        ("x,a=1", "k", {"k": "x", "a": "1"}),
        ("a=1,x", "k", {"a": "1", "k": "x"}),
        ('"with = and ,",a=1', "k", {"k": "with = and ,", "a": "1"}),
        (r'a="q \" b \\ n \n"', None, {"a": 'q " b \\ n \n'}),
        ('a="",b=1', None, {"a": "", "b": "1"}),
        ('a=x"y"', None, {"a": 'x"y"'}),
    ],
)
def test_parse(text: str, default_key: str | None, parsed: dict[str, str]) -> None:
    assert parse(text, default_key) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "'x' at character 1 has no key"),
        ("a=1,x", "'x' at character 5 has no key"),
        (",", "'' at character 1 has no key"),
        ("a=1,a=2", "'a' at character 5 is repeated"),
        ('a="x', "the quote at character 3 is never closed"),
        ('a="x\\', "the quote at character 3 is never closed"),
        ('a="x"y', "a comma is missing after the quoted value, at character 6"),
        (r'a="\t"', r"'\\t' at character 4 is not a valid escape"),
        ("\x1b[31m", r"'\\x1b\[31m' at character 1 has no key"),
    ],
)
def test_an_error_is_reported_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PropertyStringError, match=message):
        parse(text)


def test_a_default_key_counts_for_being_there_twice() -> None:
    with pytest.raises(PropertyStringError, match="'type' at character 9 is repeated"):
        parse("offline,type=read-only", "type")


@pytest.mark.parametrize(
    ("values", "default_key", "order", "text"),
    [
        ({}, None, None, ""),
        ({"b": 1, "a": True, "c": "x"}, None, None, "a=true,b=1,c=x"),
        ({"b": 1, "a": False, "c": None}, None, ["b", "a"], "b=1,a=false"),
        ({"message": "a, b", "type": "offline"}, "type", None, 'offline,message="a, b"'),
        ({"type": "a=b"}, "type", None, "type=a=b"),
        ({"type": ""}, "type", None, "type="),
        ({"m": '"q" \\'}, None, None, r'm="\"q\" \\"'),
        ({"m": 'q" \\'}, None, None, 'm=q" \\'),
        ({"m": "a\nb"}, None, None, r'm="a\nb"'),
    ],
)
def test_render(values: dict[str, object], default_key: str | None, order: list[str] | None, text: str) -> None:
    assert render(values, default_key, order) == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"": "x"}, "'' cannot be a key"),
        ({"a,b": "x"}, "'a,b' cannot be a key"),
        ({"a=b": "x"}, "'a=b' cannot be a key"),
        ({" a": "x"}, "' a' cannot be a key"),
        ({"a": "x\x00"}, "control character"),
        ({"a": "x\r"}, "control character"),
        ({"a": 1.5}, "'a': a float cannot be a value"),
        ({"a": ["x"]}, "'a': a list cannot be a value"),
    ],
)
def test_what_cannot_be_rendered(values: dict[str, object], message: str) -> None:
    with pytest.raises(PropertyStringError, match=message):
        render(values)


KEYS = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs"))) | st.text(alphabet='a",\\=\n %')


@given(st.dictionaries(KEYS, TEXTS), st.none() | KEYS, st.lists(KEYS))
@example({"k": '"'}, None, [])
@example({"k": ""}, "k", [])
def test_what_is_rendered_is_read_back(values: dict[str, str], default_key: str | None, order: list[str]) -> None:
    text = render(values, default_key, order)
    assert parse(text, default_key) == values
    assert "\n" not in text
    assert render(dict(reversed(values.items())), default_key, order) == text


GARBAGE = st.text() | st.text(alphabet='ab=,"\\n\x00\x1b\n\r\t\x7f1')


def refusal(function: Callable[..., Any], *args: Any) -> str:
    """The message with which a text is refused; empty where it is not. Any other exception is the test's failure."""
    try:
        function(*args)
    except PropertyStringError as error:
        return str(error) or "no message"
    return ""


@given(GARBAGE, st.none() | st.text(max_size=3))
def test_garbage_is_parsed_or_refused(text: str, default_key: str | None) -> None:
    assert refusal(parse, text, default_key).isprintable()


@given(GARBAGE | st.builds("{}={}".format, st.sampled_from(sorted({*TUNING.keys, *BACKEND.keys})), GARBAGE))
def test_garbage_is_typed_or_refused(text: str) -> None:
    for schema in SCHEMAS:
        notes: list[str] = []
        assert refusal(parse_typed, text, schema).isprintable()
        assert refusal(parse_typed, text, schema, notes).isprintable()
        assert refusal(property_string.check_stored, text, schema).isprintable()
        assert all(note.isprintable() for note in notes)
        assert compare_equal(text, text, schema)


# --- booleans, percent signs ---


@pytest.mark.parametrize("text", ["1", "on", "yes", "true", "ON", "Yes", "TRUE"])
def test_true(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "off", "no", "false", "OFF", "No", "FALSE"])
def test_false(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "2", "maybe", " true", "tru", "y"])
def test_no_boolean(text: str) -> None:
    with pytest.raises(
        PropertyStringError, match="is not a boolean; allowed: 1, on, yes or true, or 0, off, no or false"
    ):
        parse_bool(text)


@pytest.mark.parametrize(("message", "shown"), [("50%25", "50%"), ("%zz", "%zz"), ("%ff", ""), ("%C3%A4", "ä")])
def test_percent_signs(message: str, shown: str) -> None:
    assert percent_decoded(message) == shown


# --- what the keys mean ---


@pytest.mark.parametrize(
    ("text", "schema", "values"),
    [
        ("chunk-order=none,sync-level=filesystem", TUNING, {"chunk-order": "none", "sync-level": "filesystem"}),
        ("gc-atime-safety-check=off", TUNING, {"gc-atime-safety-check": False}),
        ("gc-atime-safety-check=0", TUNING, {"gc-atime-safety-check": False}),
        ("gc-atime-safety-check=No", TUNING, {"gc-atime-safety-check": False}),
        ("gc-atime-safety-check=FALSE", TUNING, {"gc-atime-safety-check": False}),
        ("gc-atime-cutoff=1445", TUNING, {"gc-atime-cutoff": 1445}),
        ("gc-cache-capacity=8388608", TUNING, {"gc-cache-capacity": 8388608}),
        ("default-verification-workers=32", TUNING, {"default-verification-workers": 32}),
        ("", TUNING, {}),
        ("read-only", MAINTENANCE, {"type": "read-only"}),
        ('type=offline,message="a, b \\"c\\""', MAINTENANCE, {"type": "offline", "message": 'a, b "c"'}),
        ("s3,client=ep1,bucket=bkt", BACKEND, {"type": "s3", "client": "ep1", "bucket": "bkt"}),
        ("max-cache-size=64GiB,type=s3,client=ep1,bucket=bkt", BACKEND, {"max-cache-size": Bytes(64 << 30, "64GiB")}),
        ("", BACKEND, {}),
        ("gc=error,verify=always", NOTIFY, {"gc": "error", "verify": "always"}),
        ("s3-get=100,s3-upload=1GB", THRESHOLDS, {"s3-get": 100, "s3-upload": Bytes(1_000_000_000, "1GB")}),
    ],
)
def test_typed(text: str, schema: Schema, values: dict[str, Any]) -> None:
    parsed = parse_typed(text, schema)
    assert {key: parsed[key] for key in values} == values
    assert all(type(parsed[key]) is type(value) for key, value in values.items())


@pytest.mark.parametrize(
    ("text", "schema", "message"),
    [
        ("gc-atime-cutoff=0", TUNING, "gc-atime-cutoff is '0'; allowed: a whole number from 1 to 2880"),
        ("gc-atime-cutoff=2881", TUNING, "gc-atime-cutoff is '2881'; allowed: a whole number from 1 to 2880"),
        ("gc-cache-capacity=8388609", TUNING, "allowed: a whole number from 0 to 8388608"),
        ("chunk-order=Inode", TUNING, "chunk-order is 'Inode'; allowed: none or inode"),
        ("sync-level=sometimes", TUNING, "sync-level is 'sometimes'; allowed: none, file or filesystem"),
        ("gc-atime-cutoff=abc", TUNING, "gc-atime-cutoff is 'abc'"),
        ("gc-atime-cutoff=1441, sync-level=none", TUNING, "tuning has no key ' sync-level'; it has chunk-order, "),
        ("foo=1", TUNING, "tuning has no key 'foo'"),
        ("none", TUNING, "'none' at character 1 has no key"),
        ("message=x", MAINTENANCE, "maintenance-mode: type is missing"),
        ("", MAINTENANCE, "maintenance-mode: type is missing"),
        ("type=bogus", MAINTENANCE, "type is 'bogus'; allowed: read-only, offline, "),
        ("offline,message=" + "x" * 65, MAINTENANCE, "at most 64 characters"),
        (r'offline,message="a\nb"', MAINTENANCE, "one line"),
        ("s3,bucket=bkt", BACKEND, "missing option client"),
        ("s3,client=ep1", BACKEND, "missing option bucket"),
        ("filesystem,bucket=x", BACKEND, "bucket is 'x'"),
        ("filesystem,bucket=bkt", BACKEND, "type filesystem allows no option bucket"),
        ("max-cache-size=1G", BACKEND, "type filesystem allows no option max-cache-size"),
        ("swift", BACKEND, "type is 'swift'; allowed: filesystem or s3"),
    ],
)
def test_what_is_not_allowed_is_named(text: str, schema: Schema, message: str) -> None:
    with pytest.raises(PropertyStringError) as error:
        parse_typed(text, schema)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("gc-atime-cutoff=5", True),
        ("gc-atime-safety-check=0,gc-atime-cutoff=2880,chunk-order=inode,sync-level=file", True),
        ("gc-atime-cutoff=1441, sync-level=none", False),
        ("gc-atime-safety-check=true", True),
        ("gc-atime-safety-check=yes", True),
        ("bogus=1", False),
        ("gc-atime-cutoff=abc", False),
        ("gc-atime-cutoff=0", False),
        ("gc-atime-cutoff=2881", False),
        ("sync-level=sometimes", True),
        ("", True),
        ("gc-atime-cutoff=10,gc-atime-cutoff=20", False),
    ],
)
def test_what_pbs_4_2_let_into_the_file(text: str, accepted: bool) -> None:
    """As PBS 4.2.0 answered `datastore update --tuning`."""
    if accepted:
        property_string.check_stored(text, TUNING)
    else:
        with pytest.raises(PropertyStringError):
            property_string.check_stored(text, TUNING)


def test_what_a_newer_pbs_may_know_is_kept_and_said() -> None:
    notes: list[str] = []
    parsed = parse_typed("gc-atime-cutoff=9999,sync-level=ever,new-key=x,chunk-order=none", TUNING, notes)
    assert parsed == {"gc-atime-cutoff": "9999", "sync-level": "ever", "new-key": "x", "chunk-order": "none"}
    assert [note.split(";")[0] for note in notes] == [
        "tuning: gc-atime-cutoff is '9999'",
        "tuning: sync-level is 'ever'",
        "tuning has no key 'new-key'",
    ]


def test_what_is_no_property_string_is_so_in_every_version() -> None:
    with pytest.raises(PropertyStringError, match="is repeated"):
        parse_typed("new-key=1,new-key=2", TUNING, [])


# --- comparing ---


@pytest.mark.parametrize(
    ("a", "b", "schema"),
    [
        ("chunk-order=none,sync-level=filesystem", "sync-level=filesystem,chunk-order=none", TUNING),
        ("gc-atime-safety-check=off", "gc-atime-safety-check=No", TUNING),
        ("gc-atime-cutoff=1445", {"gc-atime-cutoff": 1445}, TUNING),
        ({"gc-atime-safety-check": False}, "gc-atime-safety-check=0", TUNING),
        ({"gc-atime-cutoff": "60"}, {"gc-atime-cutoff": 60, "chunk-order": None}, TUNING),
        ("read-only", "type=read-only", MAINTENANCE),
        ("offline,message=x", 'message="x",type=offline', MAINTENANCE),
        (None, "", TUNING),
        (None, {}, MAINTENANCE),
        (
            "s3,client=ep1,bucket=bkt,max-cache-size=1GiB",
            "client=ep1,bucket=bkt,max-cache-size=1024MiB,type=s3",
            BACKEND,
        ),
        ("sync-level=sometimes", "sync-level=sometimes", TUNING),
    ],
)
def test_equal(a: Any, b: Any, schema: Schema) -> None:
    assert compare_equal(a, b, schema)
    assert compare_equal(b, a, schema)


@pytest.mark.parametrize(
    ("a", "b", "schema"),
    [
        ("gc-atime-cutoff=1445", None, TUNING),
        ("gc-atime-cutoff=1445", "", TUNING),
        ("sync-level=file", "sync-level=none", TUNING),
        ("sync-level=sometimes", "sync-level=none", TUNING),
        ("sync-level=sometimes", None, TUNING),
        ("offline,message=X", "offline,message=x", MAINTENANCE),
        ("offline", None, MAINTENANCE),
        ("a", None, TUNING),
        ({"gc-atime-cutoff": 1.5}, None, TUNING),
    ],
)
def test_not_equal(a: Any, b: Any, schema: Schema) -> None:
    assert not compare_equal(a, b, schema)
    assert not compare_equal(b, a, schema)


def test_a_default_said_aloud_is_equal_in_effect() -> None:
    assert compare_equal("gc-atime-cutoff=1445", None, TUNING, in_effect=True)
    assert compare_equal("gc-atime-safety-check=yes,sync-level=filesystem", "chunk-order=inode", TUNING, in_effect=True)
    assert not compare_equal("gc-atime-cutoff=1446", None, TUNING, in_effect=True)
