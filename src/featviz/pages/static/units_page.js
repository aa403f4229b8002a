// The pages of many units: a layer, and all layers of a network.

import { allAddress, atlasAddress, layerAddress } from "./address.js";
import { askedOf, queryOf } from "./asked.js";
import { announce, make } from "./dom.js";
import { Entries } from "./entries.js";
import { count, dotted, shapeText, strideText } from "./format.js";
import { Grid } from "./grid.js";
import { layerData } from "./layer_data.js";
import { layerName, shownLayers, site } from "./site.js";
import { unitTile } from "./tiles.js";
import { thumbSize, toolbar } from "./toolbar.js";

/** The order in which units were last shown, for the arrow keys on a unit's page. */
export const lastShown = { layer: null, units: [] };

/** A layer's page. */
export async function layerPage({ model, layer, query }) {
  if (!layer.file) return emptyLayer(layer);
  const data = await layerData(model, layer);
  const names = dotted(
    ...otherNames(layer),
    layer.type,
    shapeText(layer.shape),
    strideText(layer.stride),
  );
  const atlas = site.atlases.find((other) => other.model === model.id && other.layer === layer.id);
  const links = atlas ? [make("a", { href: atlasAddress(model, layer) }, "Atlas")] : [];
  return unitsPage([data], query, layerName(layer), names, links, (asked) => layerAddress(model, layer, asked));
}

/** The page of all units of a network. */
export async function allPage({ model, query }) {
  const read = await Promise.allSettled(shownLayers(model).map((layer) => layerData(model, layer)));
  const layers = read.filter(({ value }) => value).map(({ value }) => value);
  const wrong = read.filter(({ reason }) => reason).map(({ reason }) => make("p", { class: "notice" }, reason.message));
  const names = dotted(model.name, count(layers.length, "layer"));
  return unitsPage(layers, query, "All units", names, wrong, (asked) => allAddress(model, asked));
}

function emptyLayer(layer) {
  const command = `python -m featviz layer=${layerName(layer)}`;
  const text = make(
    "p",
    { class: "empty" },
    "There is nothing of this layer yet. ",
    make("code", {}, command),
    " makes pictures of its units.",
  );
  return {
    title: layerName(layer),
    node: make("div", { class: "page" }, make("h1", { tabindex: "-1" }, layerName(layer)), text),
  };
}

function unitsPage(layers, query, title, subtitle, links, address) {
  const entries = new Entries(layers);
  const runs = [...new Set(layers.flatMap((data) => data.runs()))];
  const asked = askedOf(
    query,
    entries.metrics(),
    runs.map((run) => site.runs[run]),
  );
  const view = new UnitsView(entries, asked, runs, address);
  const heading = make(
    "div",
    { class: "heading" },
    make("h1", { tabindex: "-1" }, title),
    make("p", { class: "soft" }, subtitle),
    links,
  );
  const controls = toolbar(
    entries,
    asked,
    runs,
    () => view.update(),
    (size) => view.resize(size),
  );
  const node = make(
    "div",
    { class: "page wide" },
    heading,
    controls,
    view.total,
    view.head,
    make("div", { class: "grid-place", on: { scroll: (event) => view.follow(event.target) } }, view.grid.node),
    view.none,
  );
  return {
    title,
    node,
    start: () => view.start(),
    stop: () => view.grid.stop(),
    search: (text) => view.search(text),
    open: () => view.open(),
    keys: { x: () => view.choose() },
    text: asked.text,
  };
}

class UnitsView {
  constructor(entries, asked, runs, address) {
    Object.assign(this, { entries, asked, runs, address });
    this.several = entries.layers.length > 1;
    this.total = make("p", { class: "total soft" });
    this.none = make(
      "p",
      { class: "empty", hidden: true },
      "No unit is like that. Take a filter away, or search for something else.",
    );
    this.head = make("div", { class: "run-heads", "aria-hidden": "true", hidden: true });
    const key = ({ data, unit, run }) => `${data.layer.id}/${unit}@${run}`;
    this.grid = new Grid("Units", (item) => unitTile(item, { sort: this.asked.sort, several: this.several }), key);
  }

  start() {
    this.grid.size = thumbSize();
    this.refresh();
    this.grid.start();
  }

  resize(size) {
    this.grid.show(this.grid.items, { size, group: this.grid.group });
    this.showHeads();
  }

  search(text) {
    this.asked.text = text;
    this.update();
  }

  /** Choose the unit that has the focus, or drop it. */
  choose() {
    document.activeElement.closest(".cell")?.querySelector(".choose").click();
  }

  /** Go to the first unit. */
  open() {
    if (this.grid.items.length) this.grid.goTo(0);
  }

  update() {
    this.refresh();
    history.replaceState(history.state, "", this.address(queryOf(this.asked)));
  }

  refresh() {
    const run =
      this.asked.show === "first" || this.asked.show === "each"
        ? null
        : this.runs.find((at) => site.runs[at].id === this.asked.show);
    if (run !== this.entries.run) this.entries.useRun(run);
    const found = this.entries.select(this.asked);
    const each = this.asked.show === "each";
    this.grid.show(each ? this.sideBySide(found) : found.map((entry) => ({ ...entry, run })), {
      group: each ? this.runs.length : 1,
    });
    Object.assign(lastShown, {
      layer: this.several ? null : this.entries.layers[0].layer,
      units: found.map(({ unit }) => unit),
    });
    this.grid.node.hidden = found.length === 0;
    this.none.hidden = found.length > 0;
    this.showHeads();
    this.say(found.length, this.entries.all.length);
  }

  sideBySide(found) {
    return found.flatMap(({ data, unit }) =>
      this.runs.map((run) => ({ data, unit, run, picture: data.picture(unit, run) })),
    );
  }

  /** Have the runs' names stay above their columns where these are wider than the window. */
  follow(place) {
    this.head.scrollLeft = place.scrollLeft;
  }

  /** The runs' names above their columns. */
  showHeads() {
    const { group, columns, side, gap } = this.grid;
    this.head.hidden = group === 1;
    this.head.style.setProperty("--side", `${side}px`);
    this.head.style.setProperty("--gap", `${gap}px`);
    const labels = this.runs.map((run) => site.runs[run].label);
    const heads = Array.from({ length: columns }, (_, at) => {
      const first = at % group === 0 && at > 0;
      return make("span", { class: first ? "apart" : null, title: labels[at % group] }, labels[at % group]);
    });
    this.head.replaceChildren(...(group > 1 ? heads : []));
  }

  say(found, all) {
    const text = found === all ? count(all, "unit") : `${found.toLocaleString("en-US")} of ${count(all, "unit")}`;
    this.total.textContent = text;
    announce(text);
  }
}
