// The histogram of a unit's answers to all photos.

import { make, makeSvg } from "./dom.js";
import { count, number } from "./format.js";

const [WIDE, HIGH] = [400, 120];

/** The figure of a histogram, with the strongest photos marked below it. */
export function histogramFigure(histogram, exemplars) {
  const { low, high, counts, photos, mean, std, figure } = histogram;
  const most = Math.max(1, ...counts);
  const width = WIDE / counts.length;
  const bars = counts.map((many, at) => {
    const tall = (many / most) * (HIGH - 4);
    const bar = makeSvg("rect", { x: at * width + 0.5, y: HIGH - tall, width: width - 1, height: tall });
    bar.append(
      makeSvg("title", {}, `${count(many, "photo")} from ${number(low + (at * (high - low)) / counts.length)}`),
    );
    return bar;
  });
  const x = (value) => ((value - low) / (high - low || 1)) * WIDE;
  const marks = exemplars
    .map((one) => one[figure] ?? one.mean)
    .map((value) => makeSvg("circle", { class: "mark", cx: Math.min(WIDE - 2, x(value)), cy: HIGH + 6, r: 2 }));
  const line = makeSvg("line", { class: "middle", x1: x(mean), x2: x(mean), y1: 0, y2: HIGH });
  const label = `Histogram of the ${figure} over ${count(photos, "photo")}: from ${number(low)} to ${number(high)}, mean ${number(mean)}, standard deviation ${number(std)}`;
  const drawing = makeSvg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${WIDE} ${HIGH + 10}`, role: "img", "aria-label": label },
    bars,
    line,
    marks,
  );
  const ends = make(
    "div",
    { class: "ends soft", "aria-hidden": "true" },
    make("span", {}, number(low)),
    make("span", {}, `mean ${number(mean)} ± ${number(std)}`),
    make("span", {}, number(high)),
  );
  const says = make(
    "p",
    { class: "soft" },
    `${figure === "max" ? "Its strongest position" : "The mean of its feature map"} over ${count(photos, "photo")}; points mark the strongest ones.`,
  );
  return make("section", {}, make("h2", {}, "Answers to all photos"), says, drawing, ends);
}
