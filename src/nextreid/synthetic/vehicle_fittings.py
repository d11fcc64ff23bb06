"""What is bolted on: mirrors, spoiler, roof rack, exhaust; and the marks of use."""

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_body import both
from nextreid.synthetic.vehicle_paint import CHROME, PLASTIC, SEAM, TAPE
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import Array, Mesh, Shell, box, chips, join, lathe, patch


def mirror_pieces(shape: BodyShape, style: str) -> tuple[Piece, ...]:
    """Return the side mirrors: dark housings, their glass heated from within.

    Args:
        shape: the body.
        style: "intact", "damaged" (the housings hang below their broken arms, wrapped in tape) or
            "missing".
    """
    if style == "missing":
        return ()
    big = 1.0 if shape.has_bonnet else 1.5  # trucks and buses carry taller mirrors
    x = shape.windscreen[0] - (0.32 if shape.has_bonnet else -0.06)
    y, z = shape.half_width + 0.10, shape.belt + 0.09 * big
    if not shape.has_bonnet:
        z += 0.35
    housing = box((x, y, z), (0.20, 0.30, 0.24 * big), taper=0.85)
    arm = box((x, shape.half_width - 0.01, z - 0.09 * big), (0.06, 0.16, 0.04))
    glass = box((x - 0.085, y, z), (0.036, 0.25, 0.18 * big))
    if style == "intact":
        return (
            Piece("mirror", both(join(housing, arm)), PLASTIC, "heated", smooth=False),
            Piece("mirror", both(glass), SEAM, "heated", smooth=False),
        )
    hanging = box((x - 0.02, shape.half_width + 0.08, z - 0.30), (0.16, 0.18, 0.30))
    broken = box((x, shape.half_width + 0.05, z - 0.08), (0.16, 0.18, 0.10))
    return (Piece("mirror", both(join(hanging, broken)), TAPE, "cold", smooth=False),)


def spoiler_pieces(shape: BodyShape, cabin: Shell, paint: Material) -> tuple[Piece, ...]:
    """Return the spoiler: a wing over the tail, a lip at the rear of a tall roof, or a truck's deflector."""
    w = shape.half_width
    if shape.box is not None:
        front, _, top = shape.box
        fin = box((front + 0.45, 0.0, (shape.roof + top) / 2), (0.5, 1.5 * w, top - shape.roof), taper=0.75)
        return (Piece("spoiler", fin, paint, smooth=False),)
    rear_head, rear_foot = shape.rear_window
    if rear_head - rear_foot > 0.6:  # a boot lid behind the window carries the wing
        x, z = shape.rear + 0.22, shape.tail + 0.28
        blade = box((x, 0.0, z), (0.34, 1.76 * w, 0.08))
        struts = [box((x, side * 0.62 * w, z - 0.15), (0.14, 0.06, 0.28)) for side in (-1, 1)]
        return (
            Piece("spoiler", blade, paint, smooth=False),
            Piece("spoiler", join(*struts), PLASTIC, smooth=False),
        )
    top = float(cabin.points(np.array([5.0]), np.array([1.0]))[0, 2])
    half = w - shape.tumblehome - 0.08
    lip = box((rear_head - 0.24, 0.0, top + 0.03), (0.54, 2 * half, 0.10))
    ends = [box((rear_head - 0.24, side * half, top - 0.07), (0.34, 0.05, 0.20)) for side in (-1, 1)]
    return (Piece("spoiler", join(lip, *ends), paint, smooth=False),)


def rack_pieces(shape: BodyShape, cabin: Shell, metal: Material) -> tuple[Piece, ...]:
    """Return a roof rack: two rails on feet and two bars across."""
    (_, head), (rear_head, _) = shape.windscreen, shape.rear_window
    front, rear = head - 0.12, rear_head + 0.12
    half = shape.half_width - shape.tumblehome - 0.18
    top = shape.roof + cabin.crown + 0.05
    middle, length = (front + rear) / 2, front - rear
    rails = [box((middle, side * half, top), (length, 0.05, 0.05)) for side in (-1, 1)]
    feet = [
        box((x, side * half, top - 0.08), (0.08, 0.05, 0.14))
        for x in (front - 0.1, middle, rear + 0.1)
        for side in (-1, 1)
    ]
    bars = [
        box((x, 0.0, top + 0.03), (0.06, 2.1 * half, 0.035))
        for x in (middle + length / 4, middle - length / 4)
    ]
    return (Piece("roof_rack", join(*rails, *feet, *bars), metal, "cold", smooth=False),)


