# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests ask of a document: whether it is valid, and what it reports for a control."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs/document.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def valid(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document, if it is one; every document that a test makes goes through here."""
    errors = [f"{error.json_path}: {error.message[:200]}" for error in _validator().iter_errors(document)]
    assert not errors, "\n".join(errors)
    return document


def finding(document: Mapping[str, Any], control: str, datastore: str | None = None) -> dict[str, Any]:
    """The one finding of a control about a datastore, or about the host."""
    found = [item for item in document["findings"] if item["control"] == control and item["datastore"] == datastore]
    assert len(found) == 1, f"{len(found)} findings of {control} about {datastore}"
    return found[0]


def failures(document: Mapping[str, Any], datastore: str | None) -> set[str]:
    """The controls that failed on a datastore."""
    return {
        item["control"] for item in document["findings"] if item["status"] == "fail" and item["datastore"] == datastore
    }
