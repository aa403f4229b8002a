// The picture of a unit, large, with all others at hand below it, and a slider where frames were kept. A film moves,
// unless the reader's system asks for less motion.

import { unitAddress } from "./address.js";
import { button, make } from "./dom.js";
import { dotted, listed } from "./format.js";
import { layerName, site } from "./site.js";
import { absent, thumb } from "./thumbs.js";

/** The figure of a unit's pictures. */
export function pictureFigure(data, unit, picture, details) {
  const image = largePicture(data, unit, picture);
  const frames = details.frames?.[picture];
  const caption = make("figcaption", { class: "soft" }, captionOf(data, picture));
  const stage = make("div", { class: "stage" }, image);
  const isImage = image.tagName === "IMG";
  const film = (isImage && data.pictures.film?.[picture]) || "";
  if (film && !matchMedia("(prefers-reduced-motion: reduce)").matches) image.src = film;
  const slider = frames && isImage ? frameSlider(image, frames, image.getAttribute("src")) : null;
  const choice = film ? filmOrStrip(image, film, data.pictures.image[picture], slider) : null;
  return make("figure", { class: "picture" }, stage, slider, choice, caption, others(data, unit, picture));
}

/** A button between a film that moves and its frames side by side. */
function filmOrStrip(image, film, strip, slider) {
  const moves = () => image.getAttribute("src") === film;
  const turn = () => {
    image.src = moves() ? strip : film;
    tell();
  };
  const chosen = button("", turn, { text: "Play the film", class: "film-or-strip" });
  const tell = () => (chosen.textContent = moves() ? "Frames side by side" : "Play the film");
  slider?.addEventListener("input", tell);
  tell();
  return chosen;
}

function largePicture(data, unit, picture) {
  const status = data.status(picture);
  const path = picture < 0 ? "" : data.pictures.image[picture];
  if (status === "ok" && path) {
    const words = data.pictures.negative[picture] ? "excites least" : "excites most";
    const alt = `Picture that ${words} unit ${unit} of ${layerName(data.layer)}`;
    return make("img", { src: path, alt, decoding: "async", class: data.isClear(picture) ? "clear" : null });
  }
  return status === "ok" ? thumb(data, picture) : absent(status);
}

/** What a picture is: its run, recipe and seed, and why it is not good where it is not. */
function captionOf(data, picture) {
  if (picture < 0) return "No picture of this unit.";
  const { reason, run, variant, negative } = data.pictures;
  const of = site.runs[run[picture]];
  const words = dotted(
    of.recipe,
    of.label !== of.recipe && site.runs.length > 1 && of.label,
    `seed ${of.seed}`,
    variant[picture] ? `variant ${variant[picture]}` : "",
    negative[picture] ? "negative" : "",
  );
  return reason[picture] ? [words, make("br"), make("span", { class: "reason" }, reason[picture])] : words;
}

function others(data, unit, shown) {
  const pictures = data.picturesOf(unit);
  if (pictures.length < 2) return null;
  const items = pictures.map((picture) => make("li", {}, otherLink(data, unit, picture, picture === shown)));
  return make("ul", { class: "filmstrip", "aria-label": "All pictures of this unit" }, items);
}

function otherLink(data, unit, picture, current) {
  const { run, variant, negative } = data.pictures;
  const query = [
    variant[picture] ? `variant=${variant[picture]}` : negative[picture] ? "variant=0" : "",
    negative[picture] ? "negative" : "",
  ];
  const of = site.runs[run[picture]];
  const words = listed(
    of.label,
    variant[picture] ? `variant ${variant[picture]}` : "",
    negative[picture] ? "negative" : "",
  );
  const href = unitAddress(data.model, data.layer, unit, run[picture], query.filter(Boolean).join("&"));
  const given = { class: "tile", href, title: words, "aria-current": current ? "true" : null };
  return make("a", given, thumb(data, picture), make("span", { class: "caption" }, make("span", {}, words)));
}

/** A slider through the frames of an optimization, or of a training, the finished picture last. */
function frameSlider(image, { steps, files, word, total }, last) {
  const [shown, at] = [[...files, last], [...steps, total]];
  const end = files.length;
  const slider = make("input", { type: "range", min: 0, max: end, step: 1, value: end, "aria-label": "From start to end" });
  const output = make("output", {}, "");
  const tell = () => {
    output.textContent = `${word} ${at[slider.value]}`;
    slider.setAttribute("aria-valuetext", `${word} ${at[slider.value]} of ${total}`);
  };
  const show = () => {
    image.src = shown[slider.value];
    tell();
  };
  slider.addEventListener("input", show);
  slider.addEventListener("pointerenter", () => files.forEach(preload), { once: true });
  tell();
  return make("label", { class: "frames" }, make("span", {}, "start"), slider, output);
}

function preload(file) {
  new Image().src = file;
}
