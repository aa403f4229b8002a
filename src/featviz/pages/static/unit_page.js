// A unit's page: its picture and all others at hand, numbers, photos, neighbors, what feeds it.

import { layerAddress, networkAddress, unitAddress } from "./address.js";
import { itemAddress } from "./address.js";
import { chooseBox, choose } from "./chosen.js";
import { icon, make } from "./dom.js";
import { listed } from "./format.js";
import { layerData } from "./layer_data.js";
import { classesSection, metricsSection } from "./metrics_section.js";
import { missingSection } from "./missing.js";
import { otherNetworks } from "./other_networks.js";
import { photoSections } from "./photos.js";
import { pictureFigure } from "./picture.js";
import { recipeSection } from "./recipe.js";
import { relationSections } from "./relations.js";
import { layerName } from "./site.js";
import { face } from "./tiles.js";
import { lastShown } from "./units_page.js";

/** The page of a unit. */
export async function unitPage({ model, layer, unit, run, query }) {
  const title = `${layerName(layer)} / ${unit}`;
  const data = layer.file ? await layerData(model, layer) : null;
  if (!data?.place.has(unit)) return noUnit(model, layer, unit, title);
  const details = await data.details(unit);
  const picture = shownPicture(data, unit, run, query);
  const item = itemAddress(model, layer, unit, run);
  const order = neighbors(data, unit);
  const columns = () =>
    make(
      "div",
      { class: "unit-columns" },
      pictureFigure(data, unit, picture, details),
      metricsSection(data, unit, picture, details),
    );
  const hasPictures = data.picturesOf(unit).length > 0; // of a unit that has none, its photos come first
  const node = make(
    "article",
    { class: "page" },
    unitHeading(data, unit, picture, item, order),
    hasPictures ? columns() : null,
    photoSections(data, unit, details),
    hasPictures ? null : classesSection(details.speaks_for ?? []),
    await relationSections(data, unit, details),
    await otherNetworks(data, unit),
    recipeSection(data, picture),
    missingSection(data, unit, picture, details),
  );
  return { title, node, keys: keysOf(data, order, item) };
}

function noUnit(model, layer, unit, title) {
  const text = `There is nothing of unit ${unit} of ${layerName(layer)}.`;
  const back = make(
    "a",
    { href: layer.file ? layerAddress(model, layer) : networkAddress(model) },
    "See what there is",
  );
  return {
    title,
    node: make(
      "div",
      { class: "page" },
      make("h1", { tabindex: "-1" }, title),
      make("p", { class: "empty" }, text, " ", back),
    ),
  };
}

/** The picture that an address asks for: a run's, a variant's, the negative one. */
function shownPicture(data, unit, run, query) {
  const { variant, negative } = data.pictures;
  const asked = data.picturesOf(unit).filter((picture) => run === null || data.pictures.run[picture] === run);
  const [wanted, less] = [Number(query.get("variant") ?? -1), query.has("negative") ? 1 : 0];
  const exact = asked.find((picture) => variant[picture] === wanted && negative[picture] === less);
  return exact ?? data.picture(unit, run);
}

/** The units before and after, as the grid has last shown them, otherwise by number. */
function neighbors(data, unit) {
  const shown = lastShown.layer === data.layer && lastShown.units.includes(unit) ? lastShown.units : data.units;
  const at = shown.indexOf(unit);
  return { before: shown[at - 1], after: shown[at + 1] };
}

function unitHeading(data, unit, picture, item, { before, after }) {
  const { model, layer } = data;
  const label = `Choose ${layerName(layer)} unit ${unit} to compare`;
  const names = make(
    "div",
    {},
    make("p", { class: "soft" }, make("a", { href: layerAddress(model, layer) }, layerName(layer))),
    make("h1", { tabindex: "-1" }, `Unit ${unit}`, ...badges(data, unit, picture)),
  );
  const compare = make("label", { class: "button compare-box" }, chooseBox(item, label), "Compare");
  const steps = make(
    "nav",
    { class: "steps", "aria-label": "Neighbors" },
    step(data, before, "left", "Unit before"),
    step(data, after, "right", "Unit after"),
  );
  return make("header", { class: "heading unit-heading" }, names, make("div", { class: "actions" }, compare, steps));
}

function badges(data, unit, picture) {
  const status = data.status(picture);
  const name = data.className(unit);
  const words = [name && make("span", { class: "badge" }, name)];
  if (status !== "ok" && status !== "none")
    words.push(make("span", { class: "badge bad" }, status === "nan" ? "not finite" : status));
  if (picture >= 0 && data.pictures.weak[picture]) words.push(make("span", { class: "badge bad" }, "weak"));
  if (data.silent.has(unit)) words.push(make("span", { class: "badge bad" }, "the same for all photos"));
  return words.filter(Boolean);
}

function step(data, unit, shape, label) {
  if (unit === undefined) return make("span", { class: "step none", "aria-hidden": "true" });
  const small = make("span", { class: "small-face" }, face(data, unit, data.picture(unit)));
  const parts = [icon(shape), small, make("span", {}, String(unit))];
  if (shape === "right") parts.reverse();
  return make(
    "a",
    { class: "step", href: unitAddress(data.model, data.layer, unit), "aria-label": listed(label, String(unit)) },
    parts,
  );
}

function keysOf(data, { before, after }, item) {
  const go = (unit) => () => {
    if (unit !== undefined) location.hash = unitAddress(data.model, data.layer, unit);
  };
  return {
    ArrowLeft: go(before),
    ArrowRight: go(after),
    u: () => (location.hash = layerAddress(data.model, data.layer)),
    x: () => choose(item),
  };
}
