// View (d): what each latent knows of each factor.

import { breakable, counted, el, number, options, shuffled, svg } from "unweave/dom";
import { LEAST, latentName } from "unweave/session";
import { binned, byLevel, correlation, ends, information, ratio } from "unweave/statistics";

const FIRST = 20; // latents in the table
const DOTS = 1200;
const COLUMNS = [
  ["score", ""], ["value", ""], ["95 % interval", "of the value, from halves of the rows"],
  ["chance", "the mean, and the standard deviation, for shuffled rows"],
  ["random mixture", "the score of random linear mixtures of the factors, as wide as the codes"],
  ["random smooth", "the score of random smooth features of the factors: cosines of random mixtures"],
  ["p", "the share of shuffled rows that score as high as the value, or higher"],
];
const MEANINGS = "Chance: rows of the factors are shuffled. Random mixture: the score of a random linear mixture "
  + "of the factors, as wide as the codes. Random smooth: that of random smooth features of the factors, "
  + "cosines of such mixtures. A code that scores no more than these does not separate factors better than they "
  + "do. p: the share of shuffles that score as high as the value.";
const PERMUTED = 12; // latents from which the chance level of a factor is read

export function informationView(session, section) {
  const choice = el("select", {}), of = el("p", { className: "soft", role: "status" });
  const table = el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Matrix of latents and factors" });
  const more = el("button", { type: "button" });
  const scores = el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Scores" });
  const detail = el("div", { ariaLive: "polite" });
  let cell = null, shown = FIRST;
  section.append(el("div", { className: "tools" }, el("label", {}, "Matrix ", choice)), of,
    el("div", { className: "columns" }, el("div", {}, table, more), detail), scores);
  choice.addEventListener("change", draw);
  more.addEventListener("click", () => { shown = Infinity; draw(); });
  session.bus.on("model", fill);
  session.bus.on("selection", draw);
  fill();

  function fill() {
    const entries = Object.entries(session.model.matrices).map(([key, one]) => [key, `${one.title} (${one.unit})`]);
    if (!entries.length) entries.push(["information", "Mutual information (nats)"]);
    choice.replaceChildren(...options(entries, entries[0][0]));
    cell = null;
    shown = FIRST;
    draw();
  }

  function draw() {
    const { model } = session, key = choice.value, whole = model.matrices[key];
    const rows = session.selection, n = model.latents.data.length;
    const few = session.isFew;
    const again = !few && (rows || !whole) && key !== "importance";
    const values = again ? recomputed(key, rows) : whole?.values;
    of.textContent = described(key, rows, few, again, model);
    more.hidden = n <= shown;
    more.textContent = `Show all ${n} latents`;
    const picking = { click: pick, most: shown, chance: values && key !== "importance" ? chance(key, few ? null : rows) : null };
    table.replaceChildren(...(values ? [matrixTable(session, model, values, picking)] : []));
    scores.replaceChildren(...(whole ? [el("h3", {}, `Scores of ${counted(model.n_scored)} rows`), scoreTable(whole), el("p", { className: "soft" }, MEANINGS)] : []));
    if (cell === null && values) cell = largest(values);
    drawDetail();
    for (const button of table.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", cell !== null && button.dataset.cell === cell.join());
    }
  }

  function described(key, rows, few, again, model) {
    if (few) return session.fewSentence();
    if (again && rows) {
      const round = key === "correlation" && session.factors.some((f) => f.kind === "circular")
        ? " Circular factors are left out: their correlation is computed for all rows only." : "";
      return `Of the ${counted(rows.length)} selected rows; chance is larger for fewer rows.${round}`;
    }
    if (again) return `Of ${counted(session.n)} rows.`;
    return `Of ${counted(model.n_scored)} rows.${rows ? " Importance is computed for all rows only: predictors are trained for it." : ""}`;
  }

  function recomputed(key, rows) {
    const { model, factors } = session, n = model.latents.data.length;
    const data = new Float32Array(n * factors.length), columns = factors.map((factor) => taken(factor.column.data, rows));
    for (let j = 0; j < n; j++) {
      const values = taken(session.latentColumn(j), rows);
      factors.forEach((factor, k) => { data[j * factors.length + k] = relation(key, values, factor, columns[k]); });
    }
    return { data, shape: [n, factors.length] };
  }

  // What each factor has when its rows are shuffled: the mean over some latents.
  function chance(key, rows) {
    const { model, factors } = session, n = Math.min(PERMUTED, model.latents.data.length);
    const size = Math.min(rows ? rows.length : session.n, rows ? Infinity : model.n_scored);
    const latents = Array.from({ length: n }, (_, j) => taken(session.latentColumn(j), rows).slice(0, size));
    const orders = latents.map((_, j) => shuffled(size, j + 1));
    return factors.map((factor) => {
      const column = taken(factor.column.data, rows);
      return latents.reduce((sum, values, j) => sum + relation(key, values, factor, orders[j].map((i) => column[i])), 0) / n;
    });
  }

  function pick(j, k) {
    cell = [j, k];
    draw();
    table.querySelector(`[data-cell="${cell.join()}"]`)?.focus();
  }

  function drawDetail() {
    detail.replaceChildren();
    if (cell === null) return;
    const [j, k] = cell, { model } = session, factor = session.factors[k], name = latentName(model, j);
    const rows = session.selection?.length >= LEAST ? session.selection : null;
    const all = session.latentColumn(j), take = (column) => (rows ? rows.map((i) => column[i]) : [...column]);
    const values = take(all), raw = take(factor.column.data);
    const levels = factor.levels ? raw : [...binned(raw)];
    const nLevels = factor.levels ? factor.levels.length : 20;
    const means = byLevel(values, levels, nLevels), [low, high] = ends(raw);
    const text = (level) => (factor.levels ? factor.levels[level]
      : `${number(low + (level / nLevels) * (high - low))} to ${number(low + ((level + 1) / nLevels) * (high - low))}`);
    const short = (level) => (factor.levels ? factor.levels[level] : number(low + (level / nLevels) * (high - low)));
    const body = means.map((one, level) => one && el("tr", {}, el("th", { scope: "row" }, text(level)),
      el("td", {}, number(one.mean, 3)), el("td", {}, number(one.sd, 3)), el("td", {}, counted(one.n)))).filter(Boolean);
    detail.append(el("h3", {}, `${name} against ${factor.name}`),
      chartOf(name, factor.name, values, levels, means, short),
      el("p", { className: "soft" }, "Dots are rows, the line the mean at each level, with one standard deviation on either side."),
      el("details", {}, el("summary", {}, "The means as a table"), el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Means" },
        el("table", {}, el("thead", {}, el("tr", {}, ["level", "mean", "deviation", "rows"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, body)))));
  }
}

function taken(column, rows) {
  return rows ? Float32Array.from(rows, (i) => column[i]) : column;
}

function relation(key, values, factor, column) {
  if (key === "information") return information(values, factor.levels ? column : binned(column));
  if (factor.kind === "categorical") return ratio(values, column);
  return factor.kind === "circular" ? NaN : correlation(values, column);
}

// The darkest cell is of the value `highest`, the largest one by default.
export function matrixTable(session, model, values, picking, highest = largestOf([values])) {
  const { factors } = session, most = picking?.most ?? FIRST, wide = factors.length;
  const body = [...model.latents.data].slice(0, most).map((_, j) => el("tr", {},
    el("th", { scope: "row" }, latentName(model, j)),
    factors.map((factor, k) => {
      const value = values.data[j * wide + k], text = inCell(value);
      const cell = picking
        ? el("button", { type: "button", onclick: () => picking.click(j, k), ariaLabel: `${latentName(model, j)}, ${factor.name}: ${text}` }, text)
        : el("span", {}, text);
      if (picking) cell.dataset.cell = `${j},${k}`;
      const td = el("td", {}, cell);
      const share = Number.isFinite(value) ? Math.round(45 * Math.max(0, value) / highest) : 0;
      (picking ? cell : td).style.background = `color-mix(in srgb, var(--accent) ${share}%, var(--paper))`;
      return td;
    })));
  return el("table", { className: "matrix" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "latent"), factors.map((f) => el("th", { scope: "col" }, breakable(f.name))))),
    el("tbody", {}, body),
    picking?.chance ? el("tfoot", {}, el("tr", {}, el("th", { scope: "row", title: "the mean for shuffled rows" }, "chance"),
      picking.chance.map((x) => el("td", {}, el("span", {}, inCell(x)))))) : null);
}

