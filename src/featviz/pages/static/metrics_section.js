// A unit's metrics: each with its place among the layer's units, and what it means.

import { make } from "./dom.js";
import { count, number } from "./format.js";
import { shareBelow } from "./layer_data.js";
import { silhouette } from "./range_filter.js";
import { metric } from "./site.js";

/** The section of a picture's metrics, followed by the classes that its unit speaks for. */
export function metricsSection(data, unit, picture, details) {
  const keys = picture < 0 ? [] : data.metrics().filter((key) => !Number.isNaN(data.value(key, picture)));
  const rows = keys.map((key) => metricRow(data, key, picture));
  const body = rows.length
    ? make("dl", { class: "metrics" }, rows)
    : make("p", { class: "empty" }, "No numbers: there is no finished picture.");
  return make(
    "div",
    { class: "numbers" },
    make("section", {}, make("h2", {}, "Numbers"), body),
    classesSection(details.speaks_for ?? []),
  );
}

function metricRow(data, key, picture) {
  const { label, digits, meaning } = metric(key);
  const value = data.value(key, picture);
  const peers = data.status(picture) === "ok" ? data.peers(key, picture) : []; // the others, where it is no picture
  const head = make("dt", {}, make("span", {}, label), make("b", {}, number(value, digits)));
  const where = peers.length > 1 ? placeText(peers, value) : "";
  const strip = peers.length > 1 && peers[0] < peers[peers.length - 1] ? place(peers, value) : null;
  return make(
    "div",
    { class: "metric" },
    head,
    make("dd", {}, strip, make("p", { class: "soft" }, make("span", { class: "where" }, where), " ", meaning)),
  );
}

function placeText(peers, value) {
  if (peers[0] === peers[peers.length - 1]) return `The same as all ${count(peers.length, "unit")}.`;
  const below = shareBelow(peers, value);
  const of = `of ${count(peers.length, "unit")}.`;
  if (below === 0) return `The least ${of}`;
  if (below === 1) return `The most ${of}`;
  return `Above ${Math.round(100 * below)} % ${of}`;
}

/** How the layer's values are spread, with a mark where this one stands. */
function place(peers, value) {
  const [low, high] = [peers[0], peers[peers.length - 1]];
  const share = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5;
  const strip = make("span", { class: "strip", "aria-hidden": "true" }, silhouette(peers, low, high), make("i", {}));
  strip.style.setProperty("--share", share);
  return strip;
}

/** The section of the classes that a unit speaks for; null where there are none. */
export function classesSection(speaksFor) {
  if (!speaksFor.length) return null;
  const most = Math.max(...speaksFor.map(({ value }) => Math.abs(value))) || 1;
  const rows = speaksFor.map(({ name, value }) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", Math.abs(value) / most);
    return make("li", {}, make("span", {}, name), bar, make("span", { class: "figure" }, number(value)));
  });
  const says = "Classes whose logits rise most with this unit, by the gradient, averaged over its strongest photos.";
  return make(
    "section",
    {},
    make("h2", {}, "Speaks for"),
    make("p", { class: "soft" }, says),
    make("ol", { class: "classes" }, rows),
  );
}
