// View (e): two models side by side on the same image.

import { el } from "unweave/dom";
import { codeBars } from "unweave/factors";
import { largestOf, matrixTable, scoreTable } from "unweave/information";
import { canvas, clear, show, showBytes } from "unweave/picture";

export function compareView(session, section) {
  const truth = canvas("The image"), caption = el("figcaption", {});
  const nothing = el("p", { className: "soft", role: "status" });
  const highest = (key) => largestOf(session.models.flatMap((model) => (model.matrices[key] ? [model.matrices[key].values] : [])));
  const columns = session.models.map((model) => {
    const picture = canvas(`Reconstruction by ${model.name}`), code = el("div", {});
    const below = el("figcaption", {}, "reconstruction");
    const figure = el("figure", {}, picture, below);
    const tables = Object.entries(model.matrices).map(([key, one]) => el("details", { open: one.title === "Mutual information" },
      el("summary", {}, `${one.title} (${one.unit})`),
      el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: `${one.title} of ${model.name}` },
        matrixTable(session, model, one.values, null, highest(key))),
      el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: `Scores of ${model.name}` }, scoreTable(one))));
    const box = el("div", {}, el("h3", {}, model.name),
      el("div", { className: "pictures" }, figure), el("h3", {}, "Code"), code, ...tables);
    return { model, picture, figure, code, below, box };
  });
  const shown = el("figure", {}, truth, caption);
  section.append(
    el("div", { className: "tools" },
      el("button", { type: "button", onclick: () => session.lookAt(Math.floor(Math.random() * session.n)) }, "Random image")),
    el("div", { className: "pictures" }, shown), nothing,
    el("div", { className: "columns" }, columns.map((one) => one.box)));
  session.bus.on("looked", draw);
  draw();

  function draw() {
    const { source } = session, isBare = Boolean(source) && !source.bytes && source.row === null;
    if (source?.bytes) showBytes(truth, source.bytes, session.shape);
    else clear(truth);
    shown.hidden = !source?.bytes;
    nothing.textContent = isBare ? `Latents shows a code without an image (${source.text}). It is a code of one model: choose an image to compare.`
      : source && !source.bytes ? `The page does not hold this image (${source.text}).` : "";
    caption.textContent = source ? source.text : "";
    for (const { model, picture, figure, code, below } of columns) {
      const known = source?.row === null || source === null ? null : session.codeOf(source.row, model);
      const found = known ?? (source?.bytes && model.encoder ? session.encode(source.bytes, model) : null);
      figure.hidden = !(found && model.decoder);
      if (!figure.hidden) {
        const { pixels, width, height } = session.decode(found, model);
        show(picture, pixels, width, height);
        below.textContent = source.bytes && source.bytes.length * 4 === pixels.length * session.shape[2]
          ? `reconstruction, root mean squared error ${error(pixels, source.bytes, session.shape[2])} of 255` : "reconstruction";
      }
      code.replaceChildren(found ? codeBars(model, found)
        : el("p", { className: "soft" }, isBare ? "No image, and so no code of it." : "There is no code of this image in the page."));
    }
  }
}

function error(pixels, bytes, channels) {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    const at = 4 * Math.floor(i / channels) + (channels > 2 ? i % channels : 0);
    sum += (pixels[at] - bytes[i]) ** 2;
  }
  return Math.sqrt(sum / bytes.length).toFixed(1);
}
