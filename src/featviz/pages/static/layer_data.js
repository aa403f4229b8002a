// The data of one layer: its units, their pictures, and where a value stands among them.

import { load } from "./data.js";
import { site } from "./site.js";

const read = new Map();

/** A layer's data, read once. */
export async function layerData(model, layer) {
  if (!read.has(layer.file)) read.set(layer.file, new LayerData(model, layer, await load(layer.file)));
  return read.get(layer.file);
}

/** What is at hand of a layer. A picture is the number of its place in the columns. */
export class LayerData {
  constructor(model, layer, data) {
    Object.assign(this, { model, layer, units: data.units, classes: data.classes ?? null });
    Object.assign(this, { speaksFor: data.speaks_for ?? null, sprites: data.sprites, pictures: data.pictures });
    Object.assign(this, { exemplarSprites: data.exemplar_sprites ?? null, perDetails: data.per_details });
    this.place = new Map(data.units.map((unit, at) => [unit, at]));
    this.byUnit = new Map();
    data.pictures.unit.forEach((unit, picture) => {
      if (!this.byUnit.has(unit)) this.byUnit.set(unit, []);
      this.byUnit.get(unit).push(picture);
    });
    this.silent = new Set(data.silent ?? []); // units that answer to all photos alike
    this.sorted = new Map();
    this.firstPatch = new Map(); // of each unit, where in the columns its strongest exemplar is
    data.exemplar_sprites?.unit.forEach((unit, at) => this.firstPatch.has(unit) || this.firstPatch.set(unit, at));
  }

  /** All pictures of a unit. */
  picturesOf(unit) {
    return this.byUnit.get(unit) ?? [];
  }

  /** The picture that stands for a unit: of this run, or of the first that has a good one. -1: there is none. */
  picture(unit, run = null) {
    let best = -1;
    for (const picture of this.picturesOf(unit)) {
      if (run !== null && this.pictures.run[picture] !== run) continue;
      if (best < 0 || this.quality(picture) > this.quality(best)) best = picture;
    }
    return best;
  }

  quality(picture) {
    const { status, negative, variant } = this.pictures;
    return (status[picture] === "ok" ? 4 : 0) + (negative[picture] ? 0 : 2) + (variant[picture] === 0 ? 1 : 0);
  }

  /** A metric of a picture; NaN where it has none. */
  value(key, picture) {
    return (picture < 0 ? null : this.pictures.metrics[key]?.[picture]) ?? NaN;
  }

  status(picture) {
    return picture < 0 ? "none" : this.pictures.status[picture];
  }

  /** Whether a picture has an alpha channel. */
  isClear(picture) {
    return Boolean(this.pictures.clear?.[picture]);
  }

  /** The name of the class that a unit stands for; "" where it stands for none. */
  className(unit) {
    return this.classes?.[this.place.get(unit)] ?? "";
  }

  /** What a unit is found by, besides its number: its class, or the class that it speaks for. */
  words(unit) {
    const at = this.place.get(unit);
    return `${this.classes?.[at] ?? ""} ${this.speaksFor?.[at] ?? ""}`.trim();
  }

  /** The runs that have pictures of this layer, in the site's order. */
  runs() {
    return [...new Set(this.pictures.run)].sort((one, other) => one - other);
  }

  /** The metrics that some picture has a number of, in the site's order. */
  metrics() {
    const known = site.metrics.map((metric) => metric.key).filter((key) => key in this.pictures.metrics);
    const unknown = Object.keys(this.pictures.metrics).filter((key) => !known.includes(key));
    return [...known, ...unknown].filter((key) => this.pictures.metrics[key].some((value) => value !== null));
  }

  /** Values of a metric, in order, of the pictures to compare this one with, one a unit: of its run, sign, variant. */
  peers(key, picture) {
    const { status, metrics } = this.pictures;
    const kinds = ["run", "negative", "variant"].map((name) => this.pictures[name]);
    const name = [key, ...kinds.map((kind) => kind[picture])].join(" ");
    if (!this.sorted.has(name)) {
      const same = (value, other) =>
        value !== null && status[other] === "ok" && kinds.every((kind) => kind[other] === kind[picture]);
      this.sorted.set(name, Float64Array.from((metrics[key] ?? []).filter(same)).sort());
    }
    return this.sorted.get(name);
  }

  /** The details of a unit: photos, neighbors, what feeds it. Empty where there are none. */
  async details(unit) {
    const part = Math.floor(this.place.get(unit) / this.perDetails);
    return (await load(`${this.layer.file}_d${part}`))[unit] ?? {};
  }
}

/** The share of the other sorted values that lie below one of them. */
export function shareBelow(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return sorted.length > 1 ? low / (sorted.length - 1) : 0;
}
