// The same unit in other checkpoints of its network.

import { compareAddress, itemAddress, unitAddress } from "./address.js";
import { make } from "./dom.js";
import { layerData } from "./layer_data.js";
import { modelTitle, site } from "./site.js";
import { face } from "./tiles.js";

/** The section of a unit in networks of the same name and other weights; null where there is none. */
export async function otherNetworks(data, unit) {
  const others = site.models.filter((model) => model !== data.model && model.name === data.model.name);
  const read = await Promise.all(others.map((model) => sameLayer(model, data.layer)));
  const found = read.filter((other) => other?.place.has(unit));
  if (!found.length) return null;
  const items = found.map((other) => make("li", {}, networkTile(other, unit)));
  const all = [data, ...found].map(({ model, layer }) => itemAddress(model, layer, unit));
  const compare = make("a", { class: "button", href: compareAddress(all) }, "Compare");
  const head = make("div", { class: "section-head" }, make("h2", {}, "With other weights"), compare);
  return make("section", {}, head, make("ol", { class: "strip-of-units named" }, items));
}

async function sameLayer(model, { module }) {
  const layer = model.layers.find((other) => other.module === module && other.file);
  return layer ? layerData(model, layer) : null;
}

function networkTile(data, unit) {
  const name = modelTitle(data.model);
  const given = { class: "tile", href: unitAddress(data.model, data.layer, unit), title: name };
  const caption = make("span", { class: "caption" }, make("span", {}, name));
  return make("a", given, face(data, unit, data.picture(unit)), caption);
}
