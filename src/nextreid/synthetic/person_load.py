"""What a person carries: backpack, bags, suitcase, bottle, phone, umbrella."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nextreid.synthetic.parts import Material, ObjectState, Part
from nextreid.synthetic.person_body import Skeleton
from nextreid.synthetic.person_identities import PersonDetail
from nextreid.synthetic.shapes import Shape, at, box, ellipsoid, limb, tower


def _part(name: str, shape: Shape, material: Material, heat: float) -> Part:
    return Part(name, shape.vertices, shape.faces, material, heat, shape.uv)


def _strap(points: ArrayLike, material: Material, heat: float, width: float = 0.02) -> Part:
    path = np.asarray(points, np.float64)
    return _part("bag", limb(path, [width] * len(path), sides=6), material, heat)


def load(words: Mapping[str, str], detail: PersonDetail, body: Skeleton, state: ObjectState) -> list[Part]:
    """Build what is carried; its temperature is the sighting's, near the air's."""
    what, heat, size = words["carrying"], state.load_heat, detail.bag_size
    cloth = Material("bag", detail.bag, detail.nir_bag, 0.94, 0.15, folds=0.25, pattern=detail.bag_pattern)
    red, green, blue = (0.5 * c for c in detail.bag)
    dark = Material("strap", (red, green, blue), detail.nir_bag * 0.7, 0.94)
    left = detail.side > 0
    wrist = body.wrists[0 if left else 1]
    elbow = body.elbows[0 if left else 1]
    hand = wrist + (wrist - elbow) * 0.25
    deep, side = body.torso_depth, float(detail.side)
    if what in ("backpack", "school bag"):
        if what == "school bag":
            size *= 0.8
        z = (body.chest[2] + body.waist[2]) / 2 + 0.06
        x = body.chest[0] - deep - 0.12
        pack = box((x, 0.0, z), (0.1 * size, 0.155 * size, 0.225 * size), squareness=0.55)
        pocket = box((x - 0.1 * size, 0.0, z - 0.09), (0.035, 0.12 * size, 0.1 * size), squareness=0.5)
        straps = []
        for y in (0.105, -0.105):
            front = body.chest[0] + deep + 0.035
            path = [
                at(x, y, z + 0.16),
                at(body.neck[0], y, body.neck[2] + 0.01),
                at(front, y, body.chest[2] - 0.02),
                at(body.chest[0] + 0.04, y * 1.7, body.waist[2] + 0.1),
            ]
            straps.append(_strap(np.stack(path), dark, heat + 1.5))
        worn = [_part("bag", pack, cloth, heat), _part("bag", pocket, dark, heat - 0.3), *straps]
        if what == "school bag":  # the band that pupils' bags carry: bright, retroreflecting, a cold foil
            band = Material("band", (0.70, 0.72, 0.25), 0.8, 0.6, 0.2, retro=0.4)
            for high, half in ((0.1, 0.03), (-0.13, 0.022)):
                strip = box((x - 0.02, 0.0, z + high), (0.125 * size, 0.168 * size, half), squareness=0.55)
                worn.append(_part("bag", strip, band, heat))
        return worn
    if what in ("handbag", "shopping bag"):
        depth = 0.16 * size
        sack = box(hand - at(0.0, 0.0, 0.13 + depth), (0.15 * size, 0.055, depth), squareness=0.5)
        grip = [
            hand + at(0.09, 0.0, -0.15),
            hand + at(0.03, 0.0, 0.0),
            hand + at(-0.03, 0.0, 0.0),
            hand + at(-0.09, 0.0, -0.15),
        ]
        return [_part("bag", sack, cloth, heat), _strap(grip, dark, heat, 0.011)]
    if what in ("shoulder bag", "crossbody bag", "messenger bag"):
        y = side * (body.torso_width + 0.07)
        place = np.array([body.waist[0] - 0.02, y, body.waist[2] - 0.06])
        sack = box(place, (0.15 * size, 0.055, 0.125 * size), squareness=0.6)
        top = body.neck + at(0.0, -side * 0.09, 0.0)
        front = body.chest + at(deep + 0.04, 0.02 * side, -0.03)
        back = body.chest + at(-deep - 0.04, 0.02 * side, -0.03)
        straps = [
            _strap([place + at(0.0, 0.0, 0.1), bend, top], dark, heat + 1.0, 0.016) for bend in (front, back)
        ]
        return [_part("bag", sack, cloth, heat), *straps]
    if what in ("suitcase", "luggage"):
        case = box(
            (hand[0] - 0.22, hand[1] + side * 0.05, 0.36 * size),
            (0.12 * size, 0.2 * size, 0.3 * size),
            squareness=0.7,
        )
        top = at(hand[0] - 0.2, hand[1] + side * 0.05, 0.64 * size)
        rod = limb(np.stack([hand, top]), (0.014, 0.014), sides=6)
        return [
            _part("bag", case, cloth, heat),
            _part("bag", rod, Material("metal", (0.3, 0.3, 0.3), 0.4, 0.4, 0.6), heat),
        ]
    if what == "bottle":
        flask = tower(
            [-0.11, -0.105, 0.07, 0.1, 0.13],
            [0.036, 0.038, 0.038, 0.016, 0.015],
            [0.036, 0.038, 0.038, 0.016, 0.015],
        )
        plastic = Material("plastic", detail.bag, detail.nir_bag, 0.92, 0.6)
        return [_part("held", flask.moved(np.eye(3), hand + at(0.03, 0.0, 0.05)), plastic, heat - 2.0)]
    if what == "book":
        paper = box(hand + at(0.03, 0.0, 0.03), (0.025, 0.085, 0.12), squareness=0.8)
        return [_part("held", paper, Material("paper", detail.bag, detail.nir_bag, 0.93), heat - 1.0)]
    if what == "phone":
        slab = box(hand + at(0.02, 0.0, 0.06), (0.012, 0.042, 0.085))
        glass = Material("phone", (0.02, 0.02, 0.025), 0.1, 0.9, 0.8)
        return [Part("held", slab.vertices, slab.faces, glass, 7.0, slab.uv, glow=(0.02, 0.022, 0.03))]
    if what == "umbrella":
        top = hand + at(0.05, -side * 0.14, 0.42)
        dome = ellipsoid((0.0, 0.0, 0.0), (0.48 * size, 0.48 * size, 0.2), rings=9)
        keep = dome.vertices[:, 2] < 0
        flat = dome.vertices.copy()
        flat[keep, 2] *= 0.12
        rod = limb([hand - at(0.0, 0.0, 0.08), top], (0.012, 0.01), sides=6)
        canopy = Shape(flat + top.astype(np.float32), dome.faces, dome.uv)
        return [_part("held", canopy, cloth, heat - 1.0), _part("held", rod, dark, heat)]
    return []
