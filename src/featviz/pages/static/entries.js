// The units of one layer or of many, to be searched, sorted and filtered. An entry is a unit of a layer.

import { layerName } from "./site.js";

/** The units of these layers, in order, as one list that can be asked for an order of some of them. */
export class Entries {
  /** @param {LayerData[]} layers */
  constructor(layers) {
    this.layers = layers;
    this.all = layers.flatMap((data) => data.units.map((unit) => ({ data, unit, picture: -1 })));
    this.words = this.all.map(({ data, unit }) => data.words(unit).toLowerCase());
    this.columns = new Map();
    this.useRun(null);
  }

  /** Have a run's pictures stand for the units; null: each unit's first good one. */
  useRun(run) {
    this.run = run;
    this.columns.clear();
    for (const entry of this.all) entry.picture = entry.data.picture(entry.unit, run);
  }

  /** A metric of all entries; NaN where there is none. */
  column(key) {
    if (!this.columns.has(key)) {
      this.columns.set(
        key,
        Float64Array.from(this.all, ({ data, picture }) => data.value(key, picture)),
      );
    }
    return this.columns.get(key);
  }

  /** The least and the largest value of a metric, or null where there are none. */
  range(key) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.column(key)) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : null;
  }

  /** How many entries have which status; a picture can be weak besides. */
  statuses() {
    const counts = new Map();
    const add = (status) => counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const { data, picture } of this.all) {
      add(data.status(picture));
      if (data.pictures.weak[picture]) add("weak");
    }
    return counts;
  }

  /** The metrics of any of the layers. */
  metrics() {
    return [...new Set(this.layers.flatMap((data) => data.metrics()))];
  }

  /**
   * The entries that are asked for, in order.
   * @param {{text: string, statuses: Set<string>, ranges: Map<string, number[]>, sort: string, descending: boolean}} asked
   */
  select({ text, statuses, ranges, sort, descending }) {
    const tests = [this.textTest(text), ...this.statusTests(statuses), ...this.rangeTests(ranges)].filter(Boolean);
    const places = [];
    for (let at = 0; at < this.all.length; at++) if (tests.every((test) => test(at))) places.push(at);
    if (sort !== "number") sortBy(this.column(sort), places, descending);
    else if (descending) places.reverse();
    return places.map((at) => this.all[at]);
  }

  textTest(text) {
    const asked = text.trim().toLowerCase();
    if (asked === "") return null;
    if (/^\d+$/.test(asked)) return (at) => String(this.all[at].unit).startsWith(asked);
    const names = new Set(
      this.layers.filter((data) => `${layerName(data.layer)} ${data.layer.module}`.toLowerCase().includes(asked)),
    );
    return (at) => this.words[at].includes(asked) || (this.layers.length > 1 && names.has(this.all[at].data));
  }

  statusTests(statuses) {
    if (!statuses.size) return [];
    const fits = ({ data, picture }) =>
      statuses.has(data.status(picture)) || (statuses.has("weak") && Boolean(data.pictures.weak[picture]));
    return [(at) => fits(this.all[at])];
  }

  rangeTests(ranges) {
    return [...ranges].map(([key, [low, high]]) => {
      const column = this.column(key);
      return (at) => column[at] >= low && column[at] <= high;
    });
  }
}

/** Sort places by their values; those without one come last, and equal ones stay in order. */
function sortBy(column, places, descending) {
  const sign = descending ? -1 : 1;
  places.sort((one, other) => {
    const [first, second] = [column[one], column[other]];
    const absent = Number.isNaN(first) - Number.isNaN(second);
    if (absent || Number.isNaN(first)) return absent || one - other;
    return sign * (first - second) || one - other;
  });
}
