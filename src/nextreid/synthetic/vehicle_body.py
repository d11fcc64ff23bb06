"""The body: tub, bonnet, doors, cabin, bumpers, open bed and cargo box."""

import numpy as np

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_paint import BARRIER_TAPE, PLASTIC, SEAM
from nextreid.synthetic.vehicle_piece import Piece
from nextreid.synthetic.vehicle_shapes import BodyShape
from nextreid.synthetic.vehicle_shell import (
    Mesh,
    Outline,
    Ring,
    Shell,
    box,
    chips,
    grid,
    join,
    lid,
    mirrored,
    patch,
    rectangles,
    wall,
)

TUB_HEIGHTS = np.array([0.0, 0.07, 0.14, 0.32, 0.5, 0.8, 0.88, 0.94, 0.97, 1.0])
"""Heights of the grid lines of a tub: close where it bends."""


def tub_pieces(shape: BodyShape, tub: Shell, paint: Material) -> tuple[Piece, ...]:
    """Return the lower body with bonnet, tail, sill and underside."""
    cowl = tub.rim_u(shape.windscreen[0] + 0.02)
    pieces = [Piece("body", wall(tub, v=TUB_HEIGHTS), paint)]
    if shape.has_bonnet:
        pieces.append(Piece("bonnet", lid(tub, stop=cowl), paint, "bonnet"))
    if shape.bed is None:
        pieces.append(Piece("body", lid(tub, start=cowl), paint))
    if shape.cladding:
        pieces.append(Piece("trim", wall(_outside(tub, 0.012), v=np.array([0.0, 0.08, 0.20])), PLASTIC))
    length, middle = shape.front - shape.rear, (shape.front + shape.rear) / 2
    belly = box((middle, 0.0, shape.ground - 0.01), (0.86 * length, 1.5 * shape.half_width, 0.16))
    pieces.append(Piece("underbody", belly, SEAM, "under", smooth=False))
    return tuple(pieces)


def door_pieces(shape: BodyShape, tub: Shell, paint: Material) -> tuple[Piece, ...]:
    """Return the doors and their handles.

    A door stands 6 mm out of a dark plate that shows as its two upright gaps. Level gaps are left out: a
    centimetre is half a pixel, and would break into dashes.
    """
    outline = tub.rings[2].outline
    doors, gaps, handles = [], [], []
    for front, rear in shape.doors:
        u = (outline.side_u(front - 0.012), outline.side_u(rear + 0.012))
        gap = 0.009 / (front - rear)
        gaps.append(patch(tub, u=(u[0] - gap, u[1] + gap), v=(0.20, 0.875), offset=0.006, lines=5))
        doors.append(patch(tub, u=u, v=(0.19, 0.885), offset=0.012, lines=5))
        end = u[1] - 0.12 * (u[1] - u[0])
        handles.append([end - 0.07, end, 0.76, 0.80])
    return (
        Piece("trim", both(join(*gaps)), SEAM),
        Piece("door", both(join(*doors)), paint),
        Piece("trim", both(chips(tub, rectangles(np.array(handles)), 0.03)), PLASTIC),
    )


def cabin_pieces(cabin: Shell, paint: Material, roof: Material) -> tuple[Piece, ...]:
    """Return the cabin without its windows: pillars and roof."""
    heights = np.array([0.0, 0.45, 0.9, 0.965, 1.0])
    return (
        Piece("body", wall(cabin, v=heights[:3]), paint),
        Piece("roof", join(wall(cabin, v=heights[2:]), lid(cabin)), roof),
    )


def bumper_pieces(
    shape: BodyShape, tub: Shell, *, upper: Material, lower: Material, damaged: bool
) -> tuple[Piece, ...]:
    """Return the bumpers, front and rear.

    Args:
        shape, tub: the body.
        upper, lower: their two halves.
        damaged: barrier tape holds all four corners; the front bumper hangs at its right end, the rear
            one at its left.
    """
    outline = tub.rings[2].outline
    arch = 1.22 * shape.wheel
    front = outline.side_u(shape.axles[0] + arch)
    rear = outline.side_u(shape.axles[-1] - arch) if shape.box is None else 3.0
    ranges = ((-front, front), (rear, 10 - rear))
    meshes = [
        join(*(patch(tub, u=u, v=v, offset=offset, lines=17) for u in ranges))
        for v, offset in (((0.18, 0.42), 0.04), ((0.02, 0.20), 0.028))
    ]
    if not damaged:
        return (Piece("bumper", meshes[0], upper, "nose"), Piece("bumper", meshes[1], lower, "nose"))
    corners = ((-1.75, -0.5), (0.5, 1.75), (3.25, 4.5), (5.5, 6.75))
    tape = [patch(tub, u=u, v=(0.05, 0.42), offset=0.055, lines=9) for u in corners]
    sagging = [_sagging(mesh, shape) for mesh in (*meshes, join(*tape))]
    return (
        Piece("bumper", sagging[0], upper, "nose"),
        Piece("bumper", sagging[1], lower, "nose"),
        Piece("bumper", sagging[2], BARRIER_TAPE, "cold"),
    )


