// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The fleet as the page carries it, and the same as numbers.
//
// A row is a host or one of its datastores: a host's own row comes first (place 0), then its datastores. A cell is a row
// and a control. A code is a status and a severity in one number. An entry is a line of the list: a problem, or a cell
// that is none.

const fleet = JSON.parse($("fleet").textContent);
const { statuses, severities, controls, hosts, problems } = fleet;
const COLUMNS = controls.length, SEVERITIES = severities.length;
const SIGNS = { fail: "\u2715", unknown: "?", warn: "!", waived: "w", fixed: "\u21bb", pass: "\u2713", skip: "\u2013" };
const PASS = statuses.indexOf("pass"); // it and "skip" come last
const PROBLEMS = 3; // fail, unknown and warn come first
const NOT_ASKED = -1;

const statusNumber = (code) => Math.floor(code / SEVERITIES);
const statusOf = (code) => statuses[statusNumber(code)];
const severityOf = (code) => severities[code % SEVERITIES];
const isProblem = (code) => code < PROBLEMS * SEVERITIES;
// What to sort by: the status first, then the worse severity.
const badness = Int16Array.from({ length: statuses.length * SEVERITIES },
  (_, code) => statusNumber(code) * SEVERITIES + (SEVERITIES - 1 - code % SEVERITIES));

const codes = new Int16Array(128).fill(NOT_ASKED);
for (let i = 0; i < fleet.alphabet.length; i++) codes[fleet.alphabet.charCodeAt(i)] = i;

const firstRow = new Int32Array(hosts.length + 1); // of each host, and behind the last
hosts.forEach((host, i) => { firstRow[i + 1] = firstRow[i] + host.datastores.length + 1; });
const rowCount = firstRow[hosts.length];
const rowHost = new Int32Array(rowCount), rowPlace = new Int32Array(rowCount);
const cells = new Int8Array(rowCount * COLUMNS).fill(NOT_ASKED); // codes
const rowText = new Array(rowCount), hostText = hosts.map((host) => host.name.toLowerCase());
hosts.forEach((host, i) => {
  for (let place = 0; place <= host.datastores.length; place++) {
    const row = firstRow[i] + place;
    rowHost[row] = i;
    rowPlace[row] = place;
    rowText[row] = place ? host.datastores[place - 1].toLowerCase() : "";
  }
  let cell = firstRow[i] * COLUMNS;
  host.cells.split("~").forEach((part, k) => {
    if (k % 2) cell += Number(part); // so many cells that were not asked
    else for (let c = 0; c < part.length; c++) cells[cell++] = codes[part.charCodeAt(c)];
  });
});

const nameOf = (row) => hosts[rowHost[row]].name;
const storeOf = (row) => (rowPlace[row] ? hosts[rowHost[row]].datastores[rowPlace[row] - 1] : "");
const whereOf = (row) => nameOf(row) + (rowPlace[row] ? " / " + storeOf(row) : "");

// The page has the texts of problems; what passed or does not apply is taken from the cells.
const problemCount = problems.host.length;
let quietCount = 0;
for (const code of cells) if (code >= PASS * SEVERITIES) quietCount++;
const entryCount = problemCount + quietCount;
const entries = { row: new Int32Array(entryCount), control: new Int16Array(entryCount), code: new Int8Array(entryCount) };
for (let p = 0; p < problemCount; p++) {
  entries.row[p] = firstRow[problems.host[p]] + problems.place[p];
  entries.control[p] = problems.control[p];
  entries.code[p] = problems.status[p] * SEVERITIES + problems.severity[p];
}
for (let row = 0, cell = 0, entry = problemCount; row < rowCount; row++) for (let c = 0; c < COLUMNS; c++, cell++) {
  if (cells[cell] < PASS * SEVERITIES) continue;
  entries.row[entry] = row;
  entries.control[entry] = c;
  entries.code[entry++] = cells[cell];
}
const messageOf = (entry) => (entry < problemCount ? fleet.strings[problems.message[entry]] : controls[entries.control[entry]].title);
const commandsOf = (entry) => (entry < problemCount && problems.commands[entry] ? fleet.strings[problems.commands[entry]].split("\n") : []);
const remedyOf = (entry) => (entry < problemCount ? fleet.strings[problems.remedy[entry]] : "");

// Hosts have one order everywhere on the page: the worst first, then by name. The rank of a host is its place there.
const byRank = hosts.map((_, i) => i).sort((a, b) => hosts[a].rank - hosts[b].rank);
const rankOf = new Int32Array(hosts.length);
byRank.forEach((host, rank) => { rankOf[host] = rank; });

// Numbers sorted by a small key; those with equal keys stay in their order.
function sortedBy(numbers, keyOf, keyCount) {
  const starts = new Int32Array(keyCount + 1), sorted = new Int32Array(numbers.length);
  for (const n of numbers) starts[keyOf(n) + 1]++;
  for (let k = 1; k < starts.length; k++) starts[k] += starts[k - 1];
  for (const n of numbers) sorted[starts[keyOf(n)]++] = n;
  return sorted;
}

// The entries come in by the names of hosts. What passed is many times what did not, and is seldom looked at: it is sorted
// only when it is.
const sortedEntries = {};
function inOrder(name, all) {
  const known = name + all;
  if (!sortedEntries[known]) {
    let sorted = Int32Array.from({ length: all ? entryCount : problemCount }, (_, e) => e);
    if (name !== "host") sorted = sortedBy(sorted, (e) => rankOf[rowHost[entries.row[e]]], hosts.length);
    sorted = sortedBy(sorted, (e) => badness[entries.code[e]], badness.length);
    if (name === "host") sorted = sortedBy(sorted, (e) => rowHost[entries.row[e]], hosts.length);
    if (name === "control") sorted = sortedBy(sorted, (e) => entries.control[e], COLUMNS);
    sortedEntries[known] = sorted;
  }
  return sortedEntries[known];
}

// What the findings of a host say is packed, and unpacked when it is wanted. Rejects where the browser cannot.
let packed = null;
const unpacked = new Map(), UNPACKED_MOST = 50;
async function detailsOf(host) {
  if (!unpacked.has(host)) {
    packed = packed || $("details").textContent.split("\n").slice(1);
    const bytes = Uint8Array.from(atob(packed[host]), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    unpacked.set(host, JSON.parse(await new Response(stream).text()));
    if (unpacked.size > UNPACKED_MOST) unpacked.delete(unpacked.keys().next().value);
  }
  return unpacked.get(host);
}
