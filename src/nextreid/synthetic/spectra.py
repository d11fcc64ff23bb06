"""Three physics for one geometry: reflected visible light, reflected near infrared, emitted heat.

Each function takes the same surface and backdrop and gives a clean coded picture. Only `shade_rgb`
reads albedos and only `shade_tir` reads temperatures; what one spectrum shows does not follow from
another.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextreid.synthetic.cameras import Camera
from nextreid.synthetic.scenery import Backdrop
from nextreid.synthetic.sighting import Light
from nextreid.synthetic.surfaces import Surface

FloatArray = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FOG_DISTANCE = 15.0
"""Metres over which `Light.fog` is told: ours, the distance of the farther cameras."""

NIR_CONTRAST = 1.35
"""Exponent on the coded near infrared: ours; real crops set bright cloth hard against dark trousers."""

NIR_SUN = 0.75
"""Share of a clear day's near infrared that comes straight from the sun: ours; the sky scatters little."""

SKY_COLD = 22.0
"""How much colder than the air a clear sky looks in 8..14 µm, °C: ours, for a mild sky."""


@lru_cache(maxsize=1)
def _srgb_codes() -> NDArray[np.float32]:
    """Linear 0..1 in 4096 steps to sRGB 0..1 (IEC 61966-2-1)."""
    x = np.linspace(0.0, 1.0, 4097)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


def _encode(linear: NDArray[np.floating], contrast: float) -> Bytes:
    steps = (np.clip(linear, 0.0, 1.0) * 4096 + 0.5).astype(np.int32)
    curve = (255 * _srgb_codes() ** np.float32(contrast) + 0.5).astype(np.uint8)
    return curve[steps]


@lru_cache(maxsize=1)
def inferno() -> Bytes:
    """The false-colour table (256, 3) in which thermal pictures are stored: matplotlib's inferno."""
    import matplotlib

    table = matplotlib.colormaps["inferno"](np.arange(256))[:, :3]
    colours: Bytes = (255 * table + 0.5).astype(np.uint8)
    return colours


def _through_fog(strength: float, depth: FloatArray) -> FloatArray:
    """Share of light that comes through."""
    return ((1.0 - strength) ** (np.minimum(depth, 200.0) / FOG_DISTANCE)).astype(np.float32)


def _flare(light: Light, shape: tuple[int, int]) -> FloatArray:
    """Light of a headlight spread in the lens, linear, (H * W,)."""
    height, width = shape
    x = np.arange(width, dtype=np.float32)[None, :] / height - light.flare_at[0] * width / height
    y = np.arange(height, dtype=np.float32)[:, None] / height - light.flare_at[1]
    r2 = x * x + y * y
    core = np.exp(-r2 / 0.0012) + 0.22 * np.exp(-r2 / 0.012)
    streak = 0.25 * np.exp(-(y**2) / 0.0002) * np.exp(-np.abs(x) / 0.16)
    return (light.flare * (core + streak)).reshape(-1).astype(np.float32)


def shade_rgb(
    surface: Surface,
    backdrop: Backdrop,
    camera: Camera,
    light: Light,
    directions: FloatArray,
    shape: tuple[int, int],
) -> Bytes:
    """Visible light: albedo under sun, sky and street lamp, through fog, in the camera's colours.

    Returns:
        (H, W, 3) uint8, sRGB-coded.
    """
    sun, lamp, sky = (
        np.array(colour, np.float32) * np.float32(strength)
        for colour, strength in (
            (light.sun_colour, light.sun), (light.lamp_colour, light.lamp), (light.sky_colour, light.sky),
        )
    )  # fmt: skip
    towards_sun, towards_lamp = (
        np.array(light.direction, np.float32),
        np.array(light.lamp_direction, np.float32),
    )

    level = backdrop.level
    falls = sky * (0.55 + 0.45 * level)[:, None] + lamp * (0.35 + 0.5 * level)[:, None]
    falls += sun * (0.25 + (towards_sun[2] - 0.25) * level)[:, None]
    picture = backdrop.albedo * falls
    heaven = sky * 1.1 + 0.35 * sun
    picture[backdrop.sky] = heaven

    n = surface.normal
    on_sun = np.maximum(n @ towards_sun, 0.0)[:, None]
    on_lamp = (0.2 + 0.8 * np.maximum(n @ towards_lamp, 0.0))[:, None]
    irradiance = sky * (0.6 + 0.4 * n[:, 2:3]) + sun * on_sun + lamp * on_lamp
    half = towards_sun - directions[surface.pixel]
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = surface.gloss * np.maximum((n * half).sum(1), 0.0) ** 24
    reflected = surface.albedo * irradiance * surface.relief[:, None]
    reflected += (
        0.6 * shine[:, None] * sun + (0.15 * surface.gloss * (1.0 - surface.facing) ** 2)[:, None] * heaven
    )
    picture[surface.pixel] = reflected + surface.glow

    if light.fog:
        depth = backdrop.depth.copy()
        depth[surface.pixel] = surface.depth
        clear = _through_fog(light.fog, depth)[:, None]
        picture = picture * clear + (heaven * 0.6) * (1.0 - clear)
    if light.flare:
        picture = picture + _flare(light, shape)[:, None] * np.array([1.0, 0.95, 0.85], np.float32)
    picture = picture * np.float32(light.exposure) * np.array(camera.gain, np.float32)
    grey = picture.mean(1, keepdims=True)
    picture = grey + (picture - grey) * np.float32(camera.saturation)
    return _encode(picture, camera.contrast).reshape(*shape, 3)


