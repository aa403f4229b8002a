// A range of a metric: two sliders over a small histogram of the metric's values.

import { later, make, makeSvg } from "./dom.js";
import { number } from "./format.js";
import { metric } from "./site.js";

const BINS = 32;
const NOTCHES = 200;

/**
 * Two sliders that leave a range of a metric.
 * @param {Entries} entries
 * @param {string} key of the metric
 * @param {number[]|null} range what is asked for now
 * @param {function(number[]|null)} onChange called with the new range, null for all
 */
export function rangeFilter(entries, key, range, onChange) {
  const [low, high] = entries.range(key);
  const { label, digits } = metric(key);
  const spread = high - low || 1;
  const output = make("output", { class: "soft" });
  const ends = ["From", "To"].map((word, end) =>
    slider(`${label}: ${word.toLowerCase()}`, place(range?.[end] ?? [low, high][end])),
  );
  const picture = silhouette(entries.column(key), low, high);
  const changed = later(60, () => onChange(asked()));
  for (const end of ends) end.addEventListener("input", () => update(end));

  function place(value) {
    return Math.round(Math.min(1, Math.max(0, (value - low) / spread)) * NOTCHES);
  }

  function asked() {
    const [from, to] = ends.map((end) => Number(end.value));
    return from === 0 && to === NOTCHES
      ? null
      : [low + (from / NOTCHES) * spread, to === NOTCHES ? high : low + (to / NOTCHES) * spread];
  }

  function update(moved) {
    const [from, to] = ends.map((end) => Number(end.value));
    if (from > to) moved.value = moved === ends[0] ? to : from;
    say();
    changed();
  }

  function say() {
    const [from, to] = ends.map((end) => Number(end.value) / NOTCHES);
    output.textContent = `${number(low + from * spread, digits)} to ${number(low + to * spread, digits)}`;
    picture.style.setProperty("--from", from);
    picture.style.setProperty("--to", to);
    for (const end of ends) end.setAttribute("aria-valuetext", number(low + (end.value / NOTCHES) * spread, digits));
  }

  say();
  const head = make("div", { class: "range-head" }, make("span", {}, label), output);
  return make(
    "div",
    { class: "range", role: "group", "aria-label": label },
    head,
    make("div", { class: "sliders" }, picture, ends),
  );
}

function slider(label, value) {
  const end = make("input", { type: "range", min: 0, max: NOTCHES, step: 1, "aria-label": label });
  end.value = value;
  return end;
}

/** How values are spread, as a row of bars. */
export function silhouette(values, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const value of values) {
    if (!Number.isNaN(value)) counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low || 1)) * BINS))]++;
  }
  const most = Math.max(1, ...counts);
  const bars = counts.map((many, at) => bar(at, many && Math.max(0.05, Math.sqrt(many / most))));
  const given = { class: "silhouette", viewBox: `0 0 ${BINS} 1`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return makeSvg("svg", given, bars);
}

function bar(at, height) {
  return makeSvg("rect", { x: at + 0.1, y: 1 - height, width: 0.8, height });
}
