// The page of a network: its layers in order, and what there is of each.

import { allAddress, atlasAddress, layerAddress, networkAddress } from "./address.js";
import { make } from "./dom.js";
import { count, dotted, shapeText, strideText } from "./format.js";
import { layerData } from "./layer_data.js";
import { layerName, modelNamed, modelTitle, otherNames, shownLayers, site } from "./site.js";
import { face } from "./tiles.js";

const PREVIEWS = 24; // pictures of a layer beside its name; as many are seen as there is room for

/** A network's page. */
export async function networkPage({ model }) {
  const rows = layerRows(model);
  const node = make(
    "div",
    { class: "page" },
    networkHeading(model),
    networks(model),
    notes(),
    make(
      "div",
      { class: "layers-list" },
      rows.map(({ node: row }) => row),
    ),
    runsSection(model),
  );
  return {
    title: model.name,
    node,
    start: () => fillPreviews(model, rows),
    search: (text) => searchLayers(rows, text),
    open: () => node.querySelector(".layer-row:not([hidden]) a")?.click(),
  };
}

function networkHeading(model) {
  const shown = shownLayers(model);
  const pictures = shown.reduce((sum, layer) => sum + layer.with_pictures, 0);
  const text = dotted(
    model.weights,
    count(model.layers.length, "layer"),
    pictures > 0 && `${count(pictures, "unit")} with pictures`,
    model.checksum && `weights ${model.checksum.slice(0, 8)}`,
  );
  const links = [
    shown.length ? make("a", { class: "button", href: allAddress(model) }, "All units") : null,
    ...atlasLinks(model),
  ];
  return make(
    "div",
    { class: "heading" },
    make("h1", { tabindex: "-1" }, model.name),
    make("p", { class: "soft" }, text),
    make("p", { class: "links" }, links.filter(Boolean)),
  );
}

function atlasLinks(model) {
  return model.layers
    .filter((layer) => hasAtlas(model, layer))
    .map((layer) => make("a", { class: "button", href: atlasAddress(model, layer) }, `Atlas of ${layerName(layer)}`));
}

function hasAtlas(model, layer) {
  return site.atlases.some((atlas) => atlas.model === model.id && atlas.layer === layer.id);
}

function networks(model) {
  if (site.models.length < 2) return null;
  const links = site.models.map((other) =>
    make(
      "a",
      { class: "button", href: networkAddress(other), "aria-current": other === model ? "page" : null },
      modelTitle(other),
    ),
  );
  return make("nav", { class: "links", "aria-label": "Networks" }, links);
}

function notes() {
  return site.notes?.length
    ? make(
        "div",
        {},
        site.notes.map((note) => make("p", { class: "notice" }, note)),
      )
    : null;
}

/** A row for each layer that there is something of; those between are folded away. */
function layerRows(model) {
  const rows = [];
  let empty = [];
  const fold = () => {
    if (empty.length) rows.push({ node: folded(empty), layers: empty, folded: true });
    empty = [];
  };
  for (const layer of model.layers) {
    if (!layer.file && !hasAtlas(model, layer)) empty.push(layer);
    else {
      fold();
      rows.push({ node: layerRow(model, layer), layers: [layer] });
    }
  }
  fold();
  return rows;
}

function layerRow(model, layer) {
  const href = layer.file ? layerAddress(model, layer) : atlasAddress(model, layer);
  const name = make("h2", {}, make("a", { href }, layerName(layer)));
  const facts = make(
    "p",
    { class: "soft" },
    dotted(...otherNames(layer), layer.type, shapeText(layer.shape), strideText(layer.stride)),
  );
  const preview = make("div", { class: "preview", "aria-hidden": "true" });
  const words = layer.file ? had(layer) : "an atlas";
  return make(
    "section",
    { class: "layer-row" },
    make("div", { class: "layer-head" }, name, facts, make("p", { class: "soft" }, words)),
    preview,
  );
}

/** "24 of 40 units with pictures · 1 dead · 24 with photos". */
function had({ units, with_pictures: pictures, dead, with_exemplars: photos }) {
  const some = pictures && pictures !== units && units ? `${pictures.toLocaleString("en-US")} of ` : "";
  const words = `${some}${count(units ?? (pictures || photos), "unit")}${pictures ? " with pictures" : ""}`;
  return dotted(words, dead ? `${dead} dead` : "", photos ? `${photos.toLocaleString("en-US")} with photos` : "");
}

function folded(layers) {
  const items = layers.map((layer) =>
    make(
      "li",
      {},
      make("b", {}, layer.module),
      " ",
      make(
        "span",
        { class: "soft" },
        dotted(
          ...layer.names,
          layer.type,
          shapeText(layer.shape),
          strideText(layer.stride),
          layer.units && count(layer.units, "unit"),
        ),
      ),
    ),
  );
  const summary = make("summary", {}, `${count(layers.length, "layer")} without pictures`);
  return make("details", { class: "layer-row folded" }, summary, make("ul", {}, items));
}

/** Put pictures into the rows, once each comes near the window. */
function fillPreviews(model, rows) {
  const filled = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (!isIntersecting) continue;
        filled.unobserve(target);
        const row = rows.find(({ node }) => node === target);
        layerData(model, row.layers[0]).then(
          (data) => fill(target, data),
          (error) => refuse(target, error),
        );
      }
    },
    { rootMargin: "300px" },
  );
  for (const row of rows) if (row.layers[0].file) filled.observe(row.node);
}

function fill(row, data) {
  const good = data.units.filter((unit) => data.status(data.picture(unit)) === "ok" || data.firstPatch.has(unit));
  const spread = good.filter((_, at) => at % Math.max(1, Math.floor(good.length / PREVIEWS)) === 0).slice(0, PREVIEWS);
  const faces = spread.map((unit) => make("span", {}, face(data, unit, data.picture(unit))));
  row.querySelector(".preview").replaceChildren(...faces);
}

function refuse(row, error) {
  row.querySelector(".preview").replaceChildren(make("span", { class: "notice" }, error.message));
}

function searchLayers(rows, text) {
  const asked = text.trim().toLowerCase();
  for (const { node, layers, folded: isFolded } of rows) {
    const found = layers.some((layer) =>
      [layer.module, layer.type, ...layer.names].join(" ").toLowerCase().includes(asked),
    );
    node.hidden = asked !== "" && !found;
    if (isFolded) node.open = asked !== "" && found;
  }
}

function runsSection(model) {
  const runs = site.runs.filter((run) => run.model === model.id);
  const items = runs.map((run) =>
    make(
      "li",
      {},
      make("b", {}, run.label),
      " ",
      make("span", { class: "soft" }, dotted(run.task, run.recipe, `seed ${run.seed}`)),
      run.problems.map((problem) => make("p", { class: "notice" }, problem)),
    ),
  );
  return make("section", {}, make("h2", {}, "Runs"), make("ul", { class: "runs" }, items));
}
