"""Persons as identities: what words say of them, and what words do not say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from nextreid.seeding import numpy_generator
from nextreid.synthetic.colours import NEUTRAL, draw_any, draw_shade, draw_worn_shade, linear
from nextreid.synthetic.lineage import Slot, plan_lineage
from nextreid.synthetic.parts import PATTERNS, Colour, Pattern

CARRYING = (
    "nothing", "nothing", "backpack", "handbag", "shoulder bag", "school bag", "suitcase", "bottle", "phone",
    "umbrella", "book",
)  # fmt: skip
COMMON_COLOURS = (
    "black", "black", "white", "gray", "light gray", "dark gray", "red", "orange", "yellow", "green", "blue",
    "light blue", "dark blue", "purple", "pink", "brown", "beige",
)  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "age": ("child", "teenager", "adult", "adult", "adult", "senior"),
    "gender": ("male", "female"),
    "upper": ("t-shirt", "shirt", "tank top", "sweater", "hoodie", "jacket", "coat"),
    "upper_colour": COMMON_COLOURS,
    "lower": ("trousers", "jeans", "shorts", "leggings"),
    "lower_colour": COMMON_COLOURS,
    "shoes": ("casual sneakers", "athletic sneakers", "casual boots", "casual sandals", "formal shoes"),
    "hair_length": ("short", "medium", "long"),
    "hair_style": ("straight", "wavy", "curly", "tied-back"),
    "glasses": ("no glasses", "no glasses", "glasses", "sunglasses"),
    "carrying": CARRYING,
}
_WOMEN: dict[str, tuple[str, ...]] = {
    "upper": (*_CHOICES["upper"], "blouse", "dress"),
    "lower": (*_CHOICES["lower"], "skirt"),
    "shoes": (*_CHOICES["shoes"], "formal heels"),
    "hair_length": ("short", "medium", "long", "long"),
}
CHANGEABLE = (
    "upper_colour", "carrying", "lower_colour", "hair_length", "shoes", "lower", "glasses", "hair_style",
)  # fmt: skip
"""Attributes that look-alikes may differ in; each keeps the body and the shades of all other parts."""


@dataclass(frozen=True)
class PersonDetail:
    """What words do not say of a person. Lengths in metres or as factors, reflectances 0..1.

    Shades are linear RGB; `nir_*` reflectance at 850 nm, drawn without regard to the shade; `warmth_*`
    °C above the air at the outside of the cloth (thin cloth is warm, a padded coat is not).
    """

    girth: float
    shoulders: float
    legs: float
    head: float
    arms: float
    stoop: float
    fit: float
    hem: float
    sleeve: float
    hair_volume: float
    skin: Colour
    hair: Colour
    upper: Colour
    upper_pattern: Pattern | None
    quilt: float
    lower: Colour
    lower_pattern: Pattern | None
    shoe: Colour
    sole: Colour
    bag: Colour
    bag_pattern: Pattern | None
    bag_size: float
    hat: Colour | None
    nir_upper: float
    nir_lower: float
    nir_shoe: float
    nir_bag: float
    nir_hair: float
    warmth_upper: float
    warmth_lower: float
    warmth_shoe: float
    swing: float
    side: int


@dataclass(frozen=True)
class PersonIdentity:
    """One person of the world (see `parts.Identity`)."""

    name: str
    split: str
    lookalike: str
    twins: str
    attributes: Mapping[str, str]
    detail_of: PersonDetail
    kind: str = "person"

    @property
    def detail(self) -> Mapping[str, object]:
        """The details as plain values."""
        return asdict(self.detail_of)


def sample_person_identities(
    count: int, seed: int, *, test_fraction: float = 0.5
) -> tuple[PersonIdentity, ...]:
    """Draw the persons of a world, training ones first.

    Args:
        count: identities, at least 2.
        seed: the world's seed.
        test_fraction: share that is for testing, 0..1.

    Raises:
        InputError: too few identities or a bad fraction.
    """
    return tuple(_person(slot, seed) for slot in plan_lineage(count, test_fraction=test_fraction))


def _person(slot: Slot, seed: int) -> PersonIdentity:
    base = _draw_attributes(numpy_generator(seed, "person-words", slot.clan))
    changed = CHANGEABLE[slot.clan % len(CHANGEABLE)]
    other = _change(base, changed, numpy_generator(seed, "person-change", slot.clan))
    words = other if slot.variant else base
    detail = _draw_detail(base, numpy_generator(seed, "person-detail", slot.clan, slot.body))
    if slot.variant and changed in words and changed in ("upper_colour", "lower_colour"):
        part = changed.removesuffix("_colour")
        rng = numpy_generator(seed, "person-shade", slot.clan, slot.body)
        shade = draw_worn_shade(words[changed], rng)
        detail = replace(detail, upper=shade) if part == "upper" else replace(detail, lower=shade)
    return PersonIdentity(slot.name, slot.split, slot.lookalike, slot.twins, words, detail)


def _draw_attributes(rng: np.random.Generator) -> dict[str, str]:
    gender = _pick(_CHOICES["gender"], rng)
    words = {"gender": gender}
    for name, values in _CHOICES.items():
        options = _WOMEN.get(name, values) if gender == "female" else values
        words.setdefault(name, _pick(options, rng))
    if words["upper"] == "dress":
        del words["lower"], words["lower_colour"]
    return words


def _change(base: Mapping[str, str], name: str, rng: np.random.Generator) -> dict[str, str]:
    if name not in base:  # a dress has no lower garment to change
        name = "carrying"
    values = _WOMEN.get(name, _CHOICES[name]) if base["gender"] == "female" else _CHOICES[name]
    return {**base, name: _pick(tuple(v for v in dict.fromkeys(values) if v != base[name]), rng)}


def _pick(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def _pattern(rng: np.random.Generator, chance: float, ground: float) -> Pattern | None:
    """A second dye on cloth of reflectance `ground`; in the near infrared it shows in two cases of three."""
    kind = PATTERNS[int(rng.integers(len(PATTERNS)))]
    light = float(rng.uniform(0.55, 0.92)) if ground < 0.3 else float(rng.uniform(0.04, 0.15))
    contrast = round(light, 3)
    dye = draw_any(rng) if rng.uniform() < 0.4 else draw_shade(_pick(NEUTRAL, rng), rng)
    drawn = Pattern(
        kind,
        dye,
        contrast if rng.uniform() < 0.67 else ground,
        scale=round(float(rng.uniform(0.05, 0.22)), 3),
        duty=round(float(rng.uniform(0.2, 0.5)), 3),
        phase=round(float(rng.uniform()), 3),
    )
    return drawn if rng.uniform() < chance else None


def _draw_detail(words: Mapping[str, str], rng: np.random.Generator) -> PersonDetail:
    """Draw a body and its textures. Ranges are ours: wide enough that twins differ at 192x96."""

    def u(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 4)

    def reflectance(high: float = 0.97) -> float:
        """Square of a uniform draw: even steps to the eye, from very dark to white."""
        return round(float(rng.uniform(0.2, high)) ** 2, 4)

    young, half_grown = words["age"] == "child", words["age"] == "teenager"
    tone = u(0.0, 1.0)
    nir_upper, nir_lower, nir_bag = reflectance(), reflectance(), reflectance()
    skin = linear((0.93 - 0.55 * tone, 0.76 - 0.50 * tone, 0.66 - 0.48 * tone))
    greyed = words["age"] == "senior"
    hair_names = ("light gray", "gray", "white") if greyed else ("black", "black", "brown", "beige", "orange")
    return PersonDetail(
        girth=u(0.82, 1.4) * {"teenager": 0.80, "child": 0.92}.get(words["age"], 1.0),
        shoulders=u(0.94, 1.10) * (0.85 if words["gender"] == "female" else 1.07) * (0.88 if young else 1.0),
        legs=u(0.455, 0.52) - 0.03 * young + 0.012 * half_grown,
        head=u(0.95, 1.06) + 0.30 * young + 0.11 * half_grown,
        arms=u(0.94, 1.06) - 0.05 * young,
        stoop=u(0.0, 0.06) + 0.13 * greyed,
        fit=u(0.0, 1.0),
        hem=u(0.0, 1.0),
        sleeve=u(0.0, 1.0),
        hair_volume=u(0.92, 1.12),
        skin=skin,
        hair=draw_shade(_pick(hair_names, rng), rng),
        upper=draw_worn_shade(words["upper_colour"], rng),
        upper_pattern=_pattern(rng, 0.65, nir_upper),
        quilt=u(0.05, 0.12) if rng.uniform() < 0.35 else 0.0,
        lower=draw_worn_shade(words.get("lower_colour", "black"), rng),
        lower_pattern=_pattern(rng, 0.35, nir_lower),
        shoe=draw_any(rng),
        sole=draw_shade(_pick(("white", "white", "black", "gray", "beige"), rng), rng),
        bag=draw_any(rng),
        bag_pattern=_pattern(rng, 0.4, nir_bag),
        bag_size=u(0.8, 1.25),
        hat=draw_any(rng) if rng.uniform() < 0.2 else None,
        nir_upper=nir_upper,
        nir_lower=nir_lower,
        nir_shoe=reflectance(),
        nir_bag=nir_bag,
        nir_hair=reflectance(0.7),
        warmth_upper=u(3.5, 9.0),
        warmth_lower=u(4.0, 9.0),
        warmth_shoe=u(0.5, 5.0),
        swing=u(0.6, 1.3),
        side=int(rng.integers(2)) * 2 - 1,
    )
