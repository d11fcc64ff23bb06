"""Things that stand in the way: a pole, a bin, a bush, a board."""

import numpy as np

from nextreid.errors import InputError
from nextreid.seeding import numpy_generator
from nextreid.synthetic.colours import draw_any
from nextreid.synthetic.parts import Material, Part
from nextreid.synthetic.shapes import box, ellipsoid, tower


def build_clutter(what: str, seed: int) -> tuple[Part, ...]:
    """Build one piece of clutter; its parts carry the name "clutter" and are masked as another object.

    Raises:
        InputError: an unknown thing.
    """
    rng = numpy_generator(seed, "clutter")
    colour, nir = draw_any(rng), float(rng.uniform(0.1, 0.8))
    heat, size = float(rng.normal(0.5, 1.5)), float(rng.uniform(0.85, 1.2))
    if what == "pole":
        shapes = [tower([0.0, 2.6], [0.05 * size, 0.045], [0.05 * size, 0.045])]
    elif what == "bin":
        shapes = [
            tower(
                [0.0, 0.02, 0.8 * size, 0.85 * size],
                [0.2, 0.22, 0.26, 0.2],
                [0.2, 0.22, 0.26, 0.2],
                squareness=0.3,
            )
        ]
    elif what == "board":
        shapes = [box((0.0, 0.0, 0.55 * size), (0.04, 0.3, 0.5 * size))]
    elif what == "bush":
        colour, nir = (0.05, 0.12, 0.03), 0.75
        spots = np.asarray(rng.uniform([-0.2, -0.3, 0.1], [0.2, 0.3, 0.7], (7, 3)))
        shapes = [ellipsoid(spot, rng.uniform(0.12, 0.24, 3)) for spot in spots]
    else:
        raise InputError(f"clutter {what!r}", allowed="pole, bin, bush, board")
    material = Material(what, colour, nir, 0.93, 0.1, folds=0.8 if what == "bush" else 0.0)
    return tuple(Part("clutter", shape.vertices, shape.faces, material, heat, shape.uv) for shape in shapes)
