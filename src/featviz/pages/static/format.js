// Numbers and counts as people read them.

/** A number with so many significant digits, never in powers of ten below a million; a dash where there is none. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const after = Math.min(6, Math.max(0, digits - 1 - size));
  const text =
    Math.abs(size) > 6 ? value.toPrecision(digits) : Number.isInteger(value) ? String(value) : value.toFixed(after);
  return text.replace(/-/g, "−");
}

/** "1 unit", "512 units", "20,000 units". */
export function count(many, word) {
  return `${many.toLocaleString("en-US")} ${word}${many === 1 ? "" : "s"}`;
}

/** "24 × 56 × 56", which no line parts, or nothing where a shape is not known. */
export function shapeText(shape) {
  return shape ? shape.join("\u00a0×\u00a0") : "";
}

/** The words that are there, with commas between. */
export function listed(...words) {
  return words.filter(Boolean).join(", ");
}

/** "stride 16", which no line parts, or nothing where it is not known. */
export function strideText(stride) {
  return stride ? `stride\u00a0${stride}` : "";
}

/** The words that are there, with points between. */
export function dotted(...words) {
  return words.filter(Boolean).join(" · ");
}

/** The last part of a path. */
export function fileName(path) {
  return path.split(/[\\/]/).pop();
}
