// The units that are chosen to be compared, and the bar that leads to the comparison.

import { compareAddress } from "./address.js";
import { announce, button, make } from "./dom.js";
import { count } from "./format.js";

const chosen = new Set();

/** Whether an item (written as in addresses) is chosen. */
export function isChosen(item) {
  return chosen.has(item);
}

/** Choose an item, or drop it. */
export function choose(item, yes = !chosen.has(item)) {
  if (yes) chosen.add(item);
  else chosen.delete(item);
  for (const box of document.querySelectorAll("input[data-item]")) box.checked = chosen.has(box.dataset.item);
  showChosen();
}

/** A box that chooses an item. */
export function chooseBox(item, label) {
  const box = make("input", {
    type: "checkbox",
    class: "choose",
    "data-item": item,
    "aria-label": label,
    title: label,
  });
  box.checked = chosen.has(item);
  box.addEventListener("change", () => choose(item, box.checked));
  return box;
}

function showChosen() {
  const place = document.getElementById("chosen");
  const text = `${count(chosen.size, "picture")} chosen`;
  announce(text);
  if (!chosen.size) return place.replaceChildren();
  const compare = make("a", { class: "button strong", href: compareAddress([...chosen]) }, "Compare");
  const clear = button("Clear", clearChosen, { text: "Clear" });
  return place.replaceChildren(
    make("section", { "aria-label": "Chosen to compare" }, make("span", {}, text), clear, compare),
  );
}

function clearChosen() {
  for (const item of [...chosen]) choose(item, false);
  document.getElementById("content").focus();
}
