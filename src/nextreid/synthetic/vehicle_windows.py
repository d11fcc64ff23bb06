"""Windows: windscreen, side panes, rear window, each a patch of glass on the cabin."""

from collections.abc import Mapping

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_body import both
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import Array, Edge, Mesh, Shell, grid, join, patch


def _flat(s: Array) -> tuple[Array, Array]:
    return np.zeros_like(s), np.ones_like(s)


def _curved(s: Array) -> tuple[Array, Array]:
    # The upper border is an arch that comes down to a quarter of the height at the rear.
    fall = 0.72 * np.clip((s - 0.40) / 0.60, 0, 1) ** 2 + 0.45 * np.clip((0.30 - s) / 0.30, 0, 1) ** 2
    return 0.20 * np.clip((s - 0.6) / 0.4, 0, 1) ** 2, 1 - fall


STYLES: Mapping[str, tuple[Edge, tuple[float, float]]] = {
    "flat": (_flat, (0.26, 0.82)),
    "curved": (_curved, (0.08, 0.92)),
    "panoramic": (_flat, (0.03, 0.95)),
}
"""Border of the row of side panes and the heights it fills, by the schema's `window_shape`."""


def window_pieces(
    shape: BodyShape, cabin: Shell, style: str, *, screen: Material, glass: Material, frame: Material
) -> tuple[Piece, ...]:
    """Return all windows.

    Args:
        shape, cabin: the body.
        style: a `window_shape`; "panoramic" has glass over the pillars and in the roof as well.
        screen: glass of the windscreen.
        glass: glass of side panes and rear window.
        frame: what surrounds the side panes.
    """
    edge, v = STYLES[style]
    first, last = shape.panes[0][0], shape.panes[-1][1]
    panes = [
        patch(
            cabin,
            u=(2 + a, 2 + b),
            v=v,
            offset=0.014,
            lines=5,
            rows=2,
            edge=_part(edge, (a - first) / (last - first), (b - first) / (last - first)),
        )
        for a, b in shape.panes
    ]
    # The frame reads as the pillars between the panes; glass over it makes them vanish.
    around = patch(
        cabin,
        u=(2 + first - 0.015, 2 + last + 0.015),
        v=(v[0] - 0.02, v[1] + 0.02),
        offset=0.007,
        lines=17,
        rows=2,
        edge=edge,
    )
    all_glass = style == "panoramic"
    pieces = [
        Piece(
            "window" if all_glass else "trim",
            both(around),
            glass if all_glass else frame,
            "glass" if all_glass else "skin",
        ),
        Piece("window", both(join(*panes)), glass, "glass"),
        Piece(
            "windscreen",
            patch(cabin, u=(-1.4, 1.4), v=(0.08, 0.94 if all_glass else 0.88), lines=11),
            screen,
            "glass",
        ),
    ]
    if shape.box is None:
        height = (0.10, 0.92) if all_glass else (0.20, 0.84)
        pieces.append(Piece("rear_window", patch(cabin, u=(3.6, 6.4), v=height, lines=9), glass, "glass"))
    if all_glass:
        pieces.append(Piece("window", _roof_glass(cabin), glass, "glass"))
    return tuple(pieces)


def _part(edge: Edge, start: float, stop: float) -> Edge:
    """Return the border of one pane out of the row's, 4 % inside it."""

    def of_pane(s: Array) -> tuple[Array, Array]:
        low, high = edge(start + (stop - start) * s)
        return low + 0.04, high - 0.04

    return of_pane


def _roof_glass(cabin: Shell) -> Mesh:
    uu, tt = np.meshgrid(np.linspace(2.75, 1.9, 6), np.linspace(-0.8, 0.8, 5), indexing="ij")
    return grid(cabin.cap(uu, tt) + np.array([0.0, 0.0, 0.012]))