def _sagging(mesh: Mesh, shape: BodyShape) -> Mesh:
    end = np.sign(mesh.vertices[:, 0])
    share = np.clip(-end * mesh.vertices[:, 1] / shape.half_width + 0.15, 0, 1)
    # 24 cm at the corner, or nearly to the ground: a dozen pixels of a 192-pixel crop (ours).
    drop = min(0.24, shape.ground - 0.03)
    return Mesh(
        mesh.vertices + np.column_stack([0.08 * end * share, 0 * share, -drop * share**1.5]), mesh.faces
    )


def load_pieces(shape: BodyShape, tub: Shell, paint: Material, box_material: Material) -> tuple[Piece, ...]:
    """Return the open bed of a pickup, or the closed box of a truck; nothing for other bodies."""
    if shape.bed is not None:
        front, rear = shape.bed
        w = shape.half_width - 0.12
        hold = Outline(rear, front, w, 0.06, 0.06, 0.0, 0.0)
        rim = shape.tail + 0.02
        inside = Shell((Ring(0, hold), Ring(1, hold)), rim - 0.42, ((rear, rim), (front, rim)), crown=0.0)
        floor = box(((front + rear) / 2, 0, rim - 0.44), (front - rear, 2 * w, 0.04))
        edge_u = np.linspace(tub.rim_u(front + 0.08), 5, 14)
        left = tub.points(edge_u, np.ones_like(edge_u))
        inner = np.stack([np.clip(left[:, 0], rear, front), np.clip(left[:, 1], 0, w), left[:, 2]], -1)
        rail = grid(np.stack([left, inner], axis=0))
        return (
            Piece(
                "cargo",
                join(_inward(wall(inside, v=np.array([0.0, 1.0]))), floor),
                PLASTIC,
                "cold",
                smooth=False,
            ),
            Piece("body", both(_upward(rail)), paint),
        )
    if shape.box is not None:
        front, rear, top = shape.box
        w = shape.half_width + 0.06
        base = shape.ground + 0.42
        middle, length = (front + rear) / 2, front - rear
        beam = box((middle + 0.4, 0, base - 0.10), (length + 1.0, 1.0, 0.2))
        hull = box((middle, 0, (base + top) / 2), (length, 2 * w, top - base))
        edges = [
            box((x, y, (base + top) / 2), (0.07, 0.07, top - base + 0.03))
            for x in (front, rear)
            for y in (-w, w)
        ]
        edges += [box((middle, y, z), (length, 0.06, 0.09)) for y in (-w, w) for z in (base, top)]
        edges += [box((rear - 0.01, 0, (base + top) / 2), (0.02, 0.03, top - base))]
        return (
            Piece("cargo", hull, box_material, "cold", smooth=False),
            Piece("trim", join(*edges), PLASTIC, "cold", smooth=False),
            Piece("underbody", beam, SEAM, "under", smooth=False),
        )
    return ()


def both(mesh: Mesh) -> Mesh:
    """Return a left side's mesh together with its mirror image."""
    return join(mesh, mirrored(mesh))


def _outside(shell: Shell, distance: float) -> Shell:
    rings = []
    for ring in shell.rings:
        o = ring.outline
        wider = Outline(
            o.rear - distance, o.front + distance, o.half_width + distance,
            o.front_radius, o.rear_radius, o.front_bow, o.rear_bow,
        )  # fmt: skip
        rings.append(Ring(ring.v, wider))
    return Shell(tuple(rings), shell.bottom, shell.top, shell.crown)


def _inward(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


def _upward(mesh: Mesh) -> Mesh:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    down = np.cross(b - a, c - a)[:, 2] < 0
    return Mesh(mesh.vertices, np.where(down[:, None], mesh.faces[:, ::-1], mesh.faces))
