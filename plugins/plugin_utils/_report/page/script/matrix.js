// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The matrix of hosts and controls. A line is a host with the worst of all its rows ({host, row: WHOLE_HOST}), or, where
// the host is unfolded, one of its rows. However many hosts there are, only the lines that are seen are in the page.

const WHOLE_HOST = -1;

const matrix = {
  HEIGHT: 27, box: $("matrix"), body: $("matrix-body"), head: $("matrix-head"), lines: [], open: new Set(), window: "",
  at: { line: 0, column: 0 }, // the cell that the keyboard is on
  columns: controls.map((_, c) => c).filter((c) => { // those that anybody was asked
    for (let cell = c; cell < cells.length; cell += COLUMNS) if (cells[cell] !== NOT_ASKED) return true;
    return false;
  }),

  prepare() {
    if (this.head.children.length) return;
    const families = make("tr"), numbers = make("tr"), corner = make("th", "corner", "Host");
    corner.scope = "col";
    corner.rowSpan = 2;
    families.append(corner);
    let last = null, span = null;
    for (const control of this.columns.map((c) => controls[c])) {
      const [, family, rest] = /^(?:PBS-)?(.*)-(\d+)$/.exec(control.id) || [null, visible(control.id), ""];
      if (family !== last) {
        span = make("th", "", family);
        span.scope = "colgroup";
        families.append(span);
        last = family;
      }
      span.columns = (span.columns || 0) + 1;
      span.colSpan = span.columns;
      const cell = make("th", "", rest || "\u2022");
      cell.scope = "col";
      cell.title = visible(control.id + " " + control.title);
      cell.setAttribute("aria-label", visible(control.id + " " + control.title));
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
    this.at = { line: 0, column: 0 };
    this.box.scrollTop = 0;
    this.size();
    this.render(true);
  },
  size() { this.box.style.height = (Math.max(3, this.lines.length) + 3) * this.HEIGHT + "px"; },
  layout() {
    this.lines = [];
    const order = state.order === "host" ? hosts.map((_, i) => i) : byRank;
    for (const host of order.filter((i) => hostShown[i])) {
      this.lines.push({ host, row: WHOLE_HOST });
      if (this.open.has(host))
        for (let row = firstRow[host]; row < firstRow[host + 1]; row++) this.lines.push({ host, row });
    }
  },
  rows({ host, row }) {
    return row !== WHOLE_HOST ? [row] : Array.from({ length: firstRow[host + 1] - firstRow[host] }, (_, k) => firstRow[host] + k);
  },
  code(line, control) {
    let worst = NOT_ASKED;
    for (const row of this.rows(line)) {
      const code = cells[row * COLUMNS + control];
      if (code !== NOT_ASKED && (worst === NOT_ASKED || badness[code] < badness[worst])) worst = code;
    }
    return worst;
  },

  render(force, all) {
    const top = this.box.scrollTop, height = this.box.clientHeight || 700;
    const first = all ? 0 : Math.max(0, Math.floor(top / this.HEIGHT) - 4);
    const last = all ? this.lines.length : Math.min(this.lines.length, Math.ceil((top + height) / this.HEIGHT) + 4);
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
    const line = this.lines[n], host = hosts[line.host], whole = line.row === WHOLE_HOST;
    const element = make("tr", whole ? "" : "store");
    const name = visible(whole ? host.name : rowPlace[line.row] ? storeOf(line.row) : "the host itself");
    element.setAttribute("aria-rowindex", n + 3);
    element.append(this.lineHead(n, name));
    for (const [column, control] of this.columns.entries()) {
      element.append(this.cell(n, column, control, name));
      if (whole && host.reason) { // no document, so nothing else to show than why
        const reason = make("td", "reason", visible(host.reason));
        reason.colSpan = Math.max(1, this.columns.length - 1);
        element.append(reason);
        break;
      }
    }
    return element;
  },
  lineHead(n, name) {
    const line = this.lines[n], host = hosts[line.host], whole = line.row === WHOLE_HOST;
    const head = make("th"), box = make("div"), label = make("span", "", name);
    head.scope = "row";
    if (whole && host.datastores.length) {
      const open = this.open.has(line.host);
      const fold = button("fold", open ? "\u25be" : "\u25b8", () => this.fold(line.host, n));
      fold.setAttribute("aria-expanded", String(open));
      fold.setAttribute("aria-label", "Datastores of " + name);
      box.append(fold);
    } else if (whole) box.append(make("span", "fold", ""));
    label.title = name + (host.reason && whole ? ": " + visible(host.reason) : "");
    box.append(label);
    head.append(box);
    return head;
  },
  cell(n, column, control, name) {
    const code = this.code(this.lines[n], control), cell = make("td");
    cell.setAttribute("role", "gridcell");
    cell.dataset.line = n;
    cell.dataset.column = column;
    cell.tabIndex = n === this.at.line && column === this.at.column ? 0 : -1;
    if (code === NOT_ASKED) {
      cell.className = "n";
      cell.setAttribute("aria-label", "not asked");
      return cell;
    }
    const status = statusOf(code), severity = severityOf(code);
    const matches = wanted[code] && (state.control < 0 || state.control === control);
    cell.className = "s-" + status + (matches ? " " + (isProblem(code) ? severity : "") : " faint");
    cell.setAttribute("aria-label", visible(controls[control].id) + " on " + name + ": " + fleet.words[status] + (isProblem(code) ? ", " + severity : ""));
    cell.textContent = SIGNS[status];
    return cell;
  },

  fold(host, n) {
    if (this.open.has(host)) this.open.delete(host); else this.open.add(host);
    this.layout();
    this.size();
    this.render(true);
    const row = [...this.body.children].find((element) => element.getAttribute("aria-rowindex") === String(n + 3));
    row?.querySelector(".fold")?.focus();
  },
  focus(scroll) {
    const { line, column } = this.at, top = line * this.HEIGHT, head = this.head.offsetHeight;
    if (scroll) {
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top + this.HEIGHT + head > this.box.scrollTop + this.box.clientHeight - 20)
        this.box.scrollTop = top + this.HEIGHT + head - this.box.clientHeight + 20;
      this.render(true);
    }
    const cell = this.body.querySelector('td[data-line="' + line + '"][data-column="' + column + '"]');
    if (cell) {
      cell.tabIndex = 0;
      cell.focus({ preventScroll: !scroll });
      if (scroll) cell.scrollIntoView({ block: "nearest", inline: "center" });
    }
  },
  position: (cell) => ({ line: Number(cell.dataset.line), column: Number(cell.dataset.column) }),
  pick(from) {
    const line = this.lines[this.at.line], control = this.columns[this.at.column];
    if (line && this.code(line, control) !== NOT_ASKED) detail.show(this.rows(line), control, from);
  },
  keys(event) {
    if (event.target.tagName !== "TD") return;
    this.at = this.position(event.target);
    let { line, column } = this.at;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.HEIGHT) - 3);
    const lastLine = this.lines.length - 1, lastColumn = this.columns.length - 1;
    switch (event.key) {
      case "ArrowDown": line++; break;
      case "ArrowUp": line--; break;
      case "ArrowRight": column++; break;
      case "ArrowLeft": column--; break;
      case "PageDown": line += page; break;
      case "PageUp": line -= page; break;
      case "Home": column = 0; if (event.ctrlKey) line = 0; break;
      case "End": column = lastColumn; if (event.ctrlKey) line = lastLine; break;
      case "Enter": case " ": event.preventDefault(); this.pick(this.box); return;
      default: return;
    }
    event.preventDefault();
    event.target.tabIndex = -1;
    this.at = { line: Math.max(0, Math.min(lastLine, line)), column: Math.max(0, Math.min(lastColumn, column)) };
    this.focus(true);
  },
  start() {
    this.box.addEventListener("scroll", () => this.render(false), { passive: true });
    this.body.addEventListener("keydown", (event) => this.keys(event));
    this.body.addEventListener("mouseover", (event) => { // a title for each cell from the start costs time
      const cell = event.target.closest("td[data-line]");
      if (cell && !cell.title) cell.title = cell.getAttribute("aria-label");
    });
    this.body.addEventListener("click", (event) => {
      const cell = event.target.closest("td[data-line]");
      if (!cell) return;
      this.at = this.position(cell);
      this.pick(null);
    });
  },
};
