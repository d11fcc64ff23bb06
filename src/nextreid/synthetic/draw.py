"""Draw sightings: time, weather, light, framing, occluders. See `sighting.py` for what is drawn."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from nextreid.modality import NIR, RGB, TIR
from nextreid.seeding import derive_seed, numpy_generator
from nextreid.synthetic.cameras import Camera
from nextreid.synthetic.parts import ObjectState
from nextreid.synthetic.sighting import Light, Occluder, Sensor, Sighting

OCCLUDED = 0.42
"""Share of observations with something in front: ours, inside DESIGN's 30 to 50 %."""

FAR_AWAY = 0.12
"""Share of sightings that are few pixels enlarged: ours; many of the real crops are so soft."""

BLOOMING = {"day": 0.06, "dusk": 0.15, "night": 0.2}
"""How often the near-infrared picture is overexposed and bright cloth wears a halo: ours."""

CLUTTER = ("pole", "bin", "bush", "board")

PERIODS = {"day": 0.60, "dusk": 0.10, "night": 0.30}
"""How often: ours; enough nights that RGB alone fails, enough days that it is worth having."""

_EXPOSURE_DAY, _EXPOSURE_DARK = (0.15, 0.2), (0.25, 0.2)
"""Mean and spread of the logarithm of the exposure: ours, by eye; night stays under 25 % of day."""

_HOURS = {"day": (8.0, 17.0), "dusk": (17.5, 19.5), "night": (20.0, 29.0)}


def draw_sighting(
    *,
    seed: int,
    identity: int,
    name: str,
    camera: int,
    response: Camera,
    number: int,
    others: Sequence[int],
) -> Sighting:
    """Draw one sighting.

    Args:
        seed: the world's seed.
        identity: index of who is seen.
        name: the identity's name, six digits.
        camera: index of the camera.
        response: that camera.
        number: which of this camera's sightings of the identity.
        others: indices of identities that may stand in front (of the same split).
    """
    rng = numpy_generator(seed, "sighting", name, response.name, number)
    period = str(rng.choice(list(PERIODS), p=list(PERIODS.values())))
    scene = int(rng.integers(2))
    hour = float(rng.uniform(*_HOURS[period]))
    time = datetime(2024, 5 + 4 * scene, 1) + timedelta(days=int(rng.integers(28)), seconds=int(hour * 3600))
    ambient = float(rng.normal(17.0, 2.5)) + (1.5 if period == "day" else -1.5 if period == "night" else 0.0)
    ambient = float(np.clip(ambient, 8.0, 26.0))
    light = _draw_light(rng, period, response)
    occluders = _draw_occluders(rng, others, identity)
    own = derive_seed(seed, "pixels", name, response.name, number)
    state = ObjectState(
        phase=float(rng.uniform()),
        stride=float(rng.choice([0.0, rng.uniform(0.3, 1.0)], p=[0.25, 0.75])),
        ambient=ambient,
        night=period == "night",
        engine=float(rng.choice([0.0, rng.uniform(0.5, 1.0)], p=[0.3, 0.7])),
        lights=bool(rng.uniform() < (0.8 if period == "night" else 0.4 if period == "dusk" else 0.1)),
        load_heat=float(rng.normal(0.8, 1.2)),
        seed=own,
    )
    return Sighting(
        observation=f"{name}_cam{response.name}_{scene}_{number:02d}",
        identity=identity,
        camera=camera,
        number=number,
        scene=str(scene),
        time=time,
        bearing=float(rng.choice([0.0, 90.0, 180.0, 270.0]) + rng.uniform(-45.0, 45.0)) % 360.0,
        shift=(float(rng.normal(0.0, 0.012)), float(rng.normal(0.0, 0.012))),
        zoom=float(rng.uniform(0.94, 1.08)),
        state=state,
        light=light,
        sensors=_draw_sensors(rng, period, response),
        occluders=occluders,
        backdrop=(float(rng.uniform(-30.0, 30.0)), float(rng.normal(0.0, 1.5))),
        seed=own,
    )


def _unit(azimuth: float, elevation: float) -> tuple[float, float, float]:
    a, e = math.radians(azimuth), math.radians(elevation)
    return (math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e))


