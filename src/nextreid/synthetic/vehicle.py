"""A vehicle in one moment: pieces of all files put together, warmed and lit.

Every attribute of the schema is in geometry or material; `VEHICLE_EVIDENCE` says in which part. What
shows a state (engine, lamps, turn of the wheels) comes from the sighting and never from the identity.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from nextreid.errors import InputError
from nextreid.synthetic.parts import ObjectState, Part
from nextreid.synthetic.vehicle_body import bumper_pieces, cabin_pieces, door_pieces, load_pieces, tub_pieces
from nextreid.synthetic.vehicle_brands import BRANDS
from nextreid.synthetic.vehicle_fittings import (
    decal_pieces,
    exhaust_pieces,
    mirror_pieces,
    rack_pieces,
    spoiler_pieces,
    wear_pieces,
)
from nextreid.synthetic.vehicle_grille import emblem_pieces, grille_pieces, plate_pieces
from nextreid.synthetic.vehicle_heat import Warmth, draw_warmth, glow_of, heat_of
from nextreid.synthetic.vehicle_identities import VehicleDetail, VehicleIdentity
from nextreid.synthetic.vehicle_lamps import headlight_pieces, taillight_pieces
from nextreid.synthetic.vehicle_paint import (
    CHROME,
    CLEAR_LENS,
    INNER_LENS,
    PLASTIC,
    RED_LENS,
    RUST,
    STEEL,
    box_wall,
    film,
    glass,
    grille_frame,
    metal,
    paint,
    plate,
    rubber,
    scratched,
    trim,
)
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import SHAPES, BodyShape
from nextreid.synthetic.vehicle_shell import Mesh
from nextreid.synthetic.vehicle_wheels import WheelShape, rim_piece, wheel_pieces
from nextreid.synthetic.vehicle_windows import window_pieces

VEHICLE_EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "colour": ("body", "bonnet", "door"),
    "brand": ("emblem",),
    "type": ("body", "door", "roof", "cargo"),
    "viewpoint": ("body", "door", "bonnet", "headlight", "taillight"),
    "wear": ("door",),  # scratches are on the flanks
    "window_tint": ("window", "rear_window", "windscreen"),
    "window_shape": ("window",),
    "headlights_state": ("headlight",),
    "headlights_shape": ("headlight",),
    "taillights": ("taillight",),
    "grille_pattern": ("grille",),
    "grille_edges": ("grille",),
    "roof_shape": ("roof",),
    "roof_state": ("roof",),
    "tyres_wear": ("tyre",),
    "tyres_size": ("tyre",),
    "tyres_kind": ("tyre", "rim"),
    "bumpers": ("bumper",),
    "mirrors": ("mirror",),
    "mirrors=missing": ("door", "windscreen"),
    "licence_plate": ("licence_plate",),
    "licence_plate=not visible": ("grille", "rear_window"),
    "spoiler": ("spoiler",),
    "spoiler=not present": ("rear_window", "taillight"),
    "roof_rack": ("roof_rack",),
    "roof_rack=not present": ("roof",),
    "exhaust": ("exhaust",),
    "exhaust=hidden": ("rear_window",),
}
"""Parts whose pixels show an attribute; `attribute=value` where a value has its own (absences).

