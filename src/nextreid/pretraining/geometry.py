"""How pictures of a pretraining are moved, and become tensors."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHIFT = 8
"""Largest shift of a picture in pixels, half a patch: ours, so that parts fall on other patches too."""

ZOOM = 0.15
"""Largest change of size, either way: ours, so that few worlds show parts of more sizes."""

STRETCH = 0.08
"""Largest change of the width alone: ours."""

SLANT = 0.08
"""Largest slope of what was upright, and of what was level: ours, some five degrees."""


@dataclass(frozen=True)
class Move:
    """How one picture is moved about its middle.

    Attributes:
        mirrored: left for right.
        zoom: (down, across) factors on its size.
        shift: (dy, dx) pixels between a place of the result and where it is taken from.
        lean: pixels across for each pixel down.
        tilt: pixels down for each pixel across.
    """

    mirrored: bool
    zoom: tuple[float, float]
    shift: tuple[int, int]
    lean: float
    tilt: float


def draw_move(rng: np.random.Generator) -> Move:
    """Draw a move within the limits of this module."""
    mirrored = bool(rng.random() < 0.5)
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM)
    across = zoom * rng.uniform(1 - STRETCH, 1 + STRETCH)
    dy, dx = rng.integers(-SHIFT, SHIFT + 1, size=2)
    lean, tilt = rng.uniform(-SLANT, SLANT, size=2)
    return Move(mirrored, (float(zoom), float(across)), (int(dy), int(dx)), float(lean), float(tilt))


def sources(shape: tuple[int, int], move: Move) -> NDArray[np.int64]:
    """Return which pixel, row * W + column, each pixel of a moved picture is taken from, (H,W).

    What enters at a border repeats it.
    """
    height, width = shape
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
    x = np.arange(width, dtype=np.float32) - (width - 1) / 2
    down = y / move.zoom[0] + move.tilt * x + (height - 1) / 2 + move.shift[0]
    across = x / move.zoom[1] + move.lean * y + (width - 1) / 2 + move.shift[1]
    rows = np.clip(np.rint(down), 0, height - 1).astype(np.int64)
    columns = np.clip(np.rint(across), 0, width - 1).astype(np.int64)
    return rows * width + (width - 1 - columns if move.mirrored else columns)


def centred(pixels: NDArray[np.uint8], smaller: int) -> Tensor:
    """Return pictures in -1..1, (B,H,W,3) -> (B,3,H/smaller,W/smaller), each pixel the mean of a square."""
    corners = [(y, x) for y in range(smaller) for x in range(smaller)]
    total = sum(pixels[:, y::smaller, x::smaller].astype(np.uint16) for y, x in corners)  # exact
    found = torch.from_numpy(np.asarray(total)).permute(0, 3, 1, 2).float()
    return found.div_(127.5 * smaller**2).sub_(1.0)