export function largestOf(matrices) {
  return Math.max(1e-9, ...matrices.flatMap((one) => [...one.data].filter(Number.isFinite)));
}

function inCell(value) {
  return Math.abs(value) < 0.005 ? "0.00" : number(value);
}

export function scoreTable(matrix) {
  const spread = (mean, sd) => (mean === null ? "–" : `${number(mean, 3)}${sd === null || sd === undefined ? "" : ` ± ${number(sd, 3)}`}`);
  const rows = matrix.scores.map((s) => el("tr", {}, el("th", { scope: "row" }, s.title), el("td", {}, number(s.value, 3)),
    el("td", {}, s.low === null ? "–" : `${number(s.low, 3)} to ${number(s.high, 3)}`),
    el("td", {}, spread(s.chance, s.chance_sd)), el("td", {}, number(s.mixture, 3)), el("td", {}, number(s.smooth, 3)),
    el("td", {}, s.p_value === null ? "–" : number(s.p_value, 3))));
  const head = COLUMNS.map(([name, title]) => el("th", { scope: "col", title }, name));
  return el("table", { className: "scores" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

function largest(values) {
  let best = 0;
  values.data.forEach((x, i) => { if (x > values.data[best]) best = i; });
  return [Math.floor(best / values.shape[1]), best % values.shape[1]];
}

function chartOf(latent, factor, values, levels, means, text) {
  const width = 460, height = 280, left = 46, right = 10, top = 10, bottom = 34;
  const [low, high] = ends(values), n = means.length;
  const x = (level) => left + ((level + 0.5) / n) * (width - left - right);
  const y = (value) => top + ((high - value) / (high - low || 1)) * (height - top - bottom);
  const drawn = svg("svg", { class: "figure", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${latent} against ${factor}: rows, and the mean at each level` });
  const step = Math.max(1, Math.ceil(values.length / DOTS)), wide = ((width - left - right) / n) * 0.6;
  for (let i = 0; i < values.length; i += step) {
    const aside = ((i * 0.618034) % 1) - 0.5;
    drawn.append(svg("circle", { class: "dot", cx: (x(levels[i]) + aside * wide).toFixed(1), cy: y(values[i]).toFixed(1), r: 1.8 }));
  }
  const known = means.map((one, level) => one && [x(level), one]).filter(Boolean);
  drawn.append(svg("polyline", { class: "mean", points: known.map(([at, one]) => `${at},${y(one.mean)}`).join(" ") }));
  for (const [at, one] of known) {
    drawn.append(svg("line", { class: "spread", x1: at, x2: at, y1: y(one.mean - one.sd), y2: y(one.mean + one.sd) }),
      svg("circle", { class: "meandot", cx: at, cy: y(one.mean), r: 2.5 }));
  }
  const base = height - bottom;
  drawn.append(svg("line", { class: "axis", x1: left, x2: left, y1: top, y2: base }), svg("line", { class: "axis", x1: left, x2: width - right, y1: base, y2: base }));
  for (const value of [low, (low + high) / 2, high]) drawn.append(svg("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value)));
  const every = Math.max(1, Math.ceil(n / 6));
  for (let level = 0; level < n; level += every) {
    const word = text(level), short = word.length > 11 ? `${word.slice(0, 10)}…` : word;
    drawn.append(svg("text", { x: x(level), y: base + 14, "text-anchor": "middle" }, short));
  }
  drawn.append(svg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, factor));
  return drawn;
}
