// Elements, numbers and their words.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list" && name !== "form") made[name] = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function options(entries, chosen) {
  return entries.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
}

// Numbers are written with a point and no groups, whatever the language of the browser.
export function number(x, digits = 2) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size < 0.5 * 10 ** -digits || size >= 1e6)) return x.toExponential(1);
  return x.toFixed(digits).replace("-", "−");
}

export function counted(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

// A number as people type it: 1,5 is 1.5, and − is -; null if it is none.
export function typed(text) {
  const plain = text.trim().replace("−", "-").replace(/[\s']/g, "").replace(",", ".");
  return plain === "" || !Number.isFinite(Number(plain)) ? null : Number(plain);
}

// A whole number: dots, commas and blanks group its digits by three; null if it is none.
export function typedWhole(text) {
  const plain = text.trim();
  if (!/^(\d{1,15}|\d{1,3}([\s.,']\d{3}){1,4})$/.test(plain)) return null;
  return Number(plain.replace(/\D/g, ""));
}

// A name that may break after its underscores.
export function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));
}

// A link to a view. A code that stands in the address stays there.
export function jump(id, text) {
  return el("a", {
    href: `#${id}`,
    onclick: (event) => {
      if (!new URLSearchParams(location.hash.slice(1)).has("z")) return;
      event.preventDefault();
      const view = document.getElementById(id);
      view.tabIndex = -1;
      view.focus({ preventScroll: true });
      view.scrollIntoView();
    },
  }, text);
}

// Numbers from 0 to n - 1 in an order that is the same for the same seed.
export function shuffled(n, seed) {
  const order = Array.from({ length: n }, (_, i) => i);
  let state = seed;
  for (let i = n - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

export function bars(names, values, reach) {
  const box = el("div", { className: "bars" });
  values.forEach((value, k) => {
    const [low, high] = reach(k), width = high - low || 1;
    const place = (x) => 100 * Math.min(1, Math.max(0, (x - low) / width));
    const zero = place(0), end = place(value), bar = el("span", { className: "bar" }, el("i"), el("b"));
    bar.firstChild.style.left = `${Math.min(zero, end)}%`;
    bar.firstChild.style.width = `${Math.max(Math.abs(end - zero), 0.8)}%`;
    bar.lastChild.style.left = `${zero}%`;
    bar.setAttribute("aria-hidden", "true");
    box.append(el("span", {}, names[k]), bar, el("span", {}, number(value)));
  });
  return box;
}

// What views tell each other: name of an event, and functions that are called with its value.
export class Bus {
  #heard = {};

  on(name, listener) {
    (this.#heard[name] ??= []).push(listener);
  }

  say(name, value) {
    for (const listener of this.#heard[name] ?? []) listener(value);
  }
}
