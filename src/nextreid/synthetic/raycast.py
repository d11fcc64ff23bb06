"""Cast rays once per view: which part a pixel sees, where, with which normal and temperature.

The only file that knows `embreex`. Modalities share this one geometry; they differ in shading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from numpy.typing import NDArray

from nextreid.synthetic.parts import Part

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Parts joined into one mesh.

    Args:
        parts: the parts, in the order their indices name them.
        vertices: (V, 3) float32, world frame, metres.
        faces: (F, 3) int32 into the vertices.
        part: (F,) int32 index of each face's part.
        normals: (V, 3) unit normals for interpolation.
        uv: (V, 2) surface coordinates, metres.
        heat: (V,) °C above the air.
    """

    parts: tuple[Part, ...]
    vertices: FloatArray
    faces: NDArray[np.int32]
    part: NDArray[np.int32]
    normals: FloatArray
    uv: FloatArray
    heat: FloatArray


@dataclass(frozen=True)
class Hits:
    """What the rays met; all arrays have one row per ray.

    Args:
        part: (P,) int32 index into the scene's parts, -1 nothing.
        normal: (P, 3) float32 unit, towards the camera; zero where nothing was met.
        depth: (P,) float32 metres along the ray; infinite where nothing was met.
        uv: (P, 2) float32 surface coordinates in metres.
        heat: (P,) float32 °C above the air.
    """

    part: NDArray[np.int32]
    normal: FloatArray
    depth: FloatArray
    uv: FloatArray
    heat: FloatArray


def assemble(parts: Sequence[Part], placements: Sequence[tuple[NDArray[Any], float, NDArray[Any]]]) -> Scene:
    """Join parts into one mesh.

    Args:
        parts: the parts.
        placements: for each part its (rotation (3, 3), scale, offset (3,)) into the world frame.
    """
    counts = np.array([len(part.vertices) for part in parts])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    world = np.concatenate(
        [
            (part.vertices * np.float32(scale)) @ np.asarray(rotation, np.float32).T + offset
            for part, (rotation, scale, offset) in zip(parts, placements, strict=True)
        ]
    ).astype(np.float32)
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]).astype(
        np.int32
    )
    owner = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.faces) for part in parts])
    uv = np.concatenate(
        [
            part.uv
            if part.uv is not None
            else np.stack([part.vertices[:, 0] + part.vertices[:, 1], part.vertices[:, 2]], -1)
            for part in parts
        ]
    ).astype(np.float32)
    heat = np.concatenate(
        [np.broadcast_to(np.asarray(part.heat, np.float32), len(part.vertices)) for part in parts]
    )
    return Scene(tuple(parts), world, faces, owner, _vertex_normals(world, faces), uv, heat)


def _vertex_normals(vertices: FloatArray, faces: NDArray[np.int32]) -> FloatArray:
    """Area-weighted mean of the normals of the faces around each vertex."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    face = np.cross(b - a, c - a)
    corner = faces.T.ravel()
    total = np.stack(
        [np.bincount(corner, np.tile(face[:, axis], 3), minlength=len(vertices)) for axis in range(3)], -1
    )
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def cast(scene: Scene, origin: FloatArray, directions: FloatArray) -> Hits:
    """Shoot one ray per pixel from one point.

    Args:
        scene: the mesh.
        origin: (3,) the camera's place.
        directions: (P, 3) float32, unit.
    """
    device = rtcore_scene.EmbreeScene()
    TriangleMesh(device, scene.vertices, scene.faces)
    count = len(directions)
    origins = np.broadcast_to(np.asarray(origin, np.float32), (count, 3)).copy()
    met = device.run(origins, np.ascontiguousarray(directions, np.float32), output=True)
    face = met["primID"].astype(np.int64)
    seen = np.flatnonzero(face >= 0)
    hit = scene.faces[face[seen]]
    v, w = met["u"][seen, None], met["v"][seen, None]
    u = 1.0 - v - w
    smooth = np.array([part.smooth for part in scene.parts])
    owner = scene.part[face[seen]]
    blended = u * scene.normals[hit[:, 0]] + v * scene.normals[hit[:, 1]] + w * scene.normals[hit[:, 2]]
    flat = met["Ng"][seen]
    turned = np.where(
        smooth[owner, None], blended, flat * np.sign((flat * blended).sum(1, keepdims=True) + 1e-9)
    )
    towards = np.sign(-(turned * directions[seen]).sum(1, keepdims=True))
    turned = turned * np.where(towards == 0, 1.0, towards)
    turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    part = np.full(count, -1, np.int32)
    normal = np.zeros((count, 3), np.float32)
    depth = np.full(count, np.inf, np.float32)
    uv = np.zeros((count, 2), np.float32)
    heat = np.zeros(count, np.float32)
    part[seen] = owner
    normal[seen] = turned
    depth[seen] = met["tfar"][seen]
    uv[seen] = u * scene.uv[hit[:, 0]] + v * scene.uv[hit[:, 1]] + w * scene.uv[hit[:, 2]]
    heat[seen] = (
        u[:, 0] * scene.heat[hit[:, 0]] + v[:, 0] * scene.heat[hit[:, 1]] + w[:, 0] * scene.heat[hit[:, 2]]
    )
    return Hits(part, normal, depth, uv, heat)
