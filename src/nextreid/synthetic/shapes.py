"""Meshes from one primitive, the loft: rings of points along a path. Capsules, ellipsoids, boxes, garments.

All functions are pure and return `Shape`s; a shape becomes a `Part` with a material and a temperature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIDES = 14
"""Points of a ring: ours; at 256x128 a limb is about 12 pixels wide, normals are interpolated."""


@dataclass(frozen=True)
class Shape:
    """A triangle mesh with surface coordinates.

    Args:
        vertices: (V, 3) float32, metres.
        faces: (F, 3) int32, outward by the right-hand rule.
        uv: (V, 2) float32, metres around and along.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]

    def moved(self, rotation: ArrayLike, offset: ArrayLike) -> "Shape":
        """Rotate by a (3, 3) matrix, then shift by (3,)."""
        turned = self.vertices @ np.asarray(rotation, np.float32).T + np.asarray(offset, np.float32)
        return Shape(turned, self.faces, self.uv)


@lru_cache(maxsize=64)
def _loft_faces(rings: int, sides: int) -> NDArray[np.int32]:
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    a = ring * (sides + 1) + side
    b, c, d = a + 1, a + sides + 1, a + sides + 2
    quads = np.concatenate([np.stack([a, b, d], -1), np.stack([a, d, c], -1)]).reshape(-1, 3)
    bottom, top = rings * (sides + 1), rings * (sides + 1) + 1
    k, last = np.arange(sides), (rings - 1) * (sides + 1)
    caps = np.concatenate(
        [
            np.stack([k + 1, k, np.full(sides, bottom)], -1),
            np.stack([last + k, last + k + 1, np.full(sides, top)], -1),
        ]
    )
    faces = np.concatenate([quads, caps]).astype(np.int32)
    faces.setflags(write=False)
    return faces


@lru_cache(maxsize=64)
def _ring(sides: int, squareness: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    angle = np.linspace(-np.pi, np.pi, sides + 1)  # the seam lies behind, u = 0 in front
    power = 1.0 - squareness
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        (np.sign(cos) * np.abs(cos) ** power).astype(np.float32),
        (np.sign(sin) * np.abs(sin) ** power).astype(np.float32),
    )


def loft(
    centres: ArrayLike, across: ArrayLike, along: ArrayLike, *, sides: int = SIDES, squareness: float = 0.0
) -> Shape:
    """Join rings of points into a closed skin.

    Ring r is `centres[r] + cos(t) across[r] + sin(t) along[r]`; with `across` = x and `along` = y and
    rising centres the faces look outward.

    Args:
        centres: (R, 3) middle of each ring.
        across: (R, 3) or (3,) first half axis.
        along: (R, 3) or (3,) second half axis.
        sides: points of a ring.
        squareness: 0 ellipse .. 0.9 almost a box.
    """
    c = np.asarray(centres, np.float32)
    a = np.broadcast_to(np.asarray(across, np.float32), c.shape)
    b = np.broadcast_to(np.asarray(along, np.float32), c.shape)
    cos, sin = _ring(sides, squareness)
    skin = c[:, None] + cos[None, :, None] * a[:, None] + sin[None, :, None] * b[:, None]
    step = np.linalg.norm(np.diff(c, axis=0), axis=1)
    v = np.concatenate([[0.0], np.cumsum(step)]).astype(np.float32)
    girth = (np.linalg.norm(a, axis=1) + np.linalg.norm(b, axis=1)).max() * np.pi
    u = np.linspace(-0.5, 0.5, sides + 1, dtype=np.float32) * girth
    uv = np.stack(np.broadcast_arrays(u[None, :], v[:, None]), -1).reshape(-1, 2)
    vertices = np.concatenate([skin.reshape(-1, 3), c[:1], c[-1:]])
    ends = np.array([[0.0, v[0]], [0.0, v[-1]]], np.float32)
    return Shape(vertices, _loft_faces(len(c), sides), np.concatenate([uv, ends]).astype(np.float32))


