"""How warm the pieces of a vehicle are, in °C above the air, and how their lamps glow.

Everything here belongs to the sighting, nothing to the vehicle: two sightings of one vehicle differ,
two vehicles in one state do not. Figures are ours: surface temperatures as thermal pictures of road
traffic show them (warm bonnet and grille, hot tyres and pipes, panes that mirror a cold sky).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.seeding import numpy_generator
from nextreid.synthetic.parts import Colour, ObjectState
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape


@dataclass(frozen=True)
class Warmth:
    """Temperatures of one sighting.

    Args:
        skin: painted metal above the air: what the sun left there, or the night took.
        engine: 0 cold .. 1 at working temperature.
        driven: warmth of the tyres, 0..1: they follow the engine, but cool sooner.
        panes: of glass above the air: the sun or the heating of the cabin behind it.
    """

    skin: float
    engine: float
    driven: float
    panes: float


def draw_warmth(state: ObjectState) -> Warmth:
    """Draw a sighting's temperatures from its state alone."""
    rng = numpy_generator(state.seed, "vehicle-warmth")
    sun, share, panes = rng.uniform(), rng.uniform(0.6, 1.0), rng.uniform()
    skin = -1.5 + 2.0 * sun if state.night else 0.5 + 6.0 * sun
    return Warmth(
        skin, state.engine, state.engine * share, 4.0 * panes - 1.0 if state.night else 9.0 * panes - 1.0
    )


def heat_of(piece: Piece, shape: BodyShape, warmth: Warmth, lit: bool = False) -> float | NDArray[np.float32]:
    """Return the piece's temperature above the air in °C: one number, or one a vertex (V,).

    Lamps that are lit (`lit`) warm their glass.
    """
    engine, skin = warmth.engine, warmth.skin
    if piece.source in ("skin", "nose", "bonnet"):
        x, y = piece.mesh.vertices[:, 0], piece.mesh.vertices[:, 1]
        # The block lies behind the face: its warmth fades along and across the bonnet, and reaches the wings.
        near = np.exp(-(((x - shape.front + 0.55) / 0.75) ** 2) - (y / (0.8 * shape.half_width)) ** 2)
        strength = {"skin": 5.0, "nose": 7.0, "bonnet": 10.0}[piece.source]
        base = 5.0 if piece.source == "bonnet" else 0.0
        return (skin + engine * (base + strength * near)).astype(np.float32)
    if piece.source == "tyre":
        return 0.5 * max(skin, 0.0) + 11.0 * warmth.driven
    return {
        "grille": skin + 18.0 * engine,
        "bars": skin + 14.5 * engine,  # in the wind before the radiator
        "wheel": 0.3 * skin + 10.0 * warmth.driven,
        "exhaust": skin + 36.0 * engine,
        "under": 4.0 * engine,
        "glass": warmth.panes,
        "cold": 0.6 * skin,
        "heated": max(0.6 * skin, 0.0) + 7.0,  # mirrors
        "headlamp": skin + 3.0 * engine + 13.0 * lit,
        "taillamp": skin + 6.0 * lit,
    }[piece.source]


def glow_of(piece: Piece, lit: bool) -> tuple[Colour, float]:
    """Return a piece's own light, linear RGB and near infrared; 1 is a white surface in full sun."""
    if not lit or piece.source not in ("headlamp", "taillamp"):
        return (0.0, 0.0, 0.0), 0.0
    # Bulbs give much near infrared; housing and reflector glow unlike (the reflector is the bright core).
    core = piece.material.name == "reflector"
    if piece.source == "headlamp":
        return ((4.0, 3.9, 3.4), 4.0) if core else ((1.9, 1.85, 1.6), 2.0)
    return ((1.2, 0.25, 0.12), 0.9) if core else ((0.6, 0.03, 0.02), 0.5)