def _draw_light(rng: np.random.Generator, period: str, response: Camera) -> Light:
    """Irradiances relative to a well exposed day; ours, set by eye beside real crops."""
    clear = bool(rng.uniform() < 0.55)
    lamp_lit = bool(rng.uniform() < 0.6)
    tint = float(rng.uniform(-0.2, 0.2))
    sun = {"day": float(rng.uniform(0.9, 1.5)) if clear else 0.08, "dusk": 0.0, "night": 0.0}[period]
    sky = {
        "day": float(rng.uniform(0.4, 0.6)) if clear else float(rng.uniform(0.75, 1.2)),
        "dusk": float(rng.uniform(0.10, 0.26)),
        "night": float(rng.uniform(0.012, 0.026)),
    }[period]
    lamp = {"day": 0.0, "dusk": 0.05, "night": float(rng.uniform(0.025, 0.075))}[period] * lamp_lit
    sodium = float(rng.uniform(0.0, 1.0))
    fog = float(rng.uniform(0.1, 0.6)) if rng.uniform() < 0.1 else 0.0
    rain = float(rng.uniform(0.3, 1.0)) if rng.uniform() < 0.06 else 0.0
    bloom = float(rng.uniform(0.3, 1.0)) if rng.uniform() < BLOOMING[period] else 0.0
    chance = {"day": 0.0, "dusk": 0.15, "night": 0.25}[period]
    flare = float(rng.uniform(0.25, 0.9)) if rng.uniform() < chance else 0.0
    return Light(
        period=period,
        sun=sun,
        sky=sky,
        lamp=lamp,
        direction=_unit(float(rng.uniform(0, 360)), float(rng.uniform(20, 65))),
        lamp_direction=_unit(float(rng.uniform(0, 360)), float(rng.uniform(40, 70))),
        sun_colour=(1.06, 1.0, 0.9),
        sky_colour=(0.92 + tint, 1.0, 1.08 - tint),
        lamp_colour=(1.1 + 0.3 * sodium, 0.95 - 0.12 * sodium, 0.8 - 0.5 * sodium),
        exposure=float(np.exp(rng.normal(*(_EXPOSURE_DAY if period == "day" else _EXPOSURE_DARK)))),
        nir_day={"day": 0.75, "dusk": 0.12, "night": 0.0}[period] * float(rng.uniform(0.8, 1.15)),
        nir_lamp={"day": 0.0, "dusk": 0.6, "night": 0.8}[period] * response.lamp,
        nir_exposure=float(np.exp(rng.normal(0.3, 0.15) + 0.7 * bloom)),
        fog=fog,
        rain=rain,
        bloom=bloom,
        flare=flare,
        flare_at=(float(rng.uniform(-0.1, 1.1)), float(rng.uniform(0.3, 0.85))),
    )


def _within(value: float, limit: float) -> float:
    """A misregistration that the margin round the crop still covers."""
    return float(np.clip(value, -limit, limit))


def _draw_sensors(rng: np.random.Generator, period: str, response: Camera) -> dict[str, Sensor]:
    """Registration, resolution, blur and noise per modality; noise in codes of 255, set by eye."""
    grain = {
        RGB: {"day": 2.0, "dusk": 5.0, "night": 9.0}[period],
        NIR: {"day": 2.0, "dusk": 2.5, "night": 3.0}[period],
        TIR: 2.0,
    }
    poor = float(rng.uniform(0.45, 0.75)) if rng.uniform() < FAR_AWAY else 1.0
    sensors = {}
    for modality in (RGB, NIR, TIR):
        x, y = response.offset[modality]
        soft = bool(rng.uniform() < 0.2)
        far = poor if rng.uniform() < 0.7 else 1.0
        sensors[modality] = Sensor(
            offset=(_within(x + rng.normal(0.0, 0.013), 0.038), _within(y + rng.normal(0.0, 0.010), 0.034)),
            zoom=float(np.clip(response.zoom[modality] * rng.uniform(0.975, 1.04), 0.965, 1.07)),
            sharpness=float(np.clip(response.sharpness * far * rng.uniform(0.75, 1.1), 0.28, 1.0)),
            blur=float(rng.uniform(0.004, 0.009)) if soft else float(rng.uniform(0.0015, 0.003)),
            noise=grain[modality] * response.noise * float(rng.uniform(0.6, 1.6)),
            jpeg=int(rng.integers(45, 92)) if rng.uniform() < 0.55 else 0,
        )
    return sensors


def _draw_occluders(rng: np.random.Generator, others: Sequence[int], identity: int) -> tuple[Occluder, ...]:
    if rng.uniform() >= OCCLUDED:
        return ()
    candidates = [other for other in others if other != identity]
    somebody = bool(rng.uniform() < 0.55) and bool(candidates)
    who = candidates[int(rng.integers(len(candidates)))] if somebody else -1
    side = -1.0 if rng.uniform() < 0.5 else 1.0
    return (
        Occluder(
            what="identity" if somebody else CLUTTER[int(rng.integers(len(CLUTTER)))],
            identity=who,
            place=(float(rng.uniform(0.6, 1.8)), side * float(rng.uniform(0.9, 1.2))),
            turn=float(rng.uniform(0, 360)),
            seed=int(rng.integers(1 << 30)),
        ),
    )
