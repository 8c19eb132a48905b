"""The explorer's page in Chromium, beside its limits: time to open, to the image, size.

For the models of this package, and for 10,000 rows of random codes. Printed, in milliseconds: until
a saved page is ready (limit 2,000), from a move of a slider to the next frame with its image, and
from a new colour of the map to the next frame with its points (limit 100 each), the median and the
90th percentile of 50; and megabytes of the page (limit 15). Needs Playwright and chromium. Run:
    python benchmarks/explorer.py
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from unweave.explorer import explore

MOVES = 50
LIMITS = {"ready": 2_000, "slider": 100, "map": 100, "size": 15}
SLIDER = """(n) => {
  const sliders = document.querySelectorAll("#latents .slider input[type=range]");
  const drawn = (input) => new Promise((done) => {
    const canvas = [...document.querySelectorAll("#latents canvas")];
    const begun = performance.now();
    const end = () => requestAnimationFrame(() => done(performance.now() - begun));
    for (const one of canvas) one.addEventListener("drawn", end, { once: true });
    const middle = (Number(input.min) + Number(input.max)) / 2;
    input.value = Number(input.value) > middle ? input.min : input.max;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  return (async () => {
    const times = [];
    for (let i = 0; i < n; i++) times.push(await drawn(sliders[i % sliders.length]));
    return times;
  })();
}"""
MAP = """(n) => {
  const labels = [...document.querySelectorAll("#map label")];
  const select = labels.find((l) => l.textContent.includes("colour")).querySelector("select");
  const painted = (value) => new Promise((done) => {
    const begun = performance.now();
    select.value = value;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
  });
  return (async () => {
    const times = [], values = [...select.options].map((option) => option.value);
    for (let i = 0; i < n; i++) times.push(await painted(values[(i + 1) % values.length]));
    return times;
  })();
}"""


def spread(times):
    return statistics.median(times), statistics.quantiles(times, n=10)[-1]


def line(name, what, values, limit):
    numbers = " ".join(f"{value:8.1f}" for value in values)
    print(f"{name:24s} {what:8s} {numbers}   {values[0] / limit:5.2f} of the limit", flush=True)


def measure(browser, name, explorer, folder):
    file = explorer.save(Path(folder) / "page.html")
    line(name, "size", [file.stat().st_size / 1e6], LIMITS["size"])
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    begun = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=120_000)
    line(name, "ready", [1_000 * (time.perf_counter() - begun)], LIMITS["ready"])
    if page.query_selector("#latents .slider"):
        line(name, "slider", spread(page.evaluate(SLIDER, MOVES)), LIMITS["slider"])
    line(name, "map", spread(page.evaluate(MAP, MOVES)), LIMITS["map"])
    page.close()


def main():
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no chromium was found: install it")
    codes = np.random.default_rng(0).standard_normal((10_000, 10))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in ("qlae-rooms", "qlae-dsprites", "factor-vae-dsprites"):
            measure(browser, name, explore(f"pretrained:{name}"), folder)
        measure(browser, "10,000 codes", explore(codes), folder)
        browser.close()


if __name__ == "__main__":
    main()
