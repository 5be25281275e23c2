// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What is shown of the fleet: the filters, and what they leave.

const bitsOf = (names, wanted) => names.reduce((sum, name, i) => sum | (wanted.includes(name) ? 1 << i : 0), 0);
const namesOf = (names, bits) => names.filter((_, i) => (bits >> i) & 1);

const byStatus = new Int32Array(statuses.length), bySeverity = new Int32Array(SEVERITIES);
for (const code of entries.code) {
  byStatus[statusNumber(code)]++;
  if (isProblem(code)) bySeverity[code % SEVERITIES]++;
}
const ALL_SEVERITIES = bitsOf(severities, severities), ALL_STATUSES = bitsOf(statuses, statuses);
const anyProblem = byStatus.subarray(0, PROBLEMS).some((count) => count > 0);
const NO_FILTERS = {
  text: "", control: -1, order: "worst", severities: ALL_SEVERITIES,
  statuses: anyProblem ? bitsOf(statuses, statuses.slice(0, PROBLEMS)) : ALL_STATUSES,
};
const state = { ...NO_FILTERS, view: "list" };
const wanted = new Uint8Array(statuses.length * SEVERITIES); // by code
const rowWanted = new Uint8Array(rowCount), hostShown = new Uint8Array(hosts.length);
let found = new Int32Array(0); // entries

function matchRows() {
  const text = state.text.trim().toLowerCase();
  if (!text) { rowWanted.fill(1); return; }
  const exact = text.length > 2 && text[0] === '"' && text[text.length - 1] === '"' ? text.slice(1, -1) : null;
  const hit = exact === null ? (name) => name.includes(text) : (name) => name === exact;
  for (let i = 0; i < hosts.length; i++) {
    const hostHit = hit(hostText[i]);
    for (let row = firstRow[i]; row < firstRow[i + 1]; row++)
      rowWanted[row] = hostHit || (rowText[row] !== "" && hit(rowText[row])) ? 1 : 0;
  }
}

function filter() {
  const begin = performance.now();
  matchRows();
  for (let code = 0; code < wanted.length; code++)
    wanted[code] = (state.statuses >> statusNumber(code)) & (state.severities >> (code % SEVERITIES)) & 1;
  const sorted = inOrder(state.order, state.statuses >> PASS !== 0), hits = new Int32Array(sorted.length);
  const { row, control, code } = entries;
  let count = 0;
  hostShown.fill(0);
  for (let i = 0; i < sorted.length; i++) {
    const e = sorted[i];
    if (wanted[code[e]] && rowWanted[row[e]] && (state.control < 0 || control[e] === state.control)) {
      hits[count++] = e;
      hostShown[rowHost[row[e]]] = 1;
    }
  }
  found = hits.subarray(0, count);
  const hostCount = hosts.reduce((sum, host, i) => sum + (hostShown[i] && !host.is_fleet ? 1 : 0), 0);
  $("count").textContent = many(count, "finding") + " on " + many(hostCount, "host");
  showFilters();
  if (state.view === "list") list.reset(); else matrix.reset();
  remember();
  document.documentElement.dataset.filterMs = (performance.now() - begin).toFixed(1);
}

function chips(parent, names, counts, key, kinds) {
  names.forEach((name, i) => {
    const chip = button(kinds ? "s-" + name : "", (kinds ? fleet.words[name] : name) + " ",
      () => { state[key] ^= 1 << i; filter(); });
    chip.dataset.bit = i;
    chip.append(make("small", "", number(counts[i])));
    parent.append(chip);
  });
}

function showFilters() {
  for (const [id, bits] of [["statuses", state.statuses], ["severities", state.severities]])
    for (const chip of $(id).children) chip.setAttribute("aria-pressed", String(Boolean((bits >> chip.dataset.bit) & 1)));
  if ($("text").value !== state.text) $("text").value = state.text;
  $("control").value = state.control < 0 ? "" : String(state.control);
  $("order").value = state.order;
}

function startFilters() {
  controls.forEach((control, i) => {
    const option = make("option", "", visible(control.id + " " + control.title));
    option.value = i;
    $("control").append(option);
  });
  chips($("statuses"), statuses, byStatus, "statuses", true);
  chips($("severities"), severities, bySeverity, "severities", false);
  $("severities").append(...[...$("severities").children].reverse()); // the worst first
  $("text").addEventListener("input", (event) => { state.text = event.target.value; filter(); });
  $("control").addEventListener("change", (event) => {
    state.control = event.target.value === "" ? -1 : Number(event.target.value);
    filter();
  });
  $("order").addEventListener("change", (event) => { state.order = event.target.value; filter(); });
  $("reset").addEventListener("click", () => { Object.assign(state, NO_FILTERS); filter(); });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
}
