"""The background: ground, kerb, a wall behind it, sky, and what stands about (`surroundings.py`).

Procedural, from the camera and the sighting alone. It is drawn in the nominal geometry of the camera,
never in that of the object, so that nothing in it tells who stands in front of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.seeding import numpy_generator
from nextreid.synthetic.cameras import Camera, Rays
from nextreid.synthetic.colours import draw_shade
from nextreid.synthetic.noise import grain as fine_grain
from nextreid.synthetic.noise import smooth_noise
from nextreid.synthetic.sighting import Sighting
from nextreid.synthetic.surroundings import draw_layers, draw_things

FloatArray = NDArray[np.float32]

ELSEWHERE = 0.6
"""Share of sightings in a place of their own: ours; a fixed camera sees many corners of its street."""

DULL = 0.45
"""Share of its colour that a ground or wall keeps: ours, by eye beside streets, which are gray."""


@dataclass(frozen=True)
class Backdrop:
    """What lies behind the object at every pixel.

    Args:
        albedo: (P, 3) linear RGB.
        nir: (P,) reflectance.
        heat: (P,) °C above the air.
        emissivity: (P,).
        level: (P,) z of the surface normal (1 ground, 0 wall).
        depth: (P,) metres.
        sky: (P,) bool.
    """

    albedo: FloatArray
    nir: FloatArray
    heat: FloatArray
    emissivity: FloatArray
    level: FloatArray
    depth: FloatArray
    sky: NDArray[np.bool_]


def draw_backdrop(camera: Camera, sighting: Sighting, rays: Rays) -> Backdrop:
    """Look past the object.

    Args:
        camera: its `backdrop` seed fixes the place of part of the sightings: ground, wall, windows.
        sighting: its `backdrop` says where along the place the object stands, and how warm it is; its seed
            draws the place of the others, and what stands about.
        rays: the nominal rays of the crop.
    """
    about = numpy_generator(sighting.seed, "surroundings")
    rng = numpy_generator(camera.backdrop, "place", sighting.scene)
    if about.uniform() < ELSEWHERE:
        rng = about
    grounds, walls = (
        ("gray", "dark gray", "beige", "brown", "green"),
        ("beige", "gray", "brown", "white", "dark gray"),
    )
    ground_name, wall_name = (str(rng.choice(names)) for names in (grounds, walls))
    ground = np.array(draw_shade(ground_name, rng), np.float32)
    wall = np.array(draw_shade(wall_name, rng), np.float32)
    ground, wall = (DULL * c + (1 - DULL) * c.mean() for c in (ground, wall))
    kerb, paving = float(rng.uniform(-3.0, 4.0)), float(rng.uniform(0.6, 1.6))
    marked = float(rng.uniform()) < 0.6
    accent = np.array(
        draw_shade(str(rng.choice(("blue", "red", "white", "dark gray", "green"))), rng), np.float32
    )
    far, top, step = float(rng.uniform(4, 14)), float(rng.uniform(1.6, 7.0)), float(rng.uniform(1.2, 3.5))
    ground_nir, wall_nir = (
        (0.7 if ground_name == "green" else float(rng.uniform(0.15, 0.45))),
        float(rng.uniform(0.2, 0.6)),
    )
    stripe, texture = float(rng.uniform(0.5, 2.0)), int(rng.integers(1 << 30))
    along, warmth = sighting.backdrop

    d = rays.directions
    away = rays.origin
    down = np.minimum(d[:, 2], -1e-4)
    to_ground = -away[2] / down
    to_wall = (far - away[0]) / np.maximum(d[:, 0], 1e-4)
    on_ground = (to_ground < to_wall) & (d[:, 2] < -1e-4)
    depth = np.where(on_ground, to_ground, to_wall).astype(np.float32)
    place = away + d * depth[:, None]
    x, y, z = place[:, 0], place[:, 1] + np.float32(along), place[:, 2]
    sky = ~on_ground & (z > top)
    coarse = smooth_noise(np.where(on_ground, x * 0.7, z * 0.8) + 40, y * 0.7 + 400, texture)
    fine = fine_grain(np.where(on_ground, x, z), y, texture + 1)
    grain = 1 + 0.28 * coarse + 0.14 * fine

    cell = np.floor(y / step)
    within = y / step - cell
    window = ~on_ground & ~sky & (within > 0.25) & (within < 0.75) & (z > 0.35 * top) & (z < 0.8 * top)
    post = ~on_ground & ~sky & (within < 0.07)
    along_x = x / (stripe * 3)
    line = on_ground & marked & (along_x - np.floor(along_x) < 0.073)
    edge = on_ground & (np.abs(x - kerb) < 0.08)
    beyond = on_ground & (x > kerb)
    albedo = np.where(on_ground[:, None], ground, wall) * grain[:, None]
    albedo = np.where(beyond[:, None], np.float32(paving) * albedo, albedo)
    albedo = np.where(edge[:, None], 0.3 + 0.2 * albedo, albedo)
    albedo = np.where(window[:, None], 0.25 * wall + 0.02, albedo)
    albedo = np.where(post[:, None], accent, albedo)
    albedo = np.where(line[:, None], 0.55 * albedo + 0.2, albedo)
    nir = np.where(on_ground, ground_nir, wall_nir) * grain
    nir = np.where(beyond, np.sqrt(paving) * nir, np.where(edge, 0.45, nir))
    nir = np.where(window, 0.1, np.where(post, 0.5, np.where(line, nir + 0.15, nir)))
    heat = (
        np.where(on_ground, 0.8, 0.2)
        + warmth
        + 0.5 * coarse
        + np.where(window, 1.6, 0.0)
        + np.where(post, -0.8, 0.0)
        + np.where(edge, 0.8, 0.0)
    )
    # a soft contact shadow at the nominal place of the feet, the same size for everybody
    feet = np.exp(-((place[:, 0] / 0.5) ** 2 + (place[:, 1] / 0.4) ** 2))
    albedo = albedo * (1 - 0.45 * np.where(on_ground, feet, 0.0))[:, None]
    level, emissivity = on_ground.astype(np.float32), np.full(len(d), 0.93, np.float32)
    wide = 0.35 * rays.shape[1] / rays.focal[0] * (camera.distance + far)
    for what in draw_things(about):
        behind = float(about.uniform(1.5, max(2.0, far - 0.5)))
        reach = ((behind - away[0]) / np.maximum(d[:, 0], 1e-4)).astype(np.float32)
        seen = np.flatnonzero((reach < depth) & (reach > 0))
        for layer in draw_layers(
            what, about, d[seen, 1] * reach[seen], away[2] + d[seen, 2] * reach[seen], wide
        ):
            here = seen[layer.mask]
            shade = 1 + layer.rough * fine[here] + 0.1 * coarse[here]
            albedo[here], nir[here] = layer.albedo * shade[:, None], layer.nir * shade
            heat[here], emissivity[here] = layer.heat + 0.5 * warmth, layer.emissivity
            depth[here], level[here], sky[here] = reach[here], 0.0, False
    return Backdrop(
        np.clip(albedo, 0.0, 1.0).astype(np.float32),
        np.clip(nir, 0.0, 1.0).astype(np.float32),
        heat.astype(np.float32),
        emissivity,
        level,
        depth,
        sky,
    )