Grille, emblem, headlights, windscreen and bonnet face forward, taillights, rear window and exhaust
backward, so what a camera behind the vehicle cannot know, its pixels do not hold. An absence is seen
where the thing would be: a plate from the front or the rear, a pipe from the rear.
"""

VEHICLE_LEAST: Mapping[str, float] = {
    "brand": 0.003,
    "headlights_state": 0.0015,
    "headlights_shape": 0.002,
    "taillights": 0.002,
    "grille_pattern": 0.008,
    "grille_edges": 0.012,
    "bumpers": 0.012,
    "mirrors": 0.002,
    "mirrors=missing": 0.03,
    "licence_plate": 0.003,
    "licence_plate=not visible": 0.012,
    "roof_shape": 0.006,
    "tyres_kind": 0.013,
    "spoiler": 0.004,
    "spoiler=not present": 0.008,
    "exhaust": 0.0015,
    "exhaust=hidden": 0.008,
}
"""Least share of the picture that evidence must cover where `truth.ENOUGH` would not do: what is told by an
outline, by what lies inside a part, or by seeing that nothing is there. Ours, from looking at 192x96."""

TYRES: Mapping[str, tuple[float, float, float]] = {
    # rim share of the radius, width in metres, depth of lugs in metres; ours
    "regular": (0.66, 0.21, 0.0),
    "street": (0.82, 0.24, 0.0),
    "off-road": (0.48, 0.29, 0.055),
}
TYRE_SIZES: Mapping[str, float] = {"small": 0.83, "medium": 1.0, "large": 1.18}


def build_vehicle(identity: VehicleIdentity, state: ObjectState) -> tuple[Part, ...]:
    """Build one vehicle in one moment; the same arguments give the same parts.

    Args:
        identity: which.
        state: engine, lamps, turn of the wheels, and the seed of the sighting's temperatures.

    Raises:
        InputError: a body type without measures.
    """
    words, detail = identity.attributes, identity.detail_of
    if words["type"] not in SHAPES:
        raise InputError(f"type = {words['type']!r} of vehicle {identity.name}", allowed=", ".join(SHAPES))
    shape = body_shape(words, detail)
    warmth = draw_warmth(state)
    turning = rim_piece(_wheel_shape(words, detail, shape), shape, 2 * np.pi * state.phase, metal(detail))
    still = _still_pieces(tuple(sorted(words.items())), detail)
    return tuple(_as_part(piece, shape, warmth, state.lights) for piece in (*still, _packed(turning)))


def describe_vehicle(identity: VehicleIdentity, state: ObjectState, bearing: float) -> dict[str, str]:
    """Every attribute of the vehicle, seen from `bearing` degrees (0 front, 90 left side, 180 back)."""
    away = abs((bearing + 180) % 360 - 180)
    # Within 20° of an axis one face fills the picture; between, two faces share it (ours).
    view = "front" if away < 20 else "back" if away > 160 else "side" if 65 < away < 115 else "diagonal"
    return {**identity.attributes, "viewpoint": view, "headlights_state": "on" if state.lights else "off"}


def body_shape(words: Mapping[str, str], detail: VehicleDetail) -> BodyShape:
    """Return the measures of a vehicle: its type's, in its own proportions, on its tyres."""
    shape = SHAPES[words["type"]].scaled(detail.length, detail.width, detail.height)
    size = TYRE_SIZES[words["tyres_size"]]
    rake = detail.rake if shape.has_bonnet else 0.0
    return replace(
        shape,
        wheel=shape.wheel * size,
        windscreen=(shape.windscreen[0] - rake, shape.windscreen[1] - rake),
        rear_window=(shape.rear_window[0] - min(rake, 0.0), shape.rear_window[1]),
    )


@lru_cache(maxsize=64)
def _still_pieces(attributes: tuple[tuple[str, str], ...], detail: VehicleDetail) -> tuple[Piece, ...]:
    """Everything but what turns; a pure function of the identity, kept because sightings share it."""
    words = dict(attributes)
    shape = body_shape(words, detail)
    pieces = (
        *_shell_pieces(words, detail, shape),
        *_face_pieces(words, detail, shape),
        *wheel_pieces(_wheel_shape(words, detail, shape), shape, rubber(words["tyres_wear"])),
    )
    return tuple(_packed(piece) for piece in pieces)


def _packed(piece: Piece) -> Piece:
    """Return the piece in the parts' number formats, read-only."""
    mesh = Mesh(piece.mesh.vertices.astype(np.float32), piece.mesh.faces.astype(np.int32))
    mesh.vertices.setflags(write=False)
    mesh.faces.setflags(write=False)
    return replace(piece, mesh=mesh)


