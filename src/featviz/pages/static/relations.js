// A unit among units: those nearest to it, and those of the layer before that feed it.

import { make } from "./dom.js";
import { number } from "./format.js";
import { layerData } from "./layer_data.js";
import { layerName } from "./site.js";
import { hasFace, relatedTile } from "./tiles.js";

const NEAREST = {
  activations: "By answers to photos: the correlation of both units' answers.",
  weights: "By weights: the likeness of what both units read.",
};
const FEEDS = {
  gradient: "On its strongest photos: gradient × activation.",
  weights: "By weights, through the linearized network.",
};

/** The sections about other units; empty where nothing is known of them. */
export async function relationSections(data, unit, { nearest = {}, inputs = null }) {
  return [nearestSection(data, nearest), inputs ? await inputsSection(data, inputs) : null].filter(Boolean);
}

function nearestSection(data, nearest) {
  const rows = Object.entries(NEAREST).filter(([by]) => nearest[by]?.length);
  if (!rows.length) return null;
  const lists = rows.map(([by, says]) => make("div", {}, make("p", { class: "soft" }, says), strip(data, nearest[by])));
  return make("section", {}, make("h2", {}, "Nearest units"), lists);
}

/** Tiles of the units that there is something to see of, and the numbers of the others. */
function strip(data, pairs, kind = "") {
  const [seen, rest] = [true, false].map((yes) => pairs.filter(([unit]) => hasFace(data, unit) === yes));
  const tiles = seen.map(([unit, value]) => make("li", {}, relatedTile(data, unit, number(value), kind)));
  const words = rest.map(([unit, value]) => `${unit} (${number(value)})`).join(", ");
  return make(
    "div",
    { class: "related" },
    seen.length ? make("ol", { class: "strip-of-units" }, tiles) : null,
    rest.length ? make("p", { class: "soft unpictured" }, `No picture of ${words}`) : null,
  );
}

async function inputsSection(data, inputs) {
  const source = await sourceData(data, inputs);
  const name = source ? layerName(source.layer) : inputs.module;
  const rows = Object.entries(FEEDS).filter(([by]) => inputs[by]?.exciting?.length || inputs[by]?.inhibiting?.length);
  if (!rows.length) return null;
  const says = make(
    "p",
    { class: "soft" },
    `The units of ${name} that excite it most, and those that inhibit it most.`,
  );
  const lists = rows.map(([by, text]) => {
    const pairs = ["exciting", "inhibiting"].filter((kind) => inputs[by][kind]?.length);
    const halves = pairs.map((kind) =>
      make(
        "div",
        { class: "half" },
        make("h4", { class: kind }, kind),
        source ? strip(source, inputs[by][kind], kind) : plainList(inputs[by][kind], kind),
      ),
    );
    return make("div", {}, make("h3", { class: "soft" }, text), make("div", { class: "halves" }, halves));
  });
  return make("section", { class: "feeds" }, make("h2", {}, "What feeds it"), says, lists);
}

/** The layer that feeds it, where pictures of it are at hand. */
async function sourceData(data, { source }) {
  const layer = data.model.layers.find((other) => other.id === source);
  return layer?.file ? layerData(data.model, layer) : null;
}

function plainList(pairs, kind) {
  return make(
    "ol",
    { class: "plain-units" },
    pairs.map(([unit, value]) =>
      make("li", {}, make("b", {}, String(unit)), " ", make("span", { class: kind }, number(value))),
    ),
  );
}
