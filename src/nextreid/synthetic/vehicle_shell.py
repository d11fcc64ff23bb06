"""Shells: the rounded, tapering surfaces of a vehicle, and the patches that lie on them.

A vehicle is a stack of shells (tub, cabin, cargo box). A shell is swept from horizontal outlines,
so one pair of coordinates (u, v) names the same place on every vehicle: u runs round the outline,
v goes up. Windows, lights, grilles and plates are patches in (u, v), a finger's breadth outside.

    |u| in 0..1  front face, from its middle to the corner      (u > 0 is the vehicle's left, +y)
    |u| in 1..2  front corner
    |u| in 2..3  side, from front to rear
    |u| in 3..4  rear corner
    |u| in 4..5  rear face, from the corner to its middle        (u = 5 and u = -5 are one place)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Edge = Callable[[Array], tuple[Array, Array]]
"""Lower and upper border of a patch at positions 0..1 along it, as fractions of its height."""


@dataclass(frozen=True)
class Mesh:
    """Triangles: `vertices` (V,3) in metres, `faces` (F,3) counter-clockwise from outside."""

    vertices: Array
    faces: NDArray[np.signedinteger]


@dataclass(frozen=True)
class Outline:
    """A rounded rectangle seen from above, in metres; x is forward, y left.

    Args:
        rear, front: x of the two ends on the centre line.
        half_width: half the width.
        front_radius, rear_radius: radii of the corners.
        front_bow, rear_bow: how far the middle of an end stands out before its corners.
    """

    rear: float
    front: float
    half_width: float
    front_radius: float = 0.3
    rear_radius: float = 0.25
    front_bow: float = 0.08
    rear_bow: float = 0.05

    def side_u(self, x: float) -> float:
        """Return the u (2..3) at which the left side passes `x`."""
        w = self.half_width
        start = self.front - self.front_bow * ((w - self.front_radius) / w) ** 2 - self.front_radius
        end = self.rear + self.rear_bow * ((w - self.rear_radius) / w) ** 2 + self.rear_radius
        return float(2 + np.clip((start - x) / (start - end), 0, 1))


def outline_points(outlines: Sequence[Outline], u: Array) -> Array:
    """Return the (R,…,2) points of R outlines at `u` (any shape; wraps at ±5)."""
    u = (u + 5.0) % 10.0 - 5.0
    a, sign = np.abs(u), np.where(u < 0, -1.0, 1.0)
    table = np.array(
        [
            [o.rear, o.front, o.half_width, o.front_radius, o.rear_radius, o.front_bow, o.rear_bow]
            for o in outlines
        ]
    )
    rear, front, w, rf, rr, bow_f, bow_r = table.T.reshape(7, -1, *(1,) * u.ndim)
    corner_front = front - bow_f * ((w - rf) / w) ** 2
    corner_rear = rear + bow_r * ((w - rr) / w) ** 2
    flat = [np.minimum(np.maximum(a - k, 0.0), 1.0) for k in range(5)]  # how far each stretch is walked
    turn_f, turn_r = flat[1] * (np.pi / 2), flat[3] * (np.pi / 2)
    in_rear = a > 2.5
    sin, cos = np.sin(np.where(in_rear, turn_r, turn_f)), np.cos(np.where(in_rear, turn_r, turn_f))
    y_end = np.where(in_rear, (1 - flat[4]) * (w - rr), flat[0] * (w - rf))
    y = np.where(in_rear, y_end + rr * cos * (a < 4), y_end + rf * sin)
    side = (corner_front - rf) * (1 - flat[2]) + (corner_rear + rr) * flat[2]
    x = np.where(
        a < 2,
        front - bow_f * (y_end / w) ** 2 - rf * (1 - cos),
        np.where(a <= 3, side, rear + bow_r * (y_end / w) ** 2 + rr * (1 - sin)),
    )
    return np.stack([x, sign * y], axis=-1)


@dataclass(frozen=True)
class Ring:
    """An outline at a height: v in 0..1 and the outline there."""

    v: float
    outline: Outline


@dataclass(frozen=True)
class Shell:
    """A surface swept through `rings`, from `bottom` up to the profile `top` (pairs of x, z in metres).

    Args:
        rings: outlines at rising v, the first at 0, the last at 1; straight between.
        bottom: height of v = 0.
        top: height of v = 1 along x, as (x, z) pairs with rising x.
        crown: how far the middle of the cap stands above its rim.
    """

    rings: tuple[Ring, ...]
    bottom: float
    top: tuple[tuple[float, float], ...]
    crown: float = 0.03

    def points(self, u: Array, v: Array) -> Array:
        """Return the (…,3) points at `u`, `v` (same shape)."""
        u, v = np.broadcast_arrays(np.asarray(u, dtype=float), np.asarray(v, dtype=float))
        knots = np.array([ring.v for ring in self.rings])
        outlines = outline_points([ring.outline for ring in self.rings], u)  # (R,…,2)
        upper = np.clip(np.searchsorted(knots, v, side="right"), 1, len(knots) - 1)
        t = (v - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
        index = np.indices(u.shape)
        low, high = outlines[(upper - 1, *index)], outlines[(upper, *index)]
        xy = low + (high - low) * t[..., None]
        xs, zs = np.array(self.top).T
        # The profile is read at the rim's x, so that lines of one u stand on one place of the profile.
        z = self.bottom + v * (np.interp(outlines[-1][..., 0], xs, zs) - self.bottom)
        return np.concatenate([xy, z[..., None]], axis=-1)

    def cap(self, u: Array, t: Array) -> Array:
        """Return the (…,3) points of the lid at `u` in 0..5 and `t` in -1 (right rim) .. 1 (left rim)."""
        u, t = np.broadcast_arrays(np.asarray(u, dtype=float), np.asarray(t, dtype=float))
        rim = self.points(u, np.ones_like(u))
        ends = self.points(np.array([0.0, 5.0]), np.ones(2))[:, 0]
        # The crown rises over the first and last 40 cm: ours, as bonnets and roofs do.
        rise = np.clip(np.minimum(ends[0] - rim[..., 0], rim[..., 0] - ends[1]) / 0.4, 0, 1)
        crown = self.crown * np.sqrt(rise) * (1 - t**2)
        return np.stack([rim[..., 0], rim[..., 1] * t, rim[..., 2] + crown], axis=-1)

    def rim_u(self, x: float) -> float:
        """Return the u (0..5) at which the left rim of the lid passes `x`."""
        u = np.linspace(0, 5, 501)
        xs = self.points(u, np.ones_like(u))[:, 0]
        return float(np.interp(-x, -xs, u))


def grid(points: Array) -> Mesh:
    """Join an (A,B,3) grid of points by triangles; outside is along d/dA x d/dB."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return Mesh(points.reshape(-1, 3), faces)


