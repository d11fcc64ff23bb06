"""Persons of 3-D parts: head, hair, neck, garments, limbs, shoes and what they carry."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nextreid.synthetic import person_load, person_wear
from nextreid.synthetic.parts import Material, ObjectState, Part, Pattern
from nextreid.synthetic.person_body import Skeleton, pose
from nextreid.synthetic.person_identities import PersonDetail, PersonIdentity
from nextreid.synthetic.shapes import Shape, at, ellipsoid, limb, tower

PERSON_EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "age": ("face", "hair", "hat", "upper"),
    "gender": ("face", "hair", "upper"),
    "viewpoint": ("face", "hair", "hat", "upper", "shoe"),
    "upper": ("upper",),
    "upper_colour": ("upper",),
    "lower": ("lower",),
    "lower_colour": ("lower",),
    "shoes": ("shoe",),
    "hair_length": ("hair",),
    "hair_style": ("hair",),
    "glasses": ("glasses",),
    "glasses=no glasses": ("face",),
    "carrying": ("bag", "held"),
    "carrying=nothing": ("upper", "hand"),
}
"""Parts whose pixels show an attribute; `attribute=value` where a value has its own (absences)."""

PERSON_LEAST: Mapping[str, float] = {"glasses": 0.0022, "glasses=no glasses": 0.008}
"""Least share of the picture that evidence must cover (see `vehicle.VEHICLE_LEAST`): 40 pixels of 192x96."""


def build_person(identity: PersonIdentity, state: ObjectState) -> tuple[Part, ...]:
    """Build one person in one moment; the same arguments give the same parts.

    Args:
        identity: who.
        state: the moment of the walk, and temperatures.
    """
    words, detail = identity.attributes, identity.detail_of
    body = pose(detail, state, holding=words["carrying"])
    warm = skin_heat(state.ambient)
    share = warm / skin_heat(18.0)
    detail = replace(  # cloth lies between air and skin: in warm air both differences shrink
        detail,
        warmth_upper=detail.warmth_upper * share,
        warmth_lower=detail.warmth_lower * share,
        warmth_shoe=detail.warmth_shoe * share,
    )
    skin = Material("skin", detail.skin, 0.62, emissivity=0.98, gloss=0.08)
    parts = [*_head(identity, body, skin, warm)]
    parts += person_wear.garments(words, detail, body, skin, warm)
    parts += person_load.load(words, detail, body, state)
    return tuple(parts)


def describe_person(identity: PersonIdentity, state: ObjectState, bearing: float) -> dict[str, str]:
    """Every attribute of the person, seen from `bearing` degrees (0 front, 90 left side, 180 back)."""
    away = abs((bearing + 180) % 360 - 180)
    view = "front" if away < 50 else "side" if away < 130 else "back"
    return {**identity.attributes, "viewpoint": view}


def skin_heat(ambient: float) -> float:
    """Skin temperature above the air, °C: ours; skin follows the air by a third."""
    return 15.0 - 0.65 * (ambient - 18.0)


def _part(name: str, shape: Shape, material: Material, heat: float, *, smooth: bool = True) -> Part:
    return Part(name, shape.vertices, shape.faces, material, heat, shape.uv, smooth=smooth)


def _head(identity: PersonIdentity, body: Skeleton, skin: Material, warm: float) -> list[Part]:
    words, detail = identity.attributes, identity.detail_of
    rx, ry, rz = body.head_radii
    x, _, z = body.head
    face = ellipsoid(body.head, (rx, ry, rz), rings=11)
    jaw = ellipsoid((x + rx * 0.25, 0.0, z - rz * 0.5), (rx * 0.72, ry * 0.72, rz * 0.55), rings=7)
    nose = ellipsoid((x + rx * 0.98, 0.0, z - rz * 0.1), (rx * 0.2, ry * 0.16, rz * 0.2), rings=5)
    neck = limb([body.neck - at(0.0, 0.0, 0.04), body.head - at(0.02, 0.0, rz * 0.6)], (0.062, 0.056))
    parts = [
        _part("face", face, skin, warm + 1.0),
        _part("face", jaw, skin, warm),
        _part("face", nose, skin, warm - 3.0),
        _part("neck", neck, skin, warm + 1.5),
    ]
    parts += _hair(words, detail.hair_volume, body, _strands(words.get("hair_style", "straight"), detail))
    if words["glasses"] != "no glasses":
        dark = words["glasses"] == "sunglasses"
        rim = Material("glasses", (0.01, 0.01, 0.012), 0.06, emissivity=0.85, gloss=0.9)
        red, green, blue = (0.9 * c + 0.03 for c in detail.skin)  # the eye behind clear glass
        clear = Material("glasses", (red, green, blue), 0.55, emissivity=0.85, gloss=0.9)
        # Large, so that a frame is a pixel wide at 192x96, and unlike in outline, because long waves pass
        # neither lens: sunglasses are one shield round the face, clear glasses two rings (ours).
        if dark:
            shield = ellipsoid(
                (x + rx * 0.62, 0.0, z + rz * 0.14), (rx * 0.56, ry * 1.06, rz * 0.34), rings=7
            )
            parts.append(_part("glasses", shield, rim, 1.5))
        for way in () if dark else (1, -1):
            ring = ellipsoid(
                (x + rx * 0.9, way * ry * 0.46, z + rz * 0.10), (rx * 0.16, ry * 0.42, rz * 0.26), rings=5
            )
            pane = ellipsoid(
                (x + rx * 0.96, way * ry * 0.46, z + rz * 0.10), (rx * 0.16, ry * 0.27, rz * 0.16), rings=5
            )
            parts += [_part("glasses", ring, rim, 1.5), _part("glasses", pane, clear, 9.0)]
        for way in (1, -1):
            bow = limb(
                [[x + rx * 0.7, way * ry * 0.9, z + rz * 0.14], [x, way * ry * 1.04, z + rz * 0.14]],
                (0.008, 0.008),
            )
            parts.append(_part("glasses", bow, rim, 1.5))
    if detail.hat is not None:
        felt = Material("felt", detail.hat, 0.4, folds=0.2)
        crown = tower(
            [z + rz * 0.35, z + rz * 0.8, z + rz * 1.15, z + rz * 1.28],
            [rx * 1.16, rx * 1.12, rx * 0.9, rx * 0.3],
            [ry * 1.2, ry * 1.16, ry * 0.95, ry * 0.3],
            x=x,
        )
        brim = tower(
            [z + rz * 0.33, z + rz * 0.4], [rx * 0.75, rx * 0.72], [ry * 1.0, ry * 0.98], x=x + rx * 0.95
        )
        parts += [_part("hat", crown, felt, 4.0), _part("hat", brim, felt, 1.5)]
    return parts


def _strands(style: str, detail: PersonDetail) -> Material:
    """Hair by its style: straight hair shines, waves cast shade, curls are light and dark side by side."""
    curls = None
    if style == "curly":
        red, green, blue = (0.35 * c if sum(detail.hair) > 0.15 else c + 0.10 for c in detail.hair)
        other = detail.nir_hair + (-0.2 if detail.nir_hair > 0.3 else 0.2)
        curls = Pattern("speckle", (red, green, blue), other, scale=0.055)
    gloss = {"straight": 0.4, "tied-back": 0.3}.get(style, 0.05)
    folds = {"wavy": 1.0, "curly": 0.6}.get(style, 0.0)
    return Material("hair", detail.hair, detail.nir_hair, 0.96, gloss, folds=folds, pattern=curls)


def _hair(words: Mapping[str, str], volume: float, body: Skeleton, material: Material) -> list[Part]:
    length, style = words.get("hair_length", "short"), words.get("hair_style", "straight")
    rx, ry, rz = body.head_radii
    x, _, z = body.head
    puff = volume * {"curly": 1.34, "wavy": 1.14}.get(style, 1.0)
    cap = ellipsoid(
        (x - rx * (puff - 0.8), 0.0, z + rz * 0.24),
        (rx * 1.0 * puff, ry * 1.1 * puff, rz * 0.88 * puff**0.5),
        rings=9,
    )
    heat = 7.0 - 10.0 * (
        volume * {"curly": 1.2, "wavy": 1.08}.get(style, 1.0) - 0.85
    )  # thick hair keeps the head's heat in
    parts = [_part("hair", cap, material, heat)]
    if style == "curly":
        for angle in np.arange(9) * 2 * np.pi / 9:
            rise = 0.62 + 0.22 * np.cos(4 * angle)
            tuft = (x - rx * 0.45 + rx * puff * 0.8 * np.cos(angle), ry * puff * np.sin(angle), z + rz * rise)
            if np.cos(angle) < 0.85 or rise > 0.8:
                parts.append(
                    _part("hair", ellipsoid(tuft, (0.032, 0.032, 0.032), rings=5), material, 0.6 * heat)
                )
    if style == "tied-back":
        bun = ellipsoid((x - rx * 0.85, 0.0, z + rz * 0.98), (0.06, 0.062, 0.058), rings=7)
        parts.append(_part("hair", bun, material, 0.5 * heat))
        if length != "short":
            tail = limb(
                [
                    [x - rx * 1.0, 0, z + rz * 0.9],
                    [x - rx * 1.55, 0, z + rz * 0.2],
                    [x - rx * 1.5, 0, z - rz * (1.0 if length == "medium" else 2.0)],
                ],
                (0.05, 0.055, 0.035),
            )
            parts.append(_part("hair", tail, material, 0.4 * heat))
        return parts
    fall = {"short": 0.0, "medium": 0.85, "long": 2.1}.get(length, 0.0)
    if fall:
        levels = np.linspace(z + rz * 0.5, z - rz * fall, 6)
        swell = np.array([0.95, 1.05, 1.08, 1.05, 1.0, 0.8]) * puff
        curtain = tower(
            levels[::-1], (rx * 0.5 * swell)[::-1], (ry * 1.18 * swell)[::-1], x=x - rx * 0.62, squareness=0.2
        )
        parts.append(_part("hair", curtain, material, 0.6 * heat))
    return parts
