"""What the surface is at each pixel: reflectances, temperature, folds and patterns, before any light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.seeding import numpy_generator
from nextreid.synthetic.parts import Part, Pattern
from nextreid.synthetic.raycast import Hits

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """Properties at P pixels that an object covers.

    Args:
        pixel: (P,) index of the pixel in the picture.
        part: (P,) index of the part in the scene.
        normal: (P, 3) unit.
        facing: (P,) cosine between normal and view, 0..1.
        depth: (P,) metres.
        albedo: (P, 3) linear RGB, patterns applied.
        nir: (P,) reflectance, patterns applied.
        emissivity, gloss, retro: (P,) 0..1.
        relief: (P,) factor on reflected light by folds and seams, about 1.
        heat: (P,) °C above the air, folds and seams applied; patterns have no part in it.
        glow: (P, 3) own light; `glow_nir`: (P,).
    """

    pixel: NDArray[np.int64]
    part: NDArray[np.int32]
    normal: FloatArray
    facing: FloatArray
    depth: FloatArray
    albedo: FloatArray
    nir: FloatArray
    emissivity: FloatArray
    gloss: FloatArray
    retro: FloatArray
    relief: FloatArray
    heat: FloatArray
    glow: FloatArray
    glow_nir: FloatArray


def pattern_mask(pattern: Pattern, u: FloatArray, v: FloatArray) -> NDArray[np.bool_]:
    """Where the second dye lies, from surface coordinates in metres."""
    s, t = u / pattern.scale + pattern.phase, v / pattern.scale + pattern.phase
    across, up = s - np.floor(s), t - np.floor(t)
    if pattern.kind == "stripes":
        return up < pattern.duty
    if pattern.kind == "bars":
        return across < pattern.duty
    if pattern.kind == "check":
        return (across < 0.5) ^ (up < 0.5)
    if pattern.kind == "dots":
        return (across - 0.5) ** 2 + (up - 0.5) ** 2 < pattern.duty * 0.25
    if pattern.kind == "blocks":
        return v < 0.12 + 0.5 * pattern.duty * (0.5 + pattern.phase)
    if pattern.kind == "speckle":
        return np.sin(5.1 * s + 2.3 * np.sin(3.7 * t)) * np.sin(4.3 * t + 1.9 * np.sin(2.9 * s)) > 0.25
    half = 0.05 + 0.5 * pattern.scale
    return (np.abs(u) < half) & (np.abs(v - 0.33) < half * (0.4 + pattern.duty))


def gather(hits: Hits, directions: FloatArray, parts: tuple[Part, ...], seed: int) -> Surface:
    """Look up the material of every pixel that met a part.

    Args:
        hits: what the rays met.
        directions: (rays, 3) unit.
        parts: the scene's parts.
        seed: of the sighting, for the folds of this moment.
    """
    pixel = np.flatnonzero(hits.part >= 0)
    part = hits.part[pixel]
    normal, uv = hits.normal[pixel], hits.uv[pixel]
    facing = np.clip(-(normal * directions[pixel]).sum(1), 0.0, 1.0)
    table = [p.material for p in parts]
    albedo = np.array([m.albedo for m in table], np.float32)[part]
    nir = np.array([m.nir for m in table], np.float32)[part]
    rest = np.array([(m.emissivity, m.gloss, m.retro, m.folds, m.quilt) for m in table], np.float32)[part]
    glow = np.array([(*p.glow, p.glow_nir) for p in parts], np.float32)[part]
    for index in np.unique(part):
        pattern = table[index].pattern
        if pattern is not None:
            here = np.flatnonzero(part == index)
            dyed = here[pattern_mask(pattern, uv[here, 0], uv[here, 1])]
            albedo[dyed] = pattern.albedo
            nir[dyed] = pattern.nir
            if pattern.emissivity is not None:
                rest[dyed, 0] = pattern.emissivity
    fold = rest[:, 3] * _folds(uv[:, 0], uv[:, 1], part, seed)
    quilt = rest[:, 4]
    v = uv[:, 1] / np.where(quilt > 0, quilt, 1.0)
    seam = (quilt > 0) & (v - np.floor(v) < 0.16)
    heat = hits.heat[pixel] * (1.0 + 0.15 * fold) + np.where(seam, 2.2, 0.0)
    return Surface(
        pixel, part, normal, facing.astype(np.float32), hits.depth[pixel], albedo, nir,
        rest[:, 0], rest[:, 1], rest[:, 2],
        ((1.0 + 0.16 * fold) * np.where(seam, 0.62, 1.0)).astype(np.float32),
        heat.astype(np.float32), glow[:, :3], glow[:, 3],
    )  # fmt: skip


def _folds(u: FloatArray, v: FloatArray, part: NDArray[np.int32], seed: int) -> FloatArray:
    """Folds of cloth in -1..1: three crossing waves whose phases are the sighting's."""
    phase = numpy_generator(seed, "folds").uniform(0, 2 * np.pi, 6).astype(np.float32)
    shift = part.astype(np.float32) * 1.7
    bent = v * 17.0 + 1.6 * np.sin(u * 9.0 + phase[0] + shift)
    waves = np.sin(bent + phase[1]) * np.sin(u * 13.0 + phase[2] + shift)
    return (0.7 * waves + 0.3 * np.sin(u * 31.0 + v * 23.0 + phase[3])).astype(np.float32)
