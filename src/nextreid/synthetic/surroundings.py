"""What stands behind the object: parked cars, shrubs and trees, hedges, poles, each an upright picture.

Drawn anew for every sighting from its own seed, in the camera's nominal geometry: no thing here knows who
stands in front of it. Each has a look in every spectrum: leaves are bright in the near infrared, cars that
were driven are warm and their panes mirror a cold sky.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.synthetic.colours import draw_shade
from nextreid.synthetic.noise import smooth_noise

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]

CAR_COLOURS = ("black", "white", "white", "gray", "silver", "dark gray", "blue", "red", "dark blue", "beige")
THINGS = ("car", "car", "shrub", "shrub", "tree", "pole", "hedge", "board")
"""How often: ours; cars and green are what stands at the side of a street."""


@dataclass(frozen=True)
class Layer:
    """One look of a thing: where it is, and what it does to light and heat.

    Args:
        mask: (K,) of the pixels asked for.
        albedo: (3,) linear RGB.
        nir: reflectance.
        heat: °C above the air.
        emissivity: 8..14 µm.
        rough: share of leaf-like light and dark, 0..1.
    """

    mask: Mask
    albedo: FloatArray
    nir: float
    heat: float
    emissivity: float
    rough: float = 0.0


def draw_things(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw which things stand about: none to two, farthest first (ours; crops are narrow)."""
    count = int(rng.choice(3, p=[0.3, 0.5, 0.2]))
    return tuple(str(rng.choice(THINGS)) for _ in range(count))


def draw_layers(
    what: str, rng: np.random.Generator, y: FloatArray, z: FloatArray, spread: float
) -> tuple[Layer, ...]:
    """Draw one thing on its upright plane.

    Args:
        what: one of `THINGS`.
        rng: of the sighting.
        y, z: (K,) place of every pixel on the plane in metres, to the left and up.
        spread: how far from the middle the thing may stand, metres.

    Returns:
        Layers, each over the ones before.
    """
    y = y - float(rng.uniform(-spread, spread))
    if what == "car":
        return _car(rng, y, z)
    if what in ("shrub", "tree", "hedge"):
        return _green(what, rng, y, z)
    level = float(rng.uniform(0.03, 0.5))
    grey = np.array([level, level, level], np.float32)
    nir, heat = float(rng.uniform(0.1, 0.7)), float(rng.normal(0.5, 1.5))
    if what == "pole":
        return (Layer(np.abs(y) < float(rng.uniform(0.04, 0.12)), grey, nir, heat, 0.90),)
    wide, tall = float(rng.uniform(0.3, 1.2)), float(rng.uniform(0.8, 2.4))
    colour = np.array(draw_shade(str(rng.choice(CAR_COLOURS)), rng), np.float32)
    return (Layer((np.abs(y) < wide) & (z < tall) & (z > 0.3), colour, nir, heat, 0.93),)


def _car(rng: np.random.Generator, y: FloatArray, z: FloatArray) -> tuple[Layer, ...]:
    """A parked car from the side or the end: body, panes, wheels."""
    half = float(rng.choice([0.88, 2.15]))  # half of its width or of its length, metres
    deck, roof = float(rng.uniform(0.8, 1.0)), float(rng.uniform(1.4, 1.75))
    lean = float(rng.uniform(0.1, 0.5))
    colour = np.array(draw_shade(str(rng.choice(CAR_COLOURS)), rng), np.float32)
    nir, skin = float(rng.uniform(0.08, 0.8)), float(rng.uniform(-1.0, 7.0))
    side = np.abs(y)
    cabin = 0.92 * half - lean * (z - deck)
    body = (side < half) & (z < deck) & (z > 0.22)
    top = (z >= deck) & (z < roof) & (side < cabin)
    pane = (z > deck + 0.06) & (z < roof - 0.1) & (side < cabin - 0.1) & (side > 0.05)
    at = side - 0.64 * half
    wheel = (at * at + (z - 0.3) ** 2 < 0.1) if half > 1 else ((np.abs(at) < 0.14) & (z < 0.3))
    dark = np.array([0.02, 0.02, 0.022], np.float32)
    return (
        Layer(body | top, colour, nir, skin, 0.90),
        Layer(pane, dark * 2, 0.08, float(rng.uniform(-1.0, 4.0)), 0.84),
        Layer(wheel & (z > 0), dark, 0.06, float(rng.uniform(0.0, 8.0)), 0.95),
    )


def _green(what: str, rng: np.random.Generator, y: FloatArray, z: FloatArray) -> tuple[Layer, ...]:
    """Leaves with a ragged border; a tree has a trunk and its crown above."""
    seed = int(rng.integers(1 << 30))
    ragged = smooth_noise(y * 4.0 + 200, z * 4.0 + 100, seed)
    leaf = np.array(draw_shade(str(rng.choice(("green", "dark green", "dark green"))), rng), np.float32)
    nir, heat = float(rng.uniform(0.55, 0.85)), float(rng.normal(-0.3, 0.6))
    if what == "hedge":
        low = z < float(rng.uniform(0.5, 1.3)) + 0.12 * ragged
        return (Layer(low & (z > 0), leaf, nir, heat, 0.96, 0.6),)
    high, wide = float(rng.uniform(0.4, 1.0)), float(rng.uniform(0.35, 0.9))
    if what == "shrub":
        ball = (y / wide) ** 2 + ((z - high * 0.6) / high) ** 2 < 1 + 0.45 * ragged
        return (Layer(ball & (z > 0), leaf, nir, heat, 0.96, 0.6),)
    base = float(rng.uniform(1.2, 2.2))
    crown = (y / (1.6 * wide)) ** 2 + ((z - base - 0.9) / 1.1) ** 2 < 1 + 0.5 * ragged
    bark = np.array([0.09, 0.065, 0.045], np.float32)
    trunk = (np.abs(y) < float(rng.uniform(0.06, 0.2))) & (z > 0) & (z < base + 0.4)
    return (Layer(trunk, bark, 0.35, heat + 0.6, 0.95), Layer(crown, leaf, nir, heat, 0.96, 0.6))
