"""Surfaces of vehicles: paint, glass, plastic, chrome, rubber, lamps, plates.

Near-infrared reflectance of paint comes from the vehicle's own detail, not from its colour's name: two
cars of one colour may differ there, and a repainted one is the same. Nothing here sets a temperature.
"""

from collections.abc import Mapping

from nextreid.synthetic.parts import Colour, Material, Pattern
from nextreid.synthetic.vehicle_identities import VehicleDetail

PLASTIC = Material("plastic", (0.03, 0.03, 0.032), nir=0.10, emissivity=0.94, gloss=0.1)
SEAM = Material("gap", (0.012, 0.012, 0.012), nir=0.03, emissivity=0.95)
CHROME = Material("chrome", (0.62, 0.62, 0.64), nir=0.66, emissivity=0.55, gloss=0.9)
STEEL = Material("steel", (0.28, 0.28, 0.29), nir=0.32, emissivity=0.75, gloss=0.3)
RED_LENS = Material("lens", (0.42, 0.015, 0.02), nir=0.45, emissivity=0.80, gloss=0.6, retro=0.25)
INNER_LENS = Material("reflector", (0.62, 0.20, 0.08), nir=0.60, emissivity=0.72, gloss=0.6, retro=0.3)
CLEAR_LENS = Material("lens", (0.22, 0.23, 0.25), nir=0.50, emissivity=0.80, gloss=0.8, retro=0.15)
TAPE = Material("tape", (0.70, 0.68, 0.62), nir=0.75, emissivity=0.45, gloss=0.2)
BARRIER_TAPE = Material(
    "tape", (0.75, 0.75, 0.72), nir=0.75, emissivity=0.45, gloss=0.2,
    pattern=Pattern("check", (0.55, 0.02, 0.02), 0.12, scale=0.26),
)  # fmt: skip
REFLECTOR = Material("reflector", (0.30, 0.30, 0.31), nir=0.40, emissivity=0.72, gloss=0.6, retro=0.3)
RUST = Material("rust", (0.16, 0.060, 0.022), nir=0.34, emissivity=0.97)
INK = Material("ink", (0.03, 0.03, 0.03), nir=0.12, emissivity=0.90)
WHITE_INK = Material("ink", (0.80, 0.80, 0.80), nir=0.25, emissivity=0.90)

_MUD: Colour = (0.05, 0.036, 0.02)
_DUST: Colour = (0.42, 0.36, 0.27)
_SPLIT = 0.25
"""Reflectance that parts bright paint from dark: ours, the middle gray of the eye (sRGB 0.54)."""
_GROUNDS: Mapping[str, Colour] = {
    "blue": (0.02, 0.09, 0.48), "green": (0.16, 0.50, 0.20),
    "yellow": (0.75, 0.48, 0.02), "white": (0.75, 0.75, 0.75),
}  # fmt: skip
_RUBBER: Mapping[str, tuple[Colour, float, float]] = {
    # albedo, near infrared, gloss: black when new, gray and dusty when worn; ours
    "new": ((0.008, 0.008, 0.009), 0.03, 0.35),
    "used": ((0.055, 0.053, 0.050), 0.12, 0.05),
    "worn": ((0.170, 0.150, 0.120), 0.30, 0.0),
}
_DULL: Mapping[str, float] = {"new": 1.0, "used": 0.55, "worn": 0.15}
_TINTS: Mapping[str, tuple[float, float]] = {
    "clear": (0.16, 0.10),
    "tinted": (0.025, 0.006),
    "dirty": (0.10, 0.06),
}


def paint(detail: VehicleDetail, wear: str, *, colour: Colour | None = None, dirty: bool = False) -> Material:
    """Return car paint.

    Args:
        detail: the vehicle's own.
        wear: takes the gloss away; "worn" leaves blind flecks.
        colour: another paint than the body's.
        dirty: blots lie on it, mud on bright paint and dust on dark; both are dull in the thermal picture
            where clear coat mirrors the cold sky.
    """
    own = detail.paint if colour is None else colour
    blots = None
    if dirty:
        lies = _MUD if _is_bright(own) else _DUST
        blots = Pattern(
            "speckle",
            lies,
            _other(detail.paint_nir, 0.08, 0.60),
            scale=0.25,
            phase=detail.tint,
            emissivity=0.985,
        )
    elif wear == "worn":  # the clear coat has gone blind in flecks: halfway to what lies under it
        bare = scratched(detail, own)
        red, green, blue = (0.5 * mine + 0.5 * under for mine, under in zip(own, bare.albedo, strict=True))
        dull = 0.5 * detail.paint_nir + 0.5 * bare.nir
        blots = Pattern("speckle", (red, green, blue), dull, scale=0.16, phase=detail.tint, emissivity=0.975)
    return Material(
        "paint",
        own,
        nir=detail.paint_nir,
        emissivity=0.90,
        gloss=detail.gloss * _DULL[wear],
        pattern=blots,
    )


