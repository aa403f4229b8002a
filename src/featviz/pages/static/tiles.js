// Tiles of units: a picture that leads to the unit's page, with its number below, and a box that chooses it.

import { itemAddress, unitAddress } from "./address.js";
import { chooseBox } from "./chosen.js";
import { make } from "./dom.js";
import { dotted, number } from "./format.js";
import { layerName, metric, site } from "./site.js";
import { patch, thumb } from "./thumbs.js";

/**
 * A tile of a grid.
 * @param {{data: LayerData, unit: number, picture: number, run: number|null}} item
 * @param {{sort: string, several: boolean}} shown the metric below the picture; whether tiles name their layer
 */
export function unitTile(item, { sort, several }) {
  const { data, unit, picture, run } = item;
  const value = sort === "number" ? "" : number(data.value(sort, picture), metric(sort).digits);
  const name = several ? `${layerName(data.layer)} ${unit}` : `${unit}`;
  const given = {
    class: "tile",
    href: unitAddress(data.model, data.layer, unit, run),
    "aria-label": tileLabel(item, sort, value),
  };
  const words = data.className(unit);
  const caption = make("span", { class: "caption" }, make("b", {}, name), make("span", {}, value || words));
  const tile = make("a", { ...given, title: dotted(name, words) }, face(data, unit, picture), caption);
  if (picture >= 0 && data.pictures.weak[picture]) tile.classList.add("weak");
  return [
    tile,
    chooseBox(
      itemAddress(data.model, data.layer, unit, run),
      `Choose ${layerName(data.layer)} unit ${unit} to compare`,
    ),
  ];
}

/** What stands for a unit: its picture, or its strongest photo where a run has made none. */
export function face(data, unit, picture) {
  if (picture >= 0 || !data.firstPatch.has(unit)) return thumb(data, picture);
  const { sprite, cell } = data.exemplarSprites;
  const at = data.firstPatch.get(unit);
  return patch(data, sprite[at], cell[at]) ?? thumb(data, picture);
}

function tileLabel({ data, unit, picture, run }, sort, value) {
  const status = data.status(picture);
  return dotted(
    `${layerName(data.layer)} unit ${unit}`,
    data.className(unit),
    run === null ? "" : site.runs[run].label,
    value && `${metric(sort).label} ${value}`,
    status === "ok" ? "" : status,
  );
}

/** A smaller tile, of a unit that another one is shown beside, with a value. */
export function relatedTile(data, unit, value, kind = "") {
  const words = dotted(`${layerName(data.layer)} unit ${unit}`, data.className(unit), value);
  const caption = make("span", { class: "caption" }, make("b", {}, `${unit}`), make("span", { class: kind }, value));
  const given = { class: "tile", href: unitAddress(data.model, data.layer, unit), "aria-label": words, title: words };
  return make("a", given, face(data, unit, data.picture(unit)), caption);
}
