// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The two views, and the theme.

const VIEWS = ["list", "matrix"];

function view(name) {
  state.view = name;
  for (const other of VIEWS) {
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

function startViews() {
  for (const name of VIEWS) {
    $("tab-" + name).addEventListener("click", () => view(name));
    $("tab-" + name).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = VIEWS[1 - VIEWS.indexOf(name)];
      view(other);
      $("tab-" + other).focus();
    });
  }
}

const theme = {
  NAMES: ["auto", "light", "dark"], KEY: "fleetops.pbs theme", now: "auto",
  use(name) {
    this.now = this.NAMES.includes(name) ? name : "auto";
    if (this.now === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.now;
    $("theme").textContent = "Theme: " + this.now;
    try { localStorage.setItem(this.KEY, this.now); } catch { /* some browsers have none for a file */ }
  },
  start() {
    let kept = "";
    try { kept = localStorage.getItem(this.KEY); } catch { /* likewise */ }
    this.use(kept);
    $("theme").addEventListener("click", () => this.use(this.NAMES[(this.NAMES.indexOf(this.now) + 1) % this.NAMES.length]));
  },
};
