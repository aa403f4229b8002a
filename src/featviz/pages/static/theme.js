// Light or dark: as the reader's system says, until the reader says otherwise.

import { button } from "./dom.js";
import { recalled, remember } from "./memory.js";

/** Follow what the reader chose the last time. */
export function startTheme() {
  const kept = recalled("theme", "");
  if (kept) document.documentElement.dataset.theme = kept;
}

/** The button that turns light into dark and back. */
export function themeButton() {
  return button("Light or dark", turn, { shape: "theme", class: "plain" });
}

function turn() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  if (next === system) delete root.dataset.theme;
  else root.dataset.theme = next;
  remember("theme", next === system ? null : next);
}