def shade_nir(
    surface: Surface, backdrop: Backdrop, camera: Camera, light: Light, shape: tuple[int, int]
) -> Bytes:
    """Near infrared: its own reflectance under daylight or the camera's illuminator.

    Returns:
        (H, W) uint8, gamma-coded.
    """
    sunny = NIR_SUN * min(light.sun, 1.0)  # an overcast sky casts no shadow here either
    towards_sun = np.array(light.direction, np.float32)
    reach = camera.distance
    fall = np.minimum((reach / np.maximum(backdrop.depth, 1.0)) ** 2, 1.5)
    picture = backdrop.nir * (light.nir_day * (0.5 + 0.4 * backdrop.level) + 0.55 * light.nir_lamp * fall)
    picture[backdrop.sky] = 0.5 * light.nir_day

    n = surface.normal
    day = light.nir_day * ((1.0 - sunny) * (0.6 + 0.4 * n[:, 2]) + sunny * np.maximum(n @ towards_sun, 0.0))
    beam = light.nir_lamp * surface.facing * (reach / np.maximum(surface.depth, 1.0)) ** 2
    reflected = surface.nir * surface.relief * (day + beam)
    reflected += surface.gloss * (0.25 * beam * surface.facing**16 + 0.06 * day * (1.0 - surface.facing) ** 2)
    reflected += 4.0 * surface.retro * light.nir_lamp + surface.glow_nir
    picture[surface.pixel] = reflected
    if light.fog:
        depth = backdrop.depth.copy()
        depth[surface.pixel] = surface.depth
        clear = _through_fog(0.5 * light.fog, depth)
        picture = picture * clear + 0.2 * (light.nir_day + light.nir_lamp) * (1.0 - clear)
    if light.flare:
        picture = picture + 0.4 * _flare(light, shape)
    return _encode(picture * np.float32(light.nir_exposure), NIR_CONTRAST).reshape(shape)


def shade_tir(
    surface: Surface, backdrop: Backdrop, camera: Camera, fog: float, shape: tuple[int, int]
) -> Bytes:
    """Thermal infrared: the surface's own heat, and a little of the cold sky in it. No light enters.

    The apparent temperature above the air is `e heat - (1 - e) cold`, with the emissivity `e` falling
    at grazing view; the camera codes its fixed span around the air's temperature.

    Returns:
        (H, W) uint8, coded temperature.
    """
    apparent = backdrop.emissivity * backdrop.heat - (1.0 - backdrop.emissivity) * SKY_COLD
    apparent[backdrop.sky] = -SKY_COLD
    e = surface.emissivity * (1.0 - 0.12 * (1.0 - surface.facing) ** 3)
    up = np.clip(0.5 + 0.5 * surface.normal[:, 2], 0.0, 1.0)
    apparent[surface.pixel] = e * surface.heat - (1.0 - e) * SKY_COLD * up
    if fog:
        depth = backdrop.depth.copy()
        depth[surface.pixel] = surface.depth
        apparent = apparent * _through_fog(0.1 * fog, depth)
    low, high = camera.thermal
    return (np.clip((apparent + low) / (low + high), 0.0, 1.0) * 255 + 0.5).astype(np.uint8).reshape(shape)
