// What is not there, and which command makes it.

import { make } from "./dom.js";
import { layerName, site } from "./site.js";
import { commandLine } from "./recipe.js";

/** The section that says what a unit's page could show besides. */
export function missingSection(data, unit, picture, details) {
  const model = data.model.name;
  const which = `model=${model} layer=${layerName(data.layer)} 'filters=[${unit}]'`;
  const rows = [];
  if (picture < 0) rows.push(["A picture of what excites it most", `python -m featviz ${which}`]);
  if (!details.exemplars?.length)
    rows.push([
      "The photos that excite it most, its nearest units by answers to photos, and the classes it speaks for",
      `python -m featviz task=exemplars data=PHOTOS ${which}`,
    ]);
  const problems = picture < 0 ? [] : site.runs[data.pictures.run[picture]].problems;
  if (!rows.length && !problems.length) return null;
  const items = rows.map(([what, command]) => make("div", {}, make("p", {}, what, ":"), commandLine(command)));
  const wrong = problems.map((problem) => make("p", { class: "notice" }, problem));
  return make("section", { class: "missing" }, make("h2", {}, "Not at hand"), items, wrong);
}
