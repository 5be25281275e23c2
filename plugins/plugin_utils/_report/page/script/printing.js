// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Printing gives what is filtered.

const PRINTED = 1000, PRINTED_LINES = 200;

function printed(entry) {
  const code = entries.code[entry], article = make("article", "s-" + statusOf(code)), head = make("p");
  head.append(make("span", "pill", fleet.words[statusOf(code)] + ", " + severityOf(code)), " ",
    make("b", "", visible(whereOf(entries.row[entry]))), " " + visible(controls[entries.control[entry]].id));
  article.append(head, make("p", "", visible(messageOf(entry))));
  if (remedyOf(entry)) article.append(prose("p", "", "What mends it: " + remedyOf(entry)));
  return article;
}

function startPrinting() {
  addEventListener("beforeprint", () => {
    const box = $("print-list");
    box.replaceChildren();
    if (state.view === "matrix") { matrix.render(true, true); return; }
    for (const entry of found.subarray(0, PRINTED)) box.append(printed(entry));
    if (found.length > PRINTED) box.append(make("p", "", "\u2026 and " + number(found.length - PRINTED) + " more: filter before printing, or see report.csv."));
  });
  addEventListener("afterprint", () => {
    $("print-list").replaceChildren();
    if (state.view === "matrix") matrix.render(true);
  });
}
