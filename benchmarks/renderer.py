"""Frames of `Objects3D` in a second, beside MuJoCo's bare rendering; and what shadows cost.

The limit is `mujoco.Renderer.render` alone, of the same model without moving anything. Run:
    python benchmarks/renderer.py [ROUNDS]
"""

import statistics
import sys
import time

import numpy as np

from unweave.datasets.drawn.meshes import bunny
from unweave.datasets.drawn.renderer import Renderer

FRAMES = 150
SETTINGS = ((64, 1), (64, 4), (128, 2), (256, 4))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rng = np.random.default_rng(0)
    turns, lights = rng.standard_normal((FRAMES, 4)), rng.standard_normal((FRAMES, 3))
    for size, supersampling in SETTINGS:
        renderer = Renderer(bunny(), size=size, supersampling=supersampling)
        renderer.render(turns[:2], lights[:2])
        ours, bare = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            renderer.render(turns, lights)
            middle = time.perf_counter()
            for _ in range(FRAMES):
                renderer._renderer.render()
            ours.append(FRAMES / (middle - start))
            bare.append(FRAMES / (time.perf_counter() - middle))
        ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
        rate = statistics.median(ours)
        print(
            f"{size} pixels, {supersampling} x {supersampling} samples: {rate:.0f} frames/s, "
            f"{statistics.median(ratios):.2f} of MuJoCo's bare rate ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}); 10,000 images in {10_000 / rate:.0f} s"
        )
        renderer.close()
    with_shadows = Renderer(bunny(), supersampling=1, shadows=True)
    without = Renderer(bunny(), supersampling=1)
    few = 8
    ratios = []
    for _ in range(rounds):
        seconds = []
        for renderer in (with_shadows, without):
            renderer.render(turns[:1], lights[:1])
            start = time.perf_counter()
            renderer.render(turns[:few], lights[:few])
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    print(
        f"64 pixels with shadows and smoothed samples: {statistics.median(ratios):.0f} times as "
        f"long ({min(ratios):.0f} to {max(ratios):.0f})"
    )


if __name__ == "__main__":
    main()
