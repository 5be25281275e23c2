#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write reports from the documents of a preflight
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Merges the documents that the module M(fleetops.pbs.preflight) wrote on the controller, the newest one for each host, and
    writes reports for administrators, auditors and monitoring systems.
  - The same documents give the same report, byte for byte. The module leaves out files that it cannot use (a document of a
    newer schema, a truncated file), and the report lists them.
  - The module runs on the controller and connects to no host, so one task with C(run_once) is enough.
attributes:
  check_mode:
    support: partial
    details:
      - Check mode reads the documents and returns the totals and the table, but writes nothing. It always reports a change;
        it does not compare files.
  diff_mode:
    support: none
    details:
      - The module shows no diff of the reports.
  idempotent:
    support: full
  platform:
    platforms: posix
    support: full
  action:
    support: full
    details:
      - There is only the action plugin; the hosts need neither Python nor a connection.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.waivers
options:
  documents:
    description:
      - "Documents of this run: files, directories (their C(*.json)) or shell patterns; relative to the directory in which
        C(ansible-playbook) was started."
      - With O(hosts), the module ignores documents of other hosts, unless O(not_asked) names them or O(others) is set.
    type: list
    elements: path
    default: []
  merge:
    description:
      - Documents of other runs, in the same forms, for example of the slices of a large fleet. You can also give the
        C(report.json) of an earlier report; it contains all of its documents.
    type: list
    elements: path
    default: []
  hosts:
    description:
      - The hosts of this run that should have a document, with the reason if one is missing. A host without a document
        becomes a row with the finding PBS-REPORT-01 and the status V(unknown).
      - Each value is the reason as text, or the registered result of the module M(fleetops.pbs.preflight). An empty value
        means that the host should have a document.
    type: dict
    default: {}
  formats:
    description: Formats to write, by file name.
    type: list
    elements: str
    choices:
      - report.json
      - report.html
      - report.csv
      - junit.xml
      - report.sarif
      - metrics.prom
      - summary.md
      - status.txt
      - oscal.json
    default:
      - report.json
      - report.html
      - report.csv
      - junit.xml
      - report.sarif
      - metrics.prom
      - summary.md
      - status.txt
      - oscal.json
  dest:
    description: Directory on the controller for the report. It is created if it does not exist.
    type: path
    required: true
  partial:
    description: Whether the report covers only part of the fleet. Waivers for other hosts are then not reported as unused.
    type: bool
    default: false
  name:
    description:
      - A name that tells this report apart from others. It becomes the label C(report) of every series in
        C(metrics.prom), so that the files of two reports can be read by one exporter. The heading of the page shows it.
    type: str
    default: ""
  history:
    description:
      - SQLite file that stores the problems of every run, since when they existed, and when they were fixed; F(report.html)
        then shows the trend. Defaults to C(history.sqlite) in O(dest); empty for none.
    type: path
  history_days:
    description: Days after which history entries are deleted; V(0) to keep everything.
    type: int
    default: 365
  fail_on:
    description: A failure of this severity or above makes the status line critical and the host unsafe.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: high
  fail_on_unknown:
    description:
      - A control of this severity or above that could not be judged makes the status line unknown and the host unsafe.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: critical
  not_asked:
    description:
      - Hosts of the fleet that were left out of this run. A document of an earlier run counts, and the report says how old it
        is. A host without one has the state V(not_asked), which is neither a problem nor safe.
    type: list
    elements: str
    default: []
  others:
    description:
      - Whether documents of hosts that are neither in O(hosts) nor in O(not_asked) count too, as those of an earlier run.
    type: bool
    default: false
  earlier:
    description:
      - The C(report.json) of an earlier run. What it says of hosts without a document, for example that they could not be
        reached, holds until there is newer news. A file that does not exist or cannot be used is ignored.
    type: path
  registered:
    description:
      - The name of the variable in which the hosts of this play registered the result of the module
        M(fleetops.pbs.preflight). The module then finds out O(hosts) and O(not_asked) by itself, sets O(others), and fails if
        the run checked no datastore at all (see O(require_datastores)).
      - While other hosts of the play are still to be checked (C(serial), the strategy C(free)), the module does nothing and
        is skipped, so that there is one report.
    type: str
  require_datastores:
    description: Whether to fail if this run checked no datastore. The report is written before. Only with O(registered).
    type: bool
    default: true
  show:
    description:
      - Where to show the table and the path of the page.
      - V(auto) is standard output if the callback there writes for people, and standard error if it writes for programs, such
        as P(ansible.posix.json#callback).
    type: str
    choices: [auto, stdout, stderr, none]
    default: auto
seealso:
  - module: fleetops.pbs.preflight
notes:
  - Give the same O(waivers) as to the preflight. A waiver that covers nothing is a warning of PBS-WAIVER-01 about the fleet.
  - The module reads the documents one after the other, so a fleet of thousands of hosts needs little memory.
"""

EXAMPLES = r"""
- name: Report the results of the preflight
  fleetops.pbs.report:
    documents: [results]
    registered: preflight_result
    dest: results/report
    waivers: "{{ preflight_waivers | default([]) }}"
  run_once: true
  register: report

- name: Merge the slices of a large fleet, for the auditor and for Prometheus only
  fleetops.pbs.report:
    merge:
      - slices/*/results
      - archive/2026-10/report.json
    dest: fleet
    formats: [report.html, oscal.json, metrics.prom]
    history: /var/lib/fleetops/history.sqlite
  run_once: true
"""

RETURN = r"""
paths:
  description: Path of each format.
  type: dict
  returned: success
  sample: {report.html: results/report/report.html}
history:
  description: Path of the history; empty if there is none.
  type: str
  returned: success
  sample: results/report/history.sqlite
generated:
  description: When the newest document was finished.
  type: str
  returned: success
  sample: '2026-11-20T02:00:20.000Z'
totals:
  description: Counts that every format contains.
  type: dict
  returned: success
  sample:
    hosts: 20
    hosts_without_document: 1
    hosts_by_state: {fail: 12, unknown: 3, warn: 4, ok: 1, none: 0, not_asked: 0}
    datastores: 38
    findings: 1316
    by_status: {pass: 1040, fail: 22, warn: 26, unknown: 4, skip: 224, waived: 0, fixed: 0}
    worst: critical
    worst_unknown: critical
    left_out: 0
worst:
  description: The worst severity that failed anywhere; null if nothing failed.
  type: str
  returned: success
  sample: critical
worst_unknown:
  description: The worst severity that could not be judged; null if all could.
  type: str
  returned: success
  sample: high
unsafe:
  description: The hosts with a failure or something unknown at or above the thresholds.
  type: list
  elements: str
  returned: success
  sample: [pbs3, pbs7]
left_out:
  description: Files that could not be used, with the reason.
  type: list
  elements: dict
  returned: success
  sample:
    - path: results/pbs9.json
      reason: it ends in the middle (truncated after 4096 bytes)
status:
  description: The exit code of a monitoring plugin, and its line.
  type: dict
  returned: success
  sample:
    code: 2
    line: '2 CRITICAL - 12 of 20 hosts failed, 3 unknown: pbs3, pbs7, … | hosts=20 pass=1040 fail=22'
table:
  description: The table from the terminal, without colours.
  type: str
  returned: success
msg:
  description: The result in one line.
  type: str
  returned: success
  sample: '20 hosts: 12 failed, 3 unknown, 4 with warnings, 1 fine'
"""
