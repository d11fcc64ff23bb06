"""Headlights and taillights: their outlines, lenses and reflectors."""

from collections.abc import Mapping

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_body import both
from nextreid.synthetic.vehicle_paint import REFLECTOR, SEAM
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import Array, Edge, Mesh, Shell, patch


def _rectangular(s: Array) -> tuple[Array, Array]:
    return np.zeros_like(s), np.ones_like(s)


def _ellipse(s: Array) -> tuple[Array, Array]:
    half = 0.5 * np.sqrt(np.clip(1 - (2 * s - 1) ** 2, 0, 1))
    return 0.5 - half, 0.5 + half


def _angular(s: Array) -> tuple[Array, Array]:
    # A wedge: pointed at the inner end, tall and cut at the outer one.
    return 0.45 * (1 - s) ** 0.7, 0.52 + 0.48 * s


LAMPS: Mapping[str, tuple[Edge, float, float]] = {
    # border, width and height in metres; ours: four outlines that differ at 192x96
    "angular": (_angular, 0.64, 0.23),
    "rectangular": (_rectangular, 0.44, 0.18),
    "oval": (_ellipse, 0.48, 0.23),
    "round": (_ellipse, 0.26, 0.26),
}
"""Lamp outlines by the schema's `headlights_shape` and `taillights`."""


def headlight_pieces(
    shape: BodyShape, tub: Shell, outline: str, size: float, lens: Material
) -> tuple[Piece, ...]:
    """Return both headlights: housing, lens, reflector.

    Args:
        shape, tub: the body.
        outline: one of `LAMPS`.
        size: the vehicle's own factor, about 1.
        lens: glass of the lamp.
    """
    edge, width, height = LAMPS[outline]
    metres_v = shape.nose - shape.ground
    metres_u = 0.5 * (shape.half_width - shape.corner) + 0.25 * np.pi * shape.corner
    du, dv = size * width / metres_u, size * height / metres_v
    middle = (1.08 if outline != "angular" else 1.25, 0.73)
    housing, glass, bulb = (
        _lamp(tub, middle, du * k, dv * k, edge, offset)
        for k, offset in ((1.12, 0.008), (1.0, 0.022), (0.5, 0.034))
    )
    return (
        Piece("trim", both(housing), SEAM),
        Piece("headlight", both(glass), lens, "headlamp"),
        Piece("headlight", both(bulb), REFLECTOR, "headlamp"),
    )


def taillight_pieces(
    shape: BodyShape, end: Shell, outline: str, size: float, *, lens: Material, inner: Material
) -> tuple[Piece, ...]:
    """Return both taillights: housing, red lens and the paler lamp inside it.

    Args:
        shape: the body.
        end: what carries them, `shape.tail_end`.
        outline: one of `LAMPS`.
        size: the vehicle's own factor, about 1.
        lens, inner: the two glasses.
    """
    edge, width, height = LAMPS[outline]
    rim = end.rings[-1].outline
    metres_v = end.top[0][1] - end.bottom
    metres_u = 0.5 * (rim.half_width - rim.rear_radius) + 0.25 * np.pi * max(rim.rear_radius, 0.2)
    du, dv = size * width / metres_u, size * height / metres_v
    # On the left the rear runs from the corner (4) inward (5): the wedge is turned to point to the middle.
    turned = _turned(edge) if outline == "angular" else edge
    middle = (4.05 if shape.box is None else 4.3, 0.70)
    housing, glass, bulb = (
        _lamp(end, middle, du * k, dv * k, turned, offset)
        for k, offset in ((1.12, 0.008), (1.0, 0.020), (0.45, 0.030))
    )
    return (
        Piece("trim", both(housing), SEAM),
        Piece("taillight", both(glass), lens, "taillamp"),
        Piece("taillight", both(bulb), inner, "taillamp"),
    )


def _lamp(tub: Shell, middle: tuple[float, float], du: float, dv: float, edge: Edge, offset: float) -> Mesh:
    u, v = middle
    return patch(
        tub,
        u=(u - du / 2, u + du / 2),
        v=(v - dv / 2, min(v + dv / 2, 0.95)),
        offset=offset,
        lines=9,
        edge=edge,
    )


def _turned(edge: Edge) -> Edge:
    def from_the_other_end(s: Array) -> tuple[Array, Array]:
        return edge(1 - s)

    return from_the_other_end
