"""Vehicles as identities: what words say of them, and what words do not say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from nextreid.seeding import numpy_generator
from nextreid.synthetic.colours import draw_any, draw_shade
from nextreid.synthetic.lineage import Slot, plan_lineage
from nextreid.synthetic.parts import PATTERNS, Colour, Pattern
from nextreid.synthetic.vehicle_brands import BRANDS

_LAMPS = ("angular", "rectangular", "oval", "round")
_CHOICES: dict[str, tuple[str, ...]] = {
    # A value named twice is drawn twice as often: ours, so that what is rare in traffic stays rare.
    "colour": (
        "white", "white", "black", "black", "gray", "gray", "silver", "red", "blue", "green", "yellow",
        "orange", "gold", "brown", "beige", "purple",
    ),
    "brand": tuple(BRANDS),
    "type": (
        "sedan", "sedan", "SUV", "SUV", "hatchback", "hatchback", "minivan", "van", "pickup", "truck", "bus",
        "coupe",
    ),
    "wear": ("new", "new", "used", "used", "worn"),
    "window_tint": ("clear", "tinted", "dirty"),
    "window_shape": ("flat", "curved", "panoramic"),
    "headlights_shape": _LAMPS,
    "taillights": _LAMPS,
    "grille_pattern": ("horizontal", "vertical", "hexagonal", "mesh"),
    "grille_edges": ("straight", "rounded", "sharp"),
    "roof_shape": ("flat", "sloped", "domed"),
    "roof_state": ("clean", "clean", "clean", "dirty"),
    "tyres_wear": ("new", "used", "worn"),
    "tyres_size": ("small", "medium", "large"),
    "tyres_kind": ("regular", "street", "off-road"),
    "bumpers": ("intact", "intact", "intact", "damaged"),
    "mirrors": ("intact", "intact", "intact", "intact", "damaged", "missing"),
    "licence_plate": ("visible", "visible", "visible", "not visible"),
    "spoiler": ("present", "not present", "not present"),
    "roof_rack": ("present", "not present", "not present"),
    "exhaust": ("hidden", "single", "dual"),
}  # fmt: skip
CHANGEABLE = (
    "colour", "roof_rack", "window_shape", "brand", "spoiler", "tyres_kind", "wear", "headlights_shape",
    "bumpers", "grille_pattern", "roof_shape", "taillights", "window_tint", "mirrors", "grille_edges",
    "tyres_size", "exhaust", "licence_plate",
)  # fmt: skip
"""Attributes that look-alikes may differ in, the plain ones first; each keeps body, shade and marks."""

PLATES = ("blue", "blue", "green", "yellow", "white")
"""Grounds of licence plates; blue twice, as the most common of the real crops."""


@dataclass(frozen=True)
class VehicleDetail:
    """What words do not say of a vehicle. Factors are about 1, reflectances 0..1, shades linear RGB.

    Args:
        length, width, height: factors of the body type's measures.
        rake: metres that the cabin stands further back.
        paint, paint_nir, gloss: the paint; its reflectance at 850 nm is drawn without regard to the shade.
        roof: paint of the roof where it is another, else None.
        trim_nir: of plastic trims and bumpers.
        bright_trim: chrome round the windows.
        painted_bumpers: the upper half of the bumpers has the body's paint.
        tint: 0..1, how dark the glass is inside its word.
        spokes, spoke_width, spoke_pairs: of the rims; no spokes is a steel disc.
        rim, rim_nir: metal of the rims.
        lamp_size, tail_size, grille_height: factors.
        grille_bright: pattern of the grille in chrome instead of dark metal.
        decal, decal_place, decal_size, decal_film, decal_nir, decal_pattern: what is stuck on the paint.
        plate, plate_code: ground of the licence plate and its glyphs (six strokes each, as bits).
        cargo, cargo_nir, cargo_pattern: a truck's box.
        marks: seed of the places of scratches and rust.
    """

    length: float
    width: float
    height: float
    rake: float
    paint: Colour
    paint_nir: float
    gloss: float
    roof: Colour | None
    trim_nir: float
    bright_trim: bool
    painted_bumpers: bool
    tint: float
    spokes: int
    spoke_width: float
    spoke_pairs: bool
    rim: Colour
    rim_nir: float
    lamp_size: float
    tail_size: float
    grille_height: float
    grille_bright: bool
    decal: str
    decal_place: float
    decal_size: float
    decal_film: Colour
    decal_nir: float
    decal_pattern: Pattern | None
    plate: str
    plate_code: tuple[int, ...]
    cargo: Colour
    cargo_nir: float
    cargo_pattern: Pattern | None
    marks: int


@dataclass(frozen=True)
class VehicleIdentity:
    """One vehicle of the world (see `parts.Identity`)."""

    name: str
    split: str
    lookalike: str
    twins: str
    attributes: Mapping[str, str]
    detail_of: VehicleDetail
    kind: str = "vehicle"

    @property
    def detail(self) -> Mapping[str, object]:
        """The details as plain values."""
        return asdict(self.detail_of)


def sample_vehicle_identities(
    count: int, seed: int, *, test_fraction: float = 0.5
) -> tuple[VehicleIdentity, ...]:
    """Draw the vehicles of a world, training ones first.

    Args:
        count: identities, at least 2.
        seed: the world's seed.
        test_fraction: share that is for testing, 0..1.

    Raises:
        InputError: too few identities or a bad fraction.
    """
    return tuple(_vehicle(slot, seed) for slot in plan_lineage(count, test_fraction=test_fraction))


def _vehicle(slot: Slot, seed: int) -> VehicleIdentity:
    rng = numpy_generator(seed, "vehicle-words", slot.clan)
    base = {name: _pick(values, rng) for name, values in _CHOICES.items()}
    changed = CHANGEABLE[slot.clan % len(CHANGEABLE)]
    others = tuple(value for value in dict.fromkeys(_CHOICES[changed]) if value != base[changed])
    other = {**base, changed: _pick(others, numpy_generator(seed, "vehicle-change", slot.clan))}
    words = other if slot.variant else base
    detail = _draw_detail(base, numpy_generator(seed, "vehicle-detail", slot.clan, slot.body))
    if slot.variant and changed == "colour":
        shade = draw_shade(words["colour"], numpy_generator(seed, "vehicle-shade", slot.clan, slot.body))
        detail = replace(detail, paint=shade)
    return VehicleIdentity(slot.name, slot.split, slot.lookalike, slot.twins, words, detail)


def _pick(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def _pattern(rng: np.random.Generator, chance: float) -> Pattern | None:
    drawn = Pattern(
        PATTERNS[int(rng.integers(len(PATTERNS)))],
        draw_any(rng),
        round(float(rng.uniform(0.08, 0.9)), 3),
        scale=round(float(rng.uniform(0.25, 0.9)), 3),
        duty=round(float(rng.uniform(0.25, 0.6)), 3),
        phase=round(float(rng.uniform()), 3),
    )
    return drawn if rng.uniform() < chance else None


def _draw_detail(words: Mapping[str, str], rng: np.random.Generator) -> VehicleDetail:
    """Draw a body and its textures. Ranges are ours: wide enough that twins differ at 192x96."""

    def u(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    return VehicleDetail(
        length=u(0.93, 1.07),
        width=u(0.96, 1.04),
        height=u(0.95, 1.06),
        rake=u(-0.10, 0.10),
        paint=draw_shade(words["colour"], rng),
        paint_nir=u(0.10, 0.85),
        gloss=u(0.35, 0.8),
        roof=draw_any(rng) if rng.uniform() < 0.2 else None,
        trim_nir=u(0.05, 0.35),
        bright_trim=bool(rng.uniform() < 0.4),
        painted_bumpers=bool(rng.uniform() < 0.6),
        tint=u(0.0, 1.0),
        spokes=int(_pick(("0", "3", "5", "5", "6", "7", "9", "12"), rng)),
        spoke_width=u(0.28, 0.62),
        spoke_pairs=bool(rng.uniform() < 0.3),
        rim=draw_shade(_pick(("silver", "silver", "light gray", "gray", "black", "white", "gold"), rng), rng),
        rim_nir=u(0.2, 0.75),
        lamp_size=u(0.85, 1.2),
        tail_size=u(0.85, 1.2),
        grille_height=u(0.8, 1.25),
        grille_bright=bool(rng.uniform() < 0.5),
        decal=_pick(("none", "none", "line", "sill", "panel", "tail"), rng),
        decal_place=u(0.0, 1.0),
        decal_size=u(0.0, 1.0),
        decal_film=draw_any(rng),
        decal_nir=u(0.08, 0.9),
        decal_pattern=_pattern(rng, 0.5),
        plate=_pick(PLATES, rng),
        plate_code=tuple(int(glyph) for glyph in rng.integers(9, 63, 6)),
        cargo=draw_shade(_pick(("white", "white", "silver", "blue", "green", "orange", "gray"), rng), rng),
        cargo_nir=u(0.15, 0.85),
        cargo_pattern=_pattern(rng, 0.5),
        marks=int(rng.integers(2**31)),
    )