def _frame(axis: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Two unit vectors across an axis; with the axis they form a right-handed frame."""
    unit = axis / max(float(np.linalg.norm(axis)), 1e-9)
    hint = np.array([1.0, 0.0, 0.0]) if abs(unit[0]) < 0.9 else np.array([0.0, 0.0, -1.0])
    across = hint - unit * float(unit @ hint)
    across /= np.linalg.norm(across)
    return across, np.cross(unit, across)


def limb(points: ArrayLike, radii: Sequence[float], *, flat: float = 1.0, sides: int = 10) -> Shape:
    """A tube through points with round ends.

    Args:
        points: (R, 3) joints, at least two.
        radii: radius at each joint, metres.
        flat: second half axis over the first.
        sides: points of a ring.
    """
    p = np.asarray(points, np.float64)
    r = np.asarray(radii, np.float64)
    first, last = p[1] - p[0], p[-1] - p[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
    p = np.concatenate([[p[0] - first * r[0] * 0.6], p, [p[-1] + last * r[-1] * 0.6]])
    r = np.concatenate([[r[0] * 0.55], r, [r[-1] * 0.55]])
    across, along = _frame(p[-1] - p[0])
    return loft(p, across * r[:, None], along * r[:, None] * flat, sides=sides)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, *, rings: int = 9, squareness: float = 0.0) -> Shape:
    """An ellipsoid with half axes (x, y, z); `squareness` flattens its cross-section's sides."""
    c, (rx, ry, rz) = np.asarray(centre, np.float64), np.asarray(radii, np.float64)
    tilt = np.linspace(-np.pi / 2, np.pi / 2, rings)
    reach = np.maximum(np.cos(tilt), 0.02)
    centres = c + np.stack([np.zeros(rings), np.zeros(rings), rz * np.sin(tilt)], -1)
    return loft(
        centres, reach[:, None] * [rx, 0.0, 0.0], reach[:, None] * [0.0, ry, 0.0], squareness=squareness
    )


def tower(
    heights: ArrayLike,
    depths: ArrayLike,
    widths: ArrayLike,
    *,
    x: ArrayLike = 0.0,
    y: float = 0.0,
    squareness: float = 0.0,
    sides: int = SIDES,
) -> Shape:
    """A stack of level ellipses: half depth (x) and half width (y) at each height, bottom first."""
    z = np.asarray(heights, np.float64)
    centres = np.stack([np.broadcast_to(x, z.shape), np.full_like(z, y), z], -1)
    across = np.asarray(depths, np.float64)[:, None] * [1.0, 0.0, 0.0]
    along = np.asarray(widths, np.float64)[:, None] * [0.0, 1.0, 0.0]
    return loft(centres, across, along, squareness=squareness, sides=sides)


def box(centre: ArrayLike, half: ArrayLike, *, squareness: float = 0.75) -> Shape:
    """A box with rounded edges and half sizes (x, y, z)."""
    c, (hx, hy, hz) = np.asarray(centre, np.float64), np.asarray(half, np.float64)
    z = np.array([-1.0, -0.97, -0.85, 0.85, 0.97, 1.0]) * hz
    reach = np.array([0.85, 0.96, 1.0, 1.0, 0.96, 0.85])
    centres = c + np.stack([np.zeros(6), np.zeros(6), z], -1)
    return loft(
        centres,
        reach[:, None] * [hx, 0.0, 0.0],
        reach[:, None] * [0.0, hy, 0.0],
        squareness=squareness,
        sides=16,
    )


def at(x: float, y: float, z: float) -> NDArray[np.float64]:
    """A point or offset (3,)."""
    return np.array([x, y, z], np.float64)


def turn_z(degrees: float) -> NDArray[np.float64]:
    """Rotation about the vertical, counter-clockwise from above."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), -np.sin(a), 0.0], [np.sin(a), np.cos(a), 0.0], [0.0, 0.0, 1.0]])
