"""Render one observation: place the parts, cast rays once, shade three times, degrade, move the masks.

Pure: a `Stage` holds everything, and the same stage gives the same bytes. What-if questions are asked
by changing the stage: `replace(stage, target=recoloured)`, `replace(stage, sighting=without_sun)`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.modality import NIR, RGB, TIR
from nextreid.seeding import numpy_generator
from nextreid.synthetic.cameras import Camera, Rays, crop_rays
from nextreid.synthetic.clutter import build_clutter
from nextreid.synthetic.degrade import degrade, register_mask
from nextreid.synthetic.kinds import Kind
from nextreid.synthetic.parts import OTHER, ObjectState, Part
from nextreid.synthetic.raycast import Hits, Scene, assemble, cast
from nextreid.synthetic.scenery import draw_backdrop
from nextreid.synthetic.shapes import turn_z
from nextreid.synthetic.sighting import Sighting
from nextreid.synthetic.spectra import inferno, shade_nir, shade_rgb, shade_tir
from nextreid.synthetic.surfaces import gather
from nextreid.synthetic.weather import add_rain, bloom, draw_rain

Bytes = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Stage:
    """Everything that one picture depends on.

    Args:
        kind: persons or vehicles: mask numbers and framing.
        camera: the camera.
        sighting: time, light, framing, sensors.
        target: parts of the object, object frame.
        others: (parts, rotation (3, 3), offset (3,)) of what stands in front, world frame.
        size: (H, W) of the stored pictures.
        tir: "false-colour" or "gray".
    """

    kind: Kind
    camera: Camera
    sighting: Sighting
    target: tuple[Part, ...]
    others: tuple[tuple[tuple[Part, ...], FloatArray, FloatArray], ...]
    size: tuple[int, int]
    tir: str = "false-colour"


@dataclass(frozen=True)
class Rendered:
    """One observation.

    Args:
        images: modality -> (H, W, 3) uint8.
        masks: modality -> (H, W) uint8 part numbers, moved with the modality's misregistration.
        clean: modality -> (H + 2 margin, W + 2 margin[, 3]) uint8 before the sensor (TIR: coded heat).
        parts: (H + 2 margin, W + 2 margin) uint8 part numbers before registration.
    """

    images: dict[str, Bytes]
    masks: dict[str, Bytes]
    clean: dict[str, Bytes]
    parts: Bytes


def margin_of(size: tuple[int, int]) -> int:
    """Pixels around the crop, so that misregistration and zoom never run out of picture."""
    return max(4, round(0.075 * size[0]))


def set_stage(
    kind: Kind,
    camera: Camera,
    sighting: Sighting,
    identities: Sequence[Any],
    *,
    size: tuple[int, int],
    tir: str = "false-colour",
) -> Stage:
    """Build the object and what stands in front of it.

    Args:
        kind: of the object.
        camera: the sighting's camera.
        sighting: the sighting.
        identities: all identities of the world; the sighting names its own and its occluders'.
        size: (H, W) in pixels.
        tir: how thermal pictures are stored.
    """
    others = []
    for occluder in sighting.occluders:
        if occluder.what == "identity":
            state = ObjectState(
                phase=occluder.turn / 360.0, ambient=sighting.state.ambient, seed=occluder.seed
            )
            parts = kind.build(identities[occluder.identity], state)
        else:
            parts = build_clutter(occluder.what, occluder.seed)
        towards, left = occluder.place
        reach = 0.42 if kind.name == "person" else 2.2
        offset = np.array([-towards, left * reach, 0.0], np.float32)
        others.append((parts, turn_z(occluder.turn).astype(np.float32), offset))
    target = kind.build(identities[sighting.identity], sighting.state)
    return Stage(kind, camera, sighting, target, tuple(others), size, tir)


def render(stage: Stage) -> Rendered:
    """Render a stage in all three modalities."""
    sighting, camera, size = stage.sighting, stage.camera, stage.size
    margin = margin_of(size)
    rays = crop_rays(
        camera,
        size=size,
        margin=margin,
        nominal=stage.kind.nominal,
        fill=stage.kind.fill[0] * sighting.zoom,
        stretch=stage.kind.stretch,
        shift=sighting.shift,
    )
    scene = _place(stage)
    count = sum(len(part.vertices) for part in stage.target)
    directions, window = _aim(stage, rays, scene.vertices, count, margin)
    hits = _cast_window(scene, rays, directions, window)
    numbers = np.array(
        [stage.kind.table.number(part.name) for part in stage.target]
        + [OTHER] * (len(scene.parts) - len(stage.target)) + [0], np.uint8,
    )  # fmt: skip
    parts = numbers[hits.part].reshape(rays.shape)
    surface = gather(hits, directions, scene.parts, sighting.seed)
    backdrop = draw_backdrop(camera, sighting, rays)
    light = sighting.light
    clean = {
        RGB: shade_rgb(surface, backdrop, camera, light, directions, rays.shape),
        NIR: shade_nir(surface, backdrop, camera, light, rays.shape),
        TIR: shade_tir(surface, backdrop, camera, light.fog, rays.shape),
    }
    if light.bloom:
        clean[NIR] = bloom(clean[NIR], light.bloom)
    if light.rain:
        streaks = draw_rain(light, rays.shape, sighting.seed)
        clean[RGB] = add_rain(clean[RGB], streaks[..., None])
        clean[NIR] = add_rain(clean[NIR], streaks)
    images, masks = {}, {}
    for modality, picture in clean.items():
        sensor = sighting.sensors[modality]
        rng = numpy_generator(sighting.seed, "noise", modality)
        taken = degrade(picture, sensor, size, margin, rng)
        images[modality] = _STORE[modality, stage.tir](taken)
        masks[modality] = register_mask(parts, sensor, size, margin)
    return Rendered(images, masks, clean, parts)


def _triple(grey: Bytes) -> Bytes:
    return np.repeat(grey[..., None], 3, axis=2)


_STORE: dict[tuple[str, str], Callable[[Bytes], Bytes]] = {
    (RGB, "false-colour"): lambda picture: picture,
    (RGB, "gray"): lambda picture: picture,
    (NIR, "false-colour"): _triple,
    (NIR, "gray"): _triple,
    (TIR, "false-colour"): lambda grey: inferno()[grey],
    (TIR, "gray"): _triple,
}


def _place(stage: Stage) -> Scene:
    turn: NDArray[Any] = turn_z(180.0 - stage.sighting.bearing)
    nowhere: NDArray[Any] = np.zeros(3, np.float32)
    parts = list(stage.target)
    placements = [(turn, 1.0, nowhere)] * len(parts)
    for more, rotation, offset in stage.others:
        parts += more
        placements += [(rotation, 1.0, offset)] * len(more)
    return assemble(parts, placements)


def _aim(
    stage: Stage, rays: Rays, vertices: FloatArray, count: int, margin: int
) -> tuple[FloatArray, tuple[int, int, int, int]]:
    """Directions of the object's rays, and the window (rows, columns) in which anything can be met.

    A kind that is fitted (vehicles) has its box stretched to the frame, as detectors' boxes are when
    they are resized; the backdrop keeps the nominal rays and so tells nothing of the box.
    """
    pixels = rays.project(vertices)
    height, width = rays.shape
    directions = rays.directions
    fill_y, fill_x = stage.kind.fill
    if fill_x is not None:
        low, high = pixels[:count].min(0), pixels[:count].max(0)
        zoom = stage.sighting.zoom
        target = np.array([fill_x * zoom * stage.size[1], fill_y * zoom * stage.size[0]])
        scale = (high - low) / target
        middle = np.array(rays.centre)
        box = (low + high) / 2
        x = (np.arange(width) - middle[0]) * scale[0] + box[0] - rays.centre[0]
        y = rays.centre[1] - ((np.arange(height) - middle[1]) * scale[1] + box[1])
        bent = (
            rays.forward
            + (x / rays.focal[0])[None, :, None] * rays.right
            + (y / rays.focal[1])[:, None, None] * rays.up
        )
        bent /= np.linalg.norm(bent, axis=-1, keepdims=True)
        directions = bent.reshape(-1, 3).astype(np.float32)
        pixels = (pixels - box) / scale + middle
    left, top = np.floor(pixels.min(0)).astype(int) - 1
    right, bottom = np.ceil(pixels.max(0)).astype(int) + 2
    rows = (max(0, top), min(height, bottom))
    columns = (max(0, left), min(width, right))
    return directions, (*rows, *columns)


def _cast_window(scene: Scene, rays: Rays, directions: FloatArray, window: tuple[int, int, int, int]) -> Hits:
    """Cast only where the projected vertices reach."""
    height, width = rays.shape
    top, bottom, left, right = window
    index = np.arange(height * width).reshape(height, width)[top:bottom, left:right].ravel()
    seen = cast(scene, rays.origin, directions[index])
    total = height * width
    part = np.full(total, -1, np.int32)
    normal, uv = np.zeros((total, 3), np.float32), np.zeros((total, 2), np.float32)
    depth, heat = np.full(total, np.inf, np.float32), np.zeros(total, np.float32)
    part[index], normal[index], uv[index] = seen.part, seen.normal, seen.uv
    depth[index], heat[index] = seen.depth, seen.heat
    return Hits(part, normal, depth, uv, heat)
