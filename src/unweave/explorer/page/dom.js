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

// A whole number: dots, commas and blanks group its digits; null if it is none.
export function typedWhole(text) {
  const plain = text.replace(/[\s.,']/g, "");
  return /^\d{1,15}$/.test(plain) ? Number(plain) : null;
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
