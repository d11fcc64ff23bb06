"""The 3-D parts that objects are made of, and the protocol that every kind of object follows.

Frame of an object: metres; x points where the object faces, y to its left, z up; the origin lies on
the ground below its middle. Temperatures are °C above the surrounding air, so that one object fits
any weather.

**Protocol of a kind** (persons in `person.py`/`person_identities.py`, vehicles in `vehicle.py`/
`vehicle_identities.py`; the world calls either through `kinds.py`):

- `sample_<kind>_identities(count, seed, *, test_fraction=0.5) -> tuple[<Kind>Identity, ...]`: frozen
  dataclasses with at least the fields of `Identity` below. Who is whose look-alike and twin is not
  theirs to invent: `lineage.plan_lineage` gives the slots (split, look-alike pair, twin set).
- `build_<kind>(identity, state) -> tuple[Part, ...]`: pure; no random draw that is not in the
  identity or derived from `state.seed` (folds, wheel angle).
- `describe_<kind>(identity, state, bearing) -> dict[str, str]`: every schema attribute of the object
  in this state seen from `bearing` (degrees: 0 the camera looks at its front, 90 at its left side,
  180 at its back), `viewpoint` and state values (headlights on) included; the attributes of light and
  image quality are added by the world.
- `<KIND>_EVIDENCE: Mapping[str, tuple[str, ...]]`: attribute -> names of parts whose pixels show it;
  an attribute counts as visible when enough pixels of any of them are (rules in `truth.py`). A key
  `attribute=value` overrides the attribute's (what shows that there is *no* spoiler).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PERSON_PARTS = (
    "face", "hair", "glasses", "hat", "neck", "upper", "sleeve", "arm", "hand",
    "lower", "leg", "shoe", "bag", "held",
)  # fmt: skip
"""Semantic parts of a person; the mask holds 1 + the index, 0 is background, `OTHER` another object."""

VEHICLE_PARTS = (
    "body", "bonnet", "roof", "door", "windscreen", "window", "rear_window", "headlight", "taillight",
    "grille", "bumper", "licence_plate", "rim", "tyre", "mirror", "spoiler", "roof_rack", "exhaust",
    "cargo", "trim", "emblem", "underbody",
)  # fmt: skip
"""Semantic parts of a vehicle, numbered likewise."""

OTHER = 255
"""Mask value of occluders: clutter or part of another identity."""

PATTERNS = ("stripes", "bars", "check", "dots", "blocks", "speckle", "print")
"""Pattern kinds: horizontal stripes, vertical bars, check, dots, two blocks, speckle, a print in front."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Pattern:
    """A second dye on a material. It changes RGB and, by its own reflectance, NIR.

    A dye never changes TIR; what lies on a surface (mud, rust) does, by its own emissivity.

    Args:
        kind: one of `PATTERNS`.
        albedo: linear RGB of the second dye, 0..1.
        nir: its reflectance in the near infrared, 0..1 (equal to the material's: invisible there).
        scale: period in metres.
        duty: share of the surface under the second dye, 0..1.
        phase: where the pattern begins, in periods.
        emissivity: 8..14 µm, 0..1; None (a dye): the material's own.
    """

    kind: str
    albedo: Colour
    nir: float
    scale: float = 0.08
    duty: float = 0.5
    phase: float = 0.0
    emissivity: float | None = None


@dataclass(frozen=True)
class Material:
    """What a surface does to light and heat.

    Args:
        name: for people (`cotton`, `paint`, `glass`).
        albedo: linear RGB reflectance, 0..1 (not sRGB).
        nir: reflectance at 850 nm, 0..1; independent of the albedo (dyed cloth may be bright).
        emissivity: 8..14 µm, 0..1; the rest reflects a cold sky (glass 0.85, cloth 0.95, chrome 0.2).
        gloss: strength of the highlight, 0..1, for RGB and NIR.
        retro: share of an illuminator's light sent straight back (plates, reflective bands), 0..1.
        folds: strength of cloth folds, 0..1: they shade RGB and NIR and ripple the temperature.
        quilt: distance of quilting seams in metres, 0 none: seams are dark in RGB and NIR and warm.
        pattern: a second dye, or None.
    """

    name: str
    albedo: Colour
    nir: float
    emissivity: float = 0.95
    gloss: float = 0.0
    retro: float = 0.0
    folds: float = 0.0
    quilt: float = 0.0
    pattern: Pattern | None = None


@dataclass(frozen=True)
class Part:
    """A closed or open triangle mesh of one material.

    Args:
        name: a semantic part of `PERSON_PARTS` or `VEHICLE_PARTS`; several meshes may share it.
        vertices: (V, 3) float32, metres, object frame.
        faces: (F, 3) int32.
        material: its surface.
        heat: surface temperature above the air in °C, one number or one a vertex (V,).
        uv: (V, 2) surface coordinates in metres for patterns and folds (u around or across, v up);
            None: the world takes (x + y, z).
        glow: own light in linear RGB, 1 = a white surface in full sun (lamps at night: 0.5..3).
        glow_nir: own light in the near infrared, the same unit (LED lamps emit almost none).
        smooth: interpolate normals over the mesh (round shapes); False keeps flat faces (boxes).
    """

    name: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    material: Material
    heat: float | NDArray[np.float32] = 0.0
    uv: NDArray[np.float32] | None = None
    glow: Colour = (0.0, 0.0, 0.0)
    glow_nir: float = 0.0
    smooth: bool = True


@dataclass(frozen=True)
class ObjectState:
    """What differs between two sightings of one object; drawn per observation, never per identity.

    Args:
        phase: phase of the walk, 0..1 (also the turn of wheels).
        stride: length of the stride, 0 standing .. 1 brisk.
        ambient: air temperature, °C.
        night: lamps of vehicles are more often lit.
        engine: 0 cold .. 1 at working temperature (bonnet, exhaust, tyres).
        lights: headlights and taillights are lit.
        load_heat: temperature of what is carried, °C above the air (a bag out of a car or an office).
        seed: for draws of the sighting itself, such as folds.
    """

    phase: float = 0.0
    stride: float = 0.5
    ambient: float = 18.0
    night: bool = False
    engine: float = 0.0
    lights: bool = False
    load_heat: float = 1.0
    seed: int = 0


class Identity(Protocol):
    """What every identity carries, whatever its kind.

    Attributes:
        name: six digits, as the RGBNT201 folders have it ("000007"); unique in the world.
        kind: "person" or "vehicle".
        split: "train" or "test".
        lookalike: the look-alike group; its members share all geometry and shade but one attribute.
        twins: the twin set; its members share every attribute and differ in what words do not say.
        attributes: schema attribute -> value, identity attributes only.
        detail: what words do not say (shade, proportion, texture, reflectances); plain numbers, strings
            and tuples, written to world.json.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def split(self) -> str: ...  # noqa: D102
    @property
    def lookalike(self) -> str: ...  # noqa: D102
    @property
    def twins(self) -> str: ...  # noqa: D102
    @property
    def attributes(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def detail(self) -> Mapping[str, object]: ...  # noqa: D102


@dataclass(frozen=True)
class PartTable:
    """Part names of a kind and their mask values, as `parts.json` holds them."""

    kind: str
    names: tuple[str, ...] = field(default=())

    def number(self, name: str) -> int:
        """Mask value of a part: 1 + its index."""
        return 1 + self.names.index(name)


PART_TABLES = {"person": PartTable("person", PERSON_PARTS), "vehicle": PartTable("vehicle", VEHICLE_PARTS)}
