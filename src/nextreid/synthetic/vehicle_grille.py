"""The middle of the face: grille with its pattern and edges, emblem, licence plates."""

from collections.abc import Mapping

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_brands import Brand, emblem_ground, emblem_polygons
from nextreid.synthetic.vehicle_paint import CHROME, SEAM
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import Array, Edge, Shell, badge, chips, join, patch, rectangles


def _straight(s: Array) -> tuple[Array, Array]:
    return np.zeros_like(s), np.ones_like(s)


def _rounded(s: Array) -> tuple[Array, Array]:
    half = 0.5 * np.sqrt(np.clip(1 - (2 * s - 1) ** 2, 0, 1))
    return 0.5 - half, 0.5 + half


def _sharp(s: Array) -> tuple[Array, Array]:
    # A wedge: level above, a point below.
    return 0.94 * np.abs(2 * s - 1), np.ones_like(s)


TALLER, LEAST_HEIGHT, LOWER, UPPER = 1.6, 0.50, 0.35, 0.86
"""How much taller a grille is than the brand's measures, its least height, and the lowest places of its lower
and upper border (v of the tub): ours, so that pattern and outline outlast 96 rows, above the plate."""

INSET = 0.78
"""Share of width and height that the pattern fills: ours; the dark ground round it draws the outline."""

EDGES: Mapping[str, Edge] = {"straight": _straight, "rounded": _rounded, "sharp": _sharp}
"""Outline of the grille by the schema's `grille_edges`."""


def grille_pieces(
    shape: BodyShape,
    tub: Shell,
    brand: Brand,
    *,
    pattern: str,
    edges: str,
    height: float,
    bars: Material,
    frame: Material,
) -> tuple[Piece, ...]:
    """Return the grille: dark ground, frame and pattern.

    Args:
        shape, tub: the body.
        brand: gives width and place.
        pattern: a `grille_pattern`.
        edges: a `grille_edges`.
        height: the vehicle's own factor, about 1.
        bars: material of the pattern.
        frame: material of the frame.
    """
    edge = EDGES[edges]
    width, low, high = brand.grille
    width *= 0.92
    tall = max(TALLER * (high - low) * height, LEAST_HEIGHT)
    high = max(high, UPPER)
    low = max(high - tall, LOWER)
    halves = ((-width, -0.05), (0.05, width)) if brand.split else ((-width, width),)
    pieces = []
    for u in halves:
        rim = patch(
            tub, u=(u[0] - 0.08, u[1] + 0.08), v=(low - 0.07, high + 0.06), offset=0.010, lines=11, edge=edge
        )
        ground = patch(tub, u=u, v=(low, high), offset=0.018, lines=11, edge=edge)
        pieces += [Piece("grille", rim, frame, "nose"), Piece("grille", ground, SEAM, "grille")]
        pieces.append(
            Piece("grille", chips(tub, _pattern(pattern, u, (low, high), edge), 0.024), bars, "bars")
        )
    return tuple(pieces)


def _pattern(pattern: str, u: tuple[float, float], v: tuple[float, float], edge: Edge) -> Array:
    """Return the pattern as polygons (N,K,2) of (u, v) inside the grille's border."""
    wide = (u[1] - u[0]) / 1.8
    columns = max(3, round(8 * wide))
    if pattern == "horizontal":
        # Each bar is cut into lengths, so that it follows the bend of the front.
        cells = _cells(8, 3, 1.0, 0.5)
    elif pattern == "vertical":
        cells = _cells(columns, 1, 0.42, 1.0)
    elif pattern == "mesh":
        cells = np.concatenate([_cells(2 * columns, 1, 0.28, 1.0), _cells(8, 4, 1.0, 0.25)])
    else:
        cells = _hexagons(columns, 2)
    s, t = cells[..., 0], cells[..., 1]
    s, t = 0.5 + INSET * (s - 0.5), 0.5 + INSET * (t - 0.5)
    low, high = edge(np.clip(s, 0, 1))
    place = v[0] + (v[1] - v[0]) * (low + (high - low) * np.clip(t, 0.02, 0.98))
    return np.stack([u[0] + (u[1] - u[0]) * s, place], axis=-1)


