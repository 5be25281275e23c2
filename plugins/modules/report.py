#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make reports from the documents of a preflight
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Merges the documents that the module M(fleetops.pbs.preflight) wrote on the controller, of each host the newest, and
    writes what an administrator reads, an auditor files and a monitoring system scrapes.
  - The same documents give the same report, to the byte. What cannot be used (a document of a newer schema, a truncated
    file) is named, left out, and the report says so.
  - Everything happens on the controller. No host is connected to, so one task with C(run_once) is enough.
attributes:
  check_mode:
    support: partial
    details:
      - In check mode nothing is written. The documents are read, so the totals and the table are there. The task says
        that it would change something, without comparing files.
  diff_mode:
    support: none
    details:
      - A report is not worth a diff.
  idempotent:
    support: full
  platform:
    platforms: posix
    support: full
  action:
    support: full
    details:
      - It is an action and nothing else; the hosts need neither Python nor a connection.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.waivers
options:
  documents:
    description:
      - Documents of this run, as files, directories (their C(*.json)) or shell patterns; relative to where
        C(ansible-playbook) was started.
      - If O(hosts) is given, the documents of other hosts are passed over.
    type: list
    elements: path
    default: []
  merge:
    description:
      - The same of other runs, slices of a large fleet for example. A C(report.json) of an earlier report can be given
        too; it has all its documents.
    type: list
    elements: path
    default: []
  hosts:
    description:
      - The hosts of this run that should have a document, and why one has none. Those without become rows with the
        finding PBS-REPORT-01 and the status V(unknown), not gaps.
      - A value is the reason as text, or the registered result of the module M(fleetops.pbs.preflight). Nothing (or an
        empty text) means that the host should have a document.
    type: dict
    default: {}
  formats:
    description: What to write, by the names of the files.
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
    description: The directory on the controller for the report. It is made if it is not there.
    type: path
    required: true
  partial:
    description: The report is about a part of the fleet; waivers for hosts that are not in it are not called unused.
    type: bool
    default: false
  history:
    description:
      - A SQLite file that keeps of every run what was wrong, since when, and when it was mended; the page then shows the
        trend. If this is not given, it is C(history.sqlite) in O(dest); empty for none.
    type: path
  history_days:
    description: What is older than this many days is forgotten; V(0) to keep everything.
    type: int
    default: 365
  fail_on:
    description: A failure of this severity or a worse one makes the status line critical and the host unsafe.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: high
  fail_on_unknown:
    description:
      - A control of this severity or a worse one that could not be judged makes the status line unknown and the host
        unsafe.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: critical
  show:
    description: Whether to show the table on the terminal.
    type: bool
    default: true
seealso:
  - module: fleetops.pbs.preflight
notes:
  - The O(waivers) are those that the preflight was given. One that covers nothing is a warning of PBS-WAIVER-01 about the
    fleet.
  - The documents are read one after the other, so that a fleet of thousands of hosts needs little memory.
"""

EXAMPLES = r"""
- name: Report what the preflight has found
  fleetops.pbs.report:
    documents: [results]
    hosts: >-
      {{ dict(ansible_play_hosts_all
              | zip(ansible_play_hosts_all | map('extract', hostvars) | map(attribute='preflight_result', default={}))) }}
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
  description: Where each format is.
  type: dict
  returned: success
  sample: {report.html: results/report/report.html}
history:
  description: Where the history is; empty where there is none.
  type: str
  returned: success
  sample: results/report/history.sqlite
generated:
  description: When the newest document was finished.
  type: str
  returned: success
  sample: '2026-11-20T02:00:20.000Z'
totals:
  description: The counts that stand in every format.
  type: dict
  returned: success
  sample:
    hosts: 20
    hosts_without_document: 1
    hosts_by_state: {fail: 12, unknown: 3, warn: 4, ok: 1}
    datastores: 38
    findings: 1316
    by_status: {pass: 1040, fail: 22, warn: 26, unknown: 4, skip: 224, waived: 0, fixed: 0}
    worst: critical
    worst_unknown: critical
    left_out: 0
worst:
  description: The worst severity that failed anywhere; null where nothing failed.
  type: str
  returned: success
  sample: critical
worst_unknown:
  description: The worst severity that could not be judged; null where all could.
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
  description: What could not be used, and why.
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
  description: The table that was shown, without colours.
  type: str
  returned: success
msg:
  description: The outcome in one line.
  type: str
  returned: success
  sample: '20 hosts: 12 failed, 3 unknown, 4 with warnings, 1 fine'
"""
