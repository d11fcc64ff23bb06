"""Wheels: tyre, rim with its spokes, and the dark arch behind them."""

from dataclasses import dataclass

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_body import both
from nextreid.synthetic.vehicle_paint import SEAM
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import Mesh, grid, join, lathe


@dataclass(frozen=True)
class WheelShape:
    """Measures of a wheel in metres.

    Args:
        radius, width: of the tyre.
        rim: radius of the rim as a share of the tyre's.
        spokes: number of spokes, 0 a plain steel disc.
        spoke_width: width of a spoke as a share of the gap it stands in, 0..1.
        split: every spoke is a pair.
        lugs: depth of the tread's lugs in metres (off-road tyres), else 0.
    """

    radius: float
    width: float
    rim: float
    spokes: int
    spoke_width: float
    split: bool
    lugs: float = 0.0


SEGMENTS = 22
"""Corners of a round wheel: no edge is longer than 13 cm, under three pixels of a 256-pixel crop (ours)."""

STANDOUT = 0.045
"""Metres that tyres stand out of the flank: ours, so that arch, tyre and rim show in this order."""


def tyre_mesh(shape: WheelShape) -> Mesh:
    """Return the left tyre round the origin, its axle along y, its outer side at y = 0."""
    r, w, hole = shape.radius, shape.width, shape.rim * shape.radius
    # The inner flank is left out: the belly hides it.
    profile = np.array([[r, -w], [r, -0.15 * w], [0.96 * r, 0], [hole, 0.012]])
    mesh = lathe(profile, (0.0, 0.0, 0.0), SEGMENTS)
    if shape.lugs:
        radius = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2])
        step = np.round(np.arctan2(mesh.vertices[:, 2], mesh.vertices[:, 0]) / (2 * np.pi) * SEGMENTS)
        low = (radius > 0.9 * r) & (step % 2 == 0)
        scale = np.where(low, 1 - shape.lugs / r, 1.0)
        mesh = Mesh(mesh.vertices * np.stack([scale, np.ones_like(scale), scale], axis=-1), mesh.faces)
    return mesh


def rim_mesh(shape: WheelShape, turn: float) -> Mesh:
    """Return the bright metal of the left rim: lip, hub and spokes, turned by `turn` radians."""
    r = shape.rim * shape.radius
    lip = lathe(np.array([[1.03 * r, 0.012], [0.90 * r, 0.018]]), (0.0, 0.0, 0.0), SEGMENTS)
    hub = _disc(0.2 * r, 0.012, 12)
    if shape.spokes == 0:
        return join(lip, _disc(0.66 * r, 0.004, SEGMENTS))
    gap = 2 * np.pi / shape.spokes
    offsets = (-0.2, 0.2) if shape.split else (0.0,)
    width = shape.spoke_width * gap * (0.45 if shape.split else 1.0)
    angles = np.array([turn + k * gap + o * gap for k in range(shape.spokes) for o in offsets])
    inner, outer = 0.15 * r, 0.95 * r
    # A spoke is as wide at the hub as at half the radius it has outside: a trapezium.
    half = np.array([[0.5, -0.5]]) * width
    a_in, a_out = angles[:, None] + half * 2.0, angles[:, None] + half
    corners = np.stack(
        [
            np.stack([inner * np.cos(a_in), np.full_like(a_in, 0.010), inner * np.sin(a_in)], -1),
            np.stack([outer * np.cos(a_out), np.full_like(a_out, 0.004), outer * np.sin(a_out)], -1),
        ],
        axis=1,
    )  # (S, inner/outer, two sides, 3)
    return join(lip, hub, *(grid(corner) for corner in corners))


def arch_mesh(radius: float, ground: float, axle: float, side: float) -> Mesh:
    """Return the dark wheel arch of the left side: a disc cut off at the sill.

    Args:
        radius: of the arch, a little over the tyre's.
        ground: height of the sill.
        axle: height of the axle.
        side: y of the disc.
    """
    disc = _disc(radius, side, SEGMENTS)
    z = np.maximum(disc.vertices[:, 2] + axle, ground)
    return Mesh(np.column_stack([disc.vertices[:, :2], z]), disc.faces)


def wheel_pieces(wheel: WheelShape, shape: BodyShape, rubber: Material) -> tuple[Piece, ...]:
    """Return what does not turn to the eye: tyres, the dark between the spokes, arches."""
    arch = arch_mesh(1.14 * wheel.radius, shape.ground, wheel.radius, shape.half_width + STANDOUT - 0.012)
    arches = [both(Mesh(arch.vertices + np.array([x, 0.0, 0.0]), arch.faces)) for x in shape.axles]
    return (
        Piece("tyre", _at_axles(tyre_mesh(wheel), shape), rubber, "tyre"),
        Piece(
            "rim", _at_axles(_disc(0.97 * wheel.rim * wheel.radius, -0.03, SEGMENTS), shape), SEAM, "wheel"
        ),
        Piece("underbody", join(*arches), SEAM, "under"),
    )


def rim_piece(wheel: WheelShape, shape: BodyShape, turn: float, metal: Material) -> Piece:
    """Return the rims of all wheels, turned by `turn` radians."""
    return Piece("rim", _at_axles(rim_mesh(wheel, turn), shape), metal, "wheel")


def _at_axles(mesh: Mesh, shape: BodyShape) -> Mesh:
    """Put a wheel's mesh at each end of each axle."""
    place = np.array([0.0, shape.half_width + STANDOUT, shape.wheel])
    return join(
        *(both(Mesh(mesh.vertices + place + np.array([x, 0.0, 0.0]), mesh.faces)) for x in shape.axles)
    )


def _disc(radius: float, y: float, segments: int) -> Mesh:
    angle = np.arange(segments) * 2 * np.pi / segments
    rim = np.column_stack([radius * np.cos(angle), np.full(segments, y), radius * np.sin(angle)])
    index = np.arange(segments)
    faces = np.column_stack([np.full(segments, segments), (index + 1) % segments, index])
    return Mesh(np.vstack([rim, [0.0, y, 0.0]]), faces)
