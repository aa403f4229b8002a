// Tiles of units: a picture that leads to the unit's page, with its number below, and a box that chooses it.

import { itemAddress, unitAddress } from "./address.js";
import { chooseBox } from "./chosen.js";
import { make, unseen } from "./dom.js";
import { listed, number } from "./format.js";
import { layerName, metric, site } from "./site.js";
import { absent, patch, thumb } from "./thumbs.js";

/**
 * A tile of a grid.
 * @param {{data: LayerData, unit: number, picture: number, run: number|null}} item
 * @param {{sort: string, several: boolean}} shown the metric below the picture; whether tiles name their layer
 */
export function unitTile(item, { sort, several }) {
  const { data, unit, picture, run } = item;
  const sorted = sort !== "number";
  const value = sorted ? number(data.value(sort, picture), metric(sort).digits) : data.className(unit);
  const more = [sorted && metric(sort).label, sorted && data.className(unit), run !== null && site.runs[run].label];
  const weak = picture >= 0 && data.pictures.weak[picture];
  const given = { class: weak ? "tile weak" : "tile", href: unitAddress(data.model, data.layer, unit, run) };
  const caption = captionOfUnit(data, unit, value, listed(...more, weak && "weak"), several);
  const seen = run === null ? face(data, unit, picture) : thumb(data, picture); // of a run that has none, no photo
  const tile = make("a", { ...given, title: data.className(unit) || null }, seen, caption);
  const label = `Choose ${layerName(data.layer)} unit ${unit} to compare`;
  return [tile, chooseBox(itemAddress(data.model, data.layer, unit, run), label)];
}

/** What stands below a unit's picture; eyes see the number and the value, a screen reader says all of it. */
function captionOfUnit(data, unit, value, more, several = false, kind = "") {
  const layer = make("span", { class: several ? null : "unseen" }, `${layerName(data.layer)} `);
  const name = make("b", {}, layer, unseen("unit "), String(unit));
  return make(
    "span",
    { class: "caption" },
    name,
    unseen(" "),
    make("span", { class: kind || null }, value),
    more && unseen(` ${more}`),
  );
}

/** Whether there is anything to see of a unit. */
export function hasFace(data, unit) {
  return data.picture(unit) >= 0 || data.firstPatch.has(unit);
}

/** What stands for a unit: its picture, or its strongest photo where no run has made one. */
export function face(data, unit, picture) {
  if (picture >= 0 || !data.firstPatch.has(unit)) return thumb(data, picture);
  if (data.silent.has(unit)) return absent("silent");
  const { sprite, cell } = data.exemplarSprites;
  const at = data.firstPatch.get(unit);
  return patch(data, sprite[at], cell[at]) ?? thumb(data, picture);
}

/** A smaller tile, of a unit that another one is shown beside, with a value. */
export function relatedTile(data, unit, value, kind = "") {
  const caption = captionOfUnit(data, unit, value, data.className(unit), false, kind);
  const given = { class: "tile", href: unitAddress(data.model, data.layer, unit), title: data.className(unit) || null };
  return make("a", given, face(data, unit, data.picture(unit)), caption);
}
