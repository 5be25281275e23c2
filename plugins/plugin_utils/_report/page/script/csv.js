// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What is filtered as CSV, cell by cell as report.csv has it.

const CSV_COLUMNS = [
  "host", "datastore", "control", "status", "severity", "message", "remedy", "commands", "waived_until", "waived_because",
  "since", "document", "evidence",
];
const CSV_CELL = 32000;

// Text that no spreadsheet computes, and that every reader takes.
function csvText(text) {
  if (text.length > CSV_CELL)
    text = text.slice(0, CSV_CELL) + "\u2026 (" + number(text.length - CSV_CELL) + " more characters, see report.json)";
  return /^[ ']*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? "'" + text : text;
}

function csvEvidence(evidence) {
  const text = evidence ? JSON.stringify(evidence) : "";
  return text.length > CSV_CELL ? JSON.stringify({ left_out: number(text.length) + " characters, see report.json" }) : text;
}

function csvRow(host, item) {
  const waiver = item.waiver || {};
  return [
    csvText(host.is_fleet ? "" : host.name), csvText(item.place ? host.datastores[item.place - 1] : ""), csvText(controls[item.control].id),
    statuses[item.status], severities[item.severity], csvText(item.message), csvText(item.remedy || ""),
    csvText((item.commands || []).join("\n")), csvText(waiver.until || ""), csvText(waiver.justification || ""),
    item.since || "", host.finished, csvEvidence(item.evidence),
  ];
}

const csvLine = (cells) => cells.map((cell) => (/[",\r\n]/.test(cell) ? '"' + cell.replaceAll('"', '""') + '"' : cell)).join(",") + "\r\n";

// Rejects where the browser cannot unpack what the findings say.
async function csvOf() {
  const lines = [csvLine(CSV_COLUMNS)];
  for (const i of byRank.filter((host) => hostShown[host])) {
    for (const item of await detailsOf(i)) {
      const matches = wanted[item.status * SEVERITIES + item.severity] && rowWanted[firstRow[i] + item.place];
      if (matches && (state.control < 0 || item.control === state.control)) lines.push(csvLine(csvRow(hosts[i], item)));
    }
  }
  return new Blob(lines, { type: "text/csv;charset=utf-8" });
}

function startCsv() {
  $("csv").addEventListener("click", async () => {
    const link = make("a");
    try {
      link.href = URL.createObjectURL(await csvOf());
    } catch {
      $("csv").textContent = "See report.csv beside this page";
      return;
    }
    link.download = "findings.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}
