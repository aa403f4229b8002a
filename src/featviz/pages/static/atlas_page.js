// The atlas of a layer: pictures of what it answers with, in the plane; a cell leads to its photos, units and classes.

import { atlasAddress, layerAddress } from "./address.js";
import { AtlasMap } from "./atlas_map.js";
import { announce, button, make } from "./dom.js";
import { load } from "./data.js";
import { count, dotted, number } from "./format.js";
import { layerData } from "./layer_data.js";
import { layerName, layerWord, site, typedWords } from "./site.js";
import { photo } from "./thumbs.js";
import { relatedTile } from "./tiles.js";

/** The page of an atlas. */
export async function atlasPage({ model, layer, cell }) {
  const atlas = site.atlases.find((one) => one.model === model.id && (!layer || one.layer === layer.id));
  if (!atlas) return noAtlas(model, layer);
  const of = layer ?? model.layers.find((one) => one.id === atlas.layer);
  const [data, units] = await Promise.all([load(atlas.file), of.file ? layerData(model, of) : null]);
  const side = make("aside", { class: "atlas-side", "aria-label": "Chosen cell" });
  const map = new AtlasMap(data, (chosen) => choose(chosen, true));
  const choose = (place, moved) => {
    side.replaceChildren(...(place ? cellParts(data, units, place) : hint(data)));
    if (!moved || !place) return;
    history.replaceState(history.state, "", atlasAddress(model, of, place));
    announce(cellWords(data, place));
  };
  const zooms = make(
    "div",
    { class: "zooms" },
    button("Closer", () => map.zoom(1.5), { shape: "plus" }),
    button("Farther", () => map.zoom(1 / 1.5), { shape: "minus" }),
    button("All of it", () => map.reset(), { text: "All" }),
  );
  const title = `Atlas of ${layerName(of)}`;
  const text = dotted(count(data.points, "activation"), `laid out by ${data.method}`);
  const head = make(
    "div",
    { class: "heading" },
    make("h1", { tabindex: "-1" }, title),
    make("p", { class: "soft" }, text),
    make("a", { href: layerAddress(model, of) }, layerName(of)),
  );
  const node = make(
    "div",
    { class: "page wide" },
    head,
    make("div", { class: "atlas" }, make("div", { class: "atlas-map" }, map.canvas, zooms), side),
  );
  const start = () => {
    map.start();
    map.select(cell ?? null);
    choose(cell ?? null, false);
  };
  return { title, node, start, stop: () => map.stop() };
}

function noAtlas(model, layer) {
  const text = "There is no atlas here. ";
  const word = layer ? layerWord(layer) : "layer=layer4";
  const command =
    typedWords(model, "task=atlas", "data=PHOTOS", word) ?? `featviz.atlas(network, "PHOTOS", "${word.slice(6)}")`;
  return {
    title: "Atlas",
    node: make(
      "div",
      { class: "page" },
      make("h1", { tabindex: "-1" }, "Atlas"),
      make("p", { class: "empty" }, text, make("code", {}, command), " makes one."),
    ),
  };
}

function hint(data) {
  const says =
    "Each picture shows what the layer answers with in one place of its space of activations. Places that lie near each other are answered to alike.";
  const how =
    "Scroll or pinch to come closer, drag to move, click a picture to see where it comes from. With keys: arrows, + and −.";
  return [
    make("p", {}, says),
    make("p", { class: "soft" }, how),
    make("p", { class: "soft" }, count(data.levels.length, "level")),
  ];
}

function columnsOf(data, [level, x, y]) {
  const { cells } = data.levels[level] ?? { cells: { x: [] } };
  const at = cells.x.findIndex((column, place) => column === x && cells.y[place] === y);
  return { cells, at };
}

function cellWords(data, place) {
  const { cells, at } = columnsOf(data, place);
  if (at < 0) return "empty";
  const classes = cells.classes[at].map(([, name]) => name).join(", ");
  return dotted(`Column ${place[1] + 1}, row ${place[2] + 1}`, count(cells.count[at], "activation"), classes);
}

function cellParts(data, units, place) {
  const { cells, at } = columnsOf(data, place);
  if (at < 0) return [make("p", { class: "notice" }, "There is no cell at this address."), ...hint(data)];
  const shown = cells.photos[at].map((number_) => data.photos[number_]);
  const photos = make(
    "div",
    { class: "atlas-photos" },
    shown.map(([image, name]) => photo(image, name)),
  );
  const unitsHere = cells.units[at].length ? strongestUnits(units, cells.units[at]) : null;
  const classes = make(
    "ol",
    { class: "plain-units" },
    cells.classes[at].map(([, name, value]) =>
      make("li", {}, name, " ", make("span", { class: "soft" }, number(value))),
    ),
  );
  const parts = [
    ["Photos", shown.length && photos],
    ["Strongest units", unitsHere],
    ["Classes", cells.classes[at].length && classes],
  ];
  const sections = parts
    .filter(([, part]) => part)
    .map(([name, part]) => make("section", {}, make("h2", {}, name), part));
  return [make("p", { class: "soft" }, cellWords(data, place).split(" · ").slice(0, 2).join(" · ")), ...sections];
}

/** The units that stand out in a cell: tiles of those that there is something to see of, and the numbers of the others. */
function strongestUnits(units, pairs) {
  const says = make("p", { class: "soft" }, "In standard deviations above the mean of all activations.");
  const seen = units ? pairs.filter(([unit]) => units.place.has(unit)) : [];
  const rest = pairs.filter((pair) => !seen.includes(pair));
  const tiles = seen.map(([unit, value]) => make("li", {}, relatedTile(units, unit, number(value))));
  const words = rest.map(([unit, value]) => `${unit} (${number(value)})`).join(", ");
  return make(
    "div",
    {},
    says,
    seen.length ? make("ol", { class: "strip-of-units" }, tiles) : null,
    rest.length ? make("p", { class: "unpictured" }, `${seen.length ? "No picture of " : ""}${words}`) : null,
  );
}
