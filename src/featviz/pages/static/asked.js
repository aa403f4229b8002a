// What is asked of a grid of units - search, order, filters, runs - and how that stands in the page's address.

/** What the query of an address asks for. */
export function askedOf(query, metrics, runs) {
  const sort = query.get("sort") ?? "number";
  const key = sort.replace(/^-/, "");
  const show = query.get("show");
  return {
    text: query.get("q") ?? "",
    sort: metrics.includes(key) ? key : "number",
    descending: sort.startsWith("-"),
    statuses: new Set(query.get("status")?.split(",").filter(Boolean)),
    ranges: new Map(metrics.filter((name) => query.has(name)).map((name) => [name, readRange(query.get(name))])),
    show: show === "each" || runs.some((run) => run.id === show) ? show : "first",
  };
}

function readRange(text) {
  const [low, high] = text.split("..").map((end) => (end === "" ? NaN : Number(end)));
  return [Number.isNaN(low) ? -Infinity : low, high === undefined || Number.isNaN(high) ? Infinity : high];
}

/** The query that asks for this; "" where nothing differs from how a grid is first shown. */
export function queryOf({ text, sort, descending, statuses, ranges, show }) {
  const query = new URLSearchParams();
  if (text) query.set("q", text);
  if (sort !== "number" || descending) query.set("sort", (descending ? "-" : "") + sort);
  if (statuses.size) query.set("status", [...statuses].join(","));
  for (const [key, [low, high]] of ranges) query.set(key, `${brief(low)}..${brief(high)}`);
  if (show !== "first") query.set("show", show);
  return query.toString();
}

function brief(end) {
  return Number.isFinite(end) ? String(Number(end.toPrecision(6))) : "";
}
