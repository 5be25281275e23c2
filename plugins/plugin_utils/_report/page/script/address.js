// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The address in the browser keeps what is shown, so that it can be sent as a link.

let silent = false;
function remember() {
  if (silent) return;
  const parts = new URLSearchParams();
  if (state.text) parts.set("q", state.text);
  if (state.control >= 0) parts.set("control", controls[state.control].id);
  if (state.statuses !== NO_FILTERS.statuses) parts.set("status", namesOf(statuses, state.statuses).join(","));
  if (state.severities !== ALL_SEVERITIES) parts.set("severity", namesOf(severities, state.severities).join(","));
  if (state.order !== "worst") parts.set("order", state.order);
  if (state.view !== "list") parts.set("view", state.view);
  if (detail.address) parts.set("finding", detail.address);
  const hash = parts.toString();
  try { history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search); } catch { /* about:blank */ }
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const bits = (key, names, otherwise) => (parts.has(key) ? bitsOf(names, parts.get(key).split(",")) : otherwise);
  state.text = parts.get("q") || (parts.get("host") ? '"' + parts.get("host") + '"' : "");
  state.control = controls.findIndex((control) => control.id === parts.get("control"));
  state.statuses = bits("status", statuses, NO_FILTERS.statuses);
  state.severities = bits("severity", severities, ALL_SEVERITIES);
  state.order = ["host", "control"].includes(parts.get("order")) ? parts.get("order") : "worst";
  silent = true;
  view(parts.get("view") === "matrix" ? "matrix" : "list");
  const address = parts.get("finding");
  if (address) detail.recall(address);
  silent = false;
  if (parts.get("host")) $("explore").scrollIntoView();
}
