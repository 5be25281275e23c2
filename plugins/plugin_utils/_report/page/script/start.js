// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

startFilters();
startViews();
startCsv();
startPrinting();
list.start();
matrix.start();
detail.start();
for (const code of document.querySelectorAll("td > code.command")) code.replaceWith(commandLine(code.textContent));
theme.start();
addEventListener("hashchange", recall);
for (const id of ["filters", "tabs", "views", "theme"]) $(id).hidden = false;
recall();
document.documentElement.dataset.readyMs = performance.now().toFixed(0);
