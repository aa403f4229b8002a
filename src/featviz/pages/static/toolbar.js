// The controls above a grid: order, runs, filters, size of thumbnails.

import { button, icon, make } from "./dom.js";
import { count } from "./format.js";
import { recalled, remember } from "./memory.js";
import { rangeFilter } from "./range_filter.js";
import { metric, site } from "./site.js";

const STATUSES = {
  ok: "ok",
  weak: "weak",
  dead: "dead",
  nan: "not finite",
  missing: "file missing",
  none: "no picture",
};
const SIZES = { min: 32, max: 240, usual: 128 };

/** The size of thumbnails that was last chosen, px. */
export function thumbSize() {
  const kept = Number(recalled("size", SIZES.usual));
  return kept >= SIZES.min && kept <= SIZES.max ? kept : SIZES.usual;
}

/**
 * The controls of a grid.
 * @param {Entries} entries
 * @param {object} asked what is asked for now (asked.js); changed in place
 * @param {number[]} runs that there are pictures of
 * @param {function()} onChange called when something else is asked for
 * @param {function(number)} onSize called with a new size of thumbnails
 */
export function toolbar(entries, asked, runs, onChange, onSize) {
  const panel = filterPanel(entries, asked, onChange);
  const toggle = button("Filter", () => open(panel.hidden), {
    shape: "filter",
    text: "Filter",
    "aria-expanded": "false",
    "aria-controls": "filters",
  });
  const open = (yes) => {
    panel.hidden = !yes;
    toggle.setAttribute("aria-expanded", String(yes));
  };
  open(asked.statuses.size > 0 || asked.ranges.size > 0);
  const parts = [
    sortControl(entries, asked, onChange),
    runs.length > 1 ? runControl(asked, runs, onChange) : null,
    toggle,
    sizeControl(onSize),
  ];
  return [make("div", { class: "toolbar", role: "group", "aria-label": "Order and filters" }, parts), panel];
}

function labeled(label, control) {
  return make("label", { class: "labeled" }, make("span", {}, label), control);
}

function options(select, pairs, chosen) {
  select.append(...pairs.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
  return select;
}

function sortControl(entries, asked, onChange) {
  const choices = [["number", "Number"], ...entries.metrics().map((key) => [key, metric(key).label])];
  const select = options(make("select", {}), choices, asked.sort);
  const turn = button("", () => order(asked.sort, !asked.descending), { shape: "up" });
  const order = (sort, descending) => {
    Object.assign(asked, { sort, descending });
    show();
    onChange();
  };
  const show = () => {
    turn.replaceChildren(icon(asked.descending ? "down" : "up"));
    turn.setAttribute("aria-label", asked.descending ? "Largest first; turn round" : "Smallest first; turn round");
    turn.title = turn.getAttribute("aria-label");
  };
  select.addEventListener("change", () =>
    order(select.value, select.value !== "number" && metric(select.value).better !== "low"),
  );
  show();
  return make("div", { class: "joined" }, labeled("Sort", select), turn);
}

function runControl(asked, runs, onChange) {
  const choices = [
    ["first", "One for each unit"],
    ["each", "Runs side by side"],
  ];
  const select = options(
    make("select", {}),
    [...choices, ...runs.map((run) => [site.runs[run].id, site.runs[run].label])],
    asked.show,
  );
  select.addEventListener("change", () => {
    asked.show = select.value;
    onChange();
  });
  return labeled("Pictures", select);
}

function sizeControl(onSize) {
  const slider = make("input", {
    type: "range",
    min: SIZES.min,
    max: SIZES.max,
    step: 8,
    "aria-label": "Size of thumbnails",
  });
  slider.value = thumbSize();
  slider.addEventListener("input", () => {
    remember("size", slider.value);
    onSize(Number(slider.value));
  });
  return labeled("Size", slider);
}

function filterPanel(entries, asked, onChange) {
  const ranges = entries.metrics().filter((key) => entries.range(key));
  const sliders = ranges.map((key) =>
    rangeFilter(entries, key, asked.ranges.get(key) ?? null, (range) => {
      if (range) asked.ranges.set(key, range);
      else asked.ranges.delete(key);
      onChange();
    }),
  );
  const panel = make("div", { id: "filters", class: "filters", role: "group", "aria-label": "Filters" });
  panel.append(statusChips(entries, asked, onChange), make("div", { class: "ranges" }, sliders));
  return panel;
}

function statusChips(entries, asked, onChange) {
  const counts = entries.statuses();
  const chips = Object.keys(STATUSES)
    .filter((status) => counts.get(status))
    .map((status) => {
      const chip = button(STATUSES[status], () => toggle(status), {
        text: STATUSES[status],
        class: "chip",
        "aria-pressed": String(asked.statuses.has(status)),
      });
      const toggle = () => {
        if (!asked.statuses.delete(status)) asked.statuses.add(status);
        chip.setAttribute("aria-pressed", String(asked.statuses.has(status)));
        onChange();
      };
      chip.append(
        make(
          "span",
          { class: "soft", title: count(counts.get(status), "unit") },
          ` ${counts.get(status).toLocaleString("en-US")}`,
        ),
      );
      return chip;
    });
  return make("div", { class: "chips" }, chips);
}
