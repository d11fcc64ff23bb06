"""What lies over a clean picture: streaks of rain, and the halo of an overexposed near infrared."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from nextreid.seeding import numpy_generator
from nextreid.synthetic.sighting import Light

Bytes = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

FULL = 215
"""Code from which a pixel spills light over: ours, near white."""

REACH = 0.035
"""Radius of the halo as a share of the height: ours, by eye beside overexposed real crops."""

DROPS = 0.0012
"""Streaks a pixel at full rain, and `FALL` their length as a share of the height: ours, by eye."""
FALL = 0.06


def bloom(codes: Bytes, strength: float) -> Bytes:
    """Let overexposed places spill over.

    Args:
        codes: (H, W) uint8.
        strength: 0..1.

    Returns:
        (H, W) uint8, nowhere darker.
    """
    over = Image.fromarray(np.where(codes > FULL, 255, 0).astype(np.uint8))
    halo = np.asarray(over.filter(ImageFilter.GaussianBlur(REACH * codes.shape[0])), np.float32)
    return np.minimum(codes + 0.8 * strength * halo, 255).astype(np.uint8)


def draw_rain(light: Light, shape: tuple[int, int], seed: int) -> FloatArray:
    """Draw the streaks of one moment.

    Args:
        light: its `rain`, and what lights the drops.
        shape: (H, W).
        seed: of the sighting.

    Returns:
        (H, W) added light in codes, 0..60.
    """
    height, width = shape
    rng = numpy_generator(seed, "rain")
    count = round(DROPS * light.rain * height * width)
    long = max(2, round(FALL * height))
    top, left = rng.integers(-long, height, count), rng.integers(0, width, count)
    bright = rng.uniform(15.0, 60.0, count) * min(1.0, 0.15 + light.sun + light.sky)
    streaks = np.zeros((height + 2 * long, width), np.float32)
    for step in range(long):
        streaks[top + long + step, left] = bright
    return streaks[long : long + height]


def add_rain(codes: Bytes, streaks: FloatArray) -> Bytes:
    """Add streaks to a coded picture; (H, W) or (H, W, 3) with matching streaks."""
    return np.minimum(codes + streaks, 255).astype(np.uint8)
