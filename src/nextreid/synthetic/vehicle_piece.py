"""A piece of a vehicle: a mesh that does not know yet how warm it is and whether its lamp is lit."""

from dataclasses import dataclass

from nextreid.synthetic.parts import Material
from nextreid.synthetic.vehicle_shell import Mesh

SOURCES = (
    "skin",
    "bonnet",
    "nose",
    "grille",
    "glass",
    "tyre",
    "wheel",
    "exhaust",
    "under",
    "cold",
    "headlamp",
    "taillamp",
)
"""What warms a piece; `vehicle_heat.py` says how much in which state."""


@dataclass(frozen=True)
class Piece:
    """A mesh with its place in the vehicle.

    Args:
        name: one of `VEHICLE_PARTS`.
        mesh: in the vehicle's frame.
        material: its surface.
        source: one of `SOURCES`.
        smooth: interpolate normals.
    """

    name: str
    mesh: Mesh
    material: Material
    source: str = "skin"
    smooth: bool = True
