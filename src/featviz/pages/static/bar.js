// The bar on top: where one is, the search, light or dark, keys.

import { layerAddress, networkAddress } from "./address.js";
import { button, icon, make, makeSvg } from "./dom.js";
import { layerName, site } from "./site.js";
import { showKeys } from "./keys.js";
import { themeButton } from "./theme.js";

const path = make("nav", { class: "path", "aria-label": "Where you are" });
export const searchField = make("input", {
  type: "search",
  "aria-label": "Search",
  placeholder: "Search",
  autocomplete: "off",
  spellcheck: "false",
});

/** Put the bar together; `onSearch` gets what is typed, `onOpen` is called at Enter. */
export function startBar(onSearch, onOpen) {
  const field = make(
    "label",
    { class: "search" },
    icon("search"),
    searchField,
    make("kbd", { "aria-hidden": "true" }, "/"),
  );
  searchField.addEventListener("input", () => onSearch(searchField.value));
  searchField.addEventListener("keydown", (event) => {
    if (event.key === "Enter") onOpen(searchField.value);
    if (event.key === "Escape") searchField.blur();
  });
  const keys = button("Keys", showKeys, { shape: "help", class: "plain" });
  document.getElementById("bar").append(path, field, make("div", { class: "tools" }, themeButton(), keys));
}

function homeLink(model) {
  const name = site.models.length > 1 ? model.name : site.title;
  const lens = [
    makeSvg("circle", { cx: 8, cy: 8, r: 6.5 }),
    makeSvg("circle", { cx: 8, cy: 8, r: 2.5, class: "pupil" }),
  ];
  const logo = makeSvg("svg", { class: "icon logo", viewBox: "0 0 16 16", "aria-hidden": "true" }, lens);
  return make(
    "a",
    { href: networkAddress(model), class: "home", "aria-label": name, title: name },
    logo,
    make("span", {}, name),
  );
}

/** Say where one is: the site's title, the network, the layer. */
export function showPath({ page, model, layer, unit }, title) {
  const parts = [homeLink(model)];
  if (layer) parts.push(make("a", { href: layerAddress(model, layer) }, layerName(layer)));
  if (unit !== undefined) parts.push(make("span", {}, String(unit)));
  if (page === "compare" || page === "all" || page === "missing") parts.push(make("span", {}, title));
  if (page === "atlas") parts.push(make("span", {}, "Atlas"));
  parts.at(-1).setAttribute("aria-current", "page");
  path.replaceChildren(...parts);
  const what = page === "layer" ? layerName(layer) : page === "all" ? "all units" : model.name;
  searchField.placeholder = innerWidth < 640 ? "Search" : `Search ${what}`;
  searchField.setAttribute("aria-label", `Search ${what}`);
}
