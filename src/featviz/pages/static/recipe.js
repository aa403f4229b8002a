// How a picture was made: its settings, and the command that makes it again.

import { announce, button, icon, make } from "./dom.js";
import { site } from "./site.js";

/** The section of the run that made a picture. */
export function recipeSection(data, picture) {
  if (picture < 0) return null;
  const run = site.runs[data.pictures.run[picture]];
  const facts = [
    ["Network", `${data.model.name}, ${data.model.weights}`],
    ["Recipe", run.recipe],
    ["Seed", String(run.seed)],
    ["Run", run.label],
  ];
  const image = data.pictures.image[picture];
  if (image) facts.push(["File", decodeURIComponent(image)]);
  const all = make("details", {}, make("summary", {}, `All settings (${run.settings.length})`), factList(run.settings));
  return make(
    "section",
    {},
    make("h2", {}, "How it was made"),
    factList(facts),
    run.command ? commandLine(run.command) : null,
    run.settings.length ? all : null,
  );
}

function factList(facts) {
  const rows = facts.map(([name, value]) =>
    make("div", { class: name === "File" ? "whole-row" : null }, make("dt", {}, name), make("dd", {}, String(value))),
  );
  return make("dl", { class: "settings" }, rows);
}

/** A command that can be copied. */
export function commandLine(command) {
  const code = make("code", { tabindex: "0" }, command);
  const copy = button(
    "Copy the command",
    async () => {
      const done = await copied(command, code);
      copy.replaceChildren(icon(done ? "check" : "copy"));
      announce(done ? "Copied" : "Selected: press Ctrl+C to copy");
    },
    { shape: "copy" },
  );
  return make("div", { class: "command" }, code, copy);
}

/** Copy a text; where the browser forbids it, select what shows it. */
async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand?.("copy") ?? false;
  }
}
