// What is not there, and which command makes it.

import { make } from "./dom.js";
import { layerName } from "./site.js";
import { commandLine } from "./recipe.js";

const OF_PHOTOS =
  "The photos that excite it most, its nearest units by answers to photos, and the classes it speaks for";

/** The section that says what a unit's page could show besides. */
export function missingSection(data, unit, picture, details) {
  const words = [`model=${data.model.name}`, `layer=${layerName(data.layer)}`, `filters=[${unit}]`]
    .map(quoted)
    .join(" ");
  const rows = [];
  if (picture < 0) rows.push(["A picture of what excites it most", `python -m featviz ${words}`]);
  if (!details.exemplars?.length) rows.push([OF_PHOTOS, `python -m featviz task=exemplars data=PHOTOS ${words}`]);
  if (!rows.length) return null;
  const items = rows.map(([what, command]) => make("div", {}, make("p", {}, what, ":"), commandLine(command)));
  return make("section", { class: "missing" }, make("h2", {}, "Not at hand"), items);
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