def join(*meshes: Mesh) -> Mesh:
    """Put meshes together, sharing no vertices."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def mirrored(mesh: Mesh) -> Mesh:
    """Return the mesh of the other side (y -> -y), still facing outward."""
    return Mesh(mesh.vertices * np.array([1.0, -1.0, 1.0]), mesh.faces[:, ::-1])


LINES = np.concatenate(
    [[0.0, 0.5], np.linspace(1, 2, 5), np.linspace(2, 3, 9)[1:], np.linspace(3, 4, 5)[1:], [4.5, 5.0]]
)
"""Grid lines of a shell along u, half of it: close in the corners, because there it bends."""


def wall(shell: Shell, *, v: Array) -> Mesh:
    """Return the shell's side all round, with grid lines at the heights `v`."""
    uu, vv = np.meshgrid(np.concatenate([-LINES[:0:-1], LINES]), v, indexing="ij")
    return grid(shell.points(uu, vv))


def lid(shell: Shell, *, start: float = 0.0, stop: float = 5.0) -> Mesh:
    """Return the shell's top between the rim positions `start` and `stop` (u, 0..5)."""
    between = LINES[np.abs(LINES - (start + stop) / 2) < (stop - start) / 2 - 0.02]
    u = np.concatenate([[start], between, [stop]])
    uu, tt = np.meshgrid(u[::-1], np.linspace(-1, 1, 7), indexing="ij")
    return grid(shell.cap(uu, tt))


