#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# SARIF lets a producer keep a result and mark it as suppressed, with a justification. sarif-tools 3.0.5 ignores
# suppressions: its summary counts such a result like any other, so that an accepted problem looks open.
#
# Expected: no error is counted. Observed: one error.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check sarif-tools==3.0.5 2> "$scratch/log" || { cat "$scratch/log"; exit 2; }
cat > "$scratch/report.sarif" <<'END'
{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{
  "tool": {"driver": {"name": "example", "rules": [{"id": "R1"}]}},
  "results": [{"ruleId": "R1", "level": "error", "message": {"text": "accepted until March"},
    "suppressions": [{"kind": "external", "status": "accepted", "justification": "known"}],
    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "host/store"}, "region": {"startLine": 1}}}]}]}]}
END
echo "sarif-tools 3.0.5"
echo "expected: error: 0"
observed=$("$scratch/venv/bin/sarif" summary "$scratch/report.sarif" | grep -m 1 -i '^error')
echo "observed: $observed"
[ "$observed" = "error: 1" ]
