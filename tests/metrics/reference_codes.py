"""The synthetic codes whose scores by the reference implementations are in reference_scores.json.

They are made here from their recipe; `test_reference_codes.py` holds them to the hashes that the
reference values were computed with.
"""

from functools import cache

import numpy as np

SIZES = (3, 6, 40, 32, 32)
N = int(np.prod(SIZES))
ROTATION = np.array(
    [
        [
            0.0005447881439273328,
            0.20855653914151923,
            -0.23894541386516996,
            -0.6615888043710966,
            -0.6794918809749059,
        ],
        [
            -0.4391625506221576,
            -0.010434558514291745,
            0.8470415354101588,
            -0.29907087603156063,
            -0.010228515012876027,
        ],
        [
            0.21693241717769696,
            0.2749558606063613,
            -0.09000092355902396,
            -0.6072420107829153,
            0.7074578257355713,
        ],
        [
            0.3079233450623191,
            -0.9013673693047629,
            0.042097122075508295,
            -0.3015661084321472,
            0.0024070056695727204,
        ],
        [
            -0.8156344139870464,
            -0.2614028122280827,
            -0.46427727981701433,
            -0.11476884431739498,
            0.19412313694925865,
        ],
    ]
)


@cache
def levels() -> np.ndarray:
    return np.stack(np.unravel_index(np.arange(N), SIZES), axis=1)


@cache
def _noise() -> np.ndarray:
    return np.random.default_rng(20240).standard_normal((N, 10))


def _unit() -> np.ndarray:
    return 2 * levels() / (np.array(SIZES) - 1) - 1


def _axis() -> np.ndarray:
    return np.array([1.0, 0.8, 1.2, 1.5, 0.6]) * _unit() + 0.05 * _noise()[:, :5]


def _dead() -> np.ndarray:
    own = _unit()[:, [3, 0, 1, 2, 4]] + 0.05 * _noise()[:, :5]
    return np.concatenate([own, 0.01 * _noise()[:, 5:]], axis=1)


def _twice() -> np.ndarray:
    again = -0.7 * np.array([1.0, 0.8, 1.2, 1.5, 0.6]) * _unit() + 0.05 * _noise()[:, 5:]
    return np.concatenate([_axis(), again], axis=1)


RECIPES = {
    "a_axis": _axis,
    "b_rot": lambda: sum(_axis()[:, [k]] * ROTATION[k] for k in range(5)),
    "c_noise": lambda: np.random.default_rng(20241).standard_normal((N, 10)),
    "d_dup": _twice,
    "e_dead": _dead,
}


@cache
def full_grid(name: str) -> np.ndarray:
    """Codes (737280, latents) float32."""
    return RECIPES[name]().astype(np.float32)


@cache
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2026)
    return rng.integers(0, N, 10_000), rng.integers(0, N, 5_000)


def sample(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes and factors of the 10,000 training and of the 5,000 test rows."""
    if name == "i_small":
        return _small()
    train, test = rows()
    if name == "f_rff512":
        return _fourier(train), levels()[train], _fourier(test), levels()[test]
    codes = full_grid(name)
    return codes[train], levels()[train], codes[test], levels()[test]


def _fourier(chosen: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(11)
    weights = rng.standard_normal((5, 512))
    phase = rng.uniform(0, 2 * np.pi, 512)
    unit = _unit()[chosen]
    return np.cos(sum(unit[:, [k]] * weights[k] for k in range(5)) + phase).astype(np.float32)


SMALL_SIZES = (4, 3, 5, 6)


def small_grid() -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors of all 360 points of i_small, in C order."""
    sizes = SMALL_SIZES
    factors = np.stack(np.unravel_index(np.arange(360), sizes), axis=1)
    noise = np.random.default_rng(20242).standard_normal((360, 6))
    u = 2 * factors / (np.array(sizes) - 1) - 1
    mixed = 0.5 * u[:, 0] + 0.5 * u[:, 3] + 0.1 * noise[:, 4]
    codes = np.column_stack([u + 0.1 * noise[:, :4], mixed, 0.01 * noise[:, 5]]).astype(np.float32)
    return codes, factors


def _small() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    codes, factors = small_grid()
    order = np.random.default_rng(2027).permutation(360)
    train, test = order[:240], order[240:]
    return codes[train], factors[train], codes[test], factors[test]
