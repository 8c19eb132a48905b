// What the views share: the models, the image that is looked at, its code, and the chosen rows.

import { Bus, counted, jump } from "unweave/dom";
import { fromBytes, run, toPixels } from "unweave/network";

export const LEAST = 30; // rows of a selection, fewer of which say nothing

export class Session {
  constructor(content) {
    this.content = content;
    this.bus = new Bus();
    this.data = content.data;
    this.factors = content.factors;
    this.models = content.models;
    this.current = 0;
    this.locks = new Set();
    this.selection = null; // rows of the sample; null for all
    this.source = null; // {text, bytes, row}: the image that is looked at
    this.n = this.data.rows.shape[0];
    this.shape = this.data.images?.shape.slice(1) ?? this.models[0].image_shape;
    this.places = new Map([...this.data.rows.data].map((row, i) => [row, i]));
    this.code = this.start = this.middle();
  }

  get model() {
    return this.models[this.current];
  }

  choose(model) {
    this.current = model;
    this.locks.clear();
    this.code = this.start = this.middle();
    this.bus.say("model");
    if (this.source) this.look(this.source);
  }

  middle(model = this.model) {
    const code = new Float32Array(Math.max(model.n_inputs, model.n_latents));
    code.set(model.mean.data);
    return code;
  }

  // The code of a row of the sample; null where the page does not hold all of it.
  codeOf(i, model = this.model) {
    const kept = model.latents.data;
    if (kept.length < model.n_latents) return null;
    const code = this.middle(model);
    kept.forEach((latent, k) => { code[latent] = model.codes.data[i * kept.length + k]; });
    return code;
  }

  encode(bytes, model = this.model) {
    const code = this.middle(model);
    code.set(run(model.encoder, fromBytes(bytes, model.image_shape)).data);
    return code;
  }

  // {pixels, width, height} of a code.
  decode(code, model = this.model) {
    const inputs = { data: code.subarray(0, model.n_inputs), shape: [model.n_inputs] };
    const output = run(model.decoder, inputs);
    return { pixels: toPixels(output), height: output.shape[1], width: output.shape[2] };
  }

  // Bytes of the image of a row of the dataset; null if it is not to be had.
  async imageOfRow(row) {
    const place = this.places.get(row), images = this.data.images;
    if (images && place !== undefined && place < images.shape[0]) return picked(images, place);
    if (!this.content.is_served || row >= this.data.n_images) return null;
    try {
      const answer = await fetch(`image?row=${row}`);
      return answer.ok ? new Uint8Array(await answer.arrayBuffer()) : null;
    } catch {
      this.bus.say("lost");
      return null;
    }
  }

  // Looks at a row of the dataset; says a sentence where it cannot.
  async lookAtRow(row) {
    if (row >= this.data.n_images && !(this.data.n_images === 0 && this.places.has(row))) {
      this.bus.say("said", `There are ${counted(this.data.n_images)} images, numbered from 0.`);
      return;
    }
    const bytes = await this.imageOfRow(row), i = this.places.get(row);
    if (bytes === null && i === undefined) {
      this.bus.say("said", `This page does not hold image ${counted(row)}: it holds `
        + `${counted(this.n)} of ${counted(this.data.n_images)} rows. \`unweave explore\` without `
        + "--save shows any.");
      return;
    }
    this.bus.say("said", "");
    this.look({ text: this.describe(row, i), bytes, row: i ?? null, number: row });
  }

  lookAt(i) {
    return this.lookAtRow(this.data.rows.data[i]);
  }

  describe(row, i) {
    const named = i === undefined ? [] : this.factors.map((f) => `${f.name} ${levelOf(f, i)}`);
    return [`row ${counted(row)}`, ...named.slice(0, 8)].join(", ");
  }

  look(source) {
    const { encoder } = this.model;
    const known = source.row === null ? null : this.codeOf(source.row);
    const code = known ?? (encoder && source.bytes ? this.encode(source.bytes) : this.middle());
    this.source = source;
    this.begin(code);
  }

  // A new code to start from; locked latents stay.
  begin(code) {
    const started = code.slice();
    for (const latent of this.locks) started[latent] = this.code[latent];
    this.start = started;
    this.code = started.slice();
    this.bus.say("looked");
    this.bus.say("code");
  }

  move(latent, value) {
    this.code[latent] = value;
    this.bus.say("code", latent);
  }

  randomCode() {
    const code = this.middle(), { model } = this, kept = model.latents.data;
    kept.forEach((latent, k) => {
      const i = Math.floor(Math.random() * this.n);
      code[latent] = model.has_prior ? normal() : model.codes.data[i * kept.length + k];
    });
    this.bus.say("said", "");
    this.source = { text: model.has_prior ? "a code drawn from the prior" : "values drawn independently from those of the images", bytes: null, row: null };
    this.begin(code);
  }

  select(rows) {
    this.selection = rows;
    this.bus.say("selection");
  }

  get isFew() {
    return this.selection !== null && this.selection.length < LEAST;
  }

  fewSentence() {
    const n = this.selection.length;
    return `${n} selected row${n === 1 ? " is" : "s are"} too few: Information needs at least ${LEAST}, and is of all rows.`;
  }

  // What the views say when the map or the factors choose an image.
  begun(place) {
    const { source } = this;
    if (source?.number === undefined || !this.models.some((model) => model.decoder)) return;
    place.replaceChildren(jump("latents", "Latents"), ` now starts from row ${counted(source.number)}.`);
  }

  // Values (rows,) of a latent, by its place among those that are kept.
  latentColumn(k, model = this.model) {
    const n = model.latents.shape[0];
    return Float32Array.from({ length: this.n }, (_, i) => model.codes.data[i * n + k]);
  }
}

export function picked(array, i) {
  const size = array.data.length / array.shape[0];
  return array.data.slice(i * size, (i + 1) * size);
}

export function levelOf(factor, i) {
  const value = factor.column.data[i];
  return factor.levels ? factor.levels[value] : String(Number(value.toPrecision(4)));
}

export function latentName(model, k) {
  return `z${model.latents.data[k]}`;
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
