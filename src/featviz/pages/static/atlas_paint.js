// Draws the cells of an atlas: each the larger, the more activations are in it.

const [SMALLEST, MORE] = [0.62, 0.34]; // of a cell's side: of a picture of few activations, and what many add

/**
 * Paint a level of an atlas.
 * @param {HTMLCanvasElement} canvas
 * @param {{grid: number, cells: object}} level
 * @param {function(number): object} sheetOf the sprite of this number, with its `image`
 * @param {AtlasView} view
 * @param {number[]|null} chosen column and row of the cell that is marked
 */
export function paintAtlas(canvas, { grid, cells }, sheetOf, view, chosen) {
  const context = canvas.getContext("2d");
  const { width } = canvas;
  const pixels = (width * view.scale) / grid;
  const most = Math.sqrt(Math.max(...cells.count));
  context.clearRect(0, 0, width, width);
  context.imageSmoothingQuality = "high";
  cells.x.forEach((x, at) => {
    const [left, top] = view.pixel(x / grid, cells.y[at] / grid, width);
    if (left + pixels < 0 || top + pixels < 0 || left > width || top > width) return;
    const side = pixels * (SMALLEST + MORE * (Math.sqrt(cells.count[at]) / most));
    const gap = (pixels - side) / 2;
    paintCell(context, sheetOf(cells.sprite[at]), cells.cell[at], left + gap, top + gap, side);
    if (chosen && chosen[0] === x && chosen[1] === cells.y[at]) mark(context, left + gap, top + gap, side);
  });
}

function paintCell(context, sheet, number, left, top, side) {
  if (!sheet?.image.complete || !sheet.image.naturalWidth) {
    context.fillStyle = "#8884";
    return context.fillRect(left, top, side, side);
  }
  const { image, cell, columns } = sheet;
  const [x, y] = [(number % columns) * cell, Math.floor(number / columns) * cell];
  return context.drawImage(image, x, y, cell, cell, left, top, side, side);
}

function mark(context, left, top, side) {
  context.lineWidth = 3 * (devicePixelRatio || 1);
  context.strokeStyle = getComputedStyle(context.canvas).color;
  context.strokeRect(left, top, side, side);
}
