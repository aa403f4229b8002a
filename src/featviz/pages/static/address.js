// Addresses: what stands after the # of a link, and what it means.

import { layerName, layerNamed, modelKey, modelNamed, site } from "./site.js";

const RESERVED = ["all", "compare", "atlas"];

/** What an address leads to: {page, model, layer?, unit?, run?, items?, cell?, query}. */
export function parseAddress(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const found = { page: "network", model: site.models[0], query: new URLSearchParams(query) };
  const [word, ...rest] = withoutModel(path, found).split("/");
  if (word === "compare") return { ...found, page: "compare", items: readItems(rest.join("/")) };
  if (word === "all") return { ...found, page: "all" };
  if (word === "atlas") return { ...found, page: "atlas", ...readCell(found.model, rest.join("/")) };
  if (word === "") return found;
  return { ...found, ...readUnit(found.model, [word, ...rest].join("/")) };
}

function withoutModel(path, found) {
  const at = path.indexOf("~");
  if (at < 0 || path.startsWith("compare/")) return path;
  found.model = modelNamed(decode(path.slice(0, at)));
  return path.slice(at + 1);
}

function readUnit(model, text) {
  const [path, run = null] = text.split("@");
  const [name, unit] = path.split("/");
  const layer = layerNamed(model, decode(name));
  if (!layer) return { page: "missing", what: `layer ${decode(name)}` };
  if (unit === undefined) return { page: "layer", layer };
  return { page: "unit", layer, unit: Number(unit), run: runIndex(run) };
}

function readItems(text) {
  const items = text.split(",").filter((item) => item !== "");
  return items.map((item) => {
    const found = { model: site.models[0] };
    return { ...found, ...readUnit(withoutModelOf(item, found), item.split("~").pop()), model: found.model, text: decode(item) };
  });
}

function withoutModelOf(item, found) {
  if (item.includes("~")) found.model = modelNamed(decode(item.slice(0, item.indexOf("~"))));
  return found.model;
}

function readCell(model, text) {
  const [name, place] = text.split("@");
  const cell = place?.split(".").map(Number);
  return { layer: layerNamed(model, decode(name)), cell: cell?.length === 3 ? cell : null };
}

function runIndex(id) {
  const at = site.runs.findIndex((run) => run.id === id);
  return at < 0 ? null : at;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A name as it stands in an address: no sign in it is one of ours, and it is no name of a page. */
function encode(name) {
  const text = encodeURIComponent(name).replace(/~/g, "%7E");
  return RESERVED.includes(text) ? `%${text.charCodeAt(0).toString(16)}${text.slice(1)}` : text;
}

function prefix(model) {
  return site.models.length > 1 ? `${encode(modelKey(model))}~` : "";
}

/** The address of a network's page. */
export function networkAddress(model) {
  return `#${prefix(model)}`;
}

/** The address of all units of a network. */
export function allAddress(model, query = "") {
  return `#${prefix(model)}all${query && `?${query}`}`;
}

/** The address of a layer. */
export function layerAddress(model, layer, query = "") {
  return `#${itemAddress(model, layer)}${query && `?${query}`}`;
}

/** The address of a unit, and of one run's picture of it. */
export function unitAddress(model, layer, unit, run = null, query = "") {
  return `#${itemAddress(model, layer, unit, run)}${query && `?${query}`}`;
}

/** A unit as it stands in the address of a comparison. */
export function itemAddress(model, layer, unit = null, run = null) {
  const named = layerNamed(model, layerName(layer)) === layer ? layerName(layer) : layer.id;
  const path = unit === null ? encode(named) : `${encode(named)}/${unit}`;
  return prefix(model) + path + (run === null ? "" : `@${site.runs[run].id}`);
}

/** The address of a comparison of units that are written as `itemAddress` writes them. */
export function compareAddress(items) {
  return `#compare/${items.join(",")}`;
}

/** The address of an atlas, and of a cell of it: its level, column and row. */
export function atlasAddress(model, layer, cell = null) {
  return `#${prefix(model)}atlas/${encode(layerName(layer))}${cell ? `@${cell.join(".")}` : ""}`;
}