def patch(
    shell: Shell,
    *,
    u: tuple[float, float],
    v: tuple[float, float],
    offset: float = 0.012,
    lines: int = 7,
    rows: int = 3,
    edge: Edge | None = None,
) -> Mesh:
    """Return a piece of the shell's side that stands out by `offset` metres, with a skirt down to it.

    Args:
        shell: the surface.
        u, v: the two ranges the patch fills.
        offset: metres outside the shell; 4 mm is far over the ray caster's single precision (ours).
        lines: grid lines along u.
        rows: grid lines along v where `edge` is given; else they follow the shell's rings.
        edge: the lower and the upper border for positions 0..1 along u, as fractions of `v`.
    """
    s = np.linspace(0, 1, lines)
    t = np.linspace(0, 1, rows)
    if edge is None:  # a level border: the patch bends where the shell bends
        bends = [(ring.v - v[0]) / (v[1] - v[0]) for ring in shell.rings]
        t = np.array([0.0, *(bend for bend in bends if 0.02 < bend < 0.98), 1.0])
    # The first and last line of either direction are doubled; the outer ones stay on the shell: the skirt.
    s, t = np.r_[0, s, 1], np.r_[0, t, 1]
    out = np.full((len(s), len(t)), offset)
    out[[0, -1], :] = 0
    out[:, [0, -1]] = 0
    low, high = edge(s) if edge is not None else (np.zeros_like(s), np.ones_like(s))
    uu = np.repeat((u[0] + (u[1] - u[0]) * s)[:, None], len(t), axis=1)
    vv = v[0] + (v[1] - v[0]) * (low[:, None] + (high - low)[:, None] * t)
    return grid(raised(shell, uu, vv, out))


def raised(shell: Shell, u: Array, v: Array, offset: Array | float) -> Array:
    """Return the (…,3) points `offset` metres outside the shell at `u`, `v` (same shape)."""
    step = 1e-3  # in u and v: about a millimetre
    here, along, below = shell.points(np.stack([u, u + step, u]), np.stack([v, v, v - step]))
    normal = np.cross(along - here, here - below)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    return here + np.asarray(offset)[..., None] * normal


def chips(shell: Shell, polygons: Array, offset: float = 0.012) -> Mesh:
    """Return flat convex polygons (N,K,2) of (u, v), counter-clockwise from outside, laid on the shell."""
    return _fans(raised(shell, polygons[..., 0], polygons[..., 1], offset))


def badge(shell: Shell, u: float, v: float, polygons: Array, offset: float) -> Mesh:
    """Return flat convex polygons (N,K,2) in metres as a stiff plate on the front or the rear.

    Args:
        shell, u, v: its middle, on the middle line: u is 0 (front) or 5 (rear).
        polygons: right and up from the middle as seen from outside, counter-clockwise.
        offset: from the shell at its middle, metres.
    """
    below, middle, above = raised(shell, np.full(3, u), np.array([v - 0.1, v, v + 0.1]), offset)
    upward = (above - below) / np.linalg.norm(above - below)
    rightward = np.array([0.0, 1.0 if u == 0 else -1.0, 0.0])
    return _fans(middle + polygons[..., :1] * rightward + polygons[..., 1:] * upward)


def _fans(points: Array) -> Mesh:
    """Return convex polygons (N,K,3) as triangles."""
    count, corners, _ = points.shape
    first = (np.arange(count) * corners)[:, None]
    k = np.arange(1, corners - 1)
    faces = np.stack([np.broadcast_to(first, (count, corners - 2)), first + k, first + k + 1], axis=-1)
    return Mesh(points.reshape(-1, 3), faces.reshape(-1, 3))


def rectangles(boxes: Array) -> Array:
    """Return (N,4,2) corners of (N,4) ranges u0, u1, v0, v1, counter-clockwise."""
    u0, u1, v0, v1 = np.asarray(boxes, dtype=float).reshape(-1, 4).T
    return np.stack(
        [np.stack([u0, v0], -1), np.stack([u1, v0], -1), np.stack([u1, v1], -1), np.stack([u0, v1], -1)], 1
    )


def box(centre: tuple[float, float, float], size: tuple[float, float, float], taper: float = 1.0) -> Mesh:
    """Return a closed box; `taper` scales its top face in x and y."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=float)
    corners[4:, :2] *= taper
    faces = [
        [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
        [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
    ]  # fmt: skip
    return Mesh(np.array(centre) + corners * np.array(size) / 2, np.array(faces, dtype=np.int64))


def lathe(profile: Array, centre: tuple[float, float, float], segments: int) -> Mesh:
    """Turn a profile round the axle (the y axis) through `centre`.

    Args:
        profile: (P,2) pairs of radius and y, walked from the right (-y) to the left.
        centre: metres.
        segments: around the axle.
    """
    angle = np.linspace(2 * np.pi, 0, segments + 1)
    radius, y = profile[:, 0], profile[:, 1]
    points = np.stack(
        [
            np.cos(angle)[:, None] * radius,
            np.broadcast_to(y, (segments + 1, len(y))),
            np.sin(angle)[:, None] * radius,
        ],
        axis=-1,
    )
    return grid(np.array(centre) + points)
