// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The list of findings. However long it is, only the lines that are seen are in the page.

const list = {
  HEIGHT: 62, box: $("list"), space: $("list-space"), shown: new Map(), active: 0, picked: false,
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
    const entry = found[i], status = statusOf(entries.code[entry]), severity = severityOf(entries.code[entry]);
    const element = make("div", "item s-" + status), head = make("p", "head");
    element.id = "item-" + i;
    element.setAttribute("role", "option");
    element.setAttribute("aria-setsize", found.length);
    element.setAttribute("aria-posinset", i + 1);
    element.setAttribute("aria-selected", String(i === this.active && this.picked));
    element.style.top = i * this.HEIGHT + "px";
    head.append(make("span", "pill", (status === "fail" ? "" : fleet.words[status] + ", ") + severity),
      make("span", "where", visible(whereOf(entries.row[entry]))),
      make("span", "id", visible(controls[entries.control[entry]].id)));
    element.append(head, make("p", "text", visible(messageOf(entry))));
    element.addEventListener("click", () => this.pick(i, false));
    return element;
  },
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
    else if (top + this.HEIGHT > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = top + this.HEIGHT - this.box.clientHeight;
    this.render();
    this.mark(true);
  },
  pick(i, focus) {
    this.move(i);
    const entry = found[this.active];
    if (entry !== undefined) detail.show([entries.row[entry]], entries.control[entry], focus ? this.box : null);
  },
  keys(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.HEIGHT) - 1);
    const to = {
      ArrowDown: this.active + (this.picked ? 1 : 0), ArrowUp: this.active - 1,
      PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: found.length - 1,
    }[event.key];
    if (to !== undefined) {
      if (matchMedia("(min-width: 1100px)").matches) this.pick(to, false); else this.move(to);
    } else if (event.key === "Enter" || event.key === " ") this.pick(this.active, true);
    else return;
    event.preventDefault();
  },
  start() {
    this.box.addEventListener("scroll", () => this.render(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.keys(event));
  },
};
