// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Printing gives what is filtered, all of it, and what is folded.

function printed(entry) {
  const code = entries.code[entry], article = make("article", "s-" + statusOf(code)), head = make("p");
  head.append(make("span", "pill", fleet.words[statusOf(code)] + ", " + severityOf(code)), " ",
    make("b", "", visible(whereOf(entries.row[entry]))), " " + visible(controls[entries.control[entry]].id));
  article.append(head, make("p", "", visible(messageOf(entry))));
  if (remedyOf(entry)) article.append(prose("p", "", "How to fix it: " + remedyOf(entry)));
  for (const command of commandsOf(entry)) article.append(make("code", "command", visible(command)));
  return article;
}

function startPrinting() {
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const element of folded) element.open = true;
    const box = $("print-list");
    box.replaceChildren();
    if (state.view === "matrix") { matrix.render(true, true); return; }
    for (const entry of found) box.append(printed(entry));
  });
  addEventListener("afterprint", () => {
    $("print-list").replaceChildren();
    for (const element of folded) element.open = false;
    if (state.view === "matrix") matrix.render(true);
  });
}
