// Keys, and the sheet that tells them.

import { button, make } from "./dom.js";

const SHEET = [
  ["← →", "the unit before, the unit after"],
  ["u", "up to the layer"],
  ["n", "the network"],
  ["a", "all units"],
  ["/", "search"],
  ["Enter", "in the search: to the first that was found"],
  ["x", "choose the unit to compare"],
  ["c", "compare what is chosen"],
  ["?", "these keys"],
];

/** Show the keys. */
export function showKeys() {
  const rows = SHEET.map(([key, says]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, says)));
  const dialog = make("dialog", { class: "keys", "aria-labelledby": "keys-title" });
  const close = button("Close", () => dialog.close(), { shape: "close", class: "plain" });
  const note = make("p", { class: "soft" }, "In a grid, arrows, Home and End go from tile to tile; Enter opens one.");
  dialog.append(make("header", {}, make("h2", { id: "keys-title" }, "Keys"), close), make("dl", {}, rows), note);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Call what a key stands for, unless the reader is typing or has opened something else. */
export function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog, canvas")) return;
    const act = keys()[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