def _shell_pieces(words: Mapping[str, str], detail: VehicleDetail, shape: BodyShape) -> tuple[Piece, ...]:
    """Body, windows, and what is bolted to them."""
    tub, cabin = shape.tub(), shape.cabin(words["roof_shape"])
    body = paint(detail, words["wear"])
    roof = paint(detail, words["wear"], colour=detail.roof, dirty=words["roof_state"] == "dirty")
    plain = trim(detail)
    pieces = [
        *tub_pieces(shape, tub, body),
        *door_pieces(shape, tub, body),
        *cabin_pieces(cabin, body, roof),
        *window_pieces(
            shape,
            cabin,
            words["window_shape"],
            screen=glass(detail, words["window_tint"], windscreen=True),
            glass=glass(detail, words["window_tint"]),
            frame=CHROME if detail.bright_trim else PLASTIC,
        ),
        *bumper_pieces(
            shape,
            tub,
            upper=body if detail.painted_bumpers else plain,
            lower=plain,
            damaged=words["bumpers"] == "damaged",
        ),
        *load_pieces(shape, tub, body, box_wall(detail)),
        *mirror_pieces(shape, words["mirrors"]),
        *exhaust_pieces(shape, words["exhaust"]),
        *wear_pieces(shape, tub, words["wear"], detail.marks, scratched(detail, detail.paint), RUST),
        *decal_pieces(shape, tub, detail.decal, detail.decal_place, detail.decal_size, film(detail)),
    ]
    if words["spoiler"] == "present":
        pieces += spoiler_pieces(shape, cabin, body)
    if words["roof_rack"] == "present":
        pieces += rack_pieces(shape, cabin, STEEL)
    return tuple(pieces)


def _face_pieces(words: Mapping[str, str], detail: VehicleDetail, shape: BodyShape) -> tuple[Piece, ...]:
    """Lamps, grille, emblem and plates."""
    tub, brand = shape.tub(), BRANDS[words["brand"]]
    end = shape.tail_end(tub)
    pieces = [
        *headlight_pieces(shape, tub, words["headlights_shape"], detail.lamp_size, CLEAR_LENS),
        *taillight_pieces(shape, end, words["taillights"], detail.tail_size, lens=RED_LENS, inner=INNER_LENS),
        *grille_pieces(
            shape,
            tub,
            brand,
            pattern=words["grille_pattern"],
            edges=words["grille_edges"],
            height=detail.grille_height,
            bars=CHROME if detail.grille_bright else STEEL,
            frame=grille_frame(detail),
        ),
        *emblem_pieces(shape, tub, brand),
    ]
    if words["licence_plate"] == "visible":
        ground, ink = plate(detail.plate)
        pieces += plate_pieces(shape, tub, end, detail.plate_code, ground, ink)
    return tuple(pieces)


def _wheel_shape(words: Mapping[str, str], detail: VehicleDetail, shape: BodyShape) -> WheelShape:
    rim, width, lugs = TYRES[words["tyres_kind"]]
    return WheelShape(shape.wheel, width, rim, detail.spokes, detail.spoke_width, detail.spoke_pairs, lugs)


def _as_part(piece: Piece, shape: BodyShape, warmth: Warmth, lit: bool) -> Part:
    glow, glow_nir = glow_of(piece, lit)
    vertices = piece.mesh.vertices
    # Lids lie level: their patterns run in x and y; flanks keep the world's own coordinates.
    uv = vertices[:, :2] if piece.name in ("roof", "bonnet") else None
    return Part(
        piece.name,
        vertices,
        piece.mesh.faces,
        piece.material,
        heat_of(piece, shape, warmth, lit),
        uv,
        glow,
        glow_nir,
        piece.smooth,
    )