def exhaust_pieces(shape: BodyShape, style: str) -> tuple[Piece, ...]:
    """Return the tail pipes: none when "hidden", one on the left when "single", two when "dual"."""
    count = {"hidden": 0, "single": 1, "dual": 2}[style]
    if count == 0:
        return ()
    radius = 0.10  # metres; sports pipes, so that they are some pixels (ours)
    ring = np.array([[radius, 0.0], [1.05 * radius, 0.30], [0.75 * radius, 0.30]])
    mouth = np.array([[0.80 * radius, 0.285], [0.0, 0.285]])
    x, z = shape.rear + 0.03, max(shape.ground - 0.01, 0.2)
    sides = (0.55,) if count == 1 else (0.55, -0.55)
    pipes = [_tail_pipe(ring, x, side * shape.half_width, z) for side in sides]
    mouths = [_tail_pipe(mouth, x, side * shape.half_width, z) for side in sides]
    return (
        Piece("exhaust", join(*pipes), CHROME, "exhaust"),
        Piece("exhaust", join(*mouths), SEAM, "exhaust"),
    )


def _tail_pipe(profile: Array, x: float, y: float, z: float) -> Mesh:
    """Return a turned profile whose outer end looks to the rear."""
    turned = lathe(profile, (0.0, 0.0, 0.0), 12)
    v = turned.vertices
    # The axle of a lathe is y; a quarter turn about z lets it point backward.
    return Mesh(np.column_stack([-v[:, 1] + x + 0.22, v[:, 0] + y, v[:, 2] + z]), turned.faces)


def wear_pieces(
    shape: BodyShape, tub: Shell, wear: str, seed: int, bare: Material, rust: Material
) -> tuple[Piece, ...]:
    """Return the marks of use: none when "new", scratches when "used", more and rust when "worn".

    Args:
        shape, tub: the body.
        wear: a `wear` of the schema.
        seed: of the places; part of the vehicle's own detail.
        bare: primer that shows in scratches.
        rust: material of the rust.
    """
    scratches, spots = {"new": (0, 0), "used": (10, 0), "worn": (14, 10)}[wear]
    if scratches == 0:
        return ()
    rng = np.random.Generator(np.random.PCG64(seed))
    # Half of them on each flank, spread along it, so that no view of a flank misses them.
    along = (np.arange(scratches) // 2 + rng.uniform(0, 1, scratches)) / (scratches / 2)
    place = np.where(np.arange(scratches) % 2 == 0, 1.0, -1.0) * (2.0 + 0.85 * along)
    v, length, rise = (
        rng.uniform(0.3, 0.8, scratches),
        rng.uniform(0.06, 0.16, scratches),
        rng.uniform(-0.1, 0.1, scratches),
    )
    thick = 0.05  # of the flank's height: a pixel or two of a crop 96 pixels tall (ours)
    lines = np.stack(
        [
            np.column_stack([place, v]),
            np.column_stack([place + length, v + rise]),
            np.column_stack([place + length, v + rise + thick]),
            np.column_stack([place, v + thick]),
        ],
        axis=1,
    )
    pieces = [Piece("body", chips(tub, lines, 0.017), bare)]
    if spots:
        angle = np.arange(7) * 2 * np.pi / 7
        side = np.where(np.arange(spots) % 2 == 0, 1.0, -1.0)
        middle = np.column_stack([side * rng.uniform(1.2, 3.9, spots), rng.uniform(0.12, 0.6, spots)])
        radius = rng.uniform(0.5, 1.0, (spots, 7, 1)) * np.array([0.065, 0.13])
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        pieces.append(Piece("body", chips(tub, middle[:, None] + radius * ring, 0.016), rust))
    return tuple(pieces)


def decal_pieces(
    shape: BodyShape, tub: Shell, kind: str, place: float, size: float, film: Material
) -> tuple[Piece, ...]:
    """Return what is stuck on the paint: words never mention it, so it tells attribute twins apart.

    Args:
        shape, tub: the body.
        kind: "none", "line" (along the flanks), "sill", "panel" (on the doors) or "tail" (a sticker).
        place, size: 0..1.
        film: its material; as warm as the paint under it.
    """
    if kind == "none":
        return ()
    if kind in ("line", "sill"):
        low = 0.24 if kind == "sill" else 0.42 + 0.3 * place
        band = patch(tub, u=(2.02, 2.98), v=(low, low + 0.06 + 0.14 * size), offset=0.018, lines=9)
        return (Piece("door", both(band), film),)
    if kind == "panel":
        a = 2.30 + 0.25 * place
        panel = patch(tub, u=(a, a + 0.12 + 0.14 * size), v=(0.40, 0.72), offset=0.018, lines=3)
        return (Piece("door", both(panel), film),)
    a = 4.40 + 0.3 * place
    return (Piece("body", patch(tub, u=(a, a + 0.15 + 0.2 * size), v=(0.62, 0.80), offset=0.016), film),)
