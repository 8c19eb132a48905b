// View (c): a map of the codes.

import { counted, el, number, options, shuffled, typed } from "unweave/dom";
import { nearest as nearestOf, valuesOf } from "unweave/latents";
import { canvas, clear, show, showBytes } from "unweave/picture";
import { latentName, levelOf } from "unweave/session";
import { ends } from "unweave/statistics";

// Named levels: Okabe and Ito's colours. Ordered ones: viridis, without the end that the
// background swallows.
const NAMED = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8f8a00"];
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
// Around a circle: light, blue, dark, red-brown, and back. Each half differs in hue, each quarter
// in lightness, which colour blindness leaves.
const AROUND = ["#b3aebb", "#4f8fcb", "#2c2258", "#b04a2c", "#b3aebb"];
const AROUND_DARK = ["#e6e0ea", "#6aa5dc", "#5b4a94", "#cf6a45", "#e6e0ea"];
const SHADES = 48;
const SPREAD = 0.7; // of the room around a value, over which its rows are spread
const MARGIN = 12;
const NEAR = 14; // pixels from a point that a pointer may be

export function mapView(session, section) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const under = el("canvas", {}), over = el("canvas", { tabIndex: 0 });
  over.setAttribute("role", "application");
  over.setAttribute("aria-label", "Codes as points. Arrow keys go from point to point, Enter shows the image in Latents.");
  const chart = el("div", { className: "chart" }, under, over);
  const what = el("select", {}), across = el("select", {}), up = el("select", {}), tint = el("select", {});
  const thumb = canvas("The image of the point"), words = el("p", { role: "status" });
  const legend = el("div", { className: "key" }), picked = el("p", { role: "status", className: "soft" });
  const lasso = el("button", { type: "button", onclick: () => setDrawing(!drawing) }, "Draw a lasso");
  const begun = el("p", { className: "soft", role: "status" }), order = shuffled(session.n, 1);
  const labels = [el("label", {}, "right ", across), el("label", {}, "up ", up)];
  const range = ["right from", "right to", "up from", "up to"].map((name) => [name, el("input", { type: "text", inputMode: "decimal", ariaLabel: name, autocomplete: "off" })]);
  const axes = el("p", { className: "soft" });
  let drawing = false, points = null, frame = null, current = -1, path = null, shownAt = 0;

  section.append(
    el("div", { className: "tools" }, el("label", {}, "Map of ", what), labels, el("label", {}, "colour ", tint), lasso,
      el("button", { type: "button", onclick: () => session.select(null) }, "Clear selection")),
    el("div", { className: "split" },
      el("div", { className: "sticky" },
        el("figure", { className: "thumb" }, thumb), words, begun,
        el("details", {}, el("summary", {}, "Select without a pointer"),
          el("fieldset", {}, el("legend", {}, "Rows in a rectangle of the map"),
            range.map(([name, input]) => el("div", { className: "tools" }, el("label", {}, `${name} `, input))),
            el("button", { type: "button", onclick: byRange }, "Select")))),
      el("div", {}, chart, axes, legend, picked)));
  thumb.hidden = !session.data.images && !session.models.some((model) => model.decoder);

  for (const select of [what, across, up]) select.addEventListener("change", rebuild);
  tint.addEventListener("change", paint);
  session.bus.on("model", fill);
  session.bus.on("looked", () => begun.replaceChildren());
  session.bus.on("selection", () => { tellSelection(); paint(); });
  dark.addEventListener("change", paint);
  new ResizeObserver(() => requestAnimationFrame(paint)).observe(chart);
  over.addEventListener("pointermove", hover);
  over.addEventListener("pointerdown", begin);
  over.addEventListener("pointerup", end);
  over.addEventListener("pointercancel", () => { path = null; sketch(); });
  over.addEventListener("keydown", byKey);
  fill();
  if (session.n) visit(0);

  function fill() {
    const { model } = session, n = model.latents.data.length;
    const columns = [
      ...[...model.latents.data].map((_, k) => [`z${k}`, latentName(model, k)]),
      ...session.factors.map((factor, k) => [`f${k}`, factor.name]),
      ["r", "a random height"],
    ];
    const planes = model.planes.map((plane, k) => [`p${k}`, plane.name]);
    what.replaceChildren(...options([...planes, ["two", "two columns"]], planes.length ? "p0" : "two"));
    across.replaceChildren(...options(columns, "z0"));
    up.replaceChildren(...options(columns, n > 1 ? "z1" : "r"));
    const colours = [["", "none"], ...session.factors.map((f, k) => [`f${k}`, f.name]),
      ...[...model.latents.data].map((_, k) => [`z${k}`, latentName(model, k)])];
    tint.replaceChildren(...options(colours, session.factors.length ? "f0" : ""));
    tellSelection();
    rebuild();
  }

  function column(name) {
    const k = Number(name.slice(1)), { model } = session;
    if (name[0] === "z") {
      return { name: latentName(model, k), values: session.latentColumn(k), room: valuesOf(model, k) && roomOf(valuesOf(model, k)) };
    }
    if (name[0] === "r") return { name: "random", values: Float32Array.from({ length: session.n }, (_, i) => scattered(i)), room: null };
    const factor = session.factors[k];
    return { name: factor.name, values: Float32Array.from(factor.column.data), room: factor.levels ? () => 1 : null };
  }

  function rebuild() {
    const two = what.value === "two";
    for (const label of labels) label.hidden = !two;
    if (two) {
      const [x, y] = [column(across.value), column(up.value)];
      // Rows of one value are spread, so that they do not hide each other.
      const spread = ({ values, room }, seed) => (room
        ? values.map((value, i) => value + SPREAD * room(value) * (scattered(i + seed) - 0.5)) : values);
      points = {
        x: spread(x, 0.25), y: spread(y, 0.75), values: [x.values, y.values], names: [x.name, y.name],
        isSpread: Boolean(x.room || y.room),
      };
    } else {
      const plane = session.model.planes[Number(what.value.slice(1))], { data } = plane.points;
      points = {
        x: Float32Array.from({ length: session.n }, (_, i) => data[2 * i]),
        y: Float32Array.from({ length: session.n }, (_, i) => data[2 * i + 1]),
        names: plane.axes,
      };
      points.values = [points.x, points.y];
    }
    points.ends = [ends(points.x), ends(points.y)];
    current = -1;
    const [rightEnds, upEnds] = points.values.map(ends);
    axes.textContent = `right: ${points.names[0]}, ${number(rightEnds[0])} to ${number(rightEnds[1])}; `
      + `up: ${points.names[1]}, ${number(upEnds[0])} to ${number(upEnds[1])}`
      + (points.isSpread ? ". Rows of one value are spread a little, so that they do not hide each other." : "");
    paint();
  }

  function paint() {
    const width = Math.max(200, Math.round(chart.clientWidth)), height = Math.round(Math.min(width * 0.75, 560));
    const scale = Math.min(devicePixelRatio || 1, 2);
    for (const one of [under, over]) {
      one.width = width * scale;
      one.height = height * scale;
      one.style.height = `${height}px`;
    }
    const [[x0, x1], [y0, y1]] = points.ends;
    const wide = (width - 2 * MARGIN) / (x1 - x0 || 1), high = (height - 2 * MARGIN) / (y1 - y0 || 1);
    frame = {
      width, height, scale,
      sx: Float32Array.from(points.x, (x) => MARGIN + (x1 > x0 ? (x - x0) * wide : width / 2)),
      sy: Float32Array.from(points.y, (y) => height - MARGIN - (y1 > y0 ? (y - y0) * high : height / 2)),
      toX: (px) => x0 + (px - MARGIN) / wide, toY: (py) => y0 + (height - MARGIN - py) / high,
    };
    const context = under.getContext("2d"), style = getComputedStyle(section);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = style.getPropertyValue("--paper");
    context.fillRect(0, 0, width, height);
    const { shades: shade, colours, key } = colouring(style);
    const size = session.n > 3000 ? 3 : 5, chosen = session.selection && new Set(session.selection);
    for (const faint of chosen ? [true, false] : [false]) {
      context.globalAlpha = faint ? 0.12 : 0.75;
      for (const i of order) { // no colour is on top of another
        if (chosen && chosen.has(i) === faint) continue;
        context.fillStyle = colours[shade[i]];
        context.fillRect(frame.sx[i] - size / 2, frame.sy[i] - size / 2, size, size);
      }
    }
    context.globalAlpha = 1;
    legend.replaceChildren(...key);
    sketch();
    over.dispatchEvent(new Event("painted"));
  }

  // The number of each row's colour, the colours, and what stands in the legend.
  function colouring(style) {
    const name = tint.value;
    if (!name) return { shades: new Uint8Array(session.n), colours: [style.getPropertyValue("--accent")], key: [] };
    const k = Number(name.slice(1)), factor = name[0] === "f" ? session.factors[k] : null;
    const isRound = factor?.kind === "circular", round = dark.matches ? AROUND_DARK : AROUND;
    const spectrum = isRound ? round : dark.matches ? VIRIDIS.slice(2) : VIRIDIS.slice(0, -1);
    if (factor?.levels && factor.kind === "categorical" && factor.levels.length <= NAMED.length) {
      return { shades: factor.column.data, colours: NAMED, key: factor.levels.map((text, level) => dot(NAMED[level], text)) };
    }
    const values = factor ? factor.column.data : session.latentColumn(k), [low, high] = ends(values);
    const around = factor?.levels ? factor.levels.length : 2 * Math.PI; // one turn
    const share = (x) => (isRound ? (((x / around) % 1) + 1) % 1 : (x - low) / (high - low || 1));
    const shade = Array.from(values, (x) => Math.round(share(x) * (SHADES - 1)));
    const colours = Array.from({ length: SHADES }, (_, g) => mixed(spectrum, g / (SHADES - 1)));
    const text = (x) => (factor?.levels ? factor.levels[x] : number(x));
    const ramp = el("i", { className: "ramp" });
    ramp.style.background = `linear-gradient(to right, ${spectrum.join(", ")})`;
    const turn = factor?.levels ? `${factor.levels.at(-1)}, and around to ${factor.levels[0]}` : "2π, a whole turn";
    const parts = isRound ? [factor.levels ? factor.levels[0] : "0", ramp, turn] : [text(low), ramp, text(high)];
    return { shades: shade, colours, key: [el("span", {}, parts)] };
  }

  function sketch() {
    const context = over.getContext("2d"), style = getComputedStyle(section);
    context.setTransform(frame.scale, 0, 0, frame.scale, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 2;
    if (current >= 0) {
      context.beginPath();
      context.arc(frame.sx[current], frame.sy[current], 7, 0, 2 * Math.PI);
      context.stroke();
    }
    if (path?.length > 1) {
      context.setLineDash([5, 4]);
      context.beginPath();
      path.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
      context.stroke();
      context.setLineDash([]);
    }
  }

  function at(event) {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function nearest(x, y, allowed = () => true) {
    let best = -1, least = Infinity;
    for (let i = 0; i < session.n; i++) {
      const distance = (frame.sx[i] - x) ** 2 + (frame.sy[i] - y) ** 2;
      if (distance < least && allowed(i)) [best, least] = [i, distance];
    }
    return [best, Math.sqrt(least)];
  }

  function hover(event) {
    const [x, y] = at(event);
    if (path) { path.push([x, y]); sketch(); return; }
    const [i, distance] = nearest(x, y);
    if (distance < NEAR && i !== current) visit(i);
  }

  async function visit(i) {
    current = i;
    sketch();
    const row = session.data.rows.data[i], mine = ++shownAt;
    const where = `${points.names[0]} ${number(points.values[0][i])}, ${points.names[1]} ${number(points.values[1][i])}`;
    const named = session.factors.map((f) => `${f.name} ${levelOf(f, i)}`).join(", ");
    words.textContent = `Row ${counted(row)}: ${named || where}`;
    if (thumb.hidden) return;
    const bytes = await session.imageOfRow(row);
    if (mine !== shownAt) return;
    const code = bytes || !session.model.decoder ? null : session.codeOf(i);
    if (bytes) showBytes(thumb, bytes, session.shape);
    else if (code) {
      const { pixels, width, height } = session.decode(code);
      show(thumb, pixels, width, height);
      words.textContent += " (decoded from its code: the page does not hold this image)";
    } else {
      clear(thumb);
      words.textContent += " (the page does not hold this image)";
    }
  }

  function begin(event) {
    if (event.pointerType !== "mouse" && !drawing) return;
    path = [at(event)];
    over.setPointerCapture(event.pointerId);
  }

  function end(event) {
    const drawn = path;
    path = null;
    sketch();
    if (drawn && drawn.length > 5) {
      session.select(rowsWhere((i) => inside(drawn, frame.sx[i], frame.sy[i])));
      setDrawing(false);
      return;
    }
    const [i, distance] = nearest(...at(event));
    if (distance < 2 * NEAR) { visit(i); start(i); }
  }

  async function start(i) {
    await session.lookAt(i);
    session.begun(begun);
  }

  function byKey(event) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (event.key === "Enter" && current >= 0) start(current);
    if (event.key === "Escape") { path = null; setDrawing(false); sketch(); }
    if (!dx && !dy) return;
    event.preventDefault();
    if (current < 0) { visit(nearest(frame.width / 2, frame.height / 2)[0]); return; }
    const x = frame.sx[current], y = frame.sy[current];
    const [i] = nearest(x, y, (j) => {
      const along = (frame.sx[j] - x) * dx + (frame.sy[j] - y) * dy;
      const aside = Math.abs((frame.sx[j] - x) * dy) + Math.abs((frame.sy[j] - y) * dx);
      return along > 1 && along >= aside;
    });
    if (i >= 0) visit(i);
  }

  function byRange() {
    const given = range.map(([, input]) => [input.value.trim(), typed(input.value)]);
    const wrong = given.findIndex(([text, value]) => text && value === null);
    if (wrong >= 0) {
      picked.textContent = `“${given[wrong][0]}” is not a number: write it as 1.5 or 1,5, or leave the field empty.`;
      return;
    }
    const [a, b, c, d] = given.map(([, value]) => value);
    const [x, y] = points.values;
    session.select(rowsWhere((i) => (a === null || x[i] >= a) && (b === null || x[i] <= b)
      && (c === null || y[i] >= c) && (d === null || y[i] <= d)));
  }

  function rowsWhere(test) {
    const rows = [];
    for (let i = 0; i < session.n; i++) if (test(i)) rows.push(i);
    return rows;
  }

  function setDrawing(on) {
    drawing = on;
    lasso.setAttribute("aria-pressed", on);
    chart.classList.toggle("drawing", on);
  }

  function tellSelection() {
    const n = session.selection?.length;
    picked.textContent = session.isFew && session.factors.length ? session.fewSentence() : session.selection
      ? `${counted(n)} of ${counted(session.n)} rows are selected${session.factors.length ? "; Information is of these" : ""}.`
      : `${counted(session.n)} rows. Drag around points to select them.`;
  }
}

function dot(colour, text) {
  const mark = el("i", {});
  mark.style.background = colour;
  return el("span", {}, mark, text);
}

function mixed(colours, share) {
  const at = share * (colours.length - 1), i = Math.min(colours.length - 2, Math.floor(at));
  const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  const [from, to] = [channels(colours[i]), channels(colours[i + 1])];
  return `rgb(${from.map((x, c) => Math.round(x + (at - i) * (to[c] - x))).join(" ")})`;
}

// How far it is from each of the values, which are sorted, to the next one on the nearer side.
function roomOf(values) {
  const own = Float32Array.from(new Set(values));
  const rooms = Array.from(own, (x, i) => Math.min(x - (own[i - 1] ?? -Infinity), (own[i + 1] ?? Infinity) - x));
  return (value) => (own.length > 1 ? rooms[nearestOf(own, value)] : 0);
}

// The same number in [0, 1) for the same row, whatever the browser.
function scattered(i) {
  const x = Math.sin(i * 12.9898 + 78.233) * 43758.5453;
  return x - Math.floor(x);
}

function inside(polygon, x, y) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}
