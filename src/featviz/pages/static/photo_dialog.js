// A photo in full, with the heat map over it and the patch beside it.

import { button, make } from "./dom.js";
import { dotted, fileName, number } from "./format.js";
import { heat, ring } from "./thumbs.js";

/** Show an exemplar large; Escape closes it. */
export function openPhoto(exemplar) {
  const { photo, image, patch, size, mean, max, rank } = exemplar;
  const dialog = make("dialog", { class: "photo-dialog", "aria-label": `Photo ${rank}` });
  const whole = image
    ? make(
        "div",
        { class: "whole" },
        make("img", { src: image, alt: photo }),
        square(heat(exemplar), size),
        frame(exemplar),
        spotRing(exemplar),
      )
    : null;
  const cut = patch
    ? make(
        "figure",
        {},
        make("img", { src: patch, alt: "What the strongest position sees" }),
        make("figcaption", { class: "soft" }, "What its strongest position sees"),
      )
    : null;
  const toggle = whole && exemplar.map ? mapToggle(whole) : null;
  const facts = make(
    "p",
    {},
    make("b", {}, fileName(photo)),
    make("br"),
    make("span", { class: "soft" }, dotted(`mean ${number(mean)}`, `largest ${number(max)}`, photo)),
  );
  const close = button("Close", () => dialog.close(), { shape: "close", class: "plain" });
  dialog.append(
    make("header", {}, facts, close),
    make("div", { class: "photo-parts" }, whole, make("div", {}, cut, toggle)),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** The network is shown the middle square of a photo; so the map lies there. */
function square(map, size) {
  if (!map) return null;
  const [wide, high] = size ?? [1, 1];
  const side = Math.min(wide, high);
  const box = {
    left: (wide - side) / 2 / wide,
    top: (high - side) / 2 / high,
    width: side / wide,
    height: side / high,
  };
  return placed(make("span", { class: "map" }, map), box);
}

function frame({ box, size }) {
  if (!box || !size) return null;
  const [[left, top, right, bottom], [wide, high]] = [box, size];
  return placed(make("span", { class: "box" }), {
    left: left / wide,
    top: top / high,
    width: (right - left) / wide,
    height: (bottom - top) / high,
  });
}

/** Where the unit answers most. */
function spotRing({ spot, size }) {
  return spot && size ? ring([spot[0] / size[0], spot[1] / size[1]]) : null;
}

function placed(element, box) {
  for (const [side, share] of Object.entries(box)) element.style.setProperty(side, `${100 * share}%`);
  return element;
}

function mapToggle(whole) {
  const toggle = button(
    "Heat map",
    () => {
      const on = whole.classList.toggle("no-map");
      toggle.setAttribute("aria-pressed", String(!on));
    },
    { text: "Heat map", "aria-pressed": "true", class: "chip" },
  );
  return toggle;
}
