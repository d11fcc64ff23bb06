"""Noise on planes: smooth, and the grain of a ground or wall."""

import numpy as np
from numpy.typing import NDArray

from nextreid.seeding import numpy_generator

FloatArray = NDArray[np.float32]


def smooth_noise(u: FloatArray, v: FloatArray, seed: int) -> FloatArray:
    """Smooth noise in -1..1 on the plane, one lattice point per unit; periodic after 32."""
    lattice = numpy_generator(seed, "lattice").uniform(-1, 1, (32, 32)).astype(np.float32)
    i, j = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    s, t = u - i, v - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    i0, i1, j0, j1 = i & 31, (i + 1) & 31, j & 31, (j + 1) & 31
    low = lattice[i0, j0] * (1 - s) + lattice[i1, j0] * s
    high = lattice[i0, j1] * (1 - s) + lattice[i1, j1] * s
    return (low * (1 - t) + high * t).astype(np.float32)


def grain(u: FloatArray, v: FloatArray, seed: int) -> FloatArray:
    """Fine grain in -1..1: one value per 11 cm, unsmoothed (the lens blurs it); periodic after 7 m."""
    lattice = numpy_generator(seed, "grain").uniform(-1, 1, (64, 64)).astype(np.float32)
    i, j = ((axis * 9.0 + 6400.0).astype(np.int32) & 63 for axis in (u, v))
    return lattice[i, j]
