// Units, runs or checkpoints side by side.

import { compareAddress, itemAddress, unitAddress } from "./address.js";
import { icon, make } from "./dom.js";
import { dotted, number } from "./format.js";
import { layerData } from "./layer_data.js";
import { layerName, metric, modelTitle, site } from "./site.js";
import { absent, photo, thumb } from "./thumbs.js";

/** The page that compares the units of an address. */
export async function comparePage({ items }) {
  const read = await Promise.all(items.map(readColumn));
  const [columns, without] = [read.filter(Boolean), items.filter((_, at) => !read[at]).map(({ text }) => text)];
  const node = make(
    "div",
    { class: "page wide" },
    make("h1", { tabindex: "-1" }, "Compare"),
    without.length ? make("p", { class: "notice" }, `There is nothing of ${without.join(", ")}.`) : null,
    columns.length ? table(columns) : howTo(),
  );
  return { title: "Compare", node };
}

function howTo() {
  return make(
    "p",
    { class: "empty" },
    "Choose units by the boxes on their pictures, or by the key x; then they stand here side by side.",
  );
}

async function readColumn({ page, model, layer, unit, run }) {
  if (page !== "unit" || !layer.file) return null;
  const data = await layerData(model, layer);
  if (!data.place.has(unit)) return null;
  const picture = data.picture(unit, run);
  return { data, unit, run, picture, details: await data.details(unit), item: itemAddress(model, layer, unit, run) };
}

function table(columns) {
  const keys = [
    ...new Set(
      columns.flatMap(({ data, picture }) => data.metrics().filter((key) => !Number.isNaN(data.value(key, picture)))),
    ),
  ];
  const heads = make(
    "tr",
    {},
    make("td", {}),
    columns.map((column) => head(column, columns)),
  );
  const rows = [
    row("Picture", columns, large),
    ...keys.map((key) => row(metric(key).label, columns, (column) => figure(column, key))),
  ];
  if (columns.some(({ details }) => details.exemplars?.length)) rows.push(row("Strongest photos", columns, strongest));
  if (columns.some(({ details }) => details.speaks_for?.length)) rows.push(row("Speaks for", columns, classes));
  const body = make(
    "table",
    { class: "compare", style: { "--columns": columns.length } },
    make("thead", {}, heads),
    make("tbody", {}, rows),
  );
  return make("div", { class: "compare-place", role: "region", "aria-label": "Comparison", tabindex: "0" }, body);
}

function row(label, columns, cell) {
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, label),
    columns.map((column) => make("td", {}, cell(column))),
  );
}

/** The head of a column: what it is of, and a button that drops it. */
function head({ data, unit, run, picture, item }, columns) {
  const name = `${layerName(data.layer)} / ${unit}`;
  const of = run === null && picture >= 0 ? data.pictures.run[picture] : run;
  const words = dotted(
    site.models.length > 1 ? modelTitle(data.model) : "",
    data.className(unit),
    of === null ? "" : site.runs[of].label,
  );
  const rest = columns.map((column) => column.item).filter((other) => other !== item);
  const drop = make(
    "a",
    { class: "drop", href: compareAddress(rest), "aria-label": `Drop ${name}`, title: `Drop ${name}` },
    icon("close"),
  );
  const link = make("a", { href: unitAddress(data.model, data.layer, unit, run) }, name);
  return make(
    "th",
    { scope: "col" },
    make("span", { class: "compare-name" }, link, drop),
    make("span", { class: "soft" }, words),
  );
}

function large({ data, unit, picture }) {
  const path = picture < 0 ? "" : data.pictures.image[picture];
  if (data.status(picture) !== "ok") return absent(data.status(picture));
  const alt = `Picture of ${layerName(data.layer)} unit ${unit}`;
  return path ? make("img", { class: data.isClear(picture) ? "thumb clear" : "thumb", src: path, alt }) : thumb(data, picture);
}

function figure({ data, picture }, key) {
  return make("span", { class: "figure" }, number(data.value(key, picture), metric(key).digits));
}

function strongest({ details }) {
  const photos = (details.exemplars ?? []).filter(({ image }) => image).slice(0, 9);
  return make(
    "div",
    { class: "compare-photos" },
    photos.map((one) => photo(one.image, one.photo)),
  );
}

function classes({ details }) {
  return make(
    "ol",
    { class: "plain-units" },
    (details.speaks_for ?? []).map(({ name, value }) =>
      make("li", {}, name, " ", make("span", { class: "soft" }, number(value))),
    ),
  );
}
