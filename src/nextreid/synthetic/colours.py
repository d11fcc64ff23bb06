"""Colour names and the shades they cover: two objects may both be "blue" and yet not look alike."""

import colorsys

import numpy as np

from nextreid.errors import InputError
from nextreid.synthetic.parts import Colour

_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    # name: hue in degrees, saturation, value of sRGB; ours: ranges that people call by the name
    "black": ((0, 360), (0.0, 0.18), (0.05, 0.16)),
    "white": ((20, 60), (0.0, 0.08), (0.86, 0.97)),
    "gray": ((0, 360), (0.0, 0.08), (0.40, 0.60)),
    "silver": ((190, 230), (0.0, 0.06), (0.66, 0.80)),
    "light gray": ((0, 360), (0.0, 0.07), (0.66, 0.80)),
    "dark gray": ((0, 360), (0.0, 0.10), (0.20, 0.33)),
    "red": ((-12, 8), (0.72, 0.95), (0.50, 0.85)),
    "orange": ((18, 32), (0.75, 0.95), (0.75, 0.95)),
    "yellow": ((44, 58), (0.60, 0.95), (0.75, 0.95)),
    "green": ((90, 155), (0.40, 0.85), (0.30, 0.65)),
    "dark green": ((90, 160), (0.40, 0.80), (0.16, 0.28)),
    "blue": ((205, 232), (0.60, 0.92), (0.48, 0.85)),
    "light blue": ((195, 218), (0.25, 0.50), (0.75, 0.93)),
    "dark blue": ((215, 240), (0.50, 0.90), (0.16, 0.34)),
    "purple": ((262, 292), (0.40, 0.80), (0.35, 0.65)),
    "pink": ((325, 350), (0.28, 0.60), (0.80, 0.95)),
    "brown": ((14, 30), (0.45, 0.75), (0.25, 0.45)),
    "beige": ((30, 42), (0.20, 0.38), (0.70, 0.86)),
    "gold": ((38, 46), (0.45, 0.65), (0.60, 0.78)),
}

COLOUR_NAMES = tuple(_RANGES)
"""Names that have a range of shades."""


def linear(srgb: tuple[float, float, float]) -> Colour:
    """sRGB values 0..1 as linear reflectance 0..1 (IEC 61966-2-1)."""
    red, green, blue = (((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in srgb)
    return (round(red, 5), round(green, 5), round(blue, 5))


NEUTRAL = ("black", "white", "gray", "dark gray", "dark blue", "beige", "brown", "light gray")
"""Colours of most second dyes on a street: ours."""


def draw_worn_shade(name: str, rng: np.random.Generator) -> Colour:
    """Draw a shade as streets show it: in three draws of five from the quiet end of the name's range.

    Raises:
        InputError: a name without a range.
    """
    return draw_shade(name, rng, loud=0.35 if rng.uniform() < 0.6 else 1.0)


def draw_shade(name: str, rng: np.random.Generator, *, loud: float = 1.0) -> Colour:
    """Draw one shade of a named colour as linear RGB.

    Args:
        name: of the colour.
        rng: draws hue, saturation and value.
        loud: share of the range of saturations that is drawn from, from its low end, 0..1.

    Raises:
        InputError: a name without a range.
    """
    if name not in _RANGES:
        raise InputError(f"{name!r} has no range of shades", allowed=", ".join(COLOUR_NAMES))
    hue, saturation, value = (float(rng.uniform(low, high)) for low, high in _RANGES[name])
    least = _RANGES[name][1][0]
    saturation = least + loud * (saturation - least)
    return linear(colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value))


def draw_any(rng: np.random.Generator) -> Colour:
    """Draw a shade of any name, for second dyes, prints and clutter."""
    return draw_shade(COLOUR_NAMES[int(rng.integers(len(COLOUR_NAMES)))], rng)
