"""Shoes by their names: bulk, sole, shaft, straps, heels."""

from collections.abc import Mapping

import numpy as np

from nextreid.synthetic.parts import Material, Part
from nextreid.synthetic.person_body import Skeleton
from nextreid.synthetic.person_identities import PersonDetail
from nextreid.synthetic.shapes import Shape, ellipsoid, limb, tower


def _part(name: str, shape: Shape, material: Material, heat: float) -> Part:
    return Part(name, shape.vertices, shape.faces, material, heat, shape.uv)


def shoes(
    words: Mapping[str, str], detail: PersonDetail, body: Skeleton, skin: Material, warm: float
) -> list[Part]:
    """Put shoes on both feet: body, sole, and what the kind of shoe adds."""
    name = words["shoes"]
    formal = "formal" in name
    # Polished leather shines in every spectrum and has a dark sole; mesh lets warmth out, boots keep it
    # in (ours).
    upper = Material("shoe", detail.shoe, detail.nir_shoe, 0.84 if formal else 0.95, 0.6 if formal else 0.05)
    sole = Material("sole", (0.015, 0.014, 0.013) if formal else detail.sole, 0.06 if formal else 0.55, 0.94)
    heat = detail.warmth_shoe * {"athletic sneakers": 1.5, "casual boots": 0.5, "formal shoes": 0.6}.get(
        name, 1.0
    )
    parts = []
    for knee, ankle, toe in zip(body.knees, body.ankles, body.toes, strict=True):
        side = np.array([-toe[1], toe[0], 0.0])
        across = side / np.linalg.norm(side)
        up = np.cross(toe, across)
        turn = np.stack([toe / np.linalg.norm(toe), across, up / np.linalg.norm(up)], -1)
        bulk = {"athletic sneakers": 1.28, "casual boots": 1.15, "casual sneakers": 1.02}.get(name, 0.86)
        slim = 0.82 if name == "formal heels" else 1.0
        long = 0.155 if name == "formal shoes" else 0.135
        base = ankle - up / np.linalg.norm(up) * 0.05
        foot = ellipsoid(
            (0.06, 0.0, 0.012), (long * slim, 0.05 * bulk * slim, 0.045 * bulk), rings=7, squareness=0.1
        )
        bare = name == "casual sandals"
        parts.append(
            _part(
                "leg" if bare else "shoe",
                foot.moved(turn, base),
                skin if bare else upper,
                warm - 3 if bare else heat,
            )
        )
        thick = {"athletic sneakers": 0.034, "casual boots": 0.026, "casual sneakers": 0.02}.get(name, 0.01)
        slab = tower(
            [-0.035, -0.033, -0.033 + thick],
            [0.14, 0.143, 0.138],
            [0.048 * bulk, 0.05 * bulk, 0.048 * bulk],
            x=0.06,
            squareness=0.2,
        )
        parts.append(_part("shoe", slab.moved(turn, base), sole, heat * 0.8))
        if bare:
            strap = ellipsoid((0.1, 0.0, 0.02), (0.025, 0.056, 0.045), rings=5)
            parts.append(_part("shoe", strap.moved(turn, base), upper, heat))
        if name == "casual boots":
            parts.append(
                _part(
                    "shoe",
                    limb([ankle - (knee - ankle) * 0.02, ankle + (knee - ankle) * 0.3], (0.078, 0.088)),
                    upper,
                    heat,
                )
            )
        if name == "formal heels":
            spike = limb([[-0.05, 0.0, -0.01], [-0.06, 0.0, -0.085]], (0.02, 0.01), sides=6)
            parts.append(_part("shoe", spike.moved(turn, base), upper, heat))
    return parts
