"""Garments, cut by their names: how long, how wide, how thick."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nextreid.synthetic import person_shoes
from nextreid.synthetic.parts import Material, Part
from nextreid.synthetic.person_body import Point, Skeleton
from nextreid.synthetic.person_identities import PersonDetail
from nextreid.synthetic.shapes import Shape, at, ellipsoid, limb, tower


@dataclass(frozen=True)
class UpperCut:
    """How an upper garment is cut.

    Args:
        sleeve: covered share of the arm, shortest and longest (0 none .. 2 to the wrist).
        hem: how far below the waist it ends, metres, shortest and longest.
        thick: cloth standing off the body, metres.
        warmth: factor on the warmth of its surface (padded: small).
        flare: widening towards the hem.
        extra: collar, hood or none.
    """

    sleeve: tuple[float, float]
    hem: tuple[float, float]
    thick: float
    warmth: float
    flare: float = 0.0
    extra: str = ""


UPPER_CUTS: Mapping[str, UpperCut] = {
    "t-shirt": UpperCut((0.45, 0.85), (0.10, 0.2), 0.012, 1.15),
    "shirt": UpperCut((1.2, 2.0), (0.12, 0.22), 0.014, 1.05, extra="collar"),
    "blouse": UpperCut((0.8, 1.7), (0.06, 0.18), 0.016, 1.1, flare=0.12),
    "tank top": UpperCut((0.0, 0.0), (0.06, 0.16), 0.008, 1.2),
    "sweater": UpperCut((1.8, 2.0), (0.10, 0.2), 0.024, 0.85),
    "hoodie": UpperCut((1.8, 2.0), (0.12, 0.22), 0.028, 0.8, extra="hood"),
    "jacket": UpperCut((1.8, 2.0), (0.08, 0.2), 0.036, 0.6, extra="collar"),
    "coat": UpperCut((1.85, 2.0), (0.38, 0.62), 0.042, 0.5, flare=0.25, extra="collar"),
    "vest": UpperCut((0.0, 0.0), (0.08, 0.18), 0.03, 0.7),
    "dress": UpperCut((0.0, 1.0), (0.42, 0.75), 0.012, 1.1, flare=0.45),
}
"""Lengths and offsets: ours, from the cut of ordinary clothes."""

LOWER_CUTS: Mapping[str, tuple[float, float, float]] = {
    # covered share of the leg (1 = to the knee, 2 = to the ankle): shortest, longest; cloth off the leg
    "trousers": (1.85, 2.0, 0.036),
    "jeans": (1.8, 1.94, 0.010),
    "shorts": (0.6, 1.0, 0.028),
    "leggings": (1.72, 1.9, -0.002),
}


LOWER_WARMTH: Mapping[str, float] = {"jeans": 0.8, "leggings": 1.4}
"""Factor on the warmth of the outside: ours; denim is thick, leggings lie on the skin."""


def garments(
    words: Mapping[str, str], detail: PersonDetail, body: Skeleton, skin: Material, warm: float
) -> list[Part]:
    """Dress a skeleton: upper garment and sleeves, bare arms and hands, lower garment, bare legs, shoes."""
    return [
        *_upper(words, detail, body),
        *_arms(words, detail, body, skin, warm),
        *_lower(words, detail, body, skin, warm),
        *person_shoes.shoes(words, detail, body, skin, warm),
    ]


def _part(name: str, shape: Shape, material: Material, heat: float) -> Part:
    return Part(name, shape.vertices, shape.faces, material, heat, shape.uv)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def upper_material(words: Mapping[str, str], detail: PersonDetail) -> Material:
    """The cloth of the upper garment."""
    gloss = 0.25 if detail.quilt and words["upper"] in ("jacket", "coat") else 0.03
    return Material(
        words["upper"],
        detail.upper,
        detail.nir_upper,
        0.95,
        gloss,
        folds=0.8,
        quilt=detail.quilt if words["upper"] in ("jacket", "coat") else 0.0,
        pattern=detail.upper_pattern,
    )


def _shaded(cloth: Material, share: float) -> Material:
    """Cloth in the shade of its own folds: `share` of its light, without pattern."""
    red, green, blue = (share * c for c in cloth.albedo)
    return replace(cloth, albedo=(red, green, blue), nir=share * cloth.nir, pattern=None, quilt=0.0)


def _upper(words: Mapping[str, str], detail: PersonDetail, body: Skeleton) -> list[Part]:
    cut = UPPER_CUTS[words["upper"]]
    cloth, heat = upper_material(words, detail), detail.warmth_upper * cut.warmth
    low = body.waist[2] - _between(*cut.hem, detail.hem) - 0.05
    chest_z, neck_z = float(body.chest[2]), float(body.neck[2])
    waist_z = float(body.waist[2])
    off = cut.thick * (0.8 + 0.6 * detail.fit)
    wide, deep = body.torso_width, body.torso_depth
    slim = (0.78 + 0.1 * detail.girth) * (0.90 if words["gender"] == "female" else 1.05)
    hips = 0.17 * (0.9 + 0.16 * (detail.girth - 0.8)) * (1.15 if words["gender"] == "female" else 0.95)
    heights = [
        low,
        low + 0.01,
        waist_z - 0.06,
        waist_z + 0.03,
        _between(waist_z, chest_z, 0.6),
        chest_z,
        neck_z - 0.04,
        neck_z + 0.01,
    ]
    widths = [hips * 1.0, hips * 1.01, hips, wide * slim * 0.86, wide * 0.9, wide * 0.98, wide * 0.86, 0.075]
    depths = [
        deep * 1.02,
        deep * 1.03,
        deep * 1.0,
        deep * 0.95 * detail.girth**0.5,
        deep * 1.02,
        deep,
        deep * 0.72,
        0.062,
    ]
    length = max(waist_z - low, 0.05)
    grow = [
        1 + cut.flare * min(1.0, max(0.0, (waist_z - z) / length)) * min(1.0, length / 0.3) for z in heights
    ]
    xs = np.interp(heights, [waist_z, chest_z, neck_z], [body.waist[0], body.chest[0], body.neck[0]])
    trunk = tower(
        heights,
        [d * g + off for d, g in zip(depths, grow, strict=True)],
        [w * g + off for w, g in zip(widths, grow, strict=True)],
        x=list(xs), squareness=0.12, sides=20,
    )  # fmt: skip
    across = np.interp(trunk.vertices[:, 2], [low, waist_z, chest_z], [0.6, 1.0, 1.15])
    parts = [Part("upper", trunk.vertices, trunk.faces, cloth, (heat * across).astype(np.float32), trunk.uv)]
    if cut.extra == "collar":
        roll = tower([neck_z - 0.03, neck_z + 0.035], [0.085, 0.078], [0.095, 0.082], x=float(body.neck[0]))
        parts.append(_part("upper", roll, cloth, heat * 1.3))
    elif cut.extra == "hood":
        hood = ellipsoid(body.neck + at(-0.09, 0.0, 0.01), (0.11, 0.15, 0.09), rings=7)
        parts.append(_part("upper", hood, cloth, heat * 0.6))
        pouch = ellipsoid(
            (float(body.waist[0]) + deep + off - 0.02, 0.0, waist_z + 0.01), (0.045, 0.13, 0.085), rings=7
        )
        parts.append(_part("upper", pouch, _shaded(cloth, 0.6), heat * 1.5))
    if words["upper"] in ("jacket", "coat", "shirt"):  # the front is open or buttoned: a line down it
        wide_open = words["upper"] != "shirt"
        foot, front = at(float(body.waist[0]) + depths[2] * grow[0] + off, 0.0, low), depths[5] + off
        line = [foot, at(float(body.waist[0]) + deep + off, 0.0, waist_z + 0.03)]
        line += [at(float(body.chest[0]) + front, 0.0, chest_z), at(float(body.neck[0]) + 0.07, 0.0, neck_z)]
        strip = limb(np.stack(line), [0.026 if wide_open else 0.015] * 4, sides=6)
        parts.append(_part("upper", strip, _shaded(cloth, 0.3), heat * (1.9 if wide_open else 1.15)))
    return parts


def _arms(
    words: Mapping[str, str], detail: PersonDetail, body: Skeleton, skin: Material, warm: float
) -> list[Part]:
    cut = UPPER_CUTS[words["upper"]]
    covered = _between(*cut.sleeve, detail.sleeve)
    cloth = upper_material(words, detail)
    off, girth = cut.thick * (0.5 + 0.4 * detail.fit), detail.girth**0.5
    parts = []
    for shoulder, elbow, wrist in zip(body.shoulders, body.elbows, body.wrists, strict=True):
        if covered < 1.95:
            parts.append(
                _part(
                    "arm", limb([shoulder, elbow, wrist], (0.048 * girth, 0.038 * girth, 0.028)), skin, warm
                )
            )
        hand = wrist + (wrist - elbow) * 0.28
        parts.append(_part("hand", limb([wrist, hand], (0.032, 0.034), flat=0.6, sides=8), skin, warm - 1.5))
        if covered > 0.05:
            path, radii = _along((shoulder, elbow, wrist), (0.058 * girth, 0.046 * girth, 0.038), covered)
            sleeve = limb(path, [r + off for r in radii])
            parts.append(
                _part("sleeve", sleeve, cloth, detail.warmth_upper * cut.warmth * (1.15 - 0.5 * detail.fit))
            )
    return parts


def _along(
    joints: tuple[Point, Point, Point], radii: tuple[float, float, float], covered: float
) -> tuple[list[Point], list[float]]:
    """The part of a limb that cloth covers: 1 = to the middle joint, 2 = to the end."""
    a, b, c = joints
    if covered <= 1.0:
        share = max(covered, 0.15)
        return [a, a + (b - a) * share], [radii[0], _between(radii[0], radii[1], share)]
    share = max(covered - 1.0, 0.08)
    return [a, b, b + (c - b) * share], [radii[0], radii[1], _between(radii[1], radii[2], share)]


def _lower(
    words: Mapping[str, str], detail: PersonDetail, body: Skeleton, skin: Material, warm: float
) -> list[Part]:
    name = words.get("lower", "")
    girth = detail.girth**0.5
    cloth = Material(
        name or "none", detail.lower, detail.nir_lower, 0.95, 0.02, folds=0.6, pattern=detail.lower_pattern
    )
    heat = detail.warmth_lower * LOWER_WARMTH.get(name, 1.0)
    red, green, blue = (0.55 * c + 0.25 for c in detail.lower)
    denim = Material("denim", (red, green, blue), min(0.9, detail.nir_lower + 0.25), 0.95)
    joints = list(zip(body.hips, body.knees, body.ankles, strict=True))
    radii = (0.088 * girth, 0.058 * girth, 0.042)
    parts: list[Part] = []
    covered, deep = 0.0, body.torso_depth
    hip_z, hip_wide = float(body.hips[0][2]), 0.165 * (0.9 + 0.16 * (detail.girth - 0.8))
    if name in LOWER_CUTS:
        short, long, off = LOWER_CUTS[name]
        covered = _between(short, long, detail.sleeve)
        off *= 0.6 + 0.9 * detail.fit
        seat = tower(
            [hip_z - 0.09, hip_z - 0.03, hip_z + 0.06, hip_z + 0.16],
            [0.07, deep * 0.98 + off * 0.5, deep * 0.93, deep * 0.8],
            [hip_wide * 0.8, hip_wide * 0.98 + off * 0.5, hip_wide * 0.95, hip_wide * 0.85],
            squareness=0.15,
        )
        parts.append(_part("lower", seat, cloth, heat))
        for joint in joints:
            path, sizes = _along(joint, radii, covered)
            widen = [0.0, 0.3, 1.0] if len(path) == 3 else [0.0, 1.0]
            leg = limb(path, [r + off * (0.6 + 0.7 * w) for r, w in zip(sizes, widen, strict=True)], sides=12)
            parts.append(_part("lower", leg, cloth, heat))
            if name == "jeans":  # turned up, the pale inside of denim outward
                foot, before = path[-1], path[-2]
                rise = (before - foot) / np.linalg.norm(before - foot) * 0.055
                cuff = limb([foot, foot + rise], (sizes[-1] + off * 1.3 + 0.012,) * 2, sides=12)
                parts.append(_part("lower", cuff, denim, heat * 0.7))
    elif name == "skirt":
        end = hip_z - _between(0.28, 0.62, detail.sleeve)
        flare = 1.1 + 0.45 * detail.fit
        skirt = tower(
            [end, end + 0.01, hip_z - 0.05, hip_z + 0.16],
            [deep * 1.35 * flare, deep * 1.33 * flare, deep * 1.05, deep * 0.8],
            [hip_wide * flare, hip_wide * flare, hip_wide, hip_wide * 0.85],
        )
        parts.append(_part("lower", skirt, cloth, heat))
    if covered < 1.8:
        parts += [_part("leg", limb(joint, radii), skin, warm - 1.5) for joint in joints]
    return parts
