// Which part of an atlas's plane, the unit square, is seen.

const CLOSEST = 24; // times as large as when all is seen

/** A square part of the plane: its left upper corner, and how many times it is enlarged. */
export class AtlasView {
  constructor() {
    Object.assign(this, { x: 0, y: 0, scale: 1 });
  }

  get middle() {
    return { x: this.x + 0.5 / this.scale, y: this.y + 0.5 / this.scale };
  }

  /** Move the corner, within the plane, and enlarge. */
  moveTo(x, y, scale = this.scale) {
    this.scale = Math.min(CLOSEST, Math.max(1, scale));
    const most = 1 - 1 / this.scale;
    [this.x, this.y] = [Math.min(most, Math.max(0, x)), Math.min(most, Math.max(0, y))];
  }

  /** Come closer by this factor, to a point that stays where it is. */
  zoom(factor, point = this.middle) {
    const scale = Math.min(CLOSEST, Math.max(1, this.scale * factor));
    const ratio = this.scale / scale;
    this.moveTo(point.x - (point.x - this.x) * ratio, point.y - (point.y - this.y) * ratio, scale);
  }

  /** Have a point in view; in the middle, unless it is seen already. */
  show(x, y) {
    const seen = (value, from) => value > from && value < from + 1 / this.scale;
    if (!seen(x, this.x) || !seen(y, this.y)) this.moveTo(x - 0.5 / this.scale, y - 0.5 / this.scale);
  }

  /** Where a point of the plane lies on a canvas of this width. */
  pixel(x, y, width) {
    return [(x - this.x) * this.scale * width, (y - this.y) * this.scale * width];
  }
}
