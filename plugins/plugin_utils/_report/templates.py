# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates of the reports that people read: HTML and Markdown, escaped by the engine and not by whoever writes one.

A variable that is not there is an error, never an empty place.
"""

from __future__ import annotations

import datetime
import functools
import os
import re
import typing as t
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import (
    documentation_of,
    told_as_problem_only,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import to_json
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Counts

DIRECTORY = os.path.dirname(os.path.abspath(__file__))

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$#@]|(?<=\w):(?=//)|(?<=www)\.")
_LIST = re.compile(r"^(\s*\d*)([-+=.)])")


def in_markdown(value: str) -> str:
    """The text, so that Markdown takes none of it for markup."""
    return _LIST.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", value))


def _markdown(value: t.Any) -> t.Any:
    """What the engine does with every value that it writes into Markdown."""
    return value if isinstance(value, (Markup, int, jinja2.Undefined)) else in_markdown(str(value))


def prose(text: str) -> Markup:
    """A text as HTML; `words in backticks` are code."""
    parts = text.split("`")
    marked = [
        Markup("<code>%s</code>") % part
        if number % 2 and number < len(parts) - 1
        else Markup("%s%s") % ("`" * (number % 2), part)
        for number, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def code_in_markdown(text: str, in_cell: bool = False) -> Markup:
    """A text as code. In the cell of a table a bar ends the cell, in code too."""
    line = " ".join(text.split("\n"))
    if not line.strip():
        return Markup(in_markdown(line))
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    if in_cell:
        line = line.replace("|", "\\|")
    return Markup(f"{fence}{space}{line}{space}{fence}")


def prose_in_markdown(text: str, in_cell: bool = False) -> Markup:
    """A text in which `words in backticks` are code and nothing else is markup."""
    parts = text.split("`")
    marked = [
        code_in_markdown(part, in_cell)
        if number % 2 and number < len(parts) - 1
        else in_markdown("`" * (number % 2) + part)
        for number, part in enumerate(parts)
    ]
    return Markup("".join(marked))


def many(number: int, word: str) -> str:
    """`1 host`, `2,000 hosts`."""
    return f"{format(number, ',')} {word if number == 1 else word + 's'}"


def _thousands(number: int) -> str:
    return format(number, ",")


def sentence(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def for_script(value: t.Any) -> Markup:
    """JSON for a script element: ASCII, and nothing in it ends the element or begins a comment."""
    text = to_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)


def in_address(text: str) -> str:
    """A text as a part of an address."""
    return quote(text, safe="")


def moment(time: str) -> str:
    """A time of a document as people read it."""
    return time[:19].replace("T", " ") + " UTC"


def minute(time: str) -> str:
    """A time of a document to the minute."""
    return time[:16].replace("T", " ") + " UTC"


def day(time: str) -> str:
    """The day of a time of a document."""
    return time[:10]


_FIRST_SECOND = -62135596800  # of the year 1
_LAST_SECOND = 253402300799  # of the year 9999


def epoch_day(seconds: int) -> str:
    """The day of a time in seconds since the epoch, in UTC."""
    # PBS takes directories of the year 0 for snapshots; Python's calendar does not have it.
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        return "a day that is none"
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


def size(number: int) -> str:
    """Bytes in the unit that suits them: `1.5 TiB`."""
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return "{} {}".format(format(number, ",") if unit == "bytes" else f"{value:.1f}", unit)
        value /= 1024
    return "{} PiB".format(format(value, ",.1f"))


def duration(seconds: int) -> str:
    """A length of time in the unit that suits it: `90 s`, `25 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def pass_rate(counts: Counts) -> float | None:
    """The percentage of checks that passed, of those that apply; cut and not rounded, so that only all are 100.

    None where nothing applies.
    """
    asked = counts.total - counts["skip"]
    return (counts["pass"] + counts["fixed"]) * 1000 // asked / 10 if asked else None


FILTERS: t.Mapping[str, t.Callable[..., t.Any]] = {
    "day": day,
    "documentation": documentation_of,
    "duration": duration,
    "epoch_day": epoch_day,
    "for_script": for_script,
    "in_address": in_address,
    "many": many,
    "minute": minute,
    "moment": moment,
    "pass_rate": pass_rate,
    "prose": prose,
    "sentence": sentence,
    "size": size,
    "thousands": _thousands,
}


def _environment(directory: str, **options: t.Any) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.join(DIRECTORY, directory)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters.update(FILTERS)
    environment.tests["told_as_problem_only"] = told_as_problem_only
    return environment


@functools.lru_cache(1)
def html() -> jinja2.Environment:
    """The templates of the page."""
    return _environment("page", autoescape=True)


@functools.lru_cache(1)
def markdown() -> jinja2.Environment:
    """The templates of the summary."""
    environment = _environment("markdown", autoescape=False, finalize=_markdown)
    environment.filters.update(prose=prose_in_markdown, code=code_in_markdown)
    return environment


def write(stream: t.TextIO, environment: jinja2.Environment, name: str, /, **values: t.Any) -> None:
    """Write a template to a stream, piece by piece: none of them is ever whole in memory."""
    stream.writelines(environment.get_template(name).generate(**values))
