// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Every text goes into the page as text (textContent); the policy of the page forbids markup from strings.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const fleet = JSON.parse($("fleet").textContent);
  const statuses = fleet.statuses, severities = fleet.severities, controls = fleet.controls, hosts = fleet.hosts;
  const COLUMNS = controls.length, SEVERITIES = severities.length;
  const SIGNS = { fail: "\u2715", unknown: "?", warn: "!", waived: "w", fixed: "\u21bb", pass: "\u2713", skip: "\u2013" };
  const PASS = statuses.indexOf("pass"); // it and "skip" come last
  const PROBLEMS = 3; // fail, unknown and warn come first
  const number = new Intl.NumberFormat("en").format;
  const many = (count, word) => number(count) + " " + word + (count === 1 ? "" : "s");

  function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // What no font shows, or what turns the direction of the text round it, is written out.
  const visible = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => "\\u{" + char.codePointAt(0).toString(16) + "}");

  // --- the fleet as numbers: rows (a host, then its datastores) and cells -----------------------------------------

  const code = new Int16Array(128).fill(-1);
  for (let i = 0; i < fleet.alphabet.length; i++) code[fleet.alphabet.charCodeAt(i)] = i;

  let rowCount = 0;
  const firstRow = new Int32Array(hosts.length + 1);
  hosts.forEach((host, i) => { firstRow[i] = rowCount; rowCount += host[4].length + 1; });
  firstRow[hosts.length] = rowCount;
  const rowHost = new Int32Array(rowCount), rowPlace = new Int32Array(rowCount);
  const cells = new Int8Array(rowCount * COLUMNS); // status * SEVERITIES + severity, or -1
  const rowText = new Array(rowCount), hostText = hosts.map((host) => host[0].toLowerCase());
  hosts.forEach((host, i) => {
    for (let place = 0; place <= host[4].length; place++) {
      const row = firstRow[i] + place;
      rowHost[row] = i;
      rowPlace[row] = place;
      rowText[row] = place ? host[4][place - 1].toLowerCase() : "";
    }
    const text = host[5], base = firstRow[i] * COLUMNS;
    for (let c = 0; c < text.length; c++) cells[base + c] = code[text.charCodeAt(c)];
  });

  // Problems stand in the page with their texts; what passed or does not apply is taken from the cells.
  const flat = Int32Array.from(fleet.problems), problemCount = flat.length / 7;
  const most = problemCount + cells.length;
  const E = { row: new Int32Array(most), control: new Int16Array(most), code: new Int8Array(most) };
  for (let p = 0; p < problemCount; p++) {
    E.row[p] = firstRow[flat[7 * p]] + flat[7 * p + 1];
    E.control[p] = flat[7 * p + 2];
    E.code[p] = flat[7 * p + 3] * SEVERITIES + flat[7 * p + 4];
  }
  let entries = problemCount;
  for (let row = 0, cell = 0; row < rowCount; row++) for (let c = 0; c < COLUMNS; c++, cell++) {
    if (cells[cell] < PASS * SEVERITIES) continue;
    E.row[entries] = row;
    E.control[entries] = c;
    E.code[entries++] = cells[cell];
  }
  const badness = new Int16Array(statuses.length * SEVERITIES);
  for (let s = 0; s < statuses.length; s++)
    for (let v = 0; v < SEVERITIES; v++) badness[s * SEVERITIES + v] = s * SEVERITIES + (SEVERITIES - 1 - v);
  // What passed is many times what did not, and is seldom looked at: it is sorted only when it is. The entries come in
  // by host, so that counting them out by a small key leaves equal ones by host.
  const orders = {};
  function order(name, all) {
    const known = name + all;
    if (!orders[known]) {
      const length = all ? entries : problemCount, keys = new Int32Array(length);
      for (let e = 0; e < length; e++)
        keys[e] = badness[E.code[e]] + (name === "worst" ? 0 : 64 * (name === "host" ? rowHost[E.row[e]] : E.control[e]));
      const starts = new Int32Array(64 * Math.max(hosts.length, COLUMNS) + 1), sorted = new Int32Array(length);
      for (let e = 0; e < length; e++) starts[keys[e] + 1]++;
      for (let k = 1; k < starts.length; k++) starts[k] += starts[k - 1];
      for (let e = 0; e < length; e++) sorted[starts[keys[e]]++] = e;
      orders[known] = sorted;
    }
    return orders[known];
  }
  const nameOf = (row) => hosts[rowHost[row]][0];
  const storeOf = (row) => (rowPlace[row] ? hosts[rowHost[row]][4][rowPlace[row] - 1] : "");
  const whereOf = (row) => nameOf(row) + (rowPlace[row] ? " / " + storeOf(row) : "");
  const messageOf = (entry) => (entry < problemCount ? fleet.strings[flat[7 * entry + 5]] : controls[E.control[entry]][1]);
  const remedyOf = (entry) => (entry < problemCount ? fleet.strings[flat[7 * entry + 6]] : "");

  // --- filters ----------------------------------------------------------------------------------------------------

  const totals = new Int32Array(statuses.length), bySeverity = new Int32Array(SEVERITIES);
  for (let e = 0; e < entries; e++) {
    const status = Math.floor(E.code[e] / SEVERITIES);
    totals[status]++;
    if (status < PROBLEMS) bySeverity[E.code[e] % SEVERITIES]++;
  }
  const anyProblem = totals[0] + totals[1] + totals[2] > 0;
  const ALL_SEVERITIES = (1 << SEVERITIES) - 1, ALL_STATUSES = (1 << statuses.length) - 1;
  const DEFAULT_STATUSES = anyProblem ? 7 : ALL_STATUSES;
  const state = { text: "", control: -1, statuses: DEFAULT_STATUSES, severities: ALL_SEVERITIES, order: "worst", view: "list" };
  const wanted = new Uint8Array(statuses.length * SEVERITIES);
  const rowWanted = new Uint8Array(rowCount);
  let found = new Int32Array(0), foundHosts = 0;
  const hostShown = new Uint8Array(hosts.length);

  function matchRows() {
    const text = state.text.trim().toLowerCase();
    if (!text) { rowWanted.fill(1); return; }
    const exact = text.length > 2 && text[0] === '"' && text[text.length - 1] === '"' ? text.slice(1, -1) : null;
    for (let i = 0; i < hosts.length; i++) {
      const hit = exact === null ? hostText[i].includes(text) : hostText[i] === exact;
      for (let row = firstRow[i]; row < firstRow[i + 1]; row++)
        rowWanted[row] = hit || (rowText[row] !== "" && (exact === null ? rowText[row].includes(text) : rowText[row] === exact)) ? 1 : 0;
    }
  }

  function filter() {
    const begin = performance.now();
    matchRows();
    for (let s = 0; s < statuses.length; s++)
      for (let v = 0; v < SEVERITIES; v++)
        wanted[s * SEVERITIES + v] = (state.statuses >> s) & 1 && (state.severities >> v) & 1 ? 1 : 0;
    const sorted = order(state.order, state.statuses >> PASS !== 0), hits = new Int32Array(sorted.length);
    let count = 0;
    hostShown.fill(0);
    for (let i = 0; i < sorted.length; i++) {
      const e = sorted[i];
      if (wanted[E.code[e]] && rowWanted[E.row[e]] && (state.control < 0 || E.control[e] === state.control)) {
        hits[count++] = e;
        hostShown[rowHost[E.row[e]]] = 1;
      }
    }
    found = hits.subarray(0, count);
    foundHosts = hostShown.reduce((sum, one, i) => sum + (hosts[i][6] ? 0 : one), 0); // the fleet is no host
    $("count").textContent = many(count, "finding") + " on " + many(foundHosts, "host");
    showFilters();
    if (state.view === "list") list.reset(); else matrix.reset();
    remember();
    document.documentElement.dataset.filterMs = (performance.now() - begin).toFixed(1);
  }

  function chips(parent, names, counts, key, kinds) {
    names.forEach((name, i) => {
      const button = make("button", kinds ? "s-" + name : "", (kinds ? fleet.words[name] : name) + " ");
      button.type = "button";
      button.dataset.bit = i;
      button.append(make("small", "", number(counts[i])));
      button.addEventListener("click", () => { state[key] ^= 1 << i; filter(); });
      parent.append(button);
    });
  }

  function showFilters() {
    for (const [id, bits] of [["statuses", state.statuses], ["severities", state.severities]])
      for (const button of $(id).children) button.setAttribute("aria-pressed", String(Boolean((bits >> button.dataset.bit) & 1)));
    if ($("text").value !== state.text) $("text").value = state.text;
    $("control").value = state.control < 0 ? "" : String(state.control);
    $("order").value = state.order;
  }

  // --- the address of what is shown -------------------------------------------------------------------------------

  let silent = false;
  function remember() {
    if (silent) return;
    const parts = new URLSearchParams();
    if (state.text) parts.set("q", state.text);
    if (state.control >= 0) parts.set("control", controls[state.control][0]);
    if (state.statuses !== DEFAULT_STATUSES) parts.set("status", statuses.filter((_, i) => (state.statuses >> i) & 1).join(","));
    if (state.severities !== ALL_SEVERITIES) parts.set("severity", severities.filter((_, i) => (state.severities >> i) & 1).join(","));
    if (state.order !== "worst") parts.set("order", state.order);
    if (state.view !== "list") parts.set("view", state.view);
    if (detail.address) parts.set("finding", detail.address);
    const hash = parts.toString();
    try { history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search); } catch { /* about:blank */ }
  }

  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const bits = (text, names, otherwise) => text === null ? otherwise
      : names.reduce((sum, name, i) => sum | (text.split(",").includes(name) ? 1 << i : 0), 0);
    state.text = parts.get("q") || (parts.get("host") ? '"' + parts.get("host") + '"' : "");
    state.control = controls.findIndex((control) => control[0] === parts.get("control"));
    state.statuses = bits(parts.get("status"), statuses, DEFAULT_STATUSES);
    state.severities = bits(parts.get("severity"), severities, ALL_SEVERITIES);
    state.order = ["host", "control"].includes(parts.get("order")) ? parts.get("order") : "worst";
    silent = true;
    view(parts.get("view") === "matrix" ? "matrix" : "list");
    const address = parts.get("finding");
    if (address) detail.recall(address);
    silent = false;
    if (parts.get("host")) $("explore").scrollIntoView();
  }

  // --- what the findings say, unpacked when it is wanted -----------------------------------------------------------

  let packed = null;
  const unpacked = new Map();
  async function details(host) {
    if (!unpacked.has(host)) {
      packed = packed || $("details").textContent.split("\n").slice(1);
      const bytes = Uint8Array.from(atob(packed[host]), (char) => char.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      unpacked.set(host, JSON.parse(await new Response(stream).text()));
      if (unpacked.size > 50) unpacked.delete(unpacked.keys().next().value);
    }
    return unpacked.get(host);
  }

  // --- the list ----------------------------------------------------------------------------------------------------

  const list = {
    HEIGHT: 62, box: $("list"), space: $("list-space"), shown: new Map(), active: 0,
    reset() {
      this.space.style.height = found.length * this.HEIGHT + "px";
      this.box.style.height = Math.max(3, found.length) * this.HEIGHT + "px";
      for (const element of this.shown.values()) element.remove();
      this.shown.clear();
      this.active = 0;
      this.box.scrollTop = 0;
      this.render();
      this.mark(false);
    },
    render() {
      const top = this.box.scrollTop, height = this.box.clientHeight || 700;
      const first = Math.max(0, Math.floor(top / this.HEIGHT) - 6);
      const last = Math.min(found.length, Math.ceil((top + height) / this.HEIGHT) + 6);
      for (const [i, element] of this.shown) if (i < first || i >= last) { element.remove(); this.shown.delete(i); }
      for (let i = first; i < last; i++) if (!this.shown.has(i)) {
        const element = this.item(i);
        this.shown.set(i, element);
        this.space.append(element);
      }
    },
    item(i) {
      const e = found[i], status = statuses[Math.floor(E.code[e] / SEVERITIES)], severity = severities[E.code[e] % SEVERITIES];
      const element = make("div", "item s-" + status);
      element.id = "item-" + i;
      element.setAttribute("role", "option");
      element.setAttribute("aria-setsize", found.length);
      element.setAttribute("aria-posinset", i + 1);
      element.setAttribute("aria-selected", String(i === this.active && this.picked));
      element.style.top = i * this.HEIGHT + "px";
      const head = make("p", "head");
      head.append(make("span", "pill", (status === "fail" ? "" : fleet.words[status] + ", ") + severity),
        make("span", "where", visible(whereOf(E.row[e]))), make("span", "id", visible(controls[E.control[e]][0])));
      element.append(head, make("p", "text", visible(messageOf(e))));
      element.addEventListener("click", () => this.pick(i, false));
      return element;
    },
    picked: false,
    mark(selected) {
      this.picked = selected;
      for (const [i, element] of this.shown) element.setAttribute("aria-selected", String(selected && i === this.active));
      if (found.length) this.box.setAttribute("aria-activedescendant", "item-" + this.active);
      else this.box.removeAttribute("aria-activedescendant");
    },
    move(i) {
      if (!found.length) return;
      this.active = Math.max(0, Math.min(found.length - 1, i));
      const top = this.active * this.HEIGHT;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top + this.HEIGHT > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + this.HEIGHT - this.box.clientHeight;
      this.render();
      this.mark(true);
    },
    pick(i, focus) {
      this.move(i);
      const e = found[this.active];
      if (e !== undefined) detail.show([E.row[e]], E.control[e], focus ? this.box : null);
    },
    keys(event) {
      const page = Math.max(1, Math.floor(this.box.clientHeight / this.HEIGHT) - 1);
      const to = { ArrowDown: this.active + (this.picked ? 1 : 0), ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: found.length - 1 }[event.key];
      if (to !== undefined) {
        if (matchMedia("(min-width: 1100px)").matches) this.pick(to, false); else this.move(to);
      } else if (event.key === "Enter" || event.key === " ") this.pick(this.active, true);
      else return;
      event.preventDefault();
    },
  };
  list.box.addEventListener("scroll", () => list.render(), { passive: true });
  list.box.addEventListener("keydown", (event) => list.keys(event));

  // --- the matrix --------------------------------------------------------------------------------------------------

  const matrix = {
    HEIGHT: 27, box: $("matrix"), body: $("matrix-body"), head: $("matrix-head"), lines: [], open: new Set(), at: [0, 0], window: "",
    columns: controls.map((_, c) => c).filter((c) => { // those that anybody was asked
      for (let cell = c; cell < cells.length; cell += COLUMNS) if (cells[cell] >= 0) return true;
      return false;
    }),
    prepare() {
      if (this.head.children.length) return;
      const families = make("tr"), numbers = make("tr");
      const corner = make("th", "corner", "Host");
      corner.scope = "col";
      corner.rowSpan = 2;
      families.append(corner);
      let last = null, span = null;
      for (const control of this.columns.map((c) => controls[c])) {
        const [, family, rest] = /^(?:PBS-)?(.*)-(\d+)$/.exec(control[0]) || [null, visible(control[0]), ""];
        if (family !== last) {
          span = make("th", "", family);
          span.scope = "colgroup";
          families.append(span);
          last = family;
        }
        span.colSpan = span.columns = (span.columns || 0) + 1;
        const cell = make("th", "", rest || "\u2022");
        cell.scope = "col";
        cell.title = visible(control[0] + " " + control[1]);
        cell.setAttribute("aria-label", visible(control[0] + " " + control[1]));
        numbers.append(cell);
      }
      for (const cell of families.children) {
        cell.title = cell.textContent;
        if (cell.colSpan < 2 && cell !== corner) {
          cell.textContent = cell.textContent.slice(0, 3);
          cell.className = "small";
        }
      }
      this.head.append(families, numbers);
      for (const status of statuses) this.keySign(SIGNS[status], "s-" + status, fleet.words[status]);
      this.keySign(SIGNS.fail, "s-fail strong", "failed, critical");
    },
    keySign(sign, kind, text) {
      const item = make("li");
      item.append(make("i", kind, sign), text);
      $("key").append(item);
    },
    reset() {
      this.prepare();
      this.layout();
      this.at = [0, 0];
      this.box.scrollTop = 0;
      this.size();
      this.render(true);
    },
    size() { this.box.style.height = (Math.max(3, this.lines.length) + 3) * this.HEIGHT + "px"; },
    layout() {
      this.lines = [];
      this.worst = this.worst || hosts.map((_, i) => { // the worst cell of each host
        let worst = 999;
        for (let c = firstRow[i] * COLUMNS; c < firstRow[i + 1] * COLUMNS; c++) if (cells[c] >= 0 && badness[cells[c]] < worst) worst = badness[cells[c]];
        return worst;
      });
      let order = [];
      for (let i = 0; i < hosts.length; i++) if (hostShown[i]) order.push(i);
      if (state.order !== "host") {
        order.sort((a, b) => this.worst[a] - this.worst[b] || a - b);
      }
      for (const i of order) {
        this.lines.push([i, -1]);
        if (this.open.has(i)) for (let row = firstRow[i]; row < firstRow[i + 1]; row++) this.lines.push([i, row]);
      }
    },
    rows(line) { // the rows of cells behind a line: all of the host's, or one
      const [i, row] = line;
      return row >= 0 ? [row] : Array.from({ length: firstRow[i + 1] - firstRow[i] }, (_, k) => firstRow[i] + k);
    },
    cell(line, control) {
      let best = -1;
      for (const row of this.rows(line)) {
        const value = cells[row * COLUMNS + control];
        if (value >= 0 && (best < 0 || badness[value] < badness[best])) best = value;
      }
      return best;
    },
    render(force, all) {
      const top = this.box.scrollTop, height = this.box.clientHeight || 700;
      const first = all ? 0 : Math.max(0, Math.floor(top / this.HEIGHT) - 4);
      const last = all ? Math.min(this.lines.length, PRINTED_HOSTS) : Math.min(this.lines.length, Math.ceil((top + height) / this.HEIGHT) + 4);
      const window = first + "-" + last;
      if (!force && window === this.window) return;
      this.window = window;
      const focused = this.body.contains(document.activeElement);
      const rows = [this.spacer(first)];
      for (let n = first; n < last; n++) rows.push(this.line(n));
      rows.push(this.spacer(this.lines.length - last));
      this.body.replaceChildren(...rows);
      this.body.parentElement.setAttribute("aria-rowcount", this.lines.length + 2);
      if (focused) this.focus(false);
    },
    spacer(count) {
      const row = make("tr", "space"), cell = make("td");
      row.setAttribute("aria-hidden", "true");
      cell.colSpan = this.columns.length + 1;
      cell.style.height = count * this.HEIGHT + "px";
      row.hidden = count === 0;
      row.append(cell);
      return row;
    },
    line(n) {
      const line = this.lines[n], [i, row] = line, host = hosts[i];
      const element = make("tr", row < 0 ? "" : "store");
      element.setAttribute("aria-rowindex", n + 3);
      const head = make("th"), box = make("div");
      head.scope = "row";
      const name = visible(row < 0 ? host[0] : rowPlace[row] ? storeOf(row) : "the host itself");
      if (row < 0 && host[4].length) {
        const fold = make("button", "fold", this.open.has(i) ? "\u25be" : "\u25b8");
        fold.type = "button";
        fold.setAttribute("aria-expanded", String(this.open.has(i)));
        fold.setAttribute("aria-label", "Datastores of " + name);
        fold.addEventListener("click", () => this.fold(i, n));
        box.append(fold);
      } else if (row < 0) box.append(make("span", "fold", ""));
      const label = make("span", "", name);
      label.title = name + (host[3] && row < 0 ? ": " + visible(host[3]) : "");
      box.append(label);
      head.append(box);
      element.append(head);
      for (const [k, c] of this.columns.entries()) {
        const value = this.cell(line, c), cell = make("td");
        cell.setAttribute("role", "gridcell");
        cell.dataset.line = n;
        cell.dataset.column = k;
        cell.tabIndex = n === this.at[0] && k === this.at[1] ? 0 : -1;
        if (value < 0) {
          cell.className = "n";
          cell.setAttribute("aria-label", "not asked");
        } else {
          const status = statuses[Math.floor(value / SEVERITIES)], severity = severities[value % SEVERITIES];
          const matches = wanted[value] && (state.control < 0 || state.control === c);
          cell.className = "s-" + status + (matches ? " " + (value < PROBLEMS * SEVERITIES ? severity : "") : " faint");
          const text = visible(controls[c][0]) + " on " + name + ": " + fleet.words[status] + (value < PROBLEMS * SEVERITIES ? ", " + severity : "");
          cell.setAttribute("aria-label", text);
          cell.textContent = SIGNS[status];
        }
        element.append(cell);
        if (k === 0 && row < 0 && host[3]) { // no document, so nothing else to show than why
          const reason = make("td", "reason", visible(host[3]));
          reason.colSpan = Math.max(1, this.columns.length - 1);
          element.append(reason);
          break;
        }
      }
      return element;
    },
    fold(i, n) {
      if (this.open.has(i)) this.open.delete(i); else this.open.add(i);
      this.layout();
      this.size();
      this.render(true);
      const row = [...this.body.children].find((element) => element.getAttribute("aria-rowindex") === String(n + 3));
      row?.querySelector(".fold")?.focus();
    },
    focus(scroll) {
      const [n, c] = this.at, top = n * this.HEIGHT, head = this.head.offsetHeight;
      if (scroll) {
        if (top < this.box.scrollTop) this.box.scrollTop = top;
        else if (top + this.HEIGHT + head > this.box.scrollTop + this.box.clientHeight - 20) this.box.scrollTop = top + this.HEIGHT + head - this.box.clientHeight + 20;
        this.render(true);
      }
      const cell = this.body.querySelector('td[data-line="' + n + '"][data-column="' + c + '"]');
      if (cell) {
        cell.tabIndex = 0;
        cell.focus({ preventScroll: !scroll });
        if (scroll) cell.scrollIntoView({ block: "nearest", inline: "center" });
      }
    },
    pick(n, k, from) {
      const line = this.lines[n], c = this.columns[k];
      if (line && this.cell(line, c) >= 0) detail.show(this.rows(line), c, from);
    },
    keys(event) {
      if (event.target.tagName !== "TD") return;
      let [n, c] = this.at = [Number(event.target.dataset.line), Number(event.target.dataset.column)];
      const page = Math.max(1, Math.floor(this.box.clientHeight / this.HEIGHT) - 3);
      switch (event.key) {
        case "ArrowDown": n++; break;
        case "ArrowUp": n--; break;
        case "ArrowRight": c++; break;
        case "ArrowLeft": c--; break;
        case "PageDown": n += page; break;
        case "PageUp": n -= page; break;
        case "Home": c = 0; if (event.ctrlKey) n = 0; break;
        case "End": c = this.columns.length - 1; if (event.ctrlKey) n = this.lines.length - 1; break;
        case "Enter": case " ": event.preventDefault(); this.pick(n, c, this.box); return;
        default: return;
      }
      event.preventDefault();
      event.target.tabIndex = -1;
      this.at = [Math.max(0, Math.min(this.lines.length - 1, n)), Math.max(0, Math.min(this.columns.length - 1, c))];
      this.focus(true);
    },
  };
  matrix.box.addEventListener("scroll", () => matrix.render(false), { passive: true });
  matrix.body.addEventListener("keydown", (event) => matrix.keys(event));
  matrix.body.addEventListener("mouseover", (event) => { // a title for each cell from the start costs time
    const cell = event.target.closest("td[data-line]");
    if (cell && !cell.title) cell.title = cell.getAttribute("aria-label");
  });
  matrix.body.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-line]");
    if (!cell) return;
    matrix.at = [Number(cell.dataset.line), Number(cell.dataset.column)];
    matrix.pick(matrix.at[0], matrix.at[1], null);
  });

  // --- one finding -------------------------------------------------------------------------------------------------

  const detail = {
    box: $("detail"), back: null, address: "", turn: 0,
    async show(rows, control, from) {
      const turn = ++this.turn, host = rowHost[rows[0]];
      this.address = [hosts[host][0], rows.length > 1 ? "*" : storeOf(rows[0]), controls[control][0]].map(encodeURIComponent).join("/");
      this.back = from || this.back;
      let items, trouble = "";
      try {
        const places = new Set(rows.map((row) => rowPlace[row]));
        items = (await details(host)).filter((item) => item[1] === control && places.has(item[0]));
      } catch (error) {
        items = [];
        trouble = "This browser cannot unpack the details (it needs DecompressionStream). They are in report.csv beside this page.";
      }
      if (turn !== this.turn) return; // another one was asked for meanwhile
      items.sort((a, b) => badness[a[2] * SEVERITIES + a[3]] - badness[b[2] * SEVERITIES + b[3]] || a[0] - b[0]);
      this.fill(host, control, items, trouble);
      this.box.hidden = false;
      $("views").classList.toggle("wide", state.view === "list");
      this.box.scrollTop = 0;
      if (from) this.box.focus();
      remember();
    },
    fill(host, control, items, trouble) {
      const about = controls[control], head = make("div", "bar2"), title = make("h2", "", visible(about[0]));
      title.append(prose("small", "", sentence(about[1])));
      const close = make("button", "quiet", "Close");
      close.type = "button";
      close.id = "close";
      close.addEventListener("click", () => this.close());
      head.append(title, close);
      const parts = [head];
      if (trouble) parts.push(make("p", "message", trouble));
      for (const item of items) parts.push(this.article(host, item));
      const article = make("article");
      for (const [name, text] of [["Why it matters", about[4]], ["The behaviour of PBS behind it", about[5]], ["Standards", about[6].join(" \u00b7 ")]])
        if (text) { article.append(make("h3", "", name)); article.append(prose("p", "", text)); }
      parts.push(article);
      this.box.replaceChildren(...parts);
    },
    article(host, [place, , status, severity, message, remedy, evidence, waiver, since]) {
      const article = make("article", "s-" + statuses[status]), info = hosts[host];
      const line = make("p");
      line.append(make("span", "pill", fleet.words[statuses[status]] + ", " + severities[severity]), " ",
        make("b", "", visible(info[0] + (place ? " / " + info[4][place - 1] : ""))));
      article.append(line, prose("p", "message", message));
      if (remedy) article.append(make("h3", "", "What mends it"), prose("p", "remedy", remedy));
      if (waiver) {
        const box = make("div", "waived");
        box.append(make("b", "", "Waived until " + visible(waiver.until || "?")), make("p", "", visible(waiver.justification || "")));
        article.append(box);
      }
      if (evidence) {
        const box = make("div", "evidence");
        box.append(tree(evidence, 0));
        article.append(make("h3", "", "Evidence"), box);
      }
      const facts = [];
      if (since) facts.push("Known since " + since.slice(0, 16).replace("T", " ") + " UTC");
      if (info[1]) facts.push("Document of " + info[1].slice(0, 16).replace("T", " ") + " UTC");
      if (info[2]) facts.push("PBS " + visible(info[2]));
      if (facts.length) article.append(make("p", "facts", facts.join(" \u00b7 ")));
      return article;
    },
    close() {
      this.turn++;
      this.box.hidden = true;
      this.address = "";
      $("views").classList.remove("wide");
      if (state.view === "matrix") matrix.focus(false); else list.box.focus({ preventScroll: true });
      remember();
    },
    recall(address) {
      const [host, store, id] = address.split("/").map(decodeURIComponent);
      const i = hosts.findIndex((item) => item[0] === host), control = controls.findIndex((item) => item[0] === id);
      if (i < 0 || control < 0) return;
      const rows = matrix.rows([i, -1]).filter((row) => store === "*" || storeOf(row) === store);
      if (rows.length) this.show(rows, control, null);
    },
  };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !detail.box.hidden) detail.close(); });

  const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  // `words in backticks` are code.
  function prose(name, className, text) {
    const element = make(name, className);
    visible(text).split("`").forEach((part, i, all) => {
      if (i % 2 && i < all.length - 1) element.append(make("code", "", part));
      else element.append((i % 2 ? "`" : "") + part);
    });
    return element;
  }

  // Nanoseconds since the epoch, with all their digits.
  const moment = (text) => new Date(Number(text.slice(0, 10)) * 1000).toISOString().slice(0, 19).replace("T", " ") + "." + text.slice(10) + " UTC";

  function tree(value, depth) {
    if (value === null || typeof value !== "object") return document.createTextNode(visible(value));
    if (depth > 8) return document.createTextNode(visible(JSON.stringify(value)));
    const flatList = Array.isArray(value) && value.every((item) => item === null || typeof item !== "object");
    if (flatList && value.join(", ").length < 80) return document.createTextNode(value.length ? value.map(visible).join(", ") : "none");
    if (Array.isArray(value)) {
      const element = make("ol");
      for (const item of value.slice(0, 200)) {
        const line = make("li");
        line.append(tree(item, depth + 1));
        element.append(line);
      }
      if (value.length > 200) element.append(make("li", "", "\u2026 and " + number(value.length - 200) + " more"));
      return element;
    }
    const element = make("dl");
    for (const [key, item] of Object.entries(value)) {
      const right = make("dd");
      right.append(tree(item, depth + 1));
      if (key.endsWith("_ns") && /^\d{19}$/.test(item)) right.append(" (" + moment(item) + ")");
      element.append(make("dt", "", visible(key)), right);
    }
    return element.children.length ? element : document.createTextNode("none");
  }

  // --- views, theme, print -----------------------------------------------------------------------------------------

  function view(name) {
    state.view = name;
    for (const other of ["list", "matrix"]) {
      const tab = $("tab-" + other), on = other === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      $("panel-" + other).hidden = !on;
    }
    detail.box.hidden = true;
    detail.address = "";
    $("views").classList.remove("wide");
    filter();
  }
  for (const name of ["list", "matrix"]) {
    $("tab-" + name).addEventListener("click", () => view(name));
    $("tab-" + name).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = name === "list" ? "matrix" : "list";
      view(other);
      $("tab-" + other).focus();
    });
  }

  const themes = ["auto", "light", "dark"];
  function theme(name) {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    $("theme").textContent = "Theme: " + name;
    try { localStorage.setItem("fleetops.pbs theme", name); } catch { /* not to be had for a file in some browsers */ }
  }
  let themeNow = "auto";
  try { themeNow = localStorage.getItem("fleetops.pbs theme") || "auto"; } catch { /* likewise */ }
  if (!themes.includes(themeNow)) themeNow = "auto";
  $("theme").addEventListener("click", () => theme(themeNow = themes[(themes.indexOf(themeNow) + 1) % 3]));

  const PRINTED = 1000, PRINTED_HOSTS = 200;
  addEventListener("beforeprint", () => {
    const box = $("print-list");
    box.replaceChildren();
    if (state.view === "matrix") { matrix.render(true, true); return; }
    for (const e of found.subarray(0, PRINTED)) {
      const status = statuses[Math.floor(E.code[e] / SEVERITIES)], article = make("article", "s-" + status), head = make("p");
      head.append(make("span", "pill", fleet.words[status] + ", " + severities[E.code[e] % SEVERITIES]), " ",
        make("b", "", visible(whereOf(E.row[e]))), " " + visible(controls[E.control[e]][0]));
      article.append(head, make("p", "", visible(messageOf(e))));
      if (remedyOf(e)) article.append(prose("p", "", "What mends it: " + remedyOf(e)));
      box.append(article);
    }
    if (found.length > PRINTED) box.append(make("p", "", "\u2026 and " + number(found.length - PRINTED) + " more: filter before printing, or see report.csv."));
  });
  addEventListener("afterprint", () => { $("print-list").replaceChildren(); if (state.view === "matrix") matrix.render(true); });

  controls.forEach((control, i) => {
    const option = make("option", "", visible(control[0] + " " + control[1]));
    option.value = i;
    $("control").append(option);
  });
  chips($("statuses"), statuses, totals, "statuses", true);
  const worstFirst = severities.map((_, i) => SEVERITIES - 1 - i);
  chips($("severities"), severities, bySeverity, "severities", false);
  $("severities").append(...worstFirst.map((i) => $("severities").children[i]).slice());
  $("text").addEventListener("input", (event) => { state.text = event.target.value; filter(); });
  $("control").addEventListener("change", (event) => { state.control = event.target.value === "" ? -1 : Number(event.target.value); filter(); });
  $("order").addEventListener("change", (event) => { state.order = event.target.value; filter(); });
  $("reset").addEventListener("click", () => {
    Object.assign(state, { text: "", control: -1, statuses: DEFAULT_STATUSES, severities: ALL_SEVERITIES, order: "worst" });
    filter();
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  theme(themeNow);
  for (const id of ["filters", "tabs", "views", "theme"]) $(id).hidden = false;
  recall();
  document.documentElement.dataset.readyMs = performance.now().toFixed(0);
})();
