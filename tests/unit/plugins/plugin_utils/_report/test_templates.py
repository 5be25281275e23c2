# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template engine: it escapes, it does not forgive a missing name, and the parts of the page belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import templates
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import html

HOSTILE = "<b>`x` *y* [z](javascript:alert(1)) & \"q\" 'a'"


def test_values_in_html_are_text() -> None:
    rendered = templates.html().from_string("<p title='{{ x }}'>{{ x }}</p>").render(x=HOSTILE)
    assert rendered.count("<") == 2
    assert rendered.count("'") == 2


def test_values_in_markdown_are_text() -> None:
    rendered = templates.markdown().from_string("{{ x }} {{ x | sentence }} {{ 12 }}").render(x="*a* <b> `c`")
    assert rendered == r"\*a\* \<b\> \`c\` \*a\* \<b\> \`c\` 12"


@pytest.mark.parametrize("environment", [templates.html, templates.markdown])
@pytest.mark.parametrize(
    "text", ["{{ gone }}", "{% if gone %}{% endif %}", "{{ x.gone }}", "{{ x.gone | many('host') }}"]
)
def test_a_name_that_is_not_there_is_an_error(environment: Callable[[], jinja2.Environment], text: str) -> None:
    with pytest.raises((jinja2.UndefinedError, TypeError)):
        environment().from_string(text).render(x={})


@pytest.mark.parametrize("environment", [templates.html, templates.markdown])
def test_every_template_can_be_compiled(environment: Callable[[], jinja2.Environment]) -> None:
    names = environment().list_templates(extensions=["j2"])
    assert names
    for name in names:
        environment().get_template(name)


def test_prose_marks_code_and_nothing_else() -> None:
    assert templates.prose("Run `a <b>` now") == "Run <code>a &lt;b&gt;</code> now"
    assert templates.prose("one ` alone <i>") == "one ` alone &lt;i&gt;"


def test_every_part_of_the_script_is_in_the_page() -> None:
    parts = {path.stem for path in Path(templates.DIRECTORY, "page", "script").glob("*.js")}
    assert parts == set(html.SCRIPT)
    assert "SPDX" not in html.script()


def test_the_script_uses_names_and_no_positions() -> None:
    """What the page carries has names: no `host[4]` whose meaning stands nowhere."""
    by_number = re.compile(r"\b(?:hosts?|controls?|item|problems?|finding|about|info)(?:\[\w+\])?\[\d+\]")
    assert by_number.findall(html.script()) == []
