// What the page knows of its site from the start: networks and their layers, runs, metrics.

export const site = JSON.parse(document.getElementById("site").textContent);

export const metricsByKey = new Map(site.metrics.map((metric) => [metric.key, metric]));

/** A metric, also one of a run that the site has no sentence for. */
export function metric(key) {
  return metricsByKey.get(key) ?? { key, label: key, better: null, digits: 3, meaning: "" };
}

/** The network that an address names, or the only one, or the first. */
export function modelNamed(name) {
  return site.models.find((model) => modelKey(model) === name) ?? site.models[0];
}

/** The word for a network in addresses: its name, or its id where several have the same name. */
export function modelKey(model) {
  const same = site.models.filter((other) => other.name === model.name);
  return same.length === 1 ? model.name : model.id;
}

/** A layer of a network by the name of its stage, its module's name, or its id; undefined where there is none. */
export function layerNamed(model, name) {
  const { layers } = model;
  return (
    layers.find((layer) => layer.names.includes(name) && layer.file) ??
    layers.find((layer) => layer.module === name) ??
    layers.find((layer) => layer.names.includes(name)) ??
    layers.find((layer) => layer.id === name)
  );
}

/** What a layer is called: what its runs call it, or its stage, or its module. */
export function layerName(layer) {
  return layer.name;
}

/** What else a layer is called. */
export function otherNames(layer) {
  return [layer.module, ...layer.names].filter((name) => name !== layer.name);
}

/** The name of a network that tells it from the others of the site. */
export function modelTitle(model) {
  const same = site.models.filter((other) => other.name === model.name);
  if (same.length === 1) return model.name;
  const told = new Set(same.map((other) => other.weights)).size === same.length;
  return `${model.name} · ${told ? model.weights : model.checksum.slice(0, 8)}`;
}

/** What is typed for a unit of a network, or null where only a program has the network. */
export function typedWords(model, ...settings) {
  if (model.words === null) return null;
  return ["python -m featviz", model.words, ...settings.map(quoted)].filter(Boolean).join(" ");
}

/** The setting that names a layer on the command line, where stages and modules are known. */
export function layerWord(layer) {
  return `layer=${/^layer[1-4]$/.test(layer.name) ? layer.name : layer.module}`;
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The number of a run's network among those of the site. */
export function modelOfRun(run) {
  return site.models.find((model) => model.id === run.model);
}

/** The layers that there is something of. */
export function shownLayers(model) {
  return model.layers.filter((layer) => layer.file);
}
