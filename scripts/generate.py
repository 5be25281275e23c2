# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate what is derived from the code: the schema of the document, and the reference of the controls.

usage: scripts/generate.py [--check]      with --check nothing is written, and a difference is an error
"""

from __future__ import annotations

import difflib
import json
import pathlib
import sys

import pydantic
import yaml

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge import catalog, document, forecast, verdict
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.forecast import Forecast
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = ROOT / "docs/controls_commands.yml"
TIMESTAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
FAMILIES = {
    "PBS-HOST": "The host",
    "PBS-MOUNT": "Where a datastore lives",
    "PBS-ATIME": "Access times",
    "PBS-OWNER": "Owners and modes",
    "PBS-DATA": "What the backups need",
    "PBS-SNAP": "Snapshots",
    "PBS-CONF": "Configuration",
    "PBS-COPY": "Copies on other hosts",
    "PBS-WAIVER": "Waivers",
}


# --- the schema -------------------------------------------------------------------------------------------------------


def schema() -> str:
    """The JSON Schema of the document; that of what was observed follows from the dataclasses of the facts."""
    definitions: dict[str, object] = {}
    for root in (HostFacts, StoreFacts, Finding, Forecast, document.Asked):
        made = pydantic.TypeAdapter(root).json_schema(mode="serialization", ref_template="#/$defs/{model}")
        definitions.update(made.pop("$defs", {}))
        definitions[root.__name__] = made
    for definition in definitions.values():
        _close(definition)
    finding = definitions["Finding"]["properties"]
    finding["control"] = {"enum": [control.id for control in catalog.CONTROLS]}
    finding["status"] = {"enum": list(verdict.STATUSES)}
    finding["severity"] = {"enum": list(catalog.SEVERITIES)}
    told = definitions["Forecast"]["properties"]
    told["outcome"] = {"enum": list(forecast.OUTCOMES)}
    told["step"] = {"enum": ["", *forecast.STEPS]}
    definitions["Stop"]["properties"]["step"] = {"enum": list(forecast.STEPS)}
    definitions["Risk"]["properties"]["why"] = {"enum": [forecast.IGNORED, forecast.UNTOUCHABLE]}
    counts = {status: {"type": "integer", "minimum": 0} for status in verdict.STATUSES}
    severity = {"enum": [*catalog.SEVERITIES, None]}
    text = {"type": "string"}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fleetops.pbs preflight document",
        "description": "What one run of the preflight found out about one host.",
        **_object(
            {
                "schema": {"const": document.SCHEMA},
                "schema_version": {"const": document.SCHEMA_VERSION},
                "host": {"type": "string", "minLength": 1},
                "started": {"type": "string", "pattern": TIMESTAMP},
                "finished": {"type": "string", "pattern": TIMESTAMP},
                "collection_version": text,
                "pbs_version": {"type": ["string", "null"]},
                "check_mode": {"type": "boolean"},
                "asked": {"$ref": "#/$defs/Asked"},
                "observed": {"$ref": "#/$defs/HostFacts"},
                "datastores": {
                    "type": "array",
                    "items": _object(
                        {
                            "name": text,
                            "path": text,
                            "forecast": {"anyOf": [{"$ref": "#/$defs/Forecast"}, {"type": "null"}]},
                            "observed": {"$ref": "#/$defs/StoreFacts"},
                        }
                    ),
                },
                "findings": {"type": "array", "items": {"$ref": "#/$defs/Finding"}},
                "summary": _object({**counts, "worst": severity, "worst_unknown": severity}),
            }
        ),
        "$defs": definitions,
    }
    return json.dumps(whole, indent=1, sort_keys=False) + "\n"


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _close(definition: object) -> None:
    """Every property is written, and there are no others; titles made from names say nothing new."""
    if isinstance(definition, dict) and definition.get("type") == "object" and "properties" in definition:
        definition.pop("title", None)
        definition["required"] = list(definition["properties"])
        definition["additionalProperties"] = False
        for item in definition["properties"].values():
            item.pop("title", None)
            item.pop("default", None)
        if "description" in definition:
            definition["description"] = " ".join(definition["description"].split())


# --- the controls -----------------------------------------------------------------------------------------------------


def table() -> list[str]:
    """The lines of the overview: each control with its severities, and a link to its section of the page."""
    lines = ["| id | control | severity |", "|---|---|---|"]
    lines += [
        f"| [{control.id}](#{control.id.lower()}) | {control.title} | {_severity(control)} |"
        for control in catalog.CONTROLS
    ]
    return lines


def _severity(control: catalog.Control) -> str:
    return " / ".join(part for part in (control.severity, control.lesser_severity) if part)


def reference() -> str:
    """docs/controls.md: everything that the catalog says about each control, and what to type."""
    commands = yaml.safe_load(COMMANDS.read_text(encoding="utf-8"))
    lines = [
        "# The controls",
        "",
        "For each control: what it checks, why that matters, and how to fix a failure. This page is generated from the",
        "catalog and from `controls_commands.yml` by `scripts/generate.py`. Ids never change.",
        "",
        "- Statuses: `pass`, `fail`, `warn` (not wrong, but you should know), `unknown` (could not be determined; the message",
        "  says why), `skip` (does not apply), `waived` (failed, and a waiver covers it), `fixed` (failed before the repair and",
        "  passes after it).",
        "- A control with two severities uses the second for the milder of two kinds of failure.",
        "- The commands are examples for a datastore `tank` at `/mnt/datastore/tank`; run them as root on the host of the",
        "  datastore unless they say otherwise. A finding names the real paths, ids and devices in its remedy.",
        "",
        *table(),
    ]
    family = ""
    for control in catalog.CONTROLS:
        prefix = control.id.rpartition("-")[0]
        if prefix != family:
            family = prefix
            lines += ["", f"## {FAMILIES[family]}"]
        lines += [
            "",
            f"### {control.id}",
            "",
            f"**{control.title[0].upper() + control.title[1:]}**",
            "",
            f"Severity: {_severity(control)}. Applies to: {_applies(control)}.",
            "",
            control.why,
            "",
            f"How to fix it: {control.remedy}",
            "",
            "<!-- needs: a real PBS -->",
            "```shell",
            *commands[control.id].splitlines(),
            "```",
            "",
            f"- Behaviour of PBS: {control.behaviour}",
            f"- Standards: {', '.join(control.standards)}",
        ]
    return "\n".join(lines) + "\n"


def _applies(control: catalog.Control) -> str:
    parts = ["the host" if control.scope == "host" else "each datastore"]
    if control.needs_config:
        parts.append("that PBS knows")
    if control.needs_pbs:
        parts.append("where PBS is installed")
    if control.scope == "datastore":
        if not control.on_s3:
            parts.append("not S3-backed")
        if not control.unmounted:
            parts.append("and mounted, if it is removable")
    return " ".join(parts)


def outputs() -> dict[pathlib.Path, str]:
    """Every generated file with the text that it must have."""
    return {ROOT / "docs/document.schema.json": schema(), ROOT / "docs/controls.md": reference()}


def main() -> int:
    stale = 0
    for path, text in outputs().items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        if "--check" in sys.argv[1:]:
            stale += 1
            name = str(path.relative_to(ROOT))
            sys.stdout.writelines(
                difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, name + " (new)")
            )
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print("%d generated files are stale: run scripts/generate.py" % stale, file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
