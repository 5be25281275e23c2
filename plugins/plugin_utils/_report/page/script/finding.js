// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// One finding with all that it says, or those of all rows of a host about one control.

const detail = {
  box: $("detail"), back: null, address: "", turn: 0,
  async show(rows, control, from) {
    const turn = ++this.turn, host = rowHost[rows[0]];
    this.address = [hosts[host].name, rows.length > 1 ? "*" : storeOf(rows[0]), controls[control].id].map(encodeURIComponent).join("/");
    this.back = from || this.back;
    let items = [], trouble = "";
    try {
      const places = new Set(rows.map((row) => rowPlace[row]));
      items = (await detailsOf(host)).filter((item) => item.control === control && places.has(item.place));
    } catch {
      trouble = "This browser cannot unpack the details (it needs DecompressionStream). They are in report.csv beside this page.";
    }
    if (turn !== this.turn) return; // another one was asked for meanwhile
    const codeOf = (item) => item.status * SEVERITIES + item.severity;
    items.sort((a, b) => badness[codeOf(a)] - badness[codeOf(b)] || a.place - b.place);
    this.fill(host, control, items, trouble);
    this.box.hidden = false;
    $("views").classList.toggle("wide", state.view === "list");
    this.box.scrollTop = 0;
    if (from) this.box.focus();
    remember();
  },
  fill(host, control, items, trouble) {
    const about = controls[control], head = make("div", "bar2"), title = make("h2", "", visible(about.id));
    title.append(prose("small", "", sentence(about.title)));
    const close = button("quiet", "Close", () => this.close());
    close.id = "close";
    head.append(title, close);
    const parts = [head, this.documentation(about)];
    if (trouble) parts.push(make("p", "message", trouble));
    for (const item of items) parts.push(this.article(hosts[host], item));
    parts.push(this.about(about));
    this.box.replaceChildren(...parts);
  },
  documentation(control) {
    const line = make("p", "doc"), link = make("a", "", "Documentation of " + visible(control.id));
    link.href = control.documentation;
    link.rel = "noreferrer";
    line.append(link);
    return line;
  },
  about(control) {
    const article = make("article");
    for (const [name, text] of [
      ["Why it matters", control.why], ["The behaviour of PBS behind it", control.behaviour],
      ["Standards", control.standards.join(" \u00b7 ")],
    ]) if (text) article.append(make("h3", "", name), prose("p", "", text));
    return article;
  },
  article(host, item) {
    const status = statuses[item.status], article = make("article", "s-" + status), line = make("p");
    const where = host.name + (item.place ? " / " + host.datastores[item.place - 1] : "");
    line.append(make("span", "pill", fleet.words[status] + ", " + severities[item.severity]), " ", make("b", "", visible(where)));
    article.append(line, prose("p", "message", item.message));
    if (item.remedy || item.commands) article.append(make("h3", "", "How to fix it"));
    if (item.remedy) article.append(prose("p", "remedy", item.remedy));
    for (const command of item.commands || []) article.append(commandLine(command));
    if (item.waiver) {
      const box = make("div", "waived");
      box.append(make("b", "", "Waived until " + visible(item.waiver.until || "?")),
        make("p", "", visible(item.waiver.justification || "")));
      article.append(box);
    }
    if (item.evidence) {
      const box = make("div", "evidence");
      box.append(tree(item.evidence, 0));
      article.append(make("h3", "", "Evidence"), box);
    }
    const facts = [];
    if (item.since) facts.push("Known since " + minute(item.since));
    if (host.finished) facts.push("Document of " + minute(host.finished));
    if (host.pbs_version) facts.push("PBS " + visible(host.pbs_version));
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
    const [hostName, store, id] = address.split("/").map(decodeURIComponent);
    const host = hosts.findIndex((item) => item.name === hostName), control = controls.findIndex((item) => item.id === id);
    if (host < 0 || control < 0) return;
    const rows = matrix.rows({ host, row: WHOLE_HOST }).filter((row) => store === "*" || storeOf(row) === store);
    if (rows.length) this.show(rows, control, null);
  },
  start() {
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !this.box.hidden) this.close(); });
  },
};

// Nanoseconds since the epoch, with all their digits.
const moment = (text) => new Date(Number(text.slice(0, 10)) * 1000).toISOString().slice(0, 19).replace("T", " ") + "." + text.slice(10) + " UTC";

// The value of a JSON text as nested lists; at most so deep, and so long.
const TREE_DEPTH = 8, TREE_LENGTH = 200;
function tree(value, depth) {
  if (value === null || typeof value !== "object") return document.createTextNode(visible(value));
  if (depth > TREE_DEPTH) return document.createTextNode(visible(JSON.stringify(value)));
  const flatList = Array.isArray(value) && value.every((item) => item === null || typeof item !== "object");
  if (flatList && value.join(", ").length < 80) return document.createTextNode(value.length ? value.map(visible).join(", ") : "none");
  if (Array.isArray(value)) {
    const element = make("ol");
    for (const item of value.slice(0, TREE_LENGTH)) {
      const line = make("li");
      line.append(tree(item, depth + 1));
      element.append(line);
    }
    if (value.length > TREE_LENGTH) element.append(make("li", "", "\u2026 and " + number(value.length - TREE_LENGTH) + " more"));
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
