// A unit among photos: the strongest ones with heat maps, the weakest, some of each tenth, the histogram of its answers.

import { button, make, unseen } from "./dom.js";
import { fileName, number } from "./format.js";
import { histogramFigure } from "./histogram.js";
import { openPhoto } from "./photo_dialog.js";
import { site } from "./site.js";
import { absent, heat, patch, photo, ring } from "./thumbs.js";

const VIEWS = { photo: "Photos", map: "Heat maps", patch: "Patches" };

/** The sections about photos; empty where there are none. */
export function photoSections(data, unit, details) {
  const { exemplars = [], weakest = [], tenths = [], histogram = null } = details;
  if (!exemplars.length && !weakest.length && !tenths.length && !histogram) return [];
  const byRun = [...Map.groupBy(exemplars, ({ run }) => run)];
  return [
    ...byRun.map(([run, some]) => strongestSection(data, some, byRun.length > 1 ? site.runs[run].label : "")),
    make(
      "div",
      { class: "photo-columns" },
      histogram ? histogramFigure(histogram, exemplars) : null,
      weakest.length ? weakestSection(weakest) : null,
    ),
    tenths.length ? tenthsSection(tenths) : null,
  ].filter(Boolean);
}

function strongestSection(data, exemplars, label) {
  const list = make(
    "ol",
    { class: "photos strongest" },
    exemplars.map((exemplar) => make("li", {}, exemplarTile(data, exemplar))),
  );
  const views = Object.keys(VIEWS).filter((view) => view === "photo" || exemplars.some((exemplar) => exemplar[view]));
  const show = (view) => {
    list.dataset.view = view;
    for (const one of switcher.children) one.setAttribute("aria-pressed", String(one.dataset.view === view));
  };
  const switcher = make(
    "div",
    { class: "switcher", role: "group", "aria-label": "Show" },
    views.map((view) => button(VIEWS[view], () => show(view), { text: VIEWS[view], "data-view": view })),
  );
  show("photo");
  const head = make(
    "div",
    { class: "section-head" },
    make("h2", {}, "Strongest photos", label && make("span", { class: "badge" }, label)),
    views.length > 1 ? switcher : null,
  );
  return make("section", {}, head, list);
}

/** A photo that shows where the unit answers when it is pointed at; a click shows it large. */
function exemplarTile(data, exemplar) {
  const { rank, mean, max } = exemplar;
  const parts = [
    exemplar.image ? photo(exemplar.image) : absent("missing"),
    heat(exemplar),
    patchPicture(data, exemplar),
    ring(exemplar.patch_spot),
  ];
  const value = make("b", {}, unseen(`Photo ${rank}, mean `), number(mean), unseen(`, largest ${number(max)} `));
  const caption = make("span", { class: "caption" }, value, make("span", {}, fileName(exemplar.photo)));
  const layers = make("span", { class: "layers" }, parts.filter(Boolean));
  const tile = make("button", { type: "button", class: "tile", title: exemplar.photo }, layers, caption);
  tile.addEventListener("click", () => openPhoto(exemplar));
  return tile;
}

function patchPicture(data, exemplar) {
  const small = patch(data, exemplar.sprite, exemplar.cell) ?? (exemplar.patch ? photo(exemplar.patch) : null);
  small?.classList.add("patch");
  return small;
}

function weakestSection(weakest) {
  const items = weakest.map((one) => make("li", {}, plainTile(one, number(one.mean))));
  return make("section", {}, make("h2", {}, "Weakest photos"), make("ol", { class: "photos small" }, items));
}

function plainTile({ photo: name, image, mean, value }, text) {
  const words = `${name}, ${number(mean ?? value)}`;
  const picture = image ? photo(image, words) : absent("missing");
  return make(
    "div",
    { class: "tile", title: words },
    picture,
    text ? make("span", { class: "caption" }, make("b", {}, text)) : null,
  );
}

function tenthsSection(tenths) {
  const groups = Map.groupBy(tenths, ({ tenth }) => tenth);
  const columns = [...groups]
    .sort(([one], [other]) => one - other)
    .map(([tenth, photos]) => {
      const values = photos.map(({ value }) => value);
      const caption = number(values.reduce((sum, value) => sum + value, 0) / values.length);
      return make(
        "li",
        { "aria-label": `Tenth ${tenth}` },
        photos.map((one) => plainTile(one, "")),
        make("span", { class: "soft figure" }, caption),
      );
    });
  const says =
    "Three photos of each tenth of all photos, the tenth that it answers to least first; below them their mean.";
  return make(
    "section",
    {},
    make("h2", {}, "From weakest to strongest"),
    make("p", { class: "soft" }, says),
    make("ol", { class: "tenths" }, columns),
  );
}
