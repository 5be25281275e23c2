// Copyright (c) 2026, the fleetops.pbs contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Elements and texts. Every text goes into the page as text (textContent); its policy forbids markup from strings.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en").format;
const many = (count, word) => number(count) + " " + word + (count === 1 ? "" : "s");
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
// "2026-11-20T02:00:00.000Z" as people read it.
const minute = (time) => time.slice(0, 16).replace("T", " ") + " UTC";

// What no font shows, or what turns the direction of the text round it, is written out.
const visible = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu,
  (char) => "\\u{" + char.codePointAt(0).toString(16) + "}");

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// `words in backticks` are code.
function prose(name, className, text) {
  const element = make(name, className);
  visible(text).split("`").forEach((part, i, all) => {
    if (i % 2 && i < all.length - 1) element.append(make("code", "", part));
    else element.append((i % 2 ? "`" : "") + part);
  });
  return element;
}

// A command on a line of its own, with a button that copies it.
function commandLine(command) {
  const line = make("div", "command-line"), code = make("code", "command", visible(command));
  const copy = button("quiet small copy", "Copy", async () => {
    copy.textContent = (await copied(command, code)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  copy.setAttribute("aria-label", "Copy the command " + visible(command));
  line.append(code, copy);
  return line;
}

// Whether the text is in the clipboard; if not, it is selected, so that a key does it.
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* not allowed, or not available for a file */ }
  getSelection().selectAllChildren(element);
  return document.execCommand("copy");
}

const button = (className, text, action) => {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
};
