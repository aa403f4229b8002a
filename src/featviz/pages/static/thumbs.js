// Small pictures, cut out of sprites; and what stands in the place of a picture that there is not.

import { make } from "./dom.js";

const WORDS = { dead: "dead", nan: "not finite", missing: "missing", none: "no picture", silent: "no answer" };

/** The picture of a unit, filling the element that it is put into. A unit that never answered is shown as dead. */
export function thumb(data, picture) {
  const status = data.status(picture);
  if (status !== "ok") return absent(status);
  const { sprite, cell, image } = data.pictures;
  if (sprite[picture] >= 0) return cut(data.sprites[sprite[picture]], cell[picture]);
  return image[picture] ? photo(image[picture]) : absent("missing");
}

/** The patch of an exemplar, out of a sprite; null where there is none. */
export function patch(data, sprite, cell) {
  const sheet = data.exemplarSprites?.sprites[sprite];
  return sheet ? cut(sheet, cell) : null;
}

function cut({ file, columns, rows }, cell) {
  const places = {
    "--columns": columns,
    "--rows": rows,
    "--column": cell % columns,
    "--row": Math.floor(cell / columns),
  };
  return make("span", { class: "thumb", style: { "background-image": `url("${file}")`, ...places } });
}

/** A photo that a run has kept, square as networks see it; drawn when it comes near the window. */
export function photo(path, alternative = "") {
  return make("img", {
    class: "thumb photo",
    src: path,
    alt: alternative,
    loading: "lazy",
    decoding: "async",
  });
}

/** A ring around a place, given as shares of the width and height of what it lies in; null where there is none. */
export function ring(place) {
  if (!place) return null;
  const [left, top] = place.map((share) => `${100 * share}%`);
  return make("span", { class: "ring", style: { left, top } });
}

/** The place of a picture that there is not. */
export function absent(status) {
  return make("span", { class: `thumb absent ${status}` }, make("span", {}, WORDS[status] ?? status));
}

/** A unit's feature map over its photo: gray in the file, colored, and clear where it is zero, by a filter of the page. */
export function heat({ map }) {
  return map ? make("img", { class: "heat", src: map, alt: "", loading: "lazy", decoding: "async" }) : null;
}
