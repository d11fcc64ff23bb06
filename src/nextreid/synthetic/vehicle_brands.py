"""Brands: an emblem and a manner of grille each. The emblems are plain shapes, not the makers' marks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nextreid.synthetic.vehicle_shell import Array


@dataclass(frozen=True)
class Brand:
    """What tells one make from another.

    Args:
        emblem: names of the primitives in `_PRIMITIVES`.
        grille: width (share of the front between the corners), lower and upper border (v of the tub).
        split: the grille is two halves.
        stretch: width over height of the emblem.
    """

    emblem: tuple[str, ...]
    grille: tuple[float, float, float]
    split: bool = False
    stretch: float = 1.0


BRANDS: Mapping[str, Brand] = {
    "Audi": Brand(("four",), (0.78, 0.44, 0.88), stretch=1.4),
    "Benz": Brand(("star", "ring"), (0.92, 0.50, 0.84), stretch=1.2),
    "BMW": Brand(("disc",), (0.62, 0.52, 0.88), split=True),
    "BYD": Brand(("bar", "ring"), (1.00, 0.62, 0.80), stretch=1.6),
    "Buick": Brand(("slash", "ring"), (0.90, 0.46, 0.80)),
    "Chery": Brand(("up", "bar"), (0.70, 0.48, 0.78)),
    "Chevrolet": Brand(("bar", "block"), (0.98, 0.46, 0.88), split=False, stretch=1.8),
    "Citroen": Brand(("up", "over"), (1.00, 0.66, 0.80)),
    "Ford": Brand(("disc",), (0.80, 0.50, 0.90), stretch=2.0),
    "Geely": Brand(("block", "bar"), (0.84, 0.44, 0.86)),
    "Honda": Brand(("post", "block"), (0.96, 0.60, 0.86)),
    "Hyundai": Brand(("slash", "bar"), (0.86, 0.44, 0.82), stretch=1.6),
    "Kia": Brand(("disc", "bar"), (0.94, 0.58, 0.74), stretch=1.9),
    "Mazda": Brand(("down", "ring"), (0.80, 0.44, 0.84), stretch=1.2),
    "Nissan": Brand(("ring", "bar"), (0.60, 0.46, 0.86)),
    "Peugeot": Brand(("post", "up"), (0.90, 0.44, 0.78)),
    "Renault": Brand(("diamond",), (0.98, 0.60, 0.78), stretch=0.8),
    "Skoda": Brand(("disc", "up"), (0.82, 0.48, 0.90), split=True),
    "Toyota": Brand(("ring", "post"), (0.88, 0.64, 0.82), stretch=1.5),
    "Volkswagen": Brand(("disc", "down"), (1.00, 0.66, 0.86)),
    "Volvo": Brand(("slash", "diamond"), (0.74, 0.46, 0.84)),
}
"""Every make of the schema; no two share emblem and grille (a test says so)."""


def _regular(
    corners: int, radius: float, turn: float = 0.0, x: float = 0.0, y: float = 0.0
) -> list[tuple[float, float]]:
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    return [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]


def _quad(x0: float, x1: float, y0: float, y1: float, lean: float = 0.0) -> list[tuple[float, float]]:
    return [(x0 - lean, y0), (x1 - lean, y0), (x1 + lean, y1), (x0 + lean, y1)]


def _ring(x: float = 0.0, radius: float = 1.0) -> list[list[tuple[float, float]]]:
    outer, inner = _regular(10, radius, x=x), _regular(10, 0.72 * radius, x=x)
    return [[outer[k], outer[(k + 1) % 10], inner[(k + 1) % 10], inner[k]] for k in range(10)]


def _chevron(y: float, rise: float) -> list[list[tuple[float, float]]]:
    halves = []
    for side in (-1.0, 1.0):
        half = [(side, y - rise), (side, y - rise + 0.35), (0.0, y + rise + 0.35), (0.0, y + rise)]
        halves.append(half if side > 0 else half[::-1])
    return halves


_PRIMITIVES: Mapping[str, list[list[tuple[float, float]]]] = {
    "ring": _ring(),
    "disc": [_regular(10, 0.9)],
    "four": [*_ring(-1.05, 0.55), *_ring(-0.35, 0.55), *_ring(0.35, 0.55), *_ring(1.05, 0.55)],
    "star": [
        [
            (0.12 * np.cos(a - 1.5), 0.12 * np.sin(a - 1.5)),
            (0.95 * np.cos(a), 0.95 * np.sin(a)),
            (0.12 * np.cos(a + 1.5), 0.12 * np.sin(a + 1.5)),
        ]
        for a in (np.pi / 2, np.pi * 7 / 6, np.pi * 11 / 6)
    ],
    "bar": [_quad(-1.2, 1.2, -0.18, 0.18)],
    "block": [_quad(-0.45, 0.45, -0.5, 0.5)],
    "post": [_quad(-0.2, 0.2, -1.0, 1.0)],
    "slash": [_quad(-0.2, 0.2, -0.9, 0.9, lean=0.55)],
    "up": _chevron(-0.1, 0.35),
    "over": _chevron(-0.8, 0.35),
    "down": _chevron(-0.1, -0.35),
    "diamond": [_regular(4, 1.0, np.pi / 2)],
}


def emblem_ground(brand: Brand) -> Array:
    """Return what the emblem lies on (1,12,2), in units of its half height, counter-clockwise."""
    reach = np.abs(np.concatenate([p.reshape(-1, 2) for p in emblem_polygons(brand)])).max(axis=0)
    return np.array(_regular(12, 1.0, np.pi / 12))[None] * (1.1 * reach + 0.15)


def emblem_polygons(brand: Brand) -> tuple[Array, ...]:
    """Return the emblem as convex polygons (N,K,2) in units of its half height, counter-clockwise."""
    by_corners: dict[int, list[Array]] = {}
    for primitive in brand.emblem:
        for polygon in _PRIMITIVES[primitive]:
            points = np.array(polygon) * np.array([brand.stretch, 1.0])
            x, y = points.T
            if (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() < 0:
                points = points[::-1]
            by_corners.setdefault(len(points), []).append(points)
    return tuple(np.stack(polygons) for _, polygons in sorted(by_corners.items()))
