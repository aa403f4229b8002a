// Data of layers, units and atlases: scripts beside the page, which it adds when they are needed.

const received = new Map();

/** What `report/data/NAME.js` says; asked for once. */
export function load(name) {
  if (!received.has(name)) received.set(name, request(name));
  return received.get(name).promise;
}

function request(name) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const file = `report/data/${name}.js`;
  const script = document.createElement("script");
  script.src = file;
  script.onload = () => reject(new Error(`${file} does not say what it should`)); // too late where it has said it
  script.onerror = () => reject(new Error(`${file} is missing`));
  document.head.append(script);
  return { promise, resolve };
}

globalThis.featvizReceive = (name, data) => received.get(name)?.resolve(data);
