"""One sighting: everything about an observation that is not the identity, drawn anew each time.

Nothing here looks at who is seen: times, light, background, framing and occluders are drawn from
(seed, identity's name, camera, number) with the same distribution for everybody.
"""

from dataclasses import dataclass
from datetime import datetime

from nextreid.synthetic.parts import ObjectState


@dataclass(frozen=True)
class Light:
    """Illumination of a sighting.

    Args:
        period: "day", "dusk" or "night".
        sun: irradiance of the direct sun, 1 = what a well exposed day needs.
        sky: irradiance of the sky and of street light from everywhere.
        lamp: irradiance of one street lamp.
        direction: unit vector towards the sun.
        lamp_direction: unit vector towards the street lamp.
        sun_colour, sky_colour, lamp_colour: (3,) linear.
        exposure: the camera's automatic exposure, with its error.
        nir_day: near-infrared daylight.
        nir_lamp: strength of the active illuminator (on at dusk and night).
        nir_exposure: gain of the near-infrared camera.
        fog: share of light lost over 15 m in RGB; half of it in NIR, a tenth in TIR.
        rain: strength of rain, 0 none: bright streaks in RGB and NIR.
        bloom: strength of the halo round overexposed places in NIR, 0 none.
        flare: strength of a headlight in view, 0 none.
        flare_at: (x, y) in shares of the crop.
    """

    period: str
    sun: float
    sky: float
    lamp: float
    direction: tuple[float, float, float]
    lamp_direction: tuple[float, float, float]
    sun_colour: tuple[float, float, float]
    sky_colour: tuple[float, float, float]
    lamp_colour: tuple[float, float, float]
    exposure: float
    nir_day: float
    nir_lamp: float
    nir_exposure: float
    fog: float
    rain: float
    bloom: float
    flare: float
    flare_at: tuple[float, float]


@dataclass(frozen=True)
class Sensor:
    """What one sensor does to the picture in one sighting.

    Args:
        offset: (right, down) misregistration, shares of the crop's height.
        zoom: scale.
        sharpness: linear resolution over the stored resolution, 0..1.
        blur: radius of a Gaussian blur as a share of the crop's height.
        noise: standard deviation in codes of 255.
        jpeg: quality of a lossy coding, 0 none.
    """

    offset: tuple[float, float]
    zoom: float
    sharpness: float
    blur: float
    noise: float
    jpeg: int


@dataclass(frozen=True)
class Occluder:
    """Something in front: part of another identity, or clutter.

    Args:
        what: "identity", "pole", "bin", "bush" or "board".
        identity: index of the other identity in the world, -1 for clutter.
        place: (towards the camera, to the left) metres.
        turn: degrees.
        seed: for its shades.
    """

    what: str
    identity: int
    place: tuple[float, float]
    turn: float
    seed: int


@dataclass(frozen=True)
class Sighting:
    """One observation before it is rendered.

    Args:
        observation: its id.
        identity: index of the identity in the world.
        camera: index of the camera.
        number: which of the sightings by this camera.
        scene: recording session, "0" or "1".
        time: when.
        bearing: from where the camera sees the object, degrees (0 front, 90 left side, 180 back).
        shift: (right, down) of the object in the crop, shares of the crop's height.
        zoom: factor on the size of the object in the crop.
        state: pose and temperatures.
        light: illumination.
        sensors: modality -> sensor.
        occluders: what stands in front.
        backdrop: metres by which the background is shifted sideways, and its warmth in °C.
        seed: for noise and textures of this sighting.
    """

    observation: str
    identity: int
    camera: int
    number: int
    scene: str
    time: datetime
    bearing: float
    shift: tuple[float, float]
    zoom: float
    state: ObjectState
    light: Light
    sensors: dict[str, Sensor]
    occluders: tuple[Occluder, ...]
    backdrop: tuple[float, float]
    seed: int
