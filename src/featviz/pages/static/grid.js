// A grid of any length of which only the rows are drawn that can be seen. The page scrolls, not the grid.

import { make } from "./dom.js";

const SPARE = 3; // rows drawn above and below those that are seen
const LEAST = 40; // px, the side of a tile where there are more columns than room
const LEAST_NAMED = 56; // px: smaller tiles have nothing written below them
const APART = 28; // px, between groups
const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: "down", ArrowUp: "up", Home: "first", End: "last" };

/**
 * A grid of tiles, one of which can be reached by Tab and moved by the arrow keys.
 * The tile that has the focus stays drawn wherever the page is scrolled to.
 */
export class Grid {
  /**
   * @param {string} label what the grid shows
   * @param {function(object): Element} draw makes the tile of an item, with a link in it
   * @param {function(object): string} key tells an item, so that it is found again after sorting
   */
  constructor(label, draw, key) {
    Object.assign(this, { draw, key, items: [], size: 120, group: 1, active: 0, rows: new Map() });
    this.node = make("div", { class: "grid", role: "grid", "aria-label": label, tabindex: "-1" });
    this.node.addEventListener("keydown", (event) => this.move(event));
    this.node.addEventListener("focusin", (event) => this.focused(event));
    this.redraw = () => this.update();
    this.watcher = new ResizeObserver(() => this.node.clientWidth !== this.width && this.layout());
  }

  /** Start to follow the page; to be called once the grid is in it. */
  start() {
    addEventListener("scroll", this.redraw, { passive: true });
    addEventListener("resize", this.redraw);
    this.watcher.observe(this.node.parentElement);
  }

  stop() {
    removeEventListener("scroll", this.redraw);
    removeEventListener("resize", this.redraw);
    this.watcher.disconnect();
  }

  /** Show these items; so many of them, a `group`, stand together and are never parted by the end of a row. */
  show(items, { size = this.size, group = 1 } = {}) {
    const kept = this.items.length && this.items[this.active] ? this.key(this.items[this.active]) : null;
    const hasFocus = this.node.contains(document.activeElement);
    Object.assign(this, { items, size, group });
    const found = kept === null ? -1 : items.findIndex((item) => this.key(item) === kept);
    this.active = hasFocus && found >= 0 ? found : 0;
    this.layout(hasFocus);
  }

  layout(hasFocus = this.node.contains(document.activeElement)) {
    const width = this.node.clientWidth;
    if (!width) return;
    Object.assign(this, { width, ...this.measures(width) });
    const { node, side, gap, columns } = this;
    const rows = Math.ceil(this.items.length / columns);
    node.style.setProperty("--side", `${side}px`);
    node.style.setProperty("--gap", `${gap}px`);
    node.style.height = `${rows * this.high}px`;
    node.classList.toggle("tiny", side < LEAST_NAMED);
    node.setAttribute("aria-rowcount", rows);
    node.setAttribute("aria-colcount", columns);
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.update();
    if (hasFocus) this.focus();
  }

  /** The side of a tile, the gaps, the number of columns and the height of a row, px, in a window of this width. */
  measures(width) {
    const { size, group } = this;
    const gap = size < 64 ? 6 : 12;
    const apart = group > 1 ? APART : 0;
    const groups = Math.max(1, Math.floor((width + gap + apart) / (group * (size + gap) + apart)));
    const room = Math.floor((width + gap - (groups - 1) * apart) / (groups * group) - gap);
    const side = group > 1 ? Math.max(LEAST, Math.min(size, room)) : room;
    return { gap, side, columns: groups * group, high: side + (side < LEAST_NAMED ? 4 : 26) + gap };
  }

  /** Draw the rows that are seen now, and drop the others, but for the one that has the focus. */
  update() {
    const top = -this.node.getBoundingClientRect().top;
    const last = Math.ceil(this.items.length / this.columns) - 1;
    const from = Math.max(0, Math.floor(top / this.high) - SPARE);
    const to = Math.min(last, Math.ceil((top + innerHeight) / this.high) + SPARE);
    for (const [at, row] of this.rows) {
      if ((at < from || at > to) && !row.contains(document.activeElement)) this.drop(at, row);
    }
    for (let at = from; at <= to; at++) if (!this.rows.has(at)) this.addRow(at);
  }

  drop(at, row) {
    row.remove();
    this.rows.delete(at);
  }

  addRow(at) {
    const row = make("div", { class: "row", role: "row", "aria-rowindex": at + 1 });
    row.style.transform = `translateY(${at * this.high}px)`;
    const end = Math.min((at + 1) * this.columns, this.items.length);
    for (let place = at * this.columns; place < end; place++) row.append(this.cell(place));
    const next = [...this.rows.keys()].filter((other) => other > at).sort((one, other) => one - other)[0];
    this.node.insertBefore(row, next === undefined ? null : this.rows.get(next));
    this.rows.set(at, row);
  }

  cell(place) {
    const first = this.group > 1 && place % this.group === 0 && place % this.columns > 0;
    const given = {
      class: first ? "cell apart" : "cell",
      role: "gridcell",
      "aria-colindex": (place % this.columns) + 1,
      "data-place": place,
    };
    const cell = make("div", given, this.draw(this.items[place]));
    if (place !== this.active) for (const part of cell.querySelectorAll("a, input")) part.tabIndex = -1;
    return cell;
  }

  focused(event) {
    const cell = event.target.closest("[data-place]");
    if (!cell || Number(cell.dataset.place) === this.active) return;
    for (const part of this.cellAt(this.active)?.querySelectorAll("a, input") ?? []) part.tabIndex = -1;
    this.active = Number(cell.dataset.place);
    for (const part of cell.querySelectorAll("a, input")) part.tabIndex = 0;
  }

  cellAt(place) {
    return this.node.querySelector(`[data-place="${place}"]`);
  }

  move(event) {
    if (!(event.key in STEPS) || event.altKey || event.ctrlKey || event.metaKey || event.target.type === "range")
      return;
    const step = STEPS[event.key];
    const last = this.items.length - 1;
    const places = { up: this.active - this.columns, down: this.active + this.columns, first: 0, last };
    const place = places[step] ?? this.active + step;
    if (place >= 0 && place <= last) this.goTo(place);
    event.preventDefault();
    event.stopPropagation();
  }

  /** Make an item the active one, and give it the focus. */
  goTo(place) {
    const before = this.cellAt(this.active);
    for (const part of before?.querySelectorAll("a, input") ?? []) part.tabIndex = -1;
    this.active = place;
    this.focus();
  }

  focus() {
    const at = Math.floor(this.active / this.columns);
    if (!this.items.length) return this.node.focus();
    if (!this.rows.has(at)) this.addRow(at);
    const cell = this.cellAt(this.active);
    for (const part of cell.querySelectorAll("a, input")) part.tabIndex = 0;
    cell.scrollIntoView({ block: "nearest" });
    cell.querySelector("a").focus({ preventScroll: true });
    return this.update();
  }
}
