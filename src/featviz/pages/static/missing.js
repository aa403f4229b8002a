// What is not there, and which command makes it.

import { make } from "./dom.js";
import { layerName, layerWord, typedWords } from "./site.js";
import { commandLine } from "./recipe.js";

const OF_PHOTOS =
  "The photos that excite it most, its nearest units by answers to photos, and the classes it speaks for";

/** The section that says what a unit's page could show besides. */
export function missingSection(data, unit, picture, details) {
  const words = [layerWord(data.layer), `filters=[${unit}]`];
  const given = `layer=${JSON.stringify(layerName(data.layer))}, filters=[${unit}]`; // of a network that is an object
  const rows = [];
  if (picture < 0) {
    const typed = typedWords(data.model, ...words) ?? `featviz.visualize(network, ${given})`;
    rows.push(["A picture of what excites it most", typed]);
  }
  if (!details.exemplars?.length) {
    const typed = typedWords(data.model, "task=exemplars", "data=PHOTOS", ...words);
    rows.push([OF_PHOTOS, typed ?? `featviz.exemplars(network, "PHOTOS", ${given})`]);
  }
  if (!rows.length) return null;
  const items = rows.map(([what, command]) => make("div", {}, make("p", {}, what, ":"), commandLine(command)));
  return make("section", { class: "missing" }, make("h2", {}, "Not at hand"), items);
}
