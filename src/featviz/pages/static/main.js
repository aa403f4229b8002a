// Shows the page that the address asks for, and follows the reader's keys.

import { allAddress, layerAddress, networkAddress, parseAddress, unitAddress } from "./address.js";
import { atlasPage } from "./atlas_page.js";
import { searchField, showPath, startBar } from "./bar.js";
import { comparePage } from "./compare_page.js";
import { announce, later, make } from "./dom.js";
import { onKeys, showKeys } from "./keys.js";
import { networkPage } from "./network_page.js";
import { layerNamed, site } from "./site.js";
import { startTheme } from "./theme.js";
import { unitPage } from "./unit_page.js";
import { allPage, layerPage } from "./units_page.js";

const PAGES = {
  network: networkPage,
  layer: layerPage,
  unit: unitPage,
  all: allPage,
  compare: comparePage,
  atlas: atlasPage,
  missing: missingPage,
};

let shown = {};
let address = null;
let turns = 0;

/** Show what the address asks for; what was shown stays until that is at hand. */
async function showAddress() {
  const turn = ++turns;
  const next = parseAddress(location.hash);
  const scroll = history.state?.scroll;
  const page = await PAGES[next.page](next).catch((error) => failedPage(error));
  if (turn !== turns) return;
  shown.stop?.();
  [shown, address] = [page, next];
  document.title = page.title === site.title ? site.title : `${page.title} | ${site.title}`;
  const content = document.getElementById("content");
  content.replaceChildren(page.node);
  showPath(next, page.title);
  searchField.value = page.text ?? "";
  page.start?.();
  content.dataset.address = location.hash;
  scrollTo(0, scroll ?? 0);
  if (turn > 1) (content.querySelector("h1") ?? content).focus({ preventScroll: true });
  if (!page.search) announce(page.title);
}

async function missingPage({ what, model }) {
  const text = make(
    "p",
    { class: "empty" },
    `There is no ${what} here. `,
    make("a", { href: networkAddress(model) }, "See what there is"),
  );
  return {
    title: "Not found",
    node: make("div", { class: "page" }, make("h1", { tabindex: "-1" }, "Not found"), text),
  };
}

function failedPage(error) {
  const text = make(
    "p",
    { class: "notice" },
    `${error.message}. The pages can be made again: python -m featviz task=report 'runs=[FOLDER]'`,
  );
  return {
    title: "Not at hand",
    node: make("div", { class: "page" }, make("h1", { tabindex: "-1" }, "Not at hand"), text),
  };
}

/** Enter in the search: the first that was found, a unit's number, a layer's name, otherwise a search of all units. */
function openFound(text) {
  if (shown.open) return shown.open();
  const { model, layer } = address;
  const [name, unit] = text.trim().split("/");
  const named = layerNamed(model, name);
  if (named) location.hash = unit ? unitAddress(model, named, Number(unit)) : layerAddress(model, named);
  else if (layer && /^\d+$/.test(name)) location.hash = unitAddress(model, layer, Number(name));
  else location.hash = allAddress(model, new URLSearchParams({ q: text }).toString());
  return undefined;
}

function keys() {
  const { model } = address;
  return {
    "/": () => searchField.select(),
    "?": showKeys,
    n: () => (location.hash = networkAddress(model)),
    a: () => (location.hash = allAddress(model)),
    c: () => document.querySelector("#chosen a")?.click(),
    ...shown.keys,
  };
}

/** Keep where the reader has scrolled to with the page, so that going back leads there again. */
function keepScroll() {
  if (document.getElementById("content").dataset.address === location.hash)
    history.replaceState({ scroll: scrollY }, "");
}

startTheme();
startBar((text) => shown.search?.(text), openFound);
onKeys(keys);
history.scrollRestoration = "manual";
addEventListener("hashchange", showAddress);
addEventListener("scroll", later(100, keepScroll), { passive: true });
showAddress();
