// Puts the page together.

import { unpack } from "unweave/archive";
import { compareView } from "unweave/compare";
import { el, jump, options } from "unweave/dom";
import { factorsView } from "unweave/factors";
import { informationView } from "unweave/information";
import { latentsView, nearest, valuesOf } from "unweave/latents";
import { mapView } from "unweave/map";
import { Session } from "unweave/session";
import { ends } from "unweave/statistics";

const PRIOR = 6; // standard deviations, beyond which no code is drawn
const BEAT = 4000; // milliseconds between questions whether the server is there

export async function start() {
  if (!globalThis.DecompressionStream) {
    alarm("This browser is too old for this page: it needs one of 2023 or later.");
    return;
  }
  const session = new Session(await unpack(document.getElementById("content").textContent));
  const { content, models } = session;
  document.getElementById("content").remove();
  document.getElementById("about").append(...about(session));
  const views = [
    models.some((model) => model.decoder) && ["latents", "Latents", latentsView],
    session.factors.length && session.data.images && ["factors", "Factors", factorsView],
    ["map", "Map", mapView],
    session.factors.length && ["information", "Information", informationView],
    models.length > 1 && ["compare", "Compare", compareView],
  ].filter(Boolean);
  const main = document.getElementById("views");
  document.getElementById("loading").remove();
  for (const [id, title, make] of views) {
    const heading = el("h2", { id: `${id}-title` }, title);
    const section = el("section", { id, className: "view" }, heading);
    section.setAttribute("aria-labelledby", `${id}-title`);
    main.append(section);
    make(session, section);
    document.getElementById("nav").append(jump(id, title));
  }
  const fault = restore(session);
  if (session.source === null) await session.lookAt(0);
  if (fault) session.bus.say("said", fault);
  addEventListener("hashchange", () => {
    const wrong = restore(session);
    if (wrong !== null) session.bus.say("said", wrong);
  });
  session.bus.on("lost", () => lost());
  if (content.is_served) setInterval(listen, BEAT);
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
  document.documentElement.dataset.ready = "yes";
}

function about(session) {
  const { content, models } = session;
  const parts = [el("p", { className: "soft" }, content.data.sentence)];
  for (const model of models) {
    const name = models.length > 1 ? `${model.name}: ` : "";
    if (model.sentence) parts.push(el("p", { className: "soft" }, name + model.sentence));
  }
  const own = content.is_served ? content.notes : [...content.notes, ...content.saved_notes];
  const notes = [...new Set([...own, ...models.flatMap((model) => model.notes)])];
  if (notes.length) {
    const list = el("ul", {}, notes.map((note) => el("li", {}, note)));
    parts.push(el("details", {}, el("summary", {}, notes.length === 1 ? "1 note" : `${notes.length} notes`), list));
  }
  if (models.length > 1) {
    const choice = el("select", {
      id: "model",
      onchange: (event) => session.choose(Number(event.target.value)),
    }, options(models.map((model, i) => [i, model.name]), session.current));
    session.bus.on("model", () => { choice.value = session.current; });
    parts.push(el("div", { className: "tools" }, el("label", {}, "Model in the views", choice)));
  }
  return parts;
}

// Takes the code of an address that was shared, as latents.js writes it. What is wrong with it; ""
// if nothing is, null if the address has none.
function restore(session) {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("z")) return null;
  const model = Number(given.get("model") ?? 0), values = given.get("z").split(",").map(Number);
  if (!session.models[model]?.decoder || values.some((x) => !Number.isFinite(x))
    || values.length !== session.models[model].latents.data.length) {
    return "The address is of another page: what it shares was left out.";
  }
  if (model !== session.current) session.choose(model);
  const code = session.middle();
  const moved = [];
  session.model.latents.data.forEach((latent, k) => {
    code[latent] = possible(session, k, values[k]);
    if (Math.abs(code[latent] - values[k]) > 1e-3 * Math.max(1, Math.abs(code[latent]))) moved.push(`z${latent}`);
  });
  session.source = { text: "a code that was shared", bytes: null, row: null };
  session.locks.clear();
  session.begin(code);
  return moved.length ? `The address has values that the model does not take: ${moved.join(", ")} moved to the nearest that it does.` : "";
}

// The nearest value that a latent takes: one of its own, or within what its slider, the codes in the
// page and a prior reach.
function possible(session, k, value) {
  const own = valuesOf(session.model, k);
  if (own) return own[nearest(own, value)];
  const [low, high] = session.model.reach.data.subarray(2 * k, 2 * k + 2), [least, most] = ends(session.latentColumn(k));
  const beyond = session.model.has_prior ? PRIOR : 0;
  return Math.min(Math.max(value, Math.min(low, least, -beyond)), Math.max(high, most, beyond));
}

async function listen() {
  if (document.hidden) return;
  try {
    const answer = await fetch("alive");
    if (answer.ok) document.getElementById("alarm").hidden = true;
    else lost();
  } catch {
    lost();
  }
}

function lost() {
  alarm("The program that served this page has stopped. What is in the page still works; for other "
    + "images, run `unweave explore` again and open the address that it prints.");
}

function alarm(text) {
  const place = document.getElementById("alarm");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = false;
}
