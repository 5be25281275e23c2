# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notifications, values
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.notifications import (
    NOTIFICATION_SECRETS,
    NOTIFICATIONS,
    MatchField,
    Severities,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Schema, Section, parse
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.traffic_control import TRAFFIC_CONTROL

DATA = json.loads((pathlib.Path(__file__).parents[3] / "data" / "notification_recordings.json").read_text())
SCHEMAS = (TRAFFIC_CONTROL, NOTIFICATIONS, NOTIFICATION_SECRETS)
FILES = [
    (schema, files[place])
    for files in DATA["configurations"]
    for place, schema in enumerate(SCHEMAS)
    # A creation keeps the spaces around a comment until the next change.
    if "comment  c " not in files[place]
]


def written(sections: list[Section]) -> str:
    def lines(section: Section) -> str:
        return "".join(f"\t{key} {value}\n" for key in section.properties for value in section.texts(key))

    return "\n".join(f"{section.type}: {section.id}\n{lines(section)}" for section in sections)


@pytest.mark.parametrize(("schema", "text"), FILES)
def test_what_pbs_wrote_is_read_and_written_back(schema: Schema, text: str) -> None:
    assert written(parse(text.encode(), schema)) == text


def test_every_recorded_type_is_read() -> None:
    found = {section.type for schema, text in FILES for section in parse(text.encode(), schema)}
    assert found == {"rule", "gotify", "sendmail", "smtp", "webhook", "matcher"}


# --- times, networks, fields, severities ---


@pytest.mark.parametrize(
    "text", ["8-17", "mon..fri 8-17", "sat 10:00-12:30", "sat,sun 10:00 - 12:30", "mon..wed,fri 0-23:59", "8:00-8:00"]
)
def test_times_of_a_day(text: str) -> None:
    assert values.DailyDuration().read(text) == text


@pytest.mark.parametrize(
    "text", ["", "foo", "8", "17-8", "8-24", "8:60-9", "mon", "mon 8", "8-17 ", "*-* 8-17", "-8-17"]
)
def test_what_is_no_time_of_a_day(text: str) -> None:
    with pytest.raises(ValueError, match="times of a day"):
        values.DailyDuration().read(text)


@pytest.mark.parametrize("text", ["192.0.2.0/24", "192.0.2.1/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"])
def test_networks(text: str) -> None:
    assert values.Network().read(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "300.0.0.0/8",
        "192.0.2.1",
        "192.0.2.0/33",
        "2001:db8::/129",
        "192.0.2.0/24,198.51.100.0/24",
        "",
        "/",
        "a/8",
        "192.0.2.0/-1",
    ],
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="a network such as"):
        values.Network().read(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("exact:type=gc", "exact:type=gc"),
        ("exact:type=gc, prune", "exact:type=gc,prune"),
        ("regex:hostname=^a.*$", "regex:hostname=^a.*$"),
        # What only PBS's regular expressions know.
        (r"regex:hostname=^\p{L}+$", r"regex:hostname=^\p{L}+$"),
    ],
)
def test_fields(text: str, read: str) -> None:
    assert MatchField().read(text) == read


@pytest.mark.parametrize(
    "text", ["foo", "type=gc", "exact:type", "exact:'x=1", "regex:type=(", "regex:type=[a", "regex:type=(?=a)b"]
)
def test_what_is_no_field(text: str) -> None:
    with pytest.raises(ValueError, match="exact:FIELD=VALUE"):
        MatchField().read(text)


def test_severities() -> None:
    assert Severities().read("error, warning") == "error,warning"
    with pytest.raises(ValueError, match="one or more of info"):
        Severities().read("bogus")


# --- headers and secrets ---


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True), st.text(max_size=50)))
def test_headers_are_read_back(headers: dict[str, str]) -> None:
    lines = [notifications.named_value(name, value) for name, value in headers.items()]
    assert notifications.named_values(lines) == headers
    for line in lines:
        notifications.NamedValue().read(line)


def test_values_that_are_not_base64() -> None:
    assert notifications.named_values(["name=a,value=notbase64!", "name=b", "nonsense"]) == {"a": None, "b": None}


# --- what is built in ---


def test_what_pbs_brings() -> None:
    fresh = notifications.with_builtin({})
    assert sorted(fresh) == ["default-matcher", "mail-to-root"]
    # The first change of anything writes them into the file, word by word.
    after = {section.id: section for section in parse(DATA["configurations"][-1][1].encode(), NOTIFICATIONS)}
    assert notifications.is_as_shipped(after["mail-to-root"])
    # The last recorded command disabled it.
    assert not notifications.is_as_shipped(after["default-matcher"])
    assert notifications.with_builtin(after) == after
