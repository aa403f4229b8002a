// The map of an atlas: a canvas of cells that is moved, zoomed and asked which cell lies where.

import { paintAtlas } from "./atlas_paint.js";
import { AtlasView } from "./atlas_view.js";
import { make } from "./dom.js";

const WANTED = 72; // px a cell should have before the next finer level is shown
const WIDEST = 1100; // px
const LABEL = "Map of activations: arrow keys choose a cell, plus and minus zoom";
const MOVES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** A canvas that shows an atlas. A place is a level with the column and the row of a cell. */
export class AtlasMap {
  /**
   * @param {object} data an atlas, as its data script has it
   * @param {function(number[]|null)} onChoose called with the place of a chosen cell
   */
  constructor(data, onChoose) {
    Object.assign(this, { data, onChoose, chosen: null, view: new AtlasView(), pointers: new Map(), moved: 0 });
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-label": LABEL });
    this.places = data.levels.map(({ cells }) => new Map(cells.x.map((x, at) => [`${x} ${cells.y[at]}`, at])));
    this.sheets = data.sprites.map((sheet) => ({ ...sheet, image: this.image(sheet.file) }));
    this.listen();
    this.watcher = new ResizeObserver(() => this.resize());
  }

  image(address) {
    const image = new Image();
    image.onload = () => this.draw();
    image.src = address;
    return image;
  }

  start() {
    this.watcher.observe(this.canvas.parentElement);
    this.resize();
  }

  stop() {
    this.watcher.disconnect();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, this.point(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  resize() {
    this.side = Math.min(this.canvas.parentElement.clientWidth, WIDEST);
    this.canvas.style.width = this.canvas.style.height = `${this.side}px`;
    this.canvas.width = this.canvas.height = Math.round(this.side * (devicePixelRatio || 1));
    this.draw();
  }

  /** The level whose cells are as large as wanted, or the coarsest. */
  level() {
    const fitting = this.data.levels.findLastIndex(({ grid }) => (this.side * this.view.scale) / grid >= WANTED);
    return Math.max(0, fitting);
  }

  /** Draw what is seen, once the browser is about to show it. */
  draw() {
    const level = this.level();
    Object.assign(this.canvas.dataset, { scale: this.view.scale.toFixed(2), level });
    const chosen = this.chosen?.[0] === level ? this.chosen.slice(1) : null;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() =>
      paintAtlas(this.canvas, this.data.levels[level], (at) => this.sheets[at], this.view, chosen),
    );
  }

  /** Where an event is, in the plane. */
  point({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return { x: x + (clientX - box.left) / box.width / scale, y: y + (clientY - box.top) / box.height / scale };
  }

  zoom(factor, point) {
    this.view.zoom(factor, point);
    this.draw();
  }

  /** Show all of it. */
  reset() {
    this.view.moveTo(0, 0, 1);
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), this.point(event));
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.moved = 0;
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (this.pointers.size === 2) this.pinch(before, event);
    const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
    const share = 1 / this.side / this.view.scale / this.pointers.size;
    this.moved += Math.abs(right) + Math.abs(down);
    this.pointers.set(event.pointerId, event);
    this.view.moveTo(this.view.x - right * share, this.view.y - down * share);
    this.draw();
  }

  pinch(before, event) {
    const [other] = [...this.pointers.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    this.view.zoom(apart(event) / apart(before), this.point(middle));
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (this.moved > 6) return;
    const { x, y } = this.point(event);
    const level = this.level();
    const { grid } = this.data.levels[level];
    this.choose([level, Math.floor(x * grid), Math.floor(y * grid)]);
  }

  /** Choose a cell; one without a picture chooses none. */
  choose(place) {
    this.select(this.places[place[0]]?.has(`${place[1]} ${place[2]}`) ? place : null);
    this.onChoose(this.chosen);
  }

  /** Mark a cell, and have it in view, as large as cells of its level are shown. */
  select(place) {
    this.chosen = place && this.data.levels[place[0]] ? place : null;
    if (this.chosen) {
      const [level, x, y] = place;
      const { grid } = this.data.levels[level];
      if (level !== this.level()) this.view.moveTo(0, 0, (WANTED * 1.3 * grid) / this.side);
      this.view.show((x + 0.5) / grid, (y + 0.5) / grid);
    }
    this.draw();
  }

  key(event) {
    if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.reset();
    else if (event.key in MOVES) this.step(MOVES[event.key]);
    else return;
    event.preventDefault();
  }

  /** Choose the next cell in a direction, over empty ones; the middle one where none is chosen. */
  step([right, down]) {
    const level = this.level();
    const { grid } = this.data.levels[level];
    if (!this.chosen || this.chosen[0] !== level) return this.choose([level, ...this.middleCell(level)]);
    let [, x, y] = this.chosen;
    for (let tried = 0; tried < grid; tried++) {
      [x, y] = [x + right, y + down];
      if (this.places[level].has(`${x} ${y}`)) return this.choose([level, x, y]);
    }
    return undefined;
  }

  /** Column and row of the cell that is nearest to the middle of what is seen. */
  middleCell(level) {
    const { grid, cells } = this.data.levels[level];
    const { x, y } = this.view.middle;
    const far = (at) => Math.hypot(cells.x[at] + 0.5 - x * grid, cells.y[at] + 0.5 - y * grid);
    const best = cells.x.reduce((least, _, at) => (far(at) < far(least) ? at : least), 0);
    return [cells.x[best], cells.y[best]];
  }
}
