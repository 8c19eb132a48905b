// View (a): a slider for each latent, and the image that the decoder makes.

import { breakable, el, number, options, typedWhole } from "unweave/dom";
import { canvas, clear, readFile, show, showBytes } from "unweave/picture";
import { latentName } from "unweave/session";

const FIRST = 24; // sliders that are shown
const BINS = 20; // of latents and continuous factors, in their information
const SURE = 4; // standard deviations above chance
const STEPS = 200;
const PERIOD = 4000; // milliseconds of an animation, there and back

export function latentsView(session, section) {
  const original = canvas("The image that you start from");
  const decoded = canvas("What the decoder makes of the code");
  const caption = el("figcaption", {}), time = el("figcaption", {});
  const said = el("p", { className: "said", role: "status" });
  const sliders = el("div", { className: "sliders" });
  const more = el("button", { type: "button", hidden: true });
  const hint = el("p", { className: "soft" });
  let rows = [], waiting = false, frame = 0;

  const pick = el("input", { type: "text", inputMode: "numeric", id: "row", autocomplete: "off" });
  const file = el("input", { type: "file", accept: "image/*", id: "file" });
  const animated = el("select", { id: "animated" });
  const play = el("button", { type: "button", onclick: () => (frame ? stop() : animate()) }, "Animate");
  const drop = el("div", { className: "drop" },
    el("label", { htmlFor: "file" }, "Your own image (or drop it here) "), file);

  section.append(
    el("div", { className: "split" },
      el("div", { className: "sticky" },
        el("div", { className: "pictures" },
          el("figure", {}, original, caption), el("figure", {}, decoded, time)),
        said),
      el("div", {},
        el("div", { className: "tools" },
          el("label", {}, "Image number ", pick),
          el("button", { type: "button", onclick: goToRow }, "Show"),
          el("button", { type: "button", onclick: () => session.lookAt(Math.floor(Math.random() * session.n)) }, "Random image"),
          el("button", { type: "button", onclick: () => session.randomCode() }, "Random code"),
          el("button", { type: "button", onclick: () => { stop(); session.begin(session.start); } }, "Reset all"),
          el("label", {}, "Animate ", animated), play,
          el("button", { type: "button", onclick: share }, "Copy address")),
        drop, hint, sliders, more)));

  pick.addEventListener("keydown", (event) => { if (event.key === "Enter") goToRow(); });
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  for (const type of ["dragover", "dragleave", "drop"]) {
    section.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (type === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }
  session.bus.on("said", (text) => { said.textContent = text; });
  session.bus.on("model", build);
  session.bus.on("looked", looked);
  session.bus.on("code", changed);
  build();

  function build() {
    stop();
    const { model } = session, n = model.latents.data.length;
    sliders.replaceChildren();
    rows = [];
    const able = Boolean(model.decoder);
    drop.hidden = !model.encoder;
    hint.textContent = able
      ? `Ordered by ${model.order_by}, largest first${Object.keys(model.matrices).includes("information") ? ". Beside a latent stands the factor of which it knows most" : ""}. “Hold” keeps a latent where it is when the image changes.`
      : "This model has no decoder that runs in the page: choose the other one.";
    if (able) for (let k = 0; k < Math.min(n, FIRST); k++) add(k);
    more.hidden = !able || n <= FIRST;
    more.textContent = `Show all ${n} latents`;
    more.onclick = () => {
      for (let k = rows.length; k < n; k++) add(k);
      more.hidden = true;
      refresh();
    };
    animated.replaceChildren(...options(
      [["all", "each in turn"], ...[...model.latents.data].map((_, k) => [k, latentName(model, k)])], "all"));
    refresh();
    changed();
  }

  function add(k) {
    const { model } = session, latent = model.latents.data[k], name = latentName(model, k);
    const values = valuesOf(model, k), [low, high] = model.reach.data.subarray(2 * k, 2 * k + 2);
    const range = el("input", {
      type: "range", min: values ? 0 : low, max: values ? values.length - 1 : high,
      step: values ? 1 : (high - low) / STEPS || 1, "aria-label": `latent ${name}`,
    });
    const output = el("output", {}), held = el("input", { type: "checkbox", "aria-label": `hold ${name}`, title: "hold" });
    const rate = model.rates ? `${number(model.rates.data[k])} nats` : "";
    const known = mostKnown(session, model, k);
    const reset = el("button", { type: "button", "aria-label": `reset ${name}`, title: "reset" }, "↺");
    range.addEventListener("input", () => {
      session.move(latent, values ? values[range.valueAsNumber] : range.valueAsNumber);
    });
    held.addEventListener("change", () => session.locks[held.checked ? "add" : "delete"](latent));
    reset.addEventListener("click", () => session.move(latent, session.start[latent]));
    rows.push({ k, latent, range, output, held, values, name });
    sliders.append(el("div", { className: "slider" },
      el("span", { className: "name" }, name, known ? el("span", { className: "known" }, " · ", breakable(known)) : null, el("small", {}, rate)), range, output,
      el("label", { className: "hold" }, held, "hold"), reset));
  }

  function refresh() {
    for (const row of rows) place(row);
  }

  function place({ latent, range, output, held, values }) {
    const value = session.code[latent];
    range.value = values ? nearest(values, value) : value;
    output.textContent = number(value);
    range.setAttribute("aria-valuetext", number(value));
    held.checked = session.locks.has(latent);
  }

  function looked() {
    stop(); // or the animation would write the old code into the new one
    const { source } = session;
    if (source?.bytes) showBytes(original, source.bytes, session.shape);
    else clear(original);
    caption.textContent = source ? source.text : "";
    original.setAttribute("aria-label", source?.bytes ? `Image: ${source.text}` : "No image: only a code");
    if (source?.number !== undefined) pick.value = source.number;
    refresh();
  }

  function changed(latent) {
    const row = latent === undefined ? null : rows.find((one) => one.latent === latent);
    if (row) place(row);
    else if (latent === undefined) refresh();
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    waiting = false;
    if (!session.model.decoder) { clear(decoded); time.textContent = ""; return; }
    const begun = performance.now(), { pixels, width, height } = session.decode(session.code);
    show(decoded, pixels, width, height);
    time.textContent = `decoded image, in ${Math.max(1, Math.round(performance.now() - begun))} ms`;
    decoded.dispatchEvent(new Event("drawn"));
  }

  function goToRow() {
    const row = typedWhole(pick.value);
    if (row === null) said.textContent = "An image number is a whole number from 0 on, as 1500 or 1,500.";
    else session.lookAtRow(row);
  }

  async function take(given) {
    if (!session.model.encoder) {
      said.textContent = "This model's encoder does not run in the page, so that an image of your own has no code.";
      return;
    }
    try {
      const { bytes, text } = await readFile(given, session.model.image_shape);
      said.textContent = "";
      session.look({ text, bytes, row: null });
    } catch (error) {
      said.textContent = error.message;
    }
    file.value = "";
  }

  function animate() {
    const begun = performance.now(), from = session.code.slice();
    const chosen = animated.value === "all" ? null : Number(animated.value);
    const able = rows.filter((row) => (chosen === null ? !session.locks.has(row.latent) : row.k === chosen));
    if (chosen !== null && !able.length) { more.click(); animate(); return; }
    if (!able.length) { said.textContent = "All latents are held."; return; }
    play.textContent = "Stop";
    const step = (now) => {
      const turn = (now - begun) / PERIOD, row = able[Math.floor(turn) % able.length];
      const wave = 0.5 - 0.5 * Math.cos(2 * Math.PI * (turn % 1)), { model } = session;
      const [low, high] = model.reach.data.subarray(2 * row.k, 2 * row.k + 2);
      for (const other of able) if (other !== row) session.code[other.latent] = from[other.latent];
      const value = row.values ? row.values[Math.round(wave * (row.values.length - 1))] : low + wave * (high - low);
      session.move(row.latent, value);
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  }

  function stop() {
    if (frame) cancelAnimationFrame(frame);
    frame = 0;
    play.textContent = "Animate";
  }

  async function share() {
    const values = [...session.model.latents.data].map((latent) => Number(session.code[latent].toPrecision(5)));
    const hash = `model=${session.current}&z=${values.join(",")}`;
    const whose = session.content.is_served
      ? " It works on this machine alone, until Ctrl-C; those of a page that --save writes work anywhere." : "";
    try {
      history.replaceState(null, "", `#${hash}`);
      await navigator.clipboard.writeText(location.href);
      said.textContent = `The address of this code is copied.${whose}`;
    } catch {
      said.textContent = location.protocol === "about:"
        ? "A notebook has no address to share: save the page as a file."
        : `The address bar has the address of this code: copy it from there.${whose}`;
    }
  }
}

// The factor of which a latent knows most; null where that is not above chance. By chance, 2 n times
// the information is of a chi-squared distribution, whose mean is its degrees of freedom.
function mostKnown(session, model, k) {
  const matrix = model.matrices.information?.values;
  if (!matrix) return null;
  const own = matrix.data.subarray(k * matrix.shape[1], (k + 1) * matrix.shape[1]);
  const best = own.indexOf(Math.max(...own)), factor = session.factors[best];
  if (!factor) return null;
  const freedom = (BINS - 1) * ((factor.levels?.length ?? BINS) - 1);
  return 2 * model.n_scored * own[best] > freedom + SURE * Math.sqrt(2 * freedom) ? factor.name : null;
}

export function valuesOf(model, k) {
  if (!model.values) return null;
  const n = model.values.shape[1];
  return model.values.data.subarray(k * n, (k + 1) * n);
}

export function nearest(values, value) {
  let best = 0;
  values.forEach((v, i) => { if (Math.abs(v - value) < Math.abs(values[best] - value)) best = i; });
  return best;
}