def _is_bright(colour: Colour) -> bool:
    return sum(colour) / 3 > _SPLIT


def _other(reflectance: float, dark: float, bright: float) -> float:
    """What stands out from a surface: `dark` from a bright one, `bright` from a dark one."""
    return dark if reflectance > _SPLIT else bright


def scratched(detail: VehicleDetail, own: Colour) -> Material:
    """Return what shows in a scratch: dark primer under bright paint, bare metal under dark paint.

    Each spectrum sees its own contrast; in the thermal picture bare metal mirrors the cold sky.
    """
    level = 0.07 if _is_bright(own) else 0.50
    return Material(
        "primer", (level, level, level), nir=_other(detail.paint_nir, 0.08, 0.60), emissivity=0.62
    )


def grille_frame(detail: VehicleDetail) -> Material:
    """Return what a grille is framed with: chrome on dark paint, black on bright, in each spectrum."""
    level = 0.012 if _is_bright(detail.paint) else 0.62
    return Material(
        "frame", (level, level, level), nir=_other(detail.paint_nir, 0.03, 0.66), emissivity=0.55, gloss=0.4
    )


def film(detail: VehicleDetail) -> Material:
    """Return what the decal is made of; as emissive as paint, so that the thermal picture has no decal."""
    return Material(
        "film",
        detail.decal_film,
        nir=detail.decal_nir,
        emissivity=0.90,
        gloss=0.2,
        pattern=detail.decal_pattern,
    )


def box_wall(detail: VehicleDetail) -> Material:
    """Return the wall of a truck's box."""
    return Material(
        "panel", detail.cargo, nir=detail.cargo_nir, emissivity=0.92, gloss=0.1, pattern=detail.cargo_pattern
    )


def glass(detail: VehicleDetail, tint: str, *, windscreen: bool = False) -> Material:
    """Return window glass, near-opaque: dark by day, a mirror of the cold sky in the thermal picture.

    Args:
        detail: how dark the glass is inside its word.
        tint: a `window_tint`; dirt lies in blots.
        windscreen: may not be tinted; it stays at least half as clear as clear glass.
    """
    bright, dark = _TINTS[tint]
    level = bright + (dark - bright) * detail.tint
    if windscreen:
        level = max(level, 0.05)
    dust = Pattern("speckle", (0.20, 0.18, 0.14), 0.24, scale=0.3) if tint == "dirty" else None
    return Material(
        "glass",
        (level, level * 1.04, level * 1.07),
        nir=1.1 * level + 0.02,
        emissivity=0.84,
        gloss=0.25 if tint == "dirty" else 0.9,
        pattern=dust,
    )


def rubber(wear: str) -> Material:
    """Return tyre rubber by the schema's `tyres_wear`."""
    albedo, nir, gloss = _RUBBER[wear]
    return Material("rubber", albedo, nir=nir, emissivity=0.95, gloss=gloss)


def metal(detail: VehicleDetail) -> Material:
    """Return the metal of the rims."""
    return Material("alloy", detail.rim, nir=detail.rim_nir, emissivity=0.80, gloss=0.4)


def trim(detail: VehicleDetail) -> Material:
    """Return the plastic of bumpers and trims."""
    return Material("plastic", (0.032, 0.032, 0.034), nir=detail.trim_nir, emissivity=0.94, gloss=0.1)


def plate(ground: str) -> tuple[Material, Material]:
    """Return ground and ink of a licence plate: the ground sends an illuminator's light straight back."""
    ink = WHITE_INK if ground == "blue" else INK
    return Material("plate", _GROUNDS[ground], nir=0.70, emissivity=0.65, gloss=0.2, retro=0.85), ink
