// Elements are made here and nowhere else: what a run wrote becomes text and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element.
 * @param {string} tag
 * @param {object} given attributes; `style` and `on` are objects of properties and listeners; null and false are left out
 * @param {...(Node|string|null)} children strings become text
 */
export function make(tag, given = {}, ...children) {
  return furnish(document.createElement(tag), given, children);
}

/** The same for an SVG element. */
export function makeSvg(tag, given = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), given, children);
}

function furnish(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  search: "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1Zm4.3 10.3L15 15",
  theme: "M8 1v14A7 7 0 0 1 8 1Zm0 0a7 7 0 0 1 0 14",
  help: "M5.5 5.5a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.4v.5M8 12.4v.2",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  check: "m3 8.5 3.5 3.5L13 4.5",
  close: "m4 4 8 8m0-8-8 8",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  filter: "M2 4h12M4.5 8h7M7 12h2",
};

/** A drawing for a button; it says nothing itself, so the button needs a label. */
export function icon(name) {
  const path = makeSvg("path", { d: SHAPES[name] });
  return makeSvg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, path);
}

/** A button with an icon, or a text, or both. */
export function button(label, onClick, { shape = null, text = null, ...given } = {}) {
  const attributes = { type: "button", "aria-label": text ? null : label, title: text ? null : label, ...given };
  return make("button", { ...attributes, on: { click: onClick } }, shape && icon(shape), text);
}

/** Text for who listens to the page instead of looking at it. */
export function unseen(text) {
  return make("span", { class: "unseen" }, text);
}

/** Say something to who listens to the page instead of looking at it. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

/** Call a function once, a little after the last of many calls. */
export function later(wait, call) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), wait);
  };
}