def _cells(columns: int, rows: int, wide: float, tall: float) -> Array:
    s = np.tile((np.arange(columns) + 0.5) / columns, rows)
    t = np.repeat((np.arange(rows) + 0.5) / rows, columns)
    ds, dt = 0.5 * wide / columns, 0.5 * tall / rows
    return rectangles(np.column_stack([s - ds, s + ds, t - dt, t + dt]))


def _hexagons(columns: int, rows: int) -> Array:
    angle = np.arange(6) * np.pi / 3
    ring = np.column_stack([0.42 / columns * np.cos(angle), 0.42 / rows * np.sin(angle)])
    middles = [
        ((column + 0.5 + 0.5 * (row % 2)) / (columns + 0.5), (row + 0.5) / rows)
        for row in range(rows)
        for column in range(columns)
    ]
    return np.array(middles)[:, None] + ring


def emblem_pieces(shape: BodyShape, tub: Shell, brand: Brand) -> tuple[Piece, ...]:
    """Return the emblems on their dark ground: upright on the nose, above the grille, and on the tail.

    In the grille, where makers put them, they would hide its outline at this size. Whoever sees the one on
    the nose from behind sees a piece of body: its back.
    """
    radius = 0.13  # metres: about seven pixels of a 192-pixel crop; makers' are 6 to 10 cm (ours)
    ground = radius * emblem_ground(brand)
    reach = ground[..., 1].max()
    level, foot = 0.65, 0.97  # v where the nose is upright, and v that the emblem stands on
    up = (foot - level) * (shape.nose - shape.ground) + reach
    places = [(0.0, level, 0.03, np.array([0.0, up]))]  # u, v, standing out, metres right and up from there
    if shape.box is None:
        places.append((5.0, min(0.80, 0.95 - reach / (shape.tail - shape.ground)), 0.026, np.zeros(2)))
    grounds = [badge(tub, u, v, ground + away, out) for u, v, out, away in places]
    emblems = [
        badge(tub, u, v, radius * polygons + away, out + 0.006)
        for u, v, out, away in places
        for polygons in emblem_polygons(brand)
    ]
    u, v, out, away = places[0]
    return (
        Piece("emblem", join(*grounds), SEAM, "nose"),
        Piece("emblem", join(*emblems), CHROME, "nose"),
        Piece("body", badge(tub, u, v, ground[:, ::-1] + away, out - 0.006), SEAM, "nose"),
    )


def plate_pieces(
    shape: BodyShape, tub: Shell, end: Shell, code: tuple[int, ...], ground: Material, ink: Material
) -> tuple[Piece, ...]:
    """Return front and rear licence plate with glyphs.

    Args:
        shape, tub, end: the body and its rear end.
        code: one number 0..63 a glyph: six strokes, set or not.
        ground, ink: the two materials of the plate.
    """
    half = np.array([0.28, 0.10])  # metres; over the true 22 x 7 cm, to be some pixels tall
    places = (
        (tub, 0.0, 0.21, shape.half_width - shape.corner, shape.nose - shape.ground, 0.05),
        (
            end,
            5.0,
            0.50,
            shape.half_width - end.rings[-1].outline.rear_radius,
            end.top[0][1] - end.bottom,
            0.03,
        ),
    )
    plates, glyphs = [], []
    for shell, u, v, metres_u, metres_v, offset in places:
        size = half / np.array([metres_u, metres_v])
        # 5 lies at the seam of the rear; the plate goes on past it, which the shell takes.
        plates.append(
            patch(shell, u=(u - size[0], u + size[0]), v=(v - size[1], v + size[1]), offset=offset, lines=3)
        )
        glyphs.append(chips(shell, _glyphs(code) * size + np.array([u, v]), offset + 0.006))
    return (Piece("licence_plate", join(*plates), ground), Piece("licence_plate", join(*glyphs), ink))


def _glyphs(code: tuple[int, ...]) -> Array:
    """Return strokes (N,4,2) in -1..1 both ways: 2 x 3 cells a glyph."""
    boxes = []
    step = 1.8 / len(code)
    for place, glyph in enumerate(code):
        left = -0.9 + place * step
        for stroke in range(6):
            if glyph >> stroke & 1:
                x = left + (stroke % 2) * 0.4 * step
                y = -0.6 + (stroke // 2) * 0.4
                boxes.append([x, x + 0.4 * step, y, y + 0.4])
    return rectangles(np.array(boxes))
