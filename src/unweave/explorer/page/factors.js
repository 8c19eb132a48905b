// View (b): an image by its factors, its reconstruction, and its code.

import { bars, counted, el, options } from "unweave/dom";
import { canvas, clear, show, showBytes } from "unweave/picture";
import { latentName, levelOf, picked } from "unweave/session";

const BARS = 24;
const FEW = 12; // levels with names, in a list instead of a slider

export function factorsView(session, section) {
  const grid = session.data.grid, served = session.content.is_served;
  const controls = grid ? gridControls() : sampleControls();
  const truth = canvas("The true image"), again = canvas("Its reconstruction");
  const caption = el("figcaption", {}, "the true image");
  const below = el("figcaption", {}, "its reconstruction"), code = el("div", {});
  const said = el("p", { className: "said", role: "status" });
  let asked = 0;

  const pictures = el("div", { className: "pictures" }, el("figure", {}, truth, caption));
  const second = el("figure", {}, again, below);
  pictures.append(second);
  const go = el("button", { type: "button", onclick: start }, "Start from this image in Latents");
  const begun = el("p", { className: "soft", role: "status" });
  let current = null;
  section.append(el("div", { className: "split" },
    el("div", { className: "sticky" }, pictures, said),
    el("div", { className: "columns" },
      el("div", {}, ...controls.map((one) => one.row), el("div", { className: "tools" }, go), begun),
      el("div", {}, el("h3", {}, "Its code"), code))));
  go.hidden = !session.models.some((model) => model.decoder);
  for (const one of controls) one.input.addEventListener("input", () => { one.tell(); update(); });
  for (const one of controls) one.tell();
  session.bus.on("model", draw);
  session.bus.on("looked", () => begun.replaceChildren());
  update();

  function start() {
    if (!current) return;
    session.look(current);
    session.begun(begun);
  }

  function control(name, entries, first) {
    const list = entries.length <= FEW && entries.some(([, text]) => Number.isNaN(Number(text)));
    const input = list
      ? el("select", { "aria-label": name }, options(entries.map(([, text], i) => [i, text]), first))
      : el("input", { type: "range", min: 0, max: entries.length - 1, step: 1, value: first, "aria-label": name });
    const output = el("output", {});
    const one = {
      name, entries, input,
      row: el("div", { className: "slider factor" }, el("span", { className: "name" }, name), input, output),
      get level() { return entries[Number(input.value)][0]; },
      tell() {
        const text = entries[Number(input.value)][1];
        output.textContent = list ? "" : text;
        if (!list) input.setAttribute("aria-valuetext", text);
      },
    };
    return one;
  }

  // Of a grid all levels where a server draws any image, else those that the page holds.
  function gridControls() {
    return grid.factors.map((factor) => {
      const held = served ? factor.levels.map((_, level) => level) : factor.held;
      return control(factor.name, held.map((level) => [level, factor.levels[level]]), held.length >> 1);
    });
  }

  function sampleControls() {
    return session.factors.map((factor) => {
      if (factor.levels) return control(factor.name, factor.levels.map((text, level) => [level, text]), levelAt(factor, 0));
      const sorted = factor.column.data.slice().sort();
      const entries = Array.from({ length: 41 }, (_, i) => {
        const value = sorted[Math.round((i / 40) * (sorted.length - 1))];
        return [value, String(Number(value.toPrecision(3)))];
      });
      return control(factor.name, entries, 20);
    });
  }

  async function update() {
    const mine = ++asked;
    const levels = controls.map((one) => one.level);
    const found = grid ? await ofGrid(levels) : await ofSample(levels);
    if (mine !== asked) return;
    current = found;
    said.textContent = found?.note ?? (found ? "" : "This image is not to be had: the program that served the page has stopped.");
    draw();
  }

  async function ofGrid(levels) {
    const text = controls.map((one, k) => `${one.name} ${grid.factors[k].levels[levels[k]]}`).join(", ");
    let row = 0;
    levels.forEach((level, k) => { row = row * grid.factors[k].levels.length + level; });
    let place = 0;
    for (const [k, level] of levels.entries()) {
      const at = grid.factors[k].held.indexOf(level);
      place = at < 0 ? NaN : place * grid.factors[k].held.length + at;
    }
    const bytes = Number.isNaN(place) ? await session.imageOfRow(row) : picked(grid.images, place);
    return bytes && { text, bytes, row: session.places.get(row) ?? null, number: row };
  }

  async function ofSample(levels) {
    const spreads = session.factors.map((factor) => spread(factor.column.data));
    let best = 0, least = Infinity;
    for (let i = 0; i < session.data.images.shape[0]; i++) {
      let distance = 0;
      session.factors.forEach((factor, k) => {
        const gap = Math.abs(factor.column.data[i] - levels[k]) / spreads[k];
        distance += factor.kind === "categorical" ? (gap > 0) * 2 : gap + (gap > 0) * 0.01;
      });
      if (distance < least) [best, least] = [i, distance];
    }
    const apart = session.factors.filter((factor, k) => factor.levels && factor.column.data[best] !== levels[k]);
    const row = session.data.rows.data[best], bytes = picked(session.data.images, best);
    const note = apart.length
      ? `No image that the page holds has these levels. The nearest has ${apart.map((f) => `${f.name} ${levelOf(f, best)}`).join(", ")}.` : "";
    return { text: session.describe(row, best), bytes, row: best, number: row, note };
  }

  function draw() {
    const { model } = session;
    if (!current) { clear(truth); clear(again); code.replaceChildren(); return; }
    showBytes(truth, current.bytes, session.shape);
    truth.setAttribute("aria-label", `The true image: ${current.text}`);
    const known = current.row === null ? null : session.codeOf(current.row);
    const found = model.encoder ? session.encode(current.bytes) : known;
    second.hidden = !(model.decoder && found);
    if (!second.hidden) {
      const { pixels, width, height } = session.decode(found);
      show(again, pixels, width, height);
    }
    code.replaceChildren(found ? codeBars(model, found)
      : el("p", { className: "soft" }, "The page does not hold the code of this image."));
  }
}

export function codeBars(model, code) {
  const shown = Math.min(BARS, model.latents.data.length);
  const names = Array.from({ length: shown }, (_, k) => latentName(model, k));
  const values = names.map((_, k) => code[model.latents.data[k]]);
  const box = bars(names, values, (k) => model.reach.data.subarray(2 * k, 2 * k + 2));
  const rest = model.n_latents - shown;
  return rest ? el("div", {}, box, el("p", { className: "soft" }, `and ${counted(rest)} more`)) : box;
}

function levelAt(factor, i) {
  return factor.column.data[i];
}

function spread(column) {
  let low = Infinity, high = -Infinity;
  for (const x of column) { low = Math.min(low, x); high = Math.max(high, x); }
  return high - low || 1;
}
