// The map of an atlas: a canvas of cells that is moved, zoomed and asked which cell lies where.

const CLOSEST = 24; // times as large as when all is seen
const WANTED = 72; // px a cell should have before the next finer level is shown
const MOVES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** A canvas that shows an atlas. Its plane is the unit square; `view` says which part of it is seen. */
export class AtlasMap {
  /**
   * @param {object} data an atlas, as its data script has it
   * @param {function(number[]|null)} onChoose called with the level, column and row of a chosen cell
   */
  constructor(data, onChoose) {
    Object.assign(this, {
      data,
      onChoose,
      chosen: null,
      view: { x: 0, y: 0, scale: 1 },
      pointers: new Map(),
      moved: 0,
    });
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "Map of activations: arrow keys choose a cell, plus and minus zoom");
    this.places = data.levels.map(({ cells }) => new Map(cells.x.map((x, at) => [`${x} ${cells.y[at]}`, at])));
    this.sheets = data.sprites.map(({ file }) => this.image(file));
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
    const side = Math.min(this.canvas.parentElement.clientWidth, 1100);
    if (!side) return;
    const ratio = devicePixelRatio || 1;
    Object.assign(this, { side });
    this.canvas.style.width = this.canvas.style.height = `${side}px`;
    this.canvas.width = this.canvas.height = Math.round(side * ratio);
    this.draw();
  }

  /** The level whose cells are as large as wanted, or the coarsest. */
  level() {
    const { scale } = this.view;
    const fitting = this.data.levels.findLastIndex(({ grid }) => (this.side * scale) / grid >= WANTED);
    return Math.max(0, fitting);
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    if (!this.side) return;
    const context = this.canvas.getContext("2d");
    const level = this.level();
    const { grid, cells } = this.data.levels[level];
    const pixels = (this.canvas.width * this.view.scale) / grid;
    const most = Math.sqrt(Math.max(...cells.count));
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingQuality = "high";
    cells.x.forEach((x, at) => {
      const [left, top] = [this.pixel(x / grid, "x"), this.pixel(cells.y[at] / grid, "y")];
      if (left + pixels < 0 || top + pixels < 0 || left > this.canvas.width || top > this.canvas.height) return;
      const side = pixels * (0.62 + 0.34 * (Math.sqrt(cells.count[at]) / most));
      const gap = (pixels - side) / 2;
      this.paintCell(context, cells, at, left + gap, top + gap, side);
      if (this.isChosen(level, x, cells.y[at])) this.mark(context, left + gap, top + gap, side);
    });
  }

  paintCell(context, cells, at, left, top, side) {
    const sprite = this.data.sprites[cells.sprite[at]];
    const sheet = this.sheets[cells.sprite[at]];
    if (!sheet?.complete || !sheet.naturalWidth) {
      context.fillStyle = "#8884";
      return context.fillRect(left, top, side, side);
    }
    const { cell, columns } = sprite;
    const [x, y] = [(cells.cell[at] % columns) * cell, Math.floor(cells.cell[at] / columns) * cell];
    return context.drawImage(sheet, x, y, cell, cell, left, top, side, side);
  }

  mark(context, left, top, side) {
    context.lineWidth = 3 * (devicePixelRatio || 1);
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.strokeRect(left, top, side, side);
  }

  isChosen(level, x, y) {
    return this.chosen !== null && [level, x, y].every((value, at) => value === this.chosen[at]);
  }

  pixel(value, axis) {
    return (value - this.view[axis]) * this.view.scale * this.canvas.width;
  }

  /** Where an event is, in the plane. */
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return {
      x: x + (event.clientX - box.left) / box.width / scale,
      y: y + (event.clientY - box.top) / box.height / scale,
    };
  }

  /** Come closer by this factor, to a point that stays where it is. */
  zoom(factor, point = { x: this.view.x + 0.5 / this.view.scale, y: this.view.y + 0.5 / this.view.scale }) {
    const scale = Math.min(CLOSEST, Math.max(1, this.view.scale * factor));
    const ratio = this.view.scale / scale;
    this.moveTo(point.x - (point.x - this.view.x) * ratio, point.y - (point.y - this.view.y) * ratio, scale);
  }

  moveTo(x, y, scale = this.view.scale) {
    const most = 1 - 1 / scale;
    this.view = { x: Math.min(most, Math.max(0, x)), y: Math.min(most, Math.max(0, y)), scale };
    this.canvas.dataset.scale = scale.toFixed(2);
    this.canvas.dataset.level = this.level();
    this.draw();
  }

  reset() {
    this.moveTo(0, 0, 1);
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
    const share = 1 / this.side / this.view.scale / this.pointers.size;
    this.moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
    this.pointers.set(event.pointerId, event);
    this.moveTo(
      this.view.x - (event.clientX - before.clientX) * share,
      this.view.y - (event.clientY - before.clientY) * share,
    );
  }

  pinch(before, event) {
    const [other] = [...this.pointers.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    this.zoom(apart(event) / apart(before), this.point(middle));
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

  /** Mark a cell, and have it in view. */
  select(place) {
    this.chosen = place;
    if (place) this.show(place);
    this.draw();
  }

  show([level, x, y]) {
    const { grid } = this.data.levels[level];
    const [centerX, centerY] = [(x + 0.5) / grid, (y + 0.5) / grid];
    if (level !== this.level()) this.moveTo(0, 0, Math.min(CLOSEST, Math.max(1, (WANTED * 1.3 * grid) / this.side)));
    const { x: left, y: top, scale } = this.view;
    const seen = (value, from) => value > from && value < from + 1 / scale;
    if (!seen(centerX, left) || !seen(centerY, top)) this.moveTo(centerX - 0.5 / scale, centerY - 0.5 / scale);
  }

  key(event) {
    if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.reset();
    else if (event.key in MOVES) this.step(MOVES[event.key]);
    else return;
    event.preventDefault();
  }

  /** The next cell in a direction, over empty ones; the first of all where none is chosen. */
  step([right, down]) {
    const level = this.level();
    const { grid, cells } = this.data.levels[level];
    if (!this.chosen || this.chosen[0] !== level) return this.choose([level, ...this.nearest(cells, grid)]);
    let [, x, y] = this.chosen;
    for (let tried = 0; tried < grid; tried++) {
      [x, y] = [x + right, y + down];
      if (this.places[level].has(`${x} ${y}`)) return this.choose([level, x, y]);
    }
    return undefined;
  }

  /** The cell that is nearest to the middle of what is seen. */
  nearest(cells, grid) {
    const { x, y, scale } = this.view;
    const [column, row] = [(x + 0.5 / scale) * grid - 0.5, (y + 0.5 / scale) * grid - 0.5];
    const far = (at) => Math.hypot(cells.x[at] - column, cells.y[at] - row);
    const best = cells.x.reduce((least, _, at) => (far(at) < far(least) ? at : least), 0);
    return [cells.x[best], cells.y[best]];
  }
}
